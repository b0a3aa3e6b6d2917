"""Runs whose files are the same to the last byte: one row of a board."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace

from harness.board.entries import Entries, Entry

ReadContents = Callable[[Sequence[str]], Mapping[str, str]]
"""Gives a hash of all files of runs by id, such as :meth:`harness.store.store.Store.contents`."""


def joined_twins(entries: Entries, read_contents: ReadContents) -> list[Entry]:
    """Return entries with runs of the same bytes as one: the first that was made, the others in ``same_files``.

    Means over seeds stay as they are. ``members`` of a row name all its runs, so that a search for any of them, and the
    way of any of them to a submission, lead to the row.

    Args:
        entries: entries of runs.
        read_contents: asked for those runs alone whose scores another one has, too.
    """
    single = [entry for entry in entries if entry.seeds == 1 and entry.standing != "not whole"]
    # the same bytes have the same scores: as a rule hardly any run is left whose files must be looked at
    alike = _repeated(single, lambda entry: (entry.score, entry.low, entry.high, entry.tuned, entry.standing))
    content = read_contents([entry.key for group in alike for entry in group]) if alike else {}
    known = [entry for group in alike for entry in group if entry.key in content]
    # a run that was trained on what it answers stays apart from one that was not
    twins = _repeated(known, lambda entry: (content[entry.key], entry.standing))
    by_key: dict[str, Entry | None] = {}
    for group in twins:
        first, *rest = sorted(group, key=lambda entry: (str(entry.created), entry.key))
        names = ", ".join(_name(entry) for entry in rest)
        members = tuple(run_id for entry in (first, *rest) for run_id in entry.members or ())
        by_key |= dict.fromkeys((entry.key for entry in rest), None)
        by_key[first.key] = replace(first, same_files=names, members=members)
    return [joined for entry in entries if (joined := by_key.get(entry.key, entry)) is not None]


def _repeated(entries: Iterable[Entry], of_entry: Callable[[Entry], Hashable]) -> list[list[Entry]]:
    """Return the groups of several entries that agree in what ``of_entry`` returns."""
    groups: dict[Hashable, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(of_entry(entry), []).append(entry)
    return [group for group in groups.values() if len(group) > 1]


def _name(entry: Entry) -> str:
    """Return ``expr/landmarks-mlp@0``, a name that every command takes."""
    return entry.name if entry.seed is None else f"{entry.name}@{entry.seed}"
