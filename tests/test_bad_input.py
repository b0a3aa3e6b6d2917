"""Bad input: one clear error, the right exit code, no run left behind."""

from __future__ import annotations

import json
import resource
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.records import failure as failures

Abaw = Callable[..., subprocess.CompletedProcess[str]]
SOLUTION = "expr/tiny-mlp-smooth"
LABELS = "6th_ABAW_Annotations/EXPR_Recognition_Challenge"


def refused(result: subprocess.CompletedProcess[str], code: int, *words: str, tried: bool = False) -> None:
    """``tried``: a run began; of that a note is left, and a store that lists it, but no run."""
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith(("abaw: ", "Error: "))]
    assert len(errors) == 1, result.stderr
    for word in words:
        assert word in result.stderr
    if not tried:
        assert not Path("submissions").exists()
        return
    (note,) = Path("submissions").glob("*/*/*")
    assert note.parent.name == failures.FOLDER
    assert json.loads(note.read_text())["reason"] in result.stderr


def test_missing_root(abaw: Abaw, tmp_path: Path) -> None:
    refused(abaw("run", SOLUTION, "--data", tmp_path / "nowhere"), 1, "no such folder", "nowhere", "--data")


def test_empty_root(abaw: Abaw, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused(abaw("run", SOLUTION, "--data", tmp_path / "empty"), 1, "no Aff-Wild2 annotations", "an empty folder")


def test_no_root_at_all(abaw: Abaw) -> None:
    refused(abaw("run", SOLUTION), 2, "no data set named", "ABAW_DATA")


def test_word_in_a_label_file(abaw: Abaw, drawn: Path) -> None:
    path = next((drawn / LABELS / "Validation_Set").glob("*.txt"))
    lines = path.read_text().splitlines()
    lines[6] = "happy"
    path.write_text("\n".join(lines) + "\n")
    refused(abaw("run", SOLUTION, "--data", drawn), 1, f"{path}:7:1", "'happy'", "0 to 7")


def test_label_file_longer_than_its_video(abaw: Abaw, drawn: Path) -> None:
    path = next((drawn / LABELS / "Validation_Set").glob("*.txt"))
    n = len(path.read_text().splitlines()) - 1
    with path.open("a") as stream:
        stream.write("0\n" * 3)
    refused(
        abaw("run", SOLUTION, "--data", drawn), 1, str(path), f"{n + 3} frames", f"expected {n}", "--ignore-lengths"
    )


def test_unreadable_jpeg_names_all_of_them(abaw: Abaw, drawn: Path) -> None:
    crops = sorted((drawn / "cropped").glob("*/*.jpg"))
    train = {p.stem for p in (drawn / LABELS / "Train_Set").glob("*.txt")}
    bad = [p for p in crops if p.parent.name in train][3:400:300]
    bad[0].write_bytes(b"not a picture")
    bad[1].write_bytes(b"")
    result = abaw("run", SOLUTION, "--data", drawn)
    refused(result, 1, str(bad[0]), str(bad[1]), "2 crops of 2 videos", "not a readable image", tried=True)


def test_command_completes_after_removing_the_bad_jpeg(abaw: Abaw, drawn: Path) -> None:
    train = next((drawn / LABELS / "Train_Set").glob("*.txt")).stem
    bad = sorted((drawn / "cropped" / train).glob("*.jpg"))[2]
    bad.write_bytes(b"not a picture")
    assert abaw("run", SOLUTION, "--data", drawn).returncode == 1
    bad.unlink()
    assert abaw("run", SOLUTION, "--data", drawn).returncode == 0


def test_unknown_solution(abaw: Abaw, drawn_once: Path) -> None:
    refused(abaw("run", "expr/tiny-mlp-smoth", "--data", drawn_once), 2, f"Did you mean {SOLUTION}")


def test_unknown_encoder(abaw: Abaw, drawn_once: Path) -> None:
    refused(abaw("extract", "landmark", "--data", drawn_once), 2, "unknown encoder", "Did you mean landmarks?")


def test_unknown_command(abaw: Abaw) -> None:
    refused(abaw("submitt"), 2, "Did you mean 'submit'?")


def test_template_of_another_task(abaw: Abaw, drawn_once: Path) -> None:
    template = next((drawn_once / "test_set_examples").glob("*VA*"))
    result = abaw("submit", SOLUTION, "--data", drawn_once, "--template", template)
    refused(result, 1, f"{template}:1:1", "not a template for EXPR", "the header of VA")


def test_no_template_for_the_test_set(abaw: Abaw, drawn: Path) -> None:
    shutil.rmtree(drawn / "test_set_examples")
    refused(abaw("submit", SOLUTION, "--data", drawn), 1, "no test videos", "abaw data check", tried=True)


def test_submit_where_no_test_video_has_a_crop_stops(abaw: Abaw, drawn: Path) -> None:
    template = next((drawn / "test_set_examples").glob("*Expr*"))
    (drawn / "Test_Images").mkdir()
    for name in {line.partition("/")[0] for line in template.read_text().splitlines()[1:]}:
        (drawn / "cropped" / name).rename(drawn / "Test_Images" / name)
    done = abaw("submit", SOLUTION, "--data", drawn)
    refused(
        done, 1, "no test video has a crop", "abaw data check", f"named after them in {drawn}/Test_Images", tried=True
    )


def test_submit_repeats_doubts_in_its_last_lines(abaw: Abaw, drawn: Path, tmp_path: Path) -> None:
    rows = next((drawn / "test_set_examples").glob("*Expr*")).read_text().splitlines()
    first, second = sorted({row.partition("/")[0] for row in rows[1:]})
    shutil.rmtree(drawn / "cropped" / first)
    done = abaw("submit", SOLUTION, "--data", drawn)
    assert done.returncode == 0, done.stderr
    assert f"warning: 1 of 2 test videos has no crop at all: {first}" in done.stderr.splitlines()
    command = done.stdout.partition("note it with: abaw ")[2].rpartition(")")[0]
    noted = abaw(*shlex.split(command))
    assert noted.returncode == 0, noted.stderr
    assert "4 of 5 slots left" in noted.stdout
    images = sorted((drawn / "cropped" / second).iterdir())
    for image in images[1:]:  # one image for all: every frame gets the same class
        image.write_bytes(images[0].read_bytes())
    own = tmp_path / "CVPR_6th_ABAW_Expr_test_set_example.txt"
    own.write_text("\n".join([rows[0], *(row.replace(",0", ",7") for row in rows if row.startswith(f"{second}/")), ""]))
    done = abaw("submit", SOLUTION, "--data", drawn, "--template", own)
    assert done.returncode == 0, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("warning: all ")
    assert "rows have the same values" in last


@pytest.mark.process
def test_full_disk_while_features_are_written(drawn_once: Path, tmp_path: Path) -> None:
    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    import os
    import sys

    result = subprocess.run(
        [sys.executable, "-m", "harness.cli.main", "extract", "tiny", "--data", str(drawn_once)],
        capture_output=True, text=True, preexec_fn=small_files_only, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )  # fmt: skip
    refused(result, 1, "disk is full", "ABAW_CACHE")
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]


