"""Terms on the screen with explanations in plain words, which appear when the pointer hovers over a term."""

from __future__ import annotations

METRIC_HELP = {
    "macro_f1": "macro-F1: the F1 of each class, averaged with equal weight. A class that is never predicted right "
    "counts 0, so a rare class weighs as much as a frequent one.",
    "mean_ccc": "CCC: concordance correlation coefficient, 1 if predictions equal the labels, 0 for a constant; over "
    "all frames of all videos, mean of valence and arousal.",
    "weighted_f1": "weighted F1: the F1 of each class, weighted by the class's share of the labels, over all frames. "
    "It favours the frequent class: read macro-F1, the F1 of 'present' and the constants beside it.",
    "mean_pearson": "Pearson's correlation of each intensity over all videos, mean of the six. A constant column "
    "counts 0 here; SciPy gives no number for it, and what the organisers do is not known.",
    "mean_binary_f1": "F1 of each of the twelve action units (present or not), averaged with equal weight.",
}

BESIDE_HELP = {
    "macro_f1": "Not the score of this task: F1 of both classes, averaged with equal weight.",
    "weighted_f1": "Not the score of this task: the F1 of each class, weighted by the class's share of the labels.",
    "accuracy": "Not the score of this task: share of the labels that were decided right.",
    "f1": "Not the score of this task: F1 of the class 'present' alone.",
    "average_precision": "Not what is ranked: how well the probability of 'present' sorts the videos; scikit-learn's.",
    "official_average_precision": "Not what is ranked: average precision as the organisers compute it, by trapezoids.",
}

RANK = (
    "Place by score among all rows of this task, split, data set and version of the labels, before any filter. Equal "
    "scores share a place."
)
KIND = (
    "● run: one of this store. Published: ◆ paper: a paper's own number; ■ baseline: the organisers' system; "
    "▲ leaderboard: the final list of an edition."
)
INTERVAL = (
    "95 % interval by video: whole videos are drawn again and again with replacement (bootstrap). Frames of one video "
    "are alike, so an interval by frame would be far too narrow. Published results come without one."
)
CROSS_FITTED = (
    "Cross-fitted: whatever is chosen on labels (a window, thresholds, weights) is chosen on some validation videos "
    "and applied to the others, in turn. Where nothing was chosen on labels, the score is simply the score."
)
TUNED = (
    "Tuned on val: chosen and reported on the same validation videos, as papers do. Read it beside papers' numbers, "
    "not as skill. Empty where nothing was chosen on labels."
)
PUBLISHED_TUNED = (
    "Published validation scores were, as a rule, tuned on the videos they report: beside them, read a run's "
    "'tuned on val'; its score is cross-fitted."
)
INTERVAL_BY_PERSON = (
    "95 % interval by person: persons are drawn again and again with replacement (bootstrap), all videos of a person "
    "at once. Videos of one person are alike, so an interval by video would be too narrow. Published results come "
    "without one."
)


def interval_help(unit: str) -> str:
    """Return the explanation of an interval; ``unit`` is ``video`` or ``person``."""
    return INTERVAL_BY_PERSON if unit == "person" else INTERVAL


