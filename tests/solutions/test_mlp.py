"""The head: weights as in the paper, the same bits for the same seed, and what was saved is what is loaded."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.errors import DataError, SolutionError
from solutions.heads import mlp
from solutions.heads.mlp import ABOUT, WEIGHTS, MlpHead, MlpSettings, class_weights

N_CLASSES = 4
QUICK = MlpSettings(hidden=16, epochs=8, batch_size=32, learning_rate=1e-2)
DROPOUT = replace(QUICK, dropout=0.5)

Examples = tuple[list[np.ndarray], list[np.ndarray]]


@pytest.fixture(autouse=True)
def _threads_as_before():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def clouds(counts: list[int], *, distance: float = 4.0, dim: int = 8, videos: int = 3, seed: int = 0) -> Examples:
    """One normal cloud a class, ``distance`` from each other, dealt out to videos; column k lies high for class k."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    features = rng.normal(size=(len(truth), dim)) + distance * np.eye(len(counts), dim)[truth]
    return np.array_split(features.astype(np.float16), videos), np.array_split(truth, videos)


def train(examples: Examples, settings: MlpSettings = QUICK, *, n_classes: int = N_CLASSES, seed: int = 0) -> MlpHead:
    return MlpHead.train(*examples, n_classes, settings, seed=seed, device="cpu")


def parameters(head: MlpHead) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in head.network.state_dict().items()}


@pytest.fixture(scope="module")
def examples() -> Examples:
    return clouds([60, 50, 40, 30])


@pytest.fixture(scope="module")
def head(examples) -> MlpHead:
    return train(examples)


def test_class_weights_follow_equation_1():
    labels = np.repeat([0, 1, 2, 3], [600, 300, 40, 1])
    counts = [600, 300, 40, 1]
    assert class_weights(labels, 4).tolist() == [max(counts) / n for n in counts]


def test_the_most_frequent_class_weighs_1_wherever_it_stands():
    assert class_weights(np.array([2, 2, 2, 0, 1, 1]), 3).tolist() == [3.0, 1.5, 1.0]


def test_a_class_without_examples_weighs_nothing():
    assert class_weights(np.array([0, 0, 2]), 4).tolist() == [1.0, 0.0, 2.0, 0.0]


def test_same_seed_same_bits(examples):
    assert parameters(train(examples, DROPOUT, seed=3)) == parameters(train(examples, DROPOUT, seed=3))


def test_the_number_of_threads_changes_no_bit():
    """Batches so long that torch would split their sums among threads, and round them otherwise."""
    many = clouds([20_000] * 4, dim=4)
    settings = replace(QUICK, epochs=1, batch_size=80_000)
    bits = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        bits.append(parameters(train(many, settings)))
    assert bits[0] == bits[1] == bits[2]


def test_state_left_by_others_changes_no_bit(examples):
    expected = parameters(train(examples, DROPOUT))
    torch.manual_seed(123)
    torch.rand(7)
    assert parameters(train(examples, DROPOUT)) == expected


def test_different_seeds_differ(examples):
    assert parameters(train(examples, seed=0))["1.weight"] != parameters(train(examples, seed=1))["1.weight"]


def test_the_seed_also_orders_the_batches(examples, monkeypatch):
    """With one and the same start, two seeds still end apart."""
    start = parameters(train(examples, replace(QUICK, epochs=0), seed=0))
    build = mlp._build

    def same_start(*arguments):
        torch.manual_seed(0)
        return build(*arguments)

    monkeypatch.setattr(mlp, "_build", same_start)
    assert parameters(train(examples, replace(QUICK, epochs=0), seed=1)) == start
    assert parameters(train(examples, seed=1)) != parameters(train(examples, seed=0))


@pytest.mark.parametrize("settings", [QUICK, DROPOUT])
def test_generator_and_threads_are_left_as_they_were(examples, settings):
    torch.set_num_threads(2)
    before = torch.get_rng_state()
    head = train(examples, settings, seed=9)
    head.probabilities(examples[0][0])
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == 2


