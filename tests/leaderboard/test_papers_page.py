"""The papers' tables with ours beside them, what each ingredient adds, the curves of the figures."""

from __future__ import annotations

import csv
import io
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.board.curves import curves_of
from harness.board.gains import data_of_own, of_paper, of_runs, stages
from harness.board.ingredients import gains, one_step_pairs, paper_system, run_system, waterfall
from harness.board.papers import beside, data_of_table, paper_tables
from harness.board.seeds import summarise
from harness.board.tables.papers import ingredient_rows, ingredient_table, paper_rows, paper_table, state_of, step_rows
from harness.metrics.interval import percentile_interval
from harness.records.curves import SweepPoint, write_sweep
from harness.records.run import RunRecord
from harness.reference.curves import printed_points
from harness.store.store import Store
from harness.tables.forms import write_csv
from leaderboard.charts.ingredients import Stage, waterfall_chart
from leaderboard.charts.sweep import sweep_chart
from tests.support.app_pages import open_page, words_of
from tests.support.scored_runs import record, scored_run

pytestmark = pytest.mark.slow

TABLE = "abaw10:table1"
PLAIN, GLA = "expr/abaw10-emotieffnet", "expr/abaw10-emotieffnet-gla"


def rows_of(store: Store, key: str = TABLE, data_name: str = "Aff-Wild2") -> list[object]:
    return beside(paper_tables()[key], store.runs(), store.targets(), data_name, store.replicates)  # type: ignore[return-value]


def frames_of(page: object) -> list[pd.DataFrame]:
    return [element.value for element in page.dataframe]  # type: ignore[attr-defined]


# --- ours beside theirs


def test_our_value_is_mean_over_seeds_with_command_interval(store: Store) -> None:
    runs = [scored_run(PLAIN, 0.5, seed=seed) for seed in range(3)]
    record(store, *runs)
    summary = summarise(runs)
    ours = next(row.ours for row in rows_of(store) if row.solution == PLAIN)  # type: ignore[attr-defined]
    assert summary is not None
    assert ours.mean == pytest.approx(summary.mean, abs=1e-12)
    assert ours.sd == pytest.approx(summary.sd, abs=1e-12)
    assert ours.interval == pytest.approx((summary.low, summary.high), abs=1e-6)
    assert ours.seeds == (0, 1, 2)


def test_of_two_set_ups_the_newest_run_s_counts(store: Store) -> None:
    old = [
        scored_run(PLAIN, 0.9, seed=seed, recipe={"old": True}, created="2026-01-01T00:00:00+00:00") for seed in (0, 1)
    ]
    old = [RunRecord(**{**vars(run), "run_id": f"old-{run.seed}"}) for run in old]
    new = scored_run(PLAIN, 0.5)
    record(store, *old, new)
    ours = next(row.ours for row in rows_of(store) if row.solution == PLAIN)  # type: ignore[attr-defined]
    assert ours.run_ids == (new.run_id,)


def test_a_store_without_set_ups_mixes_no_runs(store: Store) -> None:
    record(store, scored_run(PLAIN, 0.5), scored_run(PLAIN, 0.6, seed=1))
    runs = store.runs().assign(setup=None)
    found = beside(paper_tables()[TABLE], runs, store.targets(), "Aff-Wild2", store.replicates)
    assert [len(row.ours.run_ids) for row in found if row.ours] == [1]


def test_the_papers_constants_are_a_number_of_their_own(store: Store) -> None:
    chosen = scored_run("expr/abaw8-emotieffnet-smooth", 0.5)
    given = scored_run("expr/abaw8-emotieffnet-smooth@paper", 0.6)
    record(store, chosen, given)
    row = next(row for row in rows_of(store, "abaw8:table1") if row.ours)  # type: ignore[attr-defined]
    assert row.ours.run_ids == (chosen.run_id,)
    assert row.constants.run_ids == (given.run_id,)


def test_variants_stand_beside_the_row_that_they_are_of(store: Store) -> None:
    default, by_text = scored_run(PLAIN, 0.5), scored_run(f"{PLAIN}@text", 0.4)
    record(store, by_text)
    assert data_of_table(paper_tables()[TABLE], store.runs()) == ["Aff-Wild2"]
    record(store, default)
    row = next(row for row in rows_of(store) if row.ours)  # type: ignore[attr-defined]
    assert row.ours.run_ids == (default.run_id,)
    assert [ours.run_ids for ours in row.variants] == [(by_text.run_id,)]
    assert row.variant_names == (f"{PLAIN}@text", f"{PLAIN}@code")
    assert row.constants is None


