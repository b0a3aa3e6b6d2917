"""One board, whole: what the page shows, ``abaw export`` writes and a bundle holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from harness.board.entries import (
    RUN,
    View,
    data_with_entries,
    labels,
    objects,
    published_entries,
    ranked,
    run_entries,
    splits_with_entries,
    tasks_with_entries,
    together,
    versions,
)
from harness.board.on_test import OnTest, state_of_entry, states_on_test
from harness.board.rank_intervals import with_rank_intervals
from harness.board.rankings import OtherLabels, Ranking, Statistics, other_labels, under_other_names, why_apart
from harness.board.seeds import by_setup
from harness.board.twins import ReadContents, joined_twins
from harness.slots import Sent
from harness.store.store import Replicates, Store
from harness.tasks import TASKS, Task

_OF_EACH = {
    "macro_f1": "f1", "weighted_f1": "f1", "mean_binary_f1": "f1", "mean_ccc": "ccc", "mean_pearson": "pearson"
}  # fmt: skip


@dataclass(frozen=True)
class Board:
    """Entries of one view.

    Attributes:
        each_seed: whether runs of one setup are an entry each; else they are one, their mean.
        entries: of runs, and of published results where these are on the same data, or where there are no runs to
            compare them with; ranked together, best first. Columns are :data:`harness.board.entries.COLUMNS` and
            ``rank``.
        reference: published results on other data, ranked by themselves.
        failures: runs of this task that did not finish, newest first.
        ranking: the labels that the scores are on; ``None`` where no run has a score.
        others: rankings of the same task, split and data set on other labels, whose runs are not listed here.
        elsewhere: how many runs on these very labels each data set of another name has.
        apart: why published results do not join the ranking though the data set has the official name; else empty.
    """

    view: View
    each_seed: bool
    entries: pd.DataFrame
    reference: pd.DataFrame
    failures: pd.DataFrame
    ranking: Ranking | None = None
    others: tuple[OtherLabels, ...] = ()
    elsewhere: Mapping[str, int] = field(default_factory=dict)
    apart: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what a reader of the rows alone would miss: runs on other labels, published results apart."""
        if self.ranking is None or not (self.others or self.apart):
            return ()
        left_out = " ".join(
            [
                f"These are runs on {self.ranking.title}. Scores on different labels can't be compared: left out are",
                "; and ".join(other.text for other in self.others) + ".",
            ]
        )
        return (left_out, self.apart) if self.apart else (left_out,)

    @property
    def runs(self) -> pd.DataFrame:
        """Entries that are not published results."""
        return self.entries[self.entries["kind"] == RUN]


def load_board(store: Store, view: View, *, each_seed: bool = False, sent: Sequence[Sent] | None = None) -> Board:
    """Return the board of a store.

    Args:
        store: the store that holds the runs.
        view: subject of the board.
        each_seed: see :class:`Board`.
        sent: submissions in the ledger; with them, entries tell their state on the way to a submission.

    Raises:
        StoreError: the store can't be read now.
    """
    with store.at_once() as held:
        runs = held.runs()
        replicates = held.replicates(ranked_runs(runs, view))
        contents = runs, held.published(), held.failures(), held.targets()
        reads: dict[str, Any] = {"read_statistics": held.statistics, "read_contents": held.contents}
        board = build_board(view, *contents, replicates, each_seed=each_seed, **reads)
        return board if sent is None else with_test_files(board, states_on_test(held, sent))


def with_test_files(board: Board, states: Mapping[str, OnTest]) -> Board:
    """Return a board whose runs on val and test tell their state on the way to a submission.

    Args:
        board: a board; one of another split is returned unchanged.
        states: states of :func:`harness.board.on_test.states_on_test`.
    """
    if board.view.split not in ("val", "test"):
        return board
    of_entries = zip(board.entries["kind"], board.entries["members"], strict=True)
    words = [state_of_entry(members, states).words if kind == RUN else None for kind, members in of_entries]
    return replace(board, entries=board.entries.assign(test_file=objects(words, board.entries.index)))


