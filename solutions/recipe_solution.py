"""A recipe made into a solution: features from the cache, trained heads, post-processing, decisions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from harness.atomic import write_text
from harness.datasets.dataset import Dataset, Video
from harness.errors import SolutionError
from harness.settings import Settings, load_settings
from harness.solution import ExtractionReport, Predictions
from harness.sweep import SweepPoint
from solutions.encoders.affectnet import probabilities
from solutions.encoders.features import FeatureSource, SplitFeatures
from solutions.heads.head import Head
from solutions.heads.settings import Pretrained
from solutions.heads.train import load_head
from solutions.postprocess.apply import apply
from solutions.postprocess.gaps import fill_gaps
from solutions.predictions import choices_of, cross_fitted, predictions, weak_choice
from solutions.recipe import Recipe, Stream
from solutions.recipes import recipe_named
from solutions.training import trained_head
from solutions.tuning.choose import Chosen, choose, given
from solutions.tuning.curves import curves
from solutions.tuning.frames import SplitScores

RECIPE_FILE = "recipe.json"
STREAM_FOLDER = "stream-{}"


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
        self._source = FeatureSource(settings)
        self._heads: list[Head] | None = None
        self._extractions: list[ExtractionReport] = []
        self._trained_on: dict[str, Any] | None = None  # what saved heads' features came from

    def describe(self) -> dict[str, Any]:
        """The recipe and the encoders' identities."""
        return {**self.recipe.describe(), "encoders": self._identities()}

    def fit(self, data: Dataset, *, seed: int) -> None:
        """Train a head on each stream's features of the training videos, but for those in the cache."""
        heads = []
        for stream in self.recipe.streams:
            features = None if isinstance(stream.head, Pretrained) else self._features(stream.encoder, data, "train")
            heads.append(trained_head(stream, features, data, seed, self.settings))
        self._heads = heads

    def predict(self, data: Dataset, split: str) -> Predictions:
        """Decisions for every frame. What is chosen on labels is cross-fitted on val; for test, all of val chooses."""
        notes: list[str] = []
        plan, scores = self.recipe.postprocess, self.scores(data, split, notes)
        constants = given(self.task, plan, [len(stream) for stream in scores.streams])
        if constants is not None:
            applied = apply(self.task, plan, scores, constants)
            return predictions(data, split, applied, None, {"tuned_on": "nothing"}, notes, self._reports())
        chosen = self.choose(data, scores if split == "val" else self.scores(data, "val", []))
        choices = choices_of(chosen, self._chosen_names(), data, split)
        applied = on_all = apply(self.task, plan, scores, chosen.on_all)
        if split == "val":
            applied = cross_fitted(self.task, plan, scores, chosen)
            notes += weak_choice(chosen)
        return predictions(data, split, applied, on_all if split == "val" else None, choices, notes, self._reports())

    def scores(self, data: Dataset, split: str, notes: list[str]) -> SplitScores:
        """Every stream's scores of every frame of a split, gaps filled; nothing chosen, nothing decided.

        Args:
            notes: gets a line for each video of which a stream knows nothing.
        """
        heads, videos = self._fitted(data), data.videos(split)
        streams = []
        for stream, head in zip(self.recipe.streams, heads, strict=True):
            features = self._features(stream.encoder, data, split)
            bare = [video.name for video in videos if not len(features.of(video).frames)]
            notes += [
                f"{name}: {stream.encoder} knows nothing of it; all get the training set's means" for name in bare
            ]
            streams.append(
                np.stack([_end_to_end(stream, head, epoch, features, videos) for epoch in range(head.n_epochs)])
            )
        return SplitScores(
            lengths=np.array([video.n_frames for video in videos], np.int64),
            streams=streams,
            priors=[head.prior for head in heads],
            classifier=self._classifier(data, split),
        )

    def choose(self, data: Dataset, scores: SplitScores) -> Chosen:
        """What the plan leaves to be chosen, on validation labels.

        Args:
            scores: of the validation videos.
        """
        groups = [video.base for video in data.videos("val")]
        return choose(self.task, self.recipe.postprocess, scores, data.labels("val"), groups)

    def curves(self, data: Dataset) -> list[SweepPoint]:
        """The official score on validation against each constant, the others as chosen on all of it, or as given."""
        plan, scores = self.recipe.postprocess, self.scores(data, "val", [])
        constants = given(self.task, plan, [len(stream) for stream in scores.streams])
        if constants is None:
            constants = self.choose(data, scores).on_all
        return curves(self.task, plan, scores, constants, data.labels("val"))

    def save(self, folder: Path) -> None:
        """Write the heads, the recipe, and which encoders' features they were trained on."""
        if self._heads is None:
            raise SolutionError(f"{self.name}: fit() comes before save()")
        for k, head in enumerate(self._heads):
            head.save(folder / STREAM_FOLDER.format(k))
        write_text(folder / RECIPE_FILE, json.dumps(self.describe(), indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path, settings: Settings | None = None) -> Self:
        """A fitted solution from a run's ``model`` folder.

        Args:
            settings: cache and device; those of the environment by default.

        Raises:
            SolutionError: not one, or its recipe has changed since.
        """
        try:
            described = json.loads((folder / RECIPE_FILE).read_text(encoding="utf-8"))
            recipe = recipe_named(described["name"])
            encoders = described.pop("encoders")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SolutionError(f"{folder}: not a saved solution ({error})") from None
        if _plain(recipe.describe()) != described:
            raise SolutionError(f"{folder}: recipe {recipe.name} has changed since this was saved; run it again")
        solution = cls(recipe, settings or load_settings())
        solution._heads = [load_head(folder / STREAM_FOLDER.format(k)) for k in range(len(recipe.streams))]
        solution._trained_on = encoders
        return solution

    def _identities(self) -> dict[str, Any]:
        return {name: dict(self._source.identity(name)) for name in self.recipe.encoders}

    def _fitted(self, data: Dataset) -> list[Head]:
        if self._heads is None:
            raise SolutionError(f"{self.name}: fit() comes before predict()")
        if self._trained_on is not None and self._trained_on != _plain(self._identities()):
            raise SolutionError(
                f"{self.name}: the saved heads were trained on features of other encoders (weights, preprocessing or "
                "versions differ); run it again"
            )
        return self._heads

    def _features(self, encoder: str, data: Dataset, split: str) -> SplitFeatures:
        features = self._source.features(encoder, data, split)
        self._extractions.append(features.report)
        return features

    def _classifier(self, data: Dataset, split: str) -> npt.NDArray[np.float32] | None:
        """The filter's classifier: probabilities of every frame, even where there is no crop."""
        step = self.recipe.postprocess.filter
        if step is None:
            return None
        features, parts = self._features(step.classifier, data, split), []
        for video in data.videos(split):
            own = features.of(video)
            believed = probabilities(own.parts["logits"])
            # a video that it knows nothing of: it is sure of nothing
            unsure = np.full(believed.shape[1], 1 / believed.shape[1])
            parts.append(fill_gaps(own.frames, believed, video.n_frames, unsure).astype(np.float32))
        return np.concatenate(parts)

    def _chosen_names(self) -> tuple[str, ...]:
        best = any(stream.head.keep == "best" for stream in self.recipe.streams)
        return (*(["epochs"] if best else []), *self.recipe.postprocess.chosen)

    def _reports(self) -> tuple[ExtractionReport, ...]:
        """What was encoded since the last predictions."""
        reports, self._extractions = tuple(self._extractions), []
        return reports


def _end_to_end(
    stream: Stream, head: Head, epoch: int, features: SplitFeatures, videos: Sequence[Video]
) -> npt.NDArray[np.float32]:
    parts = []
    for video in videos:
        own = features.of(video)
        scores = head.scores(own.parts[stream.part], epoch)
        parts.append(fill_gaps(own.frames, scores, video.n_frames, head.prior).astype(np.float32))
    return np.concatenate(parts)
