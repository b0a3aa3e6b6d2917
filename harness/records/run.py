"""The record of a run: its solution, data, settings and scores, in ``run.json``, from which a store can be rebuilt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, NotRequired, Self, TypedDict, get_type_hints

import msgspec
from msgspec import Meta

from harness.errors import DataError, SubmissionError, UnknownNameError
from harness.metrics.compare import ScoredRun
from harness.metrics.scoring import ScoreCard
from harness.records import files
from harness.records.document import Count, Document, Moment, Number, Whole
from harness.system.names import bad_name
from harness.system.provenance import digest_of, sha256_of
from harness.tasks import OTHER_TASKS, SPLITS, TASKS

FORMAT = 1
RUN_FILE, STATISTICS_FILE = files.RUN_FILE, files.STATISTICS_FILE

HEADLINE = "headline"
TUNED_ON_ALL = "tuned_on_all"
CONSTANT = "constant"

OFFICIAL = (".txt", ".csv")
"""Suffixes of official files."""

_WITHOUT = ("frames_without_crop", "frames_without_picture")

LEARNED_FROM, IMAGES, TRANSCRIPTS = "learned_from", "images", "transcripts"
"""Keys of a record's ``data``: hashes of the labels of train and val, of the list of images, and of the words that a
solution read."""
WORDS_FROM = "words_from"
"""Key of a record's ``data``: the source of the words, files, or speech recognisers with version and model."""
_DECIDING = ("fingerprint", LEARNED_FROM, IMAGES, TRANSCRIPTS, WORDS_FROM)

TRAIN, ON_BOTH = "train", "train+val"
"""Splits that heads were trained on, as ``trained_on`` names them."""
SEEN_VAL = r"(^|[^a-z])(train)?val(id|idation)?($|[^a-z])"
"""Pattern of a ``trained_on``, in small letters, that names val; in the syntax of Python and of DuckDB."""
FINAL = "final"
"""Key of a recipe's part that trains on train and val. The recipe without it is that of heads trained on train."""

UNKNOWN = "not known"
"""Value of ``trained_on`` and ``tuned_on`` for a file that other code made."""


