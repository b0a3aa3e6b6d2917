"""Pipes, sockets, devices, folders and broken links in the place of files: named at once by every command.

Whoever opens a pipe that nobody writes to waits for ever, so each command here has ten seconds.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.cli.main import main
from harness.tasks import EXPR
from tests.support.data_trees import Tree
from tests.support.guessing_runs import guess
from tests.support.special_files import KINDS, at_once, put

EXPR_LABELS = "data/6th_ABAW_Annotations/EXPR_Recognition_Challenge"
TEMPLATE = "data/test_set_examples/CVPR_6th_ABAW_Expr_test_set_example.txt"
FRAMES = 12
TINY = "expr/tiny-mlp-smooth"
Command = Callable[..., tuple[int, str]]


@pytest.fixture(scope="session")
def world_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set in each layout, runs of EXPR on val and test with their store, and files of a user's own."""
    home = tmp_path_factory.mktemp("world")
    (home / "data").mkdir()
    tree, rng = Tree(home / "data"), np.random.default_rng(0)
    for split, names in {"train": "ab", "val": "cde"}.items():
        for name in names:
            tree.labels(split, name, rng.integers(-1, 8, FRAMES))
            tree.crops(name, range(1, FRAMES + 1))
    tree.template({"t": 3})
    tree.crops("t", range(1, 4))
    sound = home / "data/audios/c.wav"
    sound.parent.mkdir()
    with wave.open(str(sound), "wb") as stream:
        stream.setparams((1, 2, 16_000, 0, "NONE", ""))
        stream.writeframes(bytes(2 * 16_000))
    for split, video in {"Training": "0001", "Validation": "0002"}.items():
        labels, pictures = home / f"dvd/{split}/annotations/{video}.csv", home / f"dvd/{split}/frames/{video}"
        labels.parent.mkdir(parents=True)
        labels.write_text("Frame_Number,Label\n1,0\n2,1\n")
        pictures.mkdir(parents=True)
        for k in (1, 2):
            (pictures / f"{k:05d}.jpg").write_bytes(b"\xff\xd8" + bytes([k]))
    guess(home / "data", EXPR, home / "runs")
    guess(home / "data", EXPR, home / "runs", seed=1)
    guess(home / "data", EXPR, home / "runs", split="test")
    for folder in (home / "runs/EXPR").iterdir():
        folder.rename(folder.with_name("-".join(folder.name.split("-")[:3])))
    (home / "runs/results.duckdb").unlink()
    shutil.copy(home / "runs/EXPR/guesses-test-s0/predictions.txt", home / "predictions.txt")
    shutil.copy(home / TEMPLATE, home / "template.txt")
    return home


@pytest.fixture
def world(world_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, which is the working folder."""
    home = Path(shutil.copytree(world_once, tmp_path / "world"))
    monkeypatch.chdir(home)
    monkeypatch.setenv("ABAW_OUT", "runs")
    monkeypatch.setenv("ABAW_CACHE", "cache")
    return home


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the console command in this process, in ten seconds: its exit code and what it says."""

    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["abaw", *arguments])
        with at_once(), pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out + said.err

    return call