OPTIMISM = "Optimism: 'tuned on val' minus the cross-fitted score, what choosing on the reported videos adds by itself."
CONSTANT = (
    "What the best constant prediction gets on the same frames, and which one it is. A useful run is well above it."
)
RANK_INTERVAL = (
    "Rank interval: the ranks among this store's runs that this one may well take, those in 95 % of the replicates; in "
    "each, the same videos are drawn for every run. Published results have no replicates, and take no part."
)
STANDING_MEANS = (
    "Each run against the best run, paired over the same videos. 'tied': p ≥ 0.05, these videos can't tell the two "
    "apart, which is no proof that they are equal. 'below': the best run is better, p < 0.05."
)
STANDING = f"{STANDING_MEANS} Compare any two by selecting their rows."
SEEDS_MEANS = (
    "Runs that differ in the seed alone are one row: score, 'tuned on val' and interval are those of the mean; ± (SD) "
    "is the standard deviation over the seeds."
)
SEEDS = f"{SEEDS_MEANS} 'Each seed' lists them apart."
OF_SEVERAL = "Where a row stands for several seeds, the run of the lowest one."
MEANS = (
    "Compares the means over the seeds of each solution, as the board does. The intervals are for these seeds on other "
    "videos. Off: these runs alone."
)
EACH_SEED = "List every seed as a row of its own, instead of the mean over the seeds of a solution."
TRAINED_ON = (
    "What the head was trained on. ⚑: more than the training videos, or nobody told. A run that was trained on the "
    "videos it is scored on has no score here."
)
MADE_BETWEEN = "Narrows the runs by the day (UTC) they were made; published results stay."
TEAM = "Narrows the published results by team; runs stay."
OFFICIAL_RANK = "Place on the organisers' final list."
NOTES = "What the run says of itself. The page of the run has it in full."
EVIDENCE = (
    "Evidence for a published number: official (the organisers' own text), paper (the paper that reports it), "
    "secondary (told by others: treat with care)."
)
FRAMES_PER_SECOND = "Speed of feature extraction; empty where the features were cached."
MADE = "When the run was made, UTC."
EDITION = "Edition of the ABAW competition."
POSTPROCESS = "What happens between the head's scores and the decisions: gaps filled, smoothing, calibration."
SOURCE = "Where the number stands. Select the row to read it in full."
FAILED = (
    "Runs that were tried and came to nothing, of any split and data set; never ranked. Once the same run is complete, "
    "it is no longer listed."
)
WAITING = (
    "Runs that lacked weights or a package when they were tried, of any split and data set. Nothing is wrong with them."
)
HIDDEN = "Runs that were hidden with: abaw hide. To show one again for good: abaw hide --undo RUN."
TEST_FILE = (
    "Way to a submission: none, made (the official file of test), sent as slot n, or the official score that came back."
)
SAME_FILES = "Runs that wrote the very same bytes as this row's: one row is enough for them."
SHORT_ID = "Name of the run for every command; +n: a mean over n more seeds."
TAGS = "Tags of the user's: abaw tag."
SEARCH = "All words must occur, in any order: names, teams, systems, encoders, run ids, sources."
RUNS_ONLY = "Narrows the runs; published results stay."
PUBLISHED_ONLY = "Narrows the published results; runs stay."
DATA = (
    "Scores on different data are never listed together. Published results join the list only where the data are "
    "verified to be the data they were made on."
)
LABELS = (
    "Version of the labels: the first digits of a hash of all videos' names, lengths and labels. Scores on different "
    "labels can't be compared, so each version has its own ranks, places and best run. The newest run's comes first."
)
APART = "Another version of these labels is in the store. Runs on different labels are never ranked together."
ELSEWHERE = (
    "A data set is named after its folder, or by its DATASET.toml, so one that was moved or copied may have two "
    "names. Any two runs on the same labels can be compared on the page Compare; give both folders one name in "
    "DATASET.toml to have their next runs on one board."
)
SPLIT = (
    "Validation and test are never listed together. The labels of test_private (BAH, editions 10 and 11) stay with the "
    "organisers."
)

# --- two runs

PAIRED = (
    "A - B with its 95 % interval: videos are drawn 10,000 times, the same ones for both, so that what makes a video "
    "hard for either drops out. Far narrower than two intervals side by side. If it leaves out 0, the difference is "
    "no accident of these videos."
)
P_VALUE = (
    "p: how often equals would differ this much, or more, by the luck of the videos; two-sided. Two runs count as "
    "different below 0.05, if the interval leaves out 0, too."
)
MOVERS = (
    "What one video does to the difference: how much the score changes when A's answer to it takes the place of B's, "
    "all other videos as they are. Above 0 it speaks for A."
)
VIDEO_SCORE = "The official metric on this video alone: to look at, not to average."
ALONE = f"{VIDEO_SCORE} A class that is not in the video counts 0."
DIFFERING = "Only what differs between the two. What both share is on each run's own page."
NO_INTERVAL = (
    "A published number comes without its predictions: the same videos can't be drawn for both, so there is no "
    "interval and no p-value. That the two differ in the third digit proves nothing."
)

