"""Settings of the authors for their rows of abaw10's table 4, and the evidence that a row's number came from them.

Values are those of the JSON presets in the authors' repository, kdtsypliakova/ABAW-10-Violence-Detection at a5775d7.
Entries that the authors' code ignores (``temporal_coherent_aug``, class-balanced weights, layer-wise decay of rates)
are left out here, too: presets that ask for augmentation per clip were trained with a random flip of each frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from solutions.clips.settings import ClipNetwork, ClipStream, ClipTraining, TemporalHead, Windows

CONVNEXT = "convnext_tiny.in12k_ft_in1k"  # meaning of "convnext_tiny" in the authors' timm 0.9.16
EFFICIENTNET = "efficientnet_b0.ra_in1k"
POSE = "pose:paper"
TUNED_FRAMES = "vd/convnext-t-bilstm"

LONG, SHORT = Windows(32, 16), Windows(16, 8)


@dataclass(frozen=True)
class Preset:
    """Settings of one row.

    Attributes:
        stream: the settings.
        source: name of the authors' preset, and its file.
        firm: evidence for the row's settings.
        inferred: settings that are inferred; empty if none are.
    """

    stream: ClipStream
    source: str
    firm: str
    inferred: str = ""

    @property
    def remark(self) -> str:
        """Source, evidence and inferred settings as text for a recipe's remark."""
        parts = (f"settings of the authors' {self.source}", self.firm, self.inferred)
        return "; ".join(part for part in parts if part)


def careful(stream: ClipStream, *, epoch_clips: int = 0) -> ClipStream:
    """Return a stream trained without the authors' quirks: mode ``fixed``, with the frame step of inference.

    Args:
        stream: the stream of a preset.
        epoch_clips: clips per epoch, see :class:`~solutions.clips.settings.ClipTraining`.
    """
    training = replace(
        stream.training, mode="fixed", step=stream.windows.step, positive_clips=0.0, epoch_clips=epoch_clips
    )
    return replace(stream, training=training)


IMPROVED = "improved_presets.json"
TWO_STREAM = "two_stream_presets.json"
BOOST = "skeleton_attention_boost_presets.json"

NAMED = "the preset's name holds the row's score"
RUN_FOLDER = "the authors' submissions name a run folder of this preset and about this score"
FAMILY = "no run of it is named anywhere, so which of its kind gave the row is inferred"
NO_PRESET = "the repository has no preset for this row; this takes that of the same backbone under a BiLSTM"

# learning rates are base rates: the highest is ``peak`` times the base rate, for encoders also times ``encoder_rate``
CLIP_32 = ClipTraining()
TCN_32 = replace(CLIP_32, epochs=18, learning_rate=6e-5)
FROZEN_32 = replace(TCN_32, encoders="frozen")
VIDEO_16 = ClipTraining(
    clip_length=16, step=1, batch=4, accumulate=4, epochs=20, peak=5.0, encoder_rate=0.1, augment="flip"
)
TWO_STREAMS = replace(CLIP_32, epochs=25, warm_up=0.2, boundary=0.5)

TCN = ClipNetwork(CONVNEXT, head="tcn", layers=5)
TUNED = ClipStream(ClipNetwork(CONVNEXT), CLIP_32, LONG)
FLOW = ClipNetwork(CONVNEXT, flow=EFFICIENTNET)
SKELETON = ClipNetwork(CONVNEXT, features=(POSE,), fusion="cross-attention")


def _video(backbone: str, head: TemporalHead, training: ClipTraining = VIDEO_16) -> ClipStream:
    return ClipStream(ClipNetwork(backbone, head=head), training, SHORT)


