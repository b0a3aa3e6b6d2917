"""Two outputs of a classifying network side by side: what its last layer sees, and what it says."""

from __future__ import annotations

import torch
from torch import nn


class EmbeddingsAndLogits(nn.Module):
    """``(n, d + k)``: the d numbers that the classifier sees, then the k that it gives.

    Args:
        network: its classifier is taken out.
        classifier: path of the classifier, a linear layer: ``head.fc``.
    """

    def __init__(self, network: nn.Module, classifier: str) -> None:
        super().__init__()
        holder, _, last = classifier.rpartition(".")
        self.classifier = network.get_submodule(classifier)
        setattr(network.get_submodule(holder), last, nn.Identity())
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return embeddings and the classifier's logits side by side, float32 ``(n, dim + n_classes)``."""
        embeddings = self.network(images)
        return torch.cat([embeddings, self.classifier(embeddings)], 1)
