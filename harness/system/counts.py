"""Counts, times and long lists in words: "1 run", "1,234 runs", "90 min", "… and 3 more"."""

from __future__ import annotations

from collections.abc import Sequence

_OF_ONE = {"are": "is", "do": "does", "have": "has", "were": "was"}


def counted(number: int, noun: str, verb: str = "") -> str:
    """Return ``1 video`` or ``1,234 videos``, with a verb ``1 video has`` or ``1,234 videos have``.

    Args:
        number: number of things.
        noun: name of one thing.
        verb: verb of several things, such as ``have``.

    >>> counted(1, "video", "have"), counted(2, "class"), counted(1, "row", "lack")
    ('1 video has', '2 classes', '1 row lacks')
    """
    things = noun if number == 1 else f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number:,} {things}" + (f" {verb_for(number, verb)}" if verb else "")


def verb_for(number: int, verb: str) -> str:
    """Return the verb of several things in the form for this number of things.

    >>> verb_for(1, "have"), verb_for(0, "have"), verb_for(1, "lack")
    ('has', 'have', 'lacks')
    """
    return _OF_ONE.get(verb, f"{verb}s") if number == 1 else verb


def with_seed(text: str, seed: int | None, seeds: int = 1) -> str:
    """Return a text with the seed behind it, such as ``expr/tiny-mlp, seed 3``; the text alone without a seed.

    Args:
        text: name of a solution, for one.
        seed: the seed.
        seeds: number of seeds, which is named in place of the seed if there are several.

    >>> with_seed("expr/tiny-mlp", 3), with_seed("expr/blend", None), with_seed("expr/tiny-mlp", 0, 5)
    ('expr/tiny-mlp, seed 3', 'expr/blend', 'expr/tiny-mlp, 5 seeds')
    """
    if seeds > 1:
        return f"{text}, {seeds} seeds"
    return text if seed is None else f"{text}, seed {seed}"


def first_of(texts: Sequence[str], shown: int, between: str) -> str:
    """Return the first texts, and the number of further ones.

    Args:
        texts: all of them, in order.
        shown: number of texts to write out.
        between: text between two texts, such as a line break.
    """
    more = [f"… and {len(texts) - shown:,} more"] if len(texts) > shown else []
    return between.join([*texts[:shown], *more])


def some(names: Sequence[str]) -> str:
    """Return the first five names, and ``…`` if there are more."""
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "")


def duration(seconds: float) -> str:
    """Return seconds in the unit that a person would choose.

    >>> [duration(0.42), duration(75), duration(5400), duration(200_000)]
    ['0.4 s', '75 s', '90 min', '55.6 h']
    """
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
