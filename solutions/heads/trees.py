"""Gradient-boosted trees, grown by scikit-learn, then stored and applied as plain arrays without pickle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from harness.system.counts import counted
from harness.system.progress import progress
from harness.system.regular import require_file
from harness.tasks import Task
from solutions.heads.head import ABOUT, Array, Prior, gather, prior_of, write_about, write_arrays
from solutions.heads.settings import BoostedTrees

_PREDICT_ROWS = 512
TREES = "trees.safetensors"
Int = npt.NDArray[np.int64]
Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Forest:
    """Trees of all outputs. An output's raw score is its offset plus the values of the leaves that a row reaches.

    Attributes:
        feature: int64 ``(n_nodes,)``, column that a node compares; 0 in leaves.
        threshold: float64 ``(n_nodes,)``; a row goes right if its value is above it, else left; infinite in leaves.
        children: int64 ``(n_nodes, 2)``, left and right child; both children of a leaf are the leaf.
        value: float64 ``(n_nodes,)``, contribution of a leaf.
        roots: int64 ``(n_trees,)``, first node of each tree.
        outputs: int64 ``(n_trees,)``, output to which each tree contributes.
        offsets: float64 ``(n_outputs,)``; minus infinity for a class that is absent from training.
        depth: int64 ``()``, steps from a root to the deepest leaf.
        dim: int64 ``()``, number of columns of the training rows.
    """

    feature: Int
    threshold: Float
    children: Int
    value: Float
    roots: Int
    outputs: Int
    offsets: Float
    depth: Int
    dim: Int

    @classmethod
    def of(cls, trees: Sequence[tuple[int, Array]], offsets: Float, dim: int) -> Self:
        """Build a forest from scikit-learn's node records.

        Args:
            trees: output and node records of each tree.
            offsets: float64 ``(n_outputs,)``, scores before the first tree.
            dim: number of columns of the training rows.
        """
        sizes = [len(nodes) for _, nodes in trees]
        roots = np.cumsum([0, *sizes])[:-1].astype(np.int64)
        names = ("feature_idx", "num_threshold", "left", "right", "value", "is_leaf", "depth")
        column = {name: np.concatenate([nodes[name] for _, nodes in trees] or [np.empty(0)]) for name in names}
        leaf, start = column["is_leaf"].astype(bool), np.repeat(roots, sizes)
        children = np.stack([start + column["left"], start + column["right"]], 1)
        return cls(
            feature=np.where(leaf, 0, column["feature_idx"]).astype(np.int64),
            threshold=np.where(leaf, np.inf, column["num_threshold"]),
            children=np.where(leaf[:, None], np.arange(len(leaf))[:, None], children).astype(np.int64),
            value=column["value"].astype(np.float64),
            roots=roots,
            outputs=np.array([output for output, _ in trees], np.int64),
            offsets=offsets,
            depth=np.array(column["depth"].max(initial=0), np.int64),
            dim=np.array(dim),
        )

    def raw_scores(self, rows: Float) -> Float:
        """Return the raw scores of each row.

        Args:
            rows: float64 ``(n, dim)``.

        Returns:
            float64 ``(n, n_outputs)``
        """
        if rows.shape[1] != self.dim:
            raise ValueError(f"features have {counted(rows.shape[1], 'column')}, {self.dim} in training")
        raw = np.repeat(self.offsets[None], len(rows), 0)
        values, first = rows.ravel(), np.arange(len(rows))[:, None] * rows.shape[1]
        children = self.children.ravel()
        for output in np.unique(self.outputs):
            node = np.repeat(self.roots[self.outputs == output][None], len(rows), 0)
            for _ in range(self.depth):
                right = values.take(first + self.feature.take(node)) > self.threshold.take(node)
                node = children.take(2 * node + right)
            raw[:, output] += self.value.take(node).sum(1)
        return raw


@dataclass
class TreesHead:
    """Boosted trees, one ensemble per output; implements :class:`solutions.heads.head.Head`.

    The loss is logistic for binaries, multinomial for classes, and the squared error for values, which are clipped to
    [-1, 1]. All frames have the same weight. An output that is constant in training keeps this constant as its score.
    """

    settings: BoostedTrees
    kind: str
    forest: Forest
    prior: Prior
    n_epochs: int = 1

    @classmethod
    def train(
        cls,
        settings: BoostedTrees,
        features: Iterable[Array],
        labels: Sequence[Array],
        task: Task,
        *,
        seed: int,
        rows: Sequence[npt.NDArray[np.int64]] | None = None,
    ) -> Self:
        """Grow trees on rows with a valid label; see :func:`solutions.heads.train.train_head`."""
        values, truth = gather(features, labels, rows)
        prior = prior_of(truth, task)
        if len(truth) > settings.max_rows:
            drawn = np.random.default_rng(seed).choice(len(truth), settings.max_rows, replace=False)
            drawn.sort()
            values, truth = values[drawn], truth[drawn]
        grow = _grow_classes if task.kind == "classes" else _grow_each
        return cls(settings, task.kind, grow(values.astype(np.float64), truth, task, settings, seed), prior)

    def scores(self, features: Array, epoch: int = -1) -> npt.NDArray[np.float32]:
        """See :meth:`solutions.heads.head.Head.scores`."""
        scores = np.empty((len(features), len(self.prior)), np.float32)
        for at in range(0, len(features), _PREDICT_ROWS):
            raw = self.forest.raw_scores(features[at : at + _PREDICT_ROWS].astype(np.float64))
            scores[at : at + len(raw)] = _activated(raw, self.kind)
        return scores

    def save(self, folder: Path) -> None:
        """Write the trees (safetensors) and their description (JSON)."""
        write_arrays(folder / TREES, self.forest)
        write_about(folder, self.settings, self.kind, self.prior)

    @classmethod
    def load(cls, folder: Path, about: dict[str, Any]) -> Self:
        """Load a head that :meth:`save` wrote.

        Damaged files raise errors of several types, which :func:`solutions.heads.train.load_head` turns into one.
        """
        from safetensors.numpy import load_file

        require_file(folder / TREES)
        forest, prior = Forest(**load_file(folder / TREES)), np.array(about["prior"], np.float64)
        if forest.offsets.shape != prior.shape:
            raise ValueError(f"{forest.offsets.shape} outputs in {TREES}, {prior.shape} in {ABOUT}")
        return cls(BoostedTrees(**about["settings"]), about["task_kind"], forest, prior)


def _activated(raw: Float, kind: str) -> Float:
    from scipy.special import expit, softmax

    if kind == "classes":
        return softmax(raw, 1)  # type: ignore[no-any-return]
    return np.clip(raw, -1, 1) if kind == "values" else expit(raw)


def _grow_classes(rows: Float, truth: Array, task: Task, settings: BoostedTrees, seed: int) -> Forest:
    """Grow one multinomial model; with two classes, the raw score of the first class is 0."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    present = np.unique(truth)
    offsets = np.full(task.n_outputs, -np.inf)
    offsets[present] = 0.0
    if len(present) == 1:
        return Forest.of([], offsets, rows.shape[1])
    with progress("growing trees", len(rows), "frames", step="train") as advance:
        model = HistGradientBoostingClassifier(**_options(settings, seed)).fit(rows, truth)
        advance(len(rows))
    trained = present if len(present) > 2 else present[1:]
    offsets[trained] = model._baseline_prediction[0]
    trees = [
        (int(output), tree.nodes)
        for together in model._predictors
        for output, tree in zip(trained, together, strict=True)
    ]
    return Forest.of(trees, offsets, rows.shape[1])


