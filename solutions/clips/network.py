"""The clip net: encoders of pictures, fusion with other features, a head that sees time."""

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
    """From pictures and features of clips to logits a frame.

    Args:
        encoders: by ``rgb`` and ``flow``; none for an input whose rows come from a cache.
        dims: columns of each input, in order.

    Attributes:
        encoders: an :class:`~torch.nn.ModuleDict` of :class:`~solutions.networks.backbones.Backbone`.
        frozen: names of the encoders that learn nothing.
    """

    def __init__(
        self, settings: ClipNetwork, encoders: Mapping[str, Backbone], dims: Mapping[str, int], n_outputs: int
    ) -> None:
        super().__init__()
        self.settings = settings
        self.dims = dict(dims)
        self.frozen: frozenset[str] = frozenset()
        self.encoders = nn.ModuleDict(dict(encoders))
        self.fusion = make_fusion(settings, dims)
        self.head = make_head(settings, self.fusion.dim, n_outputs)

    def freeze(self, names: Iterable[str] = ("rgb", "flow")) -> None:
        """Encoders learn nothing from now on, and stay in evaluation whatever :meth:`train` is told.

        The authors leave a frozen ConvNeXt in training; it has neither batch norm nor dropout, so that it is the same.
        """
        self.frozen |= {name for name in names if name in self.encoders}
        for name in self.frozen:
            self.encoders[name].requires_grad_(False).eval()

    def train(self, mode: bool = True) -> ClipNet:
        """As torch's, but for frozen encoders."""
        super().train(mode)
        for name in self.frozen:
            self.encoders[name].eval()
        return self

    def set_moments(self, moments: Moments) -> None:
        """Moments of the training set's rows, before training; for ``side-by-side`` only, which has to know them.

        Args:
            moments: of every input.

        Raises:
            SolutionError: the fusion has no use for them, or they are not those of its inputs.
        """
        if not isinstance(self.fusion, SideBySide):
            raise SolutionError("moments", found=f"fusion {self.settings.fusion}", expected="side-by-side")
        self.fusion.set_moments(moments)

    def encode(self, name: str, pictures: torch.Tensor) -> torch.Tensor:
        """Rows of pictures.

        Args:
            name: ``rgb`` or ``flow``.
            pictures: RGB uint8 ``(b, t, size, size, 3)``.

        Returns:
            float32 ``(b, t, d)``.

        Raises:
            SolutionError: the network has no such encoder.
        """
        if name not in self.encoders:
            raise SolutionError(f"no encoder of {name}", found=", ".join(self.encoders) or "none")
        with torch.set_grad_enabled(torch.is_grad_enabled() and name not in self.frozen):
            rows: torch.Tensor = self.encoders[name](pictures)
        return rows

    def decide(self, rows: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Logits from every input's rows. In float32 whatever the encoders run in: it costs next to nothing.

        Args:
            rows: float ``(b, t, d)`` by input.

        Returns:
            float32 ``(b, t, n_outputs)``.

        Raises:
            SolutionError: an input is missing, or of another width.
        """
        found = {name: rows[name].shape[-1] for name in self.dims if name in rows}
        if found != self.dims:
            raise SolutionError("inputs of another network", found=found, expected=self.dims)
        device = next(iter(rows.values())).device.type
        with torch.autocast(device, enabled=False):
            logits: torch.Tensor = self.head(self.fusion({name: rows[name].float() for name in self.dims}))
        return logits

    def forward(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Logits from every input.

        Args:
            inputs: RGB uint8 ``(b, t, size, size, 3)``, which are encoded first, or float rows ``(b, t, d)``.

        Returns:
            float32 ``(b, t, n_outputs)``.
        """
        pictures = {name for name, given in inputs.items() if given.dtype == torch.uint8}
        return self.decide({name: self.encode(name, x) if name in pictures else x for name, x in inputs.items()})

    def identity(self) -> dict[str, Any]:
        """Of each encoder what says which it is, its weights' hash included; plain data."""
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
    """The network that a recipe describes.

    Args:
        feature_dims: columns of each of ``network.features``.
        weights: what the encoders start from. Random ones are the same for every seed, as pretrained ones are.
        seed: of what is behind the encoders.
        settings: where weights lie; those of the environment by default.
        encoders: ``False`` for a network without them, whose rows come from a cache.

    Raises:
        UnknownNameError: there is no such backbone.
        MissingDependencyError: its weights are not here.
        SolutionError: nothing goes in, or what goes in can't be fused so.
    """
    named = {name: backbone for name, backbone in (("rgb", network.rgb), ("flow", network.flow)) if backbone}
    missing = [name for name in network.features if name not in feature_dims]
    if missing or not (named or network.features):
        what = f"no columns known of {', '.join(missing)}" if missing else "a clip network without any input"
        raise SolutionError(what, expected="a backbone, or features and how many columns they have")
    made: dict[str, Backbone] = {}
    if encoders:
        where = replace(settings or load_settings(), weights=weights)
        size, normalisation = network.size, network.normalisation
        made = {key: make_backbone(name, where, size=size, normalisation=normalisation) for key, name in named.items()}
    dims = {key: backbone_row(name).dim for key, name in named.items()}
    dims |= {name: feature_dims[name] for name in network.features}
    with seeded(seed):
        return ClipNet(network, made, dims, n_outputs)
