"""The contract of every registered solution, and what a recipe promises: chosen on labels, but never on its own."""

from __future__ import annotations

import copy
import dataclasses
import functools
import importlib.util
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError, dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from harness.datasets.dataset import Dataset
from harness.datasets.labels import valid_rows
from harness.datasets.open import open_dataset
from harness.errors import SolutionError, UnknownNameError
from harness.provenance import digest_of
from harness.registry import solution_entries, solution_entry
from harness.settings import Settings
from harness.solution import Predictions, Solution
from harness.tasks import EXPR, Task
from solutions import recipes
from solutions.heads.mlp import MlpSettings
from solutions.recipe import BoxSmoothing, Choose, Recipe
from solutions.recipe_solution import RECIPE_FILE, RecipeSolution
from solutions.recipes import RECIPES, recipe_named

NAMES = sorted(solution_entries())
CHOOSING = [recipe.name for recipe in RECIPES if recipe.smoothing and isinstance(recipe.smoothing.half_width, Choose)]
SEED = 7


@dataclass(frozen=True)
class Fitted:
    """A solution after ``fit``, with its answers for two splits."""

    name: str
    solution: Solution
    data: Dataset
    settings: Settings
    answers: Mapping[str, Predictions]


def made(name: str, settings: Settings) -> Solution:
    """A new solution; skips where an extra that it needs is missing."""
    entry = solution_entry(name)
    for extra in entry.needs:
        if importlib.util.find_spec(extra) is None:
            pytest.skip(f"the extra {extra!r} is not installed")
    return entry.create(settings)


def opened(root: Path, task: Task) -> Dataset:
    """The drawn data set with three training videos: enough to learn from, and quickly encoded."""
    data = open_dataset(root, task)
    return replace(data, splits={**data.splits, "train": data.videos("train")[:3]})


def same(one: Predictions, other: Predictions) -> bool:
    """Whether two answers are equal to the bit."""
    if list(one.videos) != list(other.videos) or one.choices != other.choices:
        return False
    return all(
        a.tobytes() == b.tobytes() if a is not None and b is not None else a is b
        for name, video in one
        for a, b in zip(dataclasses.astuple(video), dataclasses.astuple(other.videos[name]), strict=True)
    )


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def with_labels(data: Dataset, split: str, labels: Mapping[str, np.ndarray | None]) -> Dataset:
    """The data set with other labels for some videos of a split."""
    videos = [replace(v, labels=labels[v.name]) if v.name in labels else v for v in data.videos(split)]
    return replace(data, splits={**data.splits, split: videos})


def with_smoothing(solution: RecipeSolution, smoothing: BoxSmoothing | None) -> RecipeSolution:
    """The same trained head under another post-processing."""
    twin = copy.copy(solution)
    twin.recipe = replace(solution.recipe, smoothing=smoothing)
    return twin


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    """One cache for all solutions: crops are encoded once an encoder."""
    return Settings(cache=tmp_path_factory.mktemp("features"), device="cpu", workers=2)


@pytest.fixture
def _load_with_this_cache(settings, monkeypatch):
    monkeypatch.setenv("ABAW_CACHE", str(settings.cache))
    monkeypatch.setenv("ABAW_DEVICE", "cpu")


@pytest.fixture(scope="module")
def fit_once(drawn_once, settings) -> Callable[[str], Fitted]:
    @functools.cache
    def fit(name: str) -> Fitted:
        solution, data = made(name, settings), opened(drawn_once, solution_entry(name).task)
        solution.fit(data, seed=SEED)
        answers = {split: solution.predict(data, split) for split in ("val", "test")}
        return Fitted(name, solution, data, settings, answers)

    return fit


@pytest.fixture(params=NAMES)
def fitted(request, fit_once) -> Fitted:
    """Every registered solution."""
    return fit_once(request.param)


@pytest.fixture(params=CHOOSING)
def choosing(request, fit_once) -> Fitted:
    """Every recipe that chooses its window."""
    return fit_once(request.param)


@pytest.fixture
def tiny(fit_once) -> Fitted:
    """The recipe that runs everywhere."""
    return fit_once("expr/tiny-mlp-smooth")


