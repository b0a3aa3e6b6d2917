"""Settings on places and on the way of working: from flag, environment, ``abaw.toml``, or default, in this order."""

from __future__ import annotations

import os
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from harness.errors import UnknownNameError, UsageError
from harness.store.address import StoreAddress, store_place
from harness.store.server.token import check_owner
from harness.system.ownership import why_not_own
from harness.system.regular import read_text

CONFIG_FILE = "abaw.toml"
_ENVIRONMENT = {
    "data": "ABAW_DATA",
    "store": "ABAW_STORE",
    "cache": "ABAW_CACHE",
    "out": "ABAW_OUT",
    "device": "ABAW_DEVICE",
    "workers": "ABAW_WORKERS",
    "backend": "ABAW_BACKEND",
    "precision": "ABAW_PRECISION",
    "weights": "ABAW_WEIGHTS",
    "engine": "ABAW_ENGINE",
    "address": "ABAW_ADDRESS",
    "gpus_per_worker": "ABAW_GPUS_PER_WORKER",
    "edition": "ABAW_EDITION",
}
Backend = Literal["torch", "openvino"]
Precision = Literal["float32", "bfloat16"]
Weights = Literal["pretrained", "random"]
EngineName = Literal["local", "ray"]
_CHOICES: dict[str, tuple[str, ...]] = {
    "backend": get_args(Backend),
    "precision": get_args(Precision),
    "weights": get_args(Weights),
    "engine": get_args(EngineName),
}
_NUMBERS: dict[str, tuple[type, ...]] = {"workers": (int,), "edition": (int,), "gpus_per_worker": (int, float)}
_PATHS = ("data", "out", "cache")
_LARGEST_FILE = 1 << 20
_PLACES_OF_WORK = ("store", "address", "out")
"""Settings that decide which server or folder receives the runs; ``out`` holds the store unless ``store`` is set."""


@dataclass(frozen=True)
class Settings:
    """Resolved settings.

    Attributes:
        data: root of the data set, if one was named.
        out: folder that holds the run folders.
        store: the DuckDB file, inside ``out`` unless named; or a server's address, ``quack:HOST:PORT``.
        cache: folder of the feature cache and of weights.
        device: ``cpu``, ``cuda``, ``cuda:1`` or ``auto``, see :func:`harness.system.device.resolve_device`.
        workers: processes (CPU encoders) or decoding threads (network encoders).
        backend: library that runs the encoders' networks.
        precision: floating-point type of the encoders' networks; features of each type are cached apart.
        weights: weights of timm's networks and of those of clips. ``random``, seeded, is for a test of the pipeline
            without the pretrained weights: its scores are meaningless.
        engine: executor of divisible work: processes of this machine, or Ray's workers.
        address: address of the Ray cluster to join; ``None`` starts one here, which ends with the command.
        gpus_per_worker: number of GPUs, or the part of one, that each of Ray's workers gets for work on GPUs.
        edition: edition of the competition that submissions are counted for; ``None`` for a task's newest known one.
        stride: step between encoded images, beginning with a video's first; the scores of the frames between them are
            filled in. Only the command line can set it.
        reuse_heads: reuse heads that an earlier run trained on the same features, labels and seed.
    """

    data: Path | None = None
    out: Path = Path("submissions")
    store: Path | StoreAddress = Path("submissions/results.duckdb")
    cache: Path = Path("~/.cache/abaw")
    device: str = "auto"
    workers: int = 1
    backend: Backend = "torch"
    precision: Precision = "float32"
    weights: Weights = "pretrained"
    engine: EngineName = "local"
    address: str | None = None
    gpus_per_worker: float = 1.0
    edition: int | None = None
    stride: int = 1
    reuse_heads: bool = True


def load_settings(start: Path | None = None, **flags: Any) -> Settings:
    """Return the settings from flags, environment and the nearest ``abaw.toml`` in ``start`` or above it.

    Args:
        start: folder to look from; the working directory by default.
        **flags: values of the command line; ``None`` for an absent flag.

    Raises:
        UsageError: a value is invalid.
        UnknownNameError: the file holds an unknown setting.
    """
    values: dict[str, Any] = {"workers": os.cpu_count() or 1}
    file, content = _from_file(start or Path.cwd())
    named = {key: os.environ[name] for key, name in _ENVIRONMENT.items() if os.environ.get(name)}
    named |= {key: value for key, value in flags.items() if value is not None}
    if file is not None:
        _check_file(file, content, named, start or Path.cwd())
    values |= content | named
    for key in _PATHS:
        if key in values:
            values[key] = Path(values[key]).expanduser()
    if "store" in values:
        values["store"] = store_place(values["store"])
    elif "out" in values:
        values["store"] = values["out"] / "results.duckdb"
    try:
        values["workers"] = max(1, int(values["workers"]))
    except (TypeError, ValueError):
        raise UsageError("workers must be a whole number", found=repr(values["workers"])) from None
    if "edition" in values:
        values["edition"] = _edition(values["edition"])
    values |= _gpus(values)
    for key, known in _CHOICES.items():
        if key in values and values[key] not in known:
            raise UnknownNameError(key, values[key], known)
    if flags.get("address") and values.get("engine") != "ray":
        raise UsageError("an address is that of a Ray cluster", found="no --engine ray", do="Give both")
    return replace(Settings(cache=Settings.cache.expanduser()), **values)


