"""What a recipe promises: chosen on labels, but never on its own; and what training sees."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError, dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from harness.datasets.dataset import Dataset
from harness.datasets.open import open_dataset
from harness.errors import DataError, SolutionError, UnknownNameError
from harness.plugins.contract import same
from harness.plugins.interface import Predictions
from harness.plugins.registry import solution_entries, solution_entry
from harness.reference.papers import PaperRow
from harness.settings import Settings
from harness.system.provenance import digest_of
from harness.tasks import EXPR, Task, valid_rows
from solutions import recipes
from solutions.columns import Columns
from solutions.heads.settings import KernelMachine, MlpSettings
from solutions.postprocess.plan import (
    Blend,
    Choose,
    ConfidenceFilter,
    Gla,
    PostProcess,
    Smoothing,
    Thresholds,
    VideoFilter,
)
from solutions.recipe import PAPER_CONSTANTS, ColumnStream, Stream
from solutions.recipe_solution import RECIPE_FILE, RecipeSolution
from solutions.recipes import RECIPES, recipe_named
from tests.support.digests import digests

SEED = 7
TINY = "expr/tiny-mlp-smooth"
OTHER_COLUMNS = {"encoder": "hubert", "part": "logits", "pooling": "mean", "every": 5, "width": 3}


@dataclass(frozen=True)
class Fitted:
    """A solution after ``fit``, with its answers for two splits."""

    solution: RecipeSolution
    data: Dataset
    settings: Settings
    answers: Mapping[str, Predictions]


def opened(root: Path, task: Task) -> Dataset:
    """The drawn data set with three training videos: enough to learn from, and quickly encoded."""
    data = open_dataset(root, task)
    return replace(data, splits={**data.splits, "train": data.videos("train")[:3]})


def with_labels(data: Dataset, split: str, labels: Mapping[str, np.ndarray | None]) -> Dataset:
    """The data set with other labels for some videos of a split."""
    videos = [replace(v, labels=labels[v.name]) if v.name in labels else v for v in data.videos(split)]
    return replace(data, splits={**data.splits, split: videos})


def with_smoothing(solution: RecipeSolution, smoothing: Smoothing | None) -> RecipeSolution:
    """The same trained head under another post-processing."""
    twin = copy.copy(solution)
    twin.recipe = replace(solution.recipe, postprocess=PostProcess(smoothing=smoothing))
    return twin


@pytest.fixture(scope="module")
def settings(tmp_path_factory, fill_cache) -> Settings:
    """Return settings with one cache for all tests."""
    cache = fill_cache(tmp_path_factory.mktemp("features"))
    return Settings(cache=cache, device="cpu", workers=2, reuse_heads=False)


@pytest.fixture(scope="module")
def fit_once(drawn_once, settings) -> Callable[[str], Fitted]:
    @functools.cache
    def fit(name: str) -> Fitted:
        recipe = recipe_named(name)
        solution, data = RecipeSolution(recipe, settings), opened(drawn_once, recipe.task)
        solution.fit(data, seed=SEED)
        answers = {split: solution.predict(data, split) for split in ("val", "test")}
        return Fitted(solution, data, settings, answers)

    return fit


@pytest.fixture
def tiny(fit_once) -> Fitted:
    """The recipe that runs everywhere; it chooses its window."""
    return fit_once(TINY)


# what the registry says


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_an_entry_matches_its_recipe(recipe, settings):
    entry = solution_entry(recipe.name)
    for name in ("name", "task", "summary", "row", "remark", "needs"):
        assert getattr(entry, name) == getattr(recipe, name), name
    assert entry.postprocess == recipe.postprocess.words()
    solution = entry.create(settings)
    assert (solution.name, solution.task, solution.recipe) == (recipe.name, recipe.task, recipe)
    assert recipe_named(recipe.name) is recipe


def test_every_recipe_is_registered_once():
    assert len({recipe.name for recipe in RECIPES}) == len(RECIPES)
    assert {recipe.name for recipe in RECIPES} <= set(solution_entries())


def test_an_unknown_recipe_gets_a_guess():
    with pytest.raises(UnknownNameError, match="Did you mean expr/tiny-mlp-smooth"):
        recipe_named("expr/tiny-mlp-smoth")


def test_with_the_papers_constants_little_is_chosen():
    """Epochs, thresholds of units where the paper prints none, and biases, which belong to a network."""
    twins = [recipe_named(recipe.name + PAPER_CONSTANTS) for recipe in RECIPES if recipe.paper_constants]
    # abaw8's EXPR and AU, and three of them on test; abaw10's EXPR, VA and AU; EMI, AH
    assert len(twins) == 8 + 3 + 7 + 1 + 10 + 16 + 26
    for twin in twins:
        assert twin.postprocess.chosen in ((), ("thresholds",), ("log_biases",))
        entry = solution_entry(twin.name)
        assert entry.variant_of == twin.name.removesuffix(PAPER_CONSTANTS)
        assert entry.row == solution_entry(entry.variant_of).row


def test_a_recipe_that_names_no_constants_has_no_such_twin():
    with pytest.raises(UnknownNameError):
        recipe_named(TINY + PAPER_CONSTANTS)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_recipes_are_frozen_all_the_way_down(recipe):
    hash(recipe)
    plan = recipe.postprocess
    parts = [recipe, plan, *recipe.streams]
    for stream in recipe.streams:
        parts += [getattr(stream, name, None) for name in ("head", "network", "training", "windows")]
    parts += [plan.gla, plan.blend, plan.smoothing, plan.filter, plan.thresholds]
    for part in parts:
        if dataclasses.is_dataclass(part):
            for field in dataclasses.fields(part):
                with pytest.raises(FrozenInstanceError):
                    setattr(part, field.name, None)


def test_whatever_decides_the_numbers_is_described():
    recipe = recipe_named(TINY)
    stream, head = recipe.streams[0], recipe.streams[0].head
    other = {"loss": "focal", "keep": "best", "standardise": not head.standardise, "select": "pieces", "keras": True}
    other |= {"batch_norm": True, "raw": True}
    heads = [
        replace(head, **{field.name: other.get(field.name, getattr(head, field.name))})
        if field.name in other
        else replace(head, **{field.name: getattr(head, field.name) + 1})
        for field in dataclasses.fields(MlpSettings)
    ]
    plans = [
        PostProcess(),
        PostProcess(smoothing=Smoothing(5)),
        PostProcess(smoothing=Smoothing(5, "median")),
        PostProcess(smoothing=Smoothing(6)),
        PostProcess(smoothing=Smoothing(Choose((0, 1)))),
        PostProcess(smoothing=Smoothing(Choose((1, 0)))),
        PostProcess(gla=Gla()),
        PostProcess(gla=Gla(start="none")),
        PostProcess(gla=Gla(start="inverse")),
        PostProcess(gla=Gla(relative=True)),
        PostProcess(gla=Gla(passes=3)),
        PostProcess(gla=Gla(scaled=True)),
        PostProcess(smoothing=Smoothing(5, over="crops")),
        PostProcess(blend=Blend((1.0,), logs=True)),
        PostProcess(thresholds=Thresholds((0.5,) * 12)),
        PostProcess(thresholds=Thresholds(0.5, raw=True)),
        PostProcess(blend=Blend((1.0,))),
        PostProcess(filter=ConfidenceFilter("tiny", 0.7)),
        PostProcess(filter=ConfidenceFilter("tiny", 0.8)),
        PostProcess(filter=ConfidenceFilter("tiny", 0.8, "ignored")),
        PostProcess(thresholds=Thresholds(0.5)),
        PostProcess(thresholds=Thresholds("exact")),
        PostProcess(video_filter=VideoFilter(Columns("tiny", pooling="mean"))),
        PostProcess(video_filter=VideoFilter(Columns("tiny", pooling="stat"))),
        PostProcess(video_filter=VideoFilter(Columns("tiny", pooling="mean"), KernelMachine(c=2.0))),
        PostProcess(blend=Blend(Choose((1.0,)))),
        PostProcess(blend=Blend(Choose((1.0,)), by_target=True)),
        PostProcess(blend=Blend(Choose((1.0,)), steps=20)),
        PostProcess(blend=Blend(Choose((1.0,)), standardised=True)),
    ]
    streams = [replace(stream, head=head) for head in heads]
    streams += [replace(stream, encoder="timm:resnet18"), replace(stream, part="logits")]
    columns = Columns("tiny")
    streams += [
        ColumnStream(joined, head)
        for joined in (
            (columns,),
            (columns, columns),
            *((replace(columns, **{name: value}),) for name, value in OTHER_COLUMNS.items()),
        )
    ]
    changed = [
        recipe,
        *(replace(recipe, streams=(stream,)) for stream in streams),
        *(replace(recipe, postprocess=plan) for plan in plans),
        replace(recipe, streams=(stream, stream)),
        replace(recipe, final=(stream,)),
        replace(recipe, final=(ColumnStream((columns,)),)),
        replace(recipe, name="expr/another"),
    ]
    assert len({digest_of(other.describe()) for other in changed}) == len(changed)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_what_is_only_shown_does_not_change_a_runs_identity(recipe):
    shown = replace(recipe, summary="other words", row=PaperRow("paper", "1", "2"), remark="other words")
    assert shown.describe() == recipe.describe()


# what a loaded recipe must be


@pytest.fixture
def _load_with_this_cache(settings, monkeypatch):
    monkeypatch.setenv("ABAW_CACHE", str(settings.cache))
    monkeypatch.setenv("ABAW_DEVICE", "cpu")


def test_a_recipe_that_has_changed_is_not_loaded(tiny, tmp_path, monkeypatch):
    tiny.solution.save(tmp_path)
    recipe = tiny.solution.recipe
    for changed in (
        replace(recipe, streams=(Stream("tiny", head=MlpSettings(epochs=3)),)),
        replace(recipe, postprocess=PostProcess()),
        replace(recipe, streams=(Stream("landmarks"),)),
    ):
        monkeypatch.setattr(recipes, "RECIPES", (changed,))
        with pytest.raises(SolutionError, match="recipe expr/tiny-mlp-smooth has changed since this was saved; run it"):
            RecipeSolution.load(tmp_path)
    monkeypatch.setattr(recipes, "RECIPES", (replace(recipe, summary="other words"),))
    assert RecipeSolution.load(tmp_path).name == TINY


def test_windows_that_cannot_be_are_refused():
    for widths in (-1, Choose((0, -2))):
        with pytest.raises(ValueError, match="whole numbers from 0 up"):
            Smoothing(widths)
    with pytest.raises(ValueError, match="nothing to choose from"):
        Choose(())


@pytest.mark.usefixtures("_load_with_this_cache")
def test_a_head_is_not_used_on_features_of_another_encoder(tiny, tmp_path, monkeypatch):
    tiny.solution.save(tmp_path)
    loaded = RecipeSolution.load(tmp_path)
    monkeypatch.setattr("solutions.encoders.images.tiny.FORMAT", 99)
    with pytest.raises(SolutionError, match="trained on features of other encoders"):
        loaded.predict(tiny.data, "val")


def test_a_recipe_that_is_gone_is_said(tiny, tmp_path, monkeypatch):
    tiny.solution.save(tmp_path)
    monkeypatch.setattr(recipes, "RECIPES", (replace(tiny.solution.recipe, name="expr/tiny-mlp"),))
    with pytest.raises(UnknownNameError, match="Did you mean expr/tiny-mlp"):
        RecipeSolution.load(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "null", "[]", "{}", '{"name": []}', '"expr/tiny-mlp-smooth"'])
def test_a_broken_recipe_file_is_said(tiny, tmp_path, content):
    tiny.solution.save(tmp_path)
    (tmp_path / RECIPE_FILE).write_text(content)
    with pytest.raises(SolutionError, match="not a saved solution"):
        RecipeSolution.load(tmp_path)


def test_an_empty_folder_is_not_a_saved_solution(tmp_path):
    with pytest.raises(SolutionError, match="not a saved solution"):
        RecipeSolution.load(tmp_path)


def test_a_recipe_without_its_head_is_not_loaded(tiny, tmp_path):
    tiny.solution.save(tmp_path)
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name != RECIPE_FILE:
            path.unlink()
    with pytest.raises(SolutionError, match="not a saved head"):
        RecipeSolution.load(tmp_path)


# what is chosen on labels


def widths_of(choices: Mapping[str, object]) -> list[int]:
    return choices["half_width"]["per_fold"]


def judged(solution: RecipeSolution, data: Dataset) -> dict[str, dict[int, np.ndarray]]:
    """Decisions for each validation video at each candidate half width."""
    candidates = solution.recipe.postprocess.smoothing.half_width.candidates
    by_width = {w: with_smoothing(solution, Smoothing(w)).predict(data, "val") for w in candidates}
    return {
        video.name: {w: by_width[w].videos[video.name].decisions for w in candidates} for video in data.videos("val")
    }


def best_width(decisions: Mapping[str, Mapping[int, np.ndarray]], data: Dataset, names: set[str]) -> int:
    """The first of the best half widths on some videos, by scikit-learn's macro-F1."""
    videos = [video for video in data.videos("val") if video.name in names]
    counted = {video.name: valid_rows(video.labels, EXPR) for video in videos}
    truth = np.concatenate([video.labels[counted[video.name]] for video in videos])
    scores = {}
    for width in decisions[videos[0].name]:
        answer = np.concatenate([decisions[video.name][width][counted[video.name]] for video in videos])
        scores[width] = round(f1_score(truth, answer, labels=range(8), average="macro", zero_division=0), 12)
    return max(scores, key=scores.get)


