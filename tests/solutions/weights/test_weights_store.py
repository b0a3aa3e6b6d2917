"""Weights are imported once, recorded, and checked ever after."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import torch

from harness.errors import DataError, MissingDependencyError, StorageError, UnknownNameError
from harness.system.locks import exclusive
from harness.system.provenance import sha256_of
from solutions.weights import store
from solutions.weights.registry import WEIGHTS
from solutions.weights.store import import_weights, is_here, load_weights, read_record, tensors_path

NAME = "enet_b2_8"


@pytest.fixture
def other(tmp_path):
    torch.save({"x": torch.ones(3)}, tmp_path / "other.pt")
    return tmp_path / "other.pt"


def test_what_was_imported_is_loaded(checkpoint, settings):
    path, state = checkpoint
    for got in (import_weights(NAME, path, settings), load_weights(NAME, settings)):
        assert got.entry is WEIGHTS[NAME]
        assert got.sha256 == sha256_of(path)
        assert got.tensors.keys() == state.keys()
        assert all(torch.equal(got.tensors[name], tensor) for name, tensor in state.items())
    assert path.exists()
    record = read_record(NAME, settings)
    assert (record.sha256, record.size, record.source) == (sha256_of(path), path.stat().st_size, str(path.resolve()))
    assert record.converted_sha256 == sha256_of(tensors_path(NAME, settings))
    assert record.date[:2] == "20"
    assert tensors_path(NAME, settings).stat().st_mode == path.stat().st_mode
    names = {p.name for p in (settings.cache / "weights").iterdir() if not p.name.startswith(".")}
    assert names == {f"{NAME}.safetensors", f"{NAME}.json"}


def test_the_same_file_twice_is_fine(checkpoint, settings):
    first = import_weights(NAME, checkpoint[0], settings)
    bytes_before = tensors_path(NAME, settings).read_bytes()
    assert import_weights(NAME, checkpoint[0], settings).sha256 == first.sha256
    assert tensors_path(NAME, settings).read_bytes() == bytes_before


def test_another_file_is_refused_unless_it_is_trusted(checkpoint, other, settings):
    import_weights(NAME, checkpoint[0], settings)
    with pytest.raises(DataError, match=rf"not the file that {NAME} came from on 20.*--replace"):
        import_weights(NAME, other, settings)
    assert load_weights(NAME, settings).sha256 == sha256_of(checkpoint[0])
    assert import_weights(NAME, other, settings, replace=True).tensors.keys() == {"x"}
    assert load_weights(NAME, settings).sha256 == sha256_of(other)


def test_a_known_hash_is_asked_of_the_first_file_too(checkpoint, other, settings, monkeypatch):
    monkeypatch.setitem(WEIGHTS, NAME, replace(WEIGHTS[NAME], sha256=sha256_of(checkpoint[0])))
    with pytest.raises(
        DataError, match=f"not the published file of {NAME}; found sha256 {sha256_of(other)}, expected "
    ):
        import_weights(NAME, other, settings)
    assert not is_here(NAME, settings)
    import_weights(NAME, checkpoint[0], settings)
    import_weights(NAME, other, settings, replace=True)
    assert load_weights(NAME, settings).sha256 == sha256_of(other)


def test_of_a_hash_the_beginning_may_be_known_alone(checkpoint, other, settings, monkeypatch):
    monkeypatch.setitem(WEIGHTS, NAME, replace(WEIGHTS[NAME], sha256=sha256_of(checkpoint[0])[:8]))
    with pytest.raises(DataError, match=f"not the published file of {NAME}"):
        import_weights(NAME, other, settings)
    assert import_weights(NAME, checkpoint[0], settings).sha256 == sha256_of(checkpoint[0])


def test_missing_weights_say_how_to_get_them(settings, monkeypatch):
    monkeypatch.setattr(store, "_PATIENCE", 0.1)
    with pytest.raises(MissingDependencyError, match=rf"not here\. Run: abaw weights fetch {NAME}; or .* landmarks"):
        load_weights(NAME, settings)
    with pytest.raises(MissingDependencyError, match=r"abaw weights import ddamfn_8 FILE \(affectnet8_epoch4"):
        load_weights("ddamfn_8", settings)
    with pytest.raises(UnknownNameError, match="Did you mean enet_b2_8"):
        load_weights("enet_b28", settings)
    assert not (settings.cache / "weights").exists()


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:-1] + bytes([data[-1] ^ 1])])
def test_changed_tensors_are_refused_and_can_be_had_again(checkpoint, settings, damage):
    import_weights(NAME, checkpoint[0], settings)
    path = tensors_path(NAME, settings)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=rf"no longer what was recorded.*Run: abaw weights fetch {NAME}"):
        load_weights(NAME, settings)
    import_weights(NAME, checkpoint[0], settings)
    load_weights(NAME, settings)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"name": 1}', "\xff"])
def test_an_unreadable_record_is_refused(checkpoint, settings, text):
    import_weights(NAME, checkpoint[0], settings)
    (settings.cache / "weights" / f"{NAME}.json").write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match=r"not readable as a record of weights.*Remove it, then run"):
        load_weights(NAME, settings)
    with pytest.raises(DataError, match="not readable as a record"):
        import_weights(NAME, checkpoint[0], settings)
    import_weights(NAME, checkpoint[0], settings, replace=True)
    load_weights(NAME, settings)


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x80\x02N."])
def test_a_file_that_is_refused_leaves_nothing(tmp_path, settings, content):
    (tmp_path / "bad.pt").write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.pt: not readable as weights"):
        import_weights(NAME, tmp_path / "bad.pt", settings)
    assert [p.name for p in (settings.cache / "weights").iterdir() if not p.name.startswith(".")] == []
    with pytest.raises(DataError, match="No such file"):
        import_weights(NAME, tmp_path / "absent.pt", settings)


def test_a_kill_between_the_two_files_is_noticed_and_healed(checkpoint, other, settings, monkeypatch):
    import_weights(NAME, checkpoint[0], settings)

    def killed(*_, **_options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("harness.records.document.write_text", killed)
        with pytest.raises(KeyboardInterrupt):
            import_weights(NAME, other, settings, replace=True)
    with pytest.raises(DataError, match="half replaced"):
        load_weights(NAME, settings)
    import_weights(NAME, other, settings, replace=True)
    assert load_weights(NAME, settings).tensors.keys() == {"x"}


def test_a_reader_waits_for_a_writer_between_its_two_files(checkpoint, settings, monkeypatch):
    import_weights(NAME, checkpoint[0], settings)
    record = settings.cache / "weights" / f"{NAME}.json"
    aside = record.with_suffix(".aside")
    shutil.move(record, aside)

    def queued(*arguments, **options):
        shutil.move(aside, record)
        return original(*arguments, **options)

    original = store.queued
    monkeypatch.setattr(store, "queued", queued)
    assert load_weights(NAME, settings).sha256 == sha256_of(checkpoint[0])


def test_a_second_writer_is_sent_away(checkpoint, settings, monkeypatch):
    monkeypatch.setattr(store, "_PATIENCE", 0.1)
    lock = settings.cache / "weights" / f".{NAME}.lock"
    with exclusive(lock), pytest.raises(StorageError, match="another process is at work here"):
        import_weights(NAME, checkpoint[0], settings)


def test_a_full_disk_leaves_nothing_half_written(checkpoint, settings):
    resource = pytest.importorskip("resource", reason="no limits on files on this system")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(StorageError, match="the disk is full, nothing was left half-written"):
            import_weights(NAME, checkpoint[0], settings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [p.name for p in (settings.cache / "weights").iterdir()] == [f".{NAME}.lock"]


def test_a_read_only_cache_can_be_read(checkpoint, settings):
    import_weights(NAME, checkpoint[0], settings)
    folder = settings.cache / "weights"
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    try:
        load_weights(NAME, settings)
    finally:
        folder.chmod(0o755)


def test_the_record_is_plain_json(checkpoint, settings):
    import_weights(NAME, checkpoint[0], settings)
    content = json.loads((settings.cache / "weights" / f"{NAME}.json").read_text())
    assert set(content) == {"name", "sha256", "size", "source", "date", "converted_sha256", "converted_size"}
