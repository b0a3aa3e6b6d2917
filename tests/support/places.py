"""Folders that tests name: the checkout, and the data beside it, which is not part of it."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SHARED = REPOSITORY.parent / "shared"
REAL = SHARED / "real"
