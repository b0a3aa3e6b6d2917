"""The whole way: from a data set to official files, scores and the store; killed, repeated, resumed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.metrics import f1_score

from harness.cli import demo as demo_module
from harness.cli.main import cli, main
from harness.store.store import Store
from harness.system.atomic import PARTIAL
from tests.support.digests import digests

Abaw = Callable[..., subprocess.CompletedProcess[str]]
Repetitions = Callable[[int, int], int]
SOLUTION = "expr/tiny-mlp-smooth"


def only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    assert len(found) == 1, found
    return found[0]


def test_run_scores_as_scikit_learn_does(abaw: Abaw, drawn_once: Path, tmp_path: Path) -> None:
    result = abaw("run", SOLUTION, "--data", drawn_once, "--json")
    assert result.returncode == 0, result.stderr
    run = json.loads(result.stdout)
    labels = drawn_once / "6th_ABAW_Annotations/EXPR_Recognition_Challenge/Validation_Set"
    truth, answer = joined(tmp_path / run["folder"] / "predictions.txt", labels)
    expected = f1_score(truth, answer, labels=range(8), average="macro", zero_division=0)
    headline = next(s for s in run["scores"] if s["estimate"] == "headline" and s["metric"] == "macro_f1")
    assert headline["value"] == pytest.approx(expected, abs=1e-12)
    assert headline["low"] <= headline["value"] <= headline["high"]


def joined(path: Path, labels: Path) -> tuple[list[int], list[int]]:
    """Labels and predictions side by side, joined without any of the project's code."""
    given = dict(line.split(",") for line in path.read_text().splitlines()[1:])
    truth, answer = [], []
    for file in sorted(labels.glob("*.txt")):
        for k, label in enumerate(file.read_text().splitlines()[1:], start=1):
            if label != "-1":
                truth.append(int(label))
                answer.append(int(given[f"{file.stem}/{k:05d}.jpg"]))
    return truth, answer


def test_submission_is_valid_and_scores_like_scikit_learn(abaw: Abaw, drawn_once: Path, tmp_path: Path) -> None:
    assert abaw("submit", SOLUTION, "--data", drawn_once).returncode == 0
    path = only(tmp_path, "submissions/EXPR/*/predictions.txt")
    template = drawn_once / "test_set_examples/CVPR_6th_ABAW_Expr_test_set_example.txt"
    checked = abaw("validate", path, "--task", "EXPR", "--template", template)
    assert checked.returncode == 0, checked.stdout
    rows = [line.split(",")[0] for line in path.read_text().splitlines()]
    assert rows == [line.split(",")[0] for line in template.read_text().splitlines()]
    archive = only(tmp_path, "submissions/EXPR/*.zip")
    assert abaw("validate", archive, "--template", template).returncode == 0
    before = archive.read_bytes()
    assert abaw("submit", SOLUTION, "--data", drawn_once).returncode == 0
    assert archive.read_bytes() == before
    labels = drawn_once / "held_out/EXPR_Recognition_Challenge"
    scored = json.loads(abaw("score", path, "--task", "EXPR", "--labels", labels, "--json").stdout)
    truth, answer = joined(path, labels)
    expected = f1_score(truth, answer, labels=range(8), average="macro", zero_division=0)
    assert scored["scores"][0]["value"] == pytest.approx(expected, abs=1e-12)


def test_same_command_again_shows_the_run_that_is_there(abaw: Abaw, drawn_once: Path, tmp_path: Path) -> None:
    first = json.loads(abaw("run", SOLUTION, "--data", drawn_once, "--json").stdout)
    before = digests(tmp_path / "submissions", "*.txt", "*.json", "*.npz")
    second = json.loads(abaw("run", SOLUTION, "--data", drawn_once, "--json").stdout)
    assert (first["reused"], second["reused"]) == (False, True)
    assert first["run_id"] == second["run_id"]
    assert digests(tmp_path / "submissions", "*.txt", "*.json", "*.npz") == before


def test_fresh_run_gives_the_same_bytes(abaw: Abaw, drawn_once: Path, tmp_path: Path) -> None:
    abaw("run", SOLUTION, "--data", drawn_once)
    before = digests(tmp_path / "submissions", "predictions.txt", "scores.npz", "*.safetensors")
    assert abaw("run", SOLUTION, "--data", drawn_once, "--fresh").returncode == 0
    assert digests(tmp_path / "submissions", "predictions.txt", "scores.npz", "*.safetensors") == before
    assert len(list((tmp_path / "submissions/EXPR").iterdir())) == 1


def test_another_seed_is_another_run(abaw: Abaw, drawn_once: Path, tmp_path: Path) -> None:
    abaw("run", SOLUTION, "--data", drawn_once)
    abaw("run", SOLUTION, "--data", drawn_once, "--seed", "1")
    assert len(list((tmp_path / "submissions/EXPR").iterdir())) == 2


