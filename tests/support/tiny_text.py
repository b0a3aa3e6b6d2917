"""Small text networks with random weights, and tokenizers to go with them: the shapes of those on the hub."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from solutions.encoders.text.networks import ENCODERS, TextNetwork

CORPUS = [
    "I want to change, but I am not sure that I can.",
    "Yes. No! Perhaps? I would like to stop smoking next month.",
    "Je ne sais pas si je veux changer mes habitudes.",
    "the quick brown fox jumps over the lazy dog and runs away from everything",
]


@functools.cache  # training breaks ties by chance
def tokenizer(family: str, vocabulary: int = 300) -> bytes:
    """Return ``tokenizer.json`` as RoBERTa (bytes) or BERT (word pieces) has it; it asks for padding, as some do."""
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers, processors, trainers

    if family == "roberta":
        own = tokenizers.Tokenizer(models.BPE())
        own.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        own.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        own.train_from_iterator(CORPUS, trainer)
        own.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    else:
        own = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106
        own.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
        trainer = trainers.WordPieceTrainer(vocab_size=vocabulary, special_tokens=special, show_progress=False)
        own.train_from_iterator(CORPUS, trainer)
        own.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    own.enable_padding(length=128)
    own.enable_truncation(128)
    return own.to_str().encode()


def unpadded(content: bytes) -> Any:
    """Return the tokenizer of a file without the padding and the truncation that the file asks for."""
    import tokenizers

    own = tokenizers.Tokenizer.from_str(content.decode())
    own.no_padding()
    own.no_truncation()
    return own


def small(name: str, **changes: object) -> TextNetwork:
    """Return a published network's description with a small width and two layers."""
    return replace(ENCODERS[name], layers=2, dim=16, heads=2, feed_forward=32, vocabulary=300, **changes)  # type: ignore[arg-type]


def weights(network: TextNetwork, prefix: str = "", seed: int = 0) -> dict[str, torch.Tensor]:
    """Return random weights, strong enough that a row depends on all others."""
    rng = np.random.default_rng(seed)

    def drawn(key: str, shape: tuple[int, ...]) -> np.ndarray:
        if key.endswith("LayerNorm.weight"):
            return rng.uniform(0.5, 1.5, shape)
        return rng.normal(0, 0.05 if key.endswith("bias") else 0.4, shape)

    state = network.build().state_dict()
    return {
        prefix + key: torch.from_numpy(drawn(key, tuple(value.shape)).astype(np.float32))
        for key, value in state.items()
    }
