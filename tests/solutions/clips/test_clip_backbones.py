"""Every backbone gives one row per frame, from its published weights, constructed here, or from random ones."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from torchvision.models import video as torchvision

import tests.support.drawn_films as films
from harness.errors import MissingDependencyError, SolutionError, UnknownNameError
from harness.settings import Settings
from solutions.encoders.images.backbone import image_encoder
from solutions.networks.backbones import BACKBONES, make_backbone
from solutions.networks.clips import stretched
from solutions.weights.registry import WEIGHTS
from solutions.weights.store import import_weights

pytestmark = pytest.mark.slow

RANDOM = Settings(device="cpu", weights="random")
PICTURES = [name for name, row in BACKBONES.items() if row.video is None]
CLIPS = [name for name in BACKBONES if name not in PICTURES]
OF_TORCHVISION = {
    "r3d_18.kinetics400": (torchvision.r3d_18, torchvision.R3D_18_Weights.KINETICS400_V1, "fc"),
    "s3d.kinetics400": (torchvision.s3d, torchvision.S3D_Weights.KINETICS400_V1, "classifier"),
    "r2plus1d_18.kinetics400": (torchvision.r2plus1d_18, torchvision.R2Plus1D_18_Weights.KINETICS400_V1, "fc"),
    "swin3d_t.kinetics400": (torchvision.swin3d_t, torchvision.Swin3D_T_Weights.KINETICS400_V1, "head"),
}


def clip(b: int = 2, t: int = 8, size: int = 32) -> torch.Tensor:
    return torch.randint(0, 256, (b, t, size, size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module", params=BACKBONES)
def backbone(request):
    """Return each backbone with few layers."""
    with films.small_backbones():
        return make_backbone(request.param, RANDOM, size=32).eval()


@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_of_full_size_has_its_declared_columns(name):
    with torch.device("meta"), torch.inference_mode():  # shapes without numbers
        backbone = make_backbone(name, RANDOM, size=32).eval()
        assert backbone(torch.empty((2, 8, 32, 32, 3), dtype=torch.uint8)).shape == (2, 8, BACKBONES[name].dim)


@pytest.fixture(scope="module")
def rows(backbone) -> torch.Tensor:
    """Return what the backbone gives for two clips."""
    with torch.inference_mode():
        return backbone(clip())


@pytest.fixture
def _few_layers():
    """Give backbones few layers, for what does not depend on their size."""
    with films.small_backbones():
        yield


few_layers = pytest.mark.usefixtures("_few_layers")


def test_a_row_a_frame(backbone, rows):
    with torch.inference_mode():
        again = backbone(clip())
    assert (rows.shape, rows.dtype) == ((2, 8, backbone.dim), torch.float32)
    assert rows.isfinite().all()
    assert torch.equal(rows, again)
    assert backbone.clipwise == (backbone.name in CLIPS)


def test_a_clips_rows_are_its_own(backbone, rows):
    with torch.inference_mode():
        alone = backbone(clip()[1:])
    torch.testing.assert_close(rows[1:], alone, atol=1e-4, rtol=1e-4)


def test_row_depends_on_its_image_or_on_the_clip_by_backbone(backbone, rows):
    changed = clip(1)
    changed[:, 0] = 255 - changed[:, 0]
    with torch.inference_mode():
        moved = (backbone(changed) - backbone(clip(1))).abs().amax(2)[0]
    assert moved[0] > 0
    assert (moved[1:] > 1e-3 * moved[0]).any() == backbone.clipwise


def test_identity_is_plain_data_and_says_that_weights_are_random(backbone):
    identity = backbone.identity()
    assert json.loads(json.dumps(identity)) == identity
    assert (identity["backbone"], identity["pretrained"]) == (backbone.name, False)
    assert len(identity["weights"]) == 64
    assert identity["preprocessing"]["size"] == [32, 32]


@few_layers
def test_what_it_started_from_is_saved_with_its_weights():
    started = make_backbone("resnet18.tv_in1k", RANDOM)
    started.pretrained.fill_(True)
    again = make_backbone("resnet18.tv_in1k", RANDOM)
    again.load_state_dict(started.state_dict())
    assert again.identity() == started.identity()
    assert again.identity()["pretrained"] is True


@few_layers
@pytest.mark.parametrize("name", ["resnet18.tv_in1k", "s3d.kinetics400"])
def test_random_weights_are_the_same_each_time(name):
    first = make_backbone(name, RANDOM).identity()
    torch.manual_seed(5)
    assert make_backbone(name, RANDOM).identity() == first


@few_layers
@pytest.mark.parametrize("name", ["resnet18.tv_in1k", "videomae-small"])
def test_gradients_reach_the_first_layer(name):
    backbone = make_backbone(name, RANDOM, size=32).train()
    backbone(clip()).square().sum().backward()
    assert next(backbone.parameters()).grad.abs().sum() > 0


@pytest.mark.parametrize("name", [name for name in PICTURES if name != "convnext_tiny.fb_in1k"])  # the same network
def test_pictures_go_through_timms_network_one_by_one(name):
    backbone = make_backbone(name, RANDOM, size=64, normalisation="own").eval()
    whole = timm.create_model(name.partition(".")[0], pretrained=False).eval()
    loaded = whole.load_state_dict(backbone.network.state_dict(), strict=False)
    assert not loaded.unexpected_keys
    config = timm.models.get_pretrained_cfg(name)
    colours = (clip(size=64).float() / 255 - torch.tensor(config.mean)) / torch.tensor(config.std)
    with torch.inference_mode():
        expected = whole.forward_head(whole.forward_features(colours[1].permute(0, 3, 1, 2)), pre_logits=True)
        torch.testing.assert_close(backbone(clip(size=64))[1], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", OF_TORCHVISION)
def test_clips_go_through_torchvisions_network(name):
    """What its classifier sees is the mean over time of our rows before they are stretched."""
    make, weights, classifier = OF_TORCHVISION[name]
    backbone, whole = make_backbone(name, RANDOM, size=32, normalisation="own").eval(), make().eval()
    loaded = whole.load_state_dict(backbone.network.network.state_dict(), strict=False)
    assert not loaded.unexpected_keys
    assert all(key.startswith(classifier) for key in loaded.missing_keys)
    transform = weights.transforms()
    mean, std = torch.tensor(transform.mean), torch.tensor(transform.std)
    seen = []
    whole.avgpool = torch.nn.AdaptiveAvgPool3d(1)  # s3d's own covers 224 pixels
    whole.get_submodule(classifier).register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        whole(((clip(1, 8).float() / 255 - mean) / std).permute(0, 4, 1, 2, 3))
        ours = backbone.network(backbone.preprocessing.normalise(clip(1, 8)[0])[None].transpose(1, 2))
    torch.testing.assert_close(ours.mean(2), seen[0].flatten(1), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", OF_TORCHVISION)
def test_torchvisions_files_and_colours_are_its_own(name):
    weights = OF_TORCHVISION[name][1]
    entry, row, transform = WEIGHTS[name], BACKBONES[name], weights.transforms()
    assert entry.url == weights.url
    assert entry.size == pytest.approx(weights.meta["_file_size"] * 2**20, rel=1e-3)
    assert f"-{entry.sha256}." in entry.file
    assert (row.mean, row.std) == (pytest.approx(transform.mean), pytest.approx(transform.std))


@few_layers
def test_colours_are_imagenets_unless_own_are_requested():
    paper, own = (
        make_backbone("slowfast_r50", RANDOM, normalisation=which).preprocessing for which in ("imagenet", "own")
    )
    assert (paper.mean, paper.std, paper.size) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), (224, 224))
    assert (own.mean, own.std) == ((0.45, 0.45, 0.45), (0.225, 0.225, 0.225))


def test_rows_are_stretched_linearly_between_frame_centres():
    rows = torch.tensor([[[0.0, 4.0]]])
    assert stretched(rows, 8).flatten().tolist() == [0, 0, 0.5, 1.5, 2.5, 3.5, 4, 4]
    assert stretched(rows, 2) is rows
    assert stretched(torch.ones(1, 1, 1), 5).flatten().tolist() == [1] * 5


@few_layers
@pytest.mark.parametrize("name", ["swin3d_t.kinetics400", "slowfast_r50", "videomae-small", "videomae-crime"])
def test_published_weights_go_in_to_the_last_one(name, tmp_path):
    """A file as it is published, of random numbers: with a classifier, wrapped, by the publisher's names."""
    settings = Settings(device="cpu", cache=tmp_path)
    network = make_backbone(name, RANDOM).network.network
    state = {key: value + 1 if value.is_floating_point() else value for key, value in network.state_dict().items()}
    torch.save(as_published(name, state), tmp_path / "file.pth")
    import_weights(name, tmp_path / "file.pth", settings, replace=True)
    loaded = make_backbone(name, settings)
    assert loaded.identity()["pretrained"] is True
    got = loaded.network.network.state_dict()
    assert got.keys() == state.keys()
    assert all(torch.equal(got[key], value) for key, value in state.items())


