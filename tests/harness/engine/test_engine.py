"""Work by workers: the order in which items go out, and what comes back from processes of this machine."""

from __future__ import annotations

import os
import signal
import time
from functools import partial

import pytest

from harness.engine import engine_of
from harness.engine.cluster import Host
from harness.engine.engine import WorkerShare
from harness.engine.local import LocalEngine
from harness.engine.queue import Queue
from harness.errors import MissingDependencyError, SolutionError, UnknownNameError, UsageError
from harness.settings import Settings, load_settings


def claims(*names: str) -> list[frozenset[str]]:
    return [frozenset(name.split()) for name in names]


def take_all(queue: Queue) -> list[int]:
    taken = []
    while (item := queue.take()) is not None:
        taken.append(item)
    return taken


def test_items_go_out_in_order_until_none_is_left():
    queue = Queue(claims("", "", ""))
    assert take_all(queue) == [0, 1, 2]
    assert len(queue) == 3
    for item in range(3):
        queue.done(item, succeeded=True)
    assert len(queue) == 0


def test_what_another_makes_is_waited_for_and_then_shared_by_all():
    queue = Queue(claims("head", "head", "other", "head"))
    assert take_all(queue) == [0, 2]
    queue.done(0, succeeded=True)
    assert take_all(queue) == [1, 3]


def test_what_was_not_made_is_made_by_the_next_one_alone():
    queue = Queue(claims("head", "head", "head"))
    assert take_all(queue) == [0]
    queue.done(0, succeeded=False)
    assert take_all(queue) == [1]


def test_nobody_overtakes_one_that_waits_for_the_same():
    queue = Queue(claims("a", "a b", "b"))
    assert take_all(queue) == [0]
    queue.done(0, succeeded=True)
    assert take_all(queue) == [1]


def test_an_item_that_was_not_done_is_the_next_one():
    queue = Queue(claims("a", "", "a"))
    assert take_all(queue) == [0, 1]
    queue.again(0)
    assert queue.take() == 0
    queue.done(1, succeeded=True)
    assert len(queue) == 2


def doubled(item: int) -> int:
    if item == 3:
        raise UnknownNameError("number", "3", ["2", "4"])
    if item == 4:
        raise ZeroDivisionError("four")
    return 2 * item


def double() -> object:
    return doubled


def killer() -> object:
    return lambda item: os.kill(os.getpid(), signal.SIGKILL)


def broken() -> object:
    raise ValueError("no library here")


def local(workers: int = 2) -> LocalEngine:
    engine = engine_of(Settings(workers=workers))
    assert isinstance(engine, LocalEngine)
    return engine


@pytest.mark.process
def test_each_item_comes_back_with_its_value_or_its_error():
    found = {done.item: done for done in local().map(double, [1, 2, 3, 4, 5])}
    assert {item: done.value for item, done in found.items()} == {1: 2, 2: 4, 3: None, 4: None, 5: 10}
    assert "unknown number '3'" in str(found[3].error)
    assert isinstance(found[4].error, ZeroDivisionError)
    assert "in doubled" in "".join(found[4].error.__notes__), "where it was raised is not said"


@pytest.mark.process
def test_items_that_share_a_claim_are_not_done_by_two_at_once(tmp_path):
    alone = partial(partial, _alone, tmp_path)
    done = list(local().map(alone, list(range(6)), claims=lambda item: frozenset({f"kind {item % 2}"})))
    assert [d.error for d in done] == [None] * 6


def _alone(folder, item: int) -> None:
    made = folder / f"{item % 2}.made"
    if item < 2:  # the first of its kind makes what the others use
        (folder / f"{item}").touch(exist_ok=False)
        time.sleep(0.2)
        made.touch()
    assert made.exists()


@pytest.mark.process
def test_a_worker_that_dies_or_can_not_start_says_so():
    with pytest.raises(SolutionError, match=r"a worker process died(.|\n)*fewer --workers"):
        list(local().map(killer, [1, 2]))
    with pytest.raises(SolutionError, match="a worker process can't start: no library here"):
        list(local().map(broken, [1, 2]))


def test_settings_of_a_worker(tmp_path):
    assert local(4).inside(Settings(workers=4), WorkerShare()).workers == 1
    assert local(4).inside(Settings(workers=4), WorkerShare(cores=None)).workers == 4


def test_ray_that_is_not_installed_is_said(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"pip install -e '.*\[cluster\]'"):
        engine_of(Settings(engine="ray", device="cpu"))


def test_the_engine_can_be_set_in_every_place(tmp_path, monkeypatch):
    assert load_settings(tmp_path).engine == "local"
    (tmp_path / "abaw.toml").write_text('engine = "ray"\naddress = "head:6379"\ngpus_per_worker = 0.5\n')
    found = load_settings(tmp_path)
    assert (found.engine, found.address, found.gpus_per_worker) == ("ray", "head:6379", 0.5)
    monkeypatch.setenv("ABAW_ENGINE", "local")
    monkeypatch.setenv("ABAW_GPUS_PER_WORKER", "2")
    found = load_settings(tmp_path)
    assert (found.engine, found.gpus_per_worker) == ("local", 2)
    assert load_settings(tmp_path, engine="ray").engine == "ray"


@pytest.mark.parametrize("gpus", ["0", "-1", "1.5", "nan", "inf", "many"])
def test_a_share_of_gpus_that_ray_can_not_give_is_refused(tmp_path, gpus):
    with pytest.raises(UsageError, match="GPUs"):
        load_settings(tmp_path, gpus_per_worker=gpus)


def test_unknown_engine_gets_a_guess_and_address_needs_ray(tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean ray"):
        load_settings(tmp_path, engine="rai")
    with pytest.raises(UsageError, match="--engine ray"):
        load_settings(tmp_path, address="auto")


def test_ray_worker_takes_as_many_threads_as_the_command(tmp_path, monkeypatch):
    """The weights of a network trained on clips differ by the number of threads."""
    torch = pytest.importorskip("torch")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as Ray sets it, and restored afterwards, as is the folder
    before = torch.get_num_threads()
    try:
        host = Host(str(tmp_path), before + 2)
        assert "before it was started" in str(host.work("a").error)
        assert str(host.start(broken).error) == "no library here"
        assert host.start(lambda: lambda item: (item, torch.get_num_threads())).error is None
        assert host.work("a").value == ("a", before + 2)
        assert os.environ["OMP_NUM_THREADS"] == str(before + 2)
    finally:
        torch.set_num_threads(before)
