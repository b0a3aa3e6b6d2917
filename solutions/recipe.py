"""What a recipe is: a named, complete description of a solution, plain data. A row of a paper's table is one recipe."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from harness.tasks import Task
from solutions.heads.mlp import MlpSettings

# Half widths in frames, the simplest first. The papers use 50 on Aff-Wild2's 30 frames a second (EmotiEffLib's
# notebooks); what fits depends on how long an expression lasts in the data, so it is chosen, by cross-fitting.
HALF_WIDTHS = (0, 1, 2, 3, 5, 7, 10, 15, 20, 25, 35, 50, 75, 100, 150, 250, 500)


@dataclass(frozen=True)
class Choose:
    """A value that is chosen on validation labels, by cross-fitting; the first candidate wins a tie."""

    candidates: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.candidates:
            raise ValueError("nothing to choose from")


@dataclass(frozen=True)
class BoxSmoothing:
    """Mean of the scores over ``2 * half_width + 1`` frames, truncated at a video's ends (abaw10, section 3.1).

    Attributes:
        half_width: frames on each side, fixed or chosen.
    """

    half_width: int | Choose

    def __post_init__(self) -> None:
        widths = self.half_width.candidates if isinstance(self.half_width, Choose) else (self.half_width,)
        if min(widths) < 0:
            raise ValueError(f"half widths can't be negative, got {widths}")


@dataclass(frozen=True)
class Recipe:
    """A solution as data.

    Attributes:
        name: ``<task>/<what it is>``.
        encoder: name in the registry of encoders.
        head: training of the head.
        smoothing: ``None`` for frame by frame.
        row: ``paper:table:row`` that it reproduces, empty if none.
        published: the paper's number for that row, a fraction.
        needs: extras that must be installed.
    """

    name: str
    task: Task
    summary: str
    encoder: str
    head: MlpSettings
    smoothing: BoxSmoothing | None = None
    row: str = ""
    published: float | None = None
    needs: tuple[str, ...] = ()

    def describe(self) -> dict[str, Any]:
        """The parts that decide the numbers, plain data."""
        return {
            "name": self.name,
            "task": self.task.name,
            "encoder": self.encoder,
            "head": {"kind": "mlp", **asdict(self.head)},
            "smoothing": asdict(self.smoothing) if self.smoothing else None,
        }

    @property
    def postprocess(self) -> str:
        """Post-processing in a few words, for lists."""
        if self.smoothing is None:
            return "gaps filled"
        width = self.smoothing.half_width
        return "gaps filled, smoothed, " + ("window chosen" if isinstance(width, Choose) else f"half width {width}")
