"""Clip network: encoders of images, fusion with other features, a temporal head."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from harness.errors import SolutionError
from harness.settings import Settings, Weights, load_settings
from solutions.clips.fusion import Moments, SideBySide, make_fusion
from solutions.clips.heads import make_head
from solutions.clips.settings import ClipNetwork
from solutions.networks.backbones import Backbone, backbone_row, make_backbone
from solutions.networks.seeding import seeded


class ClipNet(nn.Module):
    """Network from images and features of clips to logits of each frame.

    Args:
        settings: settings of the network.
        encoders: backbones under ``rgb`` and ``flow``; inputs whose rows come from a cache have none.
        dims: columns of each input, in order.
        n_outputs: logits per frame.

    Attributes:
        encoders: an :class:`~torch.nn.ModuleDict` of :class:`~solutions.networks.backbones.Backbone`.
        frozen: names of the encoders whose weights are fixed.
    """

    def __init__(
        self, settings: ClipNetwork, encoders: Mapping[str, Backbone], dims: Mapping[str, int], n_outputs: int
    ) -> None:
        """Create fusion and head behind the encoders."""
        super().__init__()
        self.settings = settings
        self.dims = dict(dims)
        self.frozen: frozenset[str] = frozenset()
        self.encoders = nn.ModuleDict(dict(encoders))
        self.fusion = make_fusion(settings, dims)
        self.head = make_head(settings, self.fusion.dim, n_outputs)

    def freeze(self, names: Iterable[str] = ("rgb", "flow")) -> None:
        """Fix the weights of encoders, and keep the encoders in evaluation mode even after :meth:`train`.

        The authors leave a frozen ConvNeXt in training mode, which has the same result without batch norm and dropout.
        """
        self.frozen |= {name for name in names if name in self.encoders}
        for name in self.frozen:
            self.encoders[name].requires_grad_(False).eval()

    def train(self, mode: bool = True) -> ClipNet:
        """Set the mode as torch does; frozen encoders stay in evaluation mode."""
        super().train(mode)
        for name in self.frozen:
            self.encoders[name].eval()
        return self

    def set_moments(self, moments: Moments) -> None:
        """Set the moments of the training set's rows before training, for the fusion ``side-by-side``.

        Args:
            moments: mean and deviation of every input's columns.

        Raises:
            SolutionError: the network has another fusion, or the moments belong to other inputs.
        """
        if not isinstance(self.fusion, SideBySide):
            raise SolutionError("moments", found=f"fusion {self.settings.fusion}", expected="side-by-side")
        self.fusion.set_moments(moments)

    def encode(self, name: str, images: torch.Tensor) -> torch.Tensor:
        """Return the rows of images.

        Args:
            name: ``rgb`` or ``flow``.
            images: RGB uint8 ``(b, t, size, size, 3)``.

        Returns:
            float32 ``(b, t, d)``.

        Raises:
            SolutionError: the network has no such encoder.
        """
        if name not in self.encoders:
            raise SolutionError(f"no encoder of {name}", found=", ".join(self.encoders) or "none")
        with torch.set_grad_enabled(torch.is_grad_enabled() and name not in self.frozen):
            rows: torch.Tensor = self.encoders[name](images)
        return rows

    def decide(self, rows: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the logits from the rows of every input, computed in float32 for any precision of the encoders.

        Args:
            rows: float ``(b, t, d)`` by input.

        Returns:
            float32 ``(b, t, n_outputs)``.

        Raises:
            SolutionError: an input is missing, or of another width.
        """
        widths = {name: rows[name].shape[-1] for name in self.dims if name in rows}
        if widths != self.dims:
            raise SolutionError("inputs of another network", found=widths, expected=self.dims)
        device = next(iter(rows.values())).device.type
        with torch.autocast(device, enabled=False):
            logits: torch.Tensor = self.head(self.fusion({name: rows[name].float() for name in self.dims}))
        return logits

    def forward(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the logits from every input.

        Args:
            inputs: images, RGB uint8 ``(b, t, size, size, 3)``, which are encoded first, or float rows ``(b, t, d)``.

        Returns:
            float32 ``(b, t, n_outputs)``.
        """
        images = {name for name, values in inputs.items() if values.dtype == torch.uint8}
        return self.decide({name: self.encode(name, x) if name in images else x for name, x in inputs.items()})

    def identity(self) -> dict[str, Any]:
        """Return the identity of each encoder, with the hash of its weights; plain data."""
        return {name: encoder.identity() for name, encoder in self.encoders.items() if isinstance(encoder, Backbone)}


def make_clip_net(
    network: ClipNetwork,
    *,
    n_outputs: int,
    feature_dims: Mapping[str, int],
    weights: Weights,
    seed: int,
    settings: Settings | None = None,
    encoders: bool = True,
) -> ClipNet:
    """Return the network that a recipe describes, initialised for training.

    Args:
        network: settings of the network.
        n_outputs: logits per frame.
        feature_dims: columns of each of ``network.features``.
        weights: start of the encoders. Random weights are the same for every seed, as pretrained ones are.
        seed: seed of fusion and head.
        settings: location of the weights; the environment's settings by default.
        encoders: False for a network without encoders, whose rows come from a cache.

    Raises:
        UnknownNameError: the backbone is unknown.
        MissingDependencyError: the backbone's weights are missing.
        SolutionError: all inputs are missing, or the fusion does not fit them.
    """
    named = {name: backbone for name, backbone in (("rgb", network.rgb), ("flow", network.flow)) if backbone}
    missing = [name for name in network.features if name not in feature_dims]
    if missing or not (named or network.features):
        what = f"no columns known of {', '.join(missing)}" if missing else "a clip network without any input"
        raise SolutionError(what, expected="a backbone, or features and how many columns they have")
    backbones: dict[str, Backbone] = {}
    if encoders:
        where = replace(settings or load_settings(), weights=weights)
        size, normalisation = network.size, network.normalisation
        backbones = {
            key: make_backbone(name, where, size=size, normalisation=normalisation) for key, name in named.items()
        }
    dims = {key: backbone_row(name).dim for key, name in named.items()}
    dims |= {name: feature_dims[name] for name in network.features}
    with seeded(seed):
        return ClipNet(network, backbones, dims, n_outputs)