def test_each_folds_window_is_the_best_on_the_other_folds(tiny):
    choices = tiny.answers["val"].choices
    decisions = judged(tiny.solution, tiny.data)
    folds = choices["folds"]
    assert set(folds) == {video.name for video in tiny.data.videos("val")}
    for fold, width in enumerate(widths_of(choices)):
        assert width == best_width(decisions, tiny.data, {name for name in folds if folds[name] != fold})
    assert choices["half_width"]["on_all"] == best_width(decisions, tiny.data, set(folds))


def test_each_video_is_smoothed_with_the_window_of_its_fold(tiny):
    answer = tiny.answers["val"]
    widths, on_all = widths_of(answer.choices), answer.choices["half_width"]["on_all"]
    whole = with_smoothing(tiny.solution, Smoothing(on_all)).predict(tiny.data, "val")
    for name, video in answer:
        own = with_smoothing(tiny.solution, Smoothing(widths[answer.choices["folds"][name]]))
        expected = own.predict(tiny.data, "val").videos[name]
        assert video.scores.tobytes() == expected.scores.tobytes()
        assert video.decisions.tobytes() == expected.decisions.tobytes()
        assert video.tuned_on_all.tobytes() == whole.videos[name].decisions.tobytes()


def test_for_test_the_window_is_that_of_all_validation_videos(tiny):
    on_all = tiny.answers["val"].choices["half_width"]["on_all"]
    answer = tiny.answers["test"]
    assert answer.choices["half_width"]["on_all"] == on_all
    assert answer.choices["tuned_on"] == "val"
    fixed = with_smoothing(tiny.solution, Smoothing(on_all)).predict(tiny.data, "test")
    for name, video in answer:
        assert video.scores.tobytes() == fixed.videos[name].scores.tobytes()
        assert video.decisions.tobytes() == fixed.videos[name].decisions.tobytes()


