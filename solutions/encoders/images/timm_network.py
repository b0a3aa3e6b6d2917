"""Any network of timm as an encoder: its pooled features before the classifier."""

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
    """Pooled features of a timm network, with the preprocessing that its weights were trained with.

    Args:
        model: timm's name, with a weight tag if wanted (``convnext_tiny.fb_in1k``).
        settings: its device, and whether weights are pretrained or random, which the identity says.

    Raises:
        UnknownNameError: timm has no such model.
        UsageError: timm has it, but nobody published weights for it.
        MissingDependencyError: its weights can't be downloaded and are not in the local cache.
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
    """Asked, not declared: some networks widen their features after pooling."""
    import torch

    with torch.inference_mode():
        return int(network.eval()(torch.zeros(1, 3, *preprocessing.size)).shape[1])
