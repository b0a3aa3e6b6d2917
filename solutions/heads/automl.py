"""LightAutoML's tabular preset as a head (abaw8, section 4.2 and table 3); needs the extra ``lightautoml``."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.errors import MissingDependencyError, SolutionError, install_command
from harness.system.progress import progress
from harness.tasks import Task
from solutions.heads.head import Array, Prior, gather, prior_of, write_about
from solutions.heads.settings import AutoMl

_PREDICT_ROWS = 65_536


@dataclass
class AutoMlHead:
    """Blend of linear models and boosted trees that LightAutoML finds within its time limit.

    Implements :class:`solutions.heads.head.Head`. The number of models that it tries depends on the machine's speed, so
    the same seed gives the same models only if time suffices for all. LightAutoML can save models as pickle only, so
    a run's model folder omits the model, and later uses of it ask for a new run. An output that is constant in training
    is not trained; its score is that constant.

    Attributes:
        settings: the head's settings.
        kind: kind of the task.
        model: LightAutoML's model, ``None`` if all outputs are constant.
        trained: numbers of the outputs that ``model`` predicts, in its order.
        constant: float32 ``(n_outputs,)``, scores of the other outputs.
        prior: float64 ``(n_outputs,)``, scores of a video without features.
        n_epochs: always 1.
    """

    settings: AutoMl
    kind: str
    model: Any
    trained: list[int]
    constant: npt.NDArray[np.float32]
    prior: Prior
    n_epochs: int = 1

    @classmethod
    def train(
        cls,
        settings: AutoMl,
        features: Iterable[Array],
        labels: Sequence[Array],
        task: Task,
        *,
        seed: int,
        rows: Sequence[npt.NDArray[np.int64]] | None = None,
    ) -> Self:
        """Search for a model on rows with a valid label; see :func:`solutions.heads.train.train_head`.

        Raises:
            MissingDependencyError: LightAutoML is missing.
        """
        values, truth = gather(features, labels, rows)
        prior = prior_of(truth, task)
        if task.kind == "classes":
            trained = np.unique(truth)
            constant = np.isin(np.arange(task.n_outputs), trained).astype(np.float32)
            targets = np.searchsorted(trained, truth)[:, None]  # class numbers without gaps
            objective = "binary" if len(trained) == 2 else "multiclass"
        else:
            trained = np.flatnonzero(truth.min(0) != truth.max(0))
            constant = truth[0].astype(np.float32)
            targets = truth[:, trained]
            several = {"values": "multi:reg", "binaries": "multilabel"}
            objective = several[task.kind] if len(trained) > 1 else {"values": "reg", "binaries": "binary"}[task.kind]
        model = None
        if targets.size and targets.min() < targets.max():
            model = _search(objective, values, targets, settings, seed)
        return cls(settings, task.kind, model, trained.tolist(), constant, prior)

    def scores(self, features: Array, epoch: int = -1) -> npt.NDArray[np.float32]:
        """See :meth:`solutions.heads.head.Head.scores`."""
        scores = np.repeat(self.constant[None], len(features), 0)
        if self.model is None:
            return scores
        for at in range(0, len(features), _PREDICT_ROWS):
            with _quiet():
                outputs = self.model.predict(_table(features[at : at + _PREDICT_ROWS])).data
            if self.kind == "classes" and outputs.shape[1] == 1:
                outputs = np.hstack([1 - outputs, outputs])
            scores[at : at + len(outputs), self.trained] = outputs
        return scores.clip(-1, 1) if self.kind == "values" else scores

    def save(self, folder: Path) -> None:
        """Write the settings and the prior (JSON), without the model."""
        write_about(folder, self.settings, self.kind, self.prior)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raise an error, because the model was never saved.

        Raises:
            SolutionError: always.
        """
        raise SolutionError(
            "LightAutoML's models are not saved: its only format is pickle, which may run anything when it is read",
            where=folder,
            do="Run the recipe again",
        )


def _search(objective: str, values: Array, targets: Array, settings: AutoMl, seed: int) -> Any:
    try:
        with _quiet():
            from lightautoml.automl.presets.tabular_presets import TabularAutoML
            from lightautoml.tasks import Task as Objective
    except ImportError as error:
        raise MissingDependencyError(
            "LightAutoML can't be imported",
            found=error,
            do=f"Install it ({install_command('lightautoml')}), or take a recipe with boosted trees",
        ) from None
    table = _table(values)
    names = [f"target{k}" for k in range(targets.shape[1])]
    table[names] = targets
    with progress("training with LightAutoML", 1, "models") as advance:
        model = TabularAutoML(
            # for two classes its default ranks models by AUC, which ignores the scale of probabilities
            task=Objective(objective, metric="logloss" if objective == "binary" else None),
            timeout=settings.seconds,
            cpu_limit=os.cpu_count() or 1,
            reader_params={"n_jobs": 1, "random_state": seed},
        )
        with _quiet():
            model.fit_predict(table, roles={"target": names if len(names) > 1 else names[0]}, verbose=0)
        advance(1)
    return model


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide warnings and progress bars of LightAutoML and the packages below it."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _table(values: Array) -> pd.DataFrame:
    return pd.DataFrame(values.astype(np.float32), columns=[f"feature{k}" for k in range(values.shape[1])])
