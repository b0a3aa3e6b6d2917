"""A recipe made into a solution: features from the cache, a trained head, post-processing, decisions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from harness.atomic import write_text
from harness.datasets.dataset import Dataset, Video
from harness.datasets.labels import valid_rows
from harness.device import resolve_device
from harness.errors import SolutionError
from harness.metrics.metric import metric_for
from harness.selection import FOLDS, Selection, cross_fit
from harness.settings import Settings, load_settings
from harness.solution import ExtractionReport, Predictions, VideoPrediction
from solutions.encoders.cache import Features
from solutions.encoders.encoder import Encoder
from solutions.encoders.extraction import extract_features
from solutions.encoders.registry import make_encoder
from solutions.heads.mlp import MlpHead
from solutions.postprocess.gaps import fill_gaps
from solutions.postprocess.smoothing import box_smooth
from solutions.recipe import Choose, Recipe
from solutions.recipes import recipe_named

Scores = dict[str, npt.NDArray[np.float64]]
RECIPE_FILE = "recipe.json"


def _plain(content: Any) -> Any:
    """As it comes back from JSON."""
    return json.loads(json.dumps(content))


class RecipeSolution:
    """The solution that a recipe describes; implements :class:`harness.solution.Solution`."""

    def __init__(self, recipe: Recipe, settings: Settings) -> None:
        self.recipe = recipe
        self.settings = settings
        self.name = recipe.name
        self.task = recipe.task
        self._encoder: Encoder | None = None
        self._head: MlpHead | None = None
        self._extractions: list[ExtractionReport] = []
        self._trained_on: dict[str, Any] | None = None  # what a saved head's features came from

    @property
    def encoder(self) -> Encoder:
        """The encoder, made on first use."""
        if self._encoder is None:
            self._encoder = make_encoder(self.recipe.encoder, self.settings)
        return self._encoder

    def describe(self) -> dict[str, Any]:
        """The recipe and the encoder's identity."""
        return {**self.recipe.describe(), "encoder_identity": self.encoder.identity()}

    def fit(self, data: Dataset, *, seed: int) -> None:
        """Train the head on the training videos."""
        videos = data.videos("train")
        features = self._features(data, "train")
        inputs, labels = [], []
        for video in videos:
            own = features[video.name]
            if video.labels is None:
                continue
            inside = own.frames <= video.n_frames
            truth = video.labels[own.frames[inside] - 1]
            usable = valid_rows(truth, self.task)
            inputs.append(own.values[inside][usable])
            labels.append(truth[usable])
        self._head = MlpHead.train(
            inputs,
            labels,
            self.task.n_outputs,
            self.recipe.head,
            seed=seed,
            device=resolve_device(self.settings.device),
        )

    def predict(self, data: Dataset, split: str) -> Predictions:
        """Decisions for every frame. What is chosen on labels is cross-fitted on val; for test, all of val chooses."""
        notes: list[str] = []
        scores = self._scores(data, split, notes)
        smoothing = self.recipe.smoothing
        width = smoothing.half_width if smoothing else 0
        if isinstance(width, int):
            videos = {name: self._decided(box_smooth(values, width)) for name, values in scores.items()}
            return Predictions(self.task, videos, {"tuned_on": "nothing"}, notes, self._reports())
        tuning = scores if split == "val" else self._scores(data, "val", [])
        selection = self._select(data, tuning, width)
        candidates = width.candidates
        best = candidates[selection.on_all]
        if split == "val":
            index = {video.name: k for k, video in enumerate(data.videos("val"))}
            videos = {
                name: self._decided(
                    box_smooth(values, candidates[selection.for_video(index[name])]), box_smooth(values, best)
                )
                for name, values in scores.items()
            }
        else:
            videos = {name: self._decided(box_smooth(values, best)) for name, values in scores.items()}
        choices = {
            "tuned_on": f"val, cross-fitted by video, {len(selection.per_fold)} folds" if split == "val" else "val",
            "half_width": {
                "candidates": list(candidates),
                "per_fold": [candidates[k] for k in selection.per_fold],
                "on_all": best,
            },
            "folds": {video.name: int(f) for video, f in zip(data.videos("val"), selection.fold, strict=True)},
        }
        if split == "val" and len(selection.per_fold) < FOLDS:
            notes.append(f"only {len(selection.per_fold)} recordings to cross-fit on: the choice is weak")
        return Predictions(self.task, videos, choices, notes, self._reports())

    def save(self, folder: Path) -> None:
        """Write the head, the recipe, and which encoder's features it was trained on."""
        self._fitted().save(folder)
        write_text(folder / RECIPE_FILE, json.dumps(self.describe(), indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """A fitted solution from a run's ``model`` folder.

        Raises:
            SolutionError: not one, or its recipe has changed since.
        """
        try:
            described = json.loads((folder / RECIPE_FILE).read_text(encoding="utf-8"))
            recipe = recipe_named(described["name"])
            encoder = described.pop("encoder_identity")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SolutionError(f"{folder}: not a saved solution ({error})") from None
        if _plain(recipe.describe()) != described:
            raise SolutionError(f"{folder}: recipe {recipe.name} has changed since this was saved; run it again")
        solution = cls(recipe, load_settings())
        solution._head = MlpHead.load(folder)
        solution._trained_on = encoder
        return solution

    def _fitted(self) -> MlpHead:
        if self._head is None:
            raise SolutionError(f"{self.name}: fit() comes before predict() and save()")
        if self._trained_on not in (None, _plain(self.encoder.identity())):
            raise SolutionError(
                f"{self.name}: the saved head was trained on features of another {self.recipe.encoder} (weights, "
                "preprocessing or versions differ); run it again"
            )
        return self._head

    def _reports(self) -> tuple[ExtractionReport, ...]:
        """What was encoded since the last predictions."""
        reports, self._extractions = tuple(self._extractions), []
        return reports

    def _features(self, data: Dataset, split: str) -> Mapping[str, Features]:
        cache, report = extract_features(self.encoder, data, [split], self.settings)
        self._extractions.append(report)
        found: dict[str, Features] = {}
        for video in data.videos(split):
            features = cache.get(video)
            if features is None:
                raise SolutionError(f"features of {video.name} changed while they were read; run this command again")
            found[video.name] = features
        return found

    def _scores(self, data: Dataset, split: str, notes: list[str]) -> Scores:
        """Class probabilities of every frame of every video, gaps filled, not smoothed."""
        head = self._fitted()
        features = self._features(data, split)
        out: Scores = {}
        for video in data.videos(split):
            own = features[video.name]
            if not len(own.frames):
                notes.append(f"{video.name}: no face in any frame; all get the training set's class frequencies")
            out[video.name] = fill_gaps(own.frames, head.probabilities(own.values), video.n_frames, head.prior)
        return out

    def _select(self, data: Dataset, scores: Scores, choose: Choose) -> Selection:
        metric = metric_for(self.task)
        videos = list(data.videos("val"))
        statistics = np.array(
            [
                [self._statistics(video, box_smooth(scores[video.name], half_width)) for video in videos]
                for half_width in choose.candidates
            ]
        )
        sizes = [int(valid_rows(video.labels, self.task).sum()) if video.labels is not None else 0 for video in videos]
        return cross_fit(statistics, metric.headline, [video.base for video in videos], sizes)

    def _statistics(self, video: Video, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if video.labels is None:
            raise SolutionError(f"{video.name}: a choice on labels needs labels")
        counts = valid_rows(video.labels, self.task)
        return metric_for(self.task).statistics(video.labels[counts], scores.argmax(1)[counts])

    @staticmethod
    def _decided(
        scores: npt.NDArray[np.float64], tuned_on_all: npt.NDArray[np.float64] | None = None
    ) -> VideoPrediction:
        return VideoPrediction(
            scores.astype(np.float32),
            scores.argmax(1),
            None if tuned_on_all is None else tuned_on_all.argmax(1),
        )
