"""Any network of timm as an encoder: its pooled features before the classifier."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harness.device import resolve_device
from harness.errors import MissingDependencyError, UnknownNameError, problem
from solutions.encoders.encoder import Image, Part

FORMAT = 1


class TimmEncoder:
    """Pooled features of a timm network, with the preprocessing that its weights were trained with.

    Args:
        model: timm's name, with a weight tag if wanted (``convnext_tiny.fb_in1k``).
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        pretrained: ``False`` only in tests: seeded random weights, said so in the identity.

    Raises:
        UnknownNameError: timm has no such model.
        MissingDependencyError: its weights can't be downloaded and are not in the local cache.
    """

    parallel: Literal["processes", "threads"] = "threads"
    batch_size = 64

    def __init__(self, model: str, *, device: str = "auto", pretrained: bool = True) -> None:
        import timm
        import torch

        self.name = f"timm:{model}"
        base, _, tag = model.partition(".")
        if base not in timm.list_models() or (tag and model not in timm.list_models(pretrained=True)):
            raise UnknownNameError(
                "timm model", model, timm.list_models(pretrained=bool(tag)), hint="See timm.list_models()."
            )
        self._torch = torch
        self._device = torch.device(resolve_device(device))
        try:
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(0)
                network = timm.create_model(model, pretrained=pretrained, num_classes=0)
        except (OSError, RuntimeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise MissingDependencyError(
                problem(
                    f"the weights of {model} can't be had",
                    found=f"{type(error).__name__}: {reason[:160]}",
                    do='On a machine with a connection run: python -c "import timm; '
                    f"timm.create_model('{model}', pretrained=True)\", copy its ~/.cache/huggingface here, "
                    "and set HF_HUB_OFFLINE=1; or use an encoder that needs no download: landmarks",
                )
            ) from None
        self._network = network.eval().to(self._device)
        config = timm.data.resolve_model_data_config(network)
        self._size: tuple[int, int] = tuple(config["input_size"][1:])
        self._mean = torch.tensor(config["mean"], device=self._device).view(1, 3, 1, 1)
        self._std = torch.tensor(config["std"], device=self._device).view(1, 3, 1, 1)
        with torch.inference_mode():  # num_features is another number where a network widens after pooling
            self.dim = int(self._network(torch.zeros(1, 3, *self._size, device=self._device)).shape[1])
        self.parts: tuple[Part, ...] = (Part("embeddings", self.dim, np.dtype(np.float16)),)
        self._pretrained = pretrained
        self._weights = self._hash_weights()

    def _hash_weights(self) -> str:
        digest = hashlib.sha256()
        for key, value in sorted(self._network.state_dict().items()):
            digest.update(key.encode())
            digest.update(value.cpu().numpy().tobytes())
        return digest.hexdigest()

    def identity(self) -> dict[str, Any]:
        """Weights' hash, preprocessing, precision and versions."""
        return {
            "encoder": self.name,
            "format": FORMAT,
            "weights": self._weights,
            "pretrained": self._pretrained,
            "size": list(self._size),
            "mean": self._mean.flatten().tolist(),
            "std": self._std.flatten().tolist(),
            "resize": "PIL bilinear with antialias, aspect ratio not kept",
            "precision": "float32",
            "device": self._device.type,
            "dtype": str(self.parts[0].dtype),
        }

    def prepare(self, image: Image) -> Image:
        """Resized to the network's input as Pillow does it."""
        from PIL import Image as Pillow

        height, width = self._size
        return np.asarray(Pillow.fromarray(image).resize((width, height), Pillow.Resampling.BILINEAR))

    def encode(self, images: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Features of prepared crops, float32 ``(n, dim)``."""
        torch = self._torch
        if not images:
            return np.empty((0, self.dim), np.float32)
        batch = torch.from_numpy(np.stack(images)).to(self._device).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            features = self._network((batch - self._mean) / self._std)
        return np.asarray(features.float().cpu().numpy(), np.float32)
