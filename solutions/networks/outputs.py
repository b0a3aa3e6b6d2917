"""Input and output of a classifying network's last layer, side by side."""

from __future__ import annotations

import torch
from torch import nn


class EmbeddingsAndLogits(nn.Module):
    """Network with output ``(n, d + k)``: the d inputs of the classifier, then its k outputs.

    Args:
        network: a network, whose classifier is removed.
        classifier: path of the classifier, a linear layer, such as ``head.fc``.
    """

    def __init__(self, network: nn.Module, classifier: str) -> None:
        """Move the classifier out of the network."""
        super().__init__()
        holder, _, last = classifier.rpartition(".")
        self.classifier = network.get_submodule(classifier)
        setattr(network.get_submodule(holder), last, nn.Identity())
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return embeddings and the classifier's logits side by side, float32 ``(n, dim + n_classes)``."""
        embeddings = self.network(images)
        return torch.cat([embeddings, self.classifier(embeddings)], 1)
