"""The papers' face networks with constructed weights: packed as published, imported, loaded, run."""

from __future__ import annotations

import contextlib
import copy
import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.neural_network import MLPClassifier
from torch import nn
from torchvision import transforms

from harness.errors import MissingDependencyError, SolutionError
from harness.settings import Settings
from harness.system.images import read_rgb
from solutions.encoders.encoder import Encoder, spans
from solutions.encoders.images.emotiefflib import NETWORKS, build, emotiefflib_encoder
from solutions.weights.registry import WEIGHTS
from solutions.weights.store import import_weights
from tests.support.noise_weights import set_noise
from tests.support.published_files import small_networks

pytestmark = pytest.mark.slow

SMALL, FULL = "mbf_va_mtl", "enet_b0_8_best_vgaf"
RNG = np.random.default_rng(0)
PAPERS = dict(NETWORKS)
"""The networks as they are."""

CROPS = [RNG.integers(0, 256, (*size, 3), dtype=np.uint8) for size in [(112, 112), (90, 131), (300, 200)]]


def constructed(name: str) -> nn.Module:
    network = build(NETWORKS[name]).eval()
    # without the gain hardly anything of the input gets through an EfficientNet
    set_noise(network, 1.5 if name.startswith("enet_") else 1.0)
    return network


def published(name: str, network: nn.Module, path: Path) -> Path:
    """Saved as the publisher does it: DDAMFN's tensors in a dict, anything else as a whole module."""
    if name.startswith("ddamfn"):
        torch.save({"epoch": 9, "model_state_dict": network.state_dict()}, path)
    else:
        if WEIGHTS[name].outputs == WEIGHTS["enet_b0_8_best_vgaf"].outputs:  # their classifier is a Sequential
            network.classifier = nn.Sequential(network.classifier)
        torch.save(network, path)
    return path


@pytest.fixture(scope="module", autouse=True)
def _networks_of_few_layers(repetitions) -> Iterator[None]:
    """Give all networks but one few layers; with ``--long`` all stay as they are."""
    with contextlib.nullcontext() if repetitions(0, 1) else small_networks(full_size=[FULL]):
        yield


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    return Settings(cache=tmp_path_factory.mktemp("cache"), device="cpu", workers=1)


@pytest.fixture(scope="module")
def imported(settings) -> Callable[[str], nn.Module]:
    """Makes weights, imports them once, and gives the network that they came from."""
    done: dict[str, nn.Module] = {}

    def make(name: str) -> nn.Module:
        if name not in done:
            done[name] = constructed(name)
            path = published(name, copy.deepcopy(done[name]), settings.cache / "published.pt")
            import_weights(name, path, settings, replace=True)
            path.unlink()
        return done[name]

    return make


@pytest.fixture(scope="module")
def encoder_of(imported, settings, repetitions) -> Callable[[str], Encoder]:
    """Return the encoder of a name, made once.

    On a CPU a network becomes a graph first, which takes longer than some pictures do: by default those of few layers
    do, and the one of full size runs as it is. With ``--long`` all become graphs.
    """
    as_graph = {*NETWORKS} if repetitions(0, 1) else {"enet_b2_8", SMALL}

    @functools.cache
    def make(name: str) -> Encoder:
        imported(name)
        encoder = emotiefflib_encoder(name, settings)
        with pytest.MonkeyPatch.context() as patch:
            if name not in as_graph:
                patch.setattr("solutions.encoders.backends.torch.export", None)
            encoder.encode([encoder.prepare(CROPS[0])])  # now the network is made ready
        graph = isinstance(encoder._forward._prepared._run, torch.fx.GraphModule)
        assert graph == (name in as_graph)
        return encoder

    return make


@pytest.fixture(params=NETWORKS)
def name(request) -> str:
    return request.param


@pytest.fixture
def small(encoder_of) -> Encoder:
    return encoder_of(SMALL)


