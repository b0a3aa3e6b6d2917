"""Encoders ``timm:…``: pooled features of any timm network, before its classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.errors import UnknownNameError, UsageError
from harness.settings import Settings
from solutions.encoders.encoder import Part
from solutions.encoders.forward import LateForward
from solutions.encoders.images.network import ImageNetworkEncoder
from solutions.networks.preprocessing import Preprocessing
from solutions.networks.timm_networks import create_timm_network, hash_weights

if TYPE_CHECKING:
    from torch import nn


def timm_encoder(model: str, settings: Settings) -> ImageNetworkEncoder:
    """Return an encoder of pooled features of a timm network, with the preprocessing of its training.

    Args:
        model: timm's name, with an optional weight tag (``convnext_tiny.fb_in1k``).
        settings: backend, device, precision, and pretrained or random weights, which the identity records.

    Raises:
        UnknownNameError: timm lacks the model.
        UsageError: timm has the model, but no published weights of it.
        MissingDependencyError: the weights are missing from the local cache, and downloading them fails.
    """
    import timm

    base, _, tag = model.partition(".")
    if base not in timm.list_models() or (tag and model not in timm.list_models(pretrained=True)):
        raise UnknownNameError(
            "timm model", model, timm.list_models(pretrained=bool(tag)), hint="See timm.list_models()."
        )
    pretrained = settings.weights == "pretrained"
    if pretrained and not timm.is_model_pretrained(model):
        raise UsageError(
            f"timm has no weights for {model}, nobody published any",
            do="Take one of timm.list_models(pretrained=True): without weights its features say nothing",
        )
    network = create_timm_network(model, pretrained=pretrained)
    preprocessing = Preprocessing.from_timm(timm.data.resolve_model_data_config(network))
    weights = {"weights": hash_weights(network), "pretrained": pretrained}
    dim = _columns(network, preprocessing)
    forward = LateForward(network, preprocessing, settings, dim)
    parts = (Part("embeddings", dim, np.dtype(np.float16)),)
    return ImageNetworkEncoder(f"timm:{model}", parts, preprocessing, forward, weights)


def _columns(network: nn.Module, preprocessing: Preprocessing) -> int:
    """Return the number of columns, measured by a call: some networks widen their features after pooling."""
    import torch

    with torch.inference_mode():
        return int(network.eval()(torch.zeros(1, 3, *preprocessing.size)).shape[1])
