"""AffectNet's classes, as the face networks say them, and the same in Aff-Wild2's order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.errors import SolutionError

CLASSES = ("Anger", "Contempt", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise")
"""The order of a network's first eight outputs: AffectNet's eight classes by alphabet (EmotiEffLib's own table)."""

VALENCE, AROUSAL = 8, 9
"""Outputs of the multi-task networks (``*_mtl``) behind the classes: linear, not squashed, about [-1, 1]."""

TO_AFFWILD2 = (5, 0, 2, 3, 4, 6, 7, 1)
"""AffectNet's number of Neutral, Anger, Disgust, Fear, Happiness, Sadness, Surprise, Other: Aff-Wild2's order.

AffectNet has no Other, and Aff-Wild2 no Contempt: the papers' authors let Contempt stand in the last place. What a
pretrained classifier by itself decides as Contempt thus counts as Other. The confidence filter does not believe it:
abaw10 (eq. 2, and the sentence below it) leaves a frame to the trained head if the most probable class is Contempt; the
authors' code chooses among the first seven only, ``probabilities(logits)[:, :7]``, Contempt keeping its share of the
softmax. From a threshold of 0.5 on these are the same. Embeddings are not touched by any of this.
"""


def probabilities(logits: npt.NDArray[np.float16 | np.float32 | np.float64]) -> npt.NDArray[np.float32]:
    """What a pretrained classifier believes, in Aff-Wild2's order.

    The softmax is that of each row, over all eight classes. (Of the authors' notebooks one takes the maximum of the
    whole array, which comes to the same, and two that of each column, which does not: it adds class-wise offsets.)

    Args:
        logits: ``(n, 8)`` or wider, in AffectNet's order; columns behind the eighth (valence, arousal) are not read.

    Returns:
        float32 ``(n, 8)``, rows sum to 1; the last column is Contempt, standing where Aff-Wild2 has Other.
    """
    if logits.ndim != 2 or logits.shape[1] < len(CLASSES):
        raise SolutionError("logits of AffectNet's classes", found=logits.shape, expected="(n, 8), or more columns")
    classes = logits[:, TO_AFFWILD2].astype(np.float64)
    weights = np.exp(classes - classes.max(1, keepdims=True))
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)
