"""The one interface between the harness and any solution, and what a solution gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from harness.datasets.audio.rows import AudioRows
from harness.datasets.dataset import Dataset
from harness.errors import SolutionError, UsageError
from harness.metrics.steps import StepTrace
from harness.records.run import ON_BOTH, TRAIN, RunRecord
from harness.records.scores import Scores, read_scores
from harness.reference.papers import PaperRow, table_row
from harness.settings import Settings
from harness.tasks import Task

if TYPE_CHECKING:
    from harness.records.curves import SweepPoint


@dataclass(frozen=True)
class VideoPrediction:
    """A solution's answer for one video: a row per frame, 1 to n in order; one row for tasks of level ``video``.

    Attributes:
        scores: float32 ``(n_rows, task.n_outputs)``: probabilities, or values for VA and EMI, before any decision.
        decisions: official values: int64 ``(n_rows,)`` for classes, int64 ``(n_rows, n_outputs)`` for binaries,
            float64 ``(n_rows, n_outputs)`` for values.
        tuned_on_all: decisions of the same shape when everything that is chosen on labels was chosen on all of the
            validation set, as papers do. ``None`` where nothing was chosen on labels, or the split is not validation.
        trace: decisions before and after each of ``Predictions.steps``; ``None`` where the solution reports no steps.
    """

    scores: npt.NDArray[np.float32]
    decisions: npt.NDArray[Any]
    tuned_on_all: npt.NDArray[Any] | None = None
    trace: StepTrace | None = None


@dataclass(frozen=True)
class ExtractionReport:
    """What an extraction did: for the screen and ``run.json``.

    Attributes:
        frames: frames encoded now; ``reused``: frames that were in the cache.
        undetected: frames that have a crop in which the encoder found nothing.
        seconds: wall-clock time of the part that encoded.
        notes: what a reader must know, such as recordings that don't fit their videos.
    """

    encoder: str
    videos: int
    frames: int
    reused: int
    undetected: int
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def frames_per_second(self) -> float | None:
        """Rate of this extraction; ``None`` where everything was in the cache."""
        return self.frames / self.seconds if self.frames and self.seconds else None


@dataclass(frozen=True)
class Predictions:
    """A solution's answer for a split.

    Attributes:
        videos: one entry per video of the split.
        choices: what was chosen on labels and how (value per fold, value on all), for ``run.json``.
        notes: what a reader of the result must know, such as a video in which no face was found.
        extraction: what was encoded for it and how fast.
        steps: names of the steps of post-processing that every video's trace holds, in order; empty for a plan without
            such steps. ``None`` for a solution that keeps its steps to itself.
    """

    task: Task
    videos: Mapping[str, VideoPrediction]
    choices: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    extraction: Sequence[ExtractionReport] = ()
    steps: Sequence[str] | None = None

    def __iter__(self) -> Iterator[tuple[str, VideoPrediction]]:
        return iter(self.videos.items())

    def check(self, n_rows: Mapping[str, int]) -> None:
        """Hold the contract: every video, every row, official value types and range, finite scores.

        Args:
            n_rows: official number of rows of every video of the split (:attr:`Video.n_rows`).

        Raises:
            SolutionError: names the first video that breaks it.
        """
        missing = sorted(set(n_rows) - set(self.videos))
        extra = sorted(set(self.videos) - set(n_rows))
        if missing or extra:
            raise SolutionError(
                f"predictions don't cover the split: {len(missing)} videos missing {missing[:3]}, "
                f"{len(extra)} not asked for {extra[:3]}"
            )
        for name, video in self.videos.items():
            self._check_video(name, video, n_rows[name])

    def _check_video(self, name: str, video: VideoPrediction, n: int) -> None:
        task = self.task
        shape = (n,) if task.kind == "classes" else (n, task.n_outputs)
        kind = "f" if task.kind == "values" else "i"
        if video.scores.shape != (n, task.n_outputs) or video.scores.dtype != np.float32:
            raise SolutionError(
                f"video {name}: scores must be float32 {(n, task.n_outputs)}, "
                f"got {video.scores.dtype} {video.scores.shape}"
            )
        if not np.isfinite(video.scores).all():
            raise SolutionError(f"video {name}: scores hold NaN or infinity")
        if self.steps:
            self._check_trace(name, video, len(self.steps))
        for label, decisions in (("decisions", video.decisions), ("tuned_on_all", video.tuned_on_all)):
            if decisions is None:
                continue
            if decisions.shape != shape or decisions.dtype.kind != kind:
                raise SolutionError(
                    f"video {name}: {label} must be {'float' if kind == 'f' else 'integer'} {shape}, "
                    f"got {decisions.dtype} {decisions.shape}"
                )
            low, high = task.range
            if n and not (decisions.min() >= low and decisions.max() <= high):
                raise SolutionError(f"video {name}: {label} outside [{low:g}, {high:g}]")

    def _check_trace(self, name: str, video: VideoPrediction, n_steps: int) -> None:
        trace = video.trace
        if trace is None:
            raise SolutionError(f"video {name}: the solution names {n_steps} steps, but gives no trace of them")
        shape = (len(video.decisions), 1 + n_steps, *video.decisions.shape[1:])
        if trace.decisions.shape != shape or trace.decisions.dtype != np.uint8:
            actual = f"{trace.decisions.dtype} {trace.decisions.shape}"
            raise SolutionError(f"video {name}: the trace's decisions must be uint8 {shape}, got {actual}")
        if not np.array_equal(trace.decisions[:, -1], video.decisions):
            raise SolutionError(f"video {name}: the trace does not end with the decisions")
        probabilities = trace.probabilities
        if self.task.kind == "classes" and probabilities is None:
            raise SolutionError(f"video {name}: the trace of classes holds no probabilities")
        if probabilities is not None and (probabilities.shape != shape[:2] or probabilities.dtype != np.float16):
            actual = f"{probabilities.dtype} {probabilities.shape}"
            raise SolutionError(f"video {name}: the trace's probabilities must be float16 {shape[:2]}, got {actual}")
        if trace.overrides is not None and trace.overrides.shape != shape[:1]:
            raise SolutionError(f"video {name}: the trace's overrides must be {shape[:1]}")


class Solution(Protocol):
    """What every variant, ours or a third party's, implements."""

    name: str
    task: Task

    def fit(self, data: Dataset, *, seed: int) -> None:
        """Train on the data set's training split. The same seed gives the same result on the same machine."""

    def predict(self, data: Dataset, split: str) -> Predictions:
        """Return every official row of every video of ``split``, whether or not it has a crop."""

    def describe(self) -> dict[str, Any]:
        """The resolved recipe, plain data, complete: what goes into ``run.json`` and decides a run's identity."""

    def save(self, folder: Path) -> None:
        """Write what ``load`` needs into ``folder``. No pickle."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """A fitted solution from what ``save`` wrote."""


@runtime_checkable
class Preparing(Protocol):
    """A solution that keeps what it computes in the cache, where other seeds and other solutions find it."""

    def prepare(self, data: Dataset, split: str) -> None:
        """Fill the cache with what ``fit`` and ``predict`` on that split read and no seed changes: features."""

    def trainings(self) -> frozenset[str]:
        """Names of what ``fit`` keeps: two solutions that share one train the very same under the same seed."""


@dataclass(frozen=True)
class Stock:
    """Features of one encoder that a run reads: those in the cache, and those to be made.

    Attributes:
        frames: of all videos that the run reads; ``None`` for an encoder of audio or words.
        missing: frames that are to be encoded; ``None`` likewise.
        bytes: that the missing ones will take on disk; ``None`` likewise.
    """

    encoder: str
    frames: int | None = None
    missing: int | None = None
    bytes: int | None = None


@runtime_checkable
class Stocked(Protocol):
    """A solution that can tell which of its features are in the cache, before it computes anything."""

    def stocks(self, data: Dataset, split: str) -> Sequence[Stock]:
        """Return one entry per encoder of a run on that split."""


@runtime_checkable
class ReadingWords(Protocol):
    """A solution that may read what is said in videos: other transcripts then make another run."""

    def reads_words(self) -> bool:
        """Return True if fit or predict reads transcripts."""


@dataclass(frozen=True)
class SolutionEntry:
    """A solution's line in the registry: what the lists show, and how to make one.

    Attributes:
        row: the paper's row that it reproduces, ``None`` if there is none.
        variant_of: name of the solution that this one is a variant of, which lists show in its place; empty if none.
        remark: what a user must know, such as where a paper and its authors' code differ and which of them this is.
        needs: optional extras that it needs, such as ``mediapipe``.
        cores: that training and predicting keep busy on a CPU; ``None`` for all that there are.
        trained_on: splits that heads for test are trained on, ``train`` or ``train+val``. Heads trained on train alone
            predict val, whatever this says.
        create_on_both: how to make one whose heads for test are trained on train and val; its description differs in
            the key ``final`` alone. ``None`` where the package offers only the other way, or heads are pretrained.
    """

    name: str
    task: Task
    summary: str
    create: Callable[[Settings], Solution]
    encoder: str = ""
    head: str = ""
    postprocess: str = ""
    row: PaperRow | None = None
    variant_of: str = ""
    remark: str = ""
    needs: tuple[str, ...] = ()
    cores: int | None = None
    trained_on: str = TRAIN
    create_on_both: Callable[[Settings], Solution] | None = None

    def trained(self, splits: str) -> SolutionEntry:
        """Return the same solution with heads for test that are trained on these splits.

        Args:
            splits: ``train`` or ``train+val``.

        Raises:
            UsageError: the solution can't be trained on them.
        """
        if splits == self.trained_on:
            return self
        if splits == ON_BOTH and self.create_on_both is not None:
            return replace(self, create=self.create_on_both, trained_on=ON_BOTH)
        if splits == ON_BOTH:
            what = f"{self.name} can't be trained on train and val: it trains nothing, or its package does not offer it"
            raise UsageError(what, do="Leave out --train-on, or name a solution that trains a head")
        what = f"{self.name} can't be trained on {splits}: its heads for test are those of a row trained on both"
        raise UsageError(what, found=splits, expected=self.trained_on, do="Leave out --train-on")

    @property
    def published(self) -> float | None:
        """The paper's score for its row, a fraction or a coefficient: the official one, else the one that it prints.

        ``None`` for a row of the test split: no score of ours on val may stand beside it.
        """
        printed = table_row(self.row) if self.row else None
        return printed.published if printed and printed.split == "val" else None

    @property
    def published_targets(self) -> dict[str, float]:
        """The paper's score of each class, dimension or action unit, where its row prints them."""
        values = table_row(self.row).values if self.row and self.published is not None else {}
        return {target: value for (_, target), value in values.items() if target in self.task.targets}