def test_disk_that_is_too_small_is_found_before_work_begins(
    drawn_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.datasets.open import open_dataset
    from harness.errors import StorageError
    from harness.settings import load_settings
    from harness.tasks import EXPR
    from solutions.cache.images import extract_features
    from solutions.encoders.images.tiny import TinyEncoder

    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1000, 990, 10))  # type: ignore[attr-defined]
    with pytest.raises(StorageError, match="not enough space"):
        extract_features(TinyEncoder(), open_dataset(drawn_once, EXPR), ["val"], load_settings())


def test_missing_extra_is_one_line(abaw: Abaw, drawn_once: Path, tmp_path: Path) -> None:
    blocker = tmp_path / "blocker"
    blocker.mkdir()
    (blocker / "mediapipe.py").write_text("raise ImportError('No module named mediapipe')\n")
    result = abaw("run", "expr/landmarks-mlp", "--data", drawn_once, PYTHONPATH=str(blocker))
    refused(result, 1, "pip install -e", "[mediapipe]", tried=True)


def test_timm_without_a_connection_says_the_way_out(abaw: Abaw, drawn_once: Path) -> None:
    result = abaw("extract", "timm:resnet18", "--data", drawn_once, HF_HUB_OFFLINE="1", HF_HOME="hub")
    refused(result, 1, "weights of resnet18", "HF_HUB_OFFLINE", "landmarks")


def test_unknown_timm_model(abaw: Abaw, drawn_once: Path) -> None:
    refused(abaw("extract", "timm:resnet19", "--data", drawn_once), 2, "unknown timm model", "resnet18")


def test_missing_training_labels(abaw: Abaw, drawn: Path) -> None:
    shutil.rmtree(drawn / LABELS / "Train_Set")
    refused(abaw("run", SOLUTION, "--data", drawn), 1, "no train videos", tried=True)


def test_no_crops_at_all(abaw: Abaw, drawn: Path) -> None:
    shutil.rmtree(drawn / "cropped")
    refused(abaw("run", SOLUTION, "--data", drawn), 1, "no cropped/", "no crops at all")


def test_unknown_setting_in_abaw_toml(abaw: Abaw, tmp_path: Path) -> None:
    (tmp_path / "abaw.toml").write_text('dta = "x"\n')
    refused(abaw("runs"), 2, "abaw.toml", "Did you mean data?")
