"""Solution that a recipe describes: features from the cache, trained heads, post-processing, decisions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Dataset, check_disjoint, persons_of
from harness.errors import DataError, SolutionError, UsageError
from harness.metrics.interval import units_of
from harness.plugins.interface import Predictions, Stock
from harness.records.curves import SweepPoint
from harness.records.document import load_json
from harness.records.run import ON_BOTH, TRAIN
from harness.settings import Settings, load_settings
from harness.system.atomic import write_text
from harness.system.checksums import damaged_files, write_checksums
from harness.system.counts import counted
from solutions.cache.features import FeatureSource
from solutions.clips.settings import ClipStream
from solutions.encoders.affectnet import probabilities
from solutions.encoders.names import STAT
from solutions.encoders.registry import check_stride, is_text
from solutions.postprocess.gaps import fill_gaps
from solutions.postprocess.plan import Constants
from solutions.postprocess.scores import SplitScores
from solutions.predictions import chosen_on_val, decided
from solutions.recipe import AnyStream, ColumnStream, Recipe, Stream
from solutions.recipes import recipe_named
from solutions.streams.columns import opened_columns, source_name
from solutions.streams.interface import TrainedStream, kind_of_stream
from solutions.streams.moments import Moments, load_moments, moments_of, save_moments, standardised
from solutions.streams.video_filter import FittedFilter
from solutions.train_folds import constants_from, constants_on_train, crops_of, epoch_rules
from solutions.tuning.choose import fixed_constants
from solutions.tuning.curves import curves

RECIPE_FILE = "recipe.json"
STREAM_FOLDER = "stream-{}"
FINAL_FOLDER = "final-{}"
FILTER_FOLDER = "filter-{}"
CONSTANTS_FILE = "constants.json"
MOMENTS_FILE = "moments.safetensors"


TRAINED_ON_BOTH = (
    "heads were trained on train and val together; what is chosen on labels was chosen on val with heads trained on "
    "train alone"
)
"""Note of a run on test whose heads were trained on train and val."""


def with_val_in_train(data: Dataset) -> Dataset:
    """Return a data set whose training split is train and val together, train first.

    Raises:
        DataError: all videos of val lack labels, or a video is in both splits and would count twice.
    """
    train, val = data.videos("train"), data.videos("val")
    check_disjoint(data.root, {"train": train, "val": val})
    if all(video.labels is None for video in val):
        what, do = "training on train and val needs labels of val", f"See abaw data check {data.root}"
        raise DataError(what, where=data.root, found=f"none for its {counted(len(val), 'video')}", do=do)
    return replace(data, splits={**data.splits, "train": [*train, *val]})


def _check_stride(recipe: Recipe, stride: int) -> None:
    """Raise an error if a recipe needs every frame.

    Raises:
        UsageError: the recipe needs every frame.
    """
    clips = [name for s in recipe.streams if isinstance(s, ClipStream) for name in s.encoders]
    if clips:
        what, do = "frames can't be left out: the recipe sees clips of them", "Run it without --stride"
        raise UsageError(what, found=f"--stride {stride} with {clips[0]}", expected="every frame", do=do)
    check_stride(stride, recipe.encoders)


def _plain(content: Any) -> Any:
    """Convert to plain JSON types, so that for example tuples become lists."""
    return json.loads(json.dumps(content))


class RecipeSolution:
    """Solution that a recipe describes; implements :class:`harness.plugins.interface.Solution`."""

    def __init__(self, recipe: Recipe, settings: Settings) -> None:
        """Check the stride; encoders are created at their first use."""
        if settings.stride > 1:
            _check_stride(recipe, settings.stride)
        self.recipe = recipe
        self.settings = settings
        self.name = recipe.name
        self.task = recipe.task
        self._source = FeatureSource(settings)
        self._fitted: list[TrainedStream[Any]] | None = None
        self._final: list[TrainedStream[Any]] = []
        self._filters: dict[str, FittedFilter] = {}
        self._moments: list[Moments] = []
        self._constants: Constants | None = None
        self._trained_on: dict[str, Any] | None = None  # identities of the encoders of saved streams

    def describe(self) -> dict[str, Any]:
        """Return the recipe and the encoders' identities as plain data."""
        stride = {"stride": self.settings.stride} if self.settings.stride > 1 else {}
        return {**self.recipe.describe(), **stride, "encoders": self._identities()}

    def fit(self, data: Dataset, *, seed: int) -> None:
        """Train each stream on the training videos, or take it from the cache.

        Final streams, if the recipe has any, are trained on training and validation videos together, in the order of
        the splits.
        """
        self._fitted = [self._trained(stream, data, seed) for stream in self.recipe.streams]
        self._filters = {}
        step = self.recipe.postprocess.video_filter
        if step:
            self._filters[TRAIN] = FittedFilter.fit(step, self._source, data)
        if self.recipe.final:
            joined = with_val_in_train(data)
            self._final = [self._trained(stream, joined, seed) for stream in self.recipe.final]
            if step:
                self._filters[ON_BOTH] = FittedFilter.fit(step, self._source, joined)
        self._moments = self._moments_of(data) if self._standardised else []
        self._constants = None
        if self.recipe.tuned_on == "train":
            plan, streams = self.recipe.postprocess, self.recipe.streams
            self._constants = constants_on_train(plan, streams, self._source, data, seed)

    def _trained(self, stream: AnyStream, data: Dataset, seed: int) -> TrainedStream[Any]:
        return kind_of_stream(stream).fit(stream, self._source, data, seed)

    @property
    def _standardised(self) -> bool:
        blend = self.recipe.postprocess.blend
        return blend is not None and blend.standardised

    def _moments_of(self, data: Dataset) -> list[Moments]:
        """Return the moments of each stream over train, then those of each final stream over train and val."""
        moments = [moments_of(stream.scores(self._source, data, "train", [])) for stream in self._fitted or ()]
        joined = with_val_in_train(data) if self._final else data
        return moments + [moments_of(stream.scores(self._source, joined, "train", [])) for stream in self._final]

    def prepare(self, data: Dataset, split: str) -> None:
        """See :meth:`harness.plugins.interface.Preparing.prepare`."""
        plan, streams, splits = self.recipe.postprocess, self.recipe.streams, self._predicted(split)
        for stream in dict.fromkeys([*streams, *self.recipe.final]):
            kind_of_stream(stream).prepare(stream, self._source, data, splits)
        if plan.filter:
            for name in splits:
                self._source.features(plan.filter.classifier, data, name)
        if plan.video_filter:
            for needed_split in dict.fromkeys(["train", *splits]):
                opened_columns(self._source, plan.video_filter.columns, data, needed_split)

    def _predicted(self, split: str) -> list[str]:
        """Return the splits that a run on a split predicts; this includes validation if constants are chosen on it."""
        plan, streams = self.recipe.postprocess, self.recipe.streams
        last = all(isinstance(s, Stream | ColumnStream) and s.head.keep == "last" for s in streams)
        needed = self.recipe.tuned_on == "val" and (plan.chosen or not last or self.recipe.final)
        return [split, *(["val"] if split == "test" and needed else [])]

    def stocks(self, data: Dataset, split: str) -> list[Stock]:
        """See :meth:`harness.plugins.interface.Stocked.stocks`."""
        splits = list(dict.fromkeys([*(["train"] if self.recipe.trains else []), *self._predicted(split)]))
        return [self._source.stock(name, data, splits) for name in self.recipe.encoders]

    def trainings(self) -> frozenset[str]:
        """See :meth:`harness.plugins.interface.Preparing.trainings`."""
        names = frozenset().union(*(kind_of_stream(stream).trainings(stream) for stream in self.recipe.streams))
        final = frozenset().union(*(kind_of_stream(stream).trainings(stream) for stream in self.recipe.final))
        return names | {f"{name} on train and val" for name in final}

    def reads_words(self) -> bool:
        """See :meth:`harness.plugins.interface.ReadingWords.reads_words`."""
        return any(is_text(name) or is_text(name.removeprefix(STAT)) for name in self._identities())

    def predict(self, data: Dataset, split: str) -> Predictions:
        """Return decisions for every row. Choices on labels are cross-fitted on val, and made on all of val for test.

        Final streams, if the recipe has any, predict test alone, so that val is predicted by heads trained without it.
        """
        predictions = decided(
            self.task,
            self.recipe.postprocess,
            data,
            split,
            lambda split, notes: self.scores(data, split, notes),
            self._constants,
        )
        on_both = [TRAINED_ON_BOTH] if self.recipe.final and split == "test" else []
        return replace(predictions, extraction=self._source.taken_reports(), notes=[*on_both, *predictions.notes])

    def scores(self, data: Dataset, split: str, notes: list[str]) -> SplitScores:
        """Return the scores of each stream for every row of a split, gaps filled, before any choice or decision.

        Args:
            data: the data set.
            split: the split; final streams, if the recipe has any, score test.
            notes: list that receives a line for each video without features of a stream.
        """
        fitted, videos = self._streams(), data.videos(split)
        moments, filtered = self._moments[: len(fitted)], TRAIN
        if self._final and split == "test":
            fitted, moments, filtered = self._final, self._moments[len(fitted) :], ON_BOTH
        scores = [stream.scores(self._source, data, split, notes) for stream in fitted]
        if self._standardised:
            scores = [standardised(epochs, its, self.task) for epochs, its in zip(scores, moments, strict=True)]
        passing = None
        if self.recipe.postprocess.video_filter:
            passing = self._filters[filtered].passing(self._source, data, split, notes)
        selection, patience = epoch_rules(self.recipe.streams)
        return SplitScores(
            lengths=np.array([video.n_rows for video in videos], np.int64),
            streams=scores,
            priors=[stream.prior for stream in fitted],
            classifier=self._classifier(data, split),
            passing=passing,
            selection=selection,
            patience=patience,
            crops=crops_of(self.recipe.postprocess, videos) if split != "test" else None,
        )

    def curves(self, data: Dataset) -> list[SweepPoint]:
        """Return curves of the validation score by each constant; the others are fixed or chosen on all of val."""
        plan, scores = self.recipe.postprocess, self.scores(data, "val", [])
        constants = self._constants or fixed_constants(self.task, plan, [len(stream) for stream in scores.streams])
        if constants is None:
            constants = chosen_on_val(self.task, plan, data, scores).on_all
        videos = data.videos("val")
        units = units_of([video.name for video in videos], persons_of(videos))
        return curves(self.task, plan, scores, constants, data.labels("val"), units)

    def save(self, folder: Path) -> None:
        """Write the trained streams, the recipe, and the identities of the encoders that they were trained with."""
        if self._fitted is None:
            raise SolutionError(f"{self.name}: fit() comes before save()")
        for k, stream in enumerate(self._fitted):
            stream.save(folder / STREAM_FOLDER.format(k))
        for k, stream in enumerate(self._final):
            stream.save(folder / FINAL_FOLDER.format(k))
        for name, fitted in self._filters.items():
            fitted.save(folder / FILTER_FOLDER.format(name))
        if self._standardised:
            save_moments(self._moments, folder / MOMENTS_FILE)
        if self._constants is not None:
            write_text(folder / CONSTANTS_FILE, json.dumps(self._constants.describe(), indent=2) + "\n")
        write_text(folder / RECIPE_FILE, json.dumps(self.describe(), indent=2) + "\n")
        write_checksums(folder)

    @classmethod
    def load(cls, folder: Path, settings: Settings | None = None) -> Self:
        """Load a fitted solution from a run's ``model`` folder.

        Args:
            folder: the folder.
            settings: cache and device; the environment's settings by default.

        Raises:
            SolutionError: the folder is incomplete or damaged, or the recipe has changed since.
        """
        try:
            described = load_json(folder / RECIPE_FILE)
            recipe = recipe_named(described["name"])
            encoders, stride = described.pop("encoders"), described.pop("stride", 1)
            if described.get("final"):
                recipe = recipe.on_train_and_val()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SolutionError(f"{folder}: not a saved solution ({error})") from None
        if damaged := damaged_files(folder):
            do = "Make the run again with --fresh"
            raise SolutionError("damaged on the disk", where=folder, found=", ".join(damaged), do=do)
        if _plain(recipe.describe()) != described:
            raise SolutionError(f"{folder}: recipe {recipe.name} has changed since this was saved; run it again")
        solution = cls(recipe, replace(settings or load_settings(), stride=stride))
        solution._fitted = [
            kind_of_stream(stream).load(stream, folder / STREAM_FOLDER.format(k))
            for k, stream in enumerate(recipe.streams)
        ]
        solution._final = [
            kind_of_stream(stream).load(stream, folder / FINAL_FOLDER.format(k))
            for k, stream in enumerate(recipe.final)
        ]
        if step := recipe.postprocess.video_filter:
            trained_on = [TRAIN, *([ON_BOTH] if recipe.final else [])]
            solution._filters = {
                name: FittedFilter.load(step, folder / FILTER_FOLDER.format(name)) for name in trained_on
            }
        if solution._standardised:
            solution._moments = load_moments(folder / MOMENTS_FILE)
        if recipe.tuned_on == "train":
            try:
                solution._constants = constants_from(load_json(folder / CONSTANTS_FILE))
            except (OSError, ValueError, TypeError, AttributeError) as error:
                raise SolutionError(f"{folder}: not a saved solution ({error})") from None
        solution._trained_on = encoders
        return solution

    def _identities(self) -> dict[str, Any]:
        identities: dict[str, Any] = {}
        for stream in self.recipe.streams:
            identities |= kind_of_stream(stream).identities(stream, self._source)
        if step := self.recipe.postprocess.filter:
            identities |= {step.classifier: dict(self._source.identity(step.classifier))}
        if whole := self.recipe.postprocess.video_filter:
            name = source_name(whole.columns)
            identities[name] = dict(self._source.identity(name, how="own"))
        return identities

    def _streams(self) -> list[TrainedStream[Any]]:
        if self._fitted is None:
            raise SolutionError(f"{self.name}: fit() comes before predict()")
        if self._trained_on is not None and self._trained_on != _plain(self._identities()):
            raise SolutionError(
                f"{self.name}: the saved heads were trained on features of other encoders (weights, preprocessing or "
                "versions differ); run it again"
            )
        return self._fitted

    def _classifier(self, data: Dataset, split: str) -> npt.NDArray[np.float32] | None:
        """Return probabilities of the filter's classifier for every frame, gaps filled; ``None`` without a filter."""
        step = self.recipe.postprocess.filter
        if step is None:
            return None
        features, parts = self._source.features(step.classifier, data, split), []
        for video in data.videos(split):
            entry = features.of(video)
            rows = probabilities(entry.parts["logits"])
            # equal probabilities for a video without features, so that the filter is never sure
            unsure = np.full(rows.shape[1], 1 / rows.shape[1])
            parts.append(fill_gaps(entry.frames, rows, video.n_frames, unsure).astype(np.float32))
        return np.concatenate(parts)
