"""Decisions of a run after each step of its post-processing: ``steps.npz``, one float16 array per video.

Columns are the head's class, the class after each step, then as many probabilities of these classes. Classes are whole
numbers, which float16 holds exactly. Probabilities are kept of frames in which a step changed the class, and are 0
elsewhere, so that the file stays small.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.errors import DataError
from harness.metrics.steps import StepTrace
from harness.records.scores import read_arrays, write_arrays
from harness.system.counts import counted

STEPS_FILE = "steps.npz"


def write_traces(path: Path, traces: Mapping[str, StepTrace]) -> None:
    """Write the classes and probabilities of every video.

    Args:
        path: the file to write.
        traces: decisions after each step by video, of a task with classes.

    Raises:
        StorageError: the file can't be written.
    """
    write_arrays(path, {video: _packed(trace) for video, trace in traces.items()})


def _packed(trace: StepTrace) -> npt.NDArray[np.float16]:
    if trace.probabilities is None:
        raise ValueError("only classes have probabilities to keep")
    changed = (trace.decisions != trace.decisions[:, :1]).any(1, keepdims=True)
    kept_probabilities = np.where(changed, trace.probabilities, np.float16(0))
    return np.concatenate([trace.decisions.astype(np.float16), kept_probabilities], axis=1)


def read_traces(folder: Path, n_classes: int, n_steps: int) -> dict[str, StepTrace]:
    """Return the classes and probabilities that a run stored for each step, by video.

    The file is checked against the hash in the run's record.

    Args:
        folder: the run's folder.
        n_classes: number of classes of the run's task.
        n_steps: number of steps in the run's record.

    Raises:
        DataError: the file is unreadable, was changed since the run, or holds something else than classes.
    """
    arrays = read_arrays(folder, STEPS_FILE, np.float16)
    for video, values in arrays.items():
        decisions = values[:, : 1 + n_steps]
        is_class = (decisions >= 0) & (decisions < n_classes) & (decisions == np.floor(decisions))
        if values.shape[1] != 2 * (1 + n_steps) or not is_class.all():
            expected = f"{counted(1 + n_steps, 'class')} below {n_classes}, and as many probabilities"
            where, do = f"{folder / STEPS_FILE}!{video}.npy", "Make the run again with --fresh"
            raise DataError("not the steps of this run", where=where, expected=expected, do=do)
    return {
        video: StepTrace(values[:, : 1 + n_steps].astype(np.uint8), values[:, 1 + n_steps :])
        for video, values in arrays.items()
    }
