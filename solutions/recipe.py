"""Recipes: named, complete descriptions of solutions as plain data. A row of a paper's table is one recipe."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from harness.reference.papers import PaperRow
from harness.tasks import Task
from solutions.clips.settings import ClipStream
from solutions.columns import Columns
from solutions.described import described
from solutions.encoders.encoder import PartName
from solutions.heads.settings import HeadSettings, MlpSettings, Pretrained, describe_head
from solutions.postprocess.plan import PostProcess

PAPER_CONSTANTS = "@paper"
"""Suffix of a recipe's name for the variant with the constants that the paper states, so that nothing is chosen."""


@dataclass(frozen=True)
class Stream:
    """Stream from frames or audio to scores: an encoder and a head.

    Attributes:
        encoder: name in the registry of encoders.
        part: block of the encoder's columns that is the head's input.
        head: settings of the head and its training.
    """

    encoder: str
    part: PartName = "embeddings"
    head: HeadSettings = field(default_factory=MlpSettings)

    @property
    def encoders(self) -> tuple[str, ...]:
        """Name of the only encoder."""
        return (self.encoder,)

    @property
    def words(self) -> str:
        """Short name of the head, for lists."""
        return self.head.words

    def describe(self) -> dict[str, Any]:
        """Return the stream as plain data."""
        return {"encoder": self.encoder, "part": self.part, "head": describe_head(self.head)}


@dataclass(frozen=True)
class ColumnStream:
    """Stream from columns of one or several encoders side by side (early fusion) to scores, by a head.

    For tasks of level ``video`` all columns are reduced over time. For tasks of level ``frame`` reduced columns are
    repeated for every frame of their video; rows of audio and tokens are stretched over the frames.

    Attributes:
        columns: one entry per encoder.
        head: settings of the head and its training.
    """

    columns: tuple[Columns, ...]
    head: HeadSettings = field(default_factory=MlpSettings)

    @property
    def encoders(self) -> tuple[str, ...]:
        """Names of the encoders, without duplicates."""
        return tuple(dict.fromkeys(columns.encoder for columns in self.columns))

    @property
    def words(self) -> str:
        """Short name of the head, for lists."""
        return self.head.words

    def describe(self) -> dict[str, Any]:
        """Return the stream as plain data."""
        return {"columns": described(self.columns), "head": describe_head(self.head)}


AnyStream = Stream | ColumnStream | ClipStream


@dataclass(frozen=True)
class Recipe:
    """Complete description of a solution as data.

    Attributes:
        name: ``<task>/<description>``.
        task: the predicted task.
        summary: one line for lists of solutions.
        streams: at least one; several are blended.
        postprocess: steps from the streams' scores to decisions.
        row: row of a paper's table that the recipe reproduces.
        paper_constants: the post-processing with the constants that the paper, or its authors' code, states.
        remark: facts that a user must know: differences between paper and code, and inferred settings.
        needs: extras that must be installed.
        variant_of: name of the recipe that this is a variant of, which lists show in its place; empty for others.
        final: streams that are trained on train and val together and predict test, while ``streams``, trained on train
            alone, predict val and choose constants. Empty if ``streams`` predict test, too. Rows of papers that were
            trained in this way state them; :meth:`on_train_and_val` uses the recipe's streams. A stream with all epochs
            uses the epoch that was chosen on val.
        tuned_on: split whose labels choose the open constants of ``postprocess``: ``val``, cross-fitted; or ``train``,
            on scores out of folds over the training groups, so that labels of val choose nothing.
    """

    name: str
    task: Task
    summary: str
    streams: tuple[AnyStream, ...]
    postprocess: PostProcess = field(default_factory=PostProcess)
    row: PaperRow | None = None
    paper_constants: PostProcess | None = None
    remark: str = ""
    needs: tuple[str, ...] = ()
    variant_of: str = ""
    final: tuple[AnyStream, ...] = ()
    tuned_on: Literal["val", "train"] = "val"

    def __post_init__(self) -> None:
        """Raise ValueError unless heads and thresholds agree on raw outputs."""
        raw = {getattr(getattr(stream, "head", None), "raw", False) for stream in (*self.streams, *self.final)}
        if self.task.kind == "binaries" and raw != {self.postprocess.raw}:
            raise ValueError(f"{self.name}: heads and thresholds must agree on whether outputs are raw")

    def describe(self) -> dict[str, Any]:
        """Return the fields that determine the results as plain data."""
        return {
            "name": self.name,
            "task": self.task.name,
            "streams": [stream.describe() for stream in self.streams],
            "postprocess": described(self.postprocess),
            **({"final": [stream.describe() for stream in self.final]} if self.final else {}),
            **({"tuned_on": self.tuned_on} if self.tuned_on != "val" else {}),
        }

    @property
    def encoders(self) -> tuple[str, ...]:
        """Encoders of all streams and filters, without duplicates."""
        whole, confidence = self.postprocess.video_filter, self.postprocess.filter
        names = [name for stream in self.streams for name in stream.encoders]
        names += [whole.columns.encoder] if whole else []
        names += [confidence.classifier] if confidence else []
        return tuple(dict.fromkeys(names))

    @property
    def cores(self) -> int | None:
        """Number of cores that training keeps busy; ``None`` for all cores."""
        heads = [getattr(stream, "head", None) for stream in self.streams]
        pinned = all(isinstance(head, MlpSettings | Pretrained) for head in heads)
        return 1 if pinned else None  # the number of threads in solutions.heads.mlp on any machine

    @property
    def trains(self) -> bool:
        """True if a stream learns from labels, False if all streams use outputs of pretrained networks."""
        return any(not isinstance(getattr(stream, "head", None), Pretrained) for stream in self.streams)

    def on_train_and_val(self) -> Recipe:
        """Return the recipe with streams for test that are trained on train and val together.

        A recipe that states such streams is returned as it is.
        """
        return self if self.final else replace(self, final=self.streams)

    def with_paper_constants(self) -> Recipe | None:
        """Return the recipe with the paper's constants; ``None`` if it has none."""
        if self.paper_constants is None:
            return None
        return replace(
            self,
            name=self.name + PAPER_CONSTANTS,
            summary=f"{self.summary}; the paper's constants",
            postprocess=self.paper_constants,
            tuned_on="val",
            paper_constants=None,
            variant_of=self.name,
        )


def keeping_last(stream: AnyStream, epochs: int | None = None) -> AnyStream:
    """Return a stream that trains for a number of epochs and uses the last epoch's weights.

    Papers train in this way on train and val together. Heads without epochs stay as they are.

    Args:
        stream: the stream.
        epochs: number of epochs; that of the stream by default.
    """
    head = getattr(stream, "head", None)
    if not isinstance(stream, Stream | ColumnStream) or not isinstance(head, MlpSettings):
        return stream
    return replace(stream, head=replace(head, epochs=epochs or head.epochs, keep="last", select="score"))
