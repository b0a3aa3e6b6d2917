"""The Run page as a reader sees it, on runs that the runner itself made of drawn data."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from harness.board.run import (
    command_for,
    confusion_rows,
    density_rows,
    error_rows,
    others,
    siblings,
    target_rows,
    twins_on_test,
    unit_rows,
    video_rows,
)
from harness.board.seeds import summarise
from harness.board.tables.run import run_tables
from harness.metrics.classification import MacroF1
from harness.records.curves import SweepPoint, write_sweep
from harness.records.run import HEADLINE, RunRecord
from harness.runs.finished import Finished
from harness.slots import Ledger
from harness.store.store import Store
from harness.system.images import decode_rgb
from harness.tasks import AU, EXPR, VA, VD
from leaderboard.data.files import AS_WRITTEN, CHANGED, GONE, OUTSIDE, check_official, run_files, to_upload
from leaderboard.data.frames import Split, picture_address, read_decisions, read_split, read_timeline, thumbnails
from leaderboard.data.reach import data_root
from tests.support.answer_runs import run_answers
from tests.support.app_pages import links_of, open_page, words_of
from tests.support.scored_runs import record

pytestmark = pytest.mark.slow

RunFactory = Callable[..., RunRecord]


@dataclass(frozen=True)
class Made:
    """Runs that the runner made, in a store of their own: read them, don't change them."""

    store: Store
    expr: Finished
    expr_seed_1: Finished
    expr_worse: Finished
    expr_test: Finished
    va: Finished
    au: Finished
    n_frames: dict[str, int]


def own_split(run: Finished) -> Split:
    """Labels and images of a run that was made here."""
    return read_split(run.record, data_root(run.record, run.folder, None))


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory, drawn_once: Path) -> Made:
    path = tmp_path_factory.mktemp("made") / "results.duckdb"
    runs = [
        run_answers(drawn_once, EXPR, "val", path),
        run_answers(drawn_once, EXPR, "val", path, seed=1),
        run_answers(drawn_once, EXPR, "val", path, wrong=5),
        run_answers(drawn_once, EXPR, "test", path),
        run_answers(drawn_once, VA, "val", path),
        run_answers(drawn_once, AU, "val", path),
    ]
    lengths = {name: video.n_frames for name, video in own_split(runs[0]).videos.items()}
    return Made(Store(path, patience=5), *runs, lengths)


@pytest.fixture
def made(made_once: Made, monkeypatch: pytest.MonkeyPatch) -> Made:
    """The page opens their store."""
    monkeypatch.setenv("ABAW_STORE", str(made_once.store.path))
    return made_once


@pytest.fixture
def expr_run(store: Store, drawn_once: Path) -> Finished:
    """A run that a test may spoil."""
    return run_answers(drawn_once, EXPR, "val", store.path)


@pytest.fixture
def own_drawn(drawn_once: Path, tmp_path: Path) -> Path:
    """A copy of the drawn data whose labels a test may change, and which it may delete; pictures are links."""

    def copy(source: str, target: str) -> None:
        (os.link if source.endswith(".jpg") else shutil.copyfile)(source, target)

    return Path(shutil.copytree(drawn_once, tmp_path / "drawn", copy_function=copy))


def tables_of(page: AppTest) -> list[pd.DataFrame]:
    return [element.value for element in page.dataframe]


def table_with(page: AppTest, column: str) -> pd.DataFrame:
    return next(table for table in tables_of(page) if column in table.columns)


# --- numbers


def test_by_class_says_what_the_confusion_matrix_says(made):
    record = made.expr.record
    rows, counts = target_rows(record).set_index("target"), confusion_rows(record)
    for name in EXPR.targets:
        hits = counts[(counts["label"] == name) & (counts["decision"] == name)]["frames"].item()
        labelled = counts.loc[counts["label"] == name, "frames"].sum()
        decided = counts.loc[counts["decision"] == name, "frames"].sum()
        row = rows.loc[name]
        assert row["labelled"] == labelled
        assert row["decided"] == decided
        assert row["recall"] == pytest.approx(hits / labelled if labelled else 0)
        assert row["precision"] == pytest.approx(hits / decided if decided else 0)
        assert row["value"] == pytest.approx(2 * hits / (labelled + decided) if labelled + decided else 0)
    shares = counts.groupby("label")["share"].sum()
    assert all(share == pytest.approx(1) or share == 0 for share in shares)
    assert counts["frames"].sum() == MacroF1(EXPR).n_frames(np.array(list(record.statistics[HEADLINE].values()))).sum()


