"""Encoders by name: each is there, says what it is, and costs nothing until it is used."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from harness.errors import MissingDependencyError, UnknownNameError, UsageError
from harness.settings import Settings
from solutions.encoders.encoder import total_dim
from solutions.encoders.images.emotiefflib import NETWORKS
from solutions.encoders.registry import (
    BACKBONES,
    COMPUTED,
    DESCRIPTIONS,
    TIMM,
    is_audio,
    is_encoder,
    is_text,
    make_encoder,
    make_maker,
    picture_kind,
)
from tests.support.npm_packages import bring_expression

FAMILIES = ("stat:<encoder>", "timm:<model>", "precomputed:<name>", "frames:<backbone>", "flow:<backbone>")
NAMES = sorted(set(DESCRIPTIONS) - {*FAMILIES, *COMPUTED} - {name for name in DESCRIPTIONS if picture_kind(name)})
NEEDS = {"landmarks": "mediapipe", "pose": "mediapipe"}
HEAVY = ("torch", "timm", "mediapipe", "cv2")

IMPORT = f"""
import sys
from solutions.encoders.registry import is_encoder
from solutions.provider import PROVIDER
assert is_encoder("landmarks") and is_encoder("timm:resnet18") and PROVIDER.solutions() and PROVIDER.encoders()
print(*[name for name in {HEAVY} if name in sys.modules])
"""


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(cache=tmp_path, device="cpu", workers=1)


def test_the_list():
    assert {*NAMES, *FAMILIES, *COMPUTED, "flow", "flow-code", "flow-fixed"} == set(DESCRIPTIONS)
    assert {"landmarks", "tiny", "pose", "flow-statistics", *NETWORKS} <= set(NAMES)
    assert all(DESCRIPTIONS.values())


@pytest.mark.parametrize("name", [n for n in NAMES if n not in NETWORKS and not is_audio(n) and not is_text(n)])
def test_every_listed_encoder_fulfils_its_contract(name, settings, tmp_path):
    if name in NEEDS and importlib.util.find_spec(NEEDS[name]) is None:
        pytest.skip(f"the extra {NEEDS[name]!r} is not installed")
    assert is_encoder(name)
    if name == "expression":
        bring_expression(settings, tmp_path)
    encoder = make_encoder(name, settings)
    assert encoder.name == name
    assert encoder.identity()["encoder"] == name
    assert all(part.dtype in (np.float16, np.float32) for part in encoder.parts)
    assert encoder.parallel in ("processes", "threads", "batches")
    assert encoder.batch_size > 0
    images = [np.full((40, 30, 3), shade, np.uint8) for shade in (0, 90, 255)]
    rows = encoder.encode([encoder.prepare(image) for image in images])
    assert (rows.shape, rows.dtype) == ((3, total_dim(encoder.parts)), np.float32)


@pytest.mark.parametrize("name", [*NETWORKS, "expression"])
def test_an_encoder_whose_weights_are_not_here_says_so(name, settings):
    """With weights: ``test_emotiefflib.py``."""
    assert is_encoder(name)
    with pytest.raises(MissingDependencyError, match=f"weights of {name} are not here"):
        make_encoder(name, settings)


def test_timm_name_makes_timm_encoder_on_requested_device(settings, monkeypatch):
    from solutions.encoders.images import timm_network

    made = []
    monkeypatch.setattr(timm_network, "timm_encoder", lambda model, settings: made.append((model, settings.device)))
    make_encoder("timm:resnet18.a1_in1k", settings)
    assert made == [("resnet18.a1_in1k", "cpu")]
    assert is_encoder("timm:resnet18.a1_in1k")


@pytest.mark.parametrize(("wrong", "guess"), [("landmark", "landmarks"), ("Tiny", "tiny"), ("timm", "timm:<model>")])
def test_an_unknown_name_gets_a_guess(wrong, guess, settings):
    assert not is_encoder(wrong)
    with pytest.raises(UnknownNameError, match=rf"unknown encoder '{wrong}'\. Did you mean .*{guess}"):
        make_encoder(wrong, settings)


def test_a_name_like_no_other_gets_the_list(settings):
    with pytest.raises(
        UnknownNameError,
        match=r"unknown encoder 'xq'\. Known: ddamfn_8, .*enet_b0_8_best_vgaf, .*timm:<model>, tiny, wav2vec2\.",
    ):
        make_encoder("xq", settings)


@pytest.mark.parametrize("family", [TIMM, *BACKBONES])
@pytest.mark.parametrize("ask", [lambda name, settings: is_encoder(name), make_encoder])
def test_a_family_without_a_model_is_not_an_encoder(ask, family, settings):
    with pytest.raises(UsageError, match=rf"{family} needs a model's name after the colon, such as {family}resnet18"):
        ask(family, settings)


@pytest.mark.parametrize("name", ["flow", "flow-fixed"])
def test_pictures_are_made_by_name(name, settings):
    assert is_encoder(name)
    maker = make_maker(name, settings)
    assert (maker.name, maker.context, maker.parallel) == (name, 1, "processes")


def test_backbone_takes_the_images_of_its_name_prefix(settings):
    from dataclasses import replace

    pytest.importorskip("solutions.networks.backbones")
    seen = {
        name: make_encoder(name, replace(settings, weights="random")).sees
        for name in ("frames:resnet18.tv_in1k", "flow:resnet18.tv_in1k", "flow-fixed:resnet18.tv_in1k")
    }
    assert list(seen.values()) == ["frames", "flow", "flow-fixed"]
    with pytest.raises(UnknownNameError, match="unknown backbone"):
        make_encoder("frames:resnet-18", settings)


@pytest.mark.parametrize("name", COMPUTED)
def test_computed_features_have_no_encoder(name, settings):
    assert is_encoder(name)
    with pytest.raises(UsageError, match=f"{name} is computed from pose"):
        make_encoder(name, settings)


@pytest.mark.process
def test_listing_imports_no_network_and_no_camera():
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
