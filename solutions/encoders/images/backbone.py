"""Backbones of clips as encoders of single images."""

from __future__ import annotations

import copy

import numpy as np

from harness.errors import SolutionError
from harness.settings import Settings
from solutions.encoders.encoder import Part
from solutions.encoders.forward import LateForward
from solutions.encoders.images.network import ImageNetworkEncoder
from solutions.networks.backbones import Backbone


def image_encoder(name: str, backbone: Backbone, settings: Settings) -> ImageNetworkEncoder:
    """A backbone of single pictures, tuned or not, as an encoder that caches a row a frame.

    Rows are cached in float32: windows over them give what windows over pictures give.

    Args:
        name: the encoder's.
        backbone: is copied; training it further changes nothing here.

    Raises:
        SolutionError: a row of this backbone depends on the whole clip.
    """
    if backbone.clipwise:
        what = f"{backbone.name} sees whole clips: it has no row for a frame by itself"
        raise SolutionError(what, do="Run it over windows, or take a backbone of single pictures")
    network = copy.deepcopy(backbone.network).cpu().eval().requires_grad_(False)
    forward = LateForward(network, backbone.preprocessing, settings, backbone.dim)
    parts = (Part("embeddings", backbone.dim, np.dtype(np.float32)),)
    return ImageNetworkEncoder(name, parts, backbone.preprocessing, forward, backbone.identity())
