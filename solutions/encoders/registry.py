"""Registry of encoders by name. An encoder is created, and its packages are imported, at its first use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, get_args

from harness.errors import UnknownNameError, UsageError
from harness.settings import Settings
from harness.system.counts import counted
from solutions.encoders.encoder import Encoder, Maker, PictureKind
from solutions.encoders.images.emotiefflib import NETWORKS, emotiefflib_encoder
from solutions.encoders.names import STAT
from solutions.encoders.text.networks import ENCODERS as TEXT_NETWORKS

if TYPE_CHECKING:
    from solutions.encoders.encoder import AudioEncoder, TextEncoder

TIMM = "timm:"
PRECOMPUTED = "precomputed:"
BACKBONES: dict[str, PictureKind] = {f"{kind}:": kind for kind in get_args(PictureKind)}
"""Kind of images that a backbone takes, by prefix of the encoder's name."""

DESCRIPTIONS = {
    "landmarks": "MediaPipe FaceMesh on crops, aligned (extra: mediapipe; models in the wheel, no download)",
    "tiny": "histogram of gradients of a small grey crop, and its colours; no weights",
    "expression": "two small expression networks, 512 embeddings and 8 logits; weights: abaw weights fetch expression",
    **{
        name: f"{row.title}: {row.embedding} embeddings and {row.outputs} logits; weights: abaw weights list"
        for name, row in NETWORKS.items()
    },
    "pose": "MediaPipe's landmarks of two people, as they come (extra: mediapipe; models in the wheel, no download)",
    "pose:paper": "406 columns made of them, as abaw10's authors do",
    "pose:clean": "people who keep their places, in units of their own size",
    "flow": "images of Farneback's optical flow, as abaw10's authors make them",
    "flow-code": "the same, rounded down as in their script",
    "flow-fixed": "the same of one scale for all frames, lossless",
    "flow-statistics": "how fast, where and against what the camera does anything moves; no weights",
    "frames:<backbone>": "a backbone of the violence recipes on whole frames, squashed to 224 x 224",
    "flow:<backbone>": "the same on images of flow; flow-fixed:<backbone> on those of one scale",
    "timm:<model>": "any timm network, pretrained (timm:resnet18); its pooled features",
    "wav2vec2": "audio: wav2vec 2.0 base, 960 h (weights: wav2vec2-base-960h)",
    "hubert": "audio: HuBERT large (weights: hubert-large-ls960-ft)",
    "log-mel": "audio: 40 mel bands every 10 ms; no weights",
    "log-mel-statistics": "audio: mean, deviation and deviation of differences of these bands, and the length; one row",
    "speech-embedding": "audio: Google's speech embedding every 80 ms (extra: speech; no download)",
    **{
        name: f"text: {counted(row.dim, 'column')}, {'a row per token' if row.output == 'tokens' else 'one row'} "
        f"(extra: transformers; weights: {row.weights})"
        for name, row in TEXT_NETWORKS.items()
    },
    "sentences": "text: universal sentence encoder, 16 languages, 512 columns (extra: text; no download)",
    "stat:<encoder>": "mean, standard deviation, minimum and maximum of an encoder's rows: one row per video",
    "precomputed:<name>": "features of your own: <cache>/precomputed/<name>/<video>.npy or .csv, one row per frame",
}


def _landmarks(settings: Settings) -> Encoder:
    from solutions.encoders.images.landmarks import LandmarksEncoder

    return LandmarksEncoder()


def _tiny(settings: Settings) -> Encoder:
    from solutions.encoders.images.tiny import TinyEncoder

    return TinyEncoder()


def _expression(settings: Settings) -> Encoder:
    from solutions.encoders.images.expression import expression_encoder

    return expression_encoder(settings)


def _pose(settings: Settings) -> Encoder:
    from solutions.encoders.pose.encoder import PoseEncoder

    return PoseEncoder()


def _flow_statistics(settings: Settings) -> Encoder:
    from solutions.encoders.flow.statistics import FlowStatisticsEncoder

    return FlowStatisticsEncoder()


_MAKERS: dict[str, Callable[[Settings], Encoder]] = {
    "landmarks": _landmarks,
    "tiny": _tiny,
    "expression": _expression,
    "pose": _pose,
    "flow-statistics": _flow_statistics,
    **{name: partial(emotiefflib_encoder, name) for name in NETWORKS},
}


def _wav2vec2(name: str, settings: Settings) -> AudioEncoder:
    from solutions.encoders.audio.wav2vec2 import wav2vec2_encoder

    return wav2vec2_encoder(name, settings)


def _log_mel(settings: Settings) -> AudioEncoder:
    from solutions.encoders.audio.log_mel import LogMelEncoder

    return LogMelEncoder()


def _log_mel_statistics(settings: Settings) -> AudioEncoder:
    from solutions.encoders.audio.log_mel import LogMelStatisticsEncoder

    return LogMelStatisticsEncoder()


def _speech_embedding(settings: Settings) -> AudioEncoder:
    from solutions.encoders.audio.speech_embedding import speech_embedding_encoder

    return speech_embedding_encoder(settings)