# --- submissions

SLOT = "An edition takes few submissions a task (five, as a rule), so each is a slot. Nothing is sent from here."
PROMISED = (
    "What the same solution, recipe and seed scores on validation with heads trained on train alone, cross-fitted, and "
    "the 95 % interval by video. Empty where no such run is in the store."
)
RETURNED = "The score that the organisers sent back; noted with: abaw slots result NUMBER VALUE."
SHIFT = "Test minus validation: what is left of a score on videos that nobody could choose anything on."
BESIDE = (
    "Where the test score lies beside validation's interval. The interval knows of the validation videos only: test "
    "videos are a draw of their own, so a score a little outside is no surprise."
)
DESPITE = "What spoke against sending it, and was overruled with --yes."

# --- papers

PAPER_SCORE = "As printed. As a rule, tuned on the very videos that it is reported on."
OURS = (
    "The solution of this project that reproduces the row: mean over the seeds of its newest set-up, cross-fitted "
    "where anything was chosen on labels. All labelled frames count, those without a crop, too; the papers' authors "
    "scored only frames that have one."
)
OURS_MINUS_PAPER = (
    "Like with like: ours as papers report it (tuned on val, where anything was chosen) minus the paper's. Empty where "
    "ours is on other data. There is no interval: the paper's predictions are not public."
)
WITH_CONSTANTS = "Ours with the constants that the paper, or its authors' code, names: nothing was chosen on labels."
ROW_STATE = "Whether a run of this row is in the store, and of how many seeds: runs that differ in the seed alone."
SD = "How far the seeds lie apart: their standard deviation."
INGREDIENT_GAIN = (
    "Two rows that differ in nothing else: what the score gains by it. The same ingredient may add more or less beside "
    "others, so every such pair counts, and their mean is shown."
)
OWN_GAIN = (
    "The same pairs with our runs, cross-fitted, on the data named above. Its interval: the same videos are drawn for "
    "both; if it leaves out 0, the gain is no accident of these videos."
)
WATERFALL = (
    "From a plain system to the best of the table, one ingredient at a time. Of all such ways the longest is shown; "
    "taken in another order, each would add another share."
)
_READ_THE_SHAPE = "Each point was tuned on the videos it is reported on: read the shape, not the height."
CURVES = (
    "The figures are pictures, whose points nobody published. Diamonds: what the paper's text and tables give. Dotted: "
    "what the authors' public notebook printed for the same constant; it agrees with them, but need not be the figure "
    "to the last digit. Ours: one run, all other constants as chosen on all of validation, with its 95 % interval by "
    "video. " + _READ_THE_SHAPE
)
CURVES_OF_NOTEBOOK = (
    "Diamonds: what the paper's tables give. Dotted: what the authors' public notebook printed for the same constant. "
    "Their blends without smoothing are means of log scores. The paper prints .562 for the smoothed row of valence and "
    "arousal, the notebook .5626 at a half width of 25 and .5687 at 50. Ours: one run, all other constants as chosen "
    "on all of validation, with its 95 % interval by video. " + _READ_THE_SHAPE
)

# --- one run

