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
    """What LightAutoML finds within its seconds: linear models and boosted trees, blended.

    Implements :class:`solutions.heads.head.Head`. How much it tries depends on the machine's speed, so the same seed
    gives the same models only where time doesn't run out. It has no format to save to but pickle, so a run's model
    folder holds none, and what needs the model later asks for a new run. An output that never changes in training is
    left out and stays what it is.

    Attributes:
        trained: the outputs that ``model`` gives, in its order.
        constant: float32 ``(n_outputs,)``, scores of the others.
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
        """Search for a model on rows that have a valid label; see :func:`solutions.heads.train.train_head`.

        Raises:
            MissingDependencyError: LightAutoML isn't installed.
        """
        values, truth = gather(features, labels, rows)
        prior = prior_of(truth, task)
        if task.kind == "classes":
            trained = np.unique(truth)
            constant = np.isin(np.arange(task.n_outputs), trained).astype(np.float32)
            targets = np.searchsorted(trained, truth)[:, None]  # numbered without gaps
            objective = "binary" if len(trained) == 2 else "multiclass"
        else:
            trained = np.flatnonzero(truth.min(0) != truth.max(0))
            constant = truth[0].astype(np.float32)
            targets = truth[:, trained]
            several = {"values": "multi:reg", "binaries": "multilabel"}
            objective = several[task.kind] if len(trained) > 1 else {"values": "reg", "binaries": "binary"}[task.kind]
        found = None
        if targets.size and targets.min() < targets.max():
            found = _search(objective, values, targets, settings, seed)
        return cls(settings, task.kind, found, trained.tolist(), constant, prior)

    def scores(self, features: Array, epoch: int = -1) -> npt.NDArray[np.float32]:
        """See :meth:`solutions.heads.head.Head.scores`."""
        found = np.repeat(self.constant[None], len(features), 0)
        if self.model is None:
            return found
        for at in range(0, len(features), _PREDICT_ROWS):
            with _quiet():
                own = self.model.predict(_table(features[at : at + _PREDICT_ROWS])).data
            if self.kind == "classes" and own.shape[1] == 1:
                own = np.hstack([1 - own, own])
            found[at : at + len(own), self.trained] = own
        return found.clip(-1, 1) if self.kind == "values" else found

    def save(self, folder: Path) -> None:
        """Write the settings and the prior (JSON); not the model."""
        write_about(folder, self.settings, self.kind, self.prior)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """There is nothing to load.

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
    with progress("training with LightAutoML", 1, "models", step="train") as advance:
        model = TabularAutoML(
            # of two classes it would rank models by AUC, which doesn't ask for probabilities
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
    """Without the warnings and the progress of the packages that it calls."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _table(values: Array) -> pd.DataFrame:
    return pd.DataFrame(values.astype(np.float32), columns=[f"feature{k}" for k in range(values.shape[1])])