class Provider(Protocol):
    """The object that an entry point of group ``abaw.solutions`` refers to: solutions and, if it has any, encoders."""

    def solutions(self) -> Sequence[SolutionEntry]:
        """Return every solution of this provider."""

    def encoders(self) -> Mapping[str, str]:
        """Return encoder names and one line on each; ``timm:*`` stands for a family."""

    def extract(
        self, encoder: str, data: Dataset, splits: Sequence[str], settings: Settings
    ) -> ExtractionReport | None:
        """Fill the feature cache; ``None`` if this provider has no such encoder."""


@runtime_checkable
class Blending(Protocol):
    """A provider that can also blend finished runs."""

    def blend(
        self, name: str, task: Task, parts: Sequence[BlendPart], weights: Sequence[float] | None, smooth: bool
    ) -> SolutionEntry:
        """A solution that blends the parts' scores, with weights given or chosen."""


@runtime_checkable
class Sweeping(Protocol):
    """A provider that can also draw curves of its saved solutions."""

    def curves(self, name: str, model: Path, data: Dataset, settings: Settings) -> Sequence[SweepPoint] | None:
        """Score against each constant of the solution saved in ``model``; ``None`` if it is none of its own."""


@runtime_checkable
class Listening(Protocol):
    """A provider that also has encoders of audio."""

    def audio_rows(self) -> Sequence[AudioRows]:
        """Return the geometry of the rows of each encoder that gives rows of audio."""


@dataclass(frozen=True)
class SolutionList:
    """A provider of solutions that has no encoders of its own."""

    entries: Sequence[SolutionEntry]

    def solutions(self) -> Sequence[SolutionEntry]:
        """Return every solution of this provider."""
        return self.entries

    def encoders(self) -> Mapping[str, str]:
        """Return an empty mapping."""
        return {}

    def extract(
        self, encoder: str, data: Dataset, splits: Sequence[str], settings: Settings
    ) -> ExtractionReport | None:
        """Return ``None``."""
        return None


@dataclass(frozen=True)
class BlendPart:
    """A run on validation, and the same solution's on test where a test file is to be made.

    Attributes:
        record: on validation.
        folders: of the runs, by split.
        trained_on: splits that the heads of the run on test were trained on.
    """

    record: RunRecord
    folders: Mapping[str, Path]
    trained_on: str = TRAIN

    def scores(self, split: str) -> Scores:
        """Scores of the run on a split.

        Raises:
            SolutionError: there is no such run.
            DataError: they can't be read.
        """
        if split not in self.folders:
            raise SolutionError(f"{self.record.run_id}: no run of the same solution on {split}")
        return read_scores(self.folders[split])
