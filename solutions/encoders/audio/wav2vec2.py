"""Audio encoders wav2vec 2.0 and HuBERT, on torchaudio's networks: one architecture in two sizes.

Both are the speech recognisers whose hidden states the papers' authors use: ``facebook/wav2vec2-base-960h`` and
``facebook/hubert-large-ls960-ft``, the last layer's output (Hugging Face's ``last_hidden_state``), frozen, in float32,
for chunks of 360 s, each of which is brought to zero mean and unit variance by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from harness.datasets.audio.waveform import RESAMPLING, SAMPLE_RATE
from harness.errors import SolutionError
from harness.settings import Settings
from harness.system.device import resolve_device
from solutions.encoders.audio.convolutions import KERNELS, STEP, WINDOW
from solutions.encoders.audio.packed import PackedNetwork
from solutions.encoders.encoder import Parallel, Part
from solutions.weights.store import load_weights

if TYPE_CHECKING:
    import torch

FORMAT = 1
"""Version of the columns' meaning, increased with each change: features of another version are computed again."""

CHUNK_SECONDS = 360
"""Seconds of a chunk: the authors' code reads audio in blocks of 360 s, which limit attention."""

EPSILON = 1e-7
"""Added to the variance, as in Hugging Face's ``Wav2Vec2FeatureExtractor``."""

SECONDS_TOGETHER = 8
"""Seconds of short clips that share matrix products: 400 rows. More rows need more memory without being faster."""

_POSITION = "encoder.transformer.pos_conv_embed.conv"
_WEIGHT_NORM = {
    f"{_POSITION}.weight_g": f"{_POSITION}.parametrizations.weight.original0",
    f"{_POSITION}.weight_v": f"{_POSITION}.parametrizations.weight.original1",
}
_UNUSED = re.compile(r"(aux|lm_head)\.(weight|bias)|masked_spec_embed")  # output layer of letters; training only


@dataclass(frozen=True)
class Architecture:
    """Size of a network.

    Attributes:
        norm: ``group_norm`` after the first convolution only, or ``layer_norm`` after each.
        norm_first: True if a Transformer layer normalises before attention, False if after it.
        dim: columns of a hidden state.
        layers: number of Transformer layers.
        heads: attention heads per layer.
        feed_forward: columns of the hidden layer in a feed-forward block.
        channels: channels of the convolutions.
        position_kernel: width of the convolution of positions.
        position_groups: groups of the convolution of positions.
    """

    norm: str
    norm_first: bool
    dim: int
    layers: int
    heads: int
    feed_forward: int
    channels: int = 512
    position_kernel: int = 128
    position_groups: int = 16

    def build(self, *, convolution_bias: bool) -> torch.nn.Module:
        """Return the network with random weights, in evaluation mode."""
        from torchaudio.models import wav2vec2_model

        network: torch.nn.Module = wav2vec2_model(
            extractor_mode=self.norm,
            extractor_conv_layer_config=[(self.channels, *kernel) for kernel in KERNELS],
            extractor_conv_bias=convolution_bias,
            encoder_embed_dim=self.dim,
            encoder_projection_dropout=0.0,
            encoder_pos_conv_kernel=self.position_kernel,
            encoder_pos_conv_groups=self.position_groups,
            encoder_num_layers=self.layers,
            encoder_num_heads=self.heads,
            encoder_attention_dropout=0.0,
            encoder_ff_interm_features=self.feed_forward,
            encoder_ff_interm_dropout=0.0,
            encoder_dropout=0.0,
            encoder_layer_norm_first=self.norm_first,
            encoder_layer_drop=0.0,
            aux_num_out=None,
        )
        return network.eval()


WAV2VEC2_BASE = Architecture("group_norm", norm_first=False, dim=768, layers=12, heads=12, feed_forward=3072)
HUBERT_LARGE = Architecture("layer_norm", norm_first=True, dim=1024, layers=24, heads=16, feed_forward=4096)


ENCODERS = {"wav2vec2": ("wav2vec2-base-960h", WAV2VEC2_BASE), "hubert": ("hubert-large-ls960-ft", HUBERT_LARGE)}
"""Weights and architecture of each encoder."""


