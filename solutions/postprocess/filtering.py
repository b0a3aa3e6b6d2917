"""A pretrained classifier's word, taken where it is sure."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from solutions.postprocess.decisions import most_probable

Float = npt.NDArray[np.float64]
Contempt = Literal["wins", "ignored"]


def sure_of(classifier: Float, contempt: Contempt) -> tuple[npt.NDArray[np.uint8], Float]:
    """What the classifier says of each frame, and how sure it is: the left side of abaw10's eq. 2.

    Args:
        classifier: float64 ``(n, 8)``, smoothed probabilities, Contempt in the last column.
        contempt: ``wins``: where Contempt is the most probable, it is never sure; ``ignored``: it counts as absent.

    Returns:
        uint8 ``(n,)`` class, and float64 ``(n,)`` probability, at most 1; -1 where Contempt wins.
    """
    others = classifier[:, :-1]
    said = most_probable(others)
    confidence = others[:, 0].copy()
    for column in others.T[1:]:
        np.maximum(confidence, column, out=confidence)
    if contempt == "wins":
        confidence[classifier[:, -1] > confidence] = -1
    # rounding may leave a mean of ones above 1, and a threshold of 1 is never passed
    return said, np.minimum(confidence, 1, out=confidence)


def filtered(
    decisions: npt.NDArray[np.uint8], said: npt.NDArray[np.uint8], confidence: Float, threshold: float
) -> npt.NDArray[np.uint8]:
    """The classifier's class where its probability is above ``p0`` (abaw10, eq. 2), elsewhere what was decided.

    Args:
        decisions: uint8 ``(n,)``, classes decided without the filter.
        said, confidence: of :func:`sure_of`.
        threshold: ``p0``.
    """
    return np.where(confidence > threshold, said, decisions)