def as_published(name: str, state: dict[str, torch.Tensor]) -> dict:
    if name.startswith("videomae"):
        state = {key.replace("query.bias", "q_bias").replace("value.bias", "v_bias"): x for key, x in state.items()}
        state = {f"videomae.{key}": value for key, value in state.items()}
        return state | {"fc_norm.weight": torch.ones(4), "classifier.weight": torch.ones(2, 4)}
    if name == "slowfast_r50":
        state = state | {"blocks.6.proj.weight": torch.ones(400, 2304), "blocks.6.proj.bias": torch.ones(400)}
        return {"model_state": state, "epoch": 195}
    classifier = {"s3d": "classifier.1", "swi": "head"}.get(name[:3], "fc")
    return state | {f"{classifier}.weight": torch.ones(2, 4), f"{classifier}.bias": torch.ones(2)}


@few_layers
def test_weights_of_another_network_are_refused(tmp_path):
    settings = Settings(device="cpu", cache=tmp_path)
    state = make_backbone("s3d.kinetics400", RANDOM).network.network.state_dict()
    del state["features.0.0.0.weight"]
    torch.save(state, tmp_path / "file.pth")
    import_weights("s3d.kinetics400", tmp_path / "file.pth", settings, replace=True)
    with pytest.raises(SolutionError, match=r"weights of s3d\.kinetics400 .*1 missing: features\.0\.0\.0\.weight"):
        make_backbone("s3d.kinetics400", settings)