# what the registry says


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_task_and_slug(name):
    assert re.fullmatch(rf"{solution_entry(name).task.name.lower()}/[a-z0-9]+(-[a-z0-9]+)*", name)


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_says_what_a_list_shows(name):
    entry = solution_entry(name)
    assert entry.summary
    assert entry.encoder
    assert entry.head
    assert entry.postprocess
    assert entry.published is None or 0 < entry.published < 1
    assert entry.published is None or entry.row
    assert re.fullmatch(r"(\w+:\w+:.+)?", entry.row)


def test_every_recipe_is_registered_once():
    assert len({recipe.name for recipe in RECIPES}) == len(RECIPES)
    assert {recipe.name for recipe in RECIPES} <= set(NAMES)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_an_entry_matches_its_recipe(recipe, settings):
    entry = solution_entry(recipe.name)
    for name in ("name", "task", "summary", "encoder", "postprocess", "row", "published", "needs"):
        assert getattr(entry, name) == getattr(recipe, name), name
    assert entry.head == f"mlp-{recipe.head.hidden}"
    solution = entry.create(settings)
    assert (solution.name, solution.task, solution.recipe) == (recipe.name, recipe.task, recipe)
    assert recipe_named(recipe.name) is recipe


def test_an_unknown_recipe_gets_a_guess():
    with pytest.raises(UnknownNameError, match="Did you mean expr/tiny-mlp-smooth"):
        recipe_named("expr/tiny-mlp-smoth")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_recipes_are_frozen_all_the_way_down(recipe):
    hash(recipe)
    parts = [recipe, recipe.head, recipe.smoothing, getattr(recipe.smoothing, "half_width", None)]
    for part in parts:
        if dataclasses.is_dataclass(part):
            for field in dataclasses.fields(part):
                with pytest.raises(FrozenInstanceError):
                    setattr(part, field.name, None)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_whatever_decides_the_numbers_is_described(recipe):
    described = digest_of(recipe.describe())
    heads = [
        replace(recipe.head, **{field.name: getattr(recipe.head, field.name) + 1})
        for field in dataclasses.fields(MlpSettings)
    ]
    smoothings = [BoxSmoothing(5), BoxSmoothing(6), BoxSmoothing(Choose((0, 1))), BoxSmoothing(Choose((1, 0)))]
    changed: list[Recipe] = [
        *(replace(recipe, head=head) for head in heads),
        *(replace(recipe, smoothing=smoothing) for smoothing in smoothings),
        replace(recipe, encoder="timm:resnet18"),
        replace(recipe, name="expr/another"),
    ]
    assert len({described, *(digest_of(other.describe()) for other in changed)}) == len(changed) + 1


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_what_is_only_shown_does_not_change_a_runs_identity(recipe):
    shown = replace(recipe, summary="other words", row="paper:1:2", published=0.5)
    assert shown.describe() == recipe.describe()


@pytest.mark.parametrize(
    ("smoothing", "words"),
    [
        (None, "gaps filled"),
        (BoxSmoothing(25), "gaps filled, smoothed, half width 25"),
        (BoxSmoothing(Choose((0, 1))), "gaps filled, smoothed, window chosen"),
    ],
)
def test_post_processing_in_words(smoothing, words):
    assert replace(RECIPES[0], smoothing=smoothing).postprocess == words


# what every solution does


def test_the_description_is_plain_data_and_stays_the_same(fitted):
    described = fitted.solution.describe()
    assert json.loads(json.dumps(described)) == json.loads(json.dumps(made(fitted.name, fitted.settings).describe()))
    assert digest_of(described) == digest_of(fitted.solution.describe())
    assert described["name"] == fitted.name == fitted.solution.name
    assert described["task"] == fitted.solution.task.name


@pytest.mark.parametrize("split", ["val", "test"])
def test_answers_keep_the_contract(fitted, split):
    answer = fitted.answers[split]
    assert answer.task is solution_entry(fitted.name).task
    answer.check({video.name: video.n_frames for video in fitted.data.videos(split)})


@pytest.mark.parametrize("split", ["val", "test"])
def test_scores_and_decisions_lie_in_range(fitted, split):
    task = fitted.solution.task
    for _, video in fitted.answers[split]:
        assert video.scores.dtype == np.float32
        if task.kind == "classes":
            np.testing.assert_allclose(video.scores.sum(1), 1, atol=1e-5)
            assert video.decisions.dtype == np.int64
            assert set(np.unique(video.decisions)) <= set(range(task.n_outputs))
        low = -1 if task.kind == "values" else 0
        assert ((video.scores >= low) & (video.scores <= 1)).all()