class Wav2Vec2Encoder:
    """Encoder that returns hidden states of the last layer, about 49.99 rows per second.

    Args:
        name: name of the encoder in recipes.
        architecture: size of the network.
        tensors: the weights, by torchaudio's or by Hugging Face's names.
        sha256: hash of the weights' file.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        SolutionError: the tensors belong to another architecture.
    """

    chunk_seconds = CHUNK_SECONDS
    rows_per_second = SAMPLE_RATE // STEP
    seconds_together = SECONDS_TOGETHER

    def __init__(
        self,
        name: str,
        architecture: Architecture,
        tensors: Mapping[str, torch.Tensor],
        sha256: str,
        *,
        device: str = "auto",
    ) -> None:
        """Build the network and set its weights."""
        import torch

        self.name = name
        self.parts: tuple[Part, ...] = (Part("embeddings", architecture.dim, np.dtype(np.float16)),)
        self._torch = torch
        self._device = torch.device(resolve_device(device))
        self._weights = sha256
        self._network = PackedNetwork(load(architecture, tensors, name).to(self._device))

    @property
    def device(self) -> str:
        """Kind of device that the network runs on."""
        return self._device.type

    @property
    def parallel(self) -> Parallel:
        """``batches`` on a CPU, where a clip keeps one core busy, else ``threads``."""
        return "batches" if self._device.type == "cpu" else "threads"

    def identity(self) -> dict[str, Any]:
        """Return the weights' hash, normalisation, chunks and precision."""
        return {
            "encoder": self.name,
            "format": FORMAT,
            "weights": self._weights,
            "output": "last hidden state",
            "sample_rate": SAMPLE_RATE,
            "resampling": RESAMPLING,
            "chunk_seconds": self.chunk_seconds,
            "normalisation": f"zero mean, unit variance a chunk, epsilon {EPSILON}",
            "precision": "float32",
            "device": self._device.type,
            "dtype": str(self.parts[0].dtype),
        }

    def encode(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return float32 ``((n - 400) // 320 + 1, dim)``; see :class:`~solutions.encoders.encoder.AudioEncoder`."""
        return self.encode_together([samples])[0]

    def encode_together(self, clips: Sequence[npt.NDArray[np.float32]]) -> list[npt.NDArray[np.float32]]:
        """Return the rows of several clips, equal to those of :meth:`encode`.

        Args:
            clips: float32 ``(n,)`` each.
        """
        torch = self._torch
        rows = [np.empty((0, self.parts[0].dim), np.float32) for _ in clips]
        long_enough = [index for index, samples in enumerate(clips) if len(samples) >= WINDOW]
        if not long_enough:
            return rows
        with torch.inference_mode():
            audio = [torch.from_numpy(normalised(clips[index])).to(self._device) for index in long_enough]
            for index, hidden in zip(long_enough, self._network(audio), strict=True):
                rows[index] = np.array(
                    hidden.cpu().numpy(), np.float32
                )  # copy, because clips share one block of memory
        return rows


def normalised(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return samples at zero mean and unit variance, as in the networks' training.

    Args:
        samples: float32 ``(n,)``.
    """
    mean, variance = samples.mean(dtype=np.float64), samples.var(dtype=np.float64)
    return np.asarray((samples - mean) / np.sqrt(variance + EPSILON), np.float32)


def wav2vec2_encoder(name: str, settings: Settings) -> Wav2Vec2Encoder:
    """Return an encoder of this family by its name in recipes.

    Raises:
        MissingDependencyError: the weights are missing.
        SolutionError: the imported file holds other weights.
    """
    source, architecture = ENCODERS[name]
    weights = load_weights(source, settings)
    return Wav2Vec2Encoder(name, architecture, weights.tensors, weights.sha256, device=settings.device)


def load(architecture: Architecture, tensors: Mapping[str, torch.Tensor], name: str) -> torch.nn.Module:
    """Return the network with some weights; all keys and shapes must match.

    Args:
        architecture: size of the network.
        tensors: the weights, by torchaudio's or by Hugging Face's names.
        name: name of the encoder, for messages.

    Raises:
        SolutionError: the tensors belong to another architecture.
    """
    import torch

    from solutions.networks.state import Unfilled, load_exactly

    renamed: dict[str, torch.Tensor] = {}
    for key, tensor in tensors.items():
        place = torchaudio_name(key)
        if place in renamed:
            raise SolutionError(f"the weights of {name} name one tensor twice", found=key)
        if place is not None:
            renamed[place] = tensor
    # Hugging Face's HuBERT has biases here that fairseq's and torchaudio's lack
    with Unfilled():  # HuBERT's weights take 1.3 GB: avoid a second copy
        network = architecture.build(convolution_bias="feature_extractor.conv_layers.0.conv.bias" in renamed)
    load_exactly(network, renamed, source=name, assign=True)
    position: Any = network.get_submodule(_POSITION)
    with torch.no_grad():  # otherwise each call would compute the weight from its norm and direction
        torch.nn.utils.parametrize.remove_parametrizations(position, "weight", leave_parametrized=True)
    return network


def torchaudio_name(key: str) -> str | None:
    """Return torchaudio's name of a tensor that torchaudio or Hugging Face named; ``None`` for unused tensors."""
    key = key.removeprefix("wav2vec2.").removeprefix("hubert.")
    if _UNUSED.fullmatch(key):
        return None
    if key.startswith("feature_projection."):
        key = f"encoder.{key}"
    elif key.startswith(("encoder.layers.", "encoder.layer_norm.", "encoder.pos_conv_embed.")):
        key = "encoder.transformer." + key.removeprefix("encoder.")
    return _WEIGHT_NORM.get(key, key)