def test_like_with_like_is_subtracted(store: Store) -> None:
    run = scored_run(PLAIN, 0.5)
    tuned = {**run.score(), "estimate": "tuned_on_all", "value": 0.61}  # type: ignore[dict-item]
    run = RunRecord(**{**vars(run), "scores": [*run.scores, tuned]})
    record(store, run)
    table = paper_tables()[TABLE]
    line = next(line for line in paper_rows(table, rows_of(store), "Aff-Wild2") if line["solution"] == PLAIN)  # type: ignore[arg-type]
    assert line["difference"] == pytest.approx(0.61 - 0.3868)
    assert line["optimism"] == pytest.approx(0.61 - run.score()["value"])  # type: ignore[index]


def test_ours_on_other_data_is_shown_and_not_subtracted(store: Store) -> None:
    record(store, scored_run(PLAIN, 0.5, data_name="lab"))
    assert data_of_table(paper_tables()[TABLE], store.runs()) == ["lab"]
    page = open_page("papers", table=TABLE)
    said = words_of(page)
    assert "not comparable" in said
    assert "Ours: lab. The paper's: Aff-Wild2." in said
    frame = frames_of(page)[0]
    assert frame["ours"].notna().sum() == 1
    assert "difference" not in frame


def test_on_the_paper_s_data_there_is_a_difference(store: Store) -> None:
    record(store, scored_run(PLAIN, 0.5), scored_run(PLAIN, 0.5, data_name="lab"))
    assert data_of_table(paper_tables()[TABLE], store.runs()) == ["Aff-Wild2", "lab"]
    page = open_page("papers", table=TABLE)
    assert "not comparable" not in words_of(page)
    assert frames_of(page)[0]["difference"].notna().sum() == 1
    other = open_page("papers", table=TABLE, on="lab")
    assert "difference" not in frames_of(other)[0]


def test_rows_that_were_not_run_come_with_the_command(store: Store) -> None:
    record(store, scored_run(PLAIN, 0.5))
    page = open_page("papers", table=TABLE)
    assert f"abaw reproduce {TABLE} --data ROOT" in words_of(page)
    states = frames_of(page)[0]["state"].tolist()
    assert states.count("not run yet") == 12
    assert states.count("run") == 1
    assert states.count("another team's") == 9


def test_tables_of_every_kind_open_without_a_store(store: Store) -> None:
    for key in (TABLE, "abaw10:table4", "abaw8:table2", "abaw8:table5"):
        page, table = open_page("papers", table=key), paper_tables()[key]
        frame = frames_of(page)[0]
        assert frame["system"].tolist() == [row.system for row in table.rows]
        assert frame["paper"].notna().any()


def test_test_scores_are_the_organisers_to_give(store: Store) -> None:
    table = paper_tables()["abaw8:table2"]
    states = [state_of(row, table) for row in rows_of(store, table.key)]  # type: ignore[arg-type]
    assert "scored by the organisers" in states
    assert "not run yet" not in states


def test_a_table_that_there_is_none_of(store: Store) -> None:
    page = open_page("papers", table="<b>abaw99</b>")
    assert "There is no '<b>abaw99</b>' here" in words_of(page)
    assert len(frames_of(page)[0]) == len(paper_tables()[TABLE].rows)


def test_dimensions_are_side_by_side_if_the_paper_prints_them(store: Store) -> None:
    table = paper_tables()["abaw10:table2"]
    assert table.targets == (("ccc", "valence"), ("ccc", "arousal"))
    lines = paper_rows(table, rows_of(store, table.key), "")  # type: ignore[arg-type]
    assert next(line for line in lines if line["row"] == "mt-ddamfn-mlp-smooth")["paper arousal"] == 0.615


