"""Adam without the bookkeeping around it."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1) by torch's own fused kernel.

    The same bits as ``torch.optim.Adam(parameters, fused=True)``, whose hooks, groups and checks take twice as long as
    the kernel on a network this small.

    Args:
        weight_decay: added to gradients as ``weight_decay * parameter``.
        keras: Keras 2.13's epsilon: 1e-7, added before the correction of the second moment's bias (the "epsilon hat" of
            the algorithm's footnote), not 1e-8 after it.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        *,
        learning_rate: float,
        weight_decay: float = 0.0,
        keras: bool = False,
    ) -> None:
        self.parameters = list(parameters)
        self._means = [torch.zeros_like(parameter) for parameter in self.parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in self.parameters]
        self._steps = [torch.zeros((), device=parameter.device) for parameter in self.parameters]
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.keras = keras
        self._n_steps = 0

    @torch.no_grad()
    def step(self, gradients: list[torch.Tensor]) -> None:
        """Update every parameter, given the loss's gradients."""
        torch._foreach_add_(self._steps, 1)
        self._n_steps += 1
        epsilon = 1e-7 / math.sqrt(1 - 0.999**self._n_steps) if self.keras else 1e-8
        torch._fused_adam_(
            self.parameters, gradients, self._means, self._squares, [], self._steps,
            lr=self.learning_rate, weight_decay=self.weight_decay, beta1=0.9, beta2=0.999, eps=epsilon,
            amsgrad=False, maximize=False,
        )  # fmt: skip
