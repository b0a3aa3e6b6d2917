"""Rows by the authors' code equal it, told again from the audit: six synthetic splits with Aff-Wild2's rates.

Networks are trained twice, by ours and in plain torch; all that is chosen is chosen twice, for each fold on the others.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from harness.datasets.dataset import Video
from harness.plugins.interface import Predictions
from harness.tasks import AU, EXPR, VA, Task, valid_rows
from solutions.postprocess.plan import Choose, PostProcess
from solutions.recipe_solution import RecipeSolution
from solutions.recipes import recipe_named
from tests.support import authors_code as authors
from tests.support.affwild_rates import AFFECTNET_OF, drawn
from tests.support.authors_code import Grid

pytestmark = pytest.mark.slow

SEEDS = range(6)
WEIGHTS, HALF_WIDTHS, FILTERS = (0.4, 0.6, 1.0), (0, 5, 50), (1.0, 0.8, 0.6)
SINGLE = Grid()
UNIT_THRESHOLDS = tuple(k / 10 for k in range(1, 10))


@dataclass(frozen=True)
class Row:
    """An own row of abaw10's tables 1 to 3, as the audit describes it.

    Attributes:
        name: of the recipe, without a suffix.
        streams: of the oracle.
        grid: what is chosen.
        gla, logs, filtered, best: steps of post-processing; the best thresholds of units.
    """

    name: str
    streams: tuple[str, ...]
    grid: Grid = SINGLE
    gla: bool = False
    logs: bool = False
    filtered: bool = False
    best: bool = False


def expr(name: str, *streams: str, **steps: Any) -> Row:
    words = name.split("-")
    grid = Grid(
        WEIGHTS if len(streams) > 1 else (1.0,),
        HALF_WIDTHS if "smooth" in words else (0,),
        FILTERS if "filter" in words else (1.0,),
    )
    return Row(f"expr/abaw10-{name}", streams, grid, gla="gla" in words, filtered="filter" in words, **steps)


EXPR_ROWS = (
    expr("wav2vec2-focal", "voice"),
    expr("wav2vec2-focal-gla", "voice"),
    expr("wav2vec2-focal-gla-smooth", "voice"),
    expr("emotieffnet", "face"),
    expr("emotieffnet-gla", "face"),
    expr("emotieffnet-gla-filter", "face"),
    expr("emotieffnet-focal", "face focal"),
    expr("emotieffnet-focal-gla", "face focal"),
    expr("wav2vec2-emotieffnet-gla", "face", "voice", logs=True),
    expr("emotieffnet-gla-smooth", "face"),
    expr("emotieffnet-gla-filter-smooth", "face"),
    expr("emotieffnet-wav2vec2-gla-smooth", "face", "voice"),
    expr("emotieffnet-wav2vec2-gla-filter-smooth", "face", "voice"),
)
VA_ROWS = (
    Row("va/abaw10-wav2vec2", ("voice",)),
    Row("va/abaw10-mt-ddamfn-pretrained", ("pretrained",)),
    Row("va/abaw10-mt-ddamfn-mlp", ("logits",)),
    Row("va/abaw10-mt-ddamfn-mlp-smooth", ("logits",), Grid(half_widths=HALF_WIDTHS)),
)
AU_ROWS = tuple(
    Row(
        f"au/abaw10-emotieffnet-{kind}{smooth}-{rule}",
        streams,
        Grid(WEIGHTS if len(streams) > 1 else (1.0,), HALF_WIDTHS if smooth else (0,)),
        best=rule == "bestthr",
    )
    for kind, streams in (("logits", ("logits",)), ("emb", ("emb",)), ("logits-emb", ("emb", "logits")))
    for smooth in ("", "-smooth")
    for rule in ("thr05", "bestthr")
)


class Oracle:
    """The authors' code on a drawn set: what each video's crops get, and what is chosen on which videos."""

    def __init__(self, task: Task, seed: int, folder: Path) -> None:
        self.task, self.seed = task, seed
        self.data, self.source = drawn(task, seed, folder)
        self.names = [video.name for video in self.data.videos("val")]

    @functools.cache  # noqa: B019 - as long as the module's tests
    def trained(self, stream: str) -> list[Any]:
        """Return the networks of a stream, by epoch."""
        x, y = self._training_rows(stream)
        train: dict[str, Callable[[], list[Any]]] = {
            "face": lambda: authors.train_expressions(x, y, self.seed),
            "face focal": lambda: authors.train_focal(x, y, self.seed, gamma=2, per_class=8),
            "voice": lambda: (
                authors.train_values(x, y, self.seed)
                if self.task is VA
                else authors.train_focal(x, y, self.seed, gamma=1, per_class=4)
            ),
            "emb": lambda: authors.train_units(x, y, self.seed, linear=False),
            "logits": lambda: (
                authors.train_values(x, y, self.seed)
                if self.task is VA
                else authors.train_units(x, y, self.seed, linear=True)
            ),
        }
        return train[stream]()

    def _rows(self, stream: str, video: Video, frames: np.ndarray) -> np.ndarray:
        own = self.source.rows["audio" if stream == "voice" else "faces"][video.name]
        part = "logits" if stream in ("logits", "pretrained") else "embeddings"
        return own.parts[part][np.searchsorted(own.frames, frames)]

    def _training_rows(self, stream: str) -> tuple[np.ndarray, np.ndarray]:
        xs, ys = [], []
        for video in self.data.videos("train"):
            frames = video.images.frames
            valid = valid_rows(video.labels, self.task)[frames - 1]
            if stream == "voice":  # of training audio no crop is asked for
                frames = np.arange(1, video.n_frames + 1)
                valid = valid_rows(video.labels, self.task)
            xs.append(self._rows(stream, video, frames[valid]))
            ys.append(video.labels[frames[valid] - 1])
        return np.concatenate(xs), np.concatenate(ys)

    @functools.cache  # noqa: B019
    def outputs(self, stream: str, epoch: int, name: str) -> np.ndarray:
        """Return what the network gives for a video's crops: probabilities, values, or raw outputs of units."""
        video = self.video(name)
        rows = self._rows(stream, video, video.images.frames)
        if stream == "pretrained":
            return np.clip(rows[:, -2:].astype(np.float64), -1, 1)
        z = authors.outputs_of(self.trained(stream)[epoch], rows)
        return authors.softmax(z) if self.task is EXPR else np.tanh(z) if self.task is VA else z

    @functools.cache  # noqa: B019
    def classifier(self, name: str, half_width: int) -> np.ndarray:
        """Return the pretrained classifier's smoothed probabilities, Contempt last."""
        video = self.video(name)
        logits = self._rows("logits", video, video.images.frames).astype(np.float64)
        return self.window(name, half_width) @ authors.softmax(logits)[:, AFFECTNET_OF]

    @functools.cache  # noqa: B019
    def window(self, name: str, half_width: int) -> np.ndarray:
        """Return the matrix that smooths scores of a video's crops: smoothing is linear."""
        crops = self.video(name).images.frames
        return authors.smoothed(np.eye(len(crops)), crops, half_width)

    def video(self, name: str) -> Video:
        return next(video for video in self.data.videos("val") if video.name == name)

    def labelled(self, name: str) -> np.ndarray:
        """Return which of a video's crops are annotated."""
        video = self.video(name)
        return valid_rows(video.labels, self.task)[video.images.frames - 1]

    def truth(self, names: Sequence[str]) -> np.ndarray:
        rows = [(self.video(n).labels[self.video(n).images.frames - 1])[self.labelled(n)] for n in names]
        return np.concatenate(rows)

    def _score(self, truth: np.ndarray, said: np.ndarray) -> float:
        if self.task is EXPR:
            return authors.macro_f1(truth, said)
        return authors.mean_ccc(truth, said) if self.task is VA else float(authors.unit_f1(truth, said).mean())

    def _over(self, names: Sequence[str], of: Callable[[str], np.ndarray]) -> np.ndarray:
        return np.concatenate([of(name)[self.labelled(name)] for name in names])

    @functools.cache  # noqa: B019
    def epoch(self, stream: str, names: tuple[str, ...]) -> int:
        """Return the best epoch by plain decisions."""
        if stream == "pretrained":
            return 0
        plain = {EXPR.name: lambda p: p.argmax(1), VA.name: lambda v: v, AU.name: lambda z: (z >= 0).astype(int)}
        truth, decide = self.truth(names), plain[self.task.name]
        values = [
            self._score(truth, decide(self._over(names, functools.partial(self.outputs, stream, epoch))))
            for epoch in range(len(self.trained(stream)))
        ]
        return authors.stopped(values) if "focal" in stream or self._is_focal(stream) else authors.first_best(values)

    def _is_focal(self, stream: str) -> bool:
        return self.task is EXPR and stream == "voice"

    @functools.cache  # noqa: B019
    def biases(self, stream: str, names: tuple[str, ...]) -> np.ndarray:
        counts = np.bincount(self._training_rows(stream)[1], minlength=8)
        p = self._over(names, functools.partial(self.outputs, stream, self.epoch(stream, names)))
        return authors.search_biases(p, self.truth(names), counts)

    def thresholds(self, row: Row, names: tuple[str, ...], weight: float) -> np.ndarray:
        """Return each unit's best threshold for blended probabilities of single frames, the lowest of equals."""
        if not row.best:
            return np.full(12, 0.5)
        shares = (weight, 1 - weight)
        epochs = [self.epoch(stream, names) for stream in row.streams]
        blended = self._over(
            names,
            lambda name: sum(
                w * authors.sigmoid(self.outputs(s, e, name))
                for s, e, w in zip(row.streams, epochs, shares)  # noqa: B905
            ),
        )
        truth = self.truth(names)
        table = [authors.unit_f1(truth, (blended >= t).astype(int)) for t in UNIT_THRESHOLDS]
        return np.array(UNIT_THRESHOLDS)[np.array(table).argmax(0)]

    def decided(self, row: Row, chosen_on: tuple[str, ...], cell: tuple[float, int, float], name: str) -> Answer:
        """Return scores and decisions for a video's crops."""
        weight, half_width, threshold = cell
        epochs = [self.epoch(stream, chosen_on) for stream in row.streams]
        outputs = [self.outputs(stream, epoch, name) for stream, epoch in zip(row.streams, epochs, strict=True)]
        if row.gla:
            pairs = zip(row.streams, outputs, strict=True)
            logs = [authors.adjusted(p, self.biases(stream, chosen_on)) for stream, p in pairs]
            outputs = logs if row.logs else [authors.softmax(each) for each in logs]
        shares = (weight, 1 - weight)
        blended = sum(w * each for w, each in zip(shares, outputs))  # noqa: B905 - one stream has the whole weight
        scores = self.window(name, half_width) @ blended
        if self.task is VA:
            return Answer(scores, np.clip(scores, -1, 1))
        if self.task is AU:
            thresholds = self.thresholds(row, chosen_on, weight)
            return Answer(authors.sigmoid(scores), (scores >= thresholds).astype(int))
        said = scores.argmax(1)
        sure = np.zeros(len(said), bool)
        if row.filtered:
            classifier = self.classifier(name, half_width)
            sure = classifier[:, :7].max(1) > threshold
            said = authors.filtered(said, classifier, threshold)
        shares_of = authors.softmax(scores) if row.logs else scores / scores.sum(1, keepdims=True)
        return Answer(np.where(sure[:, None], np.nan, shares_of), said)

    def cell(self, row: Row, names: tuple[str, ...]) -> tuple[float, int, float]:
        """Return the first of the best cells."""
        truth, cells = self.truth(names), row.grid.cells()
        values = [
            self._score(truth, self._over(names, lambda n, c=c: self.decided(row, names, c, n).decisions))  # type: ignore[misc]
            for c in cells
        ]
        return cells[authors.first_best(values)]


