"""Encoders by name. Each is made only when it is used: its packages are imported then, and not before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, get_args

from harness.errors import UnknownNameError, UsageError
from harness.settings import Settings
from solutions.encoders.encoder import Encoder, Maker, PictureKind
from solutions.encoders.images.emotiefflib import NETWORKS, emotiefflib_encoder
from solutions.encoders.names import STAT
from solutions.encoders.text.networks import ENCODERS as TEXT_NETWORKS

if TYPE_CHECKING:
    from solutions.encoders.encoder import AudioEncoder, TextEncoder

TIMM = "timm:"
PRECOMPUTED = "precomputed:"
BACKBONES: dict[str, PictureKind] = {f"{kind}:": kind for kind in get_args(PictureKind)}
"""What stands before a backbone's name, by the pictures that it is shown."""

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
    "flow": "pictures of Farneback's optical flow, as abaw10's authors make them",
    "flow-code": "the same, rounded down as in their script",
    "flow-fixed": "the same of one scale for all frames, lossless",
    "flow-statistics": "how fast, where and against what the camera does anything moves; no weights",
    "frames:<backbone>": "a backbone of the violence recipes on whole frames, squashed to 224 x 224",
    "flow:<backbone>": "the same on pictures of flow; flow-fixed:<backbone> on those of one scale",
    "timm:<model>": "any timm network, pretrained (timm:resnet18); its pooled features",
    "wav2vec2": "sound: wav2vec 2.0 base, 960 h (weights: wav2vec2-base-960h)",
    "hubert": "sound: HuBERT large (weights: hubert-large-ls960-ft)",
    "log-mel": "audio: 40 mel bands every 10 ms; no weights",
    "log-mel-statistics": "audio: mean, deviation and deviation of differences of these bands, and the length; one row",
    "speech-embedding": "audio: Google's speech embedding every 80 ms (extra: speech; no download)",
    **{
        name: f"text: {row.dim} columns, {'a row per token' if row.output == 'tokens' else 'one row'} "
        f"(extra: transformers; weights: {row.weights})"
        for name, row in TEXT_NETWORKS.items()
    },
    "sentences": "text: universal sentence encoder, 16 languages, 512 columns (extra: text; no download)",
    "stat:<encoder>": "mean, standard deviation, minimum and maximum of an encoder's rows: one row per video",
    "precomputed:<name>": "features of your own: <cache>/precomputed/<name>/<video>.npy or .csv, a row a frame",
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
    from solutions.encoders.flow.encoder import CodeFlow, FixedFlow, PaperFlow

    return next(kind() for kind in (PaperFlow, CodeFlow, FixedFlow) if kind.name == name)


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
    if name.startswith(STAT):
        inner = name.removeprefix(STAT)
        return not inner.startswith(STAT) and picture_kind(inner) is None and is_encoder(inner)
    known = name in _MAKERS or name in COMPUTED or picture_kind(name) is not None
    known = known or is_audio(name) or is_text(name)
    return known or name.startswith((TIMM, PRECOMPUTED, *BACKBONES))


def allows_stride(name: str) -> bool:
    """Return True if an encoder looks at each frame by itself, so that frames may be left out between others."""
    by_frame = name in _MAKERS and name not in ("pose", "flow-statistics")
    return by_frame or name.startswith((TIMM, "frames:"))


def check_stride(stride: int, names: Iterable[str]) -> None:
    """Raise an error if frames are to be left out, and an encoder needs every one.

    Raises:
        UsageError: the encoder reads audio or words, compares frames with each other, or its rows are in files.
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
    """Return the audio encoder of that name, ready to use; its rows are reduced where the name begins with ``stat:``.

    Raises:
        UnknownNameError: there is none.
        MissingDependencyError: its weights, or a package that it needs, are not here.
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
    """Return the text encoder of that name, ready to use; its rows are reduced where the name begins with ``stat:``.

    Raises:
        UnknownNameError: there is none.
        MissingDependencyError: its weights, or a package that it needs, are not here.
    """
    if not is_text(name):
        raise UnknownNameError("encoder", name, DESCRIPTIONS)
    encoder = _TEXT[name.removeprefix(STAT)](settings)
    if not name.startswith(STAT):
        return encoder
    from solutions.encoders.pooling import ReducedTextEncoder

    return ReducedTextEncoder(encoder)
