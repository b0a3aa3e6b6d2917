"""Where a result comes from: code, packages, platform; and nobody's password."""

from __future__ import annotations

import json
import subprocess
from importlib import metadata

import pytest

from harness.system import provenance as module
from harness.system.provenance import digest_of, provenance, sha256_of, source_digest


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A git repository that holds the code, as far as ``provenance`` can tell."""
    package = tmp_path / "harness" / "system"
    package.mkdir(parents=True)
    (package / "provenance.py").write_text("")
    monkeypatch.setattr(module, "__file__", str(package / "provenance.py"))

    def git(*arguments):
        identity = ("-c", "user.name=n", "-c", "user.email=e@x", "-c", "commit.gpgsign=false")
        command = ["git", *identity, "-C", str(tmp_path), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    return git


def test_a_clean_checkout_is_its_commit(checkout):
    assert provenance("cpu", 1)["git"] == {"commit": checkout("rev-parse", "HEAD"), "dirty": False, "origin": ""}


def test_a_changed_file_makes_it_dirty(checkout, tmp_path):
    (tmp_path / "harness/system/provenance.py").write_text("changed")
    assert provenance("cpu", 1)["git"]["dirty"]


def test_a_new_file_makes_it_dirty(checkout, tmp_path):
    (tmp_path / "harness/new.py").write_text("")
    assert provenance("cpu", 1)["git"]["dirty"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:secret@host/team/repo.git", "https://host/team/repo.git"),
        ("https://secret@host/repo.git", "https://host/repo.git"),
        ("https://user:sec@ret@host/repo.git", "https://host/repo.git"),
        ("https://host/repo@2.git", "https://host/repo@2.git"),
        ("git@host:team/repo.git", "git@host:team/repo.git"),
        ("ssh://git@host:22/repo.git", "ssh://host:22/repo.git"),
    ],
)
def test_the_origin_is_told_without_credentials(checkout, url, shown):
    checkout("remote", "add", "origin", url)
    assert provenance("cpu", 1)["git"]["origin"] == shown


def test_code_inside_somebody_elses_repository_has_no_commit(checkout, tmp_path, monkeypatch):
    package = tmp_path / "venv/lib/harness/system"
    package.mkdir(parents=True)
    monkeypatch.setattr(module, "__file__", str(package / "provenance.py"))
    assert provenance("cpu", 1)["git"] is None


def test_an_installed_package_has_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "__file__", str(tmp_path / "harness/system/provenance.py"))
    assert provenance("cpu", 1)["git"] is None


def test_without_git_there_is_no_commit(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance("cpu", 1)["git"] is None


def test_versions_and_device_are_told_as_plain_data():
    told = json.loads(json.dumps(provenance("cuda:1", 4)))
    assert {"numpy", "torch", "duckdb"} <= set(told["packages"])
    assert (told["device"], told["workers"]) == ("cuda:1", 4)


def test_backend_and_precision_are_recorded_and_empty_for_files():
    told = provenance("cpu", 4, "openvino", "bfloat16")
    assert (told["backend"], told["precision"]) == ("openvino", "bfloat16")
    assert (provenance("", 0)["backend"], provenance("", 0)["precision"]) == ("", "")


def test_the_digest_of_a_file_is_the_usual_sha256(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256_of(tmp_path / "x").startswith("ba7816bf8f01cfea")


def test_the_digest_of_plain_data_does_not_depend_on_order():
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": [1, 2], "a": 1})
    assert digest_of({"a": 1, "b": [1, 2]}) != digest_of({"a": 1, "b": [2, 1]})


def test_the_digest_of_sources_changes_with_any_of_them(tmp_path, monkeypatch):
    package = tmp_path / "made_up_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    digests = set()
    for text in ("a = 1", "a = 2"):
        (package / "part.py").write_text(text)
        source_digest.cache_clear()
        digests.add(source_digest("made_up_package"))
    (package / "part.py").rename(package / "other.py")
    source_digest.cache_clear()
    digests.add(source_digest("made_up_package"))
    assert len(digests) == 3


def test_versions_are_those_of_the_installed_packages():
    packages = provenance("cpu", 1)["packages"]
    assert "numpy" in packages
    assert packages == {name: metadata.version(name) for name in packages}


def test_git_is_asked_once_while_other_work_is_done(checkout):
    with module.asking_git() as git:
        commit = checkout("rev-parse", "HEAD")
        assert git() == {"commit": commit, "dirty": False, "origin": ""}
    assert provenance("", 0, git=git)["git"] is git()
