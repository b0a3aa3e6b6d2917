"""Fast reader of millions of numbers in text, each exactly as Python's ``float`` reads it."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

Bytes = npt.NDArray[np.uint8]
Index = npt.NDArray[np.intp]
Words = npt.NDArray[np.uint64]

LONGEST = 32
"""Number of bytes, of any value, that must follow the last number: windows of up to this width read the numbers."""

_MINUS, _ZERO, _SPACE = b"-0 "
_CHUNK = 1 << 13  # rows processed together, whose arrays fit the processor's cache
_WORD = 8
_MOST_DECIMALS = 14  # one digit more is still exact in float64, and so is the quotient by a power of ten
_LONGEST_PLAIN = _MOST_DECIMALS + 2
_BYTES = np.zeros(256, bool)
_BYTES[list(b"+-.0123456789eE")] = True


def _every(byte: int) -> np.uint64:
    """Return a word of eight equal bytes."""
    return np.uint64(int.from_bytes(bytes([byte] * _WORD), "little"))


def _word(text: bytes) -> int:
    """Return text as a word whose lowest byte is the first character."""
    return int.from_bytes(text, "little")


KEEP = np.array([_word(b"\xff" * k) for k in range(_WORD + 1)], np.uint64)
"""Masks of the first k characters of a word."""

_HIGH, _SIX, _ZEROS = _every(0xF0), _every(6), _every(_ZERO)
_DECIMAL = np.uint64(_word(b"0.000000"))
# of a decimal's differences from 0.000000, digits are at most 9, and that of the dot is 0
_SIX_BUT_DOT, _HIGH_AND_DOT = np.uint64(int(_SIX) & ~0xFF00), np.uint64(int(_HIGH) | 0xFF00)
# multipliers that join neighbours to pairs, pairs to fours, fours to eight digits; masks of the joined
_TO_PAIRS, _TO_FOURS, _TO_EIGHT = np.uint64(1 + (10 << 8)), np.uint64(1 + (100 << 16)), np.uint64(1 + (10_000 << 32))
_PAIRS, _FOURS = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)
_UNIT, _UNIT_MOVED, _SIGN = np.uint64(0x0F), np.uint64(0xFF), np.uint64(63)
_NOUGHTS = _word(b"0" * _WORD)
# Zeros for the characters of two words that a number of k lacks; a number of one digit gets its dot, too.
_FILL = np.array([[_NOUGHTS & ~int(KEEP[min(max(k - at, 0), _WORD)]) for k in range(_LONGEST_PLAIN + 1)]
                  for at in (0, _WORD)], np.uint64)  # fmt: skip
_FILL[0, 1] = _word(b"\0.000000")
_KEPT = KEEP[np.clip(np.arange(_LONGEST_PLAIN + 1) - [[0], [_WORD]], 0, _WORD)]


def words(block: Bytes) -> Words:
    """Return a view of the eight bytes from each place on, the first of them lowest; ``(len(block) - 7,)``."""
    return np.ndarray((max(len(block) - _WORD + 1, 0),), "<u8", buffer=block, strides=(1,))


def pairs(block: Bytes) -> npt.NDArray[np.uint16]:
    """Return a view of the two bytes from each place on, the first of them lower; ``(len(block) - 1,)``."""
    return np.ndarray((max(len(block) - 1, 0),), "<u2", buffer=block, strides=(1,))


def read_digits(text: Words) -> tuple[Words, bool]:
    """Return the whole numbers that words of eight digits spell, and True if all characters are digits."""
    digits = text ^ _ZEROS
    plain = not (np.bitwise_or.reduce((digits + _SIX) | digits, initial=0) & _HIGH)
    return _eight(digits), plain


def read_decimals(text: Words) -> tuple[Words, bool]:
    """Return the millionths that words such as ``0.250000`` spell, and True if all words have this form."""
    digits = text ^ _DECIMAL
    plain = not (np.bitwise_or.reduce((digits + _SIX_BUT_DOT) | digits, initial=0) & _HIGH_AND_DOT)
    digits += (digits & _UNIT) * _UNIT_MOVED  # the digit before the dot takes its place
    return _eight(digits), plain


def last_decimals(text: Words, end: Index, length: int, minus: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64] | None:
    """Return the numbers that end at some places and have the same number of characters, such as ``0.2500``.

    Args:
        text: words of the text.
        end: place behind each number's last character, at least 8.
        length: characters of each number without its sign, from 3 to 8.
        minus: True for negative numbers.

    Returns:
        float64 ``(n,)``; ``None`` if any text is another than a digit, a dot and digits.
    """
    shift = np.uint64(8 * (_WORD - length))
    fill = np.uint64(_NOUGHTS & ~int(KEEP[length]))
    number, plain = read_decimals((text[end - _WORD] >> shift) | fill)
    return _signed(number / 10.0 ** (_WORD - 2), minus) if plain else None


def _signed(value: npt.NDArray[np.float64], minus: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return numbers with their signs, zeros included; the array itself is changed."""
    bits = value.view(np.uint64)
    bits |= minus.astype(np.uint64) << _SIGN
    return value


