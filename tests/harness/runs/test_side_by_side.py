"""Runs of several seeds side by side on this machine: the same files as one after the other."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial

import pytest

from harness.datasets.affwild2 import open_affwild2
from harness.engine import local
from harness.errors import SolutionError
from harness.plugins.interface import SolutionEntry
from harness.plugins.registry import solution_entry
from harness.runs import batch
from harness.runs.batch import Job, raise_failed, run_all
from harness.settings import Settings
from harness.store.store import Store
from harness.tasks import EXPR
from tests.support.constant import Constant
from tests.support.digests import digests

TINY = "expr/tiny-mlp-smooth"
SEEDS = range(3)


@pytest.fixture
def settings(tmp_path) -> Settings:
    out = tmp_path / "out"
    return Settings(cache=tmp_path / "cache", out=out, store=out / "r.duckdb", device="cpu", workers=2)


@pytest.fixture
def processes(monkeypatch) -> list[int]:
    """Note the number of processes of each pool that is made; any run is long enough for one."""
    numbers = []

    class Noted(local.LocalEngine):
        def __init__(self, settings):
            numbers.append(settings.workers)
            super().__init__(settings)

    monkeypatch.setattr(batch, "LocalEngine", Noted)
    monkeypatch.setattr(batch, "_WORTH_SECONDS", 0.0)
    return numbers


@pytest.mark.process
def test_seeds_side_by_side_write_the_files_of_one_process(drawn_once, settings, processes, tmp_path):
    data, entry = open_affwild2(drawn_once, EXPR), solution_entry(TINY)
    jobs = [Job(entry, seed) for seed in SEEDS]
    alone = replace(settings, out=tmp_path / "alone", store=tmp_path / "alone" / "r.duckdb", workers=1)
    assert all(ran.value is not None for ran in run_all(jobs, data, "val", alone))
    assert not processes
    shutil.rmtree(alone.cache / "heads")

    ran = list(run_all(jobs, data, "val", settings))
    assert processes == [2]
    assert [(run.item.seed, run.error) for run in ran] == [(seed, None) for seed in SEEDS]
    mine, theirs = (
        {name: content for name, content in digests(out / "EXPR").items() if not name.endswith("run.json")}
        for out in (settings.out, alone.out)
    )
    assert mine == theirs
    assert sorted(Store(settings.store).runs().run_id) == sorted(Store(alone.store).runs().run_id)


@pytest.mark.process
def test_processes_count_runs_that_are_still_due(drawn_once, settings, processes, monkeypatch):
    data, entry = open_affwild2(drawn_once, EXPR), solution_entry(TINY)
    jobs = [Job(entry, seed) for seed in range(4)]
    monkeypatch.setattr(batch, "_WORTH_SECONDS", 1e6)
    there = list(run_all(jobs[1:], data, "val", settings))
    monkeypatch.setattr(batch, "_WORTH_SECONDS", 0.0)
    settings = replace(settings, workers=4)
    ran = list(run_all(jobs, data, "val", settings))  # seed 0 is made, the others are there
    assert not processes
    assert [run.value.reused for run in ran] == [False, True, True, True]
    assert [run.value.folder for run in ran[1:]] == [run.value.folder for run in there]
    more = [Job(entry, seed) for seed in (4, 1, 2, 5)]
    assert [run.value.reused for run in run_all(more, data, "val", settings)] == [False, True, True, False]
    assert processes == [2]


def test_short_runs_stay_in_one_process(drawn_once, settings, processes, monkeypatch):
    monkeypatch.setattr(batch, "_WORTH_SECONDS", 1e6)
    jobs = [Job(solution_entry(TINY), seed) for seed in SEEDS]
    assert all(ran.value for ran in run_all(jobs, open_affwild2(drawn_once, EXPR), "val", settings))
    assert not processes


def test_an_unexpected_error_leaves_the_other_runs_alone(drawn_once, settings, monkeypatch):
    def fit(self, data, *, seed):
        if seed == 0:
            raise ZeroDivisionError("nobody expects it")

    monkeypatch.setattr(Constant, "fit", fit)
    entry = SolutionEntry("expr/constant", EXPR, "", partial(Constant, answer=4), cores=1)
    ran = list(run_all([Job(entry, 0), Job(entry, 1)], open_affwild2(drawn_once, EXPR), "val", settings))
    assert isinstance(ran[0].error, ZeroDivisionError)
    assert ran[1].value is not None
    with pytest.raises(SolutionError, match="1 of 2 runs failed") as caught:
        raise_failed(ran)
    assert caught.value.__cause__ is ran[0].error


@pytest.mark.parametrize(("memory", "workers", "number"), [(None, 2, 2), (2**50, 3, 3), (0, 2, 1), (None, 1, 1)])
def test_processes_are_as_many_as_memory_and_workers_allow(drawn_once, settings, monkeypatch, memory, workers, number):
    monkeypatch.setattr(batch, "available_memory", lambda: memory)
    jobs = [Job(solution_entry(TINY), seed) for seed in SEEDS]
    data = open_affwild2(drawn_once, EXPR)
    assert batch._processes(jobs, data, replace(settings, workers=workers), 100.0) == number


def test_processes_are_one_for_a_solution_that_cannot_be_sent(drawn_once, settings):
    def create(settings):
        raise SolutionError("nobody makes it")

    entry, data = SolutionEntry("expr/local", EXPR, "", create, cores=1), open_affwild2(drawn_once, EXPR)
    assert batch._processes([Job(entry, 0), Job(entry, 1)], data, settings, 100.0) == 1
    sendable = replace(entry, create=SolutionError)
    assert batch._processes([Job(sendable, 0), Job(sendable, 1)], data, settings, 100.0) == 2


def test_processes_are_one_for_solutions_that_take_all_cores(drawn_once, settings):
    jobs = [Job(replace(solution_entry(TINY), cores=None), seed) for seed in SEEDS]
    assert batch._processes(jobs, open_affwild2(drawn_once, EXPR), settings, 100.0) == 1
