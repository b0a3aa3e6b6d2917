"""Numbers and names out of bytes at once, as Python's ``float`` and ``str`` read them."""

from __future__ import annotations

import random

import numpy as np
import pytest

from harness.files.formats import FORMATS
from harness.files.parsing.blocks import cut
from harness.files.parsing.lines import read_lines
from harness.files.parsing.numbers import LONGEST, numbers
from harness.files.report import Report
from harness.files.spelling import is_plain


def read(texts):
    """Numbers of texts with commas between, as a file has them."""
    data = ",".join(texts).encode() + b"\n" * LONGEST
    ends = np.cumsum([len(text) + 1 for text in texts]) - 1
    return numbers(np.frombuffer(data, np.uint8), np.concatenate([[0], ends[:-1] + 1]), ends)


def drawn(decimals, n=2000):
    rng = np.random.default_rng(decimals)
    return [f"{value:.{decimals}f}" for value in rng.uniform(-1, 1, n)]


@pytest.mark.parametrize("decimals", [0, 1, 2, 5, 6, 7, 8, 13, 14, 15, 17])
def test_numbers_of_equal_length_are_exact(decimals):
    texts = drawn(decimals)
    assert read(texts).tobytes() == np.array([float(text) for text in texts]).tobytes()


def test_numbers_of_any_length_are_exact():
    texts = [text for decimals in range(18) for text in drawn(decimals, 300)]
    texts += ["1.", "-1.", "0", "-0", "-5", "1e-3", "+.5", "0.1e1", *(repr(float(text)) for text in drawn(16))]
    np.random.default_rng(0).shuffle(texts)
    assert read(texts).tobytes() == np.array([float(text) for text in texts]).tobytes()


@pytest.mark.parametrize("text", ["", "-", ".", "--1", "0.1a", "a.10", "0/25", "0:25", ":.25", "0.2 ", "0.\x00", "1-2"])
def test_numbers_with_another_character_are_refused(text):
    assert read(["0.250000", text]) is None
    assert read([text, "0.250000"]) is None


def rows(body, format="VA"):
    return cut(body.encode(), 0, FORMATS[format])


def test_names_of_any_length_keep_their_rows():
    names = ["v", "12345678", "123456789", "a" * 16, "a" * 15 + "b", "b" + "a" * 15, "12345679", "ü-video 1"]
    lines = [f"{name}/{frame:05d}.jpg,0.5,-0.25" for name in names for frame in (1, 2, 99999)]
    found = rows("\n".join(lines) + "\n")
    assert found.videos == tuple(names)
    assert found.video.tolist() == [k for k in range(len(names)) for _ in range(3)]
    assert found.frame.tolist() == [1, 2, 99999] * len(names)
    assert found.values.tolist() == [[0.5, -0.25]] * len(lines)


def test_a_file_of_many_pieces_is_cut_as_lines_are():
    rng = np.random.default_rng(0)
    lines = [f"video{rng.integers(30)}/{k % 99999:05d}.jpg,{x:.6f},{y:.3f}"
             for k, (x, y) in enumerate(rng.uniform(-1, 1, (80_000, 2)), 1)]  # fmt: skip
    body = "\n".join(lines)
    assert len(body) > 1 << 21
    found = rows(body)
    fields = [line.split(",") for line in lines]
    assert [found.videos[k] for k in found.video] == [field[0].split("/")[0] for field in fields]
    assert found.frame.tolist() == [int(field[0][-9:-4]) for field in fields]
    assert found.values.tolist() == [[float(x), float(y)] for _, x, y in fields]
    assert not found.repeated()


@pytest.mark.parametrize(
    "line",
    ["v/0001.jpg,0,0", "v/000a1.jpg,0,0", "v/00001.jpeg,0,0", "v-00001.jpg,0,0", "v/00001.jpg,0", "v/00001jpg,0,0,0"],
)
def test_a_row_of_another_form_is_left_to_the_lines(line):
    good = "v/00002.jpg,0,0\n"
    assert rows(good) is not None
    assert rows(f"{good}{line}\n") is None
    assert rows(f"{line}\n{good}") is None


def even_file(dice, decimals=6):
    """Counts of frames, and lines whose numbers all have as many decimals, as most programs write them."""
    letters = "aBc1_-"
    lengths = [dice.randint(1, 30) for _ in range(dice.randint(1, 6))]
    counts = {"".join(dice.choices(letters, k=n)) + "v": dice.randint(1, 40) for n in lengths}
    value = lambda: f"{dice.choice([0.0, -0.0, 1.0, -1.0, *(dice.uniform(-1, 1) for _ in range(6))]):.{decimals}f}"  # noqa: E731
    lines = [f"{name}/{k:05d}.jpg,{value()},{value()}" for name, n in counts.items() for k in range(1, n + 1)]
    return counts, lines


def same_rows(a, b):
    shown = [(rows.videos, rows.video.tolist(), rows.frame.tolist(), rows.values.tobytes()) for rows in (a, b)]
    return shown[0] == shown[1]


def by_line(body):
    report = Report("", "")
    return read_lines(body, 1, FORMATS["VA"], report), report


@pytest.mark.parametrize("decimals", range(1, 9))
def test_even_numbers_are_read_as_lines_are(decimals):
    for seed in range(20):
        counts, lines = even_file(random.Random(seed), decimals)
        body = "\n".join([*lines, ""])
        expected, report = by_line(body)
        assert not report.n_errors
        for known in (counts, {}, counts | {next(iter(counts)): 7}, dict.fromkeys(counts, 99_999)):
            assert same_rows(cut(body.encode(), 0, FORMATS["VA"], counts=known), expected)
        assert same_rows(cut(body[:-1].encode(), 0, FORMATS["VA"], counts=counts), expected)


def test_rows_in_another_order_than_foreseen_are_read():
    counts, lines = even_file(random.Random(1))
    for shown in (lines[::-1], lines[3:], lines[:-3], lines[5:] + lines[:5]):
        body = "\n".join([*shown, ""])
        assert same_rows(cut(body.encode(), 0, FORMATS["VA"], counts=counts), by_line(body)[0])


def test_one_changed_character_is_read_as_lines_are(repetitions):
    for seed in range(repetitions(60, 5000)):
        dice = random.Random(seed)
        counts, lines = even_file(dice, dice.randint(1, 7))
        body = list("\n".join([*lines, ""]))
        for _ in range(20):
            damaged = list(body)
            at = dice.randrange(len(body))
            damaged[at : at + dice.randint(0, 1)] = dice.choice(["", *'0129.,-+/e \n\r\t"j\0:;~'])
            text = "".join(damaged)
            fast = cut(text.encode(), 0, FORMATS["VA"], counts=counts)
            if fast is not None and not fast.repeated() and all(is_plain(v, FORMATS["VA"]) for v in fast.videos):
                expected, report = by_line(text)
                assert not report.n_errors, (seed, at)
                assert same_rows(fast, expected)


def test_many_pieces_with_an_odd_row_are_read_as_lines_are():
    rng = np.random.default_rng(1)
    counts = {f"video{k}": 4000 for k in range(12)}
    lines = [
        f"{name}/{k:05d}.jpg,{x:.6f},{y:.6f}"
        for name, n in counts.items()
        for k, (x, y) in enumerate(rng.uniform(-1, 1, (n, 2)), 1)
    ]
    lines[30_000] = f"{lines[30_000].split(',')[0]},1e-1,0.5"
    body = "\n".join([*lines, ""])
    expected, report = by_line(body)
    assert not report.n_errors
    assert same_rows(cut(body.encode(), 0, FORMATS["VA"], counts=counts), expected)
