"""Options of a run's record as flags of a command, to repeat the run, for example on another split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

OF_DATA = ("crops", "annotations", "ignore_lengths")
"""Options that decide which files of a data set are read."""
OF_RUN = (*OF_DATA, "device", "backend", "precision", "weights", "stride")
"""Options that decide the result of a run, those of the data set first."""
FRAMES_LEFT_OUT = "--stride"
"""Option in the note of a run whose encoder left frames out."""
RANDOM_WEIGHTS = "--weights random"
"""Option in the note of a run whose networks were not pretrained."""
_SWITCHES = ("ignore_lengths",)


def flags_of(options: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Return options of a run's record as a command line gives them; those without a value are left out.

    Example:
        >>> flags_of({"stride": "3", "ignore_lengths": "True"}, OF_RUN)
        ['--ignore-lengths', '--stride', '3']
    """
    flags = []
    for name in names:
        if value := options.get(name):
            flags += [f"--{name.replace('_', '-')}", *([] if name in _SWITCHES else [str(value)])]
    return flags
