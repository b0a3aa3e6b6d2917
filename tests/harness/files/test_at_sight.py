"""The quick check of small files: its report is that of the full check, or it leaves the file to that."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import asdict

import pytest

from harness.errors import SubmissionError
from harness.files.checking.at_sight import report_at_sight
from harness.files.checking.submission import validate
from tests.support.damage import damaged, right_file
from tests.support.strict_oracle import RULES

OF_FRAMES = [name for name, rule in RULES.items() if rule.name == "frame"]
CHARACTERS = [*'0129.,-+/e \n\r\t"\\j\0:;_ü½']


def written(folder, lines, template):
    paths = folder / "file.txt", folder / "template.txt"
    for path, rows in zip(paths, (lines, template), strict=True):
        path.write_bytes("\n".join([*rows, ""]).encode())
    return paths


def with_dummies(lines, dummy):
    return [lines[0], *(f"{line.partition(',')[0]},{dummy}" for line in lines[1:])]


def require_the_full_report(path, template, **options):
    quick = report_at_sight(path, template, **options)
    if quick is not None:
        assert asdict(quick) == asdict(validate(path, template=template, **options))
    return quick


@pytest.mark.parametrize("name", OF_FRAMES)
def test_right_file_is_valid_at_sight(name, tmp_path):
    for seed in range(20):
        lines = right_file(name, random.Random(seed))
        lines = [line.replace("video2_left", "video2").replace("a b", "c") for line in lines]
        path, template = written(tmp_path, lines, with_dummies(lines, ",".join("0" * len(RULES[name].values))))
        distinct = len({line.partition(",")[2] for line in lines[1:]}) > 1
        task = name if name == "MTL" else None
        assert (require_the_full_report(path, template, task=task) is not None) or not distinct


@pytest.mark.parametrize("name", OF_FRAMES)
def test_damaged_file_is_left_to_the_full_check(name, tmp_path, repetitions):
    for seed in range(repetitions(60, 5000)):
        dice = random.Random(f"{name} {seed}")
        lines = right_file(name, random.Random(f"{name} {seed}"))
        path, template = written(tmp_path, lines, with_dummies(lines, dice.choice(["", "0", "x"])))
        path.write_bytes(damaged(name, random.Random(f"{name} {seed}")))
        require_the_full_report(path, template)
        require_the_full_report(path, path)


@pytest.mark.parametrize("name", OF_FRAMES)
def test_damaged_pair_is_left_to_the_full_check(name, tmp_path, repetitions):
    accepted = 0
    for seed in range(repetitions(120, 10_000)):
        dice = random.Random(f"{name} {seed}")
        lines = right_file(name, dice)
        paths = written(tmp_path, lines, dice.choice([lines, with_dummies(lines, ""), with_dummies(lines, "0,0")]))
        for path in dice.choice([paths[:1], paths[1:], paths]):
            text = path.read_text()
            at = dice.randrange(len(text))
            new = text[:at] + dice.choice(["", *CHARACTERS]) + text[at + dice.randint(0, 1) :]
            path.write_bytes(new.encode())
        try:
            accepted += require_the_full_report(*paths, task=dice.choice([None, name])) is not None
        except SubmissionError as error:  # of the full check
            raise AssertionError(f"seed {seed} is valid at sight") from error
    assert accepted


@pytest.mark.parametrize("kind", ["missing", "folder", "zip", "large", "latin-1"])
def test_other_than_a_small_text_is_left_to_the_full_check(kind, tmp_path):
    lines = right_file("EXPR", random.Random(0))
    path, template = written(tmp_path, lines, lines)
    if kind == "zip":
        path = path.rename(tmp_path / "file.zip")
    elif kind == "large":
        path.write_bytes(path.read_bytes() + b" " * (1 << 20))
    elif kind == "latin-1":
        path.write_bytes(path.read_bytes().replace(b"14-30", b"\xe414"))
    else:
        path.unlink()
        if kind == "folder":
            path.mkdir()
    assert report_at_sight(path, template) is None


def test_valid_small_file_is_checked_without_numpy(tmp_path):
    lines = [line.replace("video2_left", "video2") for line in right_file("VA", random.Random(0))]
    path, template = written(tmp_path, lines, with_dummies(lines, "0,0"))
    code = (
        "import sys; from harness.cli.main import cli; "
        f"cli(['validate', {str(path)!r}, '--template', {str(template)!r}], standalone_mode=False); "
        "print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2].endswith(
        f"VA, {len(lines) - 1} rows, {len({r.split('/')[0] for r in lines[1:]})} videos"
    )
    assert done.stdout.splitlines()[-1] == "False"