_AUDIO: dict[str, Callable[[Settings], AudioEncoder]] = {
    **{name: partial(_wav2vec2, name) for name in ("wav2vec2", "hubert")},
    "log-mel": _log_mel,
    "log-mel-statistics": _log_mel_statistics,
    "speech-embedding": _speech_embedding,
}


def _sentences(settings: Settings) -> TextEncoder:
    from solutions.encoders.text.sentences import sentence_encoder

    return sentence_encoder(settings)


def _transformer(name: str, settings: Settings) -> TextEncoder:
    from solutions.encoders.text.transformer import transformer_text_encoder

    return transformer_text_encoder(name, settings)


_TEXT: dict[str, Callable[[Settings], TextEncoder]] = {
    "sentences": _sentences,
    **{name: partial(_transformer, name) for name in TEXT_NETWORKS},
}

COMPUTED = {"pose:paper": "pose", "pose:clean": "pose"}
"""Name of the encoder whose features these are computed from, on each read."""


def make_encoder(name: str, settings: Settings) -> Encoder:
    """Return the encoder of images with a name, ready to use.

    Raises:
        UnknownNameError: the name is unknown.
        UsageError: the name lacks a member of its family, or stands for a network whose weights are unpublished.
        MissingDependencyError: a package or weights are missing.
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
    """Return the maker of features or derived images with a name; errors are those of :func:`make_encoder`."""
    if picture_kind(name) is None:
        return make_encoder(name, settings)
    from solutions.encoders.flow.encoder import CodeFlow, FixedFlow, PaperFlow

    return next(kind() for kind in (PaperFlow, CodeFlow, FixedFlow) if kind.name == name)


def picture_kind(name: str) -> PictureKind | None:
    """Return the kind of derived images that a name stands for, ``None`` for features."""
    return next((kind for kind in get_args(PictureKind) if kind == name != "frames"), None)


def is_encoder(name: str) -> bool:
    """Return True if a name stands for features (of images, audio or text, or precomputed) or for derived images.

    Raises:
        UsageError: the name is a family of encoders without a member.
    """
    examples = {TIMM: "resnet18", **dict.fromkeys(BACKBONES, "resnet18.tv_in1k")}
    if name in examples:
        raise UsageError(f"{name} needs a model's name after the colon, such as {name}{examples[name]}")
    if name.startswith(STAT):
        inner = name.removeprefix(STAT)
        return not inner.startswith(STAT) and picture_kind(inner) is None and is_encoder(inner)
    known = name in _MAKERS or name in COMPUTED or picture_kind(name) is not None
    known = known or is_audio(name) or is_text(name)
    return known or name.startswith((TIMM, PRECOMPUTED, *BACKBONES))


def allows_stride(name: str) -> bool:
    """Return True if an encoder treats each frame by itself, so that frames between others may be left out."""
    by_frame = name in _MAKERS and name not in ("pose", "flow-statistics")
    return by_frame or name.startswith((TIMM, "frames:"))


def check_stride(stride: int, names: Iterable[str]) -> None:
    """Raise an error if a stride leaves out frames that an encoder needs.

    Raises:
        UsageError: an encoder reads audio or text, compares frames with each other, or has its rows in files.
    """
    bad = [name for name in names if not allows_stride(name)] if stride > 1 else []
    if bad:
        what = "frames can be left out only for an encoder of images that looks at each by itself"
        with_it, do = f"--stride {stride} with {bad[0]}", "Run it without --stride"
        raise UsageError(what, found=with_it, expected="landmarks, tiny, expression or such a network", do=do)


def is_audio(name: str) -> bool:
    """Return True if :func:`make_audio_encoder` knows the name."""
    return name.removeprefix(STAT) in _AUDIO


def make_audio_encoder(name: str, settings: Settings) -> AudioEncoder:
    """Return the audio encoder with a name, ready to use; its rows are reduced if the name begins with ``stat:``.

    Raises:
        UnknownNameError: the name is unknown.
        UsageError: the encoder has one row per recording, so that there is nothing to reduce.
        MissingDependencyError: a package or weights are missing.
    """
    if not is_audio(name):
        raise UnknownNameError("encoder", name, DESCRIPTIONS)
    encoder = _AUDIO[name.removeprefix(STAT)](settings)
    if not name.startswith(STAT):
        return encoder
    from solutions.encoders.pooling import ReducedAudioEncoder

    if encoder.rows_per_second == 0:
        raise UsageError(f"{encoder.name} has one row per recording: there is nothing to reduce")
    return ReducedAudioEncoder(encoder)


def is_text(name: str) -> bool:
    """Return True if :func:`make_text_encoder` knows the name."""
    return name.removeprefix(STAT) in _TEXT


def make_text_encoder(name: str, settings: Settings) -> TextEncoder:
    """Return the text encoder with a name, ready to use; its rows are reduced if the name begins with ``stat:``.

    Raises:
        UnknownNameError: the name is unknown.
        MissingDependencyError: a package or weights are missing.
    """
    if not is_text(name):
        raise UnknownNameError("encoder", name, DESCRIPTIONS)
    encoder = _TEXT[name.removeprefix(STAT)](settings)
    if not name.startswith(STAT):
        return encoder
    from solutions.encoders.pooling import ReducedTextEncoder

    return ReducedTextEncoder(encoder)
