"""Notes of failed runs, with time and reason, so that a user can read them without the terminal's output.

Each note is a small file beside the run folders, ``submissions/<TASK>/failed/<id>.json``; the store lists the notes.
A later complete run of the same solution, split, seed and data removes the note.
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
    """A failed run and its error.

    Attributes:
        failure_id: hash of task, split, solution, seed and data.
        created: ISO 8601, UTC.
        task: name of the task.
        split: split that was to be predicted.
        name: name of the solution.
        seed: seed of the training.
        data_name: name of the data set.
        kind: class of the error, such as ``DataError``.
        reason: complete message of the error.
        format: version of the file's format.
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
        """Raise ValueError unless ``created`` is a time."""
        in_utc(self.created)

    @classmethod
    def of(cls, error: BaseException, *, task: str, split: str, name: str, seed: int | None, data_name: str) -> Self:
        """Return the note of an error that has just been raised by a run.

        Args:
            error: the error.
            task: name of the task.
            split: split that was to be predicted.
            name: name of the solution.
            seed: seed of the training.
            data_name: name of the data set.
        """
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
        """Write the note below the folder of the runs, atomically, in place of an earlier one."""
        path = failure_file(out, self.task, self.failure_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        FAILURE.write(path, asdict(self))
        return path

    @classmethod
    def read(cls, path: Path) -> Failure:
        """Read a note.

        Raises:
            DataError: the file is not a note of a failed run, or a newer version wrote it.
        """
        return FAILURE.read(path)


FAILURE: Document[Failure] = Document(Failure, "the note of a failed run can't be read", "Remove it")


def failure_id(task: str, split: str, name: str, seed: int | None, data_name: str) -> str:
    """Return the id that all failures of a run share: a hash of task, split, solution, seed and data."""
    content = {"task": task, "split": split, "name": name, "seed": seed, "data": data_name}
    return digest_of(content)[:16]


def failure_file(out: Path, task: str, identity: str) -> Path:
    """Return the path of a failure's note below the folder of the runs."""
    return out / task / FOLDER / f"{identity}.json"


def failure_files(out: Path) -> list[Path]:
    """Return the paths of all notes below the folder of the runs, sorted."""
    return sorted(path for path in out.glob(f"*/{FOLDER}/*.json") if not path.name.startswith("."))
