"""Published text networks as data: architecture, tokens of a text, and reduction of the last hidden layer to rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Family = Literal["roberta", "bert"]
Output = Literal["tokens", "mean"]


@dataclass(frozen=True)
class TextNetwork:
    """Published network, with the reduction of its last hidden layer to rows.

    Attributes:
        weights: name in the registry of weights.
        family: family of the architecture.
        layers: number of layers.
        dim: columns of a hidden state.
        heads: attention heads per layer.
        feed_forward: columns of the hidden layer in a feed-forward block.
        vocabulary: number of tokens that the network knows.
        most: largest number of tokens of a text, including start and end marks.
        output: ``tokens`` for one row per token, ``mean`` for their mean.
        normalised: True to bring the mean to length 1.
    """

    weights: str
    family: Family
    layers: int
    dim: int
    heads: int
    feed_forward: int
    vocabulary: int
    most: int = 512
    output: Output = "mean"
    normalised: bool = False

    def build(self) -> Any:
        """Return the network with random weights, in evaluation mode.

        Raises:
            ImportError: transformers is missing.
        """
        from transformers import BertConfig, BertModel, RobertaConfig, RobertaModel

        shape = {
            "vocab_size": self.vocabulary,
            "hidden_size": self.dim,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "intermediate_size": self.feed_forward,
        }
        if self.family == "roberta":
            config = RobertaConfig(**shape, max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5)
            return RobertaModel(config, add_pooling_layer=False).eval()
        config = BertConfig(**shape, max_position_embeddings=512, type_vocab_size=2, layer_norm_eps=1e-12)
        return BertModel(config, add_pooling_layer=False).eval()


def _base(
    weights: str,
    family: Family,
    layers: int,
    vocabulary: int,
    *,
    output: Output = "mean",
    normalised: bool = False,
) -> TextNetwork:
    """Return a network of the base size: 768 columns, 12 heads."""
    return TextNetwork(weights, family, layers, 768, 12, 3072, vocabulary, output=output, normalised=normalised)


ENCODERS: dict[str, TextNetwork] = {
    "roberta-go-emotions": _base("roberta-go-emotions", "roberta", 12, 50_265, output="tokens"),
    "distilroberta-mean": _base("distilroberta-base", "roberta", 6, 50_265),
    "minilm-l6-v1": TextNetwork("minilm-l6-v1", "bert", 6, 384, 12, 1536, 30_522, most=128, normalised=True),
    "e5-base-v2": _base("e5-base-v2", "bert", 12, 30_522, normalised=True),
}
"""Text encoders by name in recipes; abaw8's paper calls them RoBERTa, SentenceBERT, all-MiniLM and E5."""
