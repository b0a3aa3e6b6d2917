"""``--device``: made definite before anything is computed."""

from __future__ import annotations

import pytest
import torch

from harness.errors import UsageError
from harness.system.device import resolve_device


def test_auto_is_what_the_machine_has(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == "cpu"


def test_what_is_there_stays_as_it_is():
    assert resolve_device("cpu") == "cpu"
    assert resolve_device("cpu:0") == "cpu:0"


@pytest.mark.parametrize("name", ["gpu", "", "cuda:99", "cpu cpu"])
def test_what_is_not_there_is_refused(name):
    with pytest.raises(UsageError, match=f"device '{name}' can't be used; found .*expected auto, cpu, cuda"):
        resolve_device(name)