def test_a_videos_own_labels_never_choose_its_window(tiny):
    """Labels are set to what one half width decides, which makes that one best for whoever looks at them."""
    before = tiny.answers["val"]
    decisions = judged(tiny.solution, tiny.data)
    folds, widths = before.choices["folds"], widths_of(before.choices)
    reached_another_fold = False
    for video in tiny.data.videos("val"):
        for pushed in (0, 15, 500):
            labels = np.where(valid_rows(video.labels, EXPR), decisions[video.name][pushed], video.labels)
            after = tiny.solution.predict(with_labels(tiny.data, "val", {video.name: labels}), "val")
            chosen = widths_of(after.choices)
            assert after.choices["folds"] == folds
            assert chosen[folds[video.name]] == widths[folds[video.name]]
            assert after.videos[video.name].scores.tobytes() == before.videos[video.name].scores.tobytes()
            assert after.videos[video.name].decisions.tobytes() == before.videos[video.name].decisions.tobytes()
            reached_another_fold |= chosen != widths
    assert reached_another_fold, "labels that change nothing at all prove nothing"


def test_two_people_of_one_recording_share_a_fold(tiny):
    folds = tiny.answers["val"].choices["folds"]
    people = [name for name in folds if name.endswith(("_left", "_right"))]
    assert len(people) == 2
    assert len({folds[name] for name in people}) == 1
    assert len(set(folds.values())) == len(folds) - 1


