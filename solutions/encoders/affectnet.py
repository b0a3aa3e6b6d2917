"""AffectNet's classes in the order of the face networks' outputs, and their conversion to Aff-Wild2's order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.errors import SolutionError

CLASSES = ("Anger", "Contempt", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise")
"""Order of a network's first eight outputs: AffectNet's eight classes by alphabet (EmotiEffLib's table)."""

VALENCE, AROUSAL = 8, 9
"""Outputs of the multi-task networks (``*_mtl``) after the classes: linear, without activation, about [-1, 1]."""

TO_AFFWILD2 = (5, 0, 2, 3, 4, 6, 7, 1)
"""AffectNet's number of Neutral, Anger, Disgust, Fear, Happiness, Sadness, Surprise, Other: Aff-Wild2's order.

AffectNet lacks the class Other, and Aff-Wild2 lacks Contempt: the papers' authors put Contempt in the last place. A
frame that a pretrained classifier decides as Contempt thus counts as Other. The confidence filter ignores this class:
abaw10 (eq. 2, and the sentence below it) leaves a frame to the trained head if the most probable class is Contempt; the
authors' code chooses among the first seven only, ``probabilities(logits)[:, :7]``, where Contempt keeps its share of
the softmax. From a threshold of 0.5 on both are the same. Embeddings are independent of the order.
"""


def probabilities(logits: npt.NDArray[np.float16 | np.float32 | np.float64]) -> npt.NDArray[np.float32]:
    """Return a pretrained classifier's probabilities in Aff-Wild2's order.

    The softmax is over all eight classes of a row. (One of the authors' notebooks subtracts the maximum of the whole
    array, which has the same result. Two subtract the maximum of each column, which adds an offset to each class.)

    Args:
        logits: ``(n, 8)`` or wider, in AffectNet's order; columns after the eighth (valence, arousal) are ignored.

    Returns:
        float32 ``(n, 8)``, rows sum to 1; the last column is Contempt, in the place of Aff-Wild2's Other.

    Raises:
        SolutionError: there are fewer than eight columns.
    """
    if logits.ndim != 2 or logits.shape[1] < len(CLASSES):
        raise SolutionError("logits of AffectNet's classes", found=logits.shape, expected="(n, 8), or more columns")
    classes = logits[:, TO_AFFWILD2].astype(np.float64)
    weights = np.exp(classes - classes.max(1, keepdims=True))
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)
