"""Flag, environment, file, default: in this order."""

from __future__ import annotations

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
