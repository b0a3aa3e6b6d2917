"""ConvNeXt-T with a BiLSTM over a whole video, from JPEG files to P(violent), beside the authors' sliding windows."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import importlib.util
import io
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import timm
import torch
from PIL import Image
from torch import nn
from torchvision import transforms

from harness.datasets.dataset import Dataset, Video
from harness.settings import load_settings
from harness.tasks import VD
from solutions.encoders.encoder import Part
from solutions.encoders.extraction import extract_features
from solutions.encoders.forward import make_forward
from solutions.encoders.image_network import ImageNetworkEncoder
from solutions.encoders.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing

SIZE = (224, 224)
LENGTH, STRIDE = 32, 16
N_FRAMES, HEIGHT, WIDTH = 256, 360, 640
DIM, HIDDEN = 768, 256
WAYS = [("torch", "float32"), ("openvino", "float32"), ("torch", "bfloat16"), ("openvino", "bfloat16")]


class Head(nn.Module):
    """The authors' BiLSTM head in evaluation: ``(n, t, 768)`` to logits ``(n, t, 2)``."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(DIM, HIDDEN, 2, batch_first=True, bidirectional=True)
        self.last = nn.Linear(2 * HIDDEN, VD.n_outputs)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.last(self.lstm(rows)[0])


@pytest.fixture(scope="module")
def frames(tmp_path_factory) -> list[Path]:
    """The frames below ``ABAW_BENCH_FRAMES``, or drawn ones: blocks that drift, in a little noise."""
    if folder := os.environ.get("ABAW_BENCH_FRAMES"):
        return sorted(Path(folder).resolve().glob("*.jpg"), key=lambda path: int(path.stem))
    root = tmp_path_factory.mktemp("frames")
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    for k in range(N_FRAMES):
        scene = np.roll(coarse, (k // 7, k // 3), (0, 1))[:18, :32] if k % 97 < 60 else coarse[-18:, -32:]
        picture = cv2.resize(scene, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        noise = rng.normal(0, 6, (HEIGHT, WIDTH, 1))
        cv2.imwrite(str(root / f"{k + 1:05d}.jpg"), np.clip(picture + noise, 0, 255).astype(np.uint8))
    return sorted(root.iterdir())


@pytest.fixture(scope="module")
def networks(frames) -> tuple[nn.Module, nn.Module]:
    """Random weights, but none without an effect: layer scales of trained size, scores that spread over the frames.

    As timm makes it, a ConvNeXt's layer scales are 1e-6: its blocks do nothing, and no precision could spoil it.
    """
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(0)
        encoder = timm.create_model("convnext_tiny", pretrained=False, num_classes=0).eval()
        for name, weight in encoder.named_parameters():
            if name.endswith("gamma"):
                nn.init.uniform_(weight, 0.1, 0.5)
            elif weight.ndim > 1:
                nn.init.kaiming_normal_(weight, nonlinearity="linear")
        head = Head().eval()
        pictures = torch.stack([_as_they_see_it(path) for path in frames[:: max(1, len(frames) // 24)]])
        logits = head(encoder(pictures)[None])[0]
        margin = logits[:, 1] - logits[:, 0]
        head.last.weight *= 3 / margin.std()
        head.last.bias.copy_(head.last.bias - torch.tensor([0.0, 1.0]) * 3 / margin.std() * margin.mean())
    return encoder, head


_as_they_do = transforms.Compose(
    [transforms.Resize(SIZE, antialias=True), transforms.ToTensor(), transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
)


def _as_they_see_it(path: Path) -> torch.Tensor:
    with Image.open(path) as picture:
        return _as_they_do(picture.convert("RGB"))


def starts(n: int) -> list[int]:
    """First frames of all windows; the last window ends with the video."""
    found = list(range(0, max(0, n - LENGTH) + 1, STRIDE))
    return found if found[-1] + LENGTH >= n else [*found, n - LENGTH]


def windowed(frames, encoder, head) -> np.ndarray:
    """The authors' procedure: a window a pass, each of its frames read and encoded again."""
    torch.set_num_threads(os.cpu_count() or 1)
    total, votes = np.zeros(len(frames)), np.zeros(len(frames))
    with torch.inference_mode():
        for start in starts(len(frames)):
            clip = torch.stack([_as_they_see_it(path) for path in frames[start : start + LENGTH]])
            total[start : start + LENGTH] += head(encoder(clip)[None]).softmax(-1)[0, :, 1].numpy()
            votes[start : start + LENGTH] += 1
    return total / votes


class Ours:
    """Each frame once through the extraction pipeline, then all windows of rows at once."""

    def __init__(self, frames, encoder, head, backend: str, precision: str, cache: Path) -> None:
        self.frames, self.head = frames, head
        self.settings = dataclasses.replace(
            load_settings(), cache=cache, workers=os.cpu_count() or 1, device="cpu", backend=backend, precision=precision
        )
        preprocessing = Preprocessing(SIZE)
        part = Part("embeddings", DIM, np.dtype(np.float32))
        forward = make_forward(copy.deepcopy(encoder), preprocessing, self.settings)
        self.encoder = ImageNetworkEncoder("frames", (part,), preprocessing, forward, {"weights": "random"})

    def __call__(self) -> np.ndarray:
        shutil.rmtree(self.settings.cache, ignore_errors=True)
        folder = self.frames[0].parent
        video = Video("video", len(self.frames), None, folder)
        data = Dataset("violence", folder, VD, {"val": [video]})
        with contextlib.redirect_stderr(io.StringIO()):  # progress
            cache, _ = extract_features(self.encoder, data, ["val"], self.settings)
        rows = torch.from_numpy(cache.get(video).values)
        torch.set_num_threads(os.cpu_count() or 1)
        n = len(rows)
        index = torch.tensor(starts(n))[:, None] + torch.arange(min(LENGTH, n))
        with torch.inference_mode():
            violent = self.head(rows[index]).softmax(-1)[..., 1].double()
        total, votes = torch.zeros(2, n, dtype=torch.float64)
        total.index_put_((index,), violent, accumulate=True)
        votes.index_put_((index,), torch.ones_like(violent), accumulate=True)
        return (total / votes).numpy()


def test_convnext(beside_each, frames, networks, tmp_path):
    encoder, head = networks
    ways = [way for way in WAYS if way[0] == "torch" or importlib.util.find_spec("openvino")]
    expected = windowed(frames, encoder, head)

    def same(precision):
        def check(theirs, ours):
            apart = np.abs(theirs - ours)
            if precision == "float32":
                assert apart.max() < 1e-5
            else:
                print(
                    f"\nbfloat16, P(violent) of {len(ours)} frames (spread {theirs.std():.2f}): {apart.max():.4f} apart "
                    f"at most, {apart.mean():.5f} in the mean, {((theirs >= 0.5) != (ours >= 0.5)).mean():.2%} decided "
                    "otherwise ", end="",
                )  # fmt: skip
                assert apart.mean() < 0.05

        return check

    beside_each(
        f"{len(frames)} frames",
        "the authors' windows of 32 at stride 16, one a pass, torch eager float32",
        theirs=lambda: windowed(frames, encoder, head),
        ours={
            f"ConvNeXt-T + BiLSTM, {backend}, {precision}": (
                Ours(frames, encoder, head, backend, precision, tmp_path / f"{backend}-{precision}"), same(precision)
            )
            for backend, precision in ways
        },
        repeats=3,
    )  # fmt: skip
