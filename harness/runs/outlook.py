"""Outlook of a run before it begins: device, steps, features in the cache, time and disk by what was measured here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from harness.datasets.dataset import Dataset
from harness.errors import StoreError
from harness.plugins.interface import SolutionEntry, Stock, Stocked
from harness.records.origin import ORIGIN_FILE
from harness.runs.finished import seconds_beside_encoding
from harness.runs.runner import find_run, trained_on_for
from harness.settings import Settings
from harness.store.folders import within_reach
from harness.store.run_names import short_id
from harness.store.sql import quoted
from harness.store.store import Store
from harness.system.counts import counted, duration
from harness.system.device import resolve_device


@dataclass(frozen=True)
class Measured:
    """A number that an earlier run on this machine measured.

    Attributes:
        value: frames per second, or seconds.
        run_id: of the run.
        frames: of the split that the run answered.
        fit: seconds of training, where ``value`` is seconds of a whole run.
        predict: seconds of predictions and choices, where ``value`` is seconds of a whole run.
        beside: True where ``value`` is the rest of a run that encoded features, too.
    """

    value: float
    run_id: str
    frames: int
    fit: float | None = None
    predict: float | None = None
    beside: bool = False


@dataclass(frozen=True)
class Outlook:
    """Steps that a run is about to take, and what they cost.

    Attributes:
        device: with backend and precision.
        steps: in order, without the features.
        stocks: features in the cache and missing, one entry per encoder; empty where the solution can't tell.
        finished: id of the very same run, which is there already; empty if it has yet to be made.
        rate: frames per second of the newest run here with the same encoders, device, backend and precision.
        rest: seconds of the slowest run here of the same solution on the same labels that encoded nothing: the others
            may have taken their heads from the cache. Where every run encoded, seconds beside the encoding.
    """

    device: str
    steps: tuple[str, ...]
    stocks: tuple[Stock, ...]
    finished: str
    rate: Measured | None
    rest: Measured | None

    @property
    def missing(self) -> int | None:
        """Frames that are to be encoded; ``None`` where that can't be told."""
        numbers = [stock.missing for stock in self.stocks]
        return None if not numbers or None in numbers else sum(number or 0 for number in numbers)

    @property
    def encoding_seconds(self) -> float | None:
        """Seconds that the features take at the rate that was measured; ``None`` where none was."""
        if self.missing == 0:
            return 0.0
        # the rate of a run is of all its encoders together, one after the other
        return None if self.missing is None or self.rate is None else self.missing / self.rate.value

    @property
    def seconds(self) -> float | None:
        """Seconds of the whole run; ``None`` where a part of it was never measured here."""
        return None if self.encoding_seconds is None or self.rest is None else self.encoding_seconds + self.rest.value

    @property
    def time_text(self) -> str:
        """Sentence on the time that the run takes."""
        if self.seconds is not None:
            return f"about {duration(self.seconds)}"
        if self.missing and self.encoding_seconds is not None:
            return f"features about {duration(self.encoding_seconds)}, the rest was never measured here"
        return "unknown: nothing like it was measured here"

    @property
    def line(self) -> str:
        """All of it in one line, for the beginning of a run."""
        if self.finished:
            return f"plan: run {short_id(self.finished)} is there already, nothing is computed"
        parts = [self.device, *map(stock_text, self.stocks), " -> ".join(self.steps), f"time: {self.time_text}"]
        return f"plan: {'; '.join(parts)}"

    @property
    def lines(self) -> list[str]:
        """All of it, a line for each part."""
        texts = [f"device: {self.device}"]
        if self.finished:
            texts.append(f"there already: run {self.finished}; nothing is computed unless --fresh is given")
        texts += [f"features: {stock_text(stock)}" for stock in self.stocks]
        if not self.stocks:
            texts.append("features: the solution can't tell which of them are in the cache")
        texts += [f"step {number}: {step}" for number, step in enumerate(self.steps, start=1)]
        if self.rate is not None:
            of = short_id(self.rate.run_id)
            texts.append(f"rate: {self.rate.value:,.1f} frames/s for all encoders, measured here by run {of}")
        if self.rest is not None:
            of = f"{short_id(self.rest.run_id)}, {counted(self.rest.frames, 'frame')}"
            by = f"measured here by run {of}" + (", beside its encoding" if self.rest.beside else "")
            texts.append(f"training, predicting, scoring: {duration(self.rest.value)}, {by}")
        return [*texts, f"time: {self.time_text}", f"disk: {self._disk_text}"]

    @property
    def _disk_text(self) -> str:
        known = [stock.bytes for stock in self.stocks]
        if not known or None in known:
            return "unknown for features that nobody counts before they are made"
        return f"{sum(number or 0 for number in known) / 2**20:,.1f} MiB of features; official files and scores besides"


def stock_text(stock: Stock) -> str:
    """Return what the cache holds of an encoder's features, in words."""
    if stock.frames is None or stock.missing is None:
        return f"{stock.encoder}, not counted"
    if not stock.missing:
        return f"{stock.encoder}, all {counted(stock.frames, 'frame')} cached"
    return f"{stock.encoder}, {stock.frames - stock.missing:,} of {counted(stock.frames, 'frame')} cached"


