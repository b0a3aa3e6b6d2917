"""Clip networks, their training and their inference, as plain data (abaw10, section 3.3; the authors' public code)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

TemporalHead = Literal["conv1d", "linear", "bilstm", "tcn"]
Fusion = Literal["concat", "gated", "early", "cross-attention", "side-by-side"]
Mode = Literal["paper", "fixed"]
Keep = Literal["last", "best"]

PICTURE_THREADS, ROW_THREADS = 4, 1
"""Threads of torch on a CPU for networks on images, and for networks on rows of features, which more threads slow down.
The last bits of a sum depend on the number of threads; it is fixed, so that a run is the same on all machines."""


@dataclass(frozen=True)
class ClipNetwork:
    """Network from clips to two scores per frame.

    Attributes:
        rgb: backbone of the frames, a name in :mod:`solutions.networks.backbones`; empty for none.
        flow: backbone of the optical-flow images; empty for none.
        flow_pictures: kind of flow images: ``flow`` as in the paper, ``flow-code`` equal to the authors' script to the
            last bit, ``flow-fixed`` with a fixed scale and lossless.
        features: encoders whose rows are inputs as they are, such as ``pose:paper``.
        fusion: fusion of several inputs: ``concat``, ``gated``, ``cross-attention`` of width ``fused``; ``early``: each
            feature passes a layer of its own width and is concatenated with the frame's rows; ``side-by-side``:
            standardised and concatenated. A single input skips fusion, except that ``side-by-side`` standardises it.
        head: temporal head.
        hidden: units of the BiLSTM per direction, channels of the TCN.
        layers: layers of the BiLSTM, dilated blocks of the TCN.
        fused: width after fusion.
        attention_heads: heads of the cross-attention.
        dropout: rate of dropout, the same everywhere.
        size: side length of every image in pixels.
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
    """Settings of a clip network's training.

    Attributes:
        mode: ``paper`` for the authors' procedure with its quirks, ``fixed`` for a procedure without these;
            :mod:`solutions.clips.training` lists all differences.
        encoders: ``tuned``: trained end to end with the rest; ``frozen``: their features are cached, and only fusion
            and head are trained.
        clip_length: frames of a clip.
        step: distance between frames of a clip.
        batch: clips per forward pass.
        accumulate: forward passes per step of the optimiser.
        epochs: passes over the videos.
        optimiser: ``adamw``, or ``sgd`` with Nesterov's momentum of 0.9.
        learning_rate: base rate; ``learning_rate * peak`` is the highest rate of the one-cycle schedule.
        peak: highest rate over the base rate.
        encoder_rate: factor of the rate for the encoders.
        warm_up: share of the steps until the highest rate.
        momentum_cycle: lowest and highest momentum of the schedule (ResNet-18's row only).
        weight_decay: decay of tensors of more than one dimension.
        label_smoothing: label smoothing of the cross-entropy.
        positive_weight: factor on the violent class's weight (1.15 in most rows).
        positive_clips: share of clips that are drawn around a violent frame.
        boundary: weight of the loss that counts frames near a change of label twice.
        augment: ``trivial``, TrivialAugmentWide; ``flip``, horizontal flips; ``none``.
        keep: ``last`` for the last epoch's weights; ``best`` for those of the epoch that is best on labels, chosen by
            cross-fitting as any other constant.
        epoch_clips: clips of an epoch in mode ``fixed``; 0 for the number that holds each annotated training frame
            once. In mode ``paper`` each video gives one clip.
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
    """Inference over a whole video: each frame's probabilities are averaged over the sliding windows that hold it.

    Attributes:
        length: frames of a window.
        stride: frames from the start of a window to the start of the next one.
        step: distance between frames of a window. Windows start at all phases of the step, so that every frame is in
            at least one.
    """

    length: int = 32
    stride: int = 16
    step: int = 1


@dataclass(frozen=True)
class ClipStream:
    """Stream of clips: a network from frames to scores, its training and its inference.

    Attributes:
        network: the network.
        training: settings of the training.
        windows: settings of the inference.
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
        """Names of the network's inputs, images first."""
        network = self.network
        images = (("frames", network.rgb), (network.flow_pictures, network.flow))
        return (*(f"{kind}:{backbone}" for kind, backbone in images if backbone), *network.features)

    @property
    def words(self) -> str:
        """Short name of fusion and head, for lists."""
        network = self.network
        several = len(self.encoders) > 1
        return f"{network.fusion}, {network.head}" if several else network.head

    @property
    def cpu_threads(self) -> int:
        """Number of threads that compute on a CPU, the same for training and prediction and on any machine."""
        tuned = self.training.encoders == "tuned" and (self.network.rgb or self.network.flow)
        return PICTURE_THREADS if tuned else ROW_THREADS

    def describe(self) -> dict[str, Any]:
        """Return the stream as plain data."""
        described = asdict(self)
        described.pop("rgb_base")  # identified by the name in rgb_from
        return {"clips": {**described, "cpu_threads": self.cpu_threads}}
