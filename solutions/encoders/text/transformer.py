"""Text encoders RoBERTa and BERT, and sentence encoders built on them, as abaw8's authors use them on transcripts.

RoBERTa tuned on GoEmotions has one row per token, including start and end marks: the last hidden layer, as in
transformers' pipeline ``feature-extraction``. The pooler of this checkpoint is untrained and left out. The sentence
encoders have one row, the mean over the tokens, as in SentenceTransformer:

* ``distilroberta-mean``: ``distilroberta-base``, to which SentenceTransformer adds a plain mean;
* ``minilm-l6-v1``: all-MiniLM-L6-v1, truncated at 128 tokens and normalised, as its configuration says;
* ``e5-base-v2``: normalised, without the prefixes "query:" and "passage:", which the authors leave out.

Texts are sorted by length and run in batches; the padding of shorter texts is masked in attention and in the mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from harness.errors import SolutionError
from harness.settings import Settings
from harness.system.device import resolve_device
from solutions.encoders.encoder import Parallel, Part
from solutions.encoders.text.networks import ENCODERS, TextNetwork
from solutions.encoders.text.tokens import Tokenizer, missing
from solutions.weights.registry import tokenizer_name
from solutions.weights.store import load_weights

if TYPE_CHECKING:
    import torch

FORMAT = 1
"""Version of the columns' meaning, increased with each change: features of another version are computed again."""

_BATCH_TOKENS = 2048  # tokens of a batch, with padding: larger batches need more memory and are no faster on a CPU
_LONGER = 1.2  # longest over shortest text in a batch, at most, except in batches of few tokens
_FEWEST_TOKENS = 256  # tokens of a batch from which on a matrix product has its full speed
_PREFIXES = ("roberta.", "bert.")
_UNUSED = ("pooler.", "classifier.", "lm_head.", "cls.", "embeddings.position_ids")


