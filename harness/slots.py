"""The slot ledger: the submissions that were sent to the organisers, and the scores that came back.

An edition takes few submissions per task (five; competition's calls, editions 8 to 11), so that each use of a slot is
checked first. The ledger is a plain file beside the runs, ``slots.json``. It can't be rebuilt from other files. Each
change replaces the whole file under a lock: the file survives a killed process and simultaneous writers.
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
from harness.system.counts import counted, verb_for
from harness.system.locks import exclusive
from harness.tasks import OTHER_TASKS, TASKS

LEDGER_FILE = "slots.json"
SLOTS = 5
EDITION = 10
"""The latest edition with all frame-level tasks."""
EDITIONS: dict[str, tuple[int, ...]] = {"EMI": (6, 8, 10), "AH": (8,), "AHV": (10, 11)}
"""Editions of tasks that only some editions had; five slots each."""
_NEWEST = {"MTL": 11}
"""Newest edition of tasks that later editions than :data:`EDITION` had."""


@dataclass(frozen=True)
class Sent:
    """One submission that was sent.

    Attributes:
        number: 1, 2, … over the whole ledger.
        task: name of the task.
        edition: edition of the competition.
        time: time of the entry, ISO 8601, UTC.
        file: the submission's path as the user named it.
        sha256: hash of the file.
        content: hash of the official values, the same for the same content in another packing.
        bytes: size of the file in bytes.
        run_id: id of the run that wrote the file; ``None`` for a file without a known run.
        note: the user's note.
        problems: objections to the submission that the user overruled.
        results: scores that came back, each with the time of its entry; the last one counts.
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
        """The last score that came back; ``None`` before the first."""
        return float(self.results[-1]["value"]) if self.results else None


def newest_edition() -> int:
    """Return the newest edition of any task that this version knows."""
    return max(EDITION, *_NEWEST.values(), *(number for numbers in EDITIONS.values() for number in numbers))


def edition_of(task: str, allowed: Collection[int] | None = None) -> int:
    """Return the default edition of a submission: the task's latest, or its latest among the allowed ones.

    Args:
        task: task of the submission.
        allowed: editions that the submission fits, if they are known. If the task belongs to none of these, its latest
            edition is returned.
    """
    editions = set(EDITIONS.get(task, (_NEWEST.get(task, EDITION),)))
    return max(editions.intersection(editions if allowed is None else allowed) or editions)


class Content(msgspec.Struct):
    """Content of ``slots.json``.

    Attributes:
        sent: submissions.
        format: version of the file's format.
        undone: submissions that :meth:`Ledger.undo` took back.
        undone_results: scores that :meth:`Ledger.undo` took back, each with its submission's number.
    """

    sent: tuple[Sent, ...]
    format: int = 1
    undone: tuple[Sent, ...] = ()
    undone_results: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError for two entries with the same number."""
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
        """Store the paths; the first call opens the file."""
        self.path = out / LEDGER_FILE
        self._lock = out / f".{LEDGER_FILE}.lock"
        self._patience = patience

    def read(self) -> tuple[Sent, ...]:
        """Return all submissions, in order.

        Raises:
            DataError: the file is not a ledger, or a newer version wrote it.
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
        """Note that the user sends a file. This method itself sends no data.

        Args:
            path: the file.
            task: name of its task.
            edition: edition of the competition; by default the task's latest.
            mark: the file's :func:`fingerprint`; it is computed by default.
            run_id: id of the run that wrote the file.
            note: the user's note.
            problems: problems of the file that the caller knows.
            slots: number of submissions that the edition takes per task.
            despite: note the submission in spite of problems and objections.

        Raises:
            SubmissionError: there are problems or objections, and ``despite`` is False: the ledger is unchanged. Or the
                file can't be read.
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
        """Note the score that came back for a submission, a fraction, beside its earlier scores.

        Raises:
            UnknownNameError: the ledger lacks a submission of that number.
            UsageError: the value is impossible for a score of the task.
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
        """Take back the last entry on a submission: its last score, or else the submission itself.

        A submission that is taken back frees its slot; the ledger keeps it under ``undone``, and its number stays
        unused.

        Args:
            number: number of the submission; by default the last one.

        Returns:
            The submission, and the score that was taken back; ``None`` where the submission itself was taken back.

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
        """Write these submissions, and those taken back that ``content`` holds."""
        later = {"undone": list(map(asdict, content.undone)), "undone_results": list(content.undone_results)}
        plain = {"format": 1, "sent": list(map(asdict, sent))}
        LEDGER.write(self.path, plain | {name: value for name, value in later.items() if value})


def _place_of(number: int, sent: Sequence[Sent]) -> int:
    """Return the index of a submission in a ledger.

    Raises:
        UnknownNameError: the ledger lacks a submission of that number.
    """
    place = next((k for k, entry in enumerate(sent) if entry.number == number), None)
    if place is None:
        raise UnknownNameError("submission", str(number), [str(entry.number) for entry in sent])
    return place


def of_slot(sent: Iterable[Sent], task: str, edition: int) -> list[Sent]:
    """Return the submissions for a task of an edition, in order."""
    return [entry for entry in sent if (entry.task, entry.edition) == (task, edition)]


def objections(sent: Sequence[Sent], mark: Fingerprint, task: str, edition: int, slots: int = SLOTS) -> list[str]:
    """Return the objections to sending a file now: all slots are used, or the content was sent before.

    Args:
        sent: earlier submissions.
        mark: fingerprint of the file.
        task: name of its task.
        edition: edition of the competition.
        slots: number of submissions that the edition takes per task.
    """
    reasons = []
    if edition not in EDITIONS.get(task, (edition,)):
        had = ", ".join(map(str, EDITIONS[task]))
        reasons.append(f"edition {edition} has no {task}: the editions that had it are {had}")
    used = len(of_slot(sent, task, edition))
    if used >= slots:
        reasons.append(
            f"all {counted(slots, 'slot')} of {task}, edition {edition}, {verb_for(slots, 'are')} used; "
            f"this would be number {used + 1}"
        )
    for entry in sent:
        if mark.sha256 == entry.sha256 or mark.content == entry.content:
            same = "the very same file" if mark.sha256 == entry.sha256 else "the same content"
            score = "" if entry.score is None else f", and scored {entry.score:.4f}"
            reasons.append(f"{same} was sent as #{entry.number} for {entry.task} on {entry.time[:10]}{score}")
    return reasons


def _check_score(value: float, task: str) -> None:
    highest = {"MTL": 3.0}.get(task, 1.0)
    if not math.isfinite(value) or not -1 <= value <= highest:
        do = f"Did you mean {value / 100:g}" if 1 < value <= 100 else None
        expected = f"a fraction, from -1 to {highest:g}"
        raise UsageError(f"no score of {task}", found=f"{value:g}", expected=expected, do=do)


def task_names() -> tuple[str, ...]:
    """Return the names of all tasks that have submissions."""
    return (*TASKS, *OTHER_TASKS)