def _edition(value: Any) -> int:
    """Return the number of an edition.

    Raises:
        UsageError: the value is not a whole number from 1 to 999.
    """
    text = str(value)
    if not (text.isascii() and text.isdigit() and 1 <= len(text) <= 3 and int(text) > 0):
        raise UsageError("the edition must be a whole number", found=repr(value), expected="such as 10")
    return int(text)


def _gpus(values: dict[str, Any]) -> dict[str, float]:
    if "gpus_per_worker" not in values:
        return {}
    try:
        gpus = float(values["gpus_per_worker"])
    except (TypeError, ValueError):
        gpus = -1.0
    if not (0 < gpus < 1 or (gpus >= 1 and gpus.is_integer())):
        value = repr(values["gpus_per_worker"])
        expected = "a part of one, such as 0.5, or a whole number"
        raise UsageError("so many GPUs can't be given to a worker", found=value, expected=expected)
    return {"gpus_per_worker": gpus}


def _check_file(file: Path, content: Mapping[str, Any], named: Mapping[str, Any], start: Path) -> None:
    """Raise an error unless a settings file may decide which places receive the runs and the store's token.

    Args:
        file: the settings file.
        content: its settings.
        named: settings that the user named by flag or environment, which override the file's.
        start: folder where the search for the file began.

    Raises:
        UsageError: another user can have written the file; or the token belongs to another server than the file names.
    """
    deciding = [key for key in _PLACES_OF_WORK if key in content and key not in named]
    if "store" in named and "out" in deciding and len(deciding) == 1:
        deciding = []  # the file decides the folder only, and the user named the store
    if not deciding:
        return
    try:
        why = why_not_own(file)
    except OSError as error:
        why = error.strerror or "it can't be looked at"
    if why is not None:
        key = deciding[0]
        again = "FOLDER" if key == "out" else shlex.quote(str(content[key]))
        raise UsageError(
            f"this settings file may not choose the {key}: somebody else can have written it",
            where=file,
            found=why,
            expected="file and folder that are yours and that only you may write",
            do=f"Name the {key} yourself: export {_ENVIRONMENT[key]}={again}. Or make both yours alone: "
            f"chmod go-w {shlex.quote(str(file))} {shlex.quote(str(file.resolve().parent))}",
        )
    if "store" in deciding and isinstance(place := store_place(content["store"]), StoreAddress):
        check_owner(place, file, near=file.parent.resolve() == start.resolve() or _below_home(file))


def _below_home(file: Path) -> bool:
    try:
        home = Path.home().resolve()
    except RuntimeError:
        return False
    return home != Path(home.anchor) and file.resolve().is_relative_to(home)


def _from_file(start: Path) -> tuple[Path | None, dict[str, Any]]:
    """Return the nearest settings file and its settings; ``None`` and an empty mapping without a file."""
    for folder in (start, *start.resolve().parents):
        path = folder / CONFIG_FILE
        try:
            content = tomllib.loads(read_text(path, _LARGEST_FILE))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise UsageError("the settings can't be read", where=path, found=error.strerror) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UsageError("not readable as TOML", where=path, found=error) from None
        for key, value in content.items():
            if key not in _ENVIRONMENT:
                raise UnknownNameError(f"setting (in {path})", key, _ENVIRONMENT)
            if not isinstance(value, _NUMBERS.get(key, str)):
                kind = "a number" if key in _NUMBERS else "text in quotes"
                raise UsageError(f"{key} can't be used", where=path, found=repr(value), expected=kind)
        # a relative path in a file is relative to that file, in whatever folder the command is typed
        content |= {key: folder / Path(content[key]).expanduser() for key in _PATHS if key in content}
        if "store" in content and isinstance(place := store_place(content["store"]), Path):
            content["store"] = folder / place
        return path, content
    return None, {}