def test_a_changed_file_of_a_run_is_noticed(abaw: Abaw, drawn_once: Path, tmp_path: Path) -> None:
    abaw("run", SOLUTION, "--data", drawn_once)
    path = only(tmp_path, "submissions/EXPR/*/predictions.txt")
    path.write_text(path.read_text().replace(",1\n", ",2\n"))
    result = abaw("run", SOLUTION, "--data", drawn_once)
    assert result.returncode == 1
    assert "not what the run wrote" in result.stderr
    assert "--fresh" in result.stderr


def test_overwritten_crop_is_encoded_again(abaw: Abaw, drawn: Path, tmp_path: Path) -> None:
    abaw("extract", "tiny", "--data", drawn, "--split", "val")
    before = digests(tmp_path / "cache", "*.npy")
    video = next((drawn / "6th_ABAW_Annotations/EXPR_Recognition_Challenge/Validation_Set").glob("*.txt")).stem
    crops = sorted((drawn / "cropped" / video).glob("*.jpg"))
    crops[0].write_bytes(crops[40].read_bytes())
    result = abaw("extract", "tiny", "--data", drawn, "--split", "val")
    changed = [name for name, value in digests(tmp_path / "cache", "*.npy").items() if before[name] != value]
    assert [Path(name).name for name in changed] == [f"{video}.embeddings.npy"], result.stdout


def test_touched_crops_are_recognised_by_their_bytes(abaw: Abaw, drawn: Path) -> None:
    abaw("extract", "tiny", "--data", drawn, "--split", "val")
    for path in (drawn / "cropped").glob("*/*.jpg"):
        os.utime(path, (0, 0))
    assert "tiny: 4 videos; 0 frames encoded" in abaw("extract", "tiny", "--data", drawn, "--split", "val").stdout


def kill_at_random(abaw: Abaw, arguments: list[str], times: list[float]) -> list[int]:
    """Start the command again and again, kill it (and only it) with SIGKILL after so many seconds; the exit codes."""
    codes = []
    for seconds in times:
        try:
            codes.append(abaw(*arguments, timeout=seconds).returncode)
        except subprocess.TimeoutExpired:
            codes.append(-signal.SIGKILL)
    return codes


def run_both(
    abaw: Abaw, solution: str, data: Path, home: Path, times: list[float], monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, str], dict[str, str], list[int]]:
    """Hashes of features and submission of an undisturbed run, and of one that was killed over and over."""
    results, codes = [], []
    for name in ("undisturbed", "disturbed"):
        monkeypatch.setenv("ABAW_CACHE", str(home / name / "cache"))
        arguments = ["submit", solution, "--data", str(data), "--out", str(home / name / "out"), "--workers", "2"]
        if name == "disturbed":
            codes = kill_at_random(abaw, arguments, times)
        result = abaw(*arguments)
        assert result.returncode == 0, result.stderr
        written = digests(home / name, "*.npy", "predictions.txt", "scores.npz", "*.safetensors")
        # what a kill left under a temporary name stays until something is written beside it; nothing reads it
        results.append({path: value for path, value in written.items() if not is_partial(path)})
    return results[0], results[1], codes


def is_partial(path: str) -> bool:
    return any(part.startswith(PARTIAL) for part in Path(path).parts)


def test_command_killed_at_random_completes_with_same_bytes(
    abaw: Abaw, drawn_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repetitions: Repetitions
) -> None:
    moments = random.Random(0)
    times = [moments.uniform(0.02, 0.4) for _ in range(repetitions(6, 200))]
    undisturbed, disturbed, codes = run_both(abaw, SOLUTION, drawn_once, tmp_path, times, monkeypatch)
    assert -signal.SIGKILL in codes
    assert len(undisturbed) > 10
    assert disturbed == undisturbed


def test_killed_between_videos_only_the_rest_is_encoded(abaw: Abaw, drawn_once: Path, tmp_path: Path) -> None:
    abaw("extract", "tiny", "--data", drawn_once, "--split", "val")
    arrays = sorted((tmp_path / "cache").rglob("*.npy"))
    arrays[0].with_name(
        arrays[0].name.replace(".embeddings.npy", ".json")
    ).unlink()  # as after a kill between the array and its manifest
    arrays[1].write_bytes(arrays[1].read_bytes()[:100])  # a torn file, as no rename would leave it
    kept = {path: path.stat().st_mtime_ns for path in arrays[2:]}
    before = {path: path.stat().st_size for path in arrays[2:]}
    result = abaw("extract", "tiny", "--data", drawn_once, "--split", "val")
    assert result.returncode == 0
    assert {path: path.stat().st_mtime_ns for path in arrays[2:]} == kept
    assert {path: path.stat().st_size for path in arrays[2:]} == before
    assert all(len(np.load(path)) for path in arrays)


