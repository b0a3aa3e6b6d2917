"""The interface between the harness and solutions, and the types that a solution returns."""

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
from harness.system.counts import counted
from harness.tasks import Task

if TYPE_CHECKING:
    from harness.records.curves import SweepPoint


@dataclass(frozen=True)
class VideoPrediction:
    """A solution's answer for one video: one row per frame, 1 to n in order; one row for tasks of level ``video``.

    Attributes:
        scores: float32 ``(n_rows, task.n_outputs)``: probabilities, or values for VA and EMI, before any decision.
        decisions: official values: int64 ``(n_rows,)`` for classes, int64 ``(n_rows, n_outputs)`` for binaries,
            float64 ``(n_rows, n_outputs)`` for values.
        tuned_on_all: decisions of the same shape with all constants chosen on all of val, as papers do. ``None`` for
            a solution without constants that are chosen on labels, and for other splits than val.
        trace: decisions before and after each of ``Predictions.steps``; ``None`` where the solution reports no steps.
    """

    scores: npt.NDArray[np.float32]
    decisions: npt.NDArray[Any]
    tuned_on_all: npt.NDArray[Any] | None = None
    trace: StepTrace | None = None


@dataclass(frozen=True)
class ExtractionReport:
    """The counts and the time of an extraction, for the screen and ``run.json``.

    Attributes:
        encoder: name of the encoder.
        videos: number of videos.
        frames: number of frames that were encoded now.
        reused: number of frames that were in the cache.
        undetected: number of frames with a crop in which the encoder found no face.
        seconds: wall-clock time of the encoding in seconds.
        notes: facts that a reader must know, such as recordings that don't fit their videos.
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
        """Frames encoded per second; ``None`` if all frames were in the cache."""
        return self.frames / self.seconds if self.frames and self.seconds else None


@dataclass(frozen=True)
class Predictions:
    """A solution's answer for a split.

    Attributes:
        task: the task.
        videos: one entry per video of the split.
        choices: constants that were chosen on labels (value per fold, value on all), for ``run.json``.
        notes: facts that a reader of the result must know, such as a video in which no face was found.
        extraction: one report per encoder that ran.
        steps: names of the steps of post-processing that every video's trace holds, in order; empty for a plan without
            such steps. ``None`` for a solution that reports no steps.
    """

    task: Task
    videos: Mapping[str, VideoPrediction]
    choices: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    extraction: Sequence[ExtractionReport] = ()
    steps: Sequence[str] | None = None

    def __iter__(self) -> Iterator[tuple[str, VideoPrediction]]:
        """Yield name and answer of each video."""
        return iter(self.videos.items())

    def check(self, n_rows: Mapping[str, int]) -> None:
        """Check the contract: every video, every row, official value types and range, finite scores.

        Args:
            n_rows: official number of rows of every video of the split (:attr:`Video.n_rows`).

        Raises:
            SolutionError: a video breaks the contract; the message names the first one.
        """
        missing = sorted(set(n_rows) - set(self.videos))
        extra = sorted(set(self.videos) - set(n_rows))
        if missing or extra:
            raise SolutionError(
                f"predictions don't cover the split: {counted(len(missing), 'video')} missing {missing[:3]}, "
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
            raise SolutionError(
                f"video {name}: the solution names {counted(n_steps, 'step')}, but gives no trace of them"
            )
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
    """The protocol of a solution, which every variant and every plug-in implements."""

    name: str
    task: Task

    def fit(self, data: Dataset, *, seed: int) -> None:
        """Train on the data set's training split. The same seed gives the same result on the same machine."""

    def predict(self, data: Dataset, split: str) -> Predictions:
        """Return every official row of every video of ``split``, including frames without a crop."""

    def describe(self) -> dict[str, Any]:
        """Return the complete recipe as plain data. It is stored in ``run.json`` and decides the run's id."""

    def save(self, folder: Path) -> None:
        """Write the fitted solution into ``folder`` for ``load``, without pickle."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the fitted solution that ``save`` wrote into ``folder``."""


@runtime_checkable
class Preparing(Protocol):
    """A solution that stores its features in the cache, where other seeds and other solutions find them."""

    def prepare(self, data: Dataset, split: str) -> None:
        """Fill the cache with the features that ``fit`` and ``predict`` on that split read."""

    def trainings(self) -> frozenset[str]:
        """Return names of the trainings of ``fit``: solutions with a common name share that training per seed."""


