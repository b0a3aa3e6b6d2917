"""The tasks of the competition: labels, invalid marker, official columns, metric. One frozen value each.

Class and action-unit order, invalid markers and metrics: the competition's calls, editions 3 to 11. Ambivalence and
hesitancy are two tasks, one per level: the 8th edition scored frames by weighted F1, the 10th and 11th scored videos by
macro-F1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import UnknownNameError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Task:
    """A task of the competition: the facts about it that files and scores need.

    Attributes:
        name: short name, as usual in the field.
        title: long name, in plain words.
        targets: names of the classes (EXPR, VD, AH, AHV), dimensions (VA), action units (AU) or intensities (EMI), in
            official order.
        kind: ``classes`` (one index per frame), ``values`` (one float per target), ``binaries`` (one 0/1 per target),
            or ``parts`` (MTL: two values, an index, twelve binaries).
        invalid: the value that marks a frame without annotation.
        metric: name of the official metric in :mod:`harness.metrics`.
        annotation_folders: folder names of the label files, any edition, best known first.
        header: first line of a label file.
        short: the task's name inside the organisers' template files.
        noun: image of a frame, in messages: the ``crop`` of a face, or the other value, the whole frame.
        level: unit of one row of labels and of the official file, ``frame`` or ``video``.
        low: least official value of tasks of kind ``values``.
        high: largest official value of tasks of kind ``values``.
    """

    name: str
    title: str
    targets: tuple[str, ...]
    kind: str
    invalid: int
    metric: str
    annotation_folders: tuple[str, ...]
    header: str
    short: str
    noun: str = "crop"
    level: Literal["frame", "video"] = "frame"
    low: float = -1.0
    high: float = 1.0

    @property
    def n_outputs(self) -> int:
        """Number of columns of a solution's scores: one per class, dimension or action unit."""
        return len(self.targets)

    @property
    def range(self) -> tuple[float, float]:
        """Least and largest official value of a row."""
        if self.kind == "values":
            return self.low, self.high
        return 0, self.n_outputs - 1 if self.kind == "classes" else 1

    @property
    def label_noun(self) -> str:
        """Name of one label that a score counts."""
        return "labelled frame" if self.level == "frame" else "label"

    @property
    def is_pair(self) -> bool:
        """True for a task with two classes, between which a threshold can decide."""
        return self.kind == "classes" and self.n_outputs == 2

    @property
    def submission_header(self) -> str:
        """First line of an official file in the format with one file per submission (since the 5th edition)."""
        return f"image_location,{self.header}"


_EXPRESSIONS = ("Neutral", "Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise", "Other")
_COMPOUND_EXPRESSIONS = (
    "Fearfully_Surprised", "Happily_Surprised", "Sadly_Surprised", "Disgustedly_Surprised", "Angrily_Surprised",
    "Sadly_Fearful", "Sadly_Angry",
)  # fmt: skip
_INTENSITIES = ("Admiration", "Amusement", "Determination", "Empathic Pain", "Excitement", "Joy")
_ACTION_UNITS = tuple(f"AU{k}" for k in (1, 2, 4, 6, 7, 10, 12, 15, 23, 24, 25, 26))

EXPR = Task(
    name="EXPR",
    title="expression recognition",
    targets=_EXPRESSIONS,
    kind="classes",
    invalid=-1,
    metric="macro_f1",
    annotation_folders=("EXPR_Recognition_Challenge", "EXPR_Classification_Challenge"),
    header=",".join(_EXPRESSIONS),
    short="Expr",
)
VA = Task(
    name="VA",
    title="valence and arousal estimation",
    targets=("valence", "arousal"),
    kind="values",
    invalid=-5,
    metric="mean_ccc",
    annotation_folders=("VA_Estimation_Challenge",),
    header="valence,arousal",
    short="VA",
)
AU = Task(
    name="AU",
    title="action unit detection",
    targets=_ACTION_UNITS,
    kind="binaries",
    invalid=-1,
    metric="mean_binary_f1",
    annotation_folders=("AU_Detection_Challenge",),
    header=",".join(_ACTION_UNITS),
    short="AU",
)
VD = Task(
    name="VD",
    title="fine-grained violence detection",
    targets=("non_violent", "violent"),
    kind="classes",
    invalid=-1,
    metric="macro_f1",
    annotation_folders=("annotations",),
    header="Frame_Number,Label",
    short="VD",
    noun="picture",
)

CE = Task(
    name="CE",
    title="compound expression recognition",
    targets=_COMPOUND_EXPRESSIONS,
    kind="classes",
    invalid=-1,
    metric="macro_f1",
    annotation_folders=(),
    header=",".join(_COMPOUND_EXPRESSIONS),
    short="CE",
)
MTL = Task(
    name="MTL",
    title="multi-task learning",
    targets=VA.targets + EXPR.targets + AU.targets,
    kind="parts",
    invalid=-1,  # of expression and units; valence and arousal have VA's
    metric="p_mtl",
    annotation_folders=(),
    header="valence,arousal,expression,aus",
    short="MTL",
)
EMI = Task(
    name="EMI",
    title="emotional mimicry intensity estimation",
    targets=_INTENSITIES,
    kind="values",
    invalid=-1,
    metric="mean_pearson",
    annotation_folders=(),
    header=",".join(_INTENSITIES),
    short="EMI",
    level="video",
    low=0.0,
)
AH = Task(
    name="AH",
    title="ambivalence and hesitancy recognition by frame",
    targets=("absent", "present"),
    kind="classes",
    invalid=-1,
    metric="weighted_f1",
    annotation_folders=(),
    header="",
    short="AH",
)
AHV = Task(
    name="AHV",
    title="ambivalence and hesitancy recognition by video",
    targets=AH.targets,
    kind="classes",
    invalid=-1,
    metric="macro_f1",
    annotation_folders=(),
    header="",
    short="AH",
    level="video",
)

TASKS: dict[str, Task] = {task.name: task for task in (EXPR, VA, AU, VD, EMI, AH, AHV)}
"""Tasks with commands, solutions and a board."""

OTHER_TASKS: dict[str, Task] = {task.name: task for task in (CE, MTL)}
"""Tasks whose files can be checked and scored."""


def task_named(name: str) -> Task:
    """Return the task of a name, in upper or lower case.

    Raises:
        UnknownNameError: the name is unknown.
    """
    try:
        return TASKS[name.upper()]
    except KeyError:
        raise UnknownNameError("task", name, TASKS) from None


def valid_rows(labels: npt.NDArray[Any], task: Task) -> npt.NDArray[np.bool_]:
    """Return True per frame that counts; a frame with any target marked invalid does not count.

    Args:
        labels: labels, ``(n,)`` or ``(n, targets)``.
        task: task of the labels, which has the invalid marker.

    Returns:
        bool ``(n,)``.
    """
    import numpy as np  # late: small files are checked without it

    marked = labels == task.invalid
    # einsum adds booleans as "or", several times as fast as any(1) on short rows
    return np.asarray(~(np.einsum("ij->i", marked) if marked.ndim > 1 else marked))
