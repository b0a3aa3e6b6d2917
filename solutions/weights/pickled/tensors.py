"""Tensors from files of weights, without executing the files' content.

A published ``.pt`` file is often a whole pickled module: loading it in the ordinary way runs the code that it names.
Here :mod:`solutions.weights.pickled.pickles` records the pickle's content, and this module picks out the tensors.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DataError
from harness.system.counts import counted
from harness.system.regular import open_file
from solutions.weights.pickled.containers import MAX_DIMENSIONS, Storages, open_container
from solutions.weights.pickled.pickles import Call, Items, Name, called, describe, mapping

if TYPE_CHECKING:
    import torch

MAX_NAMES, MAX_NAME = 100_000, 1000
MAX_STEPS = 500_000  # entries visited in a tree of modules
MAX_DEPTH = 100
_WRAPPED = ("model_state_dict", "state_dict", "model_state", "model")  # keys under which training scripts put tensors
_MODULE_DICTS = {"_parameters", "_buffers", "_modules"}
_PLAIN = (int, float, str, bytes, type(None))
_REBUILD = {"torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"}
_PARAMETER = {"torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"}
_FROM_TYPE = "torch._tensor._rebuild_from_type_v2"
_TENSORS = {*_REBUILD, *_PARAMETER, _FROM_TYPE}
_PLAIN_TYPES = {"torch.Tensor", "torch._tensor.Tensor", "torch.nn.parameter.Parameter"}
_FOREIGN = {
    b"\x89HDF": "an HDF5 file, as Keras writes it",
    b"<": "a web page: a login was asked for, or the address is not that of the file itself",
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself",
}


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a file by the names that ``state_dict()`` of the saved object would have.

    The function reads ``.safetensors``, and PyTorch's old (before 1.6) and new files: a dict of tensors, a dict under
    ``model_state_dict``, ``state_dict``, ``model_state`` or ``model``, or a whole pickled module of any class.

    Returns:
        Contiguous tensors in the file's dtypes, on the CPU, each with its own memory.

    Raises:
        DataError: reading the file would be unsafe, or it holds no tensors.
    """
    try:
        with open_file(path) as stream:
            head = stream.read(512)
            stream.seek(0)
            safe = head[8:9] == b"{"
            return _read_safetensors(path) if safe else _read_torch(stream, head)
    except OSError as error:
        raise DataError("can't be read", where=path, found=error.strerror or error) from None
    except ValueError as error:
        raise DataError(
            "not readable as weights",
            where=path,
            found=str(error),
            expected="a .safetensors file, or a PyTorch file that holds tensors",
        ) from None


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = dict(load_file(path))
    except SafetensorError as error:
        raise ValueError(f"a damaged .safetensors file ({error})") from None
    if not tensors:
        raise ValueError("no tensors")
    return tensors


def _read_torch(stream: io.BufferedReader, head: bytes) -> dict[str, torch.Tensor]:
    if not head:
        raise ValueError("an empty file")
    for magic, what in _FOREIGN.items():
        if head.lstrip().startswith(magic):
            raise ValueError(what)
    content, storages = open_container(stream, head)
    tensors: dict[str, torch.Tensor] = {}
    for name, value in _named(content):
        if name in tensors:
            raise ValueError(f"two tensors called {name!r:.200}")
        if len(name) > MAX_NAME:
            raise ValueError(f"a tensor with a name of {counted(len(name), 'character')}")
        if name == "__metadata__":
            raise ValueError("a tensor called '__metadata__', which safetensors keeps for itself")
        if len(tensors) >= MAX_NAMES:
            raise ValueError(f"more than {MAX_NAMES:,} tensors")
        tensors[name] = _tensor(value, storages, name)
    if not tensors:
        raise ValueError("no tensors")
    return tensors


def _named(content: Any) -> Iterator[tuple[str, Any]]:
    """Yield names and pickled tensors of the saved object."""
    for _ in range(MAX_DEPTH):
        if _module_state(content) is not None:
            yield from _of_module(content)
            return
        entries = mapping(content)
        wrapped = next((entries[key] for key in _WRAPPED if _holds_more(entries.get(key))), None)
        if wrapped is None:
            yield from _of_dict(entries)
            return
        content = wrapped
    raise ValueError("a dict in a dict, and so on")


def _holds_more(value: Any) -> bool:
    return isinstance(value, (Items, Call)) and not _is_tensor(value)


