"""Adam optimiser without the bookkeeping of torch's optimisers."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1) with torch's fused kernel.

    Results are equal to the bit to those of ``torch.optim.Adam(parameters, fused=True)``, whose hooks, groups and
    checks take twice as long as the kernel on a network this small.

    Args:
        parameters: tensors to update in place.
        learning_rate: step size.
        weight_decay: factor of the parameter that is added to its gradient.
        keras: True for Keras 2.13's epsilon: 1e-7, added before the correction of the second moment's bias (the
            "epsilon hat" of the algorithm's footnote). False for torch's: 1e-8, added after it.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        *,
        learning_rate: float,
        weight_decay: float = 0.0,
        keras: bool = False,
    ) -> None:
        """Start with moments of zero."""
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
        """Update every parameter by the gradients of the loss, listed in the order of the parameters."""
        torch._foreach_add_(self._steps, 1)
        self._n_steps += 1
        epsilon = 1e-7 / math.sqrt(1 - 0.999**self._n_steps) if self.keras else 1e-8
        torch._fused_adam_(
            self.parameters, gradients, self._means, self._squares, [], self._steps,
            lr=self.learning_rate, weight_decay=self.weight_decay, beta1=0.9, beta2=0.999, eps=epsilon,
            amsgrad=False, maximize=False,
        )  # fmt: skip
