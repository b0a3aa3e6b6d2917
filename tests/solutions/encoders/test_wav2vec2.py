"""wav2vec 2.0 and HuBERT: the numbers of torchaudio's and Hugging Face's networks, and no weight unaccounted for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torchaudio

from harness.errors import MissingDependencyError, SolutionError
from harness.settings import Settings
from solutions.encoders.audio import packed, wav2vec2
from solutions.encoders.audio.convolutions import PositionConvolution
from solutions.encoders.audio.wav2vec2 import (
    HUBERT_LARGE,
    STEP,
    WAV2VEC2_BASE,
    WINDOW,
    Architecture,
    Wav2Vec2Encoder,
    load,
    normalised,
    torchaudio_name,
)
from solutions.encoders.registry import make_audio_encoder

GOLDEN = Path(__file__).parents[1] / "golden"
SMALL = {
    "wav2vec2": Architecture("group_norm", False, 16, 2, 4, 24, channels=8, position_kernel=8, position_groups=2),
    "hubert": Architecture("layer_norm", True, 16, 2, 4, 24, channels=8, position_kernel=8, position_groups=2),
}
KINDS = list(SMALL)
Tensors = dict[str, torch.Tensor]


def drawn(shapes: dict[str, tuple[int, ...]]) -> Tensors:
    """Weights from a seed, strong enough that rows differ from moment to moment."""
    rng = np.random.default_rng(7)

    def scale(key: str) -> np.float32:
        return np.float32(0.05 if key.endswith("bias") else 1.5 if "conv_layers" in key else 0.5)

    return {
        key: torch.from_numpy(rng.uniform(-1, 1, shape).astype(np.float32) * scale(key))
        for key, shape in shapes.items()
    }


def sound(seconds: float = 1, seed: int = 8) -> np.ndarray:
    n = int(seconds * 16_000)
    return (np.random.default_rng(seed).normal(0, 0.1, n) * np.linspace(0, 1, n) + 0.02).astype(np.float32)


def golden(kind: str) -> tuple[Tensors, np.ndarray]:
    """Hugging Face's names with their weights, and what its network gives for :func:`sound`."""
    with np.load(GOLDEN / f"{kind}_hf.npz", allow_pickle=False) as content:
        shapes = {
            str(key): tuple(map(int, str(shape).split(",")))
            for key, shape in zip(content["keys"], content["shapes"], strict=True)
        }
        return drawn(shapes), content["rows"]


def own_weights(kind: str, *, bias: bool = False) -> Tensors:
    network = SMALL[kind].build(convolution_bias=bias)
    return drawn({key: tuple(value.shape) for key, value in network.state_dict().items()})


