"""Editions of the competition that a submission can belong to, by its rows, its run or its data set."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from harness.files.format import Format
from harness.tasks import AH, AHV, EMI

PREFIX = "Videos/"
"""Beginning of the names of BAH's videos in the packs of editions 10 and 11; those of edition 8 begin with a person."""

BY_FRAME, BY_VIDEO = frozenset({8}), frozenset({10, 11})
"""Editions of BAH, whose packs and splits differ: edition 8 scored frames (AH), 10 and 11 score videos (AHV)."""


@dataclass(frozen=True)
class Evidence:
    """Evidence of the editions that a submission can belong to.

    Attributes:
        source: origin of the evidence in words, such as ``names of its videos begin with Videos/``.
        editions: editions that the submission can belong to.
    """

    source: str
    editions: frozenset[int]


def editions_of_names(format: Format, names: Collection[str]) -> list[Evidence]:
    """Return the evidence of editions in the format of a file and the names of its videos.

    Args:
        format: format of the file.
        names: names of the file's videos.
    """
    if format.task == EMI.name:
        return [Evidence(f"the format is {format.name}", frozenset(format.editions))]
    if format.task not in (AH.name, AHV.name):
        return []
    evidence = [Evidence(f"the format is {format.name}", frozenset(format.editions))]
    later = {name.startswith(PREFIX) for name in names}
    if later == {True}:
        evidence.append(Evidence(f"names of its videos begin with {PREFIX}", BY_VIDEO))
    elif later == {False}:
        evidence.append(Evidence(f"names of its videos begin without {PREFIX}", BY_FRAME))
    return evidence


def common_editions(evidence: Iterable[Evidence]) -> frozenset[int] | None:
    """Return the editions that all evidence allows; ``None`` without evidence."""
    sets = [one.editions for one in evidence]
    return frozenset.intersection(*sets) if sets else None


def in_words(editions: Collection[int]) -> str:
    """Return ``edition 8``, or ``editions 10 and 11``."""
    *first, last = map(str, sorted(editions))
    return f"editions {', '.join(first)} and {last}" if first else f"edition {last}"


def contradiction(task: str, edition: int, evidence: Sequence[Evidence], command: str) -> str:
    """Return the evidence against an edition, with the right command; ``""`` without any.

    Args:
        task: short name of the submission's task.
        edition: edition for which the submission is to be counted.
        evidence: evidence of the editions that the submission can belong to.
        command: command that counts the submission, without its option ``--edition``.
    """
    against = [one for one in evidence if edition not in one.editions]
    if not against:
        return ""
    reasons = "; ".join(f"{one.source}: {in_words(one.editions)}" for one in against)
    allowed = common_editions(evidence) or frozenset()
    if allowed:
        return f"not of edition {edition}: {reasons}. Run: {command} --edition {max(allowed)}"
    if task in (AH.name, AHV.name):
        do = (
            f"Edition 8 takes frames: run a solution of {AH.name} on its packs. Editions 10 and 11 take videos: run "
            f"one of {AHV.name} on theirs, whose names begin with {PREFIX}"
        )
        return f"of no edition: {'; '.join(f'{one.source}: {in_words(one.editions)}' for one in evidence)}. {do}"
    return f"of no edition: {reasons}"
