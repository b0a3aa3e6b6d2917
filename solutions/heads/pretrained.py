"""Head without training: the encoder's logits are the scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from harness.errors import SolutionError
from harness.tasks import Task
from solutions.encoders import affectnet
from solutions.heads.head import Array, Prior, all_labels, prior_of, write_about
from solutions.heads.settings import Pretrained


@dataclass
class PretrainedHead:
    """Probabilities of AffectNet's classes in Aff-Wild2's order, or valence and arousal as the network predicts them.

    Implements :class:`solutions.heads.head.Head`.

    Attributes:
        settings: the head's settings.
        kind: ``classes`` or ``values``.
        prior: float64 ``(n_outputs,)``, scores of a video without features.
        n_epochs: always 1.
    """

    settings: Pretrained
    kind: str
    prior: Prior
    n_epochs: int = 1

    @classmethod
    def train(cls, settings: Pretrained, labels: Sequence[Array], task: Task) -> Self:
        """Compute the prior, the only part that depends on labels; see :func:`solutions.heads.train.train_head`.

        Raises:
            SolutionError: the task is another than EXPR or VA.
        """
        if (task.kind, task.n_outputs) not in (("classes", len(affectnet.CLASSES)), ("values", 2)):
            raise SolutionError(
                "a pretrained network's own logits say nothing of this task",
                found=task.name,
                expected="EXPR or VA",
                do="Give the recipe a head that is trained",
            )
        return cls(settings, task.kind, prior_of(all_labels(labels), task))

    def scores(self, features: Array, epoch: int = -1) -> npt.NDArray[np.float32]:
        """See :meth:`solutions.heads.head.Head.scores`.

        Args:
            features: ``(k, dim)``, logits in AffectNet's order; for values, followed by valence and arousal.
            epoch: ignored, because there is one epoch.

        Raises:
            SolutionError: there are too few columns.
        """
        if self.kind == "classes":
            return affectnet.probabilities(features)
        if features.ndim != 2 or features.shape[1] <= affectnet.AROUSAL:
            raise SolutionError(
                "these logits have no valence and arousal",
                found=features.shape,
                expected="(n, 10)",
                do="Take a multi-task network (its name ends in _mtl)",
            )
        columns = features[:, [affectnet.VALENCE, affectnet.AROUSAL]]
        return np.clip(columns.astype(np.float32), -1, 1)

    def save(self, folder: Path) -> None:
        """Write the settings and the prior (JSON)."""
        write_about(folder, self.settings, self.kind, self.prior)

    @classmethod
    def load(cls, folder: Path, about: dict[str, Any]) -> Self:
        """Load a head that :meth:`save` wrote.

        Damaged files raise errors of several types, which :func:`solutions.heads.train.load_head` turns into one.
        """
        return cls(Pretrained(**about["settings"]), about["task_kind"], np.array(about["prior"], np.float64))