def _eight(digits: Words) -> Words:
    """Return the whole numbers of eight digits, one per byte: neighbours are joined to pairs, to fours, to all."""
    joined = digits * _TO_PAIRS
    joined >>= np.uint64(8)
    joined &= _PAIRS
    joined *= _TO_FOURS
    joined >>= np.uint64(16)
    joined &= _FOURS
    joined *= _TO_EIGHT
    joined >>= np.uint64(32)
    return joined


def windows(block: Bytes, at: Index, width: int) -> Bytes:
    """Return ``width`` bytes from each place on, uint8 ``(len(at), width)``, a copy."""
    return sliding_window_view(block, width)[at] if width else np.empty((len(at), 0), np.uint8)


def numbers(block: Bytes, low: Index, high: Index) -> npt.NDArray[np.float64] | None:
    """Return the numbers in ``block[low:high]``.

    Args:
        block: text, with :data:`LONGEST` bytes behind the last number.
        low: ``(n,)``, place of each number's first byte.
        high: ``(n,)``, place behind each number's last byte.

    Returns:
        float64 ``(n,)``; ``None`` if any text is no number.
    """
    if not len(low):
        return np.empty(0)
    plain = _plain(block, low, high)
    return _any(block, low, high) if plain is None else plain


def _plain(block: Bytes, low: Index, high: Index) -> npt.NDArray[np.float64] | None:
    """Return numbers such as ``-0.123``, ``1`` or ``-5``: one digit, then decimals; ``None`` for any other form.

    Each is computed as a whole number over a power of ten.
    """
    text = words(block)
    out = np.empty(len(low))
    for at in range(0, len(low), _CHUNK):
        part = slice(at, at + _CHUNK)
        minus = block[low[part]] == _MINUS
        start = low[part] + minus
        length = high[part] - start
        shortest, longest = int(length.min()), int(length.max())
        if shortest < 1 or longest > _LONGEST_PLAIN:
            return None
        first = text[start]
        if not shortest == longest == _WORD:
            first = (first & _KEPT[0][length]) | _FILL[0][length]
        number, plain = read_decimals(first)
        decimals = _WORD - 2
        if longest > _WORD:
            behind, digits = read_digits((text[start + _WORD] & _KEPT[1][length]) | _FILL[1][length])
            number, plain, decimals = number * np.uint64(10**_WORD) + behind, plain and digits, _MOST_DECIMALS
        if not plain:
            return None
        out[part] = _signed(number / 10.0**decimals, minus)
    return out


def _any(block: Bytes, low: Index, high: Index) -> npt.NDArray[np.float64] | None:
    """Return numbers written in any way; ``None`` if any text is no number."""
    length = high - low
    width = int(length.max())
    if not (length.min() >= 1 and width < LONGEST):
        return None
    out = np.empty(len(low))
    for at in range(0, len(low), _CHUNK):
        part = slice(at, at + _CHUNK)
        text = windows(block, low[part], width + 1)  # with at least one space behind each
        outside = np.arange(width + 1) >= length[part, None]
        if not (_BYTES[text] | outside).all():
            return None
        text[outside] = _SPACE
        read = _read(text.tobytes())
        if read is None or len(read) != len(text):
            return None
        out[part] = read
    return out


def _read(text: bytes) -> npt.NDArray[np.float64] | None:
    """Return numbers with spaces between and behind them; ``None`` if any text is no number."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # how NumPy says that it stopped half-way
        try:
            return np.fromstring(text, np.float64, sep=" ")
        except (DeprecationWarning, ValueError):
            return None