def test_the_exported_table_has_the_numbers_in_full(store: Store) -> None:
    run = scored_run(PLAIN, 0.5)
    record(store, run)
    table = paper_table(paper_tables()[TABLE], rows_of(store), "Aff-Wild2")  # type: ignore[arg-type]
    lines = list(csv.DictReader(io.StringIO(write_csv(table))))
    assert [float(line["ours"]) for line in lines if line["ours"]] == [run.score()["value"]]  # type: ignore[index]
    assert [line["system"] for line in lines] == [row.system for row in paper_tables()[TABLE].rows]
    other = paper_table(paper_tables()[TABLE], rows_of(store, data_name="lab"), "lab")  # type: ignore[arg-type]
    assert "difference" not in [column.key for column in other.columns]


# --- ingredients


def test_the_way_of_the_abaw10_table() -> None:
    found = of_paper(paper_tables()[TABLE], [])
    assert [system.key for system in stages(found)] == [
        "emotieffnet", "emotieffnet-gla", "emotieffnet-gla-filter", "emotieffnet-gla-filter-smooth",
        "emotieffnet-wav2vec2-gla-filter-smooth",
    ]  # fmt: skip
    assert [step.added for step in found.way] == ["gla", "filter", "smooth", "wav2vec2"]
    assert sum(step.gain for step in found.way) == pytest.approx(0.4740 - 0.3868)
    put_on_top = [gain for gain in found.listed if not gain.removed]
    assert put_on_top[0].added == "smooth"
    assert len(put_on_top[0].steps) == 4
    assert put_on_top[0].mean == pytest.approx(np.mean([0.0642, 0.0345, 0.0329, 0.0293]), abs=1e-9)


def test_thresholds_replace_each_other_and_unlike_things_do_not() -> None:
    exchanged = {}
    for key in ("abaw10:table3", TABLE):
        listed = of_paper(paper_tables()[key], []).listed
        exchanged[key] = {(gain.added, gain.removed) for gain in listed if gain.removed}
    assert exchanged == {"abaw10:table3": {("best-thr", "thr0.5")}, TABLE: {("enet_b0_8_best_vgaf", "wav2vec2")}}


def test_system_of_unknown_encoder_is_compared_with_none() -> None:
    systems = [paper_system(k, k, encoder, "mlp", "", 0.1) for k, encoder in (("a", ""), ("b", "clip"))]
    assert one_step_pairs(systems) == []
    assert waterfall(systems, []) == []


def test_an_exchange_that_goes_both_ways_is_one_ingredient() -> None:
    systems = [
        paper_system("a", "a", "clip", "tcn", "", 0.5), paper_system("b", "b", "clip", "lstm", "", 0.4),
        paper_system("c", "c", "mae", "tcn", "", 0.5), paper_system("d", "d", "mae", "lstm", "", 0.7),
    ]  # fmt: skip
    heads = next(gain for gain in gains(one_step_pairs(systems)) if {gain.added, gain.removed} == {"tcn", "lstm"})
    assert (heads.added, heads.removed) == ("lstm", "tcn")
    assert heads.mean == pytest.approx((0.2 - 0.1) / 2)
    assert len(heads.steps) == 2


def test_how_a_constant_was_found_is_no_ingredient() -> None:
    smoothed = "gaps filled, smoothed, window chosen"
    filtered = "gaps filled, smoothed, half width 50, filtered, threshold 0.7"
    smooth = run_system("a", "a", "landmarks", "mlp-128", smoothed, 0.5)
    (step,) = one_step_pairs([smooth, run_system("b", "b", "landmarks", "mlp-128", filtered, 0.6)])
    assert (step.added, step.removed) == ("filtered", "")
    blended = smoothed.replace("smoothed", "blended, smoothed")
    two = run_system("c", "c", "landmarks + tiny", "mlp-128 + mlp-128", blended, 0.7)
    assert [step.added for step in one_step_pairs([smooth, two])] == ["tiny"]


def test_our_gain_is_paired_over_the_same_videos(store: Store) -> None:
    runs = [scored_run(name, skill, seed=seed) for name, skill in ((PLAIN, 0.5), (GLA, 0.8)) for seed in (0, 1)]
    record(store, *runs)
    found = of_paper(paper_tables()[TABLE], rows_of(store))  # type: ignore[arg-type]
    own = found.own([found.way[0]])
    replicates = store.replicates([run.run_id for run in runs])
    plain, gla = (
        np.mean([replicates[r.run_id] for r in runs if r.name == name], 0, np.float64) for name in (PLAIN, GLA)
    )
    assert own is not None
    assert own.interval == pytest.approx(percentile_interval(gla - plain), abs=1e-6)
    lines = {line["ingredient"]: line for line in ingredient_rows(found)}
    assert lines["GLA"]["ours"] == pytest.approx(own.gain)
    assert lines["GLA"]["own_pairs"] == 1
    assert lines["smoothing"]["ours"] is None
    assert sum(line["ours"] is not None for line in step_rows(found)) == 1


