"""Adam as Keras 2.13 computes it, in NumPy and float64: an oracle."""

from __future__ import annotations

import numpy as np


class KerasAdam:
    """One parameter under Keras' Adam: the correction of both moments' bias is in the rate, epsilon is added after."""

    def __init__(self, parameter: np.ndarray, *, learning_rate: float) -> None:
        self.parameter = parameter
        self.learning_rate = learning_rate
        self.mean = np.zeros_like(parameter)
        self.square = np.zeros_like(parameter)
        self.n_steps = 0

    def step(self, gradient: np.ndarray) -> None:
        """Update the parameter."""
        self.n_steps += 1
        rate = self.learning_rate * np.sqrt(1 - 0.999**self.n_steps) / (1 - 0.9**self.n_steps)
        self.mean += (gradient - self.mean) * (1 - 0.9)
        self.square += (gradient**2 - self.square) * (1 - 0.999)
        self.parameter = self.parameter - rate * self.mean / (np.sqrt(self.square) + 1e-7)
