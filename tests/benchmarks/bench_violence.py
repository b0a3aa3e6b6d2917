"""ConvNeXt-T with a BiLSTM over a whole video, from JPEG files to P(violent), beside the authors' sliding windows."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import shutil
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision import transforms

from harness.datasets.dataset import Dataset, Video
from harness.settings import Settings
from harness.tasks import VD
from solutions.cache.images import extract_features
from solutions.clips.network import ClipNet, make_clip_net
from solutions.clips.settings import ClipNetwork, Windows
from solutions.clips.windows import slide
from solutions.encoders.images.backbone import image_encoder
from solutions.networks.preprocessing import IMAGENET_MEAN, IMAGENET_STD

BACKBONE = "convnext_tiny.in12k_ft_in1k"
WINDOWS = Windows(length=32, stride=16)
AT_ONCE = 64
N_FRAMES, HEIGHT, WIDTH = 320, 360, 640
CORES = os.cpu_count() or 1
WAYS = [("torch", "float32"), ("openvino", "float32"), ("torch", "bfloat16"), ("openvino", "bfloat16")]

as_they_do = transforms.Compose(
    [
        transforms.Resize((224, 224), antialias=True),
        transforms.ToTensor(),
        transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
    ]
)


def read(path: Path) -> torch.Tensor:
    with Image.open(path) as picture:
        return as_they_do(picture.convert("RGB"))


def windowed(frames: list[Path], net: ClipNet) -> np.ndarray:
    """The authors' procedure: a window a pass, each of its frames read and encoded again (their inference cell)."""
    torch.set_num_threads(CORES)
    n, length = len(frames), WINDOWS.length
    starts = list(range(0, max(0, n - length) + 1, WINDOWS.stride))
    if starts[-1] + length < n:
        starts.append(n - length)
    total, votes = np.zeros(n), np.zeros(n)
    with torch.inference_mode():
        for start in starts:
            clip = torch.stack([read(path) for path in frames[start : start + length]])
            logits = net.decide({"rgb": net.encoders["rgb"].network(clip)[None]})
            total[start : start + length] += logits.softmax(2)[0, :, 1].numpy()
            votes[start : start + length] += 1
    return total / votes


class Ours:
    """The same network by the recipes' parts: rows of frames from the extraction pipeline, windows over rows."""

    def __init__(self, frames: list[Path], net: ClipNet, settings: Settings) -> None:
        self.net, self.settings = net, settings
        self.encoder = image_encoder("frames", net.encoders["rgb"], settings)
        self.video = partial(Video, "video", len(frames), None, frames[0].parent)
        self()  # the first time a graph is made, and kept

    def __call__(self) -> np.ndarray:
        shutil.rmtree(self.settings.cache, ignore_errors=True)
        video = self.video()  # its pictures are listed again, too
        data = Dataset("violence", video.image_folder, VD, {"val": [video]})
        with contextlib.redirect_stderr(io.StringIO()):  # progress
            cache, _ = extract_features(self.encoder, data, ["val"], self.settings)
        rows = np.asarray(cache.get(video).values)
        torch.set_num_threads(CORES)
        return slide(len(rows), WINDOWS, lambda frames: {"rgb": rows[frames]}, self._decide, AT_ONCE)[:, 1]

    def _decide(self, inputs):
        with torch.inference_mode():
            return self.net.decide({"rgb": torch.from_numpy(inputs["rgb"])}).softmax(2).numpy()


@pytest.fixture(scope="module")
def frames(tmp_path_factory) -> list[Path]:
    """Those in the folder that ``ABAW_BENCH_FRAMES`` names, or drawn ones: scenes of blobs that drift, some noise."""
    if folder := os.environ.get("ABAW_BENCH_FRAMES"):
        return sorted(Path(folder).glob("*.jpg"), key=lambda path: int(path.stem))
    root = tmp_path_factory.mktemp("frames")
    rng = np.random.default_rng(0)
    for k in range(N_FRAMES):
        if k % 40 == 0:
            blobs = rng.integers(0, 256, (36, 64, 3), dtype=np.uint8)
        scene = np.roll(blobs, (k // 5, k // 2), (0, 1))[:18, :32]
        picture = cv2.resize(scene, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        noisy = picture + rng.normal(0, 6, (HEIGHT, WIDTH, 1))
        cv2.imwrite(str(root / f"{k + 1:05d}.jpg"), noisy.clip(0, 255).astype(np.uint8))
    return sorted(root.iterdir())


@pytest.fixture(scope="module")
def net(frames) -> ClipNet:
    """Random weights, but such that all of them have a say, and that scores spread over the frames as trained ones do.

    As timm makes it, a ConvNeXt's layer scales are 1e-6: its blocks do nothing, and no precision could spoil it.
    """
    made = make_clip_net(
        ClipNetwork(rgb=BACKBONE), n_outputs=VD.n_outputs, feature_dims={}, weights="random", seed=0
    ).eval()
    encoder, output = made.encoders["rgb"].network, made.head.output
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.default_generator.manual_seed(0)
        for name, weight in encoder.named_parameters():
            if name.endswith("gamma"):
                nn.init.uniform_(weight, 0.1, 0.5)
            elif weight.ndim > 1:
                nn.init.kaiming_normal_(weight, nonlinearity="linear")
        some = torch.stack([read(path) for path in frames[:: max(1, len(frames) // 32)]])
        logits = made.decide({"rgb": encoder(some)[None]})[0]
        margin = logits[:, 1] - logits[:, 0]
        factor = 3 / margin.std()
        output.weight *= factor
        output.bias.copy_(output.bias * factor - torch.tensor([0.0, 1.0]) * factor * margin.mean())
    return made


def agrees(precision):
    def same(theirs, ours):
        apart = np.abs(theirs - ours)
        otherwise = ((theirs >= 0.5) != (ours >= 0.5)).mean()
        print(
            f"\n{precision}: P(violent) {apart.max():.2g} apart at most, {apart.mean():.2g} in the mean, of a spread "
            f"of {theirs.std():.2g}; {otherwise:.2%} of frames decided otherwise ",
            end="",
        )
        assert apart.max() < 1e-5 if precision == "float32" else apart.mean() < 0.03

    return same


def test_convnext(beside_each, frames, net, tmp_path):
    installed = [way for way in WAYS if way[0] == "torch" or importlib.util.find_spec("openvino")]
    ours = {}
    for backend, precision in installed:
        settings = Settings(
            cache=tmp_path / f"{backend}-{precision}", device="cpu", workers=CORES, backend=backend, precision=precision
        )
        ours[f"ConvNeXt-T + BiLSTM, {backend}, {precision}"] = Ours(frames, net, settings), agrees(precision)
    beside_each(
        f"{len(frames)} frames",
        "the authors' windows, one a pass, torch as it is in float32",
        theirs=lambda: windowed(frames, net),
        ours=ours,
        repeats=3,
    )