@dataclass(frozen=True)
class Answer:
    """Scores and decisions of a video's crops; NaN where the classifier's word was taken."""

    scores: np.ndarray
    decisions: np.ndarray


@pytest.fixture(scope="module", params=SEEDS, ids="seed{}".format)
def oracles(request, tmp_path_factory) -> Callable[[Task], Oracle]:
    """Return the authors' code on the set of a task, made when it is first asked for."""
    return functools.cache(lambda task: Oracle(task, request.param, tmp_path_factory.mktemp("cache")))


def few(plan: PostProcess, row: Row) -> PostProcess:
    """Return the plan with the candidates of the oracle's grid."""
    if plan.blend:
        plan = replace(plan, blend=replace(plan.blend, weights=Choose(row.grid.weights)))
    if plan.smoothing:
        plan = replace(plan, smoothing=replace(plan.smoothing, half_width=Choose(row.grid.half_widths)))
    if plan.filter:
        plan = replace(plan, filter=replace(plan.filter, threshold=Choose(row.grid.thresholds)))
    return plan


def answer_of(row: Row, oracle: Oracle) -> Predictions:
    """Return what the row's recipe predicts for val."""
    recipe = recipe_named(f"{row.name}@code")
    solution = RecipeSolution(replace(recipe, postprocess=few(recipe.postprocess, row)), oracle.source.settings)
    solution._source = oracle.source  # type: ignore[assignment]
    solution.fit(oracle.data, seed=oracle.seed)
    return solution.predict(oracle.data, "val")


