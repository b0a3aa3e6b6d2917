"""Encoders by name. Each is made only when it is used: its packages are imported then, and not before."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, get_args

from harness.errors import UnknownNameError, UsageError
from harness.settings import Settings
from solutions.encoders.encoder import Encoder, Maker, PictureKind
from solutions.encoders.images.emotiefflib import NETWORKS, emotiefflib_encoder

if TYPE_CHECKING:
    from solutions.encoders.encoder import AudioEncoder

TIMM = "timm:"
PRECOMPUTED = "precomputed:"
BACKBONES: dict[str, PictureKind] = {f"{kind}:": kind for kind in get_args(PictureKind)}
"""What stands before a backbone's name, by the pictures that it is shown."""

DESCRIPTIONS = {
    "landmarks": "MediaPipe FaceMesh on crops, aligned (extra: mediapipe; models in the wheel, no download)",
    "tiny": "histogram of gradients of a small grey crop, and its colours; no weights",
    **{
        name: f"{row.title}: {row.embedding} embeddings and {row.outputs} logits; weights: abaw weights list"
        for name, row in NETWORKS.items()
    },
    "pose": "MediaPipe's landmarks of two people, as they come (extra: mediapipe; models in the wheel, no download)",
    "pose:paper": "406 columns made of them, as abaw10's authors do",
    "pose:clean": "people who keep their places, in units of their own size",
    "flow": "pictures of Farneback's optical flow, as abaw10's authors make them",
    "flow-fixed": "the same of one scale for all frames, lossless",
    "flow-statistics": "how fast, where and against what the camera does anything moves; no weights",
    "frames:<backbone>": "a backbone of the violence recipes on whole frames, squashed to 224 x 224",
    "flow:<backbone>": "the same on pictures of flow; flow-fixed:<backbone> on those of one scale",
    "timm:<model>": "any timm network, pretrained (timm:resnet18); its pooled features",
    "wav2vec2": "sound: wav2vec 2.0 base, 960 h (weights: wav2vec2-base-960h)",
    "hubert": "sound: HuBERT large (weights: hubert-large-ls960-ft)",
    "precomputed:<name>": "features of your own: <cache>/precomputed/<name>/<video>.npy or .csv, a row a frame",
}


def _landmarks(settings: Settings) -> Encoder:
    from solutions.encoders.images.landmarks import LandmarksEncoder

    return LandmarksEncoder()


def _tiny(settings: Settings) -> Encoder:
    from solutions.encoders.images.tiny import TinyEncoder

    return TinyEncoder()


def _pose(settings: Settings) -> Encoder:
    from solutions.encoders.pose.encoder import PoseEncoder

    return PoseEncoder()


def _flow_statistics(settings: Settings) -> Encoder:
    from solutions.encoders.flow.statistics import FlowStatisticsEncoder

    return FlowStatisticsEncoder()


_MAKERS: dict[str, Callable[[Settings], Encoder]] = {
    "landmarks": _landmarks,
    "tiny": _tiny,
    "pose": _pose,
    "flow-statistics": _flow_statistics,
    **{name: partial(emotiefflib_encoder, name) for name in NETWORKS},
}


_AUDIO = ("wav2vec2", "hubert")

COMPUTED = {"pose:paper": "pose", "pose:clean": "pose"}
"""Features that are computed from another encoder's whenever they are read, by whose."""


def make_encoder(name: str, settings: Settings) -> Encoder:
    """The encoder of pictures of that name, ready to use.

    Raises:
        UnknownNameError: there is none.
        UsageError: a family of encoders without the member's name, or a network that nobody published weights for.
        MissingDependencyError: it needs a package that is not installed, or weights that can't be had.
    """
    if name in _MAKERS:
        return _MAKERS[name](settings)
    family, colon, member = name.partition(":")
    if is_encoder(name) and family + colon in BACKBONES:
        from solutions.encoders.images.backbone import image_encoder
        from solutions.networks.backbones import make_backbone

        encoder = image_encoder(name, make_backbone(member, settings), settings)
        encoder.sees = BACKBONES[family + colon]
        return encoder
    if name in COMPUTED:
        raise UsageError(f"{name} is computed from {COMPUTED[name]} when it is read: no encoder makes it")
    if not is_encoder(name) or not name.startswith(TIMM):
        raise UnknownNameError("encoder", name, DESCRIPTIONS)
    from solutions.encoders.images.timm_network import timm_encoder

    return timm_encoder(member, settings)


def make_maker(name: str, settings: Settings) -> Maker:
    """Whatever makes features, or pictures, of that name; raises as :func:`make_encoder`."""
    if picture_kind(name) is None:
        return make_encoder(name, settings)
    from solutions.encoders.flow.encoder import FixedFlow, PaperFlow

    return PaperFlow() if name == PaperFlow.name else FixedFlow()


def picture_kind(name: str) -> PictureKind | None:
    """The kind of pictures made from frames that it names, if it names one, and no features."""
    return next((kind for kind in get_args(PictureKind) if kind == name != "frames"), None)


def is_encoder(name: str) -> bool:
    """Whether there are features by that name: of pictures, of sound, or precomputed; or pictures.

    Raises:
        UsageError: a family of encoders without the member's name.
    """
    examples = {TIMM: "resnet18", **dict.fromkeys(BACKBONES, "resnet18.tv_in1k")}
    if name in examples:
        raise UsageError(f"{name} needs a model's name after the colon, such as {name}{examples[name]}")
    known = name in _MAKERS or name in COMPUTED or is_audio(name) or picture_kind(name) is not None
    return known or name.startswith((TIMM, PRECOMPUTED, *BACKBONES))


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
    from solutions.encoders.audio.wav2vec2 import wav2vec2_encoder

    return wav2vec2_encoder(name, settings)
