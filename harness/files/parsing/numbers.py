"""Millions of numbers out of text at once, each exactly as Python's ``float`` reads it."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

Bytes = npt.NDArray[np.uint8]
Index = npt.NDArray[np.intp]

LONGEST = 32
"""Bytes that must follow the last number, whatever they are: numbers are read through windows of up to this width."""

_DOT, _MINUS, _ZERO, _SPACE = b".-0 "
_CHUNK = 1 << 16  # rows that are looked at together: what is made of them stays in the processor's cache
_MOST_DECIMALS = 14  # one digit more is still exact in float64, and so is the quotient by a power of ten
_BYTES = np.zeros(256, bool)
_BYTES[list(b"+-.0123456789eE")] = True


def windows(block: Bytes, at: Index, width: int) -> Bytes:
    """``width`` bytes from each place, ``(len(at), width)``, a copy."""
    return sliding_window_view(block, width)[at] if width else np.empty((len(at), 0), np.uint8)


def numbers(block: Bytes, low: Index, high: Index) -> npt.NDArray[np.float64] | None:
    """The numbers in ``block[low:high]``.

    Args:
        block: text, with :data:`LONGEST` bytes behind the last number.
        low, high: ``(n,)``, where each begins and ends.

    Returns:
        float64 ``(n,)``; ``None`` if anything is no number.
    """
    if not len(low):
        return np.empty(0)
    plain = _plain(block, low, high)
    return _any(block, low, high) if plain is None else plain


def _plain(block: Bytes, low: Index, high: Index) -> npt.NDArray[np.float64] | None:
    """Numbers such as ``-0.123``, ``1`` or ``-5``: one digit, then decimals, as a whole number over a power of ten."""
    minus = block[low] == _MINUS
    start = low + minus
    length = high - start
    width = max(int(length.max()), 2)
    if not (length.min() >= 1 and width <= _MOST_DECIMALS + 2):
        return None
    equal, column = length.min() == width, np.arange(width)
    weights = 10.0 ** np.array([width - 2, 0, *range(width - 3, -1, -1)])
    weights[1] = 0
    out = np.empty(len(low))
    for at in range(0, len(low), _CHUNK):
        part = slice(at, at + _CHUNK)
        text = windows(block, start[part], width)
        digits = text - _ZERO
        if not equal:
            digits *= column < length[part, None]
        dotted = text[:, 1] == _DOT
        if not (dotted if equal else dotted | (length[part] == 1)).all():
            return None
        digits[:, 1] = 0
        if (digits > 9).any():
            return None
        out[part] = digits @ weights
    out /= weights[0]
    return np.where(minus, -out, out)


def _any(block: Bytes, low: Index, high: Index) -> npt.NDArray[np.float64] | None:
    """Numbers written in any way."""
    length = high - low
    width = int(length.max())
    if not (length.min() >= 1 and width < LONGEST):
        return None
    out = np.empty(len(low))
    for at in range(0, len(low), _CHUNK):
        part = slice(at, at + _CHUNK)
        text = windows(block, low[part], width + 1)  # a space at least behind each
        outside = np.arange(width + 1) >= length[part, None]
        if not (_BYTES[text] | outside).all():
            return None
        text[outside] = _SPACE
        own = _read(text.tobytes())
        if own is None or len(own) != len(text):
            return None
        out[part] = own
    return out


def _read(text: bytes) -> npt.NDArray[np.float64] | None:
    """Numbers with spaces between and behind them; ``None`` if any can't be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # how NumPy says that it stopped half-way
        try:
            return np.fromstring(text, np.float64, sep=" ")
        except (DeprecationWarning, ValueError):
            return None
