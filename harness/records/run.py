"""The record of a run: what made it and what it scored. ``run.json`` is the truth; the store can be rebuilt from it."""

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
"""Keys of a record's ``data``: hashes of the labels of training and validation, of which images there were, and of the
words that a solution read."""
WORDS_FROM = "words_from"
"""Key of a record's ``data``: files, or speech recognisers with version and model, that the words come from."""
_DECIDING = ("fingerprint", LEARNED_FROM, IMAGES, TRANSCRIPTS, WORDS_FROM)

TRAIN, ON_BOTH = "train", "train+val"
"""Splits that heads were trained on, as ``trained_on`` names them."""
SEEN_VAL = r"(^|[^a-z])(train)?val(id|idation)?($|[^a-z])"
"""Pattern of a ``trained_on``, in small letters, that names val; in the syntax of Python and of DuckDB."""
FINAL = "final"
"""Key of a recipe for what is trained on train and val. Without it, the recipe is that of heads trained on train."""

UNKNOWN = "not known"
"""What a file that somebody else's code made was trained and tuned on."""


@dataclass(frozen=True)
class RunRecord:
    """Content of ``run.json``.

    Attributes:
        run_id: unique; derived from what made the run, so that the same run has the same id everywhere.
        created: ISO 8601, UTC.
        name: the solution's, or the name given to a file that was scored.
        recipe: the resolved solution, complete.
        options: what was given on the command line, as opposed to defaults.
        choices: what was chosen on labels, per fold and on all.
        data: name, root, videos, frames, frames without a crop or a picture; ``persons``, number of the scored videos'
            persons, where intervals draw these; ``fingerprint`` of the split that was scored, ``learned_from`` of what
            a solution may learn from, ``images`` of what it reads; where a
            solution reads words, ``transcripts``, their hash, and ``words_from``.
        scores: rows ``estimate, metric, version, target, value, low, high``.
        constant: what the best constant prediction says, for the screen.
        files: sha256 of each official file and of the scores, by name in the folder.
        provenance: git, packages, platform, device.
        timings: seconds by phase; ``frames_per_second`` of the extraction.
        groups: person of each scored video, as far as they are known: whoever draws videos draws all of a person's at
            once. Empty in records of data without persons, where each video is drawn alone.
        steps: effect of each step of post-processing on the decisions, of :class:`harness.metrics.steps.StepCount`;
            empty where no step changes a decision. ``None`` in records of earlier versions, and of solutions that do
            not report their steps.
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
        """True if the heads were trained on the very videos that they predict: no score on these is a validation."""
        return self.split in splits_in(self.trained_on)

    @property
    def unit(self) -> str:
        """Name of what the intervals draw: ``person`` where persons are known, else ``video``."""
        return "person" if self.groups else "video"

    def score(
        self, estimate: str = HEADLINE, metric: str | None = None, target: str = "all"
    ) -> Mapping[str, Any] | None:
        """One score row; the official metric's unless another is named. ``None`` if the run was not scored."""
        rows = (r for r in self.scores if r["estimate"] == estimate and r["target"] == target)
        return next((r for r in rows if metric in (None, r["metric"])), None)

    def scored(self, estimate: str = HEADLINE) -> ScoredRun:
        """What a comparison with another run needs; without statistics where the run was not scored.

        Raises:
            UnknownNameError: this version knows no task of that name.
            DataError: its heads were trained on validation videos, which it is scored on.
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
        """Everything that decides the result, nested names joined by dots: recipe, options, seed, choices, versions."""
        made = {key: value for key, value in self.provenance.items() if key != "workers"}
        bare = {f"data.{key}": n for key, n in self.data.items() if key in (*_WITHOUT, *_DECIDING)}
        parts = {"recipe": self.recipe, "options": self.options, "choices": self.choices, **made}
        alone = {key: getattr(self, key) for key in ("name", "seed", "trained_on", "tuned_on")}
        return alone | dict(_flat(parts)) | bare

    @property
    def setup(self) -> str:
        """Hex digest of all that decides the result but the seed: what runs share that differ in the seed alone.

        A file that was made elsewhere shares it with no other. Records of earlier versions lack some of what decides;
        their digest is the one that those versions took.
        """
        made = {key: self.provenance.get(key) for key in ("source", "device", "backend", "precision")}
        alone = {key: getattr(self, key) for key in ("task", "split", "name", "trained_on", "recipe")}
        own = self.run_id if self.seed is None else ""
        later = {key: self.data[key] for key in (LEARNED_FROM, IMAGES, TRANSCRIPTS) if key in self.data}
        later |= {key: self.provenance[key] for key in ("weights",) if key in self.provenance}
        return digest_of({**alone, **later, "data": self.data.get("fingerprint"), "made": made, "own": own})

    def learned_as(self, other: RunRecord) -> bool:
        """Return whether two runs are of the same solution, seed and recipe, and learned from the same labels.

        Records of earlier versions do not say what they learned from: there solution, seed and recipe alone decide.
        """
        return self.recipe == other.recipe and self.chose_for(other)

    def chose_for(self, other: RunRecord) -> bool:
        """Return whether the other run is of the same solution, whatever its heads for test were trained on.

        This run is on val, with heads trained on train alone: its score and what it chose are those of the other, too.
        """
        alike = all(getattr(self, key) == getattr(other, key) for key in ("task", "name", "seed"))
        alike &= without_final(self.recipe) == without_final(other.recipe)
        labels = {record.data[LEARNED_FROM] for record in (self, other) if LEARNED_FROM in record.data}
        return alike and len(labels) < 2

    def write(self, folder: Path) -> None:
        """Write ``run.json`` and ``statistics.json``, atomically, the record last: with it the run is complete."""
        STATISTICS.write(folder / STATISTICS_FILE, self.statistics)
        RUN.write(folder / RUN_FILE, self.plain())

    def check(self) -> None:
        """Raise ``msgspec.ValidationError`` unless every member is what belongs there."""
        msgspec.convert(self.plain(), RUN.kind)
        msgspec.convert(self.statistics, STATISTICS.kind)

    def plain(self) -> dict[str, Any]:
        """Return the content of ``run.json``.

        ``groups`` of data without persons are left out, and so are ``steps`` that are unknown: such a record reads as
        earlier versions wrote it.
        """
        unknown = {name for name, value in (("groups", self.groups or None), ("steps", self.steps)) if value is None}
        return {name: getattr(self, name) for name in _NAMES if name not in unknown}

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a run folder.

        Raises:
            DataError: not a run folder, or one of a newer format.
        """
        return cls.of(RUN.read(folder / RUN_FILE), STATISTICS.read(folder / STATISTICS_FILE))

    @classmethod
    def of(cls, content: Mapping[str, Any], statistics: Mapping[str, Mapping[str, Sequence[float]]]) -> Self:
        """Return the record with this content of ``run.json``; members that this version does not know are left out."""
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

    Records of others may say ``validation`` or ``trainval``.

    Example:
        >>> sorted(splits_in("train+val"))
        ['train', 'val']
    """
    text = trained_on.lower()
    words = frozenset(re.findall(r"[a-z]+", re.sub(r"\btrainval", "train val", text)))
    return (words & frozenset(SPLITS)) | ({"val"} if re.search(SEEN_VAL, text) else frozenset())


def without_final(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe without what is trained on train and val."""
    return {key: value for key, value in recipe.items() if key != FINAL}


