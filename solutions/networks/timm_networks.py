"""Networks of timm, up to their pooled features."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.errors import MissingDependencyError

if TYPE_CHECKING:
    from torch import nn


_HUB_SECONDS = 10.0
"""Seconds within which the hub must answer. This limit spares offline machines the wait for a dozen retries."""


def hash_weights(network: nn.Module) -> str:
    """Return the hash of names and values of all parameters and buffers."""
    digest = hashlib.sha256()
    for key, value in sorted(network.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.cpu().numpy().tobytes())
    return digest.hexdigest()


def create_timm_network(model: str, *, pretrained: bool) -> nn.Module:
    """Return a timm network up to its pooled features, from normalised float32 ``(n, 3, h, w)`` to ``(n, d)``.

    Args:
        model: timm's name, with an optional weight tag.
        pretrained: True for weights of the hub, or of its local cache if the hub does not answer; False for random
            weights, seeded.

    Raises:
        MissingDependencyError: the weights are missing from the local cache, and downloading them fails.
    """
    import timm

    from solutions.networks.seeding import seeded

    try:
        with seeded(0), _asking_the_hub_once() if pretrained else contextlib.nullcontext():
            network: nn.Module = timm.create_model(model, pretrained=pretrained, num_classes=0)
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise MissingDependencyError(
            f"the weights of {model} can't be had",
            found=f"{type(error).__name__}: {reason[:160]}",
            do='On a machine with a connection run: python -c "import timm; '
            f"timm.create_model('{model}', pretrained=True)\", copy its ~/.cache/huggingface here, "
            "and set HF_HUB_OFFLINE=1; or use an encoder that needs no download: landmarks; or try the pipe with "
            "--weights random, which says nothing of the network",
        ) from None
    return network


@contextlib.contextmanager
def _asking_the_hub_once() -> Iterator[None]:
    """Restrict the hub to its local cache for a block if it does not answer one request in time."""
    from huggingface_hub import constants, get_session

    offline = constants.HF_HUB_OFFLINE
    if not offline:
        try:
            get_session().head(constants.ENDPOINT, timeout=_HUB_SECONDS)
        except Exception:  # the class depends on the hub's version, which changed its HTTP library
            constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = offline