def test_the_answer_depends_on_the_frame(fitted):
    decided = np.concatenate([video.decisions for _, video in fitted.answers["val"]])
    assert len(np.unique(decided)) > 1


def test_what_was_chosen_and_noted_is_plain_data(fitted):
    for answer in fitted.answers.values():
        assert json.loads(json.dumps(answer.choices)) == answer.choices
        assert answer.choices["tuned_on"]
        assert all(isinstance(note, str) for note in answer.notes)


def test_only_validation_has_a_second_answer_and_only_where_something_was_chosen(fitted):
    chose = fitted.answers["val"].choices["tuned_on"] != "nothing"
    assert all((video.tuned_on_all is not None) == chose for _, video in fitted.answers["val"])
    assert all(video.tuned_on_all is None for _, video in fitted.answers["test"])


def test_the_same_again_is_the_same_to_the_bit(fitted, tmp_path):
    again = made(fitted.name, fitted.settings)
    again.fit(opened(fitted.data.root, fitted.solution.task), seed=SEED)
    for split, answer in fitted.answers.items():
        assert same(again.predict(fitted.data, split), answer)
    for solution, name in ((fitted.solution, "first"), (again, "second")):
        (tmp_path / name).mkdir()
        solution.save(tmp_path / name)
    assert files_of(tmp_path / "first") == files_of(tmp_path / "second")


def test_another_seed_gives_other_scores(fitted):
    other = made(fitted.name, fitted.settings)
    other.fit(fitted.data, seed=SEED + 1)
    assert not same(other.predict(fitted.data, "test"), fitted.answers["test"])


@pytest.mark.usefixtures("_load_with_this_cache")
def test_what_is_saved_is_what_is_loaded(fitted, tmp_path):
    fitted.solution.save(tmp_path)
    loaded = type(fitted.solution).load(tmp_path)
    assert (loaded.name, loaded.task) == (fitted.name, fitted.solution.task)
    assert json.dumps(loaded.describe()) == json.dumps(fitted.solution.describe())
    for split, answer in fitted.answers.items():
        assert same(loaded.predict(fitted.data, split), answer)


def test_nothing_is_saved_as_a_pickle(fitted, tmp_path):
    fitted.solution.save(tmp_path)
    for name, content in files_of(tmp_path).items():
        assert not content.startswith((b"\x80", b"PK"))
        assert Path(name).suffix in {".json", ".safetensors", ".npy", ".txt"}


@pytest.mark.parametrize("name", NAMES)
def test_fit_comes_first(name, drawn_once, settings, tmp_path):
    solution, data = made(name, settings), opened(drawn_once, solution_entry(name).task)
    for split in ("val", "test"):
        with pytest.raises(SolutionError, match=r"fit\(\) comes before"):
            solution.predict(data, split)
    with pytest.raises(SolutionError, match=r"fit\(\) comes before"):
        solution.save(tmp_path)
    assert files_of(tmp_path) == {}


# what a loaded recipe must be


def test_a_recipe_that_has_changed_is_not_loaded(tiny, tmp_path, monkeypatch):
    tiny.solution.save(tmp_path)
    recipe = tiny.solution.recipe
    for changed in (
        replace(recipe, head=replace(recipe.head, epochs=3)),
        replace(recipe, smoothing=None),
        replace(recipe, encoder="landmarks"),
    ):
        monkeypatch.setattr(recipes, "RECIPES", (changed,))
        with pytest.raises(SolutionError, match="recipe expr/tiny-mlp-smooth has changed since this was saved; run it"):
            RecipeSolution.load(tmp_path)
    monkeypatch.setattr(recipes, "RECIPES", (replace(recipe, summary="other words"),))
    assert RecipeSolution.load(tmp_path).name == tiny.name


def test_windows_that_cannot_be_are_refused():
    for widths in (-1, Choose((0, -2))):
        with pytest.raises(ValueError, match="half widths can't be negative"):
            BoxSmoothing(widths)
    with pytest.raises(ValueError, match="nothing to choose from"):
        Choose(())