def test_few_recordings_are_a_weak_choice_and_this_is_said(tiny):
    assert any("only 3 recordings to cross-fit on" in note for note in tiny.answers["val"].notes)


def test_a_fixed_window_needs_no_labels(tiny):
    fixed = with_smoothing(tiny.solution, Smoothing(5))
    unlabelled = with_labels(tiny.data, "val", {video.name: None for video in tiny.data.videos("val")})
    answer = fixed.predict(unlabelled, "val")
    assert same(answer, fixed.predict(tiny.data, "val"))
    assert answer.choices == {"tuned_on": "nothing"}


def test_a_choice_without_labels_is_refused(tiny):
    name = tiny.data.videos("val")[0].name
    with pytest.raises(DataError, match=f"labels of val are needed.*{name}"):
        tiny.solution.predict(with_labels(tiny.data, "val", {name: None}), "val")


def without_steps(answer: Predictions) -> Predictions:
    """Return an answer without the traces of its steps, which two plans may have different numbers of."""
    videos = {name: replace(video, trace=None) for name, video in answer.videos.items()}
    return replace(answer, videos=videos, steps=())


def test_no_smoothing_is_half_width_0(tiny):
    plain, zero = (with_smoothing(tiny.solution, s).predict(tiny.data, "test") for s in (None, Smoothing(0)))
    assert zero.steps == ("smoothing",)
    assert not plain.steps
    assert same(without_steps(plain), without_steps(zero))
    wide = with_smoothing(tiny.solution, Smoothing(10)).predict(tiny.data, "test")
    assert not same(without_steps(plain), without_steps(wide))


