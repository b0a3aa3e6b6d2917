"""Any network of timm as an encoder. Weights are random here: what is held is what surrounds them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from harness.errors import MissingDependencyError, UnknownNameError
from solutions.encoders.encoder import Encoder
from solutions.encoders.timm_network import TimmEncoder

MODEL = "test_resnet"  # timm's own, for tests: 96 columns from 160 x 160 pixels
SIZES = [(112, 112), (40, 90), (160, 160), (300, 200), (1, 1)]


def untrained(model: str = MODEL) -> TimmEncoder:
    return TimmEncoder(model, device="cpu", pretrained=False)


def prepared(encoder: TimmEncoder, images: list[np.ndarray]) -> torch.Tensor:
    """What the network is given for these images."""
    seen: list[torch.Tensor] = []
    hook = encoder._network.register_forward_pre_hook(lambda network, inputs: seen.append(inputs[0]))
    encoder.encode(images)
    hook.remove()
    return seen[0]


@pytest.fixture(scope="module")
def encoder() -> TimmEncoder:
    return untrained()


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES]


@pytest.fixture
def _no_hub(tmp_path, monkeypatch):
    """No connection and nothing downloaded before, without waiting for the network to say so."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


def test_shape_and_types(encoder, images):
    rows = encoder.encode(images)
    assert rows.shape == (len(images), encoder.dim)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    assert encoder.dtype == np.float16
    assert np.isfinite(rows.astype(encoder.dtype)).all()


def test_no_images_give_no_rows(encoder):
    rows = encoder.encode([])
    assert rows.shape == (0, encoder.dim)
    assert rows.dtype == np.float32


# the last two widen their features after pooling
@pytest.mark.parametrize(
    ("model", "dim"),
    [("test_resnet", 96), ("test_vit", 64), ("mobilenetv3_small_050", 1024), ("mobilenetv4_conv_small_035", 1280)],
)
def test_features_have_as_many_columns_as_declared(model, dim, images):
    encoder = untrained(model)
    assert encoder.dim == dim
    assert encoder.encode(images[:2]).shape == (2, dim)


def test_features_are_those_before_the_classifier(encoder, images):
    whole = timm.create_model(MODEL, pretrained=False).eval()
    missing = whole.load_state_dict(encoder._network.state_dict(), strict=False)
    assert (missing.missing_keys, missing.unexpected_keys) == (["fc.weight", "fc.bias"], [])
    before = []
    whole.get_classifier().register_forward_pre_hook(lambda layer, inputs: before.append(inputs[0].numpy()))
    with torch.inference_mode():
        whole(prepared(encoder, images))
    np.testing.assert_allclose(encoder.encode(images), before[0], rtol=1e-4, atol=1e-5)


def test_a_row_depends_on_its_own_image_only(encoder, images):
    together = encoder.encode(images)
    np.testing.assert_allclose(encoder.encode(images[::-1])[::-1], together, rtol=1e-4, atol=1e-5)
    alone = np.concatenate([encoder.encode([image]) for image in images])
    np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 1e-2


@pytest.mark.parametrize("model", ["test_resnet", "test_efficientnet"])
def test_pictures_are_prepared_as_the_models_weights_expect(model, images):
    encoder = untrained(model)
    config = timm.data.resolve_model_data_config(timm.create_model(model, pretrained=False))
    channels, height, width = config["input_size"]
    batch = prepared(encoder, images)
    assert batch.shape == (len(images), channels, height, width)
    for image, row in zip(images, batch.numpy(), strict=True):
        resized = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR), np.float64)
        expected = (resized / 255 - config["mean"]) / config["std"]
        np.testing.assert_allclose(row, expected.transpose(2, 0, 1), atol=1e-5)


def test_a_size_is_height_and_width_in_this_order(images, monkeypatch):
    encoder = untrained()
    monkeypatch.setattr(encoder, "_size", (64, 96))
    upper = np.zeros((40, 90, 3), np.uint8)
    upper[:20] = 255
    batch = prepared(encoder, [upper])
    assert batch.shape == (1, 3, 64, 96)
    assert (batch[:, :, :30] > batch[:, :, 34:].max()).all()


def test_the_identity_says_what_was_done_to_pictures(encoder):
    config = timm.data.resolve_model_data_config(timm.create_model(MODEL, pretrained=False))
    identity = encoder.identity()
    assert identity["size"] == list(config["input_size"][1:])
    assert identity["mean"] == pytest.approx(config["mean"])
    assert identity["std"] == pytest.approx(config["std"])


def test_identity_is_plain_data(encoder):
    identity = encoder.identity()
    assert json.loads(json.dumps(identity)) == identity
    assert identity["encoder"] == encoder.name == f"timm:{MODEL}"
    assert identity["pretrained"] is False
    assert identity["device"] == "cpu"


def test_made_twice_it_is_the_same(encoder, images):
    torch.manual_seed(99)
    again = untrained()
    assert again.identity() == encoder.identity()
    np.testing.assert_array_equal(again.encode(images), encoder.encode(images))


def test_another_weight_is_another_identity(encoder):
    other = untrained()
    with torch.no_grad():
        next(other._network.parameters()).flatten()[0] += 1
    assert other._hash_weights() != encoder.identity()["weights"]


def test_the_generator_is_left_as_it_was():
    torch.manual_seed(99)
    before = torch.get_rng_state()
    untrained()
    assert torch.equal(torch.get_rng_state(), before)


def test_it_does_not_train(encoder, images):
    """Statistics of batches, if anything moved them, would show in the second answer."""
    assert not encoder._network.training
    np.testing.assert_array_equal(encoder.encode(images), encoder.encode(images))


def test_it_is_an_encoder(encoder):
    typed: Encoder = encoder
    assert typed.parallel == "threads"
    assert typed.batch_size > 0


@pytest.mark.usefixtures("_no_hub")
@pytest.mark.parametrize("model", [MODEL, "test_resnet.r160_in1k"])
def test_weights_that_can_not_be_had_are_said_with_two_ways_out(model):
    with pytest.raises(MissingDependencyError) as caught:
        TimmEncoder(model, device="cpu")
    message = str(caught.value)
    assert f"the weights of {model} can't be had" in message
    assert f"timm.create_model('{model}', pretrained=True)" in message
    assert "HF_HUB_OFFLINE=1" in message
    assert "landmarks" in message


@pytest.mark.parametrize("error", [TimeoutError(), OSError(5, "Input/output error"), RuntimeError("first\nsecond")])
def test_whatever_the_download_fails_with_is_named(monkeypatch, error):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(timm, "create_model", fail)
    with pytest.raises(MissingDependencyError, match=f"can't be had; found {type(error).__name__}: ") as caught:
        TimmEncoder(MODEL, device="cpu")
    assert "second" not in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "guess"),
    [("resnet-18", "resnet18"), ("resnet18.a1_in1", "resnet18.a1_in1k"), ("convnext_tyni", "convnext_tiny")],
)
def test_an_unknown_model_gets_a_guess(wrong, guess):
    with pytest.raises(UnknownNameError, match=rf"unknown timm model '{wrong}'\. Did you mean .*{guess}"):
        TimmEncoder(wrong, device="cpu")


def test_a_name_like_no_other_gets_the_place_to_look():
    with pytest.raises(UnknownNameError, match=r"unknown timm model 'xq#'\. See timm\.list_models\(\)\."):
        TimmEncoder("xq#", device="cpu")