FILES = {
    # what is put in the place of which file, and what is then typed
    "validate": ("predictions.txt", "validate predictions.txt --task EXPR"),
    "validate's template": ("template.txt", "validate predictions.txt --template template.txt"),
    "validate's folder": ("sent/a.csv", "validate sent"),
    "repair": ("predictions.txt", "repair predictions.txt mended.txt --task EXPR"),
    "repair's template": ("template.txt", "repair predictions.txt mended.txt --template template.txt"),
    "repair's labels": (
        f"{EXPR_LABELS}/Validation_Set/c.txt",
        f"repair predictions.txt mended.txt --labels {EXPR_LABELS}/Validation_Set",
    ),
    "score": ("predictions.txt", f"score predictions.txt --task EXPR --labels {EXPR_LABELS}/Validation_Set"),
    "score's labels": (
        f"{EXPR_LABELS}/Validation_Set/c.txt",
        f"score predictions.txt --labels {EXPR_LABELS}/Validation_Set",
    ),
    "score's table of labels": ("labels.csv", "score predictions.txt --task MTL --labels labels.csv"),
    "pack": ("predictions.txt", "pack predictions.txt --to out.zip"),
    "pack's folder": ("sent/a.csv", "pack sent --to out.zip"),
    "slots send": ("predictions.txt", "slots send predictions.txt --task EXPR"),
    "slots send's template": ("template.txt", "slots send predictions.txt --task EXPR --template template.txt"),
    "slots": ("runs/slots.json", "slots"),
    "slots result": ("runs/slots.json", "slots result 1 0.3"),
    "import": ("anna.zip", "import anna.zip"),
    "import's run": ("theirs/EXPR/x-val-s0/predictions.txt", "import theirs"),
    "weights import": ("ddamfn.pth", "weights import ddamfn_8 ddamfn.pth"),
    "show": ("runs/EXPR/guesses-val-s0/run.json", "show guesses-val-s0"),
    "show's statistics": ("runs/EXPR/guesses-val-s0/statistics.json", "show guesses-val-s0"),
    "reindex's run": ("runs/EXPR/guesses-val-s0/run.json", "reindex"),
    "reindex's curves": ("runs/EXPR/guesses-val-s0/sweep.json", "reindex"),
    "sync's run": ("runs/EXPR/guesses-val-s0/statistics.json", "sync"),
    "sync's note of a failure": ("runs/EXPR/failed/0123.json", "sync"),
    "compare": ("runs/EXPR/guesses-val-s1/run.json", "compare guesses-val-s0 guesses-val-s1"),
    "blend": ("runs/EXPR/guesses-val-s1/scores.npz", "blend guesses-val-s0 guesses-val-s1 --task EXPR --data data"),
    "a store": ("runs/results.duckdb", "runs"),
    "a store to make": ("runs/results.duckdb", "reindex"),
    "a store's log": ("runs/results.duckdb.wal", "reindex"),
    "settings": ("abaw.toml", "runs"),
    "data check's labels": (f"{EXPR_LABELS}/Validation_Set/c.txt", "data check data"),
    "data check's template": (TEMPLATE, "data check data"),
    "data check's marker": ("data/DATASET.toml", "data check data"),
    "data check's crop": ("data/cropped/c/00003.jpg", "data check data"),
    "data check's sound": ("data/audios/c.wav", "data check data"),
    "data check's annotations": ("dvd/Validation/annotations/0002.csv", "data check dvd"),
    "data check's picture": ("dvd/Validation/frames/0002/00002.jpg", "data check dvd"),
    "data check's film": ("dvd/Validation/videos/0003.mp4", "data check dvd"),
    "data check's film beside frames": ("dvd/Validation/videos/0002.mp4", "data check dvd"),
    "data check's templates": ("dvd/Expected_Output_Files.zip", "data check dvd"),
    "data align's film": ("dvd/Validation/videos/0003.mp4", "data align dvd"),
    "data align's labels": (f"{EXPR_LABELS}/Validation_Set/c.txt", "data align data"),
    "data frames": ("dvd/Validation/videos/0003.mp4", "data frames dvd"),
    "extract's labels": (f"{EXPR_LABELS}/Train_Set/a.txt", "extract tiny --data data"),
    "extract's crop": ("data/cropped/a/00003.jpg", "extract tiny --data data --split train"),
    "extract's own array": ("cache/precomputed/ours/a.npy", "extract precomputed:ours --data data --split train"),
    "extract's own table": ("cache/precomputed/ours/a.csv", "extract precomputed:ours --data data --split train"),
    "run's labels": (f"{EXPR_LABELS}/Validation_Set/c.txt", f"run {TINY} --data data"),
    "submit's template": ("template.txt", f"submit {TINY} --data data --template template.txt"),
    "submit's template in the data": (TEMPLATE, f"submit {TINY} --data data"),
    "export": ("runs/results.duckdb", "export board"),
}
MAY_BE_FOLDERS = {
    "validate",
    "repair",
    "score",
    "pack",
    "slots send",
    "import",
    "validate's folder",
    "pack's folder",
    "import's run",
    "data check's templates",
}
"""Names of what takes a folder as a folder."""

OTHER_WORDS = dict.fromkeys(("validate's folder", "pack's folder", "import's run"), ("a device or pipe", "a symbolic"))
"""Words for members of what is handed over, in which links of all kinds are refused."""


@pytest.mark.process
@pytest.mark.parametrize("name", FILES)
def test_special_file_in_a_files_place_is_named_at_once(name, world, command):
    place, line = FILES[name]
    (world / "sent").mkdir()
    (world / "sent/b.csv").write_text("Frame_Number,Label\n1,0\n")
    shutil.copytree(world / "runs/EXPR/guesses-val-s0", world / "theirs/EXPR/x-val-s0")
    (world / "cache/precomputed/ours").mkdir(parents=True)
    np.save(world / "cache/precomputed/ours/b.npy", np.zeros((FRAMES, 2), np.float32))
    if name == "slots result":
        assert command("slots", "send", "predictions.txt", "--task", "EXPR", "--yes")[0] == 0
    for kind, words in KINDS.items():
        if kind == "folder" and name in MAY_BE_FOLDERS:
            continue
        put(kind, world / place)
        code, said = command(*line.split())
        assert "Traceback" not in said
        assert code in (1, 2), (kind, said)
        assert Path(place).name in said, (kind, said)
        expected = OTHER_WORDS.get(name, (words, *(["a folder"] if kind == "folder" else [])))
        assert any(text in " ".join(said.split()) for text in expected), (kind, said)