# what training sees


def refitted(tiny: Fitted, data: Dataset) -> RecipeSolution:
    solution = RecipeSolution(tiny.solution.recipe, tiny.settings)
    solution.fit(data, seed=SEED)
    return solution


def head_bytes(solution: RecipeSolution, folder: Path) -> dict[str, str]:
    folder.mkdir()
    solution.save(folder)
    return digests(folder)


def test_training_sees_no_label_of_validation(tiny, tmp_path):
    shuffled = {video.name: video.labels[::-1].copy() for video in tiny.data.videos("val")}
    other = refitted(tiny, with_labels(tiny.data, "val", shuffled))
    assert head_bytes(other, tmp_path / "other") == head_bytes(tiny.solution, tmp_path / "own")


def test_frames_that_nobody_annotated_are_not_trained_on(tiny, tmp_path):
    """Beside all other frames, what is marked invalid may lie under any picture."""
    data = tiny.data
    marked, cut = {}, {}
    for video in data.videos("train"):
        marked[video.name] = np.where(np.arange(video.n_frames) < 60, video.labels, EXPR.invalid)
        cut[video.name] = video.labels[:60]
    shorter = [replace(video, n_frames=60, labels=cut[video.name]) for video in data.videos("train")]
    one = refitted(tiny, with_labels(data, "train", marked))
    other = refitted(tiny, replace(data, splits={**data.splits, "train": shorter}))
    assert head_bytes(one, tmp_path / "marked") == head_bytes(other, tmp_path / "shorter")
    assert head_bytes(one, tmp_path / "again") != head_bytes(tiny.solution, tmp_path / "own")