PRESETS: dict[str, Preset] = {
    "slowfast-r50": Preset(
        _video("slowfast_r50", "conv1d", replace(VIDEO_16, learning_rate=3e-5, peak=4.0, positive_weight=1.2)),
        f"slowfast_r50_v2_pretrained ({IMPROVED})",
        NO_PRESET,
        "the authors' code starts from random weights unless told otherwise, and the paper says Kinetics: this takes "
        "Kinetics",
    ),
    "r3d18-conv1d": Preset(_video("r3d_18.kinetics400", "conv1d"), f"r3d_18_v2_conservative ({IMPROVED})", NO_PRESET),
    "s3d-conv1d": Preset(_video("s3d.kinetics400", "conv1d"), f"s3d_v2_conservative ({IMPROVED})", NO_PRESET),
    "r2plus1d18-conv1d": Preset(
        _video("r2plus1d_18.kinetics400", "conv1d"), f"r2plus1d_18_v2_conservative ({IMPROVED})", NO_PRESET
    ),
    "videomae-crime": Preset(
        _video(
            "videomae-crime",
            "linear",
            replace(
                VIDEO_16,
                step=2,
                epochs=16,
                learning_rate=2e-5,
                peak=3.0,
                encoder_rate=0.05,
                warm_up=0.3,
                weight_decay=1e-4,
                positive_clips=0.08,
            ),
        ),
        f"videomae_crime_v2_conservative ({IMPROVED})",
        NO_PRESET,
        "the paper names no head for this row and one for the rows with a BiLSTM, so this takes the linear one",
    ),
    "videomae-small": Preset(
        _video(
            "videomae-small",
            "linear",
            replace(
                VIDEO_16,
                batch=2,
                accumulate=6,
                learning_rate=2e-5,
                peak=3.0,
                encoder_rate=0.12,
                weight_decay=1e-4,
                label_smoothing=0.0,
            ),
        ),
        f"videomae_small_v2_improved ({IMPROVED})",
        "the only preset of this network",
        FAMILY,
    ),
    "s3d-bilstm": Preset(
        _video("s3d.kinetics400", "bilstm"),
        f"s3d_v2_conservative ({IMPROVED})",
        "network and preset belong together",
        "it may as well have been s3d_v2_push",
    ),
    "r2plus1d-bilstm": Preset(
        _video("r2plus1d_18.kinetics400", "bilstm"),
        f"r2plus1d_18_v2_conservative ({IMPROVED})",
        "network and preset belong together",
        "it may as well have been r2plus1d_18_v2_push",
    ),
    "resnet18-conv1d": Preset(
        ClipStream(
            ClipNetwork("resnet18.tv_in1k", head="conv1d"),
            ClipTraining(
                clip_length=16,
                batch=4,
                accumulate=4,
                optimiser="sgd",
                learning_rate=0.05,
                peak=1.0,
                encoder_rate=1.0,  # one group for all, in this row alone
                warm_up=0.1,
                momentum_cycle=(0.85, 0.95),
                label_smoothing=0.05,
                positive_weight=1.0,
                positive_clips=0.0,
                augment="flip",
            ),
            SHORT,
        ),
        f"resnet18_best_reference_06626 ({IMPROVED})",
        NAMED,
    ),
    "video-swin-t": Preset(
        _video(
            "swin3d_t.kinetics400",
            "conv1d",
            replace(
                VIDEO_16,
                batch=7,
                accumulate=3,
                epochs=16,
                learning_rate=9e-5,
                peak=8.0,
                warm_up=0.2,
                positive_weight=1.1,
                positive_clips=0.08,
                augment="trivial",
            ),
        ),
        f"swin_v2_improved ({IMPROVED})",
        "the only preset of this network",
        FAMILY,
    ),
    "efficientnet-b0-bilstm": Preset(
        ClipStream(
            ClipNetwork(EFFICIENTNET),
            ClipTraining(
                clip_length=16,
                batch=4,
                accumulate=4,
                epochs=12,
                learning_rate=8e-5,
                encoder_rate=0.2,
                label_smoothing=0.0,
            ),
            SHORT,
        ),
        f"efficientnet_best_reference_07186 ({IMPROVED})",
        NAMED,
    ),
    "convnext-t-bilstm": Preset(TUNED, f"convnext_tiny_clip32 ({IMPROVED})", RUN_FOLDER),
    "convnext-t-tcn": Preset(ClipStream(TCN, TCN_32, LONG), f"convnext_tiny_tcn_clip32 ({IMPROVED})", RUN_FOLDER),
    "twostream-concat-bilstm": Preset(
        ClipStream(FLOW, TWO_STREAMS, LONG),
        f"twostream_concat_clip32 ({TWO_STREAM})",
        "one of two presets of this fusion",
        "the other one, twostream_concat_pretrained_rgb, freezes a tuned encoder of frames",
    ),
    "twostream-gated-bilstm": Preset(
        ClipStream(
            replace(FLOW, fusion="gated"), replace(TWO_STREAMS, learning_rate=4e-5, peak=5.0, encoder_rate=0.12), LONG
        ),
        f"twostream_gated_clip32 ({TWO_STREAM})",
        "one of six presets of this fusion, the one its authors call the main candidate",
        FAMILY,
    ),
    "convnext-t-skeleton-early": Preset(
        ClipStream(replace(SKELETON, fusion="early"), FROZEN_32, LONG, rgb_from=TUNED_FRAMES, rgb_base=TUNED),
        f"skeleton_convnext_tiny_clip32 ({TWO_STREAM})",
        "one of seven presets of this fusion",
        FAMILY,
    ),
    "skeleton-attn-tcn": Preset(
        ClipStream(replace(SKELETON, head="tcn", layers=5), FROZEN_32, LONG, rgb_from=TUNED_FRAMES, rgb_base=TUNED),
        f"skeleton_attention_tcn_clip32_frozen_rgb ({IMPROVED})",
        RUN_FOLDER,
        "18 epochs here, 10 in the other copy of the preset, which was changed after the paper",
    ),
    "skeleton-attn-bilstm": Preset(
        ClipStream(SKELETON, FROZEN_32, LONG, rgb_from=TUNED_FRAMES, rgb_base=TUNED),
        f"sk_attn_frozen_ref_v1 ({BOOST})",
        RUN_FOLDER,
        "it may as well have been sk_attn_frozen_bighead_v1 (width 768, 8 heads, BiLSTM of 384, 10 epochs)",
    ),
}
"""Presets by ``row_id`` of ``paper_tables.csv``."""
