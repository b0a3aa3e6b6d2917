"""Backbones of clip networks as encoders of single images."""

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
    """Return a backbone of single images, tuned or published, as an encoder with one row per frame.

    Rows are cached in float32, so that windows over rows have the same results as windows over images.

    Args:
        name: name of the encoder.
        backbone: the backbone; it is copied, so that further training leaves the encoder unchanged.
        settings: backend, device, precision and workers.

    Raises:
        SolutionError: a row of this backbone depends on the whole clip.
    """
    if backbone.clipwise:
        what = f"{backbone.name} sees whole clips: it has no row for a frame by itself"
        raise SolutionError(what, do="Run it over windows, or take a backbone of single images")
    network = copy.deepcopy(backbone.network).cpu().eval().requires_grad_(False)
    forward = LateForward(network, backbone.preprocessing, settings, backbone.dim)
    parts = (Part("embeddings", backbone.dim, np.dtype(np.float32)),)
    return ImageNetworkEncoder(name, parts, backbone.preprocessing, forward, backbone.identity())
