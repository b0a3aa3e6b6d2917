"""The slot ledger: what was sent to the organisers, and which score came back.

An edition takes few submissions a task (five; competition's calls, editions 8 to 11), so a slot is worth a look before
it is used. The ledger is a plain file beside the runs, ``slots.json``; it is the truth, no index, and nothing can
rebuild it. It is replaced as a whole, under a lock, so neither a kill nor two writers can spoil it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import SubmissionError, UnknownNameError, UsageError, problem
from harness.files.archives.fingerprint import Fingerprint, fingerprint
from harness.records.document import Document, now
from harness.system.locks import exclusive
from harness.tasks import OTHER_TASKS, TASKS

LEDGER_FILE = "slots.json"
SLOTS = 5
EDITION = 10
"""The latest edition with all of the frame-level tasks."""
EDITIONS: dict[str, tuple[int, ...]] = {"EMI": (6, 8, 10), "AH": (8,), "AHV": (10, 11)}
"""Editions of tasks that only some editions had; five slots each."""
_NEWEST = {"MTL": 11}
"""Newest edition of tasks that later editions than :data:`EDITION` had."""


@dataclass(frozen=True)
class Sent:
    """One submission.

    Attributes:
        number: 1, 2, … over the whole ledger.
        time: ISO 8601, UTC.
        file: its path as it was given.
        run_id: the run that wrote it; ``None`` if no run is known to have.
        problems: why it was doubtful when it was sent all the same.
        results: scores that came back, each with the time it was noted; the last one counts.
    """

    number: int
    task: str
    edition: int
    time: str
    file: str
    sha256: str
    content: str
    bytes: int
    run_id: str | None = None
    note: str = ""
    problems: tuple[str, ...] = ()
    results: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        """Raise TypeError unless every result holds a number."""
        if not all(isinstance(result.get("value"), int | float) for result in self.results):
            raise TypeError("a result that is no number")

    @property
    def score(self) -> float | None:
        """The score that came back, as far as known."""
        return float(self.results[-1]["value"]) if self.results else None


def newest_edition() -> int:
    """Return the newest edition of any task that this version knows."""
    return max(EDITION, *_NEWEST.values(), *(number for numbers in EDITIONS.values() for number in numbers))


def edition_of(task: str, allowed: Collection[int] | None = None) -> int:
    """Return the edition that a submission is counted for unless another one is named: the latest of the task.

    Args:
        task: of the submission.
        allowed: editions that it can be for, where anything tells; the latest of the task is returned where the task
            was in none of them.
    """
    editions = set(EDITIONS.get(task, (_NEWEST.get(task, EDITION),)))
    return max(editions.intersection(editions if allowed is None else allowed) or editions)


class Content(msgspec.Struct):
    """Content of ``slots.json``; ``undone`` holds submissions that :meth:`Ledger.undo` took back.

    Scores that it took back are ``undone_results``, each with the submission's number.
    """

    sent: tuple[Sent, ...]
    format: int = 1
    undone: tuple[Sent, ...] = ()
    undone_results: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError unless every entry has a number of its own."""
        numbers = [entry.number for entry in self.sent]
        if len(set(numbers)) < len(numbers):
            raise ValueError(f"the numbers {numbers}, which must be whole and differ")


LEDGER: Document[Content] = Document(
    Content,
    "not a readable slot ledger",
    "Mend it by hand; it is never overwritten while it can't be read",
)


