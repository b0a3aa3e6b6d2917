"""One board, whole: what the page shows, ``abaw export`` writes and a bundle holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.board.entries import (
    Entries,
    Entry,
    View,
    data_with_entries,
    labels,
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
from harness.store.store import Replicates, Store, TableRows
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
            compare them with; ranked together, best first.
        reference: published results on other data, ranked by themselves.
        ranking: the labels that the scores are on; ``None`` where no run has a score.
        others: rankings of the same task, split and data set on other labels, whose runs are not listed here.
        elsewhere: how many runs on these very labels each data set of another name has.
        apart: why published results do not join the ranking though the data set has the official name; else empty.
    """

    view: View
    each_seed: bool
    entries: tuple[Entry, ...]
    reference: tuple[Entry, ...]
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
    def runs(self) -> tuple[Entry, ...]:
        """Entries that are not published results."""
        return tuple(entry for entry in self.entries if entry.is_run)


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
        runs = held.run_rows()
        replicates = held.replicates(ranked_runs(runs, view))
        contents = runs, held.published(), held.target_rows()
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
    entries = (
        replace(entry, test_file=state_of_entry(entry.members or (), states).words) if entry.is_run else entry
        for entry in board.entries
    )
    return replace(board, entries=tuple(entries))


def every_board(
    store: Store,
    runs: TableRows,
    published: TableRows,
    *,
    with_runs: bool = False,
    each_seed: bool = False,
    sent: Sequence[Sent] | None = None,
) -> Iterator[Board]:
    """Yield every board of a store, one per version of the labels.

    Tasks come in the competition's order, val before test, and the data set of the newest run first.

    Args:
        store: the store from which replicates and statistics are read.
        runs: all or some rows of :meth:`Store.run_rows`.
        published: rows of :meth:`Store.published`.
        with_runs: leave out boards that have published results only.
        each_seed: see :class:`Board`.
        sent: see :func:`load_board`.

    Raises:
        StoreError: the store can't be read now.
    """
    targets = store.target_rows()
    states = None if sent is None else states_on_test(store, sent)
    listed = () if with_runs else published  # published results that make a board of their own
    for task in (TASKS[name] for name in tasks_with_entries(runs, listed)):
        for split in splits_with_entries(runs, listed, task):
            for data_name in data_with_entries(runs, listed, task, split):
                view = View(task, split, data_name)
                for ranking in versions(runs, view).rankings or [None]:
                    of_labels = replace(view, labels=ranking.labels) if ranking else view
                    replicates = store.replicates(ranked_runs(runs, of_labels))
                    contents = runs, published, targets, replicates
                    reads: dict[str, Any] = {"read_statistics": store.statistics, "read_contents": store.contents}
                    board = build_board(of_labels, *contents, each_seed=each_seed, **reads)
                    yield board if states is None else with_test_files(board, states)


def ranked_runs(runs: TableRows, view: View) -> list[str]:
    """Return ids of the view's runs with a score to rank by, whose replicates a board needs."""
    return [row["run_id"] for row in ranked(runs, view)]


def build_board(
    view: View,
    runs: TableRows,
    published: TableRows,
    targets: TableRows,
    replicates: Replicates,
    *,
    each_seed: bool = False,
    read_statistics: Callable[[str], Statistics] = lambda run_id: {},
    read_contents: ReadContents = lambda run_ids: {},
) -> Board:
    """Return the board of a store's content; the rows are those of :class:`harness.store.store.Store`.

    Args:
        view: subject of the board.
        runs: rows of :meth:`Store.run_rows`.
        published: rows of :meth:`Store.published`.
        targets: rows of :meth:`Store.target_rows`.
        replicates: replicates of :func:`ranked_runs`, for rank intervals and ties.
        each_seed: see :class:`Board`.
        read_statistics: :meth:`Store.statistics`, to describe the differences between several versions of the labels.
        read_contents: :meth:`Store.contents`, to join runs that wrote the same bytes into one row.
    """
    of_view, entries = versions(runs, view), run_entries(runs, view)
    if len(of_view.rankings) > 1 and of_view.shown:
        view = replace(view, labels=of_view.shown.labels)
    if not each_seed:
        entries, replicates = by_setup(entries, replicates)
    entries = with_rank_intervals(joined_twins(entries, read_contents), replicates)
    of_entries = zip(entries, labels(entries), class_scores(entries, targets, view.task), strict=True)
    run_rows = [replace(entry, label=label, classes=scores) for entry, label, scores in of_entries]
    others = published_entries(published, view)
    joined = view.verified and of_view.published_join
    shown, rankings_of_view = of_view.shown, of_view.rankings
    return Board(
        view=view,
        each_seed=each_seed,
        entries=together(run_rows, others if joined else ()),
        reference=together((), () if joined else others),
        ranking=shown,
        others=other_labels(shown, rankings_of_view, view.task.name, read_statistics) if shown else (),
        elsewhere=under_other_names(runs, shown, view.data_name) if shown else {},
        apart=why_apart(rankings_of_view, view.data_name) if view.verified and not joined else "",
    )


def class_scores(entries: Entries, targets: TableRows, task: Task) -> list[list[float] | None]:
    """Return the scores per class, dimension or action unit, in the task's order: one list, or ``None``, per entry.

    Args:
        entries: entries of runs, or of means over seeds.
        targets: rows of :meth:`harness.store.store.Store.target_rows`.
        task: the task.
    """
    metric, order = _OF_EACH[task.metric], set(task.targets)
    by_run: dict[str, dict[str, float]] = {}
    for row in targets:
        if row["metric"] == metric and row["target"] in order and row["value"] is not None:
            by_run.setdefault(row["run_id"], {})[row["target"]] = row["value"]
    members = (() if entry.score is None else entry.members or () for entry in entries)
    return [_mean_by_class([by_run.get(run_id, {}) for run_id in run_ids], task) for run_ids in members]


def _mean_by_class(of_runs: Sequence[Mapping[str, float]], task: Task) -> list[float] | None:
    """Return the mean over runs of each class; ``None`` if the runs lack a class."""
    values = [[scores[target] for scores in of_runs if target in scores] for target in task.targets]
    return [math.fsum(of_class) / len(of_class) for of_class in values] if all(values) else None