def outlook_of(
    entry: SolutionEntry,
    data: Dataset,
    split: str,
    settings: Settings,
    *,
    seed: int,
    fresh: bool = False,
    alike: Outlook | None = None,
) -> Outlook:
    """Return what a run is about to do. Nothing is encoded, trained or written.

    Args:
        entry: the solution.
        data: the data set.
        split: split that the run predicts.
        settings: settings of the run.
        seed: seed of the training.
        fresh: a finished run is made again.
        alike: outlook of the same run under another seed; all but the finished run is taken from it, so that cache and
            store are read once for several seeds.

    Raises:
        MissingDependencyError: the solution needs weights or a package.
        DataError: the data set lacks the split.
    """
    data.videos(split)
    settings = replace(settings, device=resolve_device(settings.device))
    solution = entry.create(settings)
    earlier = None if fresh else find_run(solution, entry, data, split, settings, seed=seed)
    finished = earlier.record.run_id if earlier else ""
    if alike is not None:
        return replace(alike, finished=finished)
    stocks = tuple(solution.stocks(data, split)) if isinstance(solution, Stocked) else ()
    rate, rest = _measured(entry, data, split, settings)
    parts = (f"train {entry.head} on {trained_on_for(entry, split)}" if entry.head else "", entry.postprocess)
    last = f"write and check the official file of {split}" + ("" if split == "test" else ", score it")
    return Outlook(
        device=" ".join(part for part in (settings.device, settings.backend, settings.precision) if part),
        steps=(*(part for part in parts if part), last),
        stocks=stocks,
        finished=finished,
        rate=rate,
        rest=rest,
    )


_MEASURED = """
    SELECT run_id, folder, frames, frames_per_second, seconds,
           name = {name} AND split = {split} AND data_fingerprint = {labels} AS alike,
           TRY_CAST(parts[4] AS BIGINT), TRY_CAST(parts[5] AS DOUBLE), TRY_CAST(parts[6] AS DOUBLE)
    FROM (
        -- all at once: each look into a record reads the whole of it
        SELECT * EXCLUDE (record),
               json_extract(record, [
                   '$.provenance.device', '$.provenance.backend', '$.provenance.precision', '$.timings.frames_encoded',
                   '$.timings.fit', '$.timings.predict'
               ]) AS parts
        FROM runs WHERE status = 'complete' AND encoder = {encoder}
    )
    WHERE parts[1]->>'$' = {device} AND coalesce(parts[2]->>'$', '') = {backend}
      AND coalesce(parts[3]->>'$', '') = {precision}
    ORDER BY created DESC
"""


def _measured(
    entry: SolutionEntry, data: Dataset, split: str, settings: Settings
) -> tuple[Measured | None, Measured | None]:
    """Return the rate of the encoders, and the seconds of all the rest, as runs on this machine measured them."""
    texts = {
        "name": entry.name,
        "split": split,
        "labels": data.fingerprint(split),
        "encoder": entry.encoder,
        "device": settings.device,
        "backend": settings.backend,
        "precision": settings.precision,
    }
    sql = _MEASURED.format(**{key: quoted(text) for key, text in texts.items()})
    try:
        with Store(settings.store).reading() as db:  # without pandas, which takes a quarter of a second to load
            runs = db.execute(sql).fetchall() if db is not None else []
    except StoreError:  # a run goes on without an estimate
        return None, None
    rate = rest = beside = None
    for run_id, folder, frames, frames_per_second, seconds, alike, encoded, fit, predict in runs:
        has_rate = frames_per_second is not None and rate is None
        has_rest = bool(alike) and seconds is not None and encoded is not None
        if not (has_rate or has_rest) or not _made_here(Path(folder)):
            continue
        if has_rate:
            rate = Measured(float(frames_per_second), run_id, int(frames))
        if has_rest and encoded == 0:
            rest = _slower(rest, Measured(float(seconds), run_id, int(frames), fit, predict))
        elif has_rest and (left := _beside_encoding(seconds, encoded, frames_per_second)) is not None:
            beside = _slower(beside, Measured(left, run_id, int(frames), beside=True))
    return rate, rest or beside


_HALF_STEP = 0.05  # records keep a rate to one decimal


def _beside_encoding(seconds: float, encoded: int, rate: float | None) -> float | None:
    """Return the seconds of a run beside its encoding; ``None`` where its rounded rate leaves them open."""
    if not rate or rate <= _HALF_STEP:
        return None
    left = seconds_beside_encoding(seconds, encoded, rate)
    uncertain = encoded / (rate - _HALF_STEP) - encoded / (rate + _HALF_STEP)
    return left if left > uncertain else None


def _slower(one: Measured | None, other: Measured) -> Measured:
    """Return the measurement that took longer."""
    return other if one is None or other.value > one.value else one


def _made_here(folder: Path) -> bool:
    """Return True for a run folder on this machine that was not imported from another."""
    return within_reach(folder) and folder.is_dir() and not (folder / ORIGIN_FILE).exists()
