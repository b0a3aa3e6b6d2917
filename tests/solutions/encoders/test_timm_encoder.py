"""Any network of timm as an encoder. Weights are random here: what is held is what surrounds them."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from harness.errors import MissingDependencyError, UnknownNameError, UsageError
from harness.settings import Settings
from solutions.encoders import forward
from solutions.encoders.encoder import Encoder
from solutions.encoders.images import timm_network
from solutions.encoders.images.network import ImageNetworkEncoder
from solutions.encoders.images.timm_network import timm_encoder
from solutions.networks.preprocessing import Preprocessing
from solutions.networks.timm_networks import hash_weights

pytestmark = pytest.mark.slow

CPU = Settings(device="cpu")
MODEL = "test_resnet"  # timm's own, for tests: 96 columns from 160 x 160 pixels
SIZES = [(112, 112), (40, 90), (160, 160), (300, 200), (1, 1)]


def untrained(model: str = MODEL) -> ImageNetworkEncoder:
    return timm_encoder(model, replace(CPU, weights="random"))


def network_in(model: str = MODEL) -> torch.nn.Module:
    """The network as it is before anything runs it."""
    networks: list[torch.nn.Module] = []

    def late(network, *arguments):
        networks.append(copy.deepcopy(network).eval())
        return forward.LateForward(network, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timm_network, "LateForward", late)
        untrained(model)
    return networks[0]


def encoded(encoder: ImageNetworkEncoder, images: list[np.ndarray]) -> np.ndarray:
    return encoder.encode([encoder.prepare(image) for image in images])


@pytest.fixture(scope="module")
def encoder() -> ImageNetworkEncoder:
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
    rows = encoded(encoder, images)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    (part,) = encoder.parts
    assert (part.name, part.dtype) == ("embeddings", np.float16)
    assert rows.shape == (len(images), part.dim)
    assert np.isfinite(rows.astype(part.dtype)).all()


def test_no_images_give_no_rows(encoder):
    rows = encoder.encode([])
    assert rows.shape == (0, encoder.parts[0].dim)
    assert rows.dtype == np.float32


# the last two widen their features after pooling
@pytest.mark.parametrize(
    ("model", "dim"),
    [("test_resnet", 96), ("test_vit", 64), ("mobilenetv3_small_050", 1024), ("mobilenetv4_conv_small_035", 1280)],
)
def test_features_have_as_many_columns_as_declared(model, dim, images, monkeypatch):
    # a network has as many columns as its graph, which takes longer to be made than two pictures do
    monkeypatch.setattr("solutions.encoders.backends.torch.export", None)
    encoder = untrained(model)
    assert encoder.parts[0].dim == dim
    assert encoded(encoder, images[:2]).shape == (2, dim)


@pytest.mark.parametrize("model", ["test_resnet", "test_efficientnet"])
def test_features_equal_timms_before_the_classifier(model, images):
    whole = timm.create_model(model, pretrained=False).eval()
    loaded = whole.load_state_dict(network_in(model).state_dict(), strict=False)
    assert all(key.split(".")[0] in ("fc", "classifier") for key in loaded.missing_keys)
    assert loaded.unexpected_keys == []
    original = timm.data.create_transform(**timm.data.resolve_model_data_config(whole), is_training=False)
    before = []
    whole.get_classifier().register_forward_pre_hook(lambda layer, inputs: before.append(inputs[0].numpy()))
    with torch.inference_mode():
        whole(torch.stack([original(Image.fromarray(image)) for image in images]))
    np.testing.assert_allclose(encoded(untrained(model), images), before[0], rtol=1e-4, atol=1e-5)


def test_a_row_depends_on_its_own_image_only(encoder, images):
    together = encoded(encoder, images)
    np.testing.assert_allclose(encoded(encoder, images[::-1])[::-1], together, rtol=1e-4, atol=1e-5)
    alone = np.concatenate([encoded(encoder, [image]) for image in images])
    np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 1e-2


def test_the_identity_says_what_was_done_to_pictures(encoder):
    config = timm.data.resolve_model_data_config(timm.create_model(MODEL, pretrained=False))
    described = encoder.identity()["preprocessing"]
    assert described == Preprocessing.from_timm(config).describe()
    assert described["size"] == list(config["input_size"][1:])
    assert (described["interpolation"], described["crop_pct"]) == (config["interpolation"], config["crop_pct"])


def test_identity_is_plain_data(encoder):
    identity = encoder.identity()
    assert json.loads(json.dumps(identity)) == identity
    assert identity["encoder"] == encoder.name == f"timm:{MODEL}"
    assert identity["pretrained"] is False
    assert identity["execution"] == {"backend": "torch", "precision": "float32", "device": "cpu"}


def test_made_twice_it_is_the_same(encoder, images):
    torch.manual_seed(99)
    again = untrained()
    assert again.identity() == encoder.identity()
    np.testing.assert_array_equal(encoded(again, images), encoded(encoder, images))


def test_another_weight_is_another_identity(encoder):
    network = network_in()
    assert hash_weights(network) == encoder.identity()["weights"]
    with torch.no_grad():
        next(network.parameters())[0, 0, 0, 0] += 1
    assert hash_weights(network) != encoder.identity()["weights"]


def test_the_generator_is_left_as_it_was():
    torch.manual_seed(99)
    before = torch.get_rng_state()
    untrained()
    assert torch.equal(torch.get_rng_state(), before)


def test_it_does_not_train(encoder, images):
    """Statistics of batches, if anything moved them, would show in the second answer."""
    np.testing.assert_array_equal(encoded(encoder, images), encoded(encoder, images))


def test_it_is_an_encoder(encoder):
    typed: Encoder = encoder
    assert typed.parallel == "batches"
    assert typed.batch_size > 0


@pytest.mark.usefixtures("_no_hub")
@pytest.mark.parametrize("model", [MODEL, "test_resnet.r160_in1k"])
def test_weights_that_can_not_be_had_are_said_with_two_ways_out(model):
    with pytest.raises(MissingDependencyError) as caught:
        timm_encoder(model, CPU)
    message = str(caught.value)
    assert f"the weights of {model} can't be had" in message
    assert f"timm.create_model('{model}', pretrained=True)" in message
    assert "HF_HUB_OFFLINE=1" in message
    assert "landmarks" in message


def test_a_hub_out_of_reach_is_asked_once(tmp_path, monkeypatch):
    """Its own client asks a dozen times, waiting longer each time."""
    import huggingface_hub
    from huggingface_hub import constants

    asked = []

    class Session:
        def head(self, url, *, timeout):
            asked.append((url, timeout))
            raise ConnectionError("Name or service not known")

        def __getattr__(self, name):
            raise AssertionError(f"asked again, by {name}")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub, "get_session", Session)
    with pytest.raises(MissingDependencyError, match=f"the weights of {MODEL} can't be had"):
        timm_encoder(MODEL, CPU)
    assert [url for url, _ in asked] == [constants.ENDPOINT]
    assert 5 <= asked[0][1] <= 20  # a slow connection may take its time, a dead one not a minute
    assert constants.HF_HUB_OFFLINE is False


def test_weights_in_the_local_cache_are_found_without_the_hub(tmp_path, monkeypatch):
    import huggingface_hub
    from huggingface_hub import constants
    from safetensors.torch import save_file

    folder = tmp_path / "models--timm--test_resnet.r160_in1k"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc")
    (folder / "snapshots" / "abc").mkdir(parents=True)
    network = timm.create_model(MODEL, pretrained=False)
    save_file(network.state_dict(), folder / "snapshots" / "abc" / "model.safetensors")
    (folder / "snapshots" / "abc" / "config.json").write_text("{}")

    def unreachable():
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub, "get_session", unreachable)
    encoder = timm_encoder(MODEL, CPU)
    assert encoder.identity()["pretrained"] is True
    network.reset_classifier(0)
    assert encoder.identity()["weights"] == hash_weights(network)


def test_a_hub_that_answers_is_left_to_do_its_work(monkeypatch):
    import huggingface_hub
    from huggingface_hub import constants

    offline = []

    class Session:
        def head(self, url, *, timeout):
            return None

    def create(*arguments, **options):
        offline.append(constants.HF_HUB_OFFLINE)
        return real(*arguments, **{**options, "pretrained": False})

    real = timm.create_model
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "get_session", Session)
    monkeypatch.setattr(timm, "create_model", create)
    assert timm_encoder(MODEL, CPU).identity()["pretrained"] is True
    assert offline == [False]


def test_network_without_published_weights_is_named():
    with pytest.raises(
        UsageError, match=r"timm has no weights for coatnet_0_224.*list_models\(pretrained=True\)"
    ) as caught:
        timm_encoder("coatnet_0_224", CPU)
    assert "connection" not in str(caught.value)


@pytest.mark.usefixtures("_no_hub")
@pytest.mark.parametrize("error", [TimeoutError(), OSError(5, "Input/output error"), RuntimeError("first\nsecond")])
def test_whatever_the_download_fails_with_is_named(monkeypatch, error):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(timm, "create_model", fail)
    with pytest.raises(MissingDependencyError, match=f"can't be had; found {type(error).__name__}: ") as caught:
        timm_encoder(MODEL, CPU)
    assert "second" not in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "guess"),
    [("resnet-18", "resnet18"), ("resnet18.a1_in1", "resnet18.a1_in1k"), ("convnext_tyni", "convnext_tiny")],
)
def test_an_unknown_model_gets_a_guess(wrong, guess):
    with pytest.raises(UnknownNameError, match=rf"unknown timm model '{wrong}'\. Did you mean .*{guess}"):
        timm_encoder(wrong, CPU)


def test_a_name_like_no_other_gets_the_place_to_look():
    with pytest.raises(UnknownNameError, match=r"unknown timm model 'xq#'\. See timm\.list_models\(\)\."):
        timm_encoder("xq#", CPU)
