"""Progress of a whole job: the step it is at, and the time that is left, by a clock that the test moves."""

from __future__ import annotations

import pytest

from harness.system.job import Job, Step, current_job, hidden_jobs, whole_job
from harness.system.progress import begin_step, progress
from harness.system.terminal import shown_notes


class Clock:
    """Seconds that the test moves on."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def steps_of_two_runs() -> list[Step]:
    return [
        Step(0, "encode tiny", "encode tiny", "a", None, 100),
        Step(0, "train", "train", "a"),
        Step(0, "write", "write", "a"),
        Step(1, "train", "train again", "a"),
        Step(1, "write", "write again", "a"),
    ]


def test_a_job_names_the_step_and_how_many_there_are():
    job = Job(steps_of_two_runs())
    assert job.line == "5 steps"
    job.next_run()
    assert job.begin()
    assert job.line == "step 1 of 5: encode tiny"
    assert job.begin("train")
    assert job.line == "step 2 of 5: train"
    assert not job.begin("encode tiny")  # what follows of it is a part of training
    assert not job.begin("no such step")
    job.next_run()
    assert job.begin()
    assert job.line.startswith("step 4 of 5: train again")


def test_work_done_tells_the_time_left():
    clock = Clock()
    job = Job(steps_of_two_runs()[:1], clock)
    job.next_run()
    job.begin()
    with job.piece("encode tiny", 40) as advance:
        clock.now = 10.0
        advance(20)
        assert job.left() == (40.0, True)  # 2 frames per second, 80 are left
        clock.now = 20.0
        advance(20)
    assert job.left() == (30.0, True)
    assert job.line == "step 1 of 1: encode tiny, about 30 s left"
    clock.now = 500.0  # pauses between the pieces are no work
    with job.piece("encode tiny", 60) as advance:
        clock.now = 530.0
        advance(60)
    assert job.left() == (0.0, True)


def test_work_left_of_a_split_counts_while_training():
    clock = Clock()
    job = Job(steps_of_two_runs()[:2], clock)
    job.next_run()
    job.begin()
    with job.piece("encode tiny", 50) as advance:
        clock.now = 5.0
        advance(50)
    job.begin("train")
    assert job.left() == (5.0, False)  # fifty frames, and a head of which nothing is known
    assert job.line == "step 2 of 2: train, at least 5.0 s left"


def test_a_later_run_takes_as_long_as_the_first():
    clock = Clock()
    job = Job(steps_of_two_runs()[1:], clock)
    job.next_run()
    job.begin()
    clock.now = 60.0
    job.begin("write")
    clock.now = 62.0
    job.next_run()
    job.begin()
    assert job.left() == (62.0, True)
    clock.now = 82.0
    assert job.left() == (42.0, True)
    assert job.line == "step 3 of 4: train again, about 42 s left"


def test_estimates_count_until_something_is_measured():
    clock = Clock()
    job = Job([Step(0, "encode x", "encode x", "a", 30.0, 60), Step(0, "train", "train", "a", 12.0)], clock)
    job.next_run()
    assert job.left() == (42.0, True)
    job.begin()
    with job.piece("encode x", 60) as advance:
        clock.now = 20.0
        advance(30)
        assert job.left() == (32.0, True)


def test_heads_of_one_step_take_alike():
    clock = Clock()
    job = Job([Step(0, "train", "train", "a", pieces=3)], clock)
    job.next_run()
    job.begin()
    with job.piece("train", 10) as advance:
        clock.now = 10.0
        advance(5)
        assert job.left() == (50.0, True)  # 30 units at half a unit per second, 5 are done


def test_a_run_that_is_there_takes_no_step():
    job = Job(steps_of_two_runs()[:3], Clock())
    job.next_run()
    job.next_run()  # the first run was found
    assert job.left() == (0.0, True)
    assert not job.begin()


def test_the_job_under_way_is_told_of_nested_work(capsys, monkeypatch):
    monkeypatch.delenv("ABAW_QUIET", raising=False)
    assert current_job() is None
    begin_step("train")  # no job: nothing to say
    with whole_job(steps_of_two_runs()[:2]) as job:
        job.next_run()
        begin_step()
        with progress("tiny: 2 videos", 100, "frames", step="encode tiny") as advance:
            advance(100)
        with progress("training the head", 10, "frames", step="train") as advance:
            advance(10)
        assert job.line.startswith("step 2 of 2: train")
    assert current_job() is None
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "step 1 of 2: encode tiny"
    assert lines[1].startswith("tiny: 2 videos: 100 frames in")
    assert lines[2].startswith("step 2 of 2: train")


@pytest.mark.parametrize(("quiet", "expected"), [("1", []), ("", ["a", "b"])])
def test_quiet_leaves_notes_out(monkeypatch, quiet, expected):
    monkeypatch.setenv("ABAW_QUIET", quiet)
    assert shown_notes(text for text in ("a", "b")) == expected


def test_hidden_jobs_are_shown_again_after_the_block():
    with whole_job([]) as job:
        with hidden_jobs():
            assert current_job() is None
        assert current_job() is job
    assert current_job() is None


@pytest.mark.parametrize(
    ("done", "units", "shown"),
    [
        (1, "frames", "1 frame"),
        (2, "frames", "2 frames"),
        (1, "seconds of audio", "1 second of audio"),
        (1, "kB", "1 kB"),
    ],
)
def test_last_line_of_progress_counts_one_as_one(capsys, done, units, shown):
    with progress("reading", done, units) as advance:
        advance(done)
    assert f"reading: {shown} in " in capsys.readouterr().err