def test_a_head_is_not_used_on_features_of_another_encoder(tiny, tmp_path, monkeypatch):
    tiny.solution.save(tmp_path)
    loaded = RecipeSolution.load(tmp_path)
    monkeypatch.setattr("solutions.encoders.tiny.FORMAT", 99)
    with pytest.raises(SolutionError, match="trained on features of another tiny"):
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
    for path in tmp_path.iterdir():
        if path.name != RECIPE_FILE:
            path.unlink()
    with pytest.raises(SolutionError, match="not a saved head"):
        RecipeSolution.load(tmp_path)


# what is chosen on labels


def judged(solution: RecipeSolution, data: Dataset) -> dict[str, dict[int, np.ndarray]]:
    """Decisions for each validation video at each candidate half width."""
    candidates = solution.recipe.smoothing.half_width.candidates
    by_width = {w: with_smoothing(solution, BoxSmoothing(w)).predict(data, "val") for w in candidates}
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


def test_each_folds_window_is_the_best_on_the_other_folds(choosing):
    choices = choosing.answers["val"].choices
    decisions = judged(choosing.solution, choosing.data)
    folds = choices["folds"]
    assert set(folds) == {video.name for video in choosing.data.videos("val")}
    for fold, width in enumerate(choices["half_width"]["per_fold"]):
        assert width == best_width(decisions, choosing.data, {name for name in folds if folds[name] != fold})
    assert choices["half_width"]["on_all"] == best_width(decisions, choosing.data, set(folds))


def test_each_video_is_smoothed_with_the_window_of_its_fold(choosing):
    answer = choosing.answers["val"]
    widths, on_all = answer.choices["half_width"]["per_fold"], answer.choices["half_width"]["on_all"]
    whole = with_smoothing(choosing.solution, BoxSmoothing(on_all)).predict(choosing.data, "val")
    for name, video in answer:
        own = with_smoothing(choosing.solution, BoxSmoothing(widths[answer.choices["folds"][name]]))
        expected = own.predict(choosing.data, "val").videos[name]
        assert video.scores.tobytes() == expected.scores.tobytes()
        assert video.decisions.tobytes() == expected.decisions.tobytes()
        assert video.tuned_on_all.tobytes() == whole.videos[name].decisions.tobytes()


def test_for_test_the_window_is_that_of_all_validation_videos(choosing):
    on_all = choosing.answers["val"].choices["half_width"]["on_all"]
    answer = choosing.answers["test"]
    assert answer.choices["half_width"]["on_all"] == on_all
    assert answer.choices["tuned_on"] == "val"
    fixed = with_smoothing(choosing.solution, BoxSmoothing(on_all)).predict(choosing.data, "test")
    for name, video in answer:
        assert video.scores.tobytes() == fixed.videos[name].scores.tobytes()
        assert video.decisions.tobytes() == fixed.videos[name].decisions.tobytes()


def test_a_videos_own_labels_never_choose_its_window(choosing):
    """Labels are set to what one half width decides, which makes that one best for whoever looks at them."""
    before = choosing.answers["val"]
    decisions = judged(choosing.solution, choosing.data)
    folds, widths = before.choices["folds"], before.choices["half_width"]["per_fold"]
    reached_another_fold = False
    for video in choosing.data.videos("val"):
        for pushed in (0, 15, 500):
            labels = np.where(valid_rows(video.labels, EXPR), decisions[video.name][pushed], video.labels)
            after = choosing.solution.predict(with_labels(choosing.data, "val", {video.name: labels}), "val")
            chosen = after.choices["half_width"]["per_fold"]
            assert after.choices["folds"] == folds
            assert chosen[folds[video.name]] == widths[folds[video.name]]
            assert after.videos[video.name].scores.tobytes() == before.videos[video.name].scores.tobytes()
            assert after.videos[video.name].decisions.tobytes() == before.videos[video.name].decisions.tobytes()
            reached_another_fold |= chosen != widths
    assert reached_another_fold, "labels that change nothing at all prove nothing"


def test_two_people_of_one_recording_share_a_fold(choosing):
    folds = choosing.answers["val"].choices["folds"]
    people = [name for name in folds if name.endswith(("_left", "_right"))]
    assert len(people) == 2
    assert len({folds[name] for name in people}) == 1
    assert len(set(folds.values())) == len(folds) - 1


def test_few_recordings_are_a_weak_choice_and_this_is_said(choosing):
    assert any("only 3 recordings to cross-fit on" in note for note in choosing.answers["val"].notes)


