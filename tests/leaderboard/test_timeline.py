"""A video frame by frame: nothing short is lost on the way to the screen, and nothing is said that is not there."""

from __future__ import annotations

import numpy as np
import pytest

from harness.tasks import AU, EXPR, VA, VD
from leaderboard.charts.timeline import timeline_chart
from leaderboard.data.timeline import LABEL, MOST_ROWS, Timeline, Track, bars, curves, stretch_of, strip_names, strips


def expr(labels, decisions, *, scores=None, bare=None) -> Timeline:
    labels = None if labels is None else np.asarray(labels)
    return Timeline(EXPR, "v", len(decisions), labels, bare, (Track("run", scores, np.asarray(decisions)),))


def stretches(rows, **where):
    for column, value in where.items():
        rows = rows[rows[column] == value]
    return list(zip(rows["first"], rows["last"], strict=True))


def test_bars_are_the_stretches_of_each_class():
    timeline = expr([0, 0, 4, 4, -1, 0], [0, 4, 4, 4, 4, 0])
    rows = bars(timeline, 1, 6)
    assert stretches(rows, who=LABEL, target="Neutral") == [(1, 2), (6, 6)]
    assert stretches(rows, who=LABEL, target="Happiness") == [(3, 4)]
    assert stretches(rows, who="run", target="Happiness") == [(2, 5)]


def test_wrong_frames_leave_out_what_has_no_label():
    timeline = expr([0, 0, 4, 4, -1, 0], [0, 4, 4, 4, 4, 0], bare=np.array([0, 0, 0, 1, 0, 0], bool))
    rows = strips(timeline, 1, 6)
    assert stretches(rows, strip="wrong") == [(2, 2)]
    assert stretches(rows, strip="no label") == [(5, 5)]
    assert stretches(rows, strip="no crop") == [(4, 4)]
    assert strip_names(timeline) == ["wrong", "no label", "no crop"]


def test_single_frame_of_100_000_keeps_its_right_number():
    n = 100_000
    decisions = np.zeros(n, int)
    decisions[77_776] = 3
    rows = bars(expr(None, decisions), 1, n)
    assert stretches(rows, target="Fear") == [(77_777, 77_777)]
    assert len(rows) < 20


def test_a_stretch_is_shown_with_its_own_frame_numbers():
    rows = bars(expr(None, [0, 0, 3, 3, 0, 0, 0]), 3, 6)
    assert stretches(rows, target="Fear") == [(3, 4)]
    assert stretches(rows, target="Neutral") == [(5, 6)]


def test_curves_keep_extremes_of_all_frames_and_fit_a_screen():
    n, rng = 50_000, np.random.default_rng(0)
    scores = rng.random((n, 8)).astype(np.float32) * 0.5
    scores[31_415, 2] = 0.99
    timeline = expr(None, np.zeros(n, int), scores=scores)
    rows = curves(timeline, 1, n)
    assert len(rows) <= MOST_ROWS
    spike = rows[(rows["target"] == "Disgust") & (rows["high"] > 0.9)]
    assert len(spike) == 1
    assert spike["first"].item() <= 31_416 <= spike["last"].item()
    for k, target in enumerate(EXPR.targets):
        own = rows[rows["target"] == target]
        assert own["low"].min() == pytest.approx(scores[:, k].min())
        assert own["high"].max() == pytest.approx(scores[:, k].max())
        assert ((own["last"] + 1).iloc[:-1].to_numpy() == own["first"].iloc[1:].to_numpy()).all()
    assert rows["first"].min() == 1
    assert rows["last"].max() == n


def test_a_short_stretch_shows_every_frame_as_it_is():
    scores = np.linspace(0, 1, 40, dtype=np.float32).reshape(20, 2)
    timeline = Timeline(VD, "v", 20, None, None, (Track("run", scores, None),))
    rows = curves(timeline, 5, 8)
    assert (rows["low"] == rows["high"]).all()
    assert (rows["mean"] == rows["low"]).all()
    assert list(rows.loc[rows["target"] == "violent", "mean"]) == pytest.approx(scores[4:8, 1].tolist())