def their_outputs(name: str, network: nn.Module, images: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """What the classifier of a network sees and says, as EmotiEffLib computes it, one image at a time."""
    row = NETWORKS[name]
    mean, std = (np.array(part, np.float32)[:, None, None] for part in (row.preprocessing.mean, row.preprocessing.std))
    seen, said = [], []
    hook = network.get_submodule(row.classifier).register_forward_pre_hook(lambda layer, given: seen.append(given[0]))
    with torch.inference_mode():
        for image in images:
            picture = row.preprocessing.prepare(image).transpose(2, 0, 1).astype(np.float32) / 255
            said.append(network(torch.from_numpy((picture - mean) / std)[None]))
    hook.remove()
    return torch.cat(seen).numpy(), torch.cat(said).numpy()


def test_weights_of_every_network_can_be_had_by_its_name():
    assert set(NETWORKS) <= set(WEIGHTS)
    assert all(("valence" in WEIGHTS[name].outputs) == (row.outputs == 10) for name, row in NETWORKS.items())


def test_published_weights_give_the_original_networks_outputs(name, imported, encoder_of):
    network, encoder = imported(name), encoder_of(name)
    rows = encoder.encode([encoder.prepare(image) for image in CROPS])
    embeddings, logits = their_outputs(name, network, CROPS)
    if name == "ddamfn_8_public":  # Neutral, Happy, Sad, Surprise, Fear, Disgust, Angry, Contempt, by alphabet
        logits = logits[:, [6, 7, 5, 4, 1, 0, 2, 3]]
    columns = spans(encoder.parts)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows[:, columns["embeddings"]], embeddings, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(rows[:, columns["logits"]], logits, rtol=1e-3, atol=1e-4)
    assert np.abs(logits[0] - logits[1]).max() > 1e-3  # they do depend on the image


def test_parts_are_the_tables(name, encoder_of):
    encoder = encoder_of(name)
    row = NETWORKS[name]
    described = [(part.name, part.dim, part.dtype) for part in encoder.parts]
    assert described == [("embeddings", row.embedding, np.float16), ("logits", row.outputs, np.float32)]
    assert encoder.parallel == "batches"
    assert encoder.encode([]).shape == (0, row.embedding + row.outputs)


@pytest.mark.parametrize(
    ("name_", "dim", "outputs"),
    [
        ("enet_b0_8_best_vgaf", 1280, 8), ("enet_b0_8_best_afew", 1280, 8), ("enet_b2_8", 1408, 8),
        ("enet_b0_8_va_mtl", 1280, 10), ("mobilevit_va_mtl", 768, 10), ("mbf_va_mtl", 512, 10),
        ("ddamfn_8", 512, 8), ("ddamfn_8_mtl", 512, 10), ("ddamfn_8_public", 512, 8),
    ],
)  # fmt: skip
def test_dimensions_are_the_papers(name_, dim, outputs):
    row = PAPERS[name_]
    assert (row.embedding, row.outputs) == (dim, outputs)
    with torch.device("meta"):  # shapes without numbers
        classifier = build(row).get_submodule(row.classifier)
    assert (classifier.in_features, classifier.out_features) == (dim, outputs)


def test_a_row_depends_on_its_own_image_only(small, monkeypatch):
    monkeypatch.setattr(small, "batch_size", 4)
    images = [small.prepare(image) for image in CROPS * 2]
    together = small.encode(images)
    np.testing.assert_allclose(small.encode(images[::-1])[::-1], together, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(small.encode(images[5:]), together[5:], rtol=1e-3, atol=1e-4)
    assert np.ptp(together, 0).max() > 1e-2


def test_made_twice_it_is_the_same(small, settings):
    images = [small.prepare(image) for image in CROPS]
    again = emotiefflib_encoder(SMALL, settings)
    assert again.identity() == small.identity()
    np.testing.assert_array_equal(again.encode(images), small.encode(images))


def test_identity_says_what_makes_the_numbers(small):
    identity = small.identity()
    assert json.loads(json.dumps(identity)) == identity
    assert identity["encoder"] == small.name == SMALL
    assert identity["network"] == "mobilefacenet"
    assert identity["preprocessing"] == NETWORKS[SMALL].preprocessing.describe()
    assert identity["execution"] == {"backend": "torch", "precision": "float32", "device": "cpu"}
    assert len(identity["weights"]) == 64


def test_other_weights_are_another_identity(small, settings, tmp_path):
    network = constructed(SMALL)
    with torch.no_grad():
        network.fc.bias += 1
    other = Settings(cache=tmp_path / "other", device="cpu")
    import_weights(SMALL, published(SMALL, network, tmp_path / "other.pt"), other, replace=True)
    assert emotiefflib_encoder(SMALL, other).identity()["weights"] != small.identity()["weights"]


def test_missing_weights_error_names_the_command_to_get_them(name, tmp_path):
    with pytest.raises(MissingDependencyError, match=rf"the weights of {name} are not here.*abaw weights .*{name}"):
        emotiefflib_encoder(name, Settings(cache=tmp_path, device="cpu"))


def test_weights_of_another_network_are_refused(settings, tmp_path):
    mixed_up = Settings(cache=tmp_path, device="cpu")
    path = tmp_path / "b0.pt"
    torch.save(build(NETWORKS["enet_b0_8_best_vgaf"]), path)
    import_weights("enet_b2_8", path, mixed_up, replace=True)
    with pytest.raises(
        SolutionError, match=r"the weights of enet_b2_8 are not those of EfficientNet; found .* missing"
    ):
        emotiefflib_encoder("enet_b2_8", mixed_up)


def test_embeddings_are_kept_in_half_precision_without_harm():
    """The papers' head on features like theirs, those of a SiLU network: few large, most near zero, all above -0.28.

    Rounding to float16 moves a value by 2**-11 of itself at most, far less than the same face's next frame differs by.
    """
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 0.1, (8, 1280))
    labels = rng.integers(0, 8, 6000)
    features = centres[labels] + rng.normal(0, 1, (6000, 1280)) - 0.7
    features = (features / (1 + np.exp(-features)) * rng.gamma(1.0, 1.0, 1280)).astype(np.float32)
    train, test = slice(0, 3000), slice(3000, None)
    head = MLPClassifier((128,), random_state=0)
    for _ in range(6):
        head.partial_fit(features[train], labels[train], classes=range(8))
    exact, halved = (head.predict(values[test]) for values in (features, features.astype(np.float16)))
    right = (exact == labels[test]).mean()
    assert 0.3 < right < 0.9  # hard enough for rounding to matter
    assert (exact == halved).mean() > 0.998
    assert abs((halved == labels[test]).mean() - right) < 0.001


@pytest.mark.real
def test_real_crops_are_told_apart(name, encoder_of, real_faces):
    encoder = encoder_of(name)
    crops = [read_rgb(path) for path in sorted((real_faces / "cropped").rglob("*.jpg"))[::40][:3]]
    prepared = [encoder.prepare(crop) for crop in crops]
    resize = transforms.Resize(NETWORKS[name].preprocessing.size)
    for crop, image in zip(crops, prepared, strict=True):
        np.testing.assert_array_equal(image, np.asarray(resize(Image.fromarray(crop))))
    rows = encoder.encode(prepared)
    assert rows.shape[0] == 3
    assert np.isfinite(rows.astype(np.float16)).all()
    assert np.abs(rows[0] - rows[1]).max() > 1e-3
