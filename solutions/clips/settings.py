"""Clip networks, their training and their inference, as plain data (abaw10, section 3.3; the authors' public code)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

TemporalHead = Literal["conv1d", "linear", "bilstm", "tcn"]
Fusion = Literal["concat", "gated", "early", "cross-attention", "side-by-side"]
Mode = Literal["paper", "fixed"]
Keep = Literal["last", "best"]

PICTURE_THREADS, ROW_THREADS = 4, 1
"""Threads of torch on a CPU for networks on pictures, and for those on rows of features, which more threads slow down.
The last bits of a sum depend on their number: as it is fixed, a run is the same on a machine with more cores."""


@dataclass(frozen=True)
class ClipNetwork:
    """A network from clips to two scores a frame.

    Attributes:
        rgb: backbone of the frames, a name in :mod:`solutions.networks.backbones`; empty for none.
        flow: backbone of the pictures of optical flow; empty for none.
        flow_pictures: which pictures: ``flow`` as the paper's, ``flow-code`` the same to the last bit of the authors'
            script, ``flow-fixed`` of fixed scale and lossless.
        features: encoders whose rows go in as they are, such as ``pose:paper``.
        fusion: how several inputs become one: ``concat``, ``gated``, ``cross-attention`` of width ``fused``; ``early``,
            the features through a layer of their own width and put beside the frame's; ``side-by-side``, standardised
            and put side by side. With one input there is nothing to fuse.
        head: what sees time.
        hidden: units of the BiLSTM a direction, channels of the TCN.
        layers: of the BiLSTM; dilated blocks of the TCN.
        fused: width after fusion.
        attention_heads: of the cross-attention.
        dropout: everywhere.
        size: pixels of a side, of every picture.
        normalisation: colours at ``imagenet``'s mean and deviation for every backbone, as in the authors' code, or at
            the backbone's ``own``.
    """

    rgb: str = ""
    flow: str = ""
    flow_pictures: Literal["flow", "flow-code", "flow-fixed"] = "flow"
    features: tuple[str, ...] = ()
    fusion: Fusion = "concat"
    head: TemporalHead = "bilstm"
    hidden: int = 256
    layers: int = 2
    fused: int = 512
    attention_heads: int = 4
    dropout: float = 0.3
    size: int = 224
    normalisation: Literal["imagenet", "own"] = "imagenet"


@dataclass(frozen=True)
class ClipTraining:
    """How a clip network is trained.

    Attributes:
        mode: ``paper``, the authors' procedure with its quirks; ``fixed``, what a careful person would do. See
            :mod:`solutions.clips.training`, which names every difference.
        encoders: ``tuned`` end to end with the rest; ``frozen``: features are cached, only what is behind is trained.
        clip_length: frames of a clip; ``step``: one frame in so many.
        batch: clips a forward pass; ``accumulate``: passes an optimiser's step.
        epochs: passes over the videos.
        optimiser: ``adamw``, or ``sgd`` with Nesterov's momentum of 0.9.
        learning_rate, peak: their product is the highest rate of the one-cycle schedule; ``encoder_rate`` multiplies it
            for the encoders; ``warm_up`` is the share of steps until the highest rate.
        momentum_cycle: lowest and highest momentum of the schedule (ResNet-18's row only).
        weight_decay: on tensors of more than one dimension.
        label_smoothing: of the cross-entropy.
        positive_weight: factor on the violent class's weight (1.15 in most rows).
        positive_clips: share of clips that are drawn around a violent frame.
        boundary: weight of the loss that counts frames near a change of label twice.
        augment: ``trivial``, TrivialAugmentWide; ``flip``, horizontal flips; ``none``.
        keep: ``last`` epoch's weights, or the ``best`` on labels, chosen by cross-fitting as any other constant.
        epoch_clips: clips of an epoch in mode ``fixed``; 0 for as many as hold the annotated training frames once. In
            mode ``paper`` there is one a video.
    """

    mode: Mode = "paper"
    encoders: Literal["tuned", "frozen"] = "tuned"
    clip_length: int = 32
    step: int = 2
    batch: int = 2
    accumulate: int = 8
    epochs: int = 15
    optimiser: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = 5e-5
    peak: float = 6.0
    encoder_rate: float = 0.15
    warm_up: float = 0.25
    momentum_cycle: tuple[float, float] | None = None
    weight_decay: float = 5e-4
    label_smoothing: float = 0.02
    positive_weight: float = 1.15
    positive_clips: float = 0.1
    boundary: float = 0.0
    augment: Literal["trivial", "flip", "none"] = "trivial"
    keep: Keep = "best"
    epoch_clips: int = 0


@dataclass(frozen=True)
class Windows:
    """Inference over a whole video: windows slide, every frame's probabilities are averaged over those that hold it.

    Attributes:
        length: frames of a window; ``stride``: frames from one to the next.
        step: one frame in so many. All phases are done, so that no frame is left without a vote.
    """

    length: int = 32
    stride: int = 16
    step: int = 1


@dataclass(frozen=True)
class ClipStream:
    """One way from frames to scores: a clip network.

    Attributes:
        rgb_from: name of the recipe whose tuned encoder of frames this stream takes over, frozen; empty for pretrained
            weights.
        rgb_base: the stream of that recipe.
    """

    network: ClipNetwork
    training: ClipTraining = field(default_factory=ClipTraining)
    windows: Windows = field(default_factory=Windows)
    rgb_from: str = ""
    rgb_base: ClipStream | None = None

    @property
    def encoders(self) -> tuple[str, ...]:
        """Names of what its rows come from, pictures first."""
        network = self.network
        seen = (("frames", network.rgb), (network.flow_pictures, network.flow))
        return (*(f"{pictures}:{backbone}" for pictures, backbone in seen if backbone), *network.features)

    @property
    def words(self) -> str:
        """The head in a word or two, for lists."""
        network = self.network
        several = len(self.encoders) > 1
        return f"{network.fusion}, {network.head}" if several else network.head

    @property
    def cpu_threads(self) -> int:
        """Threads that compute on a CPU, for training and for prediction, on any machine."""
        tuned = self.training.encoders == "tuned" and (self.network.rgb or self.network.flow)
        return PICTURE_THREADS if tuned else ROW_THREADS

    def describe(self) -> dict[str, Any]:
        """Plain data."""
        described = asdict(self)
        described.pop("rgb_base")  # its name says which it is
        return {"clips": {**described, "cpu_threads": self.cpu_threads}}