@pytest.mark.parametrize("kind", KINDS)
def test_token_in_a_special_file_is_refused_at_once(kind, tmp_path, command, monkeypatch):
    put(kind, tmp_path / "token")
    monkeypatch.setenv("ABAW_STORE_TOKEN_FILE", "token")
    monkeypatch.setenv("ABAW_STORE", "quack:127.0.0.1:9")
    code, said = command("runs")
    assert code == 2, said
    assert "token: the store's token can't be read" in said
    assert KINDS[kind] in said


@pytest.mark.parametrize("kind", KINDS)
def test_special_files_of_a_data_set_are_named_video_by_video(kind, world, command):
    put(kind, world / EXPR_LABELS / "Validation_Set/c.txt")
    put(kind, world / EXPR_LABELS / "Train_Set/a.txt")
    said = command("data", "check", "data", "--json")[1]
    assert [name in said for name in ("Validation_Set/c.txt", "Train_Set/a.txt")] == [True, True]
    shutil.rmtree(world / EXPR_LABELS)
    tree = Tree(world / "data")
    for split, names in {"train": "ab", "val": "cde"}.items():
        for name in names:
            tree.labels(split, name, [0] * FRAMES)
    for place in ("cropped/a/00003.jpg", "cropped/a/00009.jpg", "cropped/c/00001.jpg", "audios/c.wav"):
        put(kind, world / "data" / place)
    problems = json.loads(command("data", "check", "data", "--json")[1])["problems"]
    words = "a folder" if kind == "folder" else KINDS[kind]
    told = {
        "cropped/a": f"2 of these crops are no files; found 00003.jpg, {words}; 00009.jpg, {words}, expected",
        "cropped/c": f"1 of these crops is no file; found 00001.jpg, {words}, expected",
        "audios/c.wav": "this audio file can't be read, or holds no audio, and does not count: can't read the audio; "
        f"found {KINDS[kind]}",
    }
    for place, text in told.items():
        assert sum(problem.startswith(f"data/{place}: {text}") for problem in problems) == 1, problems


def test_links_to_files_are_files(world, command):
    for place in (
        "predictions.txt", "template.txt", f"{EXPR_LABELS}/Validation_Set/c.txt", "data/cropped/c/00003.jpg",
        "data/audios/c.wav", TEMPLATE, "dvd/Validation/annotations/0002.csv",
    ):  # fmt: skip
        path = world / place
        real = path.with_name(f".real-{path.name}")
        path.rename(real)
        path.symlink_to(real)
    assert command("validate", "predictions.txt", "--template", "template.txt")[0] == 0
    assert "no files" not in command("data", "check", "data")[1]
    assert "can't be read" not in command("data", "check", "dvd")[1]


def test_folders_that_link_to_those_above_them_end(world, command):
    for folder in ("data", "data/cropped", "data/frames", "dvd", "dvd/Training/frames"):
        (world / folder).mkdir(exist_ok=True)
        for k in range(6):
            (world / folder / f"again{k}").symlink_to(world / folder)
    for root in ("data", "dvd"):
        assert "Traceback" not in command("data", "check", root)[1]


def test_cached_features_in_a_special_file_are_made_again(drawn, tmp_path, command):
    assert command("extract", "tiny", "--data", str(drawn), "--split", "val")[0] == 0
    arrays = sorted((tmp_path / "cache").rglob("*.npy"))
    manifests = [path.with_name(path.name.replace(".embeddings.npy", ".json")) for path in arrays]
    before = {path: path.read_bytes() for path in arrays}
    for path, kind in zip([*arrays[:2], *manifests[2:4]], ("pipe", "link to a device") * 2, strict=True):
        put(kind, path)
    code, said = command("extract", "tiny", "--data", str(drawn), "--split", "val")
    assert code == 0, said
    assert {path: path.read_bytes() for path in arrays} == before
    assert all(path.is_file() and not path.is_symlink() for path in (*arrays, *manifests))


def test_submission_in_a_pipe_says_so(world, command):
    os.mkfifo(world / "pipe")
    code, said = command("validate", "pipe")
    assert (code, said) == (1, "abaw: pipe: can't read the file; found a pipe, where a file belongs.\n")
