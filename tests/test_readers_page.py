"""The page of readers is that of its JSON, and what measures it reads frames and counts them right."""

from __future__ import annotations

import importlib
import json
import re

import numpy as np
import pytest

from findings.tables.__main__ import AUDIO, MORE, VIDEO, counted_frames, ranges
from findings.tables.environments import PINS
from findings.tables.page import page
from tests.support.numbered_films import numbered
from tests.support.places import REPOSITORY

FINDINGS = REPOSITORY / "findings"
TABLES = json.loads((REPOSITORY / "docs/readers.json").read_text(encoding="utf-8"))


def test_page_is_made_of_its_json():
    assert page(TABLES) == (REPOSITORY / "docs/readers.md").read_text(encoding="utf-8")


def test_page_has_the_pinned_versions():
    assert TABLES["pins"] == PINS
    pins = {tuple(pin.split("==")) for pinned in PINS.values() for pin in pinned}
    measured = {pair for reader in TABLES["video"].values() for pair in reader["versions"].items()}
    assert measured <= pins


def test_every_reader_was_run():
    assert TABLES["not_run"] == TABLES["failed"] == {}
    assert {*VIDEO, *AUDIO, *MORE} <= PINS.keys()
    assert all(
        (FINDINGS / "tables/readers" / name).is_file() for part in (VIDEO, AUDIO, MORE) for name in part.values()
    )


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([0, 1, 2, 3], "0-3"), ([0, 0, 0, 1, 2], "0 x3, 1-2"), ([5], "5"), ([8, 9, 9, 9], "8-9, 9 x2"),
     ([0, 1, 7, 8, None, None], "0-1, 7-8, ? x2"), ([], "")],
)  # fmt: skip
def test_ranges_hold_every_frame(numbers, text):
    assert ranges(numbers) == text


def test_counts_tell_repeats_from_frames_that_never_come():
    numbers = [*range(16, 40), 39, None]
    counts = counted_frames("cut.mp4", numbers)  # which shows the frames 16 to 49
    expected = {"count": 25, "first": 16, "repeated": 1, "never": 10, "fails_from": 25, "in_turn": None, "right": False}
    assert counts == expected
    assert counted_frames("cut.mp4", list(range(16, 50)))["right"]


@pytest.mark.parametrize("size", [(64, 48), (63, 47), (48, 64)])
def test_numbers_are_read_upright_and_lying(size, monkeypatch):
    monkeypatch.syspath_prepend(FINDINGS / "tables/readers")
    frames = importlib.import_module("frames")
    for k in range(0, 256, 5):
        image = numbered(k, size)
        assert frames.number_in(image) == frames.number_in(np.rot90(image)) == k


def test_every_script_has_a_guess_and_a_row():
    scripts = {path.name for path in FINDINGS.glob("*.sh")}
    for name in ("README.md", "guesses.md"):
        rows = re.findall(r"^\| `([\w-]+\.sh)` \|", (FINDINGS / name).read_text(encoding="utf-8"), re.MULTILINE)
        assert sorted(rows) == sorted(scripts)


def test_guesses_all_have_a_result_and_misses_are_counted():
    text = (FINDINGS / "guesses.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \|.*\| (.+) \|$", text, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, len(rows) + 1))
    misses = sum("**miss**" in result for _, result in rows)
    assert f"Of {len(rows)} guesses about the tables {misses} were misses." in text