def test_landmarks_killed_with_its_workers(
    abaw: Abaw,
    short_once: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mediapipe: None,
    repetitions: Repetitions,
) -> None:
    moments = random.Random(1)
    times = [moments.uniform(1.5, 3.5) for _ in range(repetitions(2, 30))]
    undisturbed, disturbed, codes = run_both(
        abaw, "expr/landmarks-mlp-smooth", short_once, tmp_path, times, monkeypatch
    )
    assert -signal.SIGKILL in codes
    assert disturbed == undisturbed
    deadline = time.monotonic() + 10
    while workers_of(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not workers_of(tmp_path), "a worker outlived its killed parent"


def workers_of(home: Path) -> list[int]:
    """Processes that still run with this test's folder in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if str(home / "disturbed").encode() in entry.read_bytes() and int(entry.parent.name) != os.getpid():
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


def test_busy_store_loses_nothing(
    abaw: Abaw,
    drawn_once: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "submissions").mkdir()
    store = tmp_path / "submissions/results.duckdb"
    code = f"import duckdb; held = duckdb.connect({str(store)!r}); print('held', flush=True); input()"
    monkeypatch.setitem(Store.__init__.__kwdefaults__, "patience", 0.5)  # for the 20 seconds that a user waits
    monkeypatch.setattr(sys, "argv", ["abaw", "run", SOLUTION, "--data", str(drawn_once)])
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(SystemExit) as end:
            main()
        holder.communicate("\n")
    assert end.value.code == 3
    assert "another process holds the results store" in capsys.readouterr().err
    assert only(tmp_path, "submissions/EXPR/*/run.json")
    assert abaw("reindex").returncode == 0
    assert len(json.loads(abaw("runs", "--json").stdout)) == 1


def test_reindex_gives_back_what_was_recorded(abaw: Abaw, drawn_once: Path, tmp_path: Path) -> None:
    abaw("run", SOLUTION, "--data", drawn_once)
    before = json.loads(abaw("runs", "--json").stdout)
    (tmp_path / "submissions/results.duckdb").unlink()
    assert abaw("reindex").returncode == 0
    assert json.loads(abaw("runs", "--json").stdout) == before


def test_show_prints_the_run_and_the_record(abaw: Abaw, drawn_once: Path) -> None:
    run = json.loads(abaw("run", SOLUTION, "--data", drawn_once, "--json").stdout)
    shown = abaw("show", run["run_id"])
    assert "macro-F1" in shown.stdout
    record = json.loads(abaw("show", run["run_id"], "--json").stdout)
    assert record["recipe"]["encoders"]["tiny"]["encoder"] == "tiny"
    assert record["choices"]["tuned_on"].startswith("val, cross-fitted")


@pytest.mark.slow
def test_demo_ends_with_the_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repetitions: Repetitions) -> None:
    if repetitions(True, False):  # else as a user sees it
        fewer = {
            "data": {"train": 4, "val": 3, "test": 2},
            "scenes": {"train": 2, "val": 2, "test": 1},
            "mimicry": {"train": 6, "val": 3, "test": 2},
            "doubts": {"train": 4, "val": 4, "test": 2},
        }
        monkeypatch.setattr(demo_module, "VIDEOS", fewer)
        monkeypatch.setattr(demo_module, "FRAMES", {"data": 80, "scenes": 60, "mimicry": 20, "doubts": 30})
    result = CliRunner().invoke(cli, ["demo", "--keep", str(tmp_path / "demo")])
    assert result.exit_code == 0, result.stderr
    assert "EXPR val: expression recognition, abaw-synth" in result.stdout
    assert "VD val: fine-grained violence detection, abaw-synth" in result.stdout
    assert "EMI val: emotional mimicry intensity estimation, abaw-synth-vidmimic" in result.stdout
    assert "AH val: ambivalence and hesitancy recognition by frame, abaw-synth-bah" in result.stdout
    assert result.stdout.count("scored against the demo's own test labels") == 6
    assert "shows that the pipeline works" in result.stdout
    assert f"abaw leaderboard --store {tmp_path / 'demo' / 'results.duckdb'}" in " ".join(result.stdout.split())


@pytest.mark.real
def test_real_photographs_are_better_than_a_constant(abaw: Abaw, real_faces: Path, mediapipe: None) -> None:
    result = abaw("run", "expr/landmarks-mlp", "--data", real_faces, "--json", timeout=240)
    assert result.returncode == 0, result.stderr
    scores = {s["estimate"]: s["value"] for s in json.loads(result.stdout)["scores"] if s["metric"] == "macro_f1"}
    assert scores["headline"] > 2 * scores["constant"]