class TransformerTextEncoder:
    """Text encoder that runs a network of transformers; a :class:`~solutions.encoders.encoder.TextEncoder`.

    Args:
        name: name of the encoder in recipes.
        network: the architecture.
        tensors: the weights, by transformers' names, with or without the prefix of a larger network.
        tokenizer: content of ``tokenizer.json``.
        sha256: hashes of the files of weights and tokenizer.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        MissingDependencyError: transformers is missing.
        SolutionError: weights or tokenizer belong to another network.
    """

    batch_size = 512

    def __init__(
        self,
        name: str,
        network: TextNetwork,
        tensors: Mapping[str, torch.Tensor],
        tokenizer: bytes,
        sha256: tuple[str, str],
        *,
        device: str = "auto",
    ) -> None:
        """Build the network and set its weights."""
        import torch

        from solutions.networks.linear import use_onednn
        from solutions.networks.state import Unfilled, load_exactly

        self.name = name
        self.parts: tuple[Part, ...] = (Part("embeddings", network.dim, np.dtype(np.float32)),)
        self._torch = torch
        self._architecture = network
        self._device = torch.device(resolve_device(device))
        self._sha256 = sha256
        try:
            with Unfilled():
                built = network.build()
        except ImportError as error:
            raise missing(name, error) from None
        load_exactly(built, own_tensors(tensors), source=name, assign=True)
        use_onednn(built)
        self._network = built.to(self._device)
        self._tokenizer = Tokenizer(tokenizer, network.most, network.vocabulary, network.weights)

    @property
    def device(self) -> str:
        """Kind of device that the network runs on."""
        return self._device.type

    @property
    def parallel(self) -> Parallel:
        """``batches`` on a CPU, where a batch keeps one core busy, else ``threads``."""
        return "batches" if self._device.type == "cpu" else "threads"

    def identity(self) -> dict[str, Any]:
        """Return hashes of weights and tokenizer, the output, truncation and precision."""
        architecture = self._architecture
        output = (
            "last hidden layer, every token" if architecture.output == "tokens" else "mean of the last hidden layer"
        )
        return {
            "encoder": self.name,
            "format": FORMAT,
            "weights": self._sha256[0],
            "tokenizer": self._sha256[1],
            "output": output + (", length 1" if architecture.normalised else ""),
            "most tokens": architecture.most,
            "precision": "float32",
            "device": self._device.type,
            "dtype": str(self.parts[0].dtype),
        }

    def encode(self, texts: Sequence[str]) -> list[npt.NDArray[np.float32]]:
        """Return float32 ``(tokens, dim)`` or ``(1, dim)`` per text.

        An empty text has two tokens, the start mark and the end mark.
        """
        tokens = [tuple(numbers) for numbers in self._tokenizer(texts)]
        different = list(dict.fromkeys(tokens))  # EMI has dozens of empty texts
        rows: dict[tuple[int, ...], npt.NDArray[np.float32]] = {}
        with self._torch.inference_mode():
            for batch in batches([len(numbers) for numbers in different], _BATCH_TOKENS):
                chosen = [different[index] for index in batch]
                rows.update(zip(chosen, self._run(chosen), strict=True))
        return [rows[numbers] for numbers in tokens]

    def _run(self, tokens: Sequence[Sequence[int]]) -> Iterator[npt.NDArray[np.float32]]:
        torch, longest = self._torch, max(map(len, tokens))
        numbers = np.full((len(tokens), longest), 1, np.int64)  # the padding value has no effect, because it is masked
        mask = np.zeros((len(tokens), longest), np.int64)
        for row, text in enumerate(tokens):
            numbers[row, : len(text)] = text
            mask[row, : len(text)] = 1
        even = bool(mask.all())
        hidden = self._network(
            torch.from_numpy(numbers).to(self._device),
            attention_mask=None if even else torch.from_numpy(mask).to(self._device),
            position_ids=torch.arange(longest, device=self._device)[None] + self._first_position,
        ).last_hidden_state
        values = hidden.float().cpu().numpy()
        for text, filled in zip(tokens, values, strict=True):
            rows = np.array(filled[: len(text)], np.float32)
            yield rows if self._architecture.output == "tokens" else self._mean(rows)

    @property
    def _first_position(self) -> int:
        """First position of a text: 0, or 2 for RoBERTa, after the number of its padding token, 1."""
        return 2 if self._architecture.family == "roberta" else 0

    def _mean(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        mean = rows.mean(0, dtype=np.float64)
        if self._architecture.normalised:
            mean /= max(float(np.linalg.norm(mean)), 1e-12)
        return np.asarray(mean[None], np.float32)


def own_tensors(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors of the bare network by its names; heads and poolers are left out.

    Raises:
        SolutionError: two tensors would have the same name.
    """
    bare: dict[str, torch.Tensor] = {}
    for key, tensor in tensors.items():
        name = next((key.removeprefix(prefix) for prefix in _PREFIXES if key.startswith(prefix)), key)
        if name.startswith(_UNUSED):
            continue
        name = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
        if name in bare:
            raise SolutionError("the weights name one tensor twice", found=key)
        bare[name] = tensor
    return bare


def batches(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Yield batches of indices, the longest texts first, so that there is little padding.

    Args:
        lengths: lengths of the texts.
        most: largest size of a batch: length of its longest text times its number of texts. A text that exceeds this
            is a batch by itself.
    """
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: (-lengths[index], index)):
        longest = lengths[batch[0]] if batch else 0
        shorter = longest > _LONGER * lengths[index] and longest * len(batch) >= _FEWEST_TOKENS
        if batch and (shorter or longest * (len(batch) + 1) > most):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def transformer_text_encoder(name: str, settings: Settings) -> TransformerTextEncoder:
    """Return the text encoder with a name.

    Raises:
        MissingDependencyError: the package, the weights or the tokenizer are missing.
        SolutionError: the imported files belong to another network.
    """
    network = ENCODERS[name]
    otherwise = "use an encoder that needs no download: sentences"
    weights = load_weights(network.weights, settings, otherwise=otherwise)
    tokenizer = load_weights(tokenizer_name(network.weights), settings, otherwise=otherwise)
    (content,) = tokenizer.tensors.values()
    return TransformerTextEncoder(
        name,
        network,
        weights.tensors,
        content.numpy().tobytes(),
        (weights.sha256, tokenizer.sha256),
        device=settings.device,
    )