def test_a_fixed_window_needs_no_labels(tiny):
    fixed = with_smoothing(tiny.solution, BoxSmoothing(5))
    unlabelled = with_labels(tiny.data, "val", {video.name: None for video in tiny.data.videos("val")})
    answer = fixed.predict(unlabelled, "val")
    assert same(answer, fixed.predict(tiny.data, "val"))
    assert answer.choices == {"tuned_on": "nothing"}


def test_a_choice_without_labels_is_refused(tiny):
    name = tiny.data.videos("val")[0].name
    with pytest.raises(SolutionError, match=f"{name}: a choice on labels needs labels"):
        tiny.solution.predict(with_labels(tiny.data, "val", {name: None}), "val")


def test_no_smoothing_is_half_width_0(tiny):
    plain, zero = (with_smoothing(tiny.solution, s).predict(tiny.data, "test") for s in (None, BoxSmoothing(0)))
    assert same(plain, zero)
    wide = with_smoothing(tiny.solution, BoxSmoothing(10)).predict(tiny.data, "test")
    assert not same(plain, wide)


# what training sees


def refitted(tiny: Fitted, data: Dataset) -> RecipeSolution:
    solution = RecipeSolution(tiny.solution.recipe, tiny.settings)
    solution.fit(data, seed=SEED)
    return solution


def head_bytes(solution: RecipeSolution, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    solution.save(folder)
    return files_of(folder)


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
    video = next(v for v in tiny.data.videos("train") if len(v.crops) < v.n_frames)
    missing = sorted(set(range(1, video.n_frames + 1)) - set(video.crops.frames.tolist()))
    own = head_bytes(tiny.solution, tmp_path / "own")
    for frame in (missing[0], missing[-1]):
        labels = video.labels.copy()
        labels[frame - 1] = (labels[frame - 1] + 1) % 8
        other = refitted(tiny, with_labels(tiny.data, "train", {video.name: labels}))
        assert head_bytes(other, tmp_path / f"without-{frame}") == own
    with_label = next(f for f in reversed(video.crops.frames.tolist()) if video.labels[f - 1] != EXPR.invalid)
    labels = video.labels.copy()
    labels[with_label - 1] = (labels[with_label - 1] + 1) % 8
    other = refitted(tiny, with_labels(tiny.data, "train", {video.name: labels}))
    assert head_bytes(other, tmp_path / "with") != own


def test_crops_beyond_the_official_end_are_no_frames(tiny):
    videos = [replace(video, n_frames=video.n_frames - 9, labels=None) for video in tiny.data.videos("test")]
    data = replace(tiny.data, splits={**tiny.data.splits, "test": videos})
    answer = tiny.solution.predict(data, "test")
    answer.check({video.name: video.n_frames for video in videos})


def test_a_video_without_a_face_gets_the_training_sets_frequencies_and_a_note(tiny, tmp_path):
    first, *others = tiny.data.videos("test")
    data = replace(tiny.data, splits={**tiny.data.splits, "test": [replace(first, crop_folder=None), *others]})
    answer = tiny.solution.predict(data, "test")
    labels = []
    for video in tiny.data.videos("train"):
        own = video.labels[video.crops.frames - 1]
        labels.append(own[own != EXPR.invalid])
    shares = np.bincount(np.concatenate(labels), minlength=8) / sum(map(len, labels))
    np.testing.assert_allclose(answer.videos[first.name].scores, np.tile(shares, (first.n_frames, 1)), atol=1e-6)
    assert [note for note in answer.notes if first.name in note] == [
        f"{first.name}: no face in any frame; all get the training set's class frequencies"
    ]
    for video in others:
        assert answer.videos[video.name].scores.tobytes() == tiny.answers["test"].videos[video.name].scores.tobytes()


def test_what_was_encoded_is_reported(drawn_once, tmp_path):
    data = opened(drawn_once, EXPR)
    solution = RecipeSolution(recipe_named("expr/tiny-mlp-smooth"), Settings(cache=tmp_path, device="cpu", workers=1))
    solution.fit(data, seed=0)
    reports = solution.predict(data, "test").extraction
    crops = {split: sum(len(video.crops) for video in data.videos(split)) for split in ("train", "val", "test")}
    assert sorted(report.frames for report in reports) == sorted(crops.values())
    assert {report.encoder for report in reports} == {"tiny"}
