"""Files of a training run, which may be killed at any moment and resumes with the same result.

    epoch-001.safetensors      trained weights after an epoch
    optimiser-001.safetensors  state of the optimiser; removed at the end of training
    training.json              finished epochs; written last, files that it omits are ignored

Random numbers are generated again from the seed and the epoch, and learning rates follow from the step, so that these
files are enough to resume. There is no pickle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from harness.errors import SolutionError
from harness.records.document import load_json
from harness.system.atomic import atomic_file, sweep_partials, write_text
from harness.system.regular import require_file
from solutions.networks.state import load_exactly

if TYPE_CHECKING:
    from solutions.clips.network import ClipNet

STATE = "training.json"


def load_epoch(net: ClipNet, path: Path) -> None:
    """Set a network to the weights that training wrote after an epoch.

    Args:
        net: the network, with the same encoders frozen as in training; the file omits them, and they stay as they are.
        path: file of the weights.

    Raises:
        SolutionError: the file is missing, or belongs to another network; the network is then unchanged.
    """
    try:
        require_file(path)
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise SolutionError(f"{path}: not the weights of an epoch ({error})") from None
    load_exactly(net, tensors, source=str(path), unused=_frozen(net))


def _frozen(net: ClipNet) -> tuple[str, ...]:
    """Return the prefixes of parameters and buffers that are frozen in training."""
    return tuple(f"encoders.{name}." for name in net.frozen)


def digest_of_weights(net: ClipNet) -> str:
    """Return the hash of all parameters and buffers, with their names."""
    digest = hashlib.sha256()
    for key, value in net.state_dict().items():
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


@dataclass
class Checkpoint:
    """Progress of a training run.

    Attributes:
        folder: folder of the files.
        key: hash of all that determines the weights; files of another key are never resumed.
        keep_all: True to keep every epoch's weights, False for those of the last epoch alone.
        losses: mean loss of each finished epoch.
    """

    folder: Path
    key: str
    keep_all: bool
    losses: list[float] = field(default_factory=list)

    @classmethod
    def open(cls, folder: Path, key: str, *, keep_all: bool) -> Checkpoint:
        """Resume from a folder if its key is the same, else start afresh; other files of training are removed.

        Args:
            folder: folder of the files, created if missing.
            key: hash of all that determines the weights.
            keep_all: True to keep every epoch's weights, False for those of the last epoch alone.
        """
        folder.mkdir(parents=True, exist_ok=True)
        sweep_partials(folder)
        checkpoint = cls(folder, key, keep_all)
        try:
            state = load_json(folder / STATE)
            if state["key"] == key and all(path.is_file() for path in checkpoint._weights(len(state["losses"]))):
                checkpoint.losses = [float(loss) for loss in state["losses"]]
        except (OSError, ValueError, KeyError, TypeError):
            pass
        known = {*checkpoint.kept, checkpoint._optimiser(checkpoint.epochs_done)}
        for path in (*folder.glob("epoch-*.safetensors"), *folder.glob("optimiser-*.safetensors")):
            if path not in known:
                path.unlink()
        return checkpoint

    @property
    def epochs_done(self) -> int:
        """Number of finished epochs."""
        return len(self.losses)

    @property
    def kept(self) -> list[Path]:
        """Files of weights, by epoch."""
        return self._weights(self.epochs_done)

    def restore(self, net: ClipNet, optimiser: torch.optim.Optimizer | None) -> None:
        """Set network and optimiser to their state after the last finished epoch.

        Args:
            net: the network.
            optimiser: the optimiser; ``None`` after the last epoch of training.

        Raises:
            SolutionError: the files are unreadable, or belong to another network.
        """
        load_epoch(net, self.kept[-1])
        if optimiser is None:
            return
        path = self._optimiser(self.epochs_done)
        try:
            require_file(path)
            tensors = load_file(path)
        except (OSError, SafetensorError) as error:
            raise SolutionError(
                "not the state of an optimiser", where=path, found=error, do=f"Remove {self.folder}, and start again"
            ) from None
        state: dict[int, dict[str, Any]] = {}
        for name, tensor in tensors.items():
            index, _, key = name.partition(".")
            state.setdefault(int(index), {})[key] = tensor
        optimiser.load_state_dict({**optimiser.state_dict(), "state": state})

    def save(self, net: ClipNet, optimiser: torch.optim.Optimizer, loss: float, *, last: bool) -> None:
        """Write the state after an epoch, and remove files that it replaces.

        Args:
            net: the network.
            optimiser: the optimiser.
            loss: mean loss of the epoch.
            last: True after the last epoch of training; the state of the optimiser is then removed.
        """
        epoch = self.epochs_done + 1
        frozen = _frozen(net)
        _write(self._epoch(epoch), {k: v for k, v in net.state_dict().items() if not k.startswith(frozen)})
        if not last:
            state = optimiser.state_dict()["state"]
            _write(
                self._optimiser(epoch),
                {f"{index}.{key}": value for index, tensors in state.items() for key, value in tensors.items()},
            )
        self.losses.append(loss)
        write_text(self.folder / STATE, json.dumps({"key": self.key, "losses": self.losses}, indent=2) + "\n")
        self._optimiser(epoch - 1).unlink(missing_ok=True)
        if not self.keep_all:
            self._epoch(epoch - 1).unlink(missing_ok=True)

    def _weights(self, epochs: int) -> list[Path]:
        return [self._epoch(epoch) for epoch in range(1 if self.keep_all else max(epochs, 1), epochs + 1)]

    def _epoch(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch:03}.safetensors"

    def _optimiser(self, epoch: int) -> Path:
        return self.folder / f"optimiser-{epoch:03}.safetensors"


def _write(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    with atomic_file(path) as stream:
        stream.write(save({key: value.detach().cpu().contiguous() for key, value in tensors.items()}))
