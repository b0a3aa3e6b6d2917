"""Published text networks, as data: architecture, tokens of a text, and how rows are made of the last hidden layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Family = Literal["roberta", "bert"]
Output = Literal["tokens", "mean"]


@dataclass(frozen=True)
class TextNetwork:
    """A published network and how its rows are made.

    Attributes:
        weights: name in the registry of weights.
        family: of the architecture.
        most: tokens of a text, marks included.
        output: every token's row, or their mean.
        normalised: the mean is brought to length 1.
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
        """Return the network with random weights, ready for inference.

        Raises:
            ImportError: transformers is not installed.
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
"""Text encoders by their names in recipes; abaw8's paper calls them RoBERTa, SentenceBERT, all-MiniLM and E5."""
