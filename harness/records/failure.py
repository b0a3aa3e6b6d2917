"""Runs that were tried and came to nothing: what, when and why, so that nobody has to search a terminal for it.

One small file each, ``submissions/<TASK>/failed/<id>.json``, beside the run folders; the store lists them. A run of the
same solution, split, seed and data that is complete afterwards takes the note away.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from harness.records.document import Document, Whole, in_utc, now
from harness.system.provenance import digest_of

FOLDER = "failed"


@dataclass(frozen=True)
class Failure:
    """What was tried, and why nothing came of it.

    Attributes:
        failure_id: the same for the same solution, split, seed and data.
        created: ISO 8601, UTC.
        kind: of the error, ``DataError``.
        reason: the error's message, whole.
    """

    failure_id: str
    created: str
    task: str
    split: str
    name: str
    seed: Whole | None
    data_name: str
    kind: str
    reason: str
    format: int = 1

    def __post_init__(self) -> None:
        """Raise ValueError where ``created`` is no time."""
        in_utc(self.created)

    @classmethod
    def of(cls, error: BaseException, *, task: str, split: str, name: str, seed: int | None, data_name: str) -> Self:
        """The note of an error, now."""
        return cls(
            failure_id=failure_id(task, split, name, seed, data_name),
            created=now(),
            task=task,
            split=split,
            name=name,
            seed=seed,
            data_name=data_name,
            kind=type(error).__name__,
            reason=str(error) or repr(error),
        )

    def write(self, out: Path) -> Path:
        """Write the note below the folder of the runs, atomically; an earlier one is replaced."""
        path = failure_file(out, self.task, self.failure_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        FAILURE.write(path, asdict(self))
        return path

    @classmethod
    def read(cls, path: Path) -> Failure:
        """Read a note.

        Raises:
            DataError: the file is no note of a failed run, or was written by a newer version.
        """
        return FAILURE.read(path)


FAILURE: Document[Failure] = Document(Failure, "a note of a failed run that can't be read", "Remove it")


def failure_id(task: str, split: str, name: str, seed: int | None, data_name: str) -> str:
    """Id of the failure of such a run."""
    content = {"task": task, "split": split, "name": name, "seed": seed, "data": data_name}
    return digest_of(content)[:16]


def failure_file(out: Path, task: str, identity: str) -> Path:
    """Where the note lies."""
    return out / task / FOLDER / f"{identity}.json"


def failure_files(out: Path) -> list[Path]:
    """Every note below the folder of the runs."""
    return sorted(path for path in out.glob(f"*/{FOLDER}/*.json") if not path.name.startswith("."))