def every_board(
    store: Store,
    runs: pd.DataFrame,
    published: pd.DataFrame,
    *,
    with_runs: bool = False,
    each_seed: bool = False,
    sent: Sequence[Sent] | None = None,
) -> Iterator[Board]:
    """Yield every board of a store, one per version of the labels.

    Tasks come in the competition's order, val before test, and the data set of the newest run first.

    Args:
        store: the store from which replicates, statistics and failures are read.
        runs: all or some rows of :meth:`Store.runs`.
        published: rows of :meth:`Store.published`.
        with_runs: leave out boards that have published results only.
        each_seed: see :class:`Board`.
        sent: see :func:`load_board`.

    Raises:
        StoreError: the store can't be read now.
    """
    failures, targets = store.failures(), store.targets()
    states = None if sent is None else states_on_test(store, sent)
    listed = published.iloc[:0] if with_runs else published  # published results that make a board of their own
    for task in (TASKS[name] for name in tasks_with_entries(runs, listed)):
        for split in splits_with_entries(runs, listed, task):
            for data_name in data_with_entries(runs, listed, task, split):
                view = View(task, split, data_name)
                for ranking in versions(runs, view).rankings or [None]:
                    of_labels = replace(view, labels=ranking.labels) if ranking else view
                    replicates = store.replicates(ranked_runs(runs, of_labels))
                    contents = runs, published, failures, targets, replicates
                    reads: dict[str, Any] = {"read_statistics": store.statistics, "read_contents": store.contents}
                    board = build_board(of_labels, *contents, each_seed=each_seed, **reads)
                    yield board if states is None else with_test_files(board, states)


def ranked_runs(runs: pd.DataFrame, view: View) -> list[str]:
    """Return ids of the view's runs with a score to rank by, whose replicates a board needs."""
    of_view = ranked(runs, view)
    return [] if of_view.empty else [str(run_id) for run_id in of_view["run_id"]]


def build_board(
    view: View,
    runs: pd.DataFrame,
    published: pd.DataFrame,
    failures: pd.DataFrame,
    targets: pd.DataFrame,
    replicates: Replicates,
    *,
    each_seed: bool = False,
    read_statistics: Callable[[str], Statistics] = lambda run_id: {},
    read_contents: ReadContents = lambda run_ids: {},
) -> Board:
    """Return the board of a store's content; the data frames are those of :class:`harness.store.store.Store`.

    Args:
        view: subject of the board.
        runs: rows of :meth:`Store.runs`.
        published: rows of :meth:`Store.published`.
        failures: rows of :meth:`Store.failures`.
        targets: rows of :meth:`Store.targets`.
        replicates: replicates of :func:`ranked_runs`, for rank intervals and ties.
        each_seed: see :class:`Board`.
        read_statistics: :meth:`Store.statistics`, to describe the differences between several versions of the labels.
        read_contents: :meth:`Store.contents`, to join runs that wrote the same bytes into one row.
    """
    of_view, run_rows = versions(runs, view), run_entries(runs, view)
    if len(of_view.rankings) > 1 and of_view.shown:
        view = replace(view, labels=of_view.shown.labels)
    if not each_seed:
        run_rows, replicates = by_setup(run_rows, replicates)
    run_rows = with_rank_intervals(joined_twins(run_rows, read_contents), replicates)
    run_rows["label"] = labels(run_rows)
    run_rows["classes"] = class_scores(run_rows, targets, view.task)
    others = published_entries(published, view)
    joined = view.verified and of_view.published_join
    shown, rankings_of_view = of_view.shown, of_view.rankings
    return Board(
        view=view,
        each_seed=each_seed,
        entries=together(run_rows, others if joined else others.iloc[:0]),
        reference=together(run_rows.iloc[:0], others.iloc[:0] if joined else others),
        failures=failures[failures["task"] == view.task.name] if len(failures) else failures,
        ranking=shown,
        others=other_labels(shown, rankings_of_view, view.task.name, read_statistics) if shown else (),
        elsewhere=under_other_names(runs, shown, view.data_name) if shown else {},
        apart=why_apart(rankings_of_view, view.data_name) if view.verified and not joined else "",
    )


def class_scores(entries: pd.DataFrame, targets: pd.DataFrame, task: Task) -> pd.Series[Any]:
    """Return the scores per class, dimension or action unit, in the task's order: one list, or ``None``, per entry.

    Args:
        entries: entries of runs, or of means over seeds.
        targets: rows of :meth:`harness.store.store.Store.targets`.
        task: the task.
    """
    scores_of_targets = objects([None] * len(entries), entries.index)
    if entries.empty or targets.empty:
        return scores_of_targets
    target_rows = targets[(targets["metric"] == _OF_EACH[task.metric]) & targets["target"].isin(task.targets)]
    by_run = target_rows.pivot(index="run_id", columns="target", values="value")
    members = entries.loc[entries["score"].notna(), "members"].explode()
    scores = by_run.reindex(index=members, columns=list(task.targets)).set_axis(members.index)
    means = scores.groupby(level=0).mean().dropna()
    scores_of_targets.loc[means.index] = objects(means.to_numpy().tolist(), means.index)
    return scores_of_targets