@dataclass(frozen=True)
class Stock:
    """Features of one encoder that a run reads: those in the cache, and those to be computed.

    Attributes:
        encoder: name of the encoder.
        frames: number of frames of all videos that the run reads; ``None`` for an encoder of audio or words.
        missing: number of frames to be encoded; ``None`` likewise.
        bytes: size on disk of the missing features in bytes; ``None`` likewise.
    """

    encoder: str
    frames: int | None = None
    missing: int | None = None
    bytes: int | None = None


@runtime_checkable
class Stocked(Protocol):
    """A solution that can count its features in the cache before it computes any."""

    def stocks(self, data: Dataset, split: str) -> Sequence[Stock]:
        """Return one entry per encoder of a run on that split."""


@runtime_checkable
class ReadingWords(Protocol):
    """A solution that may read the words spoken in videos: other transcripts then make another run."""

    def reads_words(self) -> bool:
        """Return True if fit or predict reads transcripts."""


@dataclass(frozen=True)
class SolutionEntry:
    """A solution's entry in the registry: the facts for lists, and the function that makes the solution.

    Attributes:
        name: name of the solution.
        task: its task.
        summary: one line for lists.
        create: function that makes the solution.
        encoder: name of the encoder, for lists.
        head: name of the head, for lists.
        postprocess: name of the post-processing, for lists.
        row: the row of a paper's table that the solution reproduces; ``None`` without such a row.
        variant_of: name of the solution that this one is a variant of, which lists show in its place; may be empty.
        remark: facts that a user must know, such as a difference between a paper and its authors' code.
        needs: optional extras that the solution needs, such as ``mediapipe``.
        cores: number of CPU cores that training and predicting keep busy; ``None`` for all cores.
        trained_on: splits that heads for test are trained on, ``train`` or ``train+val``. Val is always predicted by
            heads trained on train alone.
        create_on_both: function that makes the solution with heads for test trained on train and val; its description
            differs in the key ``final`` alone. ``None`` if the package lacks it, or the heads are pretrained.
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
        """The paper's score for its row, a fraction or a coefficient: the official metric's, else the printed one.

        ``None`` for a row of the test split, because our scores on val must not be compared with it.
        """
        printed = table_row(self.row) if self.row else None
        return printed.published if printed and printed.split == "val" else None

    @property
    def published_targets(self) -> dict[str, float]:
        """The paper's score per class, dimension or action unit, as far as its row prints them."""
        values = table_row(self.row).values if self.row and self.published is not None else {}
        return {target: value for (_, target), value in values.items() if target in self.task.targets}


class Provider(Protocol):
    """The object that an entry point of group ``abaw.solutions`` refers to: solutions and, optionally, encoders."""

    def solutions(self) -> Sequence[SolutionEntry]:
        """Return every solution of this provider."""

    def encoders(self) -> Mapping[str, str]:
        """Return one line of description per encoder name; ``timm:*`` stands for a family of encoders."""

    def extract(
        self, encoder: str, data: Dataset, splits: Sequence[str], settings: Settings
    ) -> ExtractionReport | None:
        """Fill the feature cache and report; return ``None`` for an encoder of another provider."""


@runtime_checkable
class Blending(Protocol):
    """A provider that can also blend finished runs."""

    def blend(
        self, name: str, task: Task, parts: Sequence[BlendPart], weights: Sequence[float] | None, smooth: bool
    ) -> SolutionEntry:
        """Return a solution that blends the parts' scores; ``weights`` of ``None`` are chosen on labels."""


@runtime_checkable
class Sweeping(Protocol):
    """A provider that can also compute curves of its saved solutions."""

    def curves(self, name: str, model: Path, data: Dataset, settings: Settings) -> Sequence[SweepPoint] | None:
        """Score the solution saved in ``model`` at several values of each of its constants.

        Returns:
            The points of all curves; ``None`` for a solution of another provider.
        """


@runtime_checkable
class Listening(Protocol):
    """A provider that also has audio encoders."""

    def audio_rows(self) -> Sequence[AudioRows]:
        """Return the geometry of the rows of each audio encoder."""


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
    """A run on val, with the same solution's run on test if the blend predicts test.

    Attributes:
        record: record of the run on val.
        folders: folders of the runs, by split.
        trained_on: splits that the heads of the run on test were trained on.
    """

    record: RunRecord
    folders: Mapping[str, Path]
    trained_on: str = TRAIN

    def scores(self, split: str) -> Scores:
        """Return the scores of the run on a split, float32 ``(n_frames, n_outputs)`` by video.

        Raises:
            SolutionError: the part has no run on this split.
            DataError: the scores are unreadable, or were changed since the run.
        """
        if split not in self.folders:
            raise SolutionError(f"{self.record.run_id}: no run of the same solution on {split}")
        return read_scores(self.folders[split])