def test_generator_and_threads_are_left_as_they_were_by_an_interrupt(examples, monkeypatch):
    def interrupted(*arguments, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(torch.optim.Adam, "step", interrupted)
    torch.set_num_threads(2)
    before = torch.get_rng_state()
    with pytest.raises(KeyboardInterrupt):
        train(examples)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == 2


def test_what_can_be_told_apart_is_learned(head):
    features, labels = clouds([50, 50, 50, 50], seed=1)
    found = head.probabilities(np.concatenate(features)).argmax(1)
    assert (found == np.concatenate(labels)).mean() > 0.95


def test_columns_keep_the_order_of_the_classes(head):
    prototypes = 6 * np.eye(N_CLASSES, 8, dtype=np.float32)
    assert head.probabilities(prototypes).argmax(1).tolist() == [0, 1, 2, 3]


def test_weights_find_a_rare_class_that_is_lost_without(monkeypatch):
    examples = clouds([1000, 20], distance=1.0)
    features, labels = clouds([500, 500], distance=1.0, seed=1)
    fresh, rare = np.concatenate(features), np.concatenate(labels) == 1
    settings = replace(QUICK, epochs=20, learning_rate=1e-3)
    weighted = train(examples, settings, n_classes=2).probabilities(fresh).argmax(1)
    monkeypatch.setattr(mlp, "class_weights", lambda labels, n_classes: np.ones(n_classes))
    unweighted = train(examples, settings, n_classes=2).probabilities(fresh).argmax(1)
    assert weighted[rare].mean() > 0.5
    assert unweighted[rare].mean() < 0.1


def test_a_class_without_examples_does_not_disturb_the_others(examples):
    features, labels = examples
    without = [part[own != 2] for part, own in zip(features, labels, strict=True)], [own[own != 2] for own in labels]
    head = train(without)
    assert head.prior[2] == 0
    probabilities = head.probabilities(np.concatenate(without[0]))
    assert np.isfinite(probabilities).all()
    assert (probabilities.argmax(1) == np.concatenate(without[1])).mean() > 0.9


def test_a_single_class_can_be_all_there_is():
    head = train(([np.ones((5, 3), np.float16)], [np.full(5, 1)]), n_classes=2)
    assert head.prior.tolist() == [0, 1]
    assert np.isfinite(head.probabilities(np.ones((1, 3), np.float16))).all()


def test_the_prior_is_the_share_of_each_class(examples):
    assert train(examples).prior.tolist() == [60 / 180, 50 / 180, 40 / 180, 30 / 180]


def test_how_frames_are_dealt_out_to_videos_changes_nothing_but_rounding(examples):
    features, labels = np.concatenate(examples[0]), np.concatenate(examples[1])
    one = train(([features], [labels]))
    many = train(
        (
            [features[:1], features[1:1], features[1:90], features[90:]],
            [labels[:1], labels[1:1], labels[1:90], labels[90:]],
        )
    )
    np.testing.assert_allclose(many.probabilities(features), one.probabilities(features), atol=1e-4)


def test_features_in_half_precision_train_as_the_same_numbers_in_single(examples):
    single = [part.astype(np.float32) for part in examples[0]], examples[1]
    assert parameters(train(single)) == parameters(train(examples))


def test_half_precision_sums_do_not_overflow():
    """float16 ends at 65,504, which 2,000 rows of 60 exceed."""
    features = np.full((2000, 2), 60, np.float16)
    features[::2, 1] = 61
    head = train(([features], [np.arange(2000) % 2]), n_classes=2)
    state = head.network.state_dict()
    assert state["0.mean"].tolist() == [60.0, 60.5]
    assert state["0.std"].tolist() == [1.0, 0.5]


def test_each_column_is_standardised(examples):
    rows = np.concatenate(examples[0]).astype(np.float64) * 100 + 7
    head = train(([rows.astype(np.float32)], [np.concatenate(examples[1])]))
    scaled = head.network[0](torch.from_numpy(rows.astype(np.float32))).numpy()
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(0), 1, atol=1e-5)


def test_a_constant_column_gives_no_nan_and_is_ignored(examples):
    features = [np.hstack([part, np.full((len(part), 1), 0.1, np.float16)]) for part in examples[0]]
    head = train((features, examples[1]))
    rows = np.concatenate(features)
    scaled = head.network[0](torch.from_numpy(rows.astype(np.float32))).numpy()
    np.testing.assert_allclose(scaled[:, -1], 0, atol=1e-6)
    assert (head.probabilities(rows).argmax(1) == np.concatenate(examples[1])).mean() > 0.9


def test_probabilities_are_probabilities(head, examples):
    for features in (examples[0][0], 1000 * examples[0][0].astype(np.float32)):
        probabilities = head.probabilities(features)
        assert probabilities.shape == (len(features), N_CLASSES)
        assert probabilities.dtype == np.float32
        assert ((probabilities >= 0) & (probabilities <= 1)).all()
        np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)


def test_no_rows_give_no_probabilities(head):
    empty = head.probabilities(np.empty((0, 8), np.float16))
    assert empty.shape == (0, N_CLASSES)
    assert empty.dtype == np.float32


