"""Scores of a run computed again from its statistics; the scores in its record must equal them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from harness.errors import DataError
from harness.files.archives.names import SHOWN
from harness.metrics.average_precision import Ambivalence
from harness.metrics.metric import metric_for
from harness.metrics.scoring import ScoreCard, score_card
from harness.records.run import HEADLINE, TUNED_ON_ALL, RunRecord, constant_rows, score_rows
from harness.system.counts import counted, first_of
from harness.tasks import TASKS

_SAME = 1e-9  # sums may be added in another order elsewhere
_DRAWN = 0.1  # part of an interval's width: its ends are random, and earlier versions resampled other videos
Key = tuple[str, str, str]


def score_problems(record: RunRecord) -> Iterator[str]:
    """Yield the problems of a run's scores: those that differ from the scores of its statistics. A run may be unscored.

    Statistics that differ from those of the official file stay undetected, because that needs the labels.
    """
    yield from _step_doubts(record)
    if not record.statistics and not record.scores:
        return
    metric = metric_for(TASKS[record.task])
    others = {row["version"] for row in record.scores} - {metric.version}
    if others:
        yield f"scored by another version of the metric; found {sorted(others)}, expected {metric.version}"
        return
    try:
        cards = {estimate: _card(record, estimate) for estimate in record.statistics}
    except (DataError, ValueError, IndexError) as error:
        yield f"the statistics give no score; found {error}"
        return
    if HEADLINE not in cards or not cards.keys() <= {HEADLINE, TUNED_ON_ALL}:
        estimates = ", ".join(map(repr, cards)) or "nothing"
        yield f"statistics of {estimates}; expected those of {HEADLINE}, and of {TUNED_ON_ALL} at most"
        return
    yield from _doubts(record, cards)
    due = [row for name, card in cards.items() for row in score_rows(card, name)]
    due += constant_rows(cards[HEADLINE])
    differing = list(_differing(_by_key(record.scores), _by_key(due)))
    if differing:
        yield f"scores that its statistics do not give: {first_of(differing, SHOWN, '; ')}"


def _step_doubts(record: RunRecord) -> Iterator[str]:
    """Yield the impossible counts of steps. Further checks would need the labels and scores."""
    task = TASKS[record.task]
    most = record.data["frames"] if task.level == "frame" else record.data["videos"]
    most *= task.n_outputs if task.kind == "binaries" else 1
    names = [row["step"] for row in record.steps or ()]
    if len(set(names)) < len(names):
        yield "steps of one name, which can't be told apart"
    for row in record.steps or ():
        effect = row.get("corrected", 0) + row.get("worsened", 0)
        fits = effect <= row["changed"] <= row["decisions"] <= most
        fits = fits and ("overridden_right" not in row or "overridden" in row)
        fits = fits and row.get("overridden_right", 0) <= row.get("overridden", 0) <= row["decisions"]
        if not fits:
            yield f"counts of step {row['step'][:60]!r} that don't fit together, or {counted(most, 'decision')}"


def _card(record: RunRecord, estimate: str) -> ScoreCard:
    task, statistics = TASKS[record.task], record.statistics[estimate]
    table = np.array(list(statistics.values()), np.float64)
    with np.errstate(all="ignore"):  # the sum of large numbers may overflow
        metric_for(task).label_part(table)
        return score_card(task, tuple(statistics), table, record.groups)


def _doubts(record: RunRecord, cards: Mapping[str, ScoreCard]) -> Iterator[str]:
    """Yield the impossible values in statistics."""
    frames, videos = record.data["frames"], record.data["videos"]
    # a row of a video counts even where there is no image of it
    frames = videos if TASKS[record.task].level == "video" else frames
    for name, card in cards.items():
        counts = card.statistics
        if isinstance(metric_for(card.task), Ambivalence):
            counts, probability = counts[:, :-1], counts[:, -1]
            if not (((probability >= 0) & (probability <= 1)) | (probability == -1)).all():
                yield f"the statistics of {name} hold probabilities that are none"
        if card.task.kind != "values" and ((counts < 0) | (counts != np.floor(counts))).any():
            yield f"the statistics of {name} hold counts that are none"
        if any(not -1 <= score.value <= 1 for score in card.scores):
            yield f"the statistics of {name} give scores outside of -1 to 1"
        if card.n_frames > frames or len(card.videos) > videos:
            actual, most = (
                f"{counted(card.n_frames, 'frame')} of {counted(len(card.videos), 'video')}",
                f"{frames:,} of {videos}",
            )
            yield f"the statistics of {name} are of more than the run; found {actual}, expected at most {most}"

    strangers = sorted(set(record.groups) - set(cards[HEADLINE].videos))
    if strangers:
        yield f"the record names persons of videos that it does not score; found {first_of(strangers, SHOWN, ', ')}"
    persons, named = len(set(record.groups.values())), record.data.get("persons", 0)
    if persons != named:
        yield f"the record names another number of persons than its data; found {persons}, expected {named}"


def _by_key(rows: Any) -> dict[Key, Mapping[str, Any]]:
    return {(row["estimate"], row["metric"], row["target"]): row for row in rows}


def _differing(recorded: Mapping[Key, Mapping[str, Any]], due: Mapping[Key, Mapping[str, Any]]) -> Iterator[str]:
    for key in dict.fromkeys([*recorded, *due]):
        name = " ".join(key)
        if key not in due or key not in recorded:
            yield f"{name}, {'which is no score of the task' if key not in due else 'which the record lacks'}"
            continue
        low, high = due[key]["low"], due[key]["high"]
        drawn = _SAME if low is None else max(_DRAWN * (high - low), _SAME)
        for part, tolerance in (("value", _SAME), ("low", drawn), ("high", drawn)):
            theirs, ours = recorded[key][part], due[key][part]
            if not _close(theirs, ours, tolerance):
                yield f"{name}, {part}: {theirs} in the record, {ours} from the statistics"


def _close(a: float | None, b: float | None, tolerance: float) -> bool:
    if a is None or b is None:
        return a is b
    return abs(a - b) <= tolerance
