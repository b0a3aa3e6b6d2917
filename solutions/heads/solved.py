"""Heads that scikit-learn solves to their optimum, stored as plain arrays; they are the same for every seed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from harness.errors import SolutionError
from harness.system.counts import counted
from harness.system.progress import progress
from harness.system.regular import require_file
from harness.tasks import Task
from solutions.heads.head import Array, Prior, gather, prior_of, write_about, write_arrays
from solutions.heads.settings import KernelMachine, LinearModel

SOLUTION = "solved.safetensors"
_PREDICT_ROWS = 2048
Float = npt.NDArray[np.float64]
Settings = KernelMachine | LinearModel


@dataclass(frozen=True)
class Solved:
    """Decision values ``kernel(scaled rows, vectors) @ coefficients + intercepts``.

    Attributes:
        center: ``(dim,)``, subtracted from rows first.
        spread: ``(dim,)``, divisor of the centered rows.
        vectors: ``(m, dim)``, support vectors of a kernel; empty for a linear model.
        coefficients: ``(m or dim, n)``.
        intercepts: ``(n,)``.
        gamma: ``(1,)``, parameter of the rbf kernel.
    """

    center: Float
    spread: Float
    vectors: Float
    coefficients: Float
    intercepts: Float
    gamma: Float

    def values(self, rows: Float, *, unit: bool) -> Float:
        """Return decision values, float64 ``(k, n)``.

        Args:
            rows: float64 ``(k, dim)``.
            unit: True to bring rows to length 1 first.
        """
        if rows.shape[1] != len(self.center):
            raise ValueError(f"features have {counted(rows.shape[1], 'column')}, {len(self.center)} in training")
        rows = (_of_unit_length(rows) if unit else rows) - self.center
        rows /= self.spread
        if len(self.vectors):
            rows = _rbf(rows, self.vectors, float(self.gamma[0]))
        return np.asarray(rows @ self.coefficients + self.intercepts)


@dataclass
class SolvedHead:
    """A linear model or a support vector machine; implements :class:`solutions.heads.head.Head`.

    For two classes the scores are the sigmoid of the decision value and its complement, so that scikit-learn's decision
    is at .5. If all training rows have one class, every row gets that class.

    Attributes:
        settings: the head's settings.
        kind: kind of the task.
        solved: arrays of the model.
        prior: float64 ``(n_outputs,)``, scores of a video without features.
        n_epochs: always 1.
    """

    settings: Settings
    kind: str
    solved: Solved
    prior: Prior
    n_epochs: int = 1

    @classmethod
    def train(
        cls,
        settings: Settings,
        features: Iterable[Array],
        labels: Sequence[Array],
        task: Task,
        *,
        rows: Sequence[npt.NDArray[np.int64]] | None = None,
    ) -> Self:
        """Solve on rows with a valid label; see :func:`solutions.heads.train.train_head`.

        Raises:
            SolutionError: the task is of another kind than values or two classes.
        """
        if task.kind != "values" and not task.is_pair:
            do = "Give the recipe another head"
            raise SolutionError("this head is for values or two classes", found=f"{task.name}, {task.kind}", do=do)
        values, truth = gather(features, labels, rows)
        with progress("solving", len(truth), "rows", step="train") as advance:
            solved = _solve(settings, values.astype(np.float64), truth, task)
            advance(len(truth))
        return cls(settings, task.kind, solved, prior_of(truth, task))

    def scores(self, features: Array, epoch: int = -1) -> npt.NDArray[np.float32]:
        """See :meth:`solutions.heads.head.Head.scores`."""
        from scipy.special import expit

        scores = np.empty((len(features), len(self.prior)), np.float32)
        for at in range(0, len(features), _PREDICT_ROWS):
            rows = np.asarray(features[at : at + _PREDICT_ROWS], np.float64)
            values = self.solved.values(rows, unit=self.settings.scale == "unit")
            if self.kind == "classes":
                present = expit(values)
                values = np.hstack([1 - present, present])
            scores[at : at + len(rows)] = values
        return scores

    def save(self, folder: Path) -> None:
        """Write the arrays (safetensors) and their description (JSON)."""
        write_arrays(folder / SOLUTION, self.solved)
        write_about(folder, self.settings, self.kind, self.prior)

    @classmethod
    def load(cls, folder: Path, about: dict[str, Any]) -> Self:
        """Load a head that :meth:`save` wrote.

        Damaged files raise errors of several types, which :func:`solutions.heads.train.load_head` turns into one.
        """
        from safetensors.numpy import load_file

        require_file(folder / SOLUTION)
        solved, prior = Solved(**load_file(folder / SOLUTION)), np.array(about["prior"], np.float64)
        settings = (KernelMachine if "kernel" in about["settings"] else LinearModel)(**about["settings"])
        return cls(settings, about["task_kind"], solved, prior)


def _solve(settings: Settings, rows: Float, truth: Array, task: Task) -> Solved:
    """Return the optimum on rows that are scaled as the settings say."""
    dim = rows.shape[1]
    center, spread = np.zeros(dim), np.ones(dim)
    if settings.scale == "unit":
        rows = _of_unit_length(rows)
    elif settings.scale == "standard":
        center, deviation = rows.mean(0), rows.std(0)
        spread = np.where(deviation > 1e-6, deviation, 1.0)
    rows = (rows - center) / spread
    none, gamma = np.empty((0, dim)), np.zeros(1)
    if task.is_pair and truth.min() == truth.max():  # the sigmoid of 40 is 1 in float32
        always = np.full(1, 40.0 if truth[0] else -40.0)
        return Solved(center, spread, none, np.zeros((dim, 1)), always, gamma)
    if isinstance(settings, KernelMachine) and settings.kernel == "rbf":
        gamma = np.full(1, 1 / (dim * (rows.var() or 1.0)))  # scikit-learn's "scale"
        vectors, coefficients, intercepts = _kernel(settings, rows, truth, task, float(gamma[0]))
        return Solved(center, spread, vectors, coefficients, intercepts, gamma)
    coefficients, intercepts = _linear(settings, rows, truth, task)
    return Solved(center, spread, none, coefficients, intercepts, gamma)


def _kernel(settings: KernelMachine, rows: Float, truth: Array, task: Task, gamma: float) -> tuple[Float, Float, Float]:
    if task.kind == "values":
        from sklearn.kernel_ridge import KernelRidge

        mean = truth.mean(0)
        model = KernelRidge(alpha=1 / (2 * settings.c), kernel="rbf", gamma=gamma).fit(rows, truth - mean)
        return rows, model.dual_coef_, mean
    from sklearn.svm import SVC

    machine = SVC(C=settings.c, kernel="rbf", gamma=gamma, class_weight="balanced" if settings.balanced else None)
    machine.fit(rows, truth)
    return machine.support_vectors_, machine.dual_coef_.T, machine.intercept_


def _linear(settings: Settings, rows: Float, truth: Array, task: Task) -> tuple[Float, Float]:
    balanced = "balanced" if settings.balanced else None
    if isinstance(settings, KernelMachine):
        if task.kind == "values":
            from sklearn.linear_model import Ridge

            model = Ridge(alpha=1 / (2 * settings.c)).fit(rows, truth)
            return model.coef_.T, model.intercept_
        from sklearn.svm import LinearSVC

        machine = LinearSVC(C=settings.c, class_weight=balanced, dual=True, tol=1e-6, max_iter=100_000, random_state=0)
        machine.fit(rows, truth)
        return machine.coef_.T, machine.intercept_
    from sklearn.linear_model import LogisticRegression, Ridge

    if task.kind == "values":
        model = Ridge(alpha=settings.l2).fit(rows, truth)
        return model.coef_.T, model.intercept_
    logistic = LogisticRegression(C=1 / settings.l2, class_weight=balanced, max_iter=1000).fit(rows, truth)
    return logistic.coef_.T, logistic.intercept_


def _of_unit_length(rows: Float) -> Float:
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)


def _rbf(rows: Float, vectors: Float, gamma: float) -> Float:
    squares = np.einsum("ij,ij->i", rows, rows)[:, None] + np.einsum("ij,ij->i", vectors, vectors)
    squares -= 2 * rows @ vectors.T
    return np.asarray(np.exp(-gamma * np.maximum(squares, 0)))
