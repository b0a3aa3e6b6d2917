"""Counts and names in words: one of a thing is written as one."""

from __future__ import annotations

import pytest

from harness.system.counts import counted, with_seed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (with_seed("expr/tiny-mlp", 3), "expr/tiny-mlp, seed 3"),
        (with_seed("expr/tiny-mlp", 0), "expr/tiny-mlp, seed 0"),
        (with_seed("expr/blend", None), "expr/blend"),
        (counted(0, "video"), "0 videos"),
        (counted(1, "video"), "1 video"),
        (counted(1234, "test video"), "1,234 test videos"),
    ],
)
def test_text_is_in_words(text, expected):
    assert text == expected