def _grow_each(rows: Float, truth: Array, task: Task, settings: BoostedTrees, seed: int) -> Forest:
    """Grow one model for each column of the labels."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingRegressor if task.kind == "values" else HistGradientBoostingClassifier
    trees, offsets = [], np.empty(task.n_outputs)
    with progress("growing trees", task.n_outputs, "outputs", step="train") as advance:
        for output, column in enumerate(truth.T):
            if column.min() == column.max():
                always = {0: -np.inf, 1: np.inf}  # logits of the probabilities 0 and 1
                offsets[output] = column[0] if task.kind == "values" else always[int(column[0])]
            else:
                model = kind(**_options(settings, seed)).fit(rows, column)
                offsets[output] = np.ravel(model._baseline_prediction)[0]
                trees += [(output, tree.nodes) for (tree,) in model._predictors]
            advance(1)
    return Forest.of(trees, offsets, rows.shape[1])


def _options(settings: BoostedTrees, seed: int) -> dict[str, Any]:
    """Return scikit-learn's options.

    Early stopping is off, because it would hold out frames of the videos that the model is trained on.
    """
    return {
        "max_iter": settings.iterations,
        "learning_rate": settings.learning_rate,
        "early_stopping": False,
        "categorical_features": None,
        "random_state": seed,
    }