def test_a_video_is_judged_by_what_it_could_have_got(run_record):
    perfect, wrong = np.zeros((8, 8)), np.zeros((8, 8))
    perfect[0, 0] = 50  # one class alone, all right: macro-F1 1/8, and no more was possible
    wrong[0, 0], wrong[1, 0] = 30, 20
    statistics = {HEADLINE: {"one-class": perfect.ravel().tolist(), "two-classes": wrong.ravel().tolist()}}
    rows = video_rows(run_record(statistics=statistics)).set_index("video")
    assert list(rows.index) == ["two-classes", "one-class"]
    assert rows.loc["one-class", "score"] == pytest.approx(1 / 8)
    assert rows.loc["one-class", "share"] == pytest.approx(1)
    assert rows.loc["two-classes", "possible"] == pytest.approx(2 / 8)
    assert rows.loc["two-classes", "right"] == pytest.approx(0.6)
    whole = 2 * 80 / (80 + 100) / 8
    assert rows.loc["one-class", "pulls"] == pytest.approx(whole - 2 * 30 / 80 / 8)


def test_units_and_values_have_their_own_numbers(made):
    units = made.au.record
    found = unit_rows(units).pivot(index="unit", columns="what", values="frames")
    rows = target_rows(units).set_index("target")
    for unit in AU.targets:
        assert found.loc[unit, "found"] + found.loc[unit, "missed"] == rows.loc[unit, "labelled"]
        assert found.loc[unit, "found"] + found.loc[unit, "false alarm"] == rows.loc[unit, "decided"]
    values = target_rows(made.va.record).set_index("target")
    # half of every label: correlation 1, half the spread
    assert values["pearson"].tolist() == pytest.approx([1, 1], abs=1e-4)
    assert values["sd"].tolist() == pytest.approx((values["sd_label"] / 2).tolist(), abs=1e-4)
    assert (values["value"] < 0.9).all()


def test_squares_and_errors_count_every_frame_once():
    labels, values = np.array([-1.0, -0.95, 0.5, 1.0]), np.array([-1.0, -0.95, 0.0, 1.0])
    squares = density_rows(labels, values, "valence")
    assert squares["frames"].sum() == 4
    assert squares["label"].between(-1, 1 - 1e-9).all()
    errors = error_rows(labels, values, "valence").set_index("label")
    assert errors["frames"].sum() == 4
    row = errors[(errors["low"] <= 0.5) & (errors["high"] > 0.5)].iloc[0]
    assert row["bias"] == pytest.approx(-0.5)
    assert row["distance"] == pytest.approx(0.5)


def test_neighbours_are_told_apart(made):
    runs, other, test = [made.expr.record, made.expr_seed_1.record], made.expr_worse.record, made.expr_test.record
    table = made.store.runs()
    assert list(siblings(table, runs[0].run_id)["run_id"]) == [run.run_id for run in runs]
    found = others(table, runs[0].run_id)
    assert list(found["run_id"]) == [other.run_id]
    assert found["difference"].item() == pytest.approx(other.score()["value"] - runs[0].score()["value"])
    assert list(twins_on_test(table, runs[0].run_id)["run_id"]) == [test.run_id]
    assert twins_on_test(table, runs[1].run_id).empty


def test_an_older_store_that_tells_no_setup_still_has_neighbours(store, run_record):
    a, b = run_record(), run_record("expr/other", 0.5)
    record(store, a, b)
    table = store.runs().assign(setup=None)
    assert list(siblings(table, a.run_id)["run_id"]) == [a.run_id]
    assert list(others(table, a.run_id)["run_id"]) == [b.run_id]


def test_a_command_is_given_only_where_it_would_make_the_run(run_record):
    own = run_record(
        "expr/landmarks-mlp-smooth", seed=3, data={"root": "/data/Aff Wild"}, options={"crops": "cropped_aligned"}
    )
    assert command_for(own, "test") == (
        "abaw submit expr/landmarks-mlp-smooth --seed 3 --data '/data/Aff Wild' --crops cropped_aligned"
    )
    assert "--split val" in command_for(own, "val")
    made = replace(own, options={"stride": "3", "annotations": "/labels", "ignore_lengths": "True", "template": "t"})
    assert command_for(made, "test").endswith("--annotations /labels --ignore-lengths --stride 3")
    assert command_for(run_record("expr/blend-of-2"), "test") == ""
    assert command_for(replace(own, seed=None), "test") == ""


