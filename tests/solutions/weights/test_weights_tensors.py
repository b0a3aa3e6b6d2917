"""What is read out of a file of PyTorch is what ``state_dict()`` of the saved thing gives, to the last bit."""

from __future__ import annotations

import importlib
import sys
import zipfile
from collections import OrderedDict

import pytest
import safetensors.torch
import timm
import torch
from torch import nn

from harness.errors import DataError
from solutions.weights.pickled import containers
from solutions.weights.pickled.tensors import read_tensors
from tests.support.torch_files import Stored, dumped, legacy, rebuilt, zipped

FORMATS = [(True, 2), (True, 5), (False, 2), (False, 4)]


def assert_same(got, expected):
    assert list(got) == list(expected)
    for name, tensor in expected.items():
        assert got[name].dtype == tensor.dtype, name
        assert got[name].shape == tensor.shape, name
        assert torch.equal(got[name], tensor.contiguous()), name
        assert got[name].is_contiguous(), name
        assert not got[name].requires_grad, name
    places = [tensor.data_ptr() for tensor in got.values() if tensor.numel()]
    assert len(set(places)) == len(places), "two tensors share memory"


def saved(path, content, new=True, protocol=2):
    torch.save(content, path, _use_new_zipfile_serialization=new, pickle_protocol=protocol)
    return read_tensors(path)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.pt"


@pytest.fixture(scope="module")
def efficientnet():
    torch.manual_seed(0)
    return timm.create_model("tf_efficientnet_b0", num_classes=8).eval()


@pytest.mark.parametrize(("new", "protocol"), FORMATS)
def test_whole_network_of_timm(path, efficientnet, new, protocol):
    assert_same(saved(path, efficientnet, new, protocol), efficientnet.state_dict())


GONE = """
from torch import nn
import torch

class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query = nn.Linear(3, 4, bias=False)
        self.scale = nn.Parameter(torch.rand(()))
        self.register_buffer("table", torch.arange(5))
        self.register_buffer("scratch", torch.rand(7), persistent=False)
        self.register_buffer("absent", None)
        self.kept = {"free": torch.ones(2), "layers": [nn.Linear(1, 1)]}
        self.blocks = nn.ModuleList([nn.BatchNorm2d(2), nn.ParameterList([torch.rand(2), torch.rand(3)])])
        self.head = None

class Wrapper(nn.Sequential):
    __slots__ = ("mark",)
"""


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source")
@pytest.mark.parametrize(("new", "protocol"), FORMATS)
def test_classes_that_no_longer_exist(path, tmp_path, monkeypatch, new, protocol):
    source = tmp_path / "gone_for_good.py"
    source.write_text(GONE)
    monkeypatch.syspath_prepend(tmp_path)
    gone = importlib.import_module("gone_for_good")
    network = gone.Wrapper(OrderedDict(first=gone.Attention(), second=nn.Sequential(gone.Attention(), nn.ReLU())))
    network.mark = "slots make the state a pair"
    torch.save(network, path, _use_new_zipfile_serialization=new, pickle_protocol=protocol)
    monkeypatch.delitem(sys.modules, "gone_for_good")
    source.unlink()
    assert_same(read_tensors(path), network.state_dict())
    assert "gone_for_good" not in sys.modules
    assert {"first.table", "second.0.blocks.1.1"} <= network.state_dict().keys()
    assert "first.scratch" not in network.state_dict()


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: dict(s), lambda s: {"epoch": 3, "model_state_dict": s},
                                  lambda s: {"state_dict": s, "optimizer": {"lr": [1e-3]}, "best": None},
                                  lambda s: {"model_state": s, "optimizer_state": {"lr": [1e-3]}, "cfg": "TRAIN:"},
                                  lambda s: {"model": {"state_dict": s}}])  # fmt: skip
@pytest.mark.parametrize("new", [True, False])
def test_dict_checkpoints(path, wrap, new):
    state = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).state_dict()
    assert_same(saved(path, wrap(state), new), state)


def test_a_module_in_a_dict(path):
    module = nn.Linear(3, 2)
    assert_same(saved(path, {"model": module, "epoch": 1}), module.state_dict())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64,
                                   torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool])  # fmt: skip
@pytest.mark.parametrize("new", [True, False])
def test_dtypes(path, dtype, new):
    values = (torch.arange(24) % 7 - 3).reshape(2, 3, 4).to(dtype)
    state = {"values": values, "scalar": values[0, 0, 2].clone(), "none": values[:0].clone()}
    assert_same(saved(path, state, new), state)