class Ledger:
    """The ledger below a folder of runs.

    Args:
        out: folder of the runs; the ledger is ``out/slots.json``, made by the first :meth:`send`.
        patience: seconds to wait for another process that writes.
    """

    def __init__(self, out: Path, *, patience: float = 20.0) -> None:
        self.path = out / LEDGER_FILE
        self._lock = out / f".{LEDGER_FILE}.lock"
        self._patience = patience

    def read(self) -> tuple[Sent, ...]:
        """Return everything that was sent, in order.

        Raises:
            DataError: the file is no ledger, or of a newer version.
        """
        return self._content().sent

    def _content(self) -> Content:
        return LEDGER.find(self.path) or Content(())

    def send(
        self,
        path: Path,
        task: str,
        edition: int | None = None,
        *,
        mark: Fingerprint | None = None,
        run_id: str | None = None,
        note: str = "",
        problems: Sequence[str] = (),
        slots: int = SLOTS,
        despite: bool = False,
    ) -> Sent:
        """Note that a file is sent. Nothing is sent from here.

        Args:
            edition: of the competition; by default the task's latest.
            mark: the file's :func:`fingerprint`, where the caller has it.
            problems: what the caller found wrong with the file.
            slots: how many submissions the edition takes.
            despite: note it even if something speaks against it.

        Raises:
            SubmissionError: something speaks against it, and ``despite`` is off: nothing was noted. Or the file can't
                be read.
            DataError: the ledger can't be read; it is left as it is.
            StorageError: the ledger can't be written.
        """
        mark, edition = mark or fingerprint(path), edition_of(task) if edition is None else edition
        with exclusive(self._lock, patience=self._patience):
            content = self._content()
            sent = content.sent
            doubts = (*problems, *objections(sent, mark, task, edition, slots))
            if doubts and not despite:
                reasons = "\n".join(f"  {reason}" for reason in doubts)
                raise SubmissionError(
                    f"{problem('not noted as sent', where=path, do='To note it all the same, give --yes')}\n{reasons}"
                )
            entry = Sent(
                max((earlier.number for earlier in (*sent, *content.undone)), default=0) + 1,
                task,
                edition,
                now(),
                str(path),
                mark.sha256,
                mark.content,
                mark.bytes,
                run_id,
                note,
                doubts,
            )
            self._write([*sent, entry], content)
        return entry

    def result(self, number: int, value: float) -> Sent:
        """Note the score that came back for a submission, a fraction; an earlier one is kept beside it.

        Raises:
            UnknownNameError: nothing of that number was sent.
            UsageError: no score can have this value.
            DataError: the ledger can't be read; it is left as it is.
            StorageError: the ledger can't be written.
        """
        with exclusive(self._lock, patience=self._patience):
            content = self._content()
            sent = list(content.sent)
            place = _place_of(number, sent)
            _check_score(value, sent[place].task)
            results = (*sent[place].results, {"value": value, "time": now()})
            sent[place] = replace(sent[place], results=results)
            self._write(sent, content)
        return sent[place]

    def undo(self, number: int | None = None) -> tuple[Sent, float | None]:
        """Take back what was noted last of a submission: its last score, or else the submission itself.

        A submission that is taken back counts for no slot; the ledger keeps it under ``undone``, and its number stays
        unused.

        Args:
            number: of the submission; by default the last one's.

        Returns:
            The submission as it is now, or as it was, and the score that was taken back; ``None`` for a submission
            that was taken back itself.

        Raises:
            UnknownNameError: the ledger lacks a submission of that number.
            DataError: the ledger can't be read; it is left as it is.
            StorageError: the ledger can't be written.
        """
        with exclusive(self._lock, patience=self._patience):
            content = self._content()
            sent = list(content.sent)
            last = max((entry.number for entry in sent), default=0)
            place = _place_of(last if number is None else number, sent)
            entry = sent[place]
            if entry.results:
                *results, score = entry.results
                sent[place] = replace(entry, results=tuple(results))
                content.undone_results = (*content.undone_results, {"number": entry.number, **score})
                self._write(sent, content)
                return sent[place], float(score["value"])
            del sent[place]
            content.undone = (*content.undone, entry)
            self._write(sent, content)
        return entry, None

    def _write(self, sent: Iterable[Sent], content: Content) -> None:
        """Write what was sent, and what was taken back as ``content`` holds it."""
        later = {"undone": list(map(asdict, content.undone)), "undone_results": list(content.undone_results)}
        plain = {"format": 1, "sent": list(map(asdict, sent))}
        LEDGER.write(self.path, plain | {name: value for name, value in later.items() if value})


def _place_of(number: int, sent: Sequence[Sent]) -> int:
    """Return where in a ledger a submission is.

    Raises:
        UnknownNameError: nothing of that number was sent.
    """
    place = next((k for k, entry in enumerate(sent) if entry.number == number), None)
    if place is None:
        raise UnknownNameError("submission", str(number), [str(entry.number) for entry in sent])
    return place


def of_slot(sent: Iterable[Sent], task: str, edition: int) -> list[Sent]:
    """What was sent for a task of an edition, in order."""
    return [entry for entry in sent if (entry.task, entry.edition) == (task, edition)]


def objections(sent: Sequence[Sent], mark: Fingerprint, task: str, edition: int, slots: int = SLOTS) -> list[str]:
    """What speaks against sending a file now: all slots are used, or it was sent before."""
    found = []
    if edition not in EDITIONS.get(task, (edition,)):
        had = ", ".join(map(str, EDITIONS[task]))
        found.append(f"edition {edition} has no {task}: the editions that had it are {had}")
    used = len(of_slot(sent, task, edition))
    if used >= slots:
        found.append(f"all {slots} slots of {task}, edition {edition}, are used; this would be number {used + 1}")
    for entry in sent:
        if mark.sha256 == entry.sha256 or mark.content == entry.content:
            same = "the very same file" if mark.sha256 == entry.sha256 else "the same content"
            score = "" if entry.score is None else f", and scored {entry.score:.4f}"
            found.append(f"{same} was sent as #{entry.number} for {entry.task} on {entry.time[:10]}{score}")
    return found


def _check_score(value: float, task: str) -> None:
    highest = {"MTL": 3.0}.get(task, 1.0)
    if not math.isfinite(value) or not -1 <= value <= highest:
        do = f"Did you mean {value / 100:g}" if 1 < value <= 100 else None
        expected = f"a fraction, from -1 to {highest:g}"
        raise UsageError(f"no score of {task}", found=f"{value:g}", expected=expected, do=do)


def task_names() -> tuple[str, ...]:
    """Every task that a submission can be for."""
    return (*TASKS, *OTHER_TASKS)