def test_runs_on_other_labels_are_no_pair(store: Store) -> None:
    plain = scored_run(PLAIN, 0.5)
    record(store, plain, scored_run(GLA, 0.8, data={**plain.data, "fingerprint": "e" * 64, "name": "Aff-Wild2"}))
    found = of_paper(paper_tables()[TABLE], rows_of(store))  # type: ignore[arg-type]
    assert len(found.ours) == 1
    assert found.own([found.way[0]]) is None


@pytest.mark.usefixtures("checked_charts")
def test_our_own_solutions_have_ingredients_without_a_paper(store: Store) -> None:
    words = "gaps filled", "gaps filled, GLA", "gaps filled, GLA, smoothed, window chosen"
    names = "expr/landmarks-mlp", "expr/landmarks-mlp-gla", "expr/landmarks-mlp-gla-smooth"
    skills = 0.4, 0.5, 0.7
    runs = [scored_run(n, s, postprocess=w, data_name="lab") for n, s, w in zip(names, skills, words, strict=True)]
    record(store, *runs)
    found = of_runs(store.runs(), store.replicates)
    assert [step.added for step in found.way] == ["GLA", "smoothed"]
    assert found.listed[0].added == "smoothed"
    page = open_page("papers", table="own:EXPR")
    assert "Helped us most: smoothing" in words_of(page)
    table = ingredient_table("ours", found)
    assert "paper" not in [column.key for column in table.columns]
    lines = list(csv.DictReader(io.StringIO(write_csv(table))))
    assert float(lines[0]["ours"]) == pytest.approx(runs[2].score()["value"] - runs[1].score()["value"])  # type: ignore[index]


def test_own_solutions_that_share_nothing_say_what_to_run(store: Store) -> None:
    record(store, scored_run("expr/a", 0.5, data_name="lab"))
    assert "No two solutions here differ in one ingredient" in words_of(open_page("papers", table="own:EXPR"))


def test_no_table_breaks_the_machinery() -> None:
    for table in paper_tables().values():
        found = of_paper(table, [])
        names = {system.key for system in table.systems()}
        assert {step.before.key for gain in found.listed for step in gain.steps} <= names
        for before, after in itertools.pairwise(found.way):
            assert before.after == after.before
        assert not found.way or found.way[-1].after.score == max(system.score for system in table.systems())
        assert len(ingredient_rows(found)) == len(found.listed)


def test_a_waterfall_with_a_row_that_was_not_run() -> None:
    rows = [Stage("plain", "a", 0.3, None), Stage("+ x", "b", None, 0.3), Stage("+ y", "c", 0.5, None)]
    chart = waterfall_chart(rows, "#0072B2", "macro-F1").to_dict()
    (data,) = chart["datasets"].values()
    assert [row["text"] for row in data] == ["0.3000", "not run yet", "0.5000"]


# --- curves


def test_the_notebook_agrees_with_what_the_paper_says() -> None:
    notebook = {(p.figure, p.row, p.value): p.score for p in printed_points() if p.evidence == "notebook"}
    said = [p for p in printed_points() if p.evidence != "notebook"]
    assert len(said) >= 6
    for point in said:
        assert notebook[point.figure, point.row, point.value] == pytest.approx(point.score, abs=1.01e-4)


