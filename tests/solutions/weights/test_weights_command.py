"""``abaw weights`` and the registry that it shows."""

from __future__ import annotations

import json
import re
import threading
import tomllib
from dataclasses import replace

import pytest
import torch
from click.testing import CliRunner

from harness.errors import DataError, MissingDependencyError, UnknownNameError, UsageError
from harness.system.provenance import sha256_of
from solutions.weights.command import weights
from solutions.weights.registry import WEIGHTS
from solutions.weights.store import load_weights
from tests.support.places import REPOSITORY


@pytest.fixture
def run(settings):
    def run(*words, fails=None):
        result = CliRunner().invoke(weights, [*map(str, words), "--cache", str(settings.cache)])
        if fails is None and result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert fails is None or isinstance(result.exception, fails), result.exception
        return result

    return run


def test_every_entry_is_whole():
    assert {"enet_b0_8_best_vgaf", "mbf_va_mtl", "ddamfn_8", "wav2vec2-base-960h", "hubert-large-ls960-ft"} <= set(
        WEIGHTS
    )
    for name, entry in WEIGHTS.items():
        assert entry.name == name
        assert re.fullmatch(r"[a-z0-9_.-]+", name)
        assert "/" not in entry.file
        assert entry.url is None or (entry.url.startswith("https://") and entry.file in entry.url)
        assert entry.page.startswith("https://")
        assert entry.sha256 is None or re.fullmatch("[0-9a-f]{8}|[0-9a-f]{64}", entry.sha256)
        assert entry.git_blob is None or re.fullmatch("[0-9a-f]{40}", entry.git_blob)
        assert not entry.size_is_exact or entry.size
        assert bool(entry.last_layer) == (entry.n_outputs is not None)
        # an address in a git repository names a commit, not a branch that moves
        assert "github.com" not in str(entry.url) or re.search("/blob/[0-9a-f]{40}/", entry.url)


def test_torchaudios_files_are_those_of_its_bundles():
    from torchaudio.pipelines import HUBERT_ASR_LARGE, WAV2VEC2_ASR_BASE_960H

    assert WEIGHTS["wav2vec2-base-960h"].file == WAV2VEC2_ASR_BASE_960H._path
    assert WEIGHTS["hubert-large-ls960-ft"].file == HUBERT_ASR_LARGE._path


def test_list_shows_all_and_what_is_here(run, checkpoint, settings, monkeypatch):
    run("import", "enet_b2_8", checkpoint[0])
    (settings.cache / "weights" / "mbf_va_mtl.json").write_text("{")
    rows = {row["name"]: row for row in json.loads(run("list", "--json").output)}
    assert list(rows) == list(WEIGHTS)
    assert [name for name, row in rows.items() if row["here"]] == ["enet_b2_8"]
    assert rows["enet_b2_8"]["record"]["sha256"] == sha256_of(checkpoint[0])
    assert "not readable as a record" in rows["mbf_va_mtl"]["trouble"]
    monkeypatch.setenv("COLUMNS", "160")
    table = run("list").output
    assert all(name in table for name in WEIGHTS)
    assert sha256_of(checkpoint[0])[:12] in table
    assert "damaged" in table
    assert "import only" in table


def test_import_says_what_it_did(run, checkpoint, settings, tmp_path):
    result = run("import", "slowfast_r50", checkpoint[0])
    assert f"slowfast_r50: 7 tensors in {settings.cache}/weights/slowfast_r50.safetensors; sha256 " in result.output
    torch.save({"x": torch.ones(3)}, tmp_path / "other.pt")
    run("import", "slowfast_r50", tmp_path / "other.pt", fails=DataError)
    assert "1 tensor in" in run("import", "slowfast_r50", tmp_path / "other.pt", "--replace").output
    run("import", "ddam", checkpoint[0], fails=UnknownNameError)


def test_fetch_one_and_again(run, server, checkpoint):
    assert "drawn: 7 tensors in " in run("fetch", "drawn").output
    assert "drawn: was here already" in run("fetch", "drawn").output
    assert len(server.asked) == 1


def test_fetch_of_several_goes_on_after_a_failure(run, server):
    result = run("fetch", "ddamfn_8", "drawn")
    assert result.exit_code == 1
    assert "not published for download" in result.stderr
    assert "drawn: 7 tensors" in result.stdout
    run("fetch", "ddamfn_8", fails=MissingDependencyError)


def test_fetch_needs_names_or_all_but_not_both(run):
    run("fetch", fails=UsageError)
    run("fetch", "drawn", "--all", fails=UsageError)
    run("fetch", "nothing_like_it", "enet_b2_8", fails=UnknownNameError)


def test_fetch_all_means_what_is_published(run, monkeypatch):
    asked = []

    def fetch(name, settings):
        asked.append(name)
        raise MissingDependencyError("no")

    monkeypatch.setattr("solutions.weights.store.fetch_weights", fetch)
    assert run("fetch", "--all").exit_code == 1
    assert asked == [name for name, entry in WEIGHTS.items() if entry.url or entry.package]


def test_the_command_is_registered():
    content = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    assert content["project"]["entry-points"]["abaw.commands"]["weights"] == "solutions.weights.command:weights"


def test_fetch_of_a_text_network_brings_its_tokenizer(run, settings, tmp_path, monkeypatch):
    from safetensors.torch import save

    from tests.support.weights_server import Server

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    contents = {"e5-base-v2": save({"x": torch.ones(3)}), "e5-base-v2.tokenizer": b'{"model": {"type": "WordPiece"}}'}
    servers = []
    for name, content in contents.items():
        server = Server(content)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        servers.append(server)
        monkeypatch.setitem(WEIGHTS, name, replace(WEIGHTS[name], url=server.url, size=None))
    try:
        output = run("fetch", "e5-base-v2").output
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
    assert [line.partition(":")[0] for line in output.splitlines() if "sha256" in line] == [*contents]
    got = load_weights("e5-base-v2.tokenizer", settings)
    assert got.tensors["tokenizer.json"].numpy().tobytes() == contents["e5-base-v2.tokenizer"]
    assert load_weights("e5-base-v2", settings).tensors["x"].tolist() == [1, 1, 1]
    left = {path.name for path in (settings.cache / "weights").iterdir() if not path.name.startswith(".")}
    assert left == {f"{name}.{end}" for name in contents for end in ("json", "safetensors")}