def encoder(kind: str, tensors: Tensors | None = None) -> Wav2Vec2Encoder:
    return Wav2Vec2Encoder(kind, SMALL[kind], tensors or own_weights(kind), "0" * 64, device="cpu")


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_those_of_hugging_faces_network(kind):
    tensors, expected = golden(kind)
    np.testing.assert_allclose(encoder(kind, tensors).encode(sound()), expected, atol=2e-5)
    assert expected.std(0).mean() > 0.05  # rows differ: agreement says something


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("naming", ["base model", "before torch 2"])
def test_names_of_other_versions_mean_the_same(kind, naming):
    tensors, expected = golden(kind)
    if naming == "base model":
        prefix = f"{kind}."
        tensors = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    else:
        norm = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
        for new, old in norm.items():
            tensors = {key.replace(new, old): value for key, value in tensors.items()}
        assert any(key.endswith("weight_g") for key in tensors)
    np.testing.assert_allclose(encoder(kind, tensors).encode(sound()), expected, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_torchaudios_names_are_kept_and_its_letters_left_out(kind):
    tensors = own_weights(kind)
    assert [torchaudio_name(key) for key in tensors] == list(tensors)
    letters = {"aux.weight": torch.zeros(32, 16), "aux.bias": torch.zeros(32)}
    assert (encoder(kind, tensors | letters).encode(sound()) == encoder(kind, tensors).encode(sound())).all()


@pytest.mark.parametrize("seconds", [0.5, 40.3])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_slices_give_what_the_whole_chunk_gives(kind, bias, seconds):
    """The straightforward way: torchaudio's network on the whole chunk, here in float64. 40 s are several slices."""
    tensors = own_weights(kind, bias=bias)
    samples = sound(seconds)
    network = load(SMALL[kind], tensors, kind)
    chunk = torch.from_numpy(normalised(samples))[None]
    with torch.inference_mode():
        theirs = network(chunk)[0][0].numpy()
        exact = network.double()(chunk.double())[0][0].numpy()
    got = encoder(kind, tensors).encode(samples)
    assert (got.dtype, got.shape) == (np.float32, exact.shape)
    rounding = np.abs(theirs - exact)
    assert np.abs(got - exact).mean() < 2 * rounding.mean() + 1e-7
    assert rounding.mean() < 1e-5 < 0.01 < exact.std(0).mean()


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_clips_together_equal_torchaudio_alone(kind, bias):
    """The oracle: torchaudio's network in float64, a clip at a time, without padding."""
    tensors = own_weights(kind, bias=bias)
    clips = [sound(seconds, seed) for seed, seconds in enumerate([0.7, 0.01, 2.3, 0.03, 6, 0.7])]
    network = load(SMALL[kind], tensors, kind)
    got = encoder(kind, tensors).encode_together(clips)
    assert [len(rows) for rows in got] == [(max(len(clip), 80) - WINDOW) // STEP + 1 for clip in clips]
    for clip, rows in zip(clips, got, strict=True):
        if len(rows):
            chunk = torch.from_numpy(normalised(clip))[None]
            with torch.inference_mode():
                theirs = network.float()(chunk)[0][0].numpy()
                exact = network.double()(chunk.double())[0][0].numpy()
            rounding = np.abs(theirs - exact).mean()
            assert np.abs(rows - exact).mean() < 3 * rounding + 1e-6
            assert rounding < 1e-5 < 0.01 < exact.std(0).mean() or len(rows) == 1
    assert encoder(kind, tensors).encode_together([]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_neighbours_change_the_last_bits_alone(kind):
    """As docs/promises.md says; clips at the edges of one row, a long one among them, and one that holds no numbers."""
    own = encoder(kind, own_weights(kind))
    clips = [sound(5, n)[:n] for n in (0, 1, 399, 400, 401, 719, 720, 16_000, 16_001)] + [sound(30), sound(0.5) * 1000]
    alone = [own.encode(clip) for clip in clips]
    assert [len(rows) for rows in alone] == [0, 0, 0, 1, 1, 1, 2, 49, 49, 1499, 24]
    together, reversed_order = own.encode_together(clips), own.encode_together(clips[::-1])[::-1]
    broken = np.full(8_000, np.nan, np.float32)
    beside_broken = own.encode_together([broken, *clips, broken])[1:-1]
    for rows, *others in zip(alone, together, reversed_order, beside_broken, strict=True):
        for other in others:
            np.testing.assert_allclose(other, rows, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_attention_a_few_heads_at_a_time_is_the_same(kind, monkeypatch):
    tensors = own_weights(kind)
    clips = [sound(3), sound(1, 9)]
    expected = encoder(kind, tensors).encode_together(clips)
    monkeypatch.setattr(packed, "_MANY_ROWS", 100)
    monkeypatch.setattr(packed, "_HEADS", 2)
    monkeypatch.setattr(packed, "_ROWS", 33)
    for rows, own in zip(encoder(kind, tensors).encode_together(clips), expected, strict=True):
        np.testing.assert_allclose(rows, own, atol=5e-5)


@pytest.mark.parametrize(("width", "groups"), [(8, 2), (7, 4), (128, 16)])
@pytest.mark.parametrize("n", [1, 5, 300])
def test_position_convolution_equals_torchs(width, groups, n):
    torch.manual_seed(n)
    convolution = torch.nn.Conv1d(32, 32, width, padding=width // 2, groups=groups)
    x = torch.randn(n, 32)
    with torch.inference_mode():
        exact = torch.nn.functional.gelu(convolution.double()(x.T.double())[:, :n].T).numpy()
        got = PositionConvolution(convolution.float())(x).numpy()
    np.testing.assert_allclose(got, exact, atol=5e-6)


@pytest.mark.parametrize("samples", [WINDOW, WINDOW + STEP - 1, WINDOW + STEP, 16_000])
def test_there_is_a_row_for_every_step_whose_window_is_whole(samples):
    assert encoder("hubert").encode(sound(2)[:samples]).shape == ((samples - WINDOW) // STEP + 1, 16)


@pytest.mark.parametrize("samples", [0, 1, WINDOW - 1])
def test_less_than_one_window_gives_no_rows(samples):
    rows = encoder("wav2vec2").encode(sound()[:samples])
    assert (rows.shape, rows.dtype) == ((0, 16), np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_silence_gives_numbers(kind):
    assert np.isfinite(encoder(kind).encode(np.zeros(16_000, np.float32))).all()


def test_loudness_and_offset_are_taken_out():
    samples = sound()
    got = normalised(samples * 3 + np.float32(0.2))
    assert (abs(got.mean()), got.std(), got.dtype) == (
        pytest.approx(0, abs=1e-6),
        pytest.approx(1, abs=1e-5),
        np.float32,
    )
    np.testing.assert_allclose(got, normalised(samples), atol=1e-4)


def test_sound_that_is_hardly_there_is_not_blown_up():
    """Epsilon is added to the variance, as in Hugging Face's feature extractor."""
    samples = sound() * np.float32(1e-4)
    expected = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    np.testing.assert_allclose(normalised(samples), expected, atol=1e-5)
    assert normalised(samples).std() < 0.1


@pytest.mark.parametrize(
    ("architecture", "bundle"),
    [
        (WAV2VEC2_BASE, torchaudio.pipelines.WAV2VEC2_ASR_BASE_960H),
        (HUBERT_LARGE, torchaudio.pipelines.HUBERT_ASR_LARGE),
    ],
)
def test_sizes_are_torchaudios(architecture, bundle, monkeypatch):
    asked: dict[str, object] = {}
    monkeypatch.setattr(
        "torchaudio.models.wav2vec2_model", lambda **arguments: asked.update(arguments) or torch.nn.Identity()
    )
    architecture.build(convolution_bias=False)
    unused = {"aux_num_out", "encoder_layer_drop", *(name for name in asked if name.endswith("dropout"))}
    assert asked.keys() == bundle._params.keys()
    assert {k: v for k, v in asked.items() if k not in unused} == {
        k: v for k, v in bundle._params.items() if k not in unused
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", ["missing", "unexpected", "shape", "twice", "other kind"])
def test_weights_of_another_network_are_refused(kind, fault):
    tensors = own_weights(kind)
    key = "encoder.transformer.layers.1.attention.q_proj.weight"
    if fault == "missing":
        del tensors[key]
    elif fault == "unexpected":
        tensors["encoder.transformer.layers.2.attention.q_proj.weight"] = tensors[key]
    elif fault == "shape":
        tensors[key] = tensors[key][:, :-1]
    elif fault == "twice":
        tensors["wav2vec2.encoder.layers.1.attention.q_proj.weight"] = tensors[key]
    else:
        tensors = own_weights("hubert" if kind == "wav2vec2" else "wav2vec2")
    with pytest.raises(SolutionError, match=kind):
        encoder(kind, tensors)


def test_the_identity_names_weights_chunks_and_normalisation():
    identity = encoder("hubert").identity()
    assert identity["weights"] == "0" * 64
    assert identity["chunk_seconds"] == 360
    assert identity["encoder"] == "hubert"
    assert identity["dtype"] == "float16"


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_keeps_every_decision(kind):
    """What the cache stores: a linear head on rows that went through float16 says the same."""
    rows = encoder(kind).encode(sound(20))
    head = np.random.default_rng(0).normal(size=(16, 8))
    stored = rows.astype(np.float16).astype(np.float64)
    np.testing.assert_allclose(stored, rows, rtol=2**-11, atol=1e-6)
    assert np.mean((stored @ head).argmax(1) == (rows @ head).argmax(1)) > 0.998


@pytest.mark.parametrize("kind", KINDS)
def test_without_weights_it_says_how_to_get_them(kind, tmp_path):
    with pytest.raises(MissingDependencyError, match="abaw weights fetch"):
        make_audio_encoder(kind, Settings(cache=tmp_path, device="cpu"))


@pytest.mark.parametrize("kind", KINDS)
def test_weights_that_were_imported_are_used(kind, tmp_path, monkeypatch):
    from solutions.weights.store import import_weights

    source, _ = wav2vec2.ENCODERS[kind]
    monkeypatch.setitem(wav2vec2.ENCODERS, kind, (source, SMALL[kind]))
    tensors, expected = golden(kind)
    torch.save(tensors, tmp_path / "pytorch_model.bin")
    settings = Settings(cache=tmp_path / "cache", device="cpu")
    imported = import_weights(source, tmp_path / "pytorch_model.bin", settings, replace=True)
    made = make_audio_encoder(kind, settings)
    np.testing.assert_allclose(made.encode(sound()), expected, atol=2e-5)
    assert made.identity()["weights"] == imported.sha256