# --- what lies on disk


def test_labels_decisions_and_pictures_are_those_of_the_run(made):
    split, answer = own_split(made.expr), read_decisions(made.expr.record, made.expr.folder)
    assert split.same is True
    name, video = next(iter(split.videos.items()))
    timeline = read_timeline(EXPR, name, [("run", None, answer[name])], split)
    error = timeline.error(timeline.tracks[0])
    off = np.arange(video.n_frames) % 10 == 0
    assert (error[timeline.annotated] == off[timeline.annotated]).all()
    assert int((~timeline.bare).sum()) == len(video.images)
    pictures = thumbnails(video, 10, 40, 5)
    assert 1 <= len(pictures) <= 5
    assert all(10 <= picture.frame <= 40 for picture in pictures)


def test_a_picture_in_an_address_is_the_picture_to_the_eye():
    red = np.zeros((40, 30, 3), np.uint8)
    red[:, :, 0], red[20:, :, 1] = 220, 90
    start, _, content = picture_address(red).partition(",")
    assert start == "data:image/jpeg;base64"
    shown = decode_rgb(np.frombuffer(base64.b64decode(content), np.uint8), Path("picture"))
    assert shown.shape == red.shape
    assert np.abs(shown.astype(int) - red).mean() < 3


def test_labels_that_changed_since_are_noticed(store, own_drawn):
    run = run_answers(own_drawn, EXPR, "val", store.path)
    path = next(own_drawn.rglob("EXPR*/Validation_Set/*.txt"))
    lines = path.read_text().split("\n")
    lines[5] = "7" if lines[5] != "7" else "6"
    path.write_text("\n".join(lines))
    assert own_split(run).same is False
    page = open_page("run", run=run.record.run_id, video=path.stem)
    assert "The labels on disk are not those" in words_of(page)


@pytest.mark.usefixtures("checked_charts")
@pytest.mark.parametrize("which", ["expr", "va", "au", "expr_test"])
def test_every_task_has_its_page(made, which):
    run = getattr(made, which)
    video, answer = next(iter(read_decisions(run.record, run.folder).items()))
    page = open_page("run", run=run.record.run_id, video=video)
    assert "Not shown" not in words_of(page)
    assert page.slider(key="frames-slider").value == (1, len(answer))
    assert page.get("vega_lite_chart")
    assert page.get("image")


@pytest.mark.usefixtures("checked_charts")
def test_violence_has_its_page_with_a_zip_to_download(store, tiny_dvd_once):
    run = run_answers(tiny_dvd_once, VD, "test", store.path)
    video = next(iter(read_decisions(run.record, run.folder)))
    page = open_page("run", run=run.record.run_id, video=video)
    assert "Not shown" not in words_of(page)
    assert "2 files" in words_of(page)
    name, content = to_upload(run.record, run.folder, run_files(run.record, run.folder))
    assert name == f"{run.record.run_id}.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.namelist():
            assert archive.read(member) == (run.folder / "predictions" / member).read_bytes()
        assert len(archive.namelist()) == 2


def test_the_official_file_is_offered_as_it_is(made):
    expr_run = made.expr
    name, content = to_upload(expr_run.record, expr_run.folder, run_files(expr_run.record, expr_run.folder))
    assert name == f"{expr_run.record.run_id}.txt"
    assert content == expr_run.submission.read_bytes()


def test_a_file_that_was_changed_is_not_offered(expr_run):
    expr_run.submission.write_bytes(expr_run.submission.read_bytes() + b"x\n")
    files = {file.name: file.state for file in run_files(expr_run.record, expr_run.folder)}
    assert files == {"predictions.txt": CHANGED, "scores.npz": AS_WRITTEN}
    page = open_page("run", run=expr_run.record.run_id)
    assert "changed since" in words_of(page)
    assert not [button for button in page.get("download_button") if button.proto.label.startswith("Download")]


