"""Any network of timm as an encoder: its pooled features before the classifier."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import MissingDependencyError, UnknownNameError, UsageError, problem
from harness.settings import Settings
from solutions.encoders.encoder import Part
from solutions.encoders.forward import LateForward
from solutions.encoders.images.network import ImageNetworkEncoder
from solutions.encoders.preprocessing import Preprocessing

if TYPE_CHECKING:
    from torch import nn

_HUB_SECONDS = 10.0
"""How long the hub may take to answer at all. Without this, a machine that can't reach it waits for a dozen retries."""


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
            problem(
                f"timm has no weights for {model}, nobody published any",
                do="Take one of timm.list_models(pretrained=True): without weights its features say nothing",
            )
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


def hash_weights(network: nn.Module) -> str:
    """Hash of names and values of all parameters and buffers."""
    digest = hashlib.sha256()
    for key, value in sorted(network.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.cpu().numpy().tobytes())
    return digest.hexdigest()


def create_timm_network(model: str, *, pretrained: bool) -> nn.Module:
    """A timm network up to its pooled features, float32 ``(n, 3, h, w)``, normalised, to ``(n, d)``.

    Args:
        pretrained: weights of the hub, or of its local cache where it does not answer; else random ones, seeded.

    Raises:
        MissingDependencyError: its weights can't be downloaded and are not in the local cache.
    """
    import timm
    import torch

    try:
        with torch.random.fork_rng(devices=[]), _asking_the_hub_once() if pretrained else contextlib.nullcontext():
            torch.default_generator.manual_seed(0)
            network: nn.Module = timm.create_model(model, pretrained=pretrained, num_classes=0)
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise MissingDependencyError(
            problem(
                f"the weights of {model} can't be had",
                found=f"{type(error).__name__}: {reason[:160]}",
                do='On a machine with a connection run: python -c "import timm; '
                f"timm.create_model('{model}', pretrained=True)\", copy its ~/.cache/huggingface here, "
                "and set HF_HUB_OFFLINE=1; or use an encoder that needs no download: landmarks; or try the pipe with "
                "--weights random, which says nothing of the network",
            )
        ) from None
    return network


@contextlib.contextmanager
def _asking_the_hub_once() -> Iterator[None]:
    """Look into the hub's local cache only, if the hub itself does not answer one request in time."""
    from huggingface_hub import constants, get_session

    offline = constants.HF_HUB_OFFLINE
    if not offline:
        try:
            get_session().head(constants.ENDPOINT, timeout=_HUB_SECONDS)
        except Exception:  # which ones, depends on the hub's version: it changed its HTTP library
            constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = offline
