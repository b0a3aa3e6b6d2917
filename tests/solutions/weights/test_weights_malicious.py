"""A file with bad intentions does nothing but raise a clear error. Python itself is asked what happened meanwhile."""

from __future__ import annotations

import copyreg
import functools
import os
import pickle
import random
import struct
import sys
from collections import OrderedDict
from contextlib import contextmanager

import pytest
import torch
from torch import nn

from harness.errors import DataError
from solutions.weights.pickled import pickles
from solutions.weights.pickled.tensors import read_tensors
from tests.support.torch_files import Called, dumped, legacy, rebuilt, zipped

FLOATS = torch.arange(4.0).numpy().tobytes()
_events: list[tuple[str, tuple]] | None = None


def _listen(event, arguments):
    if _events is not None:
        _events.append((event, arguments))


@pytest.fixture(scope="module", autouse=True)
def listener():
    """An audit hook can't be taken away again; it is deaf outside :func:`watched`."""
    sys.addaudithook(_listen)


@contextmanager
def watched(path):
    """Fails if anything happens inside but that ``path`` is opened for reading: no import, no code, no process."""
    global _events
    _events = []
    try:
        yield
    finally:
        events, _events = _events, None
    harmless = [e for e in events if e[0] == "open" and str(e[1][0]) == str(path) and e[1][1] in ("r", "rb", None)]
    assert [e for e in events if e not in harmless and e[0] != "object.__getattr__"] == []


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "weights.pt"
    torch.save({"a": torch.ones(1)}, path)
    read_tensors(path)
    assert "".encode("cp437") == b""  # what is imported at first use, as zip files need it, is imported now
    return path


def test_the_watch_sees_what_an_ordinary_unpickler_does(path):
    payload = pickle.dumps(Called(os.getenv, "HOME"))
    with pytest.raises(AssertionError, match=r"pickle\.find_class"), watched(path):
        pickle.loads(payload)  # noqa: S301
    with pytest.raises(AssertionError, match="compile"), watched(path):
        eval("1")  # noqa: S307


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


class Plain:
    pass


TOUCH = "touch {canary}"
# each puts {canary} on the disk if it is unpickled the ordinary way, or would take all memory or time
BY_HAND = {
    "GLOBAL REDUCE": b"cposix\nsystem\n(" + text(TOUCH) + b"tR.",
    "STACK_GLOBAL": b"\x80\x04" + text("posix") + text("system") + b"\x93" + text(TOUCH) + b"\x85R.",
    "INST": b"(" + text(TOUCH) + b"iposix\nsystem\n.",
    "OBJ": b"(cposix\nsystem\n" + text(TOUCH) + b"o.",
    "NEWOBJ": b"\x80\x02csubprocess\nPopen\n" + text(TOUCH) + b"\x85\x81.",
    "NEWOBJ_EX": b"\x80\x04csubprocess\nPopen\n(" + text(TOUCH) + b"t}\x92.",
    "eval": b"cbuiltins\neval\n(" + text("__import__('os').system('touch {canary}')") + b"tR.",
    "exec": b"c__builtin__\nexec\n(" + text("import os; os.system('touch {canary}')") + b"tR.",
    "getattr": b"cbuiltins\ngetattr\n(cbuiltins\n__import__\n(" + text("os") + b"tR" + text("system") + b"tR("
    + text(TOUCH) + b"tR.",
    "dotted name": b"\x80\x04" + text("torch") + text("serialization.os.system") + b"\x93" + text(TOUCH) + b"\x85R.",
    "BUILD of a function": b"ctorch._utils\n_rebuild_tensor_v2\nN}" + text("__code__") + text("x") + b"s\x86b.",
    "BUILD of a class": b"ccollections\nOrderedDict\nN}" + text("__getitem__") + b"cposix\nsystem\ns\x86b.",
    "BUILD with __setstate__": b"ctorch.nn\nModule\n)R}" + text("__setstate__") + b"cposix\nsystem\nsb" + text(TOUCH)
    + b"b.",
    "BUILD with __class__": b"ctorch.nn\nModule\n)RN}" + text("__class__") + b"cposix\nsystem\ns\x86b.",
    "BUILD of a list": b"]}b.",
    "APPEND to os.environ": b"cos\nenviron\n" + text("PATH") + text("/nowhere") + b"s.",
    "EXT1": b"\x80\x02\x82\x01(" + text(TOUCH) + b"tR.",
    "EXT4": b"\x80\x02\x84\x01\0\0\0(" + text(TOUCH) + b"tR.",
    "PERSID": b"Pposix system\n.",
    "BINPERSID of a call": b"cposix\nsystem\n(" + text(TOUCH) + b"tRQ.",
    "NEXT_BUFFER": b"\x80\x05\x97.",
    "BYTEARRAY8": b"\x80\x05\x96" + struct.pack("<Q", 2**60) + b".",
    "key that is a call": b"}cposix\nsystem\n(" + text(TOUCH) + b"tRK\x01s.",
    "memo bomb": b"(K\x01t" + b"".join(b"q%c(" % k + b"h%c" % k * 10 + b"t" for k in range(60)) + b".",
    "memo bomb of dicts": b"}" + b"".join(b"q%c}" % k + b"(" + b"".join(text(f"{i}") + b"h%c" % k for i in range(9))
    + b"u" for k in range(60)) + b".",
    "nested lists": b"]" * 60_000 + b"a" * 59_999 + b".",
    "nested tuples": b")" + b"\x85" * 60_000 + b".",
    "nested calls": b"cposix\nsystem\n" + b")R" * 60_000 + b".",
    "marks": b"(" * 60_000 + b".",
    "operations without end": b"N0" * 30_000 + b".",
    "LONG4": b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"1.",
    "LONG4 below zero": b"\x80\x02\x8b" + struct.pack("<i", -5) + b"1.",
    "LONG in words": b"L" + b"9" * 1_000_000 + b"L\n.",
    "BINUNICODE8": b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"x.",
    "FRAME": b"\x80\x04\x95" + struct.pack("<Q", 2**63) + b"N.",
    "PUT": b"]p" + b"9" * 40 + b"\n.",
    "PUT below zero": b"]p-1\n.",
    "GET of nothing": b"g7\n.",
    "list in itself": b"]q\0h\0a.",
    "dict in itself": b"}q\0" + text("model") + b"h\0s.",
    "module in itself": b"ctorch.nn\nModule\n)Rq\0}(" + text("_parameters") + b"}" + text("_buffers") + b"}"
    + text("_modules") + b"}" + text("m") + b"h\0sub.",
    "tensor in itself": b"}" + text("a") + b"ctorch._utils\n_rebuild_parameter\n]q\0h\0aRs.",
    "no STOP": b"N",
    "no stack": b".",
    "STOP on a mark": b"(.",
    "unknown operation": b"\xff.",
    "odd pairs": b"}(" + text("a") + b"u.",
    "surrogates": b"}" + b"X\x03\0\0\0\xed\xa0\x80" + b"K\x01s.",
}  # fmt: skip


