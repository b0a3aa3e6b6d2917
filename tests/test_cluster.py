"""Work on a Ray cluster of two machines, both of them this one: the same bytes, whoever dies meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from harness.cli.main import cli
from harness.datasets.dataset import Dataset, Video
from harness.engine import engine_of, nodes
from harness.errors import DataError, SolutionError, UsageError
from harness.plugins.interface import SolutionEntry
from harness.plugins.registry import solution_entry
from harness.records.failure import failure_files
from harness.runs.batch import Job, raise_failed, run_all
from harness.runs.crossval import cross_validate
from harness.settings import Settings
from harness.store.store import Store
from harness.system.atomic import PARTIAL
from harness.system.images import opencv
from harness.tasks import EXPR, VD
from solutions import provider
from solutions.cache.audio import extract_audio_features
from solutions.cache.images import extract_features, extract_pictures
from solutions.postprocess.plan import PostProcess
from solutions.recipes import recipe_named
from tests.support import cluster_workers as workers
from tests.support import shortened
from tests.support.digests import digests
from tests.support.places import REPOSITORY

with pytest.MonkeyPatch.context() as _patch:
    _patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # loopback stays loopback; read once, at import
    ray = pytest.importorskip("ray", reason="the extra 'cluster' is not installed")

pytestmark = pytest.mark.process

TINY = "expr/tiny-mlp-smooth"
NODE = {
    "num_cpus": 1, "object_store_memory": 80 * 2**20, "node_ip_address": "127.0.0.1",
    "include_log_monitor": False, "no_monitor": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two machines of one core each, on loopback."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        for name in [name for name in os.environ if name.startswith("ABAW_")]:
            patch.delenv(name)
        ray_settings = {
            # Ray notices within a second that a machine is dead, and waits 20 s for one that is only busy
            "health_check_initial_delay_ms": 500,
            "health_check_period_ms": 250,
            "health_check_failure_threshold": 4,
            "health_check_timeout_ms": 5000,
            # the process that compares code and folders stays from test to test
            "idle_worker_killing_time_threshold_ms": 600_000,
        }
        made = Cluster(
            initialize_head=True, head_node_args={**NODE, "include_dashboard": False, "_system_config": ray_settings}
        )
        made.add_node(**NODE)
        yield made
        ray.shutdown()
        made.shutdown()


@pytest.fixture
def example_installed(tmp_path) -> Path:
    """Install the example plug-in in a folder for ``PYTHONPATH``: its runs need no torch."""
    folder = tmp_path / "site" / "nearest_colour-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: nearest-colour\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[abaw.solutions]\nnearest-colour = nearest_colour:PROVIDER\n")
    shutil.copy(REPOSITORY / "examples/plugin/nearest_colour.py", folder.parent)
    return folder.parent


@pytest.fixture
def here(tmp_path) -> Settings:
    """Settings of work in this process."""
    out = tmp_path / "here" / "out"
    return Settings(cache=tmp_path / "here" / "cache", out=out, store=out / "r.duckdb", device="cpu", workers=1)


@pytest.fixture
def there(cluster, tmp_path) -> Settings:
    """Settings of work on the cluster, with a cache of its own."""
    out = tmp_path / "there" / "out"
    place = Settings(cache=tmp_path / "there" / "cache", out=out, store=out / "r.duckdb", device="cpu", workers=1)
    return replace(place, engine="ray", address=cluster.address)


@pytest.fixture
def album(tmp_path) -> Dataset:
    """Crops of noise: six videos of three to 13."""
    root = tmp_path / "album"
    videos = []
    for k, name in enumerate("abcdef"):
        folder = root / "cropped" / name
        folder.mkdir(parents=True)
        for frame in range(1, 4 + 2 * k):
            image = np.random.default_rng([k, frame]).integers(0, 256, (20 + k, 24, 3), dtype=np.uint8)
            (folder / f"{frame:05d}.jpg").write_bytes(opencv().imencode(".jpg", image)[1].tobytes())
        videos.append(Video(name, 30, image_folder=folder))
    return Dataset("album", root, EXPR, {"train": videos})


def few_faces(root: Path) -> Dataset:
    """Open the drawn faces anew: three videos of 40 frames."""
    return shortened.opened(root, EXPR, {"train": 1, "val": 2}, 40)


def reopened(data: Dataset) -> Dataset:
    """As it lies on disk now."""
    splits = {split: [replace(video) for video in videos] for split, videos in data.splits.items()}
    return replace(data, splits=splits)


def fill(data: Dataset, settings: Settings, kind: Callable[[Settings], Any] = workers.Colours) -> Any:
    return extract_features(kind(settings), reopened(data), ["train"], settings, make=kind)[1]


def done(settings: Settings) -> set[str]:
    return {path.stem for path in (settings.cache / "features").rglob("*.json")}


def test_extraction_gives_the_bytes_of_one_process(album, here, there):
    first, second = fill(album, here), fill(album, there)
    assert digests(there.cache) == digests(here.cache) != {}
    assert (second.videos, second.frames, second.undetected) == (first.videos, first.frames, first.undetected)
    again = fill(album, there)
    assert (again.frames, again.reused) == (0, first.frames)


def test_pictures_of_flow_and_sound_too(tiny_dvd_once, tmp_path, here, there):
    from scipy.io import wavfile

    folder = tmp_path / "audios"
    folder.mkdir()
    for k, name in enumerate("xyz"):
        noise = np.random.default_rng(k).integers(-9000, 9000, (k + 1) * 8000, dtype=np.int16)
        wavfile.write(folder / f"{name}.wav", 16_000, noise)
    videos = [Video(name, 30, audio=folder / f"{name[0]}.wav") for name in ("x_left", "x_right", "y", "z")]
    heard = Dataset("heard", tmp_path, EXPR, {"train": videos})
    for settings in (here, there):
        extract_pictures("flow", shortened.opened(tiny_dvd_once, VD, {"val": 1}, 8), ["val"], settings)
        sound = workers.Loudness(settings)
        report = extract_audio_features(sound, heard, ["train"], settings, make=workers.Loudness)[1]
        assert (report.videos, report.frames) == (3, 25 + 50 + 75)
    assert digests(there.cache) == digests(here.cache) != {}


def test_two_seeds_of_two_recipes_give_the_bytes_of_one_process(drawn_once, here, there):
    unsmoothed = provider._entry(replace(recipe_named(TINY), name="expr/tiny-raw", postprocess=PostProcess()))
    solution_entry(TINY).create(here).prepare(few_faces(drawn_once), "val")
    shutil.copytree(here.cache, there.cache)
    jobs = [Job(entry, seed) for seed in range(2) for entry in (unsmoothed, solution_entry(TINY))]
    for settings in (here, there):
        ran = list(run_all(jobs, few_faces(drawn_once), "val", settings))
        assert [(run.item.entry.name, run.item.seed, run.error) for run in ran] == [
            (job.entry.name, job.seed, None) for job in jobs
        ]
    assert digests(there.cache) == digests(here.cache)
    assert len(list((there.cache / "heads").iterdir())) == 2, "a head a seed, for both recipes"
    mine, theirs = (
        {name: content for name, content in digests(settings.out / "EXPR").items() if not name.endswith("run.json")}
        for settings in (here, there)
    )
    assert mine == theirs
    assert len([name for name in mine if name.endswith("predictions.txt")]) == 4
    for path in here.out.rglob("run.json"):
        own, other = (json.loads(p.read_text()) for p in (path, there.out / path.relative_to(here.out)))
        for key in ("created", "timings"):
            assert own.pop(key) is not None
            other.pop(key)
        assert own == other
    stored = [Store(settings.store).runs().sort_values("run_id") for settings in (here, there)]
    assert (
        stored[0].run_id.tolist()
        == stored[1].run_id.tolist()
        == sorted(p.parent.name for p in here.out.rglob("run.json"))
    )
    # the same again is found, and nothing is sent out
    again = list(run_all(jobs, few_faces(drawn_once), "val", there))
    assert all(run.value.reused for run in again)


def test_folds_too(drawn_once, here, there):
    entry = SolutionEntry(workers.NearestFace.name, EXPR, "", workers.NearestFace)
    one, other = (cross_validate(entry, few_faces(drawn_once), settings, folds=2) for settings in (here, there))
    assert one.plain() == other.plain()
    assert digests(there.cache) == digests(here.cache) != {}


def test_a_machine_that_dies_half_way_changes_nothing(cluster, album, here, there, capsys):
    fill(album, here)
    doomed = cluster.add_node(**NODE)
    there.cache.mkdir(parents=True)
    hold = there.cache / workers.HOLD
    hold.touch()
    found: list[Any] = []
    work = threading.Thread(target=lambda: found.append(fill(album, there)), daemon=True)
    try:
        work.start()
        wait_for(lambda: len(list(there.cache.glob(f"{workers.STARTED}*"))) == 3, "three workers at work")
    finally:
        cluster.remove_node(doomed, allow_graceful=False)
        hold.unlink()
    work.join(60)
    assert found
    assert found[0].frames == sum(len(video.images) for video in album.videos("train"))
    for mark in there.cache.glob(f"{workers.STARTED}*"):
        mark.unlink()
    left = {name: content for name, content in digests(there.cache).items() if PARTIAL not in name}
    assert left == digests(here.cache)
    wait_for(lambda: sum(node["Alive"] for node in ray.nodes()) == 2, "the cluster to know")
    assert capsys.readouterr().out == ""


def test_video_that_kills_workers_is_named_and_others_finish(album, here, there):
    undisturbed = replace(here, cache=here.cache.with_name("undisturbed"))
    fill(album, undisturbed)
    crop = album.videos("train")[2].image_folder / "00002.jpg"
    whole = crop.read_bytes()
    poison = np.zeros((workers.FATAL_HEIGHT, 20, 3), np.uint8)
    crop.write_bytes(opencv().imencode(".jpg", poison)[1].tobytes())
    with pytest.raises(SolutionError) as caught:
        fill(album, there)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith(
        "1 video could not be done; features of the other 5 videos are kept, and the same command"
    )
    assert lines[1].strip().startswith("c: its worker died; found ")
    assert "3 times" in lines[1]
    assert "killed" in lines[1]
    assert done(there) == set("abdef")
    crop.write_bytes(whole)
    report = fill(album, there)
    assert report.frames == len(album.videos("train")[2].images)
    arrays = digests(there.cache, "*.npy")
    assert {name: content for name, content in arrays.items() if PARTIAL not in name} == digests(
        undisturbed.cache, "*.npy"
    )


def command(*arguments: object) -> Result:
    return CliRunner().invoke(cli, list(map(str, arguments)))


def test_unreadable_image_is_named_and_only_its_video_redone(cluster, drawn, tmp_path):
    poisoned = sorted((drawn / "cropped").iterdir())[0]
    crop = sorted(poisoned.glob("*.jpg"))[3]
    whole = crop.read_bytes()
    crop.write_bytes(b"not a picture")
    again = ("extract", "tiny", "--data", drawn, "--engine", "ray", "--address", cluster.address)
    failed = command(*again)
    assert isinstance(failed.exception, DataError)
    assert failed.exception.exit_code == 1
    assert str(crop) in str(failed.exception)
    assert "the same command does only what is missing" in str(failed.exception)
    features = tmp_path / "cache" / "features"
    stamps = {path: path.stat().st_mtime_ns for path in features.rglob("*.json")}
    assert len(stamps) == 10
    assert poisoned.name not in {path.stem for path in stamps}
    crop.write_bytes(whole)
    mended = command(*again)
    assert mended.exit_code == 0, mended.output
    frames = len(list(poisoned.glob("*.jpg")))
    assert f"11 videos; {frames} frames encoded" in mended.stdout
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def test_a_run_that_fails_is_named_and_noted_and_stops_no_other(drawn_once, there):
    entry = SolutionEntry(workers.Moody.name, EXPR, "", workers.Moody)
    ran = list(run_all([Job(entry, 0), Job(entry, 1)], few_faces(drawn_once), "val", there))
    assert str(ran[0].error) == "not in the mood"
    assert ran[1].value.record.seed == 1
    with pytest.raises(SolutionError, match=r"1 of 2 runs failed(.|\n)*expr/moody, seed 0: not in the mood"):
        raise_failed(ran)
    assert len(failure_files(there.out)) == 1
    assert Store(there.store).runs().seed.tolist() == [1]


def test_a_worker_says_why_it_can_not_start_or_go_on(album, there):
    with pytest.raises(SolutionError, match=r"6 videos could not be done(.|\n)*ValueError: not my kind of picture"):
        fill(album, there, workers.Refusing)
    one_video = replace(album, splits={"train": album.videos("train")[:1]})
    with pytest.raises(SolutionError, match="a worker process can't start: colours is another one here"):
        extract_features(workers.Colours(there), one_video, ["train"], there, make=workers.OtherColours)
    with pytest.raises(SolutionError, match="a worker process can't start: no library here"):
        list(engine_of(there).map(workers.refuses_to_start, [1]))
    odd = list(engine_of(there).map(lambda: workers.unpicklable, [1]))
    assert str(odd[0].error) == "Local: of a class that only this function knows"


def test_other_code_or_unshared_folder_is_refused_before_work(album, there, monkeypatch):
    other = replace(there, cache=there.cache.with_name("other"))
    monkeypatch.setattr("harness.engine.nodes.sources", lambda: "other")
    with pytest.raises(
        UsageError, match=r"2 of 2 machines(.|\n)*127\.0\.0\.1(.|\n)*the code of this package(.|\n)*paths"
    ):
        fill(album, other)
    assert not list(other.cache.rglob("*.npy"))
    monkeypatch.undo()
    with nodes.expected(Path("/nowhere"), [there.cache]) as wanted:
        assert nodes.differences(replace(wanted, data=None)) == []
        assert nodes.differences(wanted) == ["no data set in /nowhere"]
        assert nodes.differences(replace(wanted, data=None, version="0.0"))[0].endswith("not 0.0")
        monkeypatch.setattr(nodes, "_PATIENCE", 0.1)
        unseen = replace(wanted, data=None, marks=(there.cache / "elsewhere" / "mark",))
        assert nodes.differences(unseen) == [f"{there.cache / 'elsewhere'} is another folder, or none"]
    assert list(there.cache.iterdir()) == []


def test_a_cluster_that_is_not_there_is_said():
    program = (
        "from harness.engine import engine_of\nfrom harness.settings import Settings\n"
        "engine_of(Settings(engine='ray', address='127.0.0.1:1', device='cpu'))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=REPOSITORY, timeout=120, check=False
    )
    assert "can't join the Ray cluster 127.0.0.1:1" in ran.stderr.splitlines()[-1]


def test_ctrl_c_ends_a_ray_of_its_own_and_keeps_what_is_finished(drawn_once, example_installed, tmp_path):
    """Without an address, Ray is started for the command, and is gone with it."""
    command = [sys.executable, "-m", "harness.cli.main", "run", "expr/nearest-colour", "--seeds", "50",
               "--data", str(drawn_once), "--engine", "ray", "--workers", "2"]  # fmt: skip
    path = os.pathsep.join([str(example_installed), str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
        # a shell starts what runs in its background deaf to Ctrl-C, and this would be as deaf
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    runs = tmp_path / "submissions" / "EXPR"
    with process:
        try:
            wait_for(lambda: len(list(runs.glob("[!.]*/run.json"))) >= 1, "a run", process)
            family = children(process.pid)
            os.killpg(process.pid, signal.SIGINT)
            said = process.communicate(timeout=60)[1]
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    assert process.returncode == 130, said
    assert "What is finished is kept" in said.splitlines()[-1]
    assert len(family) > 3
    wait_for(lambda: not [pid for pid in family if alive(pid)], "the end of all that it started")
    finished = {path.parent.name for path in runs.glob("[!.]*/run.json")}
    assert 1 <= len(finished) < 50
    recorded = Store(tmp_path / "submissions" / "results.duckdb").runs()  # without columns where nothing was yet
    assert set(recorded.get("run_id", ())) <= finished


def wait_for(so: Callable[[], bool], what: str, process: subprocess.Popen[str] | None = None) -> None:
    deadline = time.monotonic() + 90
    while not so():
        if process is not None and process.poll() is not None:
            raise AssertionError(f"ended before {what}: {process.communicate()[1]}")
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    """Processes that a process started, and those that they started."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += [int(child), *children(int(child))]
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
