"""Flag, environment, file, default: in this order."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest

from harness.errors import UnknownNameError, UsageError
from harness.settings import _ENVIRONMENT, load_settings


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in _ENVIRONMENT.values():
        monkeypatch.delenv(name, raising=False)


def config(folder: Path, text: str) -> Path:
    path = folder / "abaw.toml"
    path.write_text(text)
    return path


def test_defaults(tmp_path):
    settings = load_settings(tmp_path)
    assert settings.data is None
    assert settings.out == Path("submissions")
    assert settings.store == Path("submissions/results.duckdb")
    assert settings.cache == Path.home() / ".cache/abaw"
    assert settings.device == "auto"
    assert settings.workers >= 1
    assert (settings.backend, settings.precision, settings.weights) == ("torch", "float32", "pretrained")


def test_the_file_beats_the_default(tmp_path):
    config(tmp_path, 'device = "cpu"\nworkers = 3')
    assert load_settings(tmp_path).device == "cpu"
    assert load_settings(tmp_path).workers == 3


def test_the_environment_beats_the_file(tmp_path, monkeypatch):
    config(tmp_path, 'device = "cpu"\nworkers = 3')
    monkeypatch.setenv("ABAW_DEVICE", "cuda")
    monkeypatch.setenv("ABAW_WORKERS", "5")
    assert (load_settings(tmp_path).device, load_settings(tmp_path).workers) == ("cuda", 5)


def test_the_flag_beats_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("ABAW_DEVICE", "cuda")
    assert load_settings(tmp_path, device="cuda:1").device == "cuda:1"


def test_a_flag_that_was_not_given_counts_for_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("ABAW_DEVICE", "cuda")
    assert load_settings(tmp_path, device=None).device == "cuda"


def test_an_empty_variable_counts_for_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("ABAW_DATA", "")
    assert load_settings(tmp_path).data is None


def test_the_file_is_looked_for_in_the_folders_above(tmp_path):
    config(tmp_path, 'device = "cpu"')
    below = tmp_path / "a/b"
    below.mkdir(parents=True)
    assert load_settings(below).device == "cpu"


def test_the_nearest_file_counts(tmp_path):
    below = tmp_path / "a"
    below.mkdir()
    config(tmp_path, 'device = "cpu"')
    config(below, "workers = 2")
    assert load_settings(below).device == "auto"


def test_relative_paths_in_the_file_are_relative_to_the_file(tmp_path):
    config(tmp_path, 'data = "../Aff-Wild2"\nout = "runs"')
    below = tmp_path / "a/b"
    below.mkdir(parents=True)
    settings = load_settings(below)
    assert settings.data.resolve() == tmp_path.parent / "Aff-Wild2"
    assert settings.out == tmp_path / "runs"


def test_the_store_lies_with_the_runs_unless_named(tmp_path):
    assert load_settings(tmp_path, out=Path("x")).store == Path("x/results.duckdb")
    assert load_settings(tmp_path, out=Path("x"), store=Path("y.duckdb")).store == Path("y.duckdb")


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ABAW_DATA", "~/Aff-Wild2")
    assert load_settings(tmp_path).data == Path.home() / "Aff-Wild2"


def test_an_unknown_setting_gets_a_guess(tmp_path):
    path = config(tmp_path, 'dta = "x"')
    with pytest.raises(UnknownNameError) as caught:
        load_settings(tmp_path)
    assert f"unknown setting (in {path}) 'dta'. Did you mean data" in str(caught.value)


def test_what_is_no_toml_is_named_with_its_line(tmp_path):
    path = config(tmp_path, 'device = "cpu"\nout = runs\n')
    with pytest.raises(UsageError, match="line 2") as caught:
        load_settings(tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["data = 3", "[data]\nroot = 1", 'workers = "many"', "workers = 2.5"])
def test_a_value_of_the_wrong_kind_is_named(tmp_path, text):
    path = config(tmp_path, text)
    with pytest.raises(UsageError, match="can't be used; found") as caught:
        load_settings(tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(("key", "value"), [("backend", "openvino"), ("precision", "bfloat16"), ("weights", "random")])
def test_backend_and_precision_come_from_anywhere(tmp_path, monkeypatch, key, value):
    assert getattr(load_settings(tmp_path, **{key: value}), key) == value
    config(tmp_path, f'{key} = "{value}"')
    assert getattr(load_settings(tmp_path), key) == value
    (tmp_path / "abaw.toml").unlink()
    monkeypatch.setenv(f"ABAW_{key.upper()}", value)
    assert getattr(load_settings(tmp_path), key) == value


@pytest.mark.parametrize(
    ("key", "value", "guess"),
    [
        ("backend", "opnvino", "openvino"),
        ("precision", "float16", "bfloat16 or float32"),
        ("weights", "pretraned", "pretrained"),
    ],
)
def test_an_unknown_backend_or_precision_gets_a_guess(tmp_path, key, value, guess):
    with pytest.raises(UnknownNameError, match=f"unknown {key} '{value}'. Did you mean {guess}"):
        load_settings(tmp_path, **{key: value})


def test_workers_must_be_a_whole_number(tmp_path, monkeypatch):
    monkeypatch.setenv("ABAW_WORKERS", "many")
    with pytest.raises(UsageError, match="workers must be a whole number; found 'many'"):
        load_settings(tmp_path)


# --- who may choose where work goes


@pytest.mark.parametrize(
    ("mode", "folder_mode", "words"),
    [(0o666, 0o755, "everyone may write it"), (0o644, 0o777, "everyone may write its folder"),
     (0o644, 0o1777, "everyone may write its folder")],
)  # fmt: skip
@pytest.mark.parametrize("key", ["store", "out", "address"])
def test_a_file_that_others_may_write_chooses_no_store(tmp_path, monkeypatch, key, mode, folder_mode, words):
    folder = tmp_path / "shared"
    folder.mkdir()
    config(folder, f'{key} = "there"\ndevice = "cpu"').chmod(mode)
    folder.chmod(folder_mode)
    below = folder / "mine"
    below.mkdir()
    with pytest.raises(
        UsageError, match=rf"may not choose the {key}.*found {words}.*export {_ENVIRONMENT[key]}=.*chmod"
    ):
        load_settings(below)
    monkeypatch.setenv(_ENVIRONMENT[key], "here")
    monkeypatch.setenv("ABAW_ENGINE", "ray")
    assert load_settings(below).device == "cpu", "what decides nothing of that kind is taken"


def test_a_file_of_another_user_chooses_no_store(tmp_path, monkeypatch):
    config(tmp_path, 'store = "results.duckdb"')
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    with pytest.raises(UsageError, match="found the file belongs to"):
        load_settings(tmp_path)
    assert load_settings(tmp_path, store="mine.duckdb").store == Path("mine.duckdb")


def test_a_link_in_a_folder_of_others_chooses_no_store(tmp_path):
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    mine.mkdir()
    theirs.mkdir()
    config(mine, 'store = "results.duckdb"')
    (theirs / "abaw.toml").symlink_to(mine / "abaw.toml")
    theirs.chmod(0o777)
    assert load_settings(mine).store == mine / "results.duckdb"
    with pytest.raises(UsageError, match="everyone may write its folder"):
        load_settings(theirs)


def test_an_own_clone_goes_on_working_whatever_the_umask(tmp_path, monkeypatch):
    own = pwd.getpwuid(os.getuid()).pw_name
    group = grp.struct_group((own, "x", os.getgid(), []))
    monkeypatch.setattr(grp, "getgrgid", lambda _: group)
    config(tmp_path, 'store = "results.duckdb"').chmod(0o664)
    tmp_path.chmod(0o775)
    assert load_settings(tmp_path).store == tmp_path / "results.duckdb"
    shared = grp.struct_group((own, "x", os.getgid(), [own, "colleague"]))
    monkeypatch.setattr(grp, "getgrgid", lambda _: shared)
    with pytest.raises(UsageError, match=f"the group {own} may write it"):
        load_settings(tmp_path)


def test_a_file_that_decides_nothing_may_be_anybodys(tmp_path):
    config(tmp_path, 'device = "cpu"\nworkers = 2').chmod(0o666)
    assert load_settings(tmp_path).workers == 2