@pytest.mark.parametrize("write", [zipped, legacy])
@pytest.mark.parametrize("name", BY_HAND)
def test_pickles_written_by_hand(path, tmp_path, monkeypatch, name, write):
    canary = tmp_path / "canary"
    payload = BY_HAND[name]
    command = TOUCH.format(canary=canary)
    payload = payload.replace(text(TOUCH), text(command))
    if b"{canary}" in payload:
        (old,) = [t for t in ("__import__('os').system('touch {canary}')", "import os; os.system('touch {canary}')")
                  if text(t) in payload]  # fmt: skip
        payload = payload.replace(text(old), text(old.replace("{canary}", str(canary))))
    assert b"{canary}" not in payload
    if name == "operations without end":
        monkeypatch.setattr(pickles, "MAX_OPCODES", 50_000)
    write(path, payload)
    with watched(path), pytest.raises(DataError) as caught:
        read_tensors(path)
    assert not canary.exists()
    assert "not readable as weights; found " in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("name", ["GLOBAL REDUCE", "STACK_GLOBAL", "INST", "OBJ", "eval", "getattr", "dotted name"])
def test_these_pickles_are_dangerous_indeed(tmp_path, name):
    canary = tmp_path / "canary"
    payload = BY_HAND[name].replace(text(TOUCH), text(TOUCH.format(canary=canary)))
    old = "__import__('os').system('touch {canary}')"
    payload = payload.replace(text(old), text(old.replace("{canary}", str(canary))))
    pickle.loads(payload)  # noqa: S301
    assert canary.exists()


def test_extension_codes_that_somebody_registered(path):
    copyreg.add_extension("posix", "system", 240)
    try:
        payload = dumped(Called(os.system, "false"))
        assert b"\x82\xf0" in payload
        zipped(path, payload)
        with watched(path), pytest.raises(DataError, match="copyreg"):
            read_tensors(path)
    finally:
        copyreg.remove_extension("posix", "system", 240)


@pytest.mark.parametrize("write", [zipped, legacy])
def test_harm_beside_true_tensors_stays_undone(path, tmp_path, write):
    canary = tmp_path / "canary"
    harm = Called(os.system, f"touch {canary}")
    for protocol in range(2, 6):
        module = nn.Linear(2, 2)
        module.hook = harm
        module.partial = Called(functools.partial, os.system)
        module.stateful = Called(Plain, state={"__setstate__": harm, "__dict__": harm})
        parameter = Called(torch._utils._rebuild_parameter_with_state, rebuilt(), True, OrderedDict(), harm)
        module.__dict__["_parameters"] = {"weight": parameter}
        write(path, dumped(module, protocol), {"0": FLOATS})
        with watched(path):
            tensors = read_tensors(path)
        assert torch.equal(tensors["weight"], torch.arange(4.0))
        assert not canary.exists()


@pytest.mark.parametrize("where", ["_parameters", "_buffers", "_modules"])
def test_harmful_call_as_tensor_is_an_error_naming_both(path, where):
    module = nn.Linear(2, 2, bias=False)
    module.__dict__["_parameters"] = {}
    module.__dict__[where] = {"weight": Called(os.system, "true")}
    zipped(path, dumped(module))
    with watched(path), pytest.raises(DataError, match=r"a pickled call of posix\.system as .*'weight'"):
        read_tensors(path)


def test_a_tree_of_modules_that_doubles_at_each_level(path):
    module = nn.Module()
    for _ in range(90):
        module, below = nn.Module(), module
        module.__dict__["_modules"] = {"a": below, "b": below}
    zipped(path, dumped(module))
    with watched(path), pytest.raises(DataError, match="modules without end"):
        read_tensors(path)


@pytest.mark.parametrize("write", [zipped, legacy])
def test_random_damage_gives_tensors_or_our_error(path, write):
    network = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1))
    good = dumped({"model": network, "state": rebuilt(), "meta": [1, "x", b"y", 2.5, {1, 2}, None]})
    good = good.replace(b"torch.storage", b"torch")
    rng = random.Random(0)
    outcomes = set()
    for _ in range(400):
        payload = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(payload))
            payload[at : at + rng.randint(0, 3)] = rng.randbytes(rng.randint(0, 3))
        write(path, bytes(payload), {"0": FLOATS})
        with watched(path):
            try:
                read_tensors(path)
                outcomes.add("read")
            except DataError:
                outcomes.add("refused")
    assert "refused" in outcomes