def test_a_record_can_not_name_files_outside_of_its_folder(expr_run, run_record, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    (expr_run.folder / "link.txt").symlink_to(secret)
    hostile = run_record(
        files={"../secret.txt": "0", str(secret): "0", "link.txt": "0", "a\0b.txt": "0", "no.txt": "0"}
    )
    states = [file.state for file in run_files(hostile, expr_run.folder)]
    assert states[:3] == [OUTSIDE] * 3
    assert states[3].startswith("can't be read")
    assert states[4] == GONE
    page_store = Store(expr_run.folder.parents[2] / "results.duckdb")
    page_store.record([(hostile, expr_run.folder)])
    assert "secret.txt: not in the run's folder" in words_of(open_page("run", run=hostile.run_id))


def test_check_compares_test_file_with_organisers_template(store, drawn_once):
    run = run_answers(drawn_once, EXPR, "test", store.path)
    report, template = check_official(run.record, run.folder)
    assert report.valid
    assert template.endswith(".txt")
    lines = run.submission.read_text().split("\n")
    run.submission.write_text("\n".join(lines[:-2]) + "\n")
    report, _ = check_official(run.record, run.folder)
    assert not report.valid


def test_the_check_is_one_click(made):
    page = open_page("run", run=made.expr_test.record.run_id)
    assert not page.success
    next(button for button in page.button if button.label == "Check it now").click().run()
    assert page.success[0].value == "Valid: 160 rows, 2 videos."


# --- the page


def test_a_link_opens_the_run_the_video_and_the_stretch(made):
    record = made.expr.record
    video = sorted(record.statistics[HEADLINE])[1]
    page = open_page("run", run=record.run_id, video=video, frames="20-50")
    assert page.selectbox(key="run-picker").value == record.run_id
    assert page.selectbox(key="video-picker").value == video
    assert page.slider(key="frames-slider").value == (20, 50)
    assert f"Frames 20 to 50 of {made.n_frames[video]}" in words_of(page)
    next(button for button in page.button if button.label == "All of it").click().run()
    assert page.slider(key="frames-slider").value == (1, made.n_frames[video])
    assert "frames" not in page.query_params


@pytest.mark.usefixtures("checked_charts")
def test_two_runs_of_a_video_lie_over_each_other(made):
    a, b = made.expr.record, made.expr_worse.record
    page = open_page("compare", a=a.run_id, b=b.run_id, video=sorted(made.n_frames)[0], frames="20-50")
    assert "Frames 20 to 50 of" in words_of(page)
    assert "Not shown" not in words_of(page)
    assert len(page.get("vega_lite_chart")) == 3  # by score, by video, by frame


def test_the_worst_part_is_one_click_away(made):
    video = max(made.n_frames, key=made.n_frames.__getitem__)
    page = open_page("run", run=made.expr.record.run_id, video=video)
    next(button for button in page.button if button.label == "Worst part").click().run()
    first, last = page.slider(key="frames-slider").value
    assert last - first + 1 == 60
    assert page.query_params["frames"] == [f"{first}-{last}"]


def test_address_without_run_shows_a_list_to_choose_from(made):
    page = open_page("run")
    assert len(tables_of(page)[0]) == 6
    page.selectbox(key="run-picker").set_value(made.expr.record.run_id).run()
    assert page.query_params["run"] == [made.expr.record.run_id]
    assert table_with(page, "pulls")["video"].is_unique


def test_names_that_are_gone_say_so_and_offer_the_rest(made):
    page = open_page("run", run="gone")
    assert "no run of the name in this link" in words_of(page)
    assert len(tables_of(page)) == 1
    page = open_page("run", run=made.expr.record.run_id, video="gone")
    assert "no video of the name in this link" in words_of(page)
    assert page.selectbox(key="video-picker").value is None


def test_another_run_takes_the_video_out_of_the_address(made):
    video, other = next(iter(made.n_frames)), made.expr_worse.record.run_id
    page = open_page("run", run=made.expr.record.run_id, video=video, frames="20-50")
    page.selectbox(key="run-picker").set_value(other).run()
    assert dict(page.query_params) == {"run": [other]}


def test_the_table_of_videos_has_the_worst_one_first(made):
    page = open_page("run", run=made.expr.record.run_id)
    table = table_with(page, "pulls")
    assert set(table["video"]) == set(made.n_frames)
    assert table["score"].iloc[0] < table["score"].iloc[-1]


def test_a_validation_run_leads_to_the_file_to_upload(made):
    page = open_page("run", run=made.expr.record.run_id)
    assert "to look at" in words_of(page)
    assert links_of(page)["Open the run on test"] == f"run?run={made.expr_test.record.run_id}"
    assert "to look at" not in words_of(open_page("run", run=made.expr_test.record.run_id))


def test_seeds_of_one_setup_are_summed_up(made):
    records = [made.expr.record, made.expr_seed_1.record]
    values = [record.score()["value"] for record in records]
    said = f"One of 2 seeds, whose mean is {np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}."
    assert said in words_of(open_page("run", run=records[0].run_id))
    assert "One of" not in words_of(open_page("run", run=made.expr_worse.record.run_id))
    summary = summarise(records)
    text = words_of(open_page("run", run=records[0].run_id))
    assert f"Mean {summary.mean:.3f} with 95 % by video from {summary.low:.3f} to {summary.high:.3f}" in text
    assert f"± {summary.sd:.3f}" in text


def test_everything_on_disk_may_be_gone(store, own_drawn):
    run = run_answers(own_drawn, EXPR, "val", store.path)
    video = next(iter(run.record.statistics[HEADLINE]))
    shutil.rmtree(run.folder)
    page = open_page("run", run=run.record.run_id, video=video)
    assert "The run folder is not here" in words_of(page)
    assert "Not shown: " in words_of(page)
    assert table_with(page, "pulls").shape[0] == 4  # the store alone has that
    shutil.rmtree(own_drawn)
    st.cache_resource.clear()
    page = open_page("run", run=run.record.run_id, video=video)
    assert "Nothing of this video is within reach" in words_of(page)


@pytest.mark.usefixtures("checked_charts")
def test_curves_are_drawn_where_they_were_made(store, expr_run):
    points = [SweepPoint("half_width", k, "macro_f1", 0.4 + k / 100, 0.3, 0.5) for k in (0, 5, 10)]
    write_sweep(expr_run.folder, points)
    store.record([(expr_run.record, expr_run.folder)])
    page = open_page("run", run=expr_run.record.run_id)
    assert "Score against one constant" in words_of(page)
    assert len(page.get("vega_lite_chart")) == 3


def test_a_run_without_statistics_shows_its_scores_and_no_videos(store, run_record):
    run = run_record(notes=["2 videos without audio"])
    record(store, run)
    page = open_page("run", run=run.run_id)
    assert list(table_with(page, "target")["target"])[:2] == ["Neutral", "Anger"]
    text = words_of(page)
    assert "Note: 2 videos without audio" in text
    assert "Neither the store nor the run folder tells" in text


def test_statistics_of_another_kind_are_left_out(store, run_record):
    run = run_record(statistics={HEADLINE: {"v": [1.0, 2.0, 3.0]}})
    record(store, run)
    assert video_rows(run).empty
    open_page("run", run=run.run_id)


def test_choices_are_told_by_fold(store, run_record):
    run = run_record(tuned=0.42)
    record(store, run)
    page = open_page("run", run=run.run_id)
    assert table_with(page, "per_fold").iloc[0].to_dict() == {
        "what": "half width",
        "on_all": "5",
        "per_fold": "0, 5",
        "candidates": "0, 5",
    }
    assert [metric.value for metric in page.metric] == ["0.400", "0.370 to 0.430", "0.420 (+0.020)", "0.057"]


def test_a_run_trained_on_validation_is_flagged(store, run_record):
    run = run_record(trained_on="train+val")
    record(store, run)
    assert "Trained on the validation videos, too" in words_of(open_page("run", run=run.run_id))


def test_a_run_on_test_of_heads_on_both_names_whose_val_it_shows(store, run_record):
    on_val = run_record("expr/a", 0.41, recipe={"w": 5})
    leaked = run_record("expr/a", 0.99, recipe={"w": 5, "final": [1]}, trained_on="train+val", run_id="leaked")
    other = run_record("expr/a", 0.77, recipe={"w": 6}, run_id="other")
    run = run_record("expr/a", None, split="test", recipe={"w": 5, "final": [1]}, trained_on="train+val", run_id="both")
    record(store, on_val, leaked, other, run)
    page = open_page("run", run=run.run_id)
    assert "Trained on train+val." in words_of(page)
    shown = {metric.label: metric.value for metric in page.metric}
    assert shown["Same solution on val, heads trained on train alone: macro-F1"] == "0.410"
    assert shown["95 % on val by video"] == "0.380 to 0.440"
    assert "0.99" not in f"{words_of(page)} {shown}"
    assert links_of(page)["Open its validation run"] == f"run?run={on_val.run_id}"


@pytest.mark.parametrize(("score", "value"), [(None, "not there yet"), (0.386, "0.386 (-0.024)")])
def test_a_run_on_test_shows_its_slot_and_what_came_back(score, value, store, run_record, tmp_path, monkeypatch):
    monkeypatch.setenv("ABAW_OUT", str(tmp_path / "out"))
    on_val, run = run_record("expr/a", 0.41), run_record("expr/a", None, split="test")
    record(store, on_val, run)
    ledger, earlier, file = Ledger(tmp_path / "out"), tmp_path / "earlier.txt", tmp_path / "predictions.txt"
    for path in (earlier, file):
        path.write_text(path.name)
    (tmp_path / "out").mkdir()
    ledger.send(earlier, "EXPR")
    unsent = open_page("run", run=run.run_id)
    assert "Not sent yet." in words_of(unsent)
    sent = ledger.send(file, "EXPR", run_id=run.run_id)
    if score is not None:
        ledger.result(sent.number, score)
    page = open_page("run", run=run.run_id)
    shown = {metric.label.partition(",")[0]: metric.value for metric in page.metric}
    assert shown["Slot"] == "2 of 5"
    assert shown["Same solution on val: macro-F1"] == "0.410"
    assert shown["Official score" if score is None else "Official score (minus val)"] == value
    assert "Not sent yet." not in words_of(page)


def test_names_of_any_kind_are_shown_as_they_are(store, run_record):
    names = ["<script>alert(1)</script>", "**bold** [a](b) $x$ :smile:", "a_b & 50 % 'q' \"d\"", "😀" * 20, "x" * 500]
    together = " ".join(names)
    run = run_record(
        f"expr/{together}",
        run_id=f"id {together}",
        notes=names,
        constant=together,
        data={"name": together, "root": together, "fingerprint": "f", "videos": 1, "frames": 1},
        statistics={HEADLINE: {name: np.eye(8).ravel().tolist() for name in [*names, "other"]}},
        files={f"{name[:50]}.txt": "0" for name in names},
        trained_on=together,
    )
    record(store, run)
    page = open_page("run", run=run.run_id, video=names[0])
    picker = page.selectbox(key="video-picker")
    assert picker.value == names[0]
    assert {*names} <= {*picker.options}
    assert {f"Note: {name}" for name in names} <= {text.value for text in page.text}
    kinds = (
        page.markdown,
        page.caption,
        page.info,
        page.warning,
        page.error,
        page.header,
        page.subheader,
        page.success,
    )
    rendered = "\n".join(str(element.value) for kind in kinds for element in kind)
    rendered += "\n".join(f"{metric.label}{metric.value}" for metric in page.metric)
    assert [name for name in names if name in rendered] == []


def test_tables_hold_what_the_page_shows(made):
    expr_run = made.expr
    tables = run_tables(expr_run.record)
    assert list(tables) == ["classes", "confusion", "videos", "settings"]
    assert len(tables["classes"].rows) == 8
    assert len(tables["confusion"].columns) == 9
    assert len(tables["videos"].rows) == 4
    assert {"setting": "seed", "value": "0"} in tables["settings"].rows
    total = sum(row[name] for row in tables["confusion"].rows for name in EXPR.targets)
    assert total == confusion_rows(expr_run.record)["frames"].sum()


def test_a_run_of_a_task_of_the_future_shows_its_record(store, run_record):
    run = run_record(task="NEW")
    record(store, run)
    assert "knows no such task" in words_of(open_page("run", run=run.run_id))


def test_the_record_on_the_page_is_the_one_on_disk(made):
    page = open_page("run", run=made.expr.record.run_id)
    shown = json.loads(page.json[0].value)
    on_disk = json.loads((made.expr.folder / "run.json").read_text())
    assert shown == on_disk
