"""The words of an exception, free of this machine's paths."""

from __future__ import annotations


def said(error: Exception) -> str:
    """Return an exception's name and its first line, without the paths of this machine."""
    words = " ".join(str(error).strip().splitlines()[:1]).split()
    line = " ".join(word for word in words if "/" not in word)
    return f"{type(error).__name__}: {line[:90]}".rstrip(": ")