@dataclass(frozen=True)
class RunRecord:
    """Content of ``run.json``.

    Attributes:
        run_id: unique id, derived from the settings that decide the run: the same run has the same id everywhere.
        created: ISO 8601, UTC.
        task: name of the task.
        split: split that was predicted.
        name: name of the solution, or the user's name for a file that was scored.
        seed: seed of the training; ``None`` for a file that other code made.
        encoder: name of the encoder, for lists.
        head: name of the head, for lists.
        postprocess: name of the post-processing, for lists.
        trained_on: splits that the heads were trained on.
        tuned_on: split that constants were chosen on.
        recipe: complete description of the solution.
        options: options of the command line, without defaults.
        choices: constants that were chosen on labels, per fold and on all.
        data: name, root, number of videos, of frames, and of frames without an image; ``persons``, number of the scored
            videos' persons, where the bootstrap resamples persons; three hashes: ``fingerprint`` of the scored split,
            ``learned_from`` of the labels that a solution may learn from, ``images`` of the images that it reads. For a
            solution that reads words, ``transcripts``, their hash, and ``words_from``, their source.
        scores: rows ``estimate, metric, version, target, value, low, high``.
        files: sha256 of each official file and of the scores, by name in the folder.
        provenance: git, packages, platform, device.
        timings: seconds by phase; ``frames_per_second`` of the extraction.
        constant: the best constant prediction in words, for the screen.
        notes: facts that a reader of the result must know.
        status: ``complete``.
        format: version of the file's format.
        statistics: the metric's statistics by estimate and video; they are stored in ``statistics.json``.
        groups: person of each scored video, as far as the persons are known; the bootstrap resamples all videos of a
            person at once. Empty for data without persons, where videos are resampled.
        steps: effect of each step of post-processing on the decisions, of :class:`harness.metrics.steps.StepCount`;
            empty if no step changes a decision. ``None`` in records of earlier versions, and of solutions that report
            no steps.
    """

    run_id: str
    created: str
    task: str
    split: str
    name: str
    seed: int | None
    encoder: str
    head: str
    postprocess: str
    trained_on: str
    tuned_on: str
    recipe: Mapping[str, Any]
    options: Mapping[str, Any]
    choices: Mapping[str, Any]
    data: Mapping[str, Any]
    scores: Sequence[Mapping[str, Any]]
    files: Mapping[str, str]
    provenance: Mapping[str, Any]
    timings: Mapping[str, Any]
    constant: str = ""
    notes: Sequence[str] = ()
    status: str = "complete"
    format: int = FORMAT
    statistics: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict, repr=False)
    groups: Mapping[str, str] = field(default_factory=dict, repr=False)
    steps: Sequence[Mapping[str, Any]] | None = None

    @property
    def has_seen_its_split(self) -> bool:
        """True if the heads were trained on the videos that they predict; a score on these validates nothing."""
        return self.split in splits_in(self.trained_on)

    @property
    def unit(self) -> str:
        """Name of the bootstrap's unit: ``person`` where persons are known, else ``video``."""
        return "person" if self.groups else "video"

    def score(
        self, estimate: str = HEADLINE, metric: str | None = None, target: str = "all"
    ) -> Mapping[str, Any] | None:
        """Return one row of ``scores``; ``None`` for a run without this score.

        Args:
            estimate: ``headline``, ``tuned_on_all`` or ``constant``.
            metric: name of the metric; the official one by default.
            target: class, dimension or action unit; ``all`` for the official score.
        """
        rows = (r for r in self.scores if r["estimate"] == estimate and r["target"] == target)
        return next((r for r in rows if metric in (None, r["metric"])), None)

    def scored(self, estimate: str = HEADLINE) -> ScoredRun:
        """Return the run's part of a comparison with another run; its statistics are empty for a run without a score.

        Raises:
            UnknownNameError: the record's task is unknown to this version.
            DataError: the run is on val, and its heads were trained on val.
        """
        if self.has_seen_its_split and self.split == "val":
            raise DataError(
                f"{self.run_id} has no validation score to compare",
                found=f"heads trained on {self.trained_on}",
                expected="heads that have not seen val",
                do="Compare the run of the heads trained on train alone",
            )
        row, tasks = self.score(estimate), TASKS | OTHER_TASKS
        if self.task not in tasks:
            raise UnknownNameError("task", self.task, tasks)
        return ScoredRun(
            name=self.run_id,
            task=tasks[self.task],
            split=self.split,
            fingerprint=str(self.data.get("fingerprint", "")),
            statistics=self.statistics.get(estimate, {}),
            version=int(row["version"]) if row else 0,
            groups=self.groups,
        )

    def settings(self) -> dict[str, Any]:
        """Return all settings that decide the result: recipe, options, seed, choices, versions.

        Names of nested settings are joined by dots.
        """
        environment = {key: value for key, value in self.provenance.items() if key != "workers"}
        bare = {f"data.{key}": n for key, n in self.data.items() if key in (*_WITHOUT, *_DECIDING)}
        parts = {"recipe": self.recipe, "options": self.options, "choices": self.choices, **environment}
        alone = {key: getattr(self, key) for key in ("name", "seed", "trained_on", "tuned_on")}
        return alone | dict(_flat(parts)) | bare

    @property
    def setup(self) -> str:
        """Hex digest of all settings that decide the result except the seed; runs that differ in the seed share it.

        The digest of a file that other code made is unique. Records of earlier versions lack some settings; their
        digest is computed from the others, as those versions did.
        """
        environment = {key: self.provenance.get(key) for key in ("source", "device", "backend", "precision")}
        alone = {key: getattr(self, key) for key in ("task", "split", "name", "trained_on", "recipe")}
        unique = self.run_id if self.seed is None else ""
        later = {key: self.data[key] for key in (LEARNED_FROM, IMAGES, TRANSCRIPTS) if key in self.data}
        later |= {key: self.provenance[key] for key in ("weights",) if key in self.provenance}
        return digest_of({**alone, **later, "data": self.data.get("fingerprint"), "made": environment, "own": unique})

    def learned_as(self, other: RunRecord) -> bool:
        """Return True for two runs of the same solution, seed and recipe that learned from the same labels.

        Records of earlier versions lack the hash of the labels: for these, solution, seed and recipe alone decide.
        """
        return self.recipe == other.recipe and self.chose_for(other)

    def chose_for(self, other: RunRecord) -> bool:
        """Return True if the other run is of the same solution, with heads trained on train or on train and val.

        This run is on val, with heads trained on train alone: its score and its choices hold for the other run, too.
        """
        alike = all(getattr(self, key) == getattr(other, key) for key in ("task", "name", "seed"))
        alike &= without_final(self.recipe) == without_final(other.recipe)
        labels = {record.data[LEARNED_FROM] for record in (self, other) if LEARNED_FROM in record.data}
        return alike and len(labels) < 2

    def write(self, folder: Path) -> None:
        """Write ``statistics.json`` and then ``run.json``, which completes the run, both atomically."""
        STATISTICS.write(folder / STATISTICS_FILE, self.statistics)
        RUN.write(folder / RUN_FILE, self.plain())

    def check(self) -> None:
        """Raise ``msgspec.ValidationError`` unless every member has its type."""
        msgspec.convert(self.plain(), RUN.kind)
        msgspec.convert(self.statistics, STATISTICS.kind)

    def plain(self) -> dict[str, Any]:
        """Return the content of ``run.json``.

        Empty ``groups`` and unknown ``steps`` are left out, as in the records of earlier versions.
        """
        unknown = {name for name, value in (("groups", self.groups or None), ("steps", self.steps)) if value is None}
        return {name: getattr(self, name) for name in _NAMES if name not in unknown}

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a run folder.

        Raises:
            DataError: the folder holds no readable record, or one of a newer format.
        """
        return cls.of(RUN.read(folder / RUN_FILE), STATISTICS.read(folder / STATISTICS_FILE))

    @classmethod
    def of(cls, content: Mapping[str, Any], statistics: Mapping[str, Mapping[str, Sequence[float]]]) -> Self:
        """Return the record with this content of ``run.json``; members unknown to this version are left out."""
        return cls(**{name: content[name] for name in _NAMES if name in content}, statistics=statistics)


class RunData(TypedDict):
    """Member ``data`` of ``run.json``."""

    name: str
    videos: Count
    frames: Count
    fingerprint: str
    root: NotRequired[str | None]
    frames_without_crop: NotRequired[Count | None]
    frames_without_picture: NotRequired[Count | None]
    learned_from: NotRequired[str]
    images: NotRequired[str]
    persons: NotRequired[Count]


class ScoreRow(TypedDict):
    """One of the ``scores`` of ``run.json``."""

    estimate: str
    metric: str
    version: Whole
    target: str
    value: Number
    low: Number | None
    high: Number | None


class StepRow(TypedDict):
    """One of the ``steps`` of ``run.json``."""

    step: str
    decisions: Count
    changed: Count
    corrected: NotRequired[Count]
    worsened: NotRequired[Count]
    overridden: NotRequired[Count]
    overridden_right: NotRequired[Count]


class Provenance(TypedDict):
    """Member ``provenance`` of ``run.json``."""

    git: NotRequired[dict[str, Any] | None]
    packages: NotRequired[dict[str, Any] | None]


_STRICTER = {
    "created": Moment, "seed": Whole | None, "data": RunData, "scores": list[ScoreRow], "provenance": Provenance,
    "timings": dict[str, Number | None], "format": Annotated[int, Meta(le=FORMAT)],
    "groups": dict[str, Annotated[str, Meta(min_length=1)]], "steps": list[StepRow] | None,
}  # fmt: skip
"""Types of those members that the code takes as a mapping of anything."""
_HINTS = get_type_hints(RunRecord) | _STRICTER
_NAMES = tuple(part.name for part in fields(RunRecord) if part.name != "statistics")
_DEFAULTS = {part.name: part.default for part in fields(RunRecord) if part.default is not MISSING} | {"groups": {}}
_UNREADABLE = "not a readable run record", "Make the run again with --fresh, or remove its folder"

RunDocument = msgspec.defstruct(
    "RunDocument",
    [(name, _HINTS[name], _DEFAULTS[name]) if name in _DEFAULTS else (name, _HINTS[name]) for name in _NAMES],
    module=__name__,
    namespace={"__doc__": "Record of a run: what made it and what it scored. Other members may be there, too."},
)
RUN: Document[dict[str, Any]] = Document(RunDocument, *_UNREADABLE, format=FORMAT, as_written=True)
STATISTICS: Document[dict[str, dict[str, list[float]]]] = Document(
    dict[str, dict[str, list[Number]]], *_UNREADABLE, indent=None
)


def recorded_file(folder: Path, name: str) -> Path:
    """Return the path of a file that a run's record names.

    Raises:
        DataError: the name leads out of the run's folder.
    """
    if why := bad_name(name):
        what = f"the record names a file that no run has: {why}"
        do = "Make the run again with --fresh, or remove its folder"
        raise DataError(what, where=folder / RUN_FILE, found=repr(name[:200]), do=do)
    return folder / name


def splits_in(trained_on: str) -> frozenset[str]:
    """Return the splits that ``trained_on`` names.

    Records by other programs may hold ``validation`` or ``trainval``.

    Example:
        >>> sorted(splits_in("train+val"))
        ['train', 'val']
    """
    text = trained_on.lower()
    words = frozenset(re.findall(r"[a-z]+", re.sub(r"\btrainval", "train val", text)))
    return (words & frozenset(SPLITS)) | ({"val"} if re.search(SEEN_VAL, text) else frozenset())


def without_final(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe without its part that trains on train and val."""
    return {key: value for key, value in recipe.items() if key != FINAL}