def check(row: Row, oracle: Oracle) -> None:
    """Assert that decisions are identical and scores within 1e-6 on every crop of every video."""
    answer = answer_of(row, oracle)
    folds = answer.choices.get("folds") or dict.fromkeys(oracle.names, 0)
    for name in oracle.names:
        others = tuple(other for other in oracle.names if folds[other] != folds[name]) or tuple(oracle.names)
        expected = oracle.decided(row, others, oracle.cell(row, others), name)
        crops = oracle.video(name).images.frames - 1
        video = answer.videos[name]
        if row.name.startswith("va/"):
            np.testing.assert_allclose(video.decisions[crops], expected.decisions, atol=1e-6)
        else:
            np.testing.assert_array_equal(video.decisions[crops], expected.decisions)
        scores = np.where(np.isnan(expected.scores), video.scores[crops], expected.scores)
        np.testing.assert_allclose(video.scores[crops], scores, atol=1e-6)


@pytest.mark.parametrize("row", EXPR_ROWS, ids=lambda row: row.name)
def test_expressions_by_code_equal_the_authors(row, oracles):
    check(row, oracles(EXPR))


@pytest.mark.parametrize("row", VA_ROWS, ids=lambda row: row.name)
def test_values_by_code_equal_the_authors(row, oracles):
    check(row, oracles(VA))


