"""Several seeds: the mean, the spread, and an interval that draws the same videos for all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score

from harness.board.seeds import summarise
from harness.metrics.metric import metric_for
from harness.metrics.scoring import score_card, video_statistics
from harness.records.run import HEADLINE, TUNED_ON_ALL, constant_row, score_rows, statistics_of
from harness.tasks import EXPR

N_VIDEOS = 12


@pytest.fixture
def labels() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {f"video{k:02d}": rng.integers(0, 8, 60) for k in range(N_VIDEOS)}


@pytest.fixture
def run(run_record, labels):
    """The record of a run that is wrong on a share of the frames."""

    def make(seed: int, wrong: float, tuned: float | None = None):
        rng = np.random.default_rng(seed)

        def card(share: float):
            decided = {n: np.where(rng.random(60) < share, rng.integers(0, 8, 60), y) for n, y in labels.items()}
            statistics = video_statistics(EXPR, metric_for(EXPR), labels, decided)
            return score_card(EXPR, tuple(labels), statistics), decided

        head, decided = card(wrong)
        scores, statistics = [*score_rows(head, HEADLINE), constant_row(head)], {HEADLINE: statistics_of(head)}
        if tuned is not None:
            scores += score_rows(card(tuned)[0], TUNED_ON_ALL)
        record = replace(run_record(), seed=seed, scores=scores, statistics=statistics)
        truth = np.concatenate(list(labels.values()))
        return record, f1_score(truth, np.concatenate(list(decided.values())), average="macro")

    return make


def test_mean_and_spread_are_those_of_the_runs(run):
    records, values = zip(*(run(seed, 0.3 + seed / 20) for seed in range(5)), strict=True)
    found = summarise(records)
    assert found.seeds == (0, 1, 2, 3, 4)
    np.testing.assert_allclose(found.values, values, atol=1e-12)
    assert found.mean == pytest.approx(np.mean(values), abs=1e-12)
    assert found.sd == pytest.approx(np.std(values, ddof=1), abs=1e-12)
    assert found.low < found.mean < found.high
    assert found.optimism is None


def test_one_seed_has_its_own_interval_and_no_spread(run):
    record, _ = run(3, 0.4)
    found, head = summarise([record]), record.score()
    assert (found.mean, found.low, found.high) == (head["value"], head["low"], head["high"])
    assert found.sd is None


def test_the_order_of_the_videos_does_not_matter(run):
    """The same videos are drawn for all seeds by name, as for the store's draws, not by their place in a record."""
    records = [run(seed, 0.3)[0] for seed in range(2)]
    turned = dict(reversed(records[1].statistics[HEADLINE].items()))
    found, other = summarise(records), summarise([records[0], replace(records[1], statistics={HEADLINE: turned})])
    assert found == other


def test_the_interval_of_the_mean_is_no_wider_than_that_of_a_run(run):
    """Errors of the seeds are drawn apart here: their mean is steadier than each."""
    records = [run(seed, 0.5)[0] for seed in range(6)]
    found = summarise(records)
    widths = [head["high"] - head["low"] for record in records if (head := record.score())]
    assert found.high - found.low < np.mean(widths)


def test_optimism_is_the_gap_between_the_means(run):
    records = [run(seed, 0.5, tuned=0.4)[0] for seed in range(3)]
    found = summarise(records)
    tuned = [record.score(TUNED_ON_ALL)["value"] for record in records]
    assert found.tuned_on_all == pytest.approx(np.mean(tuned))
    assert found.optimism == pytest.approx(np.mean(tuned) - found.mean)


def test_what_was_not_scored_has_no_summary(run_record):
    assert summarise([replace(run_record(), scores=[])]) is None
