"""Pretrained face networks of the papers, by the names of their checkpoints.

Embeddings are the input of the classifier, logits its output: AffectNet's eight classes
(:data:`solutions.encoders.affectnet.CLASSES`), then valence and arousal in the networks named ``_mtl``.
Architectures, sizes and normalisation are those of EmotiEffLib, and for DDAMFN those of its authors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.settings import Settings
from solutions.encoders.affectnet import CLASSES
from solutions.encoders.encoder import Part, total_dim
from solutions.encoders.forward import LateForward
from solutions.encoders.images.network import ImageNetworkEncoder
from solutions.networks.preprocessing import Preprocessing

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class FaceNetwork:
    """Pretrained network.

    Attributes:
        title: name in the papers.
        architecture: a network of this project (``ddamfn``, ``mobilefacenet``), or timm's name.
        classifier: path of the last layer in our network.
        embedding: input columns of the last layer.
        outputs: output columns of the last layer.
        preprocessing: preparation and normalisation of crops.
        renamed: pairs of prefixes of tensor names: in the checkpoint, and in our network.
        unused: prefixes of unused tensors in the checkpoint, which may be missing.
        order: classes of the checkpoint's outputs, by AffectNet's names; rows of the last layer are brought into the
            order of :data:`~solutions.encoders.affectnet.CLASSES`. Empty if they have that order.
    """

    title: str
    architecture: str
    classifier: str
    embedding: int
    outputs: int
    preprocessing: Preprocessing
    renamed: tuple[tuple[str, str], ...] = ()
    unused: tuple[str, ...] = ()
    order: tuple[str, ...] = ()


def _efficientnet(title: str, variant: str, embedding: int, outputs: int, size: int) -> FaceNetwork:
    return FaceNetwork(
        title,
        f"tf_efficientnet_{variant}",
        "classifier",
        embedding,
        outputs,
        Preprocessing((size, size)),
        # some checkpoints were saved with the classifier wrapped in a Sequential
        renamed=(("classifier.0.", "classifier."),),
    )


DDAMFN_ORDER = ("Neutral", "Happiness", "Sadness", "Surprise", "Fear", "Disgust", "Anger", "Contempt")
"""Order of the outputs of DDAMFN's public checkpoint: AffectNet's numbers (its authors' ``affectnet8_test.py``)."""


def _ddamfn(title: str, outputs: int, order: tuple[str, ...] = ()) -> FaceNetwork:
    # ``bn`` is a BatchNorm of the outputs that the network has but never applies
    return FaceNetwork(title, "ddamfn", "fc", 512, outputs, Preprocessing((112, 112)), unused=("bn.",), order=order)


NETWORKS: dict[str, FaceNetwork] = {
    "enet_b0_8_best_vgaf": _efficientnet("EmotiEffNet-B0", "b0", 1280, 8, 224),
    "enet_b0_8_best_afew": _efficientnet("EmotiEffNet-B0, best on AFEW", "b0", 1280, 8, 224),
    "enet_b2_8": _efficientnet("EmotiEffNet-B2", "b2", 1408, 8, 260),
    "enet_b0_8_va_mtl": _efficientnet("MT-EmotiEffNet-B0", "b0", 1280, 10, 224),
    "mobilevit_va_mtl": FaceNetwork(
        "MT-EmotiMobileViT", "mobilevitv2_150", "head.fc", 768, 10, Preprocessing((224, 224))
    ),
    "mbf_va_mtl": FaceNetwork(
        "MT-EmotiMobileFaceNet",
        "mobilefacenet",
        "fc",
        512,
        10,
        Preprocessing((112, 112), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    ),
    "ddamfn_8": _ddamfn("DDAMFN", 8),
    "ddamfn_8_mtl": _ddamfn("MT-DDAMFN", 10),
    "ddamfn_8_public": _ddamfn("DDAMFN++", 8, DDAMFN_ORDER),
}


def emotiefflib_encoder(name: str, settings: Settings) -> ImageNetworkEncoder:
    """Return a face network with its pretrained weights: parts ``embeddings`` (float16) and ``logits`` (float32).

    Raises:
        MissingDependencyError: the weights are missing.
        SolutionError: the weights belong to another network.
    """
    from solutions.networks.outputs import EmbeddingsAndLogits
    from solutions.networks.state import load_exactly
    from solutions.weights.store import load_weights

    row = NETWORKS[name]
    weights = load_weights(name, settings)
    network = build(row)
    load_exactly(network, _ordered(_renamed(weights.tensors, row), row), source=name, unused=row.unused)
    parts = (
        Part("embeddings", row.embedding, np.dtype(np.float16)),
        Part("logits", row.outputs, np.dtype(np.float32)),
    )
    both = EmbeddingsAndLogits(network, row.classifier)
    forward = LateForward(both, row.preprocessing, settings, total_dim(parts))
    identity = {"weights": weights.sha256, "network": row.architecture}
    if row.order:
        identity["order"] = ", ".join(CLASSES)
    return ImageNetworkEncoder(name, parts, row.preprocessing, forward, identity)


def build(row: FaceNetwork) -> nn.Module:
    """Return the network with random weights."""
    if row.architecture == "ddamfn":
        from solutions.networks.ddamfn import DDAMFN

        return DDAMFN(row.outputs)
    if row.architecture == "mobilefacenet":
        from solutions.networks.mobilefacenet import MobileFaceNet

        return MobileFaceNet(row.outputs)
    import timm

    network: nn.Module = timm.create_model(row.architecture, pretrained=False, num_classes=row.outputs)
    return network


def _renamed(tensors: Mapping[str, torch.Tensor], row: FaceNetwork) -> dict[str, torch.Tensor]:
    """Return the tensors of a checkpoint by the names of our network."""
    named = dict(tensors)
    for theirs, ours in row.renamed:
        named = {key.replace(theirs, ours) if key.startswith(theirs) else key: value for key, value in named.items()}
    return named


def _ordered(tensors: Mapping[str, torch.Tensor], row: FaceNetwork) -> dict[str, torch.Tensor]:
    """Return the tensors with the last layer's rows in the alphabetical order of AffectNet's classes."""
    names = (f"{row.classifier}.weight", f"{row.classifier}.bias") if row.order else ()
    rows = [row.order.index(name) for name in CLASSES] if row.order else []
    fitting = [name for name in names if name in tensors and len(tensors[name]) == len(rows)]
    return {**tensors, **{name: tensors[name][rows] for name in fitting}}
