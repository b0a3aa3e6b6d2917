"""Files held against what is published of them. All files are made here, and real git gives their object ids."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pytest
import torch
from click.testing import CliRunner

from harness.errors import DataError
from harness.settings import Settings
from harness.system.provenance import git_blob_of, sha256_of
from solutions.encoders.affectnet import CLASSES
from solutions.encoders.images.emotiefflib import NETWORKS, emotiefflib_encoder
from solutions.weights.command import weights
from solutions.weights.registry import WEIGHTS
from solutions.weights.store import import_weights, is_here, load_weights
from tests.support.noise_weights import set_noise
from tests.support.published_files import build, small_networks

NAME = "enet_b0_8_va_mtl"
OTHER = "enet_b0_8_best_vgaf"
UNKNOWN = "ddamfn_8"  # nobody published a hash of its file
PUBLIC = "ddamfn_8_public"


def checkpoint(path, outputs, layer="classifier", seed=0):
    """Write a module saved whole, whose last layer has so many outputs, 16 kB."""
    generator = torch.Generator().manual_seed(seed)
    last = torch.nn.Linear(400, outputs)
    with torch.no_grad():
        last.weight.copy_(torch.rand(last.weight.shape, generator=generator))
    torch.save({"model_state_dict": {f"{layer}.weight": last.weight, f"{layer}.bias": last.bias}}, path)
    return path


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A file that the registry knows under NAME, as it knows the real one."""
    path = checkpoint(tmp_path / "published.pt", 10)
    known = replace(WEIGHTS[NAME], git_blob=git_blob_of(path), size=path.stat().st_size, size_is_exact=True)
    monkeypatch.setitem(WEIGHTS, NAME, known)
    return path


def test_git_blob_is_the_id_that_git_gives(tmp_path):
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed")
    for content in (b"", b"abc\n", bytes(range(256)) * 5000):
        path = tmp_path / "content"
        path.write_bytes(content)
        asked = subprocess.run([git, "hash-object", "--no-filters", path], capture_output=True, text=True, check=True)
        assert git_blob_of(path) == asked.stdout.strip()


def test_git_blob_of_an_empty_file_is_gits_known_id(tmp_path):
    (tmp_path / "empty").touch()
    assert git_blob_of(tmp_path / "empty") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"


def test_published_file_is_taken(published, settings):
    assert import_weights(NAME, published, settings).sha256 == sha256_of(published)


def test_one_flipped_byte_is_refused(published, settings, tmp_path):
    content = bytearray(published.read_bytes())
    content[len(content) // 2] ^= 1
    damaged = tmp_path / "damaged.pt"
    damaged.write_bytes(content)
    message = rf"not the published file of {NAME}; found git blob {git_blob_of(damaged)}, expected git blob "
    with pytest.raises(DataError, match=message + git_blob_of(published)):
        import_weights(NAME, damaged, settings)
    assert not is_here(NAME, settings)
    import_weights(NAME, published, settings)


def test_one_flipped_byte_of_an_unknown_file_is_refused(settings, tmp_path):
    path = checkpoint(tmp_path / "file.pth", 8, "fc")
    content = bytearray(path.read_bytes())
    content[content.index(b"data/0") + 4000] ^= 1  # among the numbers
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"file\.pth: not readable as weights"):
        import_weights(UNKNOWN, path, settings)


def test_truncated_file_is_refused_with_both_sizes(published, settings, tmp_path):
    content = published.read_bytes()
    cut = tmp_path / "cut.pt"
    cut.write_bytes(content[:9000])
    message = rf"not the published file .*It has 9,000 bytes, where the published file has {len(content):,}: perhaps a"
    with pytest.raises(DataError, match=message):
        import_weights(NAME, cut, settings)
    with pytest.raises(DataError, match="not readable as weights"):
        import_weights(NAME, cut, settings, replace=True)
    assert not is_here(NAME, settings)


def test_truncated_unknown_file_is_refused(settings, tmp_path):
    path = checkpoint(tmp_path / "file.pth", 8, "fc")
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(DataError, match=r"file\.pth: not readable as weights"):
        import_weights(UNKNOWN, path, settings)
    assert not is_here(UNKNOWN, settings)