def submission_of(files: Iterable[str], folder: Path) -> Path:
    """Return the path that a user submits: the official file, or the folder of the files of all videos.

    Args:
        files: names of files in the run's record; names that lead out of the folder are ignored.
        folder: the run's folder, which is returned for a run without official files.
    """
    official = [folder / name for name in files if Path(name).suffix in (*OFFICIAL, ".zip") and not bad_name(name)]
    alone = len(official) == 1 and official[0].parent == folder
    return official[0] if alone else official[0].parent if official else folder


def frames_without(data: Mapping[str, Any]) -> tuple[str, int] | None:
    """Return the kind of image that some frames lack, and the number of these frames; ``None`` where it is unknown.

    The kind is the end of the key in the record, after ``frames_without_``: a crop, or the image of a whole frame.

    Args:
        data: ``data`` of a run's record.
    """
    counts = ((key.rpartition("_")[2], data.get(key)) for key in _WITHOUT)
    return next(((noun, n) for noun, n in counts if n is not None), None)


def differing_settings(a: RunRecord, b: RunRecord) -> list[tuple[str, Any, Any]]:
    """Return name and both values of each setting in which two runs differ; a missing setting's value is ``None``."""
    of_a, of_b = a.settings(), b.settings()
    names = dict.fromkeys([*of_a, *of_b])
    return [(name, of_a.get(name), of_b.get(name)) for name in names if of_a.get(name) != of_b.get(name)]


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def score_rows(card: ScoreCard, estimate: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of ``RunRecord.scores`` for a score card."""
    for score in card.scores:
        yield {"estimate": estimate, **asdict(score)}


def constant_row(card: ScoreCard) -> dict[str, Any]:
    """Return the row with the score of the best constant prediction on the same frames."""
    return _constant(card, card.headline.target, card.constant[1])


def constant_rows(card: ScoreCard) -> list[dict[str, Any]]:
    """Return the row of the best constant, then, where the metric lists constants, one row per constant as target."""
    return [constant_row(card), *(_constant(card, name, value) for name, value in card.constants)]


def _constant(card: ScoreCard, target: str, value: float) -> dict[str, Any]:
    score = replace(card.headline, target=target, value=value, low=None, high=None)
    return {"estimate": CONSTANT, **asdict(score)}


def statistics_of(card: ScoreCard) -> dict[str, list[float]]:
    """Return the per-video statistics of a score card as plain data."""
    return dict(zip(card.videos, card.statistics.tolist(), strict=True))


def official_files(folder: Path) -> list[Path]:
    """Return the official files of a run, checked against the hashes in its record.

    Raises:
        DataError: the folder holds no readable record.
        SubmissionError: a file is missing, or was changed since the run.
    """
    record = RunRecord.read(folder)
    paths = []
    for name, digest in record.files.items():
        path = recorded_file(folder, name)
        if path.suffix not in OFFICIAL:
            continue
        if not path.is_file() or sha256_of(path) != digest:
            state = "a changed file" if path.is_file() else "nothing"
            do = "Make the run again with --fresh"
            raise SubmissionError("this file is not what the run wrote", where=path, found=state, do=do)
        paths.append(path)
    if not paths:
        raise SubmissionError("the run has no official file", where=folder)
    return paths