def test_more_rows_than_one_piece_are_joined_in_order(head, examples, monkeypatch):
    features = np.concatenate(examples[0])
    whole = head.probabilities(features)
    monkeypatch.setattr(mlp, "_PREDICT_ROWS", 7)
    np.testing.assert_allclose(head.probabilities(features), whole, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_features_that_can_not_be_written_to_are_read_without_a_warning(head, tmp_path, examples, dtype):
    """As the cache hands them out."""
    np.save(tmp_path / "features.npy", examples[0][0].astype(dtype))
    mapped = np.load(tmp_path / "features.npy", mmap_mode="r")
    with warnings.catch_warnings():
        # torch warns once a process, so whoever comes first must not use it up
        torch.set_warn_always(True)
        try:
            probabilities = head.probabilities(mapped)
            train(([mapped], [examples[1][0]]))
        finally:
            torch.set_warn_always(False)
    np.testing.assert_array_equal(probabilities, head.probabilities(examples[0][0]))


def test_dropout_acts_in_training_only(examples):
    head = train(examples, DROPOUT)
    assert parameters(head) != parameters(train(examples))
    np.testing.assert_array_equal(head.probabilities(examples[0][0]), head.probabilities(examples[0][0]))


@pytest.mark.parametrize("change", [{"learning_rate": 1e-3}, {"weight_decay": 0.1}, {"epochs": 9}, {"batch_size": 16}])
def test_every_setting_of_the_training_acts(examples, head, change):
    assert parameters(train(examples, replace(QUICK, **change))) != parameters(head)


@pytest.mark.parametrize("examples", [([], []), ([np.empty((0, 8), np.float16)], [np.empty(0, np.int64)])])
def test_nothing_to_train_on_is_said(examples):
    with pytest.raises(DataError, match="no training frame has both a label and features"):
        train(examples)


@pytest.mark.parametrize("settings", [QUICK, DROPOUT])
def test_a_loaded_head_gives_the_same_bits(settings, examples, tmp_path):
    head = train(examples, settings)
    head.save(tmp_path)
    loaded = MlpHead.load(tmp_path)
    features = np.concatenate(examples[0])
    assert loaded.probabilities(features).tobytes() == head.probabilities(features).tobytes()
    assert loaded.prior.tolist() == head.prior.tolist()
    assert loaded.settings == head.settings


def test_a_loaded_head_is_saved_as_the_same_bytes(head, tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    head.save(tmp_path / "first")
    MlpHead.load(tmp_path / "first").save(tmp_path / "second")
    for name in (WEIGHTS, ABOUT):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_a_head_is_two_files_and_neither_is_a_pickle(head, tmp_path):
    head.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([WEIGHTS, ABOUT])
    json.loads((tmp_path / ABOUT).read_text())
    header = (tmp_path / WEIGHTS).read_bytes()
    json.loads(header[8 : 8 + int.from_bytes(header[:8], "little")])


@pytest.mark.parametrize("name", [WEIGHTS, ABOUT])
@pytest.mark.parametrize("spoil", ["missing", "empty", "torn", "noise"])
def test_a_broken_folder_is_not_a_saved_head(head, tmp_path, name, spoil):
    head.save(tmp_path)
    path = tmp_path / name
    if spoil == "missing":
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes({"empty": b"", "torn": content[: len(content) // 2], "noise": bytes(range(256))}[spoil])
    with pytest.raises(SolutionError, match="not a saved head"):
        MlpHead.load(tmp_path)


@pytest.mark.parametrize(
    "about",
    [
        [],
        {"prior": [0.5, 0.5]},
        {"settings": {}},
        {"settings": {"hidden": 16}, "prior": 0.5},
        {"settings": {"hidden": 16, "layers": 3}, "prior": [0.25] * 4},
        {"settings": {"hidden": 8}, "prior": [0.25] * 4},
        {"settings": {"hidden": 16}, "prior": [0.2] * 5},
    ],
)
def test_files_that_do_not_fit_together_are_not_a_saved_head(head, tmp_path, about):
    head.save(tmp_path)
    (tmp_path / ABOUT).write_text(json.dumps(about))
    with pytest.raises(SolutionError, match="not a saved head"):
        MlpHead.load(tmp_path)


def test_weights_of_another_network_are_not_a_saved_head(head, tmp_path):
    from safetensors.torch import save_file

    head.save(tmp_path)
    save_file({"weight": torch.zeros(3)}, tmp_path / WEIGHTS)
    with pytest.raises(SolutionError, match="not a saved head"):
        MlpHead.load(tmp_path)