@pytest.mark.parametrize("replace_it", [False, True])
def test_seven_classes_under_an_eight_class_name_are_refused(settings, tmp_path, replace_it):
    path = checkpoint(tmp_path / "affectnet7.pth", 7, "fc")
    with pytest.raises(
        DataError, match=rf"not the weights of {UNKNOWN}; found 7 outputs, expected 8 outputs: AffectNet"
    ):
        import_weights(UNKNOWN, path, settings, replace=replace_it)
    assert not is_here(UNKNOWN, settings)
    right = checkpoint(tmp_path / "affectnet8.pth", 8, "fc")
    assert import_weights(UNKNOWN, right, settings).sha256 == sha256_of(right)  # and needs no replace


def test_file_without_the_last_layer_is_refused(settings, tmp_path):
    path = checkpoint(tmp_path / "other.pth", 8, "head")
    with pytest.raises(DataError, match=r"found no last layer fc\.weight, expected 8 outputs"):
        import_weights(UNKNOWN, path, settings)


def test_published_file_is_taken_whatever_was_recorded(published, settings, tmp_path):
    wrong = checkpoint(tmp_path / "wrong.pt", 10, seed=1)
    import_weights(NAME, wrong, settings, replace=True)
    with pytest.raises(DataError, match=r"not the file that .* came from"):
        import_weights(NAME, checkpoint(tmp_path / "third.pt", 10, seed=2), settings)
    import_weights(NAME, published, settings)
    assert load_weights(NAME, settings).sha256 == sha256_of(published)


def test_file_of_another_name_is_refused_by_its_name(published, settings):
    message = rf"the published file of {NAME} .*, not of {OTHER}.*Run: abaw weights import {NAME} .*published\.pt"
    for replace_it in (False, True):
        with pytest.raises(DataError, match=message):
            import_weights(OTHER, published, settings, replace=replace_it)
    assert not is_here(OTHER, settings)


def test_command_says_why_and_ends_with_an_error(settings, tmp_path):
    path = checkpoint(tmp_path / "affectnet7.pth", 7, "fc")
    done = CliRunner().invoke(weights, ["import", UNKNOWN, str(path), "--cache", str(settings.cache)])
    assert isinstance(done.exception, DataError)
    assert done.exception.exit_code == 1


def test_public_ddamfn_has_its_own_order_and_address():
    entry = WEIGHTS[PUBLIC]
    assert "Neutral, Happy, Sad, Surprise, Fear, Disgust, Angry, Contempt" in entry.outputs
    assert entry.git_blob == "b8dce63bfc249c270cd09f5adc34cf7948954b1f"
    assert "SainingZhang/DDAMFN/blob/cebfe5c5969b7d1fd64ecd775e318d3834ca76bb/" in entry.url
    assert "SainingZhang" not in WEIGHTS[UNKNOWN].page  # which is another file, that nobody publishes


def test_public_ddamfn_encoder_says_classes_by_alphabet(tmp_path):
    theirs = ["Neutral", "Happiness", "Sadness", "Surprise", "Fear", "Disgust", "Anger", "Contempt"]
    settings = Settings(cache=tmp_path, device="cpu", workers=1)
    with small_networks():
        network = build(NETWORKS[PUBLIC])
        set_noise(network, 1.0)
        with torch.no_grad():  # whatever the image, the bias decides
            network.fc.weight.zero_()
            network.fc.bias.copy_(torch.arange(8.0))
        torch.save({"model_state_dict": network.state_dict()}, tmp_path / "public.pth")
        import_weights(PUBLIC, tmp_path / "public.pth", settings, replace=True)
        encoder = emotiefflib_encoder(PUBLIC, settings)
        rows = encoder.encode([torch.zeros(112, 112, 3, dtype=torch.uint8).numpy()])
    logits = dict(zip(CLASSES, rows[0, -8:].tolist(), strict=True))
    assert {name: round(value, 3) for name, value in logits.items()} == {name: k for k, name in enumerate(theirs)}
    assert encoder.identity()["order"] == "Anger, Contempt, Disgust, Fear, Happiness, Neutral, Sadness, Surprise"
