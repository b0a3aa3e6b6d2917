"""A small checkpoint, and a server that offers it."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import torch

from harness.settings import Settings
from solutions.weights import download
from solutions.weights.registry import WEIGHTS
from tests.support.weights_server import NAME, Server


@pytest.fixture(autouse=True)
def _an_entry_of_an_unknown_file(monkeypatch):
    """Forget what is known of the file of ``enet_b2_8``: any file may be imported under the name."""
    unknown = replace(WEIGHTS["enet_b2_8"], git_blob=None, size=None, last_layer=(), n_outputs=None)
    monkeypatch.setitem(WEIGHTS, "enet_b2_8", unknown)


@pytest.fixture
def checkpoint(tmp_path):
    """A module saved whole, 80 kB, and its state dict."""
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(100, 200), torch.nn.BatchNorm1d(200))
    path = tmp_path / "published.pt"
    torch.save(module, path)
    return path, module.state_dict()


@pytest.fixture
def server(checkpoint, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download, "_FIRST_WAIT", 0.0)
    server = Server(checkpoint[0].read_bytes())
    entry = replace(WEIGHTS["enet_b2_8"], name=NAME, url=server.url, file=f"{NAME}.pt", size=None)
    monkeypatch.setitem(WEIGHTS, NAME, entry)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def settings(tmp_path):
    return Settings(cache=tmp_path / "cache")