OFFICIAL_FILE = (
    "What the run wrote in the organisers' format. Its hash was taken now and held against the run's record."
)
CHECK = "Every row against the format; of a test run also against the organisers' template, if it is within reach."
BY_CLASS = (
    "Precision: of the frames decided so, the share that are labelled so. Recall: of the frames labelled so, the share "
    "decided so. F1 is their harmonic mean."
)
BY_DIMENSION = (
    "CCC is Pearson's correlation, lowered where mean or spread of the values differ from those of the labels: compare "
    "the two means, and the two spreads (standard deviations)."
)
BY_INTENSITY = (
    "Pearson's correlation of predicted and labelled values over all videos. It is blind to their means and spreads "
    "(standard deviations), which stand beside it; a constant prediction counts 0."
)
BY_CLASS_OF_VIDEOS = (
    "Precision: of the videos decided so, the share that are labelled so. Recall: of the videos labelled so, the share "
    "decided so. F1 is their harmonic mean."
)
CONFUSION_OF_VIDEOS = (
    "A row per label: where its videos went, in percent of the row, videos below. Framed: decided right."
)
CONFUSION = (
    "A row a label: where its frames went, in percent of the row, frames below. Framed: decided right. Counted over "
    "all videos, as the score is."
)
UNITS = "Found: labelled and decided. Missed: labelled, not decided. False alarm: decided, not labelled."
DENSITY = "The run's values over the labels, all frames of all videos; the darker, the more frames. Dashed: no error."
DENSITY_OF_VIDEOS = "Predicted over labelled values of all videos; the darker, the more videos. Dashed: no error."
ERROR = "By value of the label. Bias: mean of value minus label. Distance: mean size of that difference."
POSSIBLE = (
    "What perfect answers would get on this video alone. A class or unit that the video's labels don't have counts 0 "
    "all the same, so this is rarely 1. The worst video is the one that gets the least of it."
)
RIGHT = "Share of the video's labelled frames that were decided right."
PULLS = "What the run's score loses if this video is left out. Below 0: the score would be higher without it."
_SHADE = "Where frames share a point, its shade goes from the lowest to the highest."
TIMELINE = (
    "A lane a class or unit: the upper bar where it is labelled, below it where the run decides so, then the run's "
    f"score from 0 to 1, before any decision. {_SHADE}"
)
TIMELINE_VALUES = f"Labels and the run's values, from -1 to 1. {_SHADE}"
ANSWER = "Labelled and decided class, and the score of each class before any decision."
ANSWER_VALUES = (
    "Labelled and predicted values. Pearson's correlation is undefined for a single video and blind to scale and "
    "offset, so the error shown is the absolute difference."
)
SPOKEN = (
    "Lines of the transcript in the stretch that is shown, located by their times at the video's frame rate. Shares "
    "and the mean score are those of a line's frames."
)
VIDEO_ERROR = (
    "Mean over the six intensities of the absolute difference of predicted and labelled values. Pearson's correlation, "
    "the score, is undefined for a single video."
)
RIGHT_VIDEO = "1 where the decision is the label, 0 where it is another."
STRETCH = "The frames to look at, first and last. Stands in the address, as the video does."
STEPS = (
    "Each step of post-processing against the decisions right before it, on labelled frames. A step may correct more "
    "frames than it worsens and still lower the score, which weighs classes alike."
)
STEP_COLUMNS = {
    "changed": "Decisions that the step changed. What is neither corrected nor worsened was wrong before and after.",
    "corrected": "Wrong before the step, right after it.",
    "worsened": "Right before the step, wrong after it.",
    "net": "Corrected minus worsened.",
    "overridden": "Frames in which the pretrained classifier's class was taken, be it the head's or another.",
    "overridden_right": "Overridden frames in which the classifier is right.",
    "overridden_wrong": "Overridden frames in which the classifier is wrong.",
}
SWEEP = f"The score against one constant of the post-processing, the others as chosen. {_READ_THE_SHAPE}"
OF_ONE_SETUP = "Runs that differ from this one in the seed alone. Behind ±: the standard deviation over the seeds."
ON_SAME_VIDEOS = "Other runs of this store on the same videos and labels, the best first."

# --- views

SAVED_VIEWS = (
    "Task, split, data set, filters, order, columns, selected rows and baseline, saved under a name beside the runs. "
    "The page's address opens the same view for anybody who reaches this board."
)
SAVE = "Save what the board shows now; an earlier view of this name is replaced."
REFRESH = (
    "Look at the store every so often. The page is made again where something was recorded; filters and selected rows "
    "stay."
)
SORT = "Order of the table's rows. Ranks stay those of the score."
COLUMNS = "Columns to show beside rank, name and score; all that are filled by default."
BASELINE = "The run that all other selected ones are compared with."
HOLM = (
    "p (Holm): the p-value corrected for the number of comparisons (Holm 1979). Of many runs that are no better, one "
    "in twenty seems so at p < 0.05; corrected, the chance that any does is at most one in twenty."
)