def test_values_have_label_curves_with_gaps_if_unannotated():
    labels = np.array([[0.1, 0.2], [-5, -5], [0.3, 0.4]])
    timeline = Timeline(VA, "v", 3, labels, None, (Track("run", None, np.zeros((3, 2))),))
    rows = curves(timeline, 1, 3)
    label = rows[(rows["who"] == LABEL) & (rows["target"] == "valence")]
    assert label["mean"].tolist() == pytest.approx([0.1, np.nan, 0.3], nan_ok=True)
    assert set(rows["who"]) == {LABEL, "run"}
    assert bars(timeline, 1, 3).empty
    assert strip_names(timeline) == ["no label"]


def test_the_worst_stretch_is_where_the_errors_are():
    labels, decisions = np.zeros(100, int), np.zeros(100, int)
    decisions[60:66] = 2
    decisions[10] = 2
    labels[80:] = -1
    decisions[80:] = 5
    timeline = expr(labels, decisions)
    first, last = timeline.worst_stretch(timeline.tracks[0], 10)
    assert first <= 61
    assert last >= 66
    assert last - first + 1 == 10
    assert expr(None, decisions).worst_stretch(timeline.tracks[0], 10) is None


def test_two_runs_on_one_video_have_separate_bars_and_strips():
    labels = np.array([0, 0, 1, 1])
    tracks = (Track("A", None, np.array([0, 0, 1, 0])), Track("B", None, np.array([1, 0, 1, 1])))
    timeline = Timeline(EXPR, "v", 4, labels, None, tracks)
    assert stretches(strips(timeline, 1, 4), strip="A wrong") == [(4, 4)]
    assert stretches(strips(timeline, 1, 4), strip="B wrong") == [(1, 1)]
    chart = timeline_chart(timeline, 1, 4).to_dict()
    domains = [layer["encoding"]["fill"]["scale"]["domain"] for layer in chart["layer"] if "fill" in layer["encoding"]]
    assert domains
    assert all(domain == [LABEL, "A", "B"] for domain in domains)


@pytest.mark.parametrize("task", [EXPR, VA, AU, VD], ids=lambda task: task.name)
@pytest.mark.parametrize("n", [1, 7, 3000])
def test_every_task_has_a_chart_with_a_lane_for_each_target(task, n):
    rng = np.random.default_rng(0)
    scores = rng.random((n, task.n_outputs)).astype(np.float32)
    if task.kind == "values":
        labels, decisions = scores.astype(float), scores * 0.5
    elif task.kind == "classes":
        labels, decisions = scores.argmax(1), rng.permutation(scores).argmax(1)
    else:
        labels, decisions = (scores > 0.5).astype(int), (scores > 0.4).astype(int)
    timeline = Timeline(task, "v", n, labels, np.zeros(n, bool), (Track("run", scores, decisions),))
    chart = timeline_chart(timeline, 1, n).to_dict()
    axes = [layer["encoding"]["y"].get("axis") for layer in chart["layer"]]
    expression = next(axis["labelExpr"] for axis in axes if axis)
    for target in task.targets:
        assert target in expression
    data = list(chart["datasets"].values())
    assert max(map(len, data)) <= 5000  # altair's own limit, which the page lifts


def test_timeline_with_only_decisions_or_labels_has_a_chart():
    timeline_chart(expr(None, [0, 1, 1]), 1, 3).to_dict()
    alone = Timeline(EXPR, "v", 3, np.array([0, 1, -1]), None, (Track("run", None, None),))
    timeline_chart(alone, 1, 3).to_dict()
    assert alone.error(alone.tracks[0]) is None


@pytest.mark.parametrize("text", ["", "x", "50-20", "1-", "-3", "0-0", "٣-٩", "5-5", "1-" + "9" * 5000])
def test_a_stretch_that_is_none_is_the_whole_video(text):
    assert stretch_of(text, 90) == (1, 90)


def test_a_stretch_ends_where_the_video_does():
    assert stretch_of("20-999", 90) == (20, 90)
    assert stretch_of("0-30", 90) == (1, 30)
