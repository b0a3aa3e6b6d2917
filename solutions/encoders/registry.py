"""Encoders by name. Each is made only when it is used: its packages are imported then, and not before."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from harness.errors import UnknownNameError, UsageError
from harness.settings import Settings
from solutions.encoders.emotiefflib import NETWORKS, emotiefflib_encoder
from solutions.encoders.encoder import Encoder

if TYPE_CHECKING:
    from solutions.encoders.audio import AudioEncoder

TIMM = "timm:"
PRECOMPUTED = "precomputed:"

DESCRIPTIONS = {
    "landmarks": "MediaPipe FaceMesh on crops, aligned (extra: mediapipe; models in the wheel, no download)",
    "tiny": "histogram of gradients of a small grey crop, and its colours; no weights",
    **{
        name: f"{row.title}: {row.embedding} embeddings and {row.outputs} logits; weights: abaw weights list"
        for name, row in NETWORKS.items()
    },
    "timm:<model>": "any timm network, pretrained (timm:resnet18); its pooled features",
    "wav2vec2": "sound: wav2vec 2.0 base, 960 h (weights: wav2vec2-base-960h)",
    "hubert": "sound: HuBERT large (weights: hubert-large-ls960-ft)",
    "precomputed:<name>": "features of your own: <cache>/precomputed/<name>/<video>.npy or .csv, a row a frame",
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


_AUDIO = ("wav2vec2", "hubert")


def make_encoder(name: str, settings: Settings) -> Encoder:
    """The encoder of crops of that name, ready to use.

    Raises:
        UnknownNameError: there is none.
        UsageError: a family of encoders without the member's name, or a network that nobody published weights for.
        MissingDependencyError: it needs a package that is not installed, or weights that can't be had.
    """
    if name in _MAKERS:
        return _MAKERS[name](settings)
    if not is_encoder(name) or not name.startswith(TIMM):
        raise UnknownNameError("encoder", name, DESCRIPTIONS)
    from solutions.encoders.timm_network import timm_encoder

    return timm_encoder(name.removeprefix(TIMM), settings)


def is_encoder(name: str) -> bool:
    """Whether there are features by that name: of crops, of sound, or precomputed.

    Raises:
        UsageError: a family of encoders without the member's name.
    """
    if name == TIMM:
        raise UsageError("timm: needs a model's name after the colon, such as timm:resnet18")
    return name in _MAKERS or is_audio(name) or name.startswith((TIMM, PRECOMPUTED))


def is_audio(name: str) -> bool:
    """Whether :func:`make_audio_encoder` knows the name."""
    return name in _AUDIO


def make_audio_encoder(name: str, settings: Settings) -> AudioEncoder:
    """The encoder of sound of that name, ready to use.

    Raises:
        UnknownNameError: there is none.
        MissingDependencyError: its weights are not here.
    """
    if name not in _AUDIO:
        raise UnknownNameError("encoder", name, DESCRIPTIONS)
    from solutions.encoders.wav2vec2 import wav2vec2_encoder

    return wav2vec2_encoder(name, settings)