@pytest.mark.parametrize("new", [True, False])
def test_views_strides_offsets_and_shared_memory(path, new):
    base = torch.arange(60.0).reshape(3, 4, 5)
    state = {
        "whole": base, "again": base, "turned": base.permute(2, 0, 1), "part": base[1:, 2], "every": base[:, ::2, ::3],
        "one": base[2, 3, 4], "wide": base[0, 0, :1].expand(6), "empty": base[3:],
    }  # fmt: skip
    assert_same(saved(path, state, new), state)


@pytest.mark.parametrize("new", [True, False])
def test_tied_weights_and_one_module_twice(path, new):
    network = nn.ModuleDict({"a": nn.Linear(3, 3), "b": nn.Linear(3, 3)})
    network["b"].weight = network["a"].weight
    network["c"] = network["a"]
    assert_same(saved(path, network, new), network.state_dict())


@pytest.mark.parametrize("new", [True, False])
def test_parameters_and_tensors_with_attributes(path, new):
    module = nn.Linear(2, 2)
    module.weight.note = {"any": "thing"}
    module.register_buffer("table", torch.arange(3.0))
    module.table.note = "x"
    module.explicit = nn.Buffer(torch.rand(2))
    assert_same(saved(path, module, new), module.state_dict())


def test_one_thing_in_every_format_is_the_same(path, tmp_path):
    state = {"b": torch.rand(3, 2), "a": torch.rand(2).half()}
    safetensors.torch.save_file(state, tmp_path / "x.safetensors")
    got = read_tensors(tmp_path / "x.safetensors")
    assert_same({name: got[name] for name in state}, saved(path, state))


@pytest.mark.filterwarnings("ignore")
def test_what_is_no_plain_tensor_is_refused(path):
    base = torch.rand(2, 2)
    for odd, said in [
        (torch.quantize_per_tensor(base, 0.1, 0, torch.qint8), "_rebuild_qtensor"),
        (base.to_sparse(), "_rebuild_sparse_tensor"),
        (torch.rand(2, dtype=torch.complex64), "ComplexFloatStorage"),
        (torch._neg_view(base), "neg"),
        (torch.zeros(3, dtype=torch.uint16), "_rebuild_tensor_v3"),
        (nn.parameter.UninitializedParameter(), "UninitializedParameter"),
        (torch.empty(2, device="meta"), "_rebuild_meta_tensor_no_storage"),
    ]:
        module = nn.Linear(1, 1)
        module.register_parameter("odd", odd) if isinstance(odd, nn.Parameter) else module.register_buffer("odd", odd)
        with pytest.raises(DataError, match=rf"{said}.*'odd'"):
            saved(path, module)


@pytest.mark.parametrize("content", [{}, [1, 2], "text", 3, None, {"epoch": 3}, nn.ReLU(), [torch.ones(1)],
                                     {"a": torch.ones(1), "b": [torch.ones(1)]}, {1: torch.ones(1)},
                                     {"__metadata__": torch.ones(1)}, {"x" * 2000: torch.ones(1)}, torch.ones(2)],
                         ids=range(13))  # fmt: skip
@pytest.mark.parametrize("new", [True, False])
def test_what_holds_no_named_tensors_is_refused(path, content, new):
    with pytest.raises(DataError, match=r"weights\.pt: not readable as weights; found .*, expected "):
        saved(path, content, new)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "an empty file"),
        (b"\n<!DOCTYPE html><html>Sign in", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"PK\x03\x04 and then nothing", "a damaged or unfinished zip file"),
        (b"\x80\x02K\x01.", "a pickle, but not one of PyTorch's"),
        (b"\x10\0\0\0\0\0\0\0{not json       ", "a damaged .safetensors file"),
        (bytes(257) + b"ustar" + bytes(300), "a tar file"),
        (b"\0" * 600, "not a whole pickle"),
    ],
)
def test_other_files_are_called_by_their_name(path, content, said):
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_tensors(path)


def test_a_missing_file(path):
    with pytest.raises(DataError, match="No such file"):
        read_tensors(path)


FLOATS = torch.arange(4.0).numpy().tobytes()


@pytest.mark.parametrize(("write", "view"), [(zipped, ()), (legacy, (None,))])
def test_the_files_made_here_are_like_pytorchs_own(path, write, view):
    write(path, dumped({"a": rebuilt(Stored(view=view))}), {"0": FLOATS})
    assert torch.equal(torch.load(path, weights_only=True)["a"], torch.arange(4.0))
    assert_same(read_tensors(path), {"a": torch.arange(4.0)})


