"""What a recipe is: a named, complete description of a solution, plain data. A row of a paper's table is one recipe."""

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
"""Behind a recipe's name: the same with the paper's own constants, so that nothing is chosen."""


@dataclass(frozen=True)
class Stream:
    """One way from frames, or sound, to scores.

    Attributes:
        encoder: name in the registry of encoders.
        part: which of its columns the head sees.
        head: how the head is trained.
    """

    encoder: str
    part: PartName = "embeddings"
    head: HeadSettings = field(default_factory=MlpSettings)

    @property
    def encoders(self) -> tuple[str, ...]:
        """Names of what its features come from."""
        return (self.encoder,)

    @property
    def words(self) -> str:
        """The head in a word or two, for lists."""
        return self.head.words

    def describe(self) -> dict[str, Any]:
        """Plain data."""
        return {"encoder": self.encoder, "part": self.part, "head": describe_head(self.head)}


@dataclass(frozen=True)
class ColumnStream:
    """Columns of one or several encoders side by side (early fusion), and a head.

    For tasks of level ``video`` each of the columns is reduced over time. For tasks of level ``frame`` reduced ones
    stand beside every frame of their video; rows of audio and tokens are stretched over the frames.

    Attributes:
        columns: one entry per encoder.
        head: how the head is trained.
    """

    columns: tuple[Columns, ...]
    head: HeadSettings = field(default_factory=MlpSettings)

    @property
    def encoders(self) -> tuple[str, ...]:
        """Names of the encoders, each once."""
        return tuple(dict.fromkeys(columns.encoder for columns in self.columns))

    @property
    def words(self) -> str:
        """The head in a word or two, for lists."""
        return self.head.words

    def describe(self) -> dict[str, Any]:
        """Plain data."""
        return {"columns": described(self.columns), "head": describe_head(self.head)}


AnyStream = Stream | ColumnStream | ClipStream


@dataclass(frozen=True)
class Recipe:
    """A solution as data.

    Attributes:
        name: ``<task>/<what it is>``.
        streams: one or more; several are blended.
        postprocess: from their scores to decisions.
        row: the paper's row that it reproduces.
        paper_constants: the post-processing with the constants that the paper, or its authors' code, names.
        remark: what a user must know: where paper and code differ and which of them this is, or what was inferred.
        needs: extras that must be installed.
        variant_of: name of the recipe that this is a variant of, which lists show in its place; empty if none.
        final: streams that are trained on train and val together and predict test; ``streams``, trained on train alone,
            predict val and choose constants. Empty where ``streams`` predict test, too. A row of a paper that was
            trained so names them; :meth:`on_train_and_val` takes the recipe's own streams. Of a stream that keeps all
            epochs, the epoch that was chosen on val counts.
        tuned_on: split whose labels choose what ``postprocess`` leaves open: ``val``, cross-fitted; or ``train``, on
            scores out of folds over the training groups, so that no label of val chooses anything.
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
        """Raise ValueError where some heads or thresholds are on raw outputs and others are not."""
        raw = {getattr(getattr(stream, "head", None), "raw", False) for stream in (*self.streams, *self.final)}
        if self.task.kind == "binaries" and raw != {self.postprocess.raw}:
            raise ValueError(f"{self.name}: heads and thresholds must agree on whether outputs are raw")

    def describe(self) -> dict[str, Any]:
        """The parts that decide the numbers, plain data."""
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
        """Every encoder of its streams and filters, each once."""
        whole, confidence = self.postprocess.video_filter, self.postprocess.filter
        names = [name for stream in self.streams for name in stream.encoders]
        names += [whole.columns.encoder] if whole else []
        names += [confidence.classifier] if confidence else []
        return tuple(dict.fromkeys(names))

    @property
    def cores(self) -> int | None:
        """Cores that training keeps busy; ``None`` for all that there are."""
        heads = [getattr(stream, "head", None) for stream in self.streams]
        pinned = all(isinstance(head, MlpSettings | Pretrained) for head in heads)
        return 1 if pinned else None  # as solutions.heads.mlp has it, whatever the machine

    @property
    def trains(self) -> bool:
        """True if a stream learns from labels, False if all take a pretrained network's outputs as they are."""
        return any(not isinstance(getattr(stream, "head", None), Pretrained) for stream in self.streams)

    def on_train_and_val(self) -> Recipe:
        """Return the same recipe with streams for test that are trained on train and val together.

        A recipe that names such streams is returned as it is.
        """
        return self if self.final else replace(self, final=self.streams)

    def with_paper_constants(self) -> Recipe | None:
        """The same with the paper's own constants; ``None`` where it names none."""
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
    """Return a stream that trains for so many epochs, its own number by default, and keeps the last one's weights.

    Papers train so on train and val together, for a number of epochs that they name; heads without epochs stay as they
    are.
    """
    head = getattr(stream, "head", None)
    if not isinstance(stream, Stream | ColumnStream) or not isinstance(head, MlpSettings):
        return stream
    return replace(stream, head=replace(head, epochs=epochs or head.epochs, keep="last", select="score"))
