"""Confidence filter: a pretrained classifier overrides the decision where it is sure."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from solutions.postprocess.decisions import most_probable

Float = npt.NDArray[np.float64]
Contempt = Literal["wins", "ignored"]


def sure_of(classifier: Float, contempt: Contempt) -> tuple[npt.NDArray[np.uint8], Float]:
    """Return the classifier's most probable class for each frame, and its probability: the left side of abaw10's eq. 2.

    Args:
        classifier: float64 ``(n, 8)``, smoothed probabilities, Contempt in the last column.
        contempt: ``wins``: the classifier is never sure where Contempt is the most probable class; ``ignored``:
            Contempt is left out.

    Returns:
        uint8 ``(n,)`` class, and float64 ``(n,)`` probability, at most 1; -1 where Contempt wins.
    """
    others = classifier[:, :-1]
    classes = most_probable(others)
    confidence = others[:, 0].copy()
    for column in others.T[1:]:
        np.maximum(confidence, column, out=confidence)
    if contempt == "wins":
        confidence[classifier[:, -1] > confidence] = -1
    # rounding may lift a mean of ones above 1, but a threshold of 1 must never be passed
    return classes, np.minimum(confidence, 1, out=confidence)


def filtered(
    decisions: npt.NDArray[np.uint8], classes: npt.NDArray[np.uint8], confidence: Float, threshold: float
) -> npt.NDArray[np.uint8]:
    """Return the classifier's class where its probability is above ``p0`` (abaw10, eq. 2), elsewhere the decision.

    Args:
        decisions: uint8 ``(n,)``, classes decided without the filter.
        classes: uint8 ``(n,)``, the classifier's classes from :func:`sure_of`.
        confidence: float64 ``(n,)``, their probabilities from :func:`sure_of`.
        threshold: ``p0``.
    """
    return np.where(confidence > threshold, classes, decisions)
