"""Counts and names in words: one of a thing is written as one."""

from __future__ import annotations

import pytest

from harness.system.counts import counted, verb_for, with_seed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (with_seed("expr/tiny-mlp", 3), "expr/tiny-mlp, seed 3"),
        (with_seed("expr/tiny-mlp", 0), "expr/tiny-mlp, seed 0"),
        (with_seed("expr/blend", None), "expr/blend"),
        (counted(0, "video"), "0 videos"),
        (counted(1, "video"), "1 video"),
        (counted(1234, "test video"), "1,234 test videos"),
        (counted(2, "class"), "2 classes"),
        (counted(1, "video", "have"), "1 video has"),
        (counted(3, "video", "have"), "3 videos have"),
        (counted(1, "row", "lack"), "1 row lacks"),
        (verb_for(1, "are"), "is"),
        (verb_for(0, "are"), "are"),
    ],
)
def test_text_is_in_words(text, expected):
    assert text == expected