@pytest.mark.parametrize("row", AU_ROWS, ids=lambda row: row.name)
def test_units_by_code_equal_the_authors(row, oracles):
    check(row, oracles(AU))


def test_oracle_f1_is_scikit_learns():
    rng = np.random.default_rng(0)
    truth, said = rng.integers(0, 8, 500), rng.integers(0, 7, 500)
    assert authors.macro_f1(truth, said) == pytest.approx(f1_score(truth, said, average="macro", labels=range(8)))
    units, decided = rng.integers(0, 2, (300, 12)), rng.integers(0, 2, (300, 12))
    expected = [f1_score(units[:, k], decided[:, k]) for k in range(12)]
    np.testing.assert_allclose(authors.unit_f1(units, decided), expected)


def test_synthetic_rates_are_those_of_affwild2(tmp_path):
    for task, rare in ((EXPR, 3), (AU, 9)):
        data, _ = drawn(task, 0, tmp_path)
        labels = np.concatenate([v.labels[valid_rows(v.labels, task)] for v in data.videos("train")])
        rate = (labels == rare).mean() if task is EXPR else labels[:, rare].mean()
        assert 0.005 < rate < 0.08
        frequent = (labels == 0).mean() if task is EXPR else labels[:, 10].mean()
        assert 0.15 < frequent < 0.75