def submission_of(files: Iterable[str], folder: Path) -> Path:
    """What a run would send in: its official file; the folder of them, where each video has its own.

    Args:
        files: names that its record gives; those that lead out of the folder are passed over.
        folder: of the run; also what is returned where no file is official.
    """
    official = [folder / name for name in files if Path(name).suffix in (*OFFICIAL, ".zip") and not bad_name(name)]
    alone = len(official) == 1 and official[0].parent == folder
    return official[0] if alone else official[0].parent if official else folder


def frames_without(data: Mapping[str, Any]) -> tuple[str, int] | None:
    """What frames lack, ``crop`` or ``picture``, and how many of them; ``None`` where that is not known.

    Args:
        data: of a run's record.
    """
    found = ((key.rpartition("_")[2], data.get(key)) for key in _WITHOUT)
    return next(((noun, n) for noun, n in found if n is not None), None)


def differing_settings(a: RunRecord, b: RunRecord) -> list[tuple[str, Any, Any]]:
    """Names and both values of the settings in which two runs differ; ``None`` where a run has no such setting."""
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
    """Rows of ``RunRecord.scores`` for a score card."""
    for score in card.scores:
        yield {"estimate": estimate, **asdict(score)}


def constant_row(card: ScoreCard) -> dict[str, Any]:
    """The row for what the best constant prediction scores on the same frames."""
    return _constant(card, card.headline.target, card.constant[1])


def constant_rows(card: ScoreCard) -> list[dict[str, Any]]:
    """Return the row of the best constant, and, where the metric lists them, one of each constant, named as target."""
    return [constant_row(card), *(_constant(card, name, value) for name, value in card.constants)]


def _constant(card: ScoreCard, target: str, value: float) -> dict[str, Any]:
    score = replace(card.headline, target=target, value=value, low=None, high=None)
    return {"estimate": CONSTANT, **asdict(score)}


def statistics_of(card: ScoreCard) -> dict[str, list[float]]:
    """Per-video statistics of a score card, plain data."""
    return dict(zip(card.videos, card.statistics.tolist(), strict=True))


def official_files(folder: Path) -> list[Path]:
    """The official files of a run: what the run wrote for the organisers, checked against its record.

    Raises:
        DataError: not a run folder.
        SubmissionError: a file is missing, or is not what the run wrote.
    """
    record = RunRecord.read(folder)
    found = []
    for name, digest in record.files.items():
        path = recorded_file(folder, name)
        if path.suffix not in OFFICIAL:
            continue
        if not path.is_file() or sha256_of(path) != digest:
            state = "a changed file" if path.is_file() else "nothing"
            do = "Make the run again with --fresh"
            raise SubmissionError("this file is not what the run wrote", where=path, found=state, do=do)
        found.append(path)
    if not found:
        raise SubmissionError("the run has no official file", where=folder)
    return found
