"""Damaged and disguised files of every format against an oracle that shares no code with the project.

Nothing is called valid that the rule book does not allow, nothing is read otherwise than it says, and ``repair``
neither changes a value nor loses a row without a line that says so. ``--long`` tries 300,000 files.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path

import pytest

from harness.errors import SubmissionError
from harness.files.checking.submission import open_submission
from harness.files.formats import FORMATS
from harness.files.repair import repair
from harness.files.spelling import SPELLINGS
from tests.support.damage import damaged, right_file
from tests.support.strict_oracle import RULES, Rows, meant, strict

FILLED = ("missing frames taken from the nearest", "missing frames interpolated")
REMOVED = ("second rows for a frame, with the same value, removed",)
RESPELLED_VALUES = ("whole numbers written without a decimal point", "True and False written as 1 and 0")
REORDERED = "values put in the order of the columns"


def rows_of(submission) -> Rows:
    (checked,) = submission.parts.values()
    rows = checked.rows
    table = rows.values.reshape(len(rows), -1).astype(float).tolist()
    alone = checked.format.per_video
    keys = [("" if alone else rows.videos[v], k) for v, k in zip(rows.video.tolist(), rows.frame.tolist(), strict=True)]
    return {key: tuple(values) for key, values in zip(keys, table, strict=True)}


@pytest.mark.parametrize("name", RULES)
def test_right_file_of_each_format_is_valid_and_read_as_written(name, tmp_path, repetitions):
    dice = random.Random(name)
    for _ in range(repetitions(5, 200)):
        path = tmp_path / f"f{FORMATS[name].suffix}"
        path.write_bytes("\n".join([*right_file(name, dice), ""]).encode())
        submission = open_submission(path, task=FORMATS[name].task, known=False)
        assert submission.report.valid
        assert rows_of(submission) == strict(path.read_bytes(), RULES[name])
        out = tmp_path / "out"
        repair(path, out, task=FORMATS[name].task, force=True)
        assert out.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", RULES)
def test_damaged_file_is_never_called_valid_or_changed_unsaid(name, tmp_path, repetitions):
    counts = Counter()
    for seed in range(repetitions(80, 23_100)):
        dice = random.Random(f"{name} {seed}")
        path, out = tmp_path / f"f{FORMATS[name].suffix}", tmp_path / "out"
        path.write_bytes(damaged(name, dice))
        out.unlink(missing_ok=True)
        counts[_validated(path, name, seed)] += 1
        counts[_repaired(path, out, name, seed)] += 1
    assert counts["valid"] >= 2, counts
    assert counts["refused"] >= 5, counts
    assert counts["mended"] >= 5, counts


def _validated(path: Path, name: str, seed: int) -> str:
    data = path.read_bytes()
    try:
        submission = open_submission(path, task=FORMATS[name].task, known=False)
    except SubmissionError:
        return "unknown"
    if not submission.report.valid:
        return "not valid"
    rule = RULES[submission.format.name]  # AH has two formats for videos, told by the number of values
    expected = meant(data, rule)
    assert expected is not None, f"seed {seed}: called valid: {data!r}"
    assert rows_of(submission) == expected, f"seed {seed}: read otherwise: {data!r}"
    plain = all(code not in SPELLINGS for _, code in submission.report.counts)
    assert (strict(data, rule) is not None) == plain, f"seed {seed}: {submission.report.problems} of {data!r}"
    return "valid"


def _repaired(path: Path, out: Path, name: str, seed: int) -> str:
    before = path.read_bytes()
    try:
        done = repair(path, out, task=FORMATS[name].task)
    except SubmissionError:
        assert not out.exists()
        assert path.read_bytes() == before
        return "refused"
    after = strict(out.read_bytes(), RULES[name]) or strict(out.read_bytes(), RULES["AH-labels"])
    after = after or strict(out.read_bytes(), RULES["AH-trials"])
    assert after is not None, f"seed {seed}: mended, and still wrong: {before!r}"
    if not done.changes:
        assert out.read_bytes() == before, f"seed {seed}: changed unsaid: {before!r}"
        return "right"
    _check_values(before, out.read_bytes(), done.changes, seed)
    return "mended"


def _check_values(before: bytes, after: bytes, changes, seed: int) -> None:
    """Values of rows by what stands before them: none new but what was filled, none gone but what was removed."""
    parted = "fields parted by commas" in changes
    old, new = _texts(before, parted=parted), _texts(after)
    if changes.get("header written as it belongs"):  # what it was before is no row's
        old -= _first_words(before, parted=parted)
    filled = sum(changes.get(words, 0) for words in FILLED)
    removed = sum(changes.get(words, 0) for words in REMOVED)
    if changes.get(REORDERED) or any(changes.get(words) for words in RESPELLED_VALUES):
        assert sum(new.values()) == sum(old.values()) - removed + filled, f"seed {seed}: {changes} of {before!r}"
        return
    gone, come = old - new, new - old
    assert sum(gone.values()) <= removed, f"seed {seed}: lost {gone} with {changes} of {before!r}"
    assert sum(come.values()) <= filled, f"seed {seed}: made up {come} with {changes} of {before!r}"
    assert sum(new.values()) == sum(old.values()) - removed + filled, f"seed {seed}: {changes} of {before!r}"


def _texts(data: bytes, *, parted: bool = False) -> Counter:
    """The text of each row's values without spaces, quotes and commas at its end; no headers, no blank lines.

    Args:
        parted: semicolons and tabs part fields, too.
    """
    heads = {_bare(rule.header) for rule in RULES.values() if rule.header} | {_bare("Frame_Num,Label"), "image,label"}
    headers = [sorted(head.split(",")) for head in heads]
    texts = Counter()
    for line in _lines(data):
        line = re.sub(r"\s*;\s*" if ";" in line else "\t", ",", line) if parted else line
        bare = re.sub(r"^[^\w./,+-]+", "", "".join(line.replace('"', "").split()).rstrip(","))
        if bare and sorted(bare.casefold().split(",")) not in headers:
            texts[bare.partition(",")[2] if any(c in bare for c in "/.") or "," in bare else bare] += 1
    return texts


def _lines(data: bytes) -> list[str]:
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    text = data.decode(encoding)
    return (text.replace("\r\n", "\n") if "\n" in text else text.replace("\r", "\n")).split("\n")


def _first_words(data: bytes, *, parted: bool) -> Counter:
    """The first line that holds something, as :func:`_texts` counts it, if it has a column's name, or no values."""
    first = next((line for line in _lines(data) if line.strip()), "")
    found = _texts(first.encode(), parted=parted)
    row = re.search(r'(^|[,;\t])["\s]*[-+0-9.]|/.*[0-9]|[0-9].*/', first)
    names = {name for rule in RULES.values() for name in _bare(rule.header or "").split(",") if name}
    named = names & set(re.split("[,;\t]", _bare(first).replace('"', "")))
    return Counter() if "" in found or (row and not named) else found


def _bare(header: str) -> str:
    return "".join(header.split()).casefold()