def test_a_crop_is_trained_with_the_label_of_its_own_frame(tiny, tmp_path):
    """A label of a frame that has no crop reaches nothing; each other one does."""
    video = next(v for v in tiny.data.videos("train") if len(v.images) < v.n_frames)
    missing = sorted(set(range(1, video.n_frames + 1)) - set(video.images.frames.tolist()))
    own = head_bytes(tiny.solution, tmp_path / "own")
    for frame in (missing[0], missing[-1]):
        labels = video.labels.copy()
        labels[frame - 1] = (labels[frame - 1] + 1) % 8
        other = refitted(tiny, with_labels(tiny.data, "train", {video.name: labels}))
        assert head_bytes(other, tmp_path / f"without-{frame}") == own
    with_label = next(f for f in reversed(video.images.frames.tolist()) if video.labels[f - 1] != EXPR.invalid)
    labels = video.labels.copy()
    labels[with_label - 1] = (labels[with_label - 1] + 1) % 8
    other = refitted(tiny, with_labels(tiny.data, "train", {video.name: labels}))
    assert head_bytes(other, tmp_path / "with") != own


def test_crops_beyond_the_official_end_are_no_frames(tiny):
    videos = [replace(video, n_frames=video.n_frames - 9, labels=None) for video in tiny.data.videos("test")]
    data = replace(tiny.data, splits={**tiny.data.splits, "test": videos})
    answer = tiny.solution.predict(data, "test")
    answer.check({video.name: video.n_frames for video in videos})


def test_video_without_face_gets_prior_and_a_note(tiny, tmp_path):
    first, *others = tiny.data.videos("test")
    data = replace(tiny.data, splits={**tiny.data.splits, "test": [replace(first, image_folder=None), *others]})
    answer = tiny.solution.predict(data, "test")
    labels = []
    for video in tiny.data.videos("train"):
        own = video.labels[video.images.frames - 1]
        labels.append(own[own != EXPR.invalid])
    shares = np.bincount(np.concatenate(labels), minlength=8) / sum(map(len, labels))
    np.testing.assert_allclose(answer.videos[first.name].scores, np.tile(shares, (first.n_frames, 1)), atol=1e-6)
    assert [note for note in answer.notes if first.name in note] == [
        f"{first.name}: tiny knows nothing of it; all get the training set's means"
    ]
    for video in others:
        assert answer.videos[video.name].scores.tobytes() == tiny.answers["test"].videos[video.name].scores.tobytes()


def test_what_was_encoded_is_reported(drawn_once, tmp_path):
    data = opened(drawn_once, EXPR)
    solution = RecipeSolution(recipe_named("expr/tiny-mlp-smooth"), Settings(cache=tmp_path, device="cpu", workers=1))
    solution.fit(data, seed=0)
    reports = solution.predict(data, "test").extraction
    crops = {split: sum(len(video.images) for video in data.videos(split)) for split in ("train", "val", "test")}
    assert sorted(report.frames for report in reports) == sorted(crops.values())
    assert {report.encoder for report in reports} == {"tiny"}
