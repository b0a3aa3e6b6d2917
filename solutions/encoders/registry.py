"""Encoders by name. Each is made only when it is used: its packages are imported then, and not before."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from harness.errors import UnknownNameError, UsageError
from harness.settings import Settings
from solutions.encoders.emotiefflib import NETWORKS, emotiefflib_encoder
from solutions.encoders.encoder import Encoder

TIMM = "timm:"

DESCRIPTIONS = {
    "landmarks": "MediaPipe FaceMesh on crops, aligned (extra: mediapipe; models in the wheel, no download)",
    "tiny": "histogram of gradients of a small grey crop, no weights: for the demo",
    **{
        name: f"{row.title}: {row.embedding} embeddings and {row.outputs} logits; weights: abaw weights list"
        for name, row in NETWORKS.items()
    },
    "timm:<model>": "any timm network, pretrained (timm:resnet18); its pooled features",
}


def _landmarks(settings: Settings) -> Encoder:
    from solutions.encoders.landmarks import LandmarksEncoder

    return LandmarksEncoder()


def _tiny(settings: Settings) -> Encoder:
    from solutions.encoders.tiny import TinyEncoder

    return TinyEncoder()


_MAKERS: dict[str, Callable[[Settings], Encoder]] = {
    "landmarks": _landmarks,
    "tiny": _tiny,
    **{name: partial(emotiefflib_encoder, name) for name in NETWORKS},
}


def make_encoder(name: str, settings: Settings) -> Encoder:
    """The encoder of that name, ready to use.

    Raises:
        UnknownNameError: there is none.
        UsageError: a family of encoders without the member's name, or a network that nobody published weights for.
        MissingDependencyError: it needs a package that is not installed, or weights that can't be had.
    """
    if not is_encoder(name):
        raise UnknownNameError("encoder", name, DESCRIPTIONS)
    if name in _MAKERS:
        return _MAKERS[name](settings)
    from solutions.encoders.timm_network import timm_encoder

    return timm_encoder(name.removeprefix(TIMM), settings)


def is_encoder(name: str) -> bool:
    """Whether :func:`make_encoder` knows the name, or the family that it belongs to.

    Raises:
        UsageError: a family without the member's name.
    """
    if name == TIMM:
        raise UsageError("timm: needs a model's name after the colon, such as timm:resnet18")
    return name in _MAKERS or name.startswith(TIMM)