@pytest.mark.parametrize("write", [zipped, legacy])
@pytest.mark.parametrize(
    "bad",
    [
        rebuilt(size=(5,)), rebuilt(offset=1), rebuilt(stride=(2,)), rebuilt(offset=-1), rebuilt(stride=(-1,)),
        rebuilt(size=(-1,)), rebuilt(size=(2, 2)), rebuilt(size=(2**40, 2**40), stride=(0, 0)), rebuilt(size=(4.0,)),
        rebuilt(size=(True,)), rebuilt(size=(1,) * 80, stride=(1,) * 80), rebuilt(offset=2**70), rebuilt(offset="0"),
        rebuilt(size=(2**36,), stride=(0,)), rebuilt(Stored(count=5)), rebuilt(Stored(count=-1)),
        rebuilt(Stored(count=2**63)), rebuilt(Stored(kind=torch.DoubleStorage)), rebuilt(Stored(kind=OrderedDict)),
        rebuilt(Stored(kind="FloatStorage")), rebuilt(Stored(key="1")), rebuilt(Stored(key="../../etc/passwd")),
        rebuilt(Stored(key=("0",))), rebuilt(Stored(view=(("1", 2, 3),))), rebuilt(Stored(view=("x",))),
        rebuilt("no storage"), rebuilt(rest=()), rebuilt(rest=(False, None, {"conj": True})),
        rebuilt(rest=(False, None, [])),
    ],
    ids=range(29),
)  # fmt: skip
def test_tensors_that_reach_beyond_their_storage_are_refused(path, write, bad):
    if bad.reduced[1][4:] == ():  # fewer arguments than today, as PyTorch once wrote: that is fine
        return
    with pytest.raises(DataError, match="not readable as weights"):
        read_tensors(write(path, dumped({"good": rebuilt(), "bad": bad}), {"0": FLOATS}))


def test_old_views_of_storages(path):
    stored = Stored(view=(("v", 1, 2),))
    legacy(path, dumped({"a": rebuilt(stored, size=(2,)), "b": rebuilt()}), {"0": FLOATS})
    assert_same(read_tensors(path), {"a": torch.tensor([1.0, 2.0]), "b": torch.arange(4.0)})
    legacy(path, dumped({"a": rebuilt(stored, size=(3,))}), {"0": FLOATS})
    with pytest.raises(DataError, match="beyond its storage of 2"):
        read_tensors(path)


def test_many_views_of_one_storage_are_a_bomb(path):
    data = bytes(4 * 2**18)
    bomb = {f"t{k}": rebuilt(Stored(count=2**18), size=(2**18,)) for k in range(20)}
    with pytest.raises(DataError, match="more than 4 times the file"):
        read_tensors(zipped(path, dumped(bomb), {"0": data}))


def test_zips_that_pytorch_does_not_write(path, monkeypatch):
    good = dumped({"a": rebuilt()})

    def refused(said):
        with pytest.raises(DataError, match=said):
            read_tensors(path)

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", good)
        archive.writestr("archive/data/0", bytes(2**26))
    refused("a compressed zip file")
    zipped(path, good, {"0": FLOATS}, {"archive/code/__torch__.py": b"", "archive/constants.pkl": b""})
    refused("TorchScript")
    zipped(path, good, {"0": FLOATS}, {"other/data.pkl": good})
    refused("not one of PyTorch's")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    refused("not one of PyTorch's")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", good)
        archive.writestr("archive/byteorder", b"big")
    refused("big-endian")
    with pytest.warns(UserWarning, match="Duplicate"):
        zipped(path, good, {"0": FLOATS}, {"archive/data/0": FLOATS})
    refused("two members of one name")
    zipped(path, good, {"0": FLOATS})
    monkeypatch.setattr(containers, "MAX_MEMBERS", 2)
    refused("more than 2 members")


def test_a_flipped_bit_in_a_storage_is_noticed(path):
    zipped(path, dumped({"a": rebuilt()}), {"0": FLOATS})
    data = bytearray(path.read_bytes())
    data[data.index(FLOATS) + 5] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a damaged or unfinished zip file .*CRC"):
        read_tensors(path)


@pytest.mark.parametrize("new", [True, False])
def test_a_file_cut_short_anywhere_is_refused(path, new):
    torch.save(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), path, _use_new_zipfile_serialization=new)
    data = path.read_bytes()
    for end in range(0, len(data), max(1, len(data) // 200)):
        path.write_bytes(data[:end])
        with pytest.raises(DataError):
            read_tensors(path)
