"""Training clip networks: what is learned, which rate each part has, and that a kill costs an epoch at most."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch

import tests.support.drawn_films as films
from harness.errors import SolutionError, UsageError
from harness.settings import Settings
from solutions.cache.features import FeatureSource
from solutions.clips import checkpoint as checkpoint_module
from solutions.clips import training as training_module
from solutions.clips.checkpoint import load_epoch
from solutions.clips.clips import PictureClips
from solutions.clips.optimiser import at_full_rate, make_optimiser, set_rates
from solutions.clips.schedule import Plan
from solutions.clips.settings import ClipNetwork, ClipStream, ClipTraining, Windows
from solutions.clips.training import exact_float32, train_clips, training_note
from solutions.streams.clips import FittedClips
from tests.support.places import REPOSITORY
from tests.support.tiny_clips import PLAIN, drawn, feature_clips, folder_of_pictures, head_net, tiny_net

pytestmark = pytest.mark.slow

BOTH = ClipNetwork(rgb="tiny", flow="tiny", fusion="concat", head="bilstm", hidden=4, layers=1, fused=4)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Networks this small gain nothing from a second thread, and a power cut is not what is tested here."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def train(folder, training=PLAIN, clips=None, net=None, seed=0, **more):
    """Weights of each kept epoch, as bytes, and the network."""
    net = net or head_net(dropout=0.2)
    paths = train_clips(net, training, clips or drawn([60, 33, 7]), seed=seed, folder=folder, **more)
    return [path.read_bytes() for path in paths], net


# What is learned


def planted(n_videos: int, seed: int):
    """A frame is violent while the sign of a noisy signal has been the same for the frames around it.

    The signal of a single frame says nothing: both signs are as likely in either class.
    """
    rng = np.random.default_rng(seed)
    labels, values = [], []
    for _ in range(n_videos):
        truth = np.repeat(rng.integers(0, 2, 8), 20)
        sign = np.where(truth == 1, np.repeat(rng.choice([-1, 1], 8), 20), np.tile([-1, 1], 80))
        labels.append(truth)
        values.append(np.stack([sign + rng.normal(0, 0.3, 160), rng.normal(size=160)], 1).astype(np.float32))
    return feature_clips(labels, values)


def accuracy(net, clips) -> float:
    hits = []
    for video, truth in enumerate(clips.labels):
        rows = torch.from_numpy(clips.read(video, np.arange(len(truth)))["x"])[None]
        with torch.inference_mode():
            hits.append((net({"x": rows})[0].argmax(1).numpy() == truth).mean())
    return float(np.mean(hits))


@pytest.mark.parametrize("mode", ["paper", "fixed"])
def test_temporal_head_learns_what_single_frames_lack(tmp_path, mode):
    training = replace(PLAIN, mode=mode, clip_length=32, batch=4, epochs=6 if mode == "fixed" else 25)
    found = {}
    for head in ("tcn", "conv1d"):
        net = head_net(head, dim=2)
        train_clips(net, training, planted(16, seed=0), seed=0, folder=tmp_path / head)
        found[head] = accuracy(net, planted(8, seed=1))
    assert found["tcn"] > 0.85
    assert found["conv1d"] < 0.7


def test_pictures_are_learned_end_to_end(tmp_path):
    rng = np.random.default_rng(0)
    pictures, labels = [], []
    for k in range(3):
        truth = np.repeat(rng.integers(0, 2, 6), 5)
        grey = dict(enumerate((60 + 120 * truth + rng.integers(-20, 20, 30)).tolist(), 1))
        pictures.append(folder_of_pictures(tmp_path / f"v{k}", grey))
        labels.append(truth)
    clips = PictureClips(["a", "b", "c"], labels, {"rgb": pictures}, 8)
    settings = ClipNetwork(rgb="tiny", head="conv1d", dropout=0.0, size=8)
    training = replace(PLAIN, epochs=15, learning_rate=0.05, encoder_rate=0.5, augment="flip")
    net = tiny_net(settings)
    before = net.encoders["rgb"].network["stem"].weight.detach().clone()
    train_clips(net, training, clips, seed=0, folder=tmp_path / "out")
    assert not torch.equal(before, net.encoders["rgb"].network["stem"].weight)
    assert not net.training
    hits = []
    for video, truth in enumerate(labels):
        given = {"rgb": torch.from_numpy(clips.read(video, np.arange(30))["rgb"])[None]}
        with torch.inference_mode():
            hits.append((net(given)[0].argmax(1).numpy() == truth).mean())
    assert np.mean(hits) > 0.9


# Rates


def test_in_mode_paper_names_decide_and_in_mode_fixed_modules_do():
    names = [name for name, _ in tiny_net(BOTH).named_parameters()]
    full = {mode: {name for name in names if at_full_rate(name, mode)} for mode in ("paper", "fixed")}
    encoders = {name for name in names if name.startswith("encoders.")}
    fusion = {name for name in names if name.startswith("fusion.")}
    assert fusion
    assert full["fixed"] == {*names} - encoders
    assert {name for name in full["paper"] if name in encoders} == {
        f"encoders.{key}.network.{layer}.{kind}"
        for key in ("rgb", "flow")
        for layer in ("head.norm", "conv_head")
        for kind in ("weight", "bias")
    }
    assert full["paper"] - encoders == {*names} - encoders - fusion


@pytest.mark.parametrize(
    ("backbone", "full"),
    [
        ("convnext_tiny", {"head.norm.weight", "head.norm.bias"}),
        ("efficientnet_b0", {"conv_head.weight"}),
        ("resnet18", set()),
    ],
)
def test_paper_mode_trains_some_timm_layers_at_full_rate(backbone, full):
    with torch.device("meta"):
        network = timm.create_model(backbone, num_classes=0)
    names = [name for name, _ in network.named_parameters()]
    assert {name for name in names if at_full_rate(f"encoders.rgb.network.{name}", "paper")} == full


def test_groups_cover_each_parameter_once_without_bias_decay():
    net = tiny_net(BOTH)
    training = replace(PLAIN, encoder_rate=0.15, weight_decay=5e-4)
    groups = make_optimiser(net, training).param_groups
    assert sorted(id(p) for group in groups for p in group["params"]) == sorted(id(p) for p in net.parameters())
    for group in groups:
        for parameter in group["params"]:
            assert group["weight_decay"] == (5e-4 if parameter.ndim > 1 else 0)
    encoders = {id(p) for p in net.encoders.parameters()}
    for group in groups:
        assert {group["rate"]} == {0.15 if id(p) in encoders else 1.0 for p in group["params"]}


def test_rates_are_set_by_group_and_momentum_with_its_cycle():
    net = tiny_net(BOTH)
    training = replace(
        PLAIN, optimiser="sgd", learning_rate=0.05, warm_up=0.5, encoder_rate=0.1, momentum_cycle=(0.85, 0.95)
    )
    optimiser = make_optimiser(net, training)
    assert all(group["nesterov"] for group in optimiser.param_groups)
    plan = Plan.of(training, 16)
    set_rates(optimiser, training, plan, 0)
    assert {group["rate"] for group in optimiser.param_groups} == {0.1, 1.0}
    assert all(group["lr"] == pytest.approx(0.002 * group["rate"]) for group in optimiser.param_groups)
    assert {group["momentum"] for group in optimiser.param_groups} == {0.95}
    set_rates(optimiser, training, plan, 5)
    assert max(group["lr"] for group in optimiser.param_groups) == pytest.approx(0.05)
    assert all(group["momentum"] == pytest.approx(0.85) for group in optimiser.param_groups)


# Bytes


def test_same_seed_same_bytes_and_another_seed_others(tmp_path):
    one, _ = train(tmp_path / "one")
    assert len(one) == 3
    assert train(tmp_path / "two")[0] == one
    assert train(tmp_path / "other", seed=1)[0] != one


def test_torch_s_own_random_numbers_are_left_as_they_were(tmp_path):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    train(tmp_path)
    assert torch.equal(before, torch.get_rng_state())


class Killed(Exception):
    pass


@pytest.mark.parametrize(("keep", "optimiser"), [("best", "adamw"), ("last", "sgd")])
def test_training_resumes_to_same_bytes_after_any_write(tmp_path, monkeypatch, keep, optimiser):
    """Broken off before each thing that is ever written."""
    training = replace(PLAIN, keep=keep, optimiser=optimiser)
    expected, _ = train(tmp_path / "undisturbed", training)
    assert len(expected) == (3 if keep == "best" else 1)
    for writes in range(8):  # three of weights, two of the optimiser, three of what is done
        folder = tmp_path / f"broken-{writes}"
        with monkeypatch.context() as patch:
            allowed = iter(range(writes))
            for name in ("atomic_file", "write_text"):
                patch.setattr(checkpoint_module, name, until_killed(getattr(checkpoint_module, name), allowed))
            with pytest.raises(Killed):
                train(folder, training)
        assert train(folder, training)[0] == expected
        kept = [f"epoch-{k:03}.safetensors" for k in ((1, 2, 3) if keep == "best" else (3,))]
        assert sorted(path.name for path in folder.iterdir()) == [*kept, "training.json"]


def until_killed(write, allowed):
    """A way of writing that works so many times."""

    def counted(*arguments):
        if next(allowed, None) is None:
            raise Killed
        return write(*arguments)

    return counted


@pytest.mark.process
def test_a_real_kill(tmp_path):
    """SIGKILL in the second epoch, to a process of its own; then on to the same bytes."""
    expected, _ = train(tmp_path / "undisturbed")
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.support.tiny_clips import PLAIN, killed_training\n"
        "killed_training(Path(sys.argv[1]), PLAIN, reads=6)\n"
    )
    folder = tmp_path / "killed"
    worker = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        cwd=REPOSITORY,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert worker.returncode == -signal.SIGKILL
    assert [path.name for path in folder.glob("epoch-*")] == ["epoch-001.safetensors"]
    assert train(folder)[0] == expected


def test_a_finished_training_is_taken_as_it_is(tmp_path):
    expected, net = train(tmp_path)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again, other = train(tmp_path)
    assert again == expected
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("change", ["training", "labels", "weights", "seed"])
def test_another_training_s_files_are_not_gone_on_with(tmp_path, change):
    fewer = replace(PLAIN, epochs=5)
    train(tmp_path / "used", fewer)
    clips = drawn([60, 33, 7])
    if change == "labels":
        clips.labels[0][:5] = -1
    given = {
        "training": replace(PLAIN, learning_rate=0.02),
        "clips": clips if change == "labels" else None,
        "net": head_net(dropout=0.2, seed=9) if change == "weights" else None,
        "seed": 4 if change == "seed" else 0,
    }
    fresh, _ = train(tmp_path / "fresh", **given)
    given["net"] = head_net(dropout=0.2, seed=9) if change == "weights" else None
    assert train(tmp_path / "used", **given)[0] == fresh
    assert len(list((tmp_path / "used").glob("epoch-*"))) == 3


def test_epoch_weights_are_loaded_and_other_networks_refused(tmp_path):
    _, net = train(tmp_path)
    other = head_net(dropout=0.2, seed=5)
    load_epoch(other, tmp_path / "epoch-003.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), other.state_dict().values(), strict=True))
    with pytest.raises(SolutionError, match="missing"):
        load_epoch(head_net("bilstm"), tmp_path / "epoch-003.safetensors")
    with pytest.raises(SolutionError, match="not the weights of an epoch"):
        load_epoch(other, tmp_path / "training.json")


# Details


def test_frozen_encoders_stay_as_they_are_and_are_not_kept(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)

    class Clips:
        labels, pictures = [np.arange(40) % 2], ("rgb",)

        def read(self, video, indices):
            return {"rgb": frames[indices]}

    net = tiny_net(ClipNetwork(rgb="tiny", head="tcn", hidden=4, layers=1, size=8))
    before = {key: value.clone() for key, value in net.state_dict().items()}
    (path,) = train_clips(net, replace(PLAIN, encoders="frozen", keep="last"), Clips(), seed=0, folder=tmp_path)
    changed = {key for key, value in net.state_dict().items() if not torch.equal(value, before[key])}
    assert changed
    assert all(key.startswith("head.") for key in changed)  # not even BatchNorm's running means of the encoder
    other = tiny_net(net.settings)
    other.freeze()
    load_epoch(other, path)
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), other.state_dict().values(), strict=True))


def test_rows_of_the_cache_stand_for_what_frozen_encoders_give(tmp_path):
    settings = ClipNetwork(rgb="tiny", features=("pose",), fusion="early", head="tcn", hidden=4, layers=1)
    net = tiny_net(settings, pose=2)
    labels = [np.arange(30) % 2]
    clips = feature_clips(labels, [np.random.default_rng(0).normal(size=(30, 4)).astype(np.float16)], key="rgb")
    clips._rows["pose"] = feature_clips(labels, [np.zeros((30, 2), np.float32)])._rows["x"]
    clips._row["pose"] = clips._row["rgb"]
    before = {key: value.clone() for key, value in net.encoders.state_dict().items()}
    train_clips(net, replace(PLAIN, encoders="frozen"), clips, seed=0, folder=tmp_path)
    assert all(torch.equal(value, before[key]) for key, value in net.encoders.state_dict().items())


def test_side_by_side_features_get_the_training_set_s_moments(tmp_path):
    settings = ClipNetwork(features=("x",), fusion="side-by-side", head="bilstm", hidden=4, layers=1)
    clips = drawn([50, 20])
    net = tiny_net(settings, x=3)
    train_clips(net, PLAIN, clips, seed=0, folder=tmp_path)
    mean, deviation = clips.moments()["x"]
    assert net.fusion.mean.numpy() == pytest.approx(mean, rel=1e-5)
    assert net.fusion.std.numpy() == pytest.approx(deviation, rel=1e-5)


def test_in_mode_fixed_accumulating_is_a_larger_batch(tmp_path):
    training = replace(PLAIN, optimiser="sgd", learning_rate=0.5, weight_decay=0.0)
    nets = []
    for batch, accumulate in ((8, 1), (2, 4)):
        net = head_net("bilstm")
        train(tmp_path / str(batch), replace(training, batch=batch, accumulate=accumulate), net=net)
        nets.append(net)
    for one, two in zip(*(net.parameters() for net in nets), strict=True):
        assert torch.allclose(one, two, atol=1e-5)
    start = head_net("bilstm")
    assert not all(
        torch.allclose(a, b, atol=1e-3) for a, b in zip(nets[0].parameters(), start.parameters(), strict=True)
    )


def test_in_mode_paper_clips_left_over_change_nothing(tmp_path):
    """Of five videos in passes of two, two to a step, one pass makes no step: four are used."""
    training = replace(PLAIN, mode="paper", batch=2, accumulate=2, epochs=1)
    read = []

    class Noted(type(drawn([1]))):
        def read(self, video, frames):
            read.extend(np.atleast_1d(video).tolist())
            return super().read(video, frames)

    plain = drawn([30] * 5)
    clips = Noted([f"v{k}" for k in range(5)], plain.labels, plain._rows)
    train(tmp_path, training, clips=clips)
    assert len(read) == len(set(read)) == 4


def test_bfloat16_is_close_to_float32_and_not_the_same(tmp_path):
    """Encoders run in it; heads never do."""
    frames = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)

    class Clips:
        labels, pictures = [np.arange(40) // 10 % 2], ("rgb",)

        def read(self, video, indices):
            return {"rgb": frames[indices]}

    nets = {}
    for precision in ("float32", "bfloat16"):
        nets[precision] = tiny_net(ClipNetwork(rgb="tiny", head="conv1d", dropout=0.0, size=8))
        train_clips(nets[precision], PLAIN, Clips(), seed=0, folder=tmp_path / precision, precision=precision)
    whole, half = (list(net.parameters()) for net in nets.values())
    assert not all(torch.equal(a, b) for a, b in zip(whole, half, strict=True))
    assert all(torch.allclose(a, b, atol=0.1) for a, b in zip(whole, half, strict=True))
    assert all(parameter.dtype == torch.float32 for parameter in half)


def test_bfloat16_on_a_gpu_that_knows_none_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda emulated: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "an old one")
    with pytest.raises(UsageError, match=r"an old one.*--precision float32"):
        train(tmp_path, device="cuda", precision="bfloat16")


def test_a_loss_that_is_no_number_ends_training_and_says_where(tmp_path):
    clips = drawn([40])
    clips._rows["x"][0].values[7] = np.nan
    with pytest.raises(SolutionError, match="epoch 1"):
        train(tmp_path, clips=clips)
    assert not list(tmp_path.glob("epoch-*"))


def test_threads_change_no_bytes(tmp_path):
    greys = {k: 5 * k for k in range(1, 31)}
    pictures = [folder_of_pictures(tmp_path / f"v{k}", greys, size=9 + k) for k in range(4)]
    clips = PictureClips(list("abcd"), [np.arange(30) % 2] * 4, {"rgb": pictures}, 8)
    training = replace(PLAIN, mode="paper", augment="trivial", epochs=2)
    found = []
    for workers in (1, 5):
        net = tiny_net(ClipNetwork(rgb="tiny", head="tcn", hidden=4, layers=1, size=8))
        found.append(train(tmp_path / f"out{workers}", training, clips, net, workers=workers)[0])
    assert found[0] == found[1]


def wide_net(seed: int = 0):
    """Wide enough that torch splits its sums where it may use several threads."""
    return tiny_net(ClipNetwork(features=("x",), head="tcn", hidden=96, layers=2, dropout=0.1), seed=seed, x=400)


def wide_clips():
    rng = np.random.default_rng(0)
    labels = [rng.integers(0, 2, 96) for _ in range(3)]
    return feature_clips(labels, [rng.normal(size=(96, 400)).astype(np.float32) for _ in range(3)])


def test_torchs_threads_change_no_bytes_of_training(tmp_path):
    training = replace(PLAIN, clip_length=48, batch=4, epochs=2)
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        found.append(train(tmp_path / f"out{threads}", training, wide_clips(), wide_net())[0])
        assert torch.get_num_threads() == threads
    assert found[0] == found[1] == found[2]


def test_number_of_torch_threads_would_change_the_bytes(tmp_path, monkeypatch):
    """Else the test above proves nothing on this machine."""
    monkeypatch.setattr(training_module, "compute_threads", lambda device, pictures: contextlib.nullcontext())
    training = replace(PLAIN, clip_length=48, batch=4, epochs=2)
    found = set()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.add(train(tmp_path / f"out{threads}", training, wide_clips(), wide_net())[0][-1])
    if len(found) == 1:
        pytest.skip("torch adds up alike with any number of threads here")


def test_torchs_threads_change_no_bytes_of_training_on_pictures(tmp_path):
    greys = {k: 5 * k for k in range(1, 31)}
    pictures = [folder_of_pictures(tmp_path / f"v{k}", greys, size=9 + k) for k in range(2)]
    clips = PictureClips(list("ab"), [np.arange(30) % 2] * 2, {"rgb": pictures}, 8)
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        net = tiny_net(ClipNetwork(rgb="tiny", head="tcn", hidden=4, layers=1, size=8))
        found.append(train(tmp_path / f"out{threads}", replace(PLAIN, epochs=1), clips, net)[0])
    assert found[0] == found[1]


def test_the_record_of_a_run_says_how_many_threads_computed():
    for encoders, rgb, expected in (
        ("tuned", "resnet18.tv_in1k", 4),
        ("frozen", "resnet18.tv_in1k", 1),
        ("tuned", "", 1),
    ):
        features = () if rgb else ("pose:paper",)
        stream = ClipStream(ClipNetwork(rgb=rgb, features=features), replace(PLAIN, encoders=encoders))
        assert stream.describe()["clips"]["cpu_threads"] == expected


def test_float32_is_exact_for_a_block_alone():
    places = (torch.backends.cudnn.conv, torch.backends.cudnn.rnn, torch.backends.cuda.matmul)
    before = [place.fp32_precision for place in places]
    with exact_float32():
        assert [place.fp32_precision for place in places] == ["ieee"] * 3
    assert [place.fp32_precision for place in places] == before


def test_the_authors_settings_train_on_few_videos(tmp_path):
    """A data set of three videos makes a step an epoch."""
    net = head_net("bilstm")
    start = net.head.output.weight.detach().clone()
    train(tmp_path, ClipTraining(epochs=2), net=net)
    assert "fewer than the 16" in training_note(ClipTraining(), drawn([60, 33, 7]).labels)
    assert training_note(PLAIN, drawn([60, 33, 7]).labels) == ""
    assert not torch.equal(start, net.head.output.weight)


def test_too_few_videos_for_a_step_are_noted_in_a_run(tmp_path):
    data = films.drawn(tmp_path / "films", {"train": (26, 20), "val": (21,)})
    source = FeatureSource(Settings(cache=tmp_path / "cache", device="cpu", workers=1))
    network = ClipNetwork(features=("flow-statistics",), fusion="side-by-side", head="conv1d")
    training = ClipTraining(encoders="frozen", clip_length=8, epochs=1)
    for given, said in ((training, "fewer than the 16"), (replace(training, mode="fixed"), "")):
        notes: list[str] = []
        FittedClips.fit(ClipStream(network, given, Windows(8, 4)), source, data, 0).scores(source, data, "val", notes)
        assert said in " ".join(notes)
        assert bool(notes) == bool(said)