@pytest.mark.parametrize("name", CLIPS)
def test_weights_that_are_not_here_are_said_with_a_command(name, tmp_path):
    with pytest.raises(MissingDependencyError, match=f"abaw weights fetch {name}"):
        make_backbone(name, Settings(cache=tmp_path))


def test_an_unknown_backbone_gets_a_guess():
    with pytest.raises(UnknownNameError, match=r"unknown backbone 'r3d_18'\. Did you mean r3d_18\.kinetics400"):
        make_backbone("r3d_18", RANDOM)


@few_layers
@pytest.mark.parametrize(("t", "size"), [(7, 32), (8, 40)])
def test_videomae_says_what_it_can_not_cut_into_tubes(t, size):
    backbone = make_backbone("videomae-small", RANDOM)
    with pytest.raises(SolutionError, match=rf"found {t} frames of {size} x {size} pixels, expected an even number"):
        backbone(clip(1, t, size))


@few_layers
class TestImageEncoder:
    """A backbone of pictures as an encoder that caches."""

    def test_encoder_rows_equal_the_backbone_before_further_training(self):
        backbone = make_backbone("resnet18.tv_in1k", RANDOM, size=32).eval()
        encoder = image_encoder("frames:tuned", backbone, RANDOM)
        pictures = clip(1, 10)
        with torch.no_grad():
            expected = backbone(pictures)[0].numpy()
            next(backbone.parameters()).mul_(2)  # trained further
            moved = backbone(pictures)[0].numpy()
        rows = encoder.encode([encoder.prepare(picture) for picture in pictures[0].numpy()])
        assert encoder.parts[0].dtype == np.float32
        np.testing.assert_allclose(rows, expected, atol=1e-5, rtol=1e-5)
        assert np.abs(rows - moved).max() > 1e-2

    def test_its_identity_has_the_weights_that_it_was_made_with(self):
        backbone = make_backbone("resnet18.tv_in1k", RANDOM, size=32)
        encoder = image_encoder("frames:resnet18.tv_in1k", backbone, RANDOM)
        identity = encoder.identity()
        assert identity["encoder"] == "frames:resnet18.tv_in1k"
        assert identity["weights"] == backbone.identity()["weights"]
        with torch.no_grad():
            next(backbone.parameters()).mul_(2)
        tuned = image_encoder("frames:resnet18.tv_in1k", backbone, RANDOM)
        assert tuned.identity()["weights"] != identity["weights"]
        assert backbone.network.training  # what it was made from goes on as it was
        assert next(backbone.parameters()).requires_grad

    def test_a_backbone_of_clips_has_no_row_for_a_frame(self):
        backbone = make_backbone("s3d.kinetics400", RANDOM)
        with pytest.raises(SolutionError, match=r"s3d\.kinetics400 sees whole clips"):
            image_encoder("frames:s3d.kinetics400", backbone, RANDOM)


@few_layers
def test_precision_and_backend_are_the_encoders(tmp_path):
    backbone = make_backbone("resnet18.tv_in1k", RANDOM, size=32)
    half = image_encoder("frames:x", backbone, replace(RANDOM, precision="bfloat16"))
    assert half.identity()["execution"]["precision"] == "bfloat16"
