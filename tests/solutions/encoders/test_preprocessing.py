"""Crops are resized and normalised as the originals do it, bit for bit."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from torchvision import transforms

from harness.errors import SolutionError
from solutions.encoders.images.emotiefflib import NETWORKS
from solutions.networks.preprocessing import Preprocessing

SIZES = [(112, 112), (40, 90), (224, 224), (260, 260), (301, 200), (199, 200), (1, 1), (1, 7), (500, 333)]

# each crop mode, both usual filters, square and not, crops from none to much
CONFIGS = [
    {"input_size": (3, 224, 224), "interpolation": "bicubic", "crop_pct": 0.875, "crop_mode": "center"},
    {"input_size": (3, 224, 224), "interpolation": "bilinear", "crop_pct": 1.0, "crop_mode": "center"},
    {"input_size": (3, 160, 160), "interpolation": "bicubic", "crop_pct": 0.95, "crop_mode": "squash"},
    {"input_size": (3, 96, 64), "interpolation": "bilinear", "crop_pct": 0.9, "crop_mode": "squash"},
    {"input_size": (3, 64, 96), "interpolation": "bicubic", "crop_pct": 0.9, "crop_mode": "center"},
    {"input_size": (3, 128, 128), "interpolation": "bicubic", "crop_pct": 1.0, "crop_mode": "border"},
    {"input_size": (3, 128, 97), "interpolation": "lanczos", "crop_pct": 0.8, "crop_mode": "border"},
    {"input_size": (3, 64, 64), "interpolation": "nearest", "crop_pct": 0.875, "crop_mode": "center"},
]
COLOURS = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES]


def ours(preprocessing: Preprocessing, image: np.ndarray) -> np.ndarray:
    prepared = preprocessing.prepare(image)
    assert (prepared.shape, prepared.dtype) == ((*preprocessing.size, 3), np.uint8)
    return preprocessing.normalise(torch.from_numpy(prepared.copy())[None])[0].numpy()


@pytest.mark.parametrize("name", NETWORKS)
def test_face_networks_see_what_torchvision_would_give_them(name, images):
    preprocessing = NETWORKS[name].preprocessing
    original = transforms.Compose(
        [
            transforms.Resize(preprocessing.size),
            transforms.ToTensor(),
            transforms.Normalize(preprocessing.mean, preprocessing.std),
        ]
    )
    for image in images:
        np.testing.assert_array_equal(ours(preprocessing, image), original(Image.fromarray(image)).numpy())


def test_sizes_and_colours_are_emotiefflibs():
    """Its rule goes by the name."""
    for name, row in NETWORKS.items():
        side = 112 if name.startswith(("mbf_", "ddamfn")) else 260 if "_b2_" in name else 224
        assert row.preprocessing.size == (side, side)
        half = name.startswith("mbf_")
        assert row.preprocessing.mean == ((0.5,) * 3 if half else COLOURS["mean"])
        assert row.preprocessing.std == ((0.5,) * 3 if half else COLOURS["std"])


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: "-".join(map(str, c.values())))
def test_timm_networks_see_what_timm_would_give_them(config, images):
    config = config | COLOURS
    original = timm.data.create_transform(**config, is_training=False)
    preprocessing = Preprocessing.from_timm(config)
    for image in images:
        np.testing.assert_array_equal(ours(preprocessing, image), original(Image.fromarray(image)).numpy())


@pytest.mark.parametrize("model", ["resnet18", "mobilevitv2_150", "vit_small_patch14_dinov2", "test_resnet"])
def test_a_models_own_configuration(model, images):
    config = timm.data.resolve_data_config(pretrained_cfg=timm.models.get_pretrained_cfg(model).to_dict())
    original = timm.data.create_transform(**config, is_training=False)
    image = images[4]
    expected = original(Image.fromarray(image)).numpy()
    np.testing.assert_array_equal(ours(Preprocessing.from_timm(config), image), expected)


def test_every_published_network_of_timm_can_be_followed():
    for model in timm.list_models(pretrained=True):
        config = timm.data.resolve_data_config(pretrained_cfg=timm.models.get_pretrained_cfg(model).to_dict())
        assert Preprocessing.from_timm(config).size == config["input_size"][1:]


@pytest.mark.parametrize(
    ("key", "value"), [("input_size", (1, 64, 64)), ("interpolation", "random"), ("crop_mode", "naflex")]
)
def test_what_can_not_be_followed_is_said(key, value):
    with pytest.raises(SolutionError, match=r"timm's \w+ can't be followed; found .*, expected "):
        Preprocessing.from_timm(CONFIGS[0] | COLOURS | {key: value})


def test_a_picture_of_the_right_size_is_left_as_it_is(images):
    np.testing.assert_array_equal(Preprocessing((112, 112)).prepare(images[0]), images[0])


def test_a_batch_is_normalised_as_its_rows_are(images):
    preprocessing = Preprocessing((32, 48))
    prepared = torch.from_numpy(np.stack([preprocessing.prepare(image) for image in images]))
    whole = preprocessing.normalise(prepared)
    assert (whole.shape, whole.dtype) == ((len(images), 3, 32, 48), torch.float32)
    for row, image in zip(whole, prepared, strict=True):
        assert torch.equal(row, preprocessing.normalise(image[None])[0])


def test_normalising_leaves_the_pictures_alone():
    batch = torch.full((1, 4, 4, 3), 7, dtype=torch.uint8)
    Preprocessing((4, 4)).normalise(batch)
    assert (batch == 7).all()


def test_threads_may_share_it(images):
    preprocessing = Preprocessing((64, 64), crop_mode="border", crop_pct=0.9)
    alone = [preprocessing.prepare(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(preprocessing.prepare, images * 8))
    for k, prepared in enumerate(together):
        np.testing.assert_array_equal(prepared, alone[k % len(images)])


def test_its_description_is_plain_data_and_whole():
    described = Preprocessing((64, 96), crop_pct=0.9, interpolation="bicubic", crop_mode="center").describe()
    assert json.loads(json.dumps(described)) == described
    assert described["size"] == [64, 96]
    assert (described["interpolation"], described["crop_pct"], described["crop_mode"]) == ("bicubic", 0.9, "center")
    assert set(described) == {"size", "mean", "std", "interpolation", "crop_pct", "crop_mode"}
