"""What training leaves in its folder, so that it can be killed at any moment and go on as if nothing had happened.

    epoch-001.safetensors      weights after an epoch, of all that is trained
    optimiser-001.safetensors  what the optimiser has gathered; gone when training is over
    training.json              epochs done, the last file to be written: what it doesn't name doesn't count

Random numbers are drawn anew from the seed and the epoch, and learning rates follow from the step, so that nothing else
need be kept. Nothing is pickled.
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
    """Set a network to the weights that an epoch of training left.

    Args:
        net: with those encoders frozen that were; the file doesn't hold them, and they stay as they are.

    Raises:
        SolutionError: no such file, or one of another network. Nothing was set then.
    """
    try:
        require_file(path)
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise SolutionError(f"{path}: not the weights of an epoch ({error})") from None
    load_exactly(net, tensors, source=str(path), unused=_frozen(net))


def _frozen(net: ClipNet) -> tuple[str, ...]:
    """What names of parameters and buffers begin with that training leaves alone."""
    return tuple(f"encoders.{name}." for name in net.frozen)


def digest_of_weights(net: ClipNet) -> str:
    """Hash of every parameter and buffer, by name."""
    digest = hashlib.sha256()
    for key, value in net.state_dict().items():
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


@dataclass
class Checkpoint:
    """Where training has come to.

    Attributes:
        key: hash of all that decides the numbers; another one's files are never gone on with.
        keep_all: every epoch's weights, or the last one's alone.
        losses: mean loss of each epoch that is done.
    """

    folder: Path
    key: str
    keep_all: bool
    losses: list[float] = field(default_factory=list)

    @classmethod
    def open(cls, folder: Path, key: str, *, keep_all: bool) -> Checkpoint:
        """What lies in a folder, if it is of the same training; a fresh start otherwise, and the rest is removed."""
        folder.mkdir(parents=True, exist_ok=True)
        sweep_partials(folder)
        checkpoint = cls(folder, key, keep_all)
        try:
            state = load_json(folder / STATE)
            if state["key"] == key and all(path.is_file() for path in checkpoint._kept(len(state["losses"]))):
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
        """So many."""
        return len(self.losses)

    @property
    def kept(self) -> list[Path]:
        """Files of weights, by epoch."""
        return self._kept(self.epochs_done)

    def restore(self, net: ClipNet, optimiser: torch.optim.Optimizer | None) -> None:
        """Set network and optimiser to where they were after the last epoch that is done.

        Args:
            optimiser: ``None`` if no epoch is to come.

        Raises:
            SolutionError: the files can't be read, or are another network's.
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
                "not the state of an optimiser", where=path, found=error, do=f"Remove {self.folder}, and start anew"
            ) from None
        state: dict[int, dict[str, Any]] = {}
        for name, tensor in tensors.items():
            index, _, key = name.partition(".")
            state.setdefault(int(index), {})[key] = tensor
        optimiser.load_state_dict({**optimiser.state_dict(), "state": state})

    def save(self, net: ClipNet, optimiser: torch.optim.Optimizer, loss: float, *, last: bool) -> None:
        """An epoch is done.

        Args:
            loss: its mean.
            last: no more will come, and the optimiser's state goes.
        """
        epoch = self.epochs_done + 1
        frozen = _frozen(net)
        _write(self._epoch(epoch), {k: v for k, v in net.state_dict().items() if not k.startswith(frozen)})
        if not last:
            state = optimiser.state_dict()["state"]
            _write(
                self._optimiser(epoch),
                {f"{index}.{key}": value for index, own in state.items() for key, value in own.items()},
            )
        self.losses.append(loss)
        write_text(self.folder / STATE, json.dumps({"key": self.key, "losses": self.losses}, indent=2) + "\n")
        self._optimiser(epoch - 1).unlink(missing_ok=True)
        if not self.keep_all:
            self._epoch(epoch - 1).unlink(missing_ok=True)

    def _kept(self, epochs: int) -> list[Path]:
        return [self._epoch(epoch) for epoch in range(1 if self.keep_all else max(epochs, 1), epochs + 1)]

    def _epoch(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch:03}.safetensors"

    def _optimiser(self, epoch: int) -> Path:
        return self.folder / f"optimiser-{epoch:03}.safetensors"


def _write(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    with atomic_file(path) as stream:
        stream.write(save({key: value.detach().cpu().contiguous() for key, value in tensors.items()}))