@pytest.mark.usefixtures("checked_charts")
def test_ours_is_drawn_into_the_figure_of_its_row(store: Store, tmp_path: Path) -> None:
    run = scored_run("expr/abaw8-emotieffnet-smooth", 0.5)
    (tmp_path / run.run_id).mkdir()
    points = [SweepPoint("half_width", value, "macro_f1", 0.4 + value / 1000, 0.3, 0.5) for value in (0.0, 50.0)]
    write_sweep(tmp_path / run.run_id, points)
    record(store, run, folder=tmp_path)
    table = paper_tables()["abaw8:table1"]
    curves = curves_of(table, store.runs(), "Aff-Wild2", store.sweep)
    assert sorted({curve.figure for curve in curves}) == [2, 3, 4, 5]
    (second,) = (curve for curve in curves if curve.figure == 2)
    assert second.run_id == run.run_id
    assert second.ours["score"].tolist() == [0.4, 0.45]
    assert all(not curve.run_id for curve in curves if curve.figure != 2)
    assert curves_of(table, store.runs(), "lab", store.sweep)[0].run_id == ""
    page = open_page("papers", table="abaw8:table1")
    assert "pictures without numbers" in words_of(page)
    assert "abaw sweep" not in words_of(page)


@pytest.mark.usefixtures("checked_charts")
@pytest.mark.parametrize(("table", "curves"), [("abaw10:table1", 8), ("abaw10:table2", 1)])
def test_abaw10_has_the_curves_of_the_notebook(store: Store, table: str, curves: int) -> None:
    shown = curves_of(paper_tables()[table], store.runs(), "Aff-Wild2", store.sweep)
    assert len(shown) == curves
    assert {curve.figure for curve in shown} == {0}
    words = words_of(open_page("papers", table=table))
    assert "The paper has no such figures" in words
    assert "The score against each constant" in words


def test_no_curve_of_ours_says_how_to_get_one(store: Store) -> None:
    assert "abaw sweep RUN" in words_of(open_page("papers", table="abaw8:table1"))
    assert "abaw sweep RUN" not in words_of(open_page("papers", table="abaw10:table3"))


def test_a_curve_chart_draws_what_there_is() -> None:
    printed = pd.DataFrame([{"value": 0.7, "score": 0.4384, "evidence": "text", "source": "section 4.1"}])
    nothing = pd.DataFrame(columns=["value", "score", "low", "high"])
    ours = pd.DataFrame([{"axis": "half_width", "value": 0.7, "score": 0.4, "low": 0.3, "high": 0.5}])
    alone = ours.assign(low=float("nan"), high=float("nan"))

    def layers(*args: object, **more: object) -> int:
        return len(sweep_chart(*args, "macro-F1", **more).to_dict()["layer"])  # type: ignore[arg-type]

    assert layers(nothing, axis="filter_threshold", printed=printed) == 3
    assert layers(ours, printed=printed) == 6
    assert layers(ours) == 3
    assert layers(alone) == 2


def test_hostile_names_of_data_are_plain_text(store: Store) -> None:
    record(store, scored_run(PLAIN, 0.5, data_name="<b>lab</b> *x*"))
    page = open_page("papers", table=TABLE)
    kinds = (page.markdown, page.caption, page.info, page.warning, page.error, page.subheader)
    assert "<b>" not in "\n".join(str(element.value) for kind in kinds for element in kind)
    assert "<b>lab</b> *x*" in "\n".join(element.value for element in page.text)


def test_the_last_bar_of_a_waterfall_says_where_it_leads() -> None:
    rows = [Stage("plain", "a", 0.3, None), Stage("+ x", "b", 0.45, 0.3), Stage("+ y", "c", 0.4, 0.45)]
    (data,) = waterfall_chart(rows, "#0072B2", "macro-F1").to_dict()["datasets"].values()
    assert [row["text"] for row in data] == ["0.3000", "+0.150", "-0.050, to 0.4000"]


def test_a_tiny_gain_does_not_fill_the_chart() -> None:
    chart = waterfall_chart(
        [Stage("plain", "a", 0.3942, None), Stage("+ x", "b", 0.3975, 0.3942)], "#0072B2", "macro-F1"
    )
    (low, high) = chart.to_dict()["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert low < 0.3942
    assert high - low > 10 * (0.3975 - 0.3942)


def test_data_set_of_most_solutions_precedes_the_newest_run() -> None:
    rows = [("new", "a"), ("many", "a"), ("many", "b"), ("many", "b"), ("old", "a")]  # newest first
    runs = pd.DataFrame([{"task": "EXPR", "split": "val", "status": "complete", "value": 0.5, "data_name": data,
                          "name": name} for data, name in rows])  # fmt: skip
    assert data_of_own(runs, "EXPR") == ["many", "new", "old"]
    assert data_of_own(runs, "VA") == data_of_own(pd.DataFrame(), "VA") == []