def _of_dict(entries: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in entries.items():
        if _is_tensor(value):
            yield key, value
        elif not isinstance(value, _PLAIN):
            keys = ", ".join(f"{key!r:.40}" for key in list(entries)[:6])
            raise ValueError(f"a dict of more than tensors: {describe(value)} as {key!r:.80}, beside {keys}")


def _of_module(root: Any) -> Iterator[tuple[str, Any]]:
    """Yield names and pickled tensors in the order of ``state_dict()``: parameters, buffers, then child modules."""
    waiting, steps = [("", root)], 0
    while waiting:
        prefix, module = waiting.pop()
        state = _module_state(module)
        if state is None:
            raise ValueError(f"{describe(module)} as the module {prefix.rstrip('.')!r}")
        parameters, buffers, modules = (mapping(state[kind]) for kind in ("_parameters", "_buffers", "_modules"))
        steps += len(state) + len(parameters) + len(buffers) + len(modules)
        if len(prefix) > MAX_NAME or steps > MAX_STEPS:
            raise ValueError("modules without end, or in a circle")
        hidden = set(_texts(state.get("_non_persistent_buffers_set")))
        yield from ((prefix + name, value) for name, value in parameters.items() if value is not None)
        for name, value in buffers.items():
            if value is not None and name not in hidden:
                yield prefix + name, value
        waiting += reversed([(f"{prefix}{name}.", child) for name, child in modules.items() if child is not None])


def _module_state(value: Any) -> dict[str, Any] | None:
    """Return the ``__dict__`` of a pickled module; ``None`` for all other content."""
    if not isinstance(value, Call):
        return None
    merged: dict[str, Any] = {}
    for state in value.states:
        part = state[0] if isinstance(state, tuple) and len(state) == 2 else state
        if isinstance(part, Items):
            merged |= mapping(part)
    return merged if merged.keys() >= _MODULE_DICTS else None


def _texts(value: Any) -> list[str]:
    """Return the members of a set of names, in the form of any pickle protocol."""
    if isinstance(value, Call) and isinstance(value.arguments, tuple) and value.arguments:
        value = value.arguments[0]
    members = value.values if isinstance(value, Items) else value if isinstance(value, list) else []
    return [member for member in members if isinstance(member, str)]


def _is_tensor(value: Any) -> bool:
    return called(value) in _TENSORS


def _tensor(value: Any, storages: Storages, name: str) -> torch.Tensor:
    """Return the tensor that a pickled call would rebuild.

    Raises:
        ValueError: the call would build something other than a plain dense tensor.
    """
    try:
        for _ in range(MAX_DEPTH):
            match called(value), value.arguments if isinstance(value, Call) else None:
                case function, (storage, offset, size, stride, *rest) if function in _REBUILD:
                    return storages.tensor(storage, offset, _sizes(size), _sizes(stride), _flags(rest))
                case function, (data, *_) if function in _PARAMETER:
                    value = data
                case function, (inner, Name() as kind, arguments, *_) if function == _FROM_TYPE:
                    if str(kind) not in _PLAIN_TYPES:
                        raise ValueError(f"a {str(kind)[:120]}")
                    value = Call(inner, arguments)
                case _:
                    raise ValueError(describe(value))
    except ValueError as error:
        raise ValueError(f"{error} as {name!r:.200}, where a plain dense tensor was expected") from None
    raise ValueError(f"a tensor in a tensor, and so on, as {name!r:.200}")


def _flags(rest: list[Any]) -> list[str]:
    """Return the marks of lazily conjugated or negated tensors, which new files have in the seventh argument."""
    if len(rest) < 3 or rest[2] is None:
        return []
    if isinstance(rest[2], Items) and len(rest[2].values) <= MAX_DIMENSIONS:
        return [key[:40] for key, value in mapping(rest[2]).items() if value is not False]
    raise ValueError("a tensor with marks of an unknown kind")


def _sizes(value: Any) -> tuple[int, ...]:
    if called(value) == "torch.Size" and isinstance(value.arguments, tuple) and value.arguments:
        value = value.arguments[0]
    whole = isinstance(value, (tuple, list)) and len(value) <= MAX_DIMENSIONS
    if whole and all(type(item) is int for item in value):
        return tuple(value)
    raise ValueError("a tensor with an impossible shape")
