"""Numbers and names out of bytes at once, as Python's ``float`` and ``str`` read them."""

from __future__ import annotations

import numpy as np
import pytest

from harness.files.formats import FORMATS
from harness.files.parsing.blocks import cut
from harness.files.parsing.numbers import LONGEST, numbers


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
