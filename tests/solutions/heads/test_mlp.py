"""The perceptron: the same bits for the same seed, learns every kind of task, and what was saved is what is loaded."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.errors import DataError, SolutionError
from harness.tasks import AU, EXPR, VA, Task
from solutions.heads import losses, mlp
from solutions.heads.adam import Adam
from solutions.heads.batches import Batches
from solutions.heads.head import ABOUT
from solutions.heads.mlp import WEIGHTS, MlpHead
from solutions.heads.settings import LOSSES, MlpSettings
from solutions.heads.train import load_head, train_head

N_CLASSES = 4
SHORT = replace(EXPR, targets=EXPR.targets[:N_CLASSES])
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


def train(examples: Examples, settings: MlpSettings = QUICK, task: Task = SHORT, *, seed: int = 0) -> MlpHead:
    return train_head(settings, *examples, task, seed=seed)


def parameters(head: MlpHead) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in head.modules.state_dict().items()}


def two_classes(examples: Examples, settings: MlpSettings = QUICK) -> MlpHead:
    return train(examples, settings, replace(EXPR, targets=EXPR.targets[:2]))


@pytest.fixture(scope="module")
def examples() -> Examples:
    return clouds([60, 50, 40, 30])


@pytest.fixture(scope="module")
def head(examples) -> MlpHead:
    return train(examples)


def test_same_seed_same_bits(examples):
    assert parameters(train(examples, DROPOUT, seed=3)) == parameters(train(examples, DROPOUT, seed=3))


def test_the_number_of_threads_changes_no_bit():
    """A layer so wide that torch would split its sums among threads, and round them otherwise."""
    rows = np.random.default_rng(0).normal(size=(1100, 1280)).astype(np.float16)
    settings = MlpSettings(epochs=1)
    many = np.tile(rows, (9, 1))  # several pieces, which threads share
    bits = set()
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        head = train(([rows], [np.arange(1100) % N_CLASSES]), settings)
        bits.add((*parameters(head).values(), head.scores(rows).tobytes(), head.scores(many).tobytes()))
        assert torch.get_num_threads() == threads
    assert len(bits) == 1


def test_state_left_by_others_changes_no_bit(examples):
    expected = parameters(train(examples, DROPOUT))
    torch.manual_seed(123)
    torch.rand(7)
    assert parameters(train(examples, DROPOUT)) == expected


def test_different_seeds_differ(examples):
    assert (
        parameters(train(examples, seed=0))["epochs.0.hidden.weight"]
        != parameters(train(examples, seed=1))["epochs.0.hidden.weight"]
    )


def test_the_seed_also_orders_the_batches(examples, monkeypatch):
    """With one and the same start, two seeds still end apart."""
    start = parameters(train(examples, replace(QUICK, epochs=0), seed=0))
    make = mlp.make_layers

    def same_start(*arguments):
        torch.manual_seed(0)
        return make(*arguments)

    monkeypatch.setattr(mlp, "make_layers", same_start)
    assert parameters(train(examples, replace(QUICK, epochs=0), seed=1)) == start
    assert parameters(train(examples, seed=1)) != parameters(train(examples, seed=0))


@pytest.mark.parametrize("settings", [QUICK, DROPOUT])
def test_generator_and_threads_are_left_as_they_were(examples, settings):
    torch.set_num_threads(2)
    before = torch.get_rng_state()
    head = train(examples, settings, seed=9)
    head.scores(examples[0][0])
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == 2


def test_interrupt_restores_generator_and_threads(examples, monkeypatch):
    def interrupted(*arguments, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(Adam, "step", interrupted)
    torch.set_num_threads(2)
    before = torch.get_rng_state()
    with pytest.raises(KeyboardInterrupt):
        train(examples)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == 2


def test_what_can_be_told_apart_is_learned(head):
    features, labels = clouds([50, 50, 50, 50], seed=1)
    found = head.scores(np.concatenate(features)).argmax(1)
    assert (found == np.concatenate(labels)).mean() > 0.95


def test_columns_keep_the_order_of_the_classes(head):
    prototypes = 6 * np.eye(N_CLASSES, 8, dtype=np.float32)
    assert head.scores(prototypes).argmax(1).tolist() == [0, 1, 2, 3]


def test_weights_find_a_rare_class_that_is_lost_without(monkeypatch):
    examples = clouds([1000, 20], distance=1.0)
    features, labels = clouds([500, 500], distance=1.0, seed=1)
    fresh, rare = np.concatenate(features), np.concatenate(labels) == 1
    settings = replace(QUICK, epochs=20, learning_rate=1e-3)
    weighted = two_classes(examples, settings).scores(fresh).argmax(1)
    monkeypatch.setattr(losses, "class_weights", lambda labels, n_classes: np.ones(n_classes))
    unweighted = two_classes(examples, settings).scores(fresh).argmax(1)
    assert weighted[rare].mean() > 0.5
    assert unweighted[rare].mean() < 0.1


def test_a_class_without_examples_does_not_disturb_the_others(examples):
    features, labels = examples
    without = [part[own != 2] for part, own in zip(features, labels, strict=True)], [own[own != 2] for own in labels]
    head = train(without)
    assert head.prior[2] == 0
    probabilities = head.scores(np.concatenate(without[0]))
    assert np.isfinite(probabilities).all()
    assert (probabilities.argmax(1) == np.concatenate(without[1])).mean() > 0.9


def test_a_single_class_can_be_all_there_is():
    head = two_classes(([np.ones((5, 3), np.float16)], [np.full(5, 1)]))
    assert head.prior.tolist() == [0, 1]
    assert np.isfinite(head.scores(np.ones((1, 3), np.float16))).all()


def test_the_prior_is_the_share_of_each_class(examples):
    assert train(examples).prior.tolist() == [60 / 180, 50 / 180, 40 / 180, 30 / 180]


def test_how_frames_are_dealt_out_to_videos_changes_no_bit(examples):
    features, labels = np.concatenate(examples[0]), np.concatenate(examples[1])
    cuts = [1, 1, 90]
    one, many = train(([features], [labels])), train((np.split(features, cuts), np.split(labels, cuts)))
    assert parameters(many) == parameters(one)


def test_rows_choose_among_the_features(examples):
    features, labels = examples
    rows = [np.flatnonzero(own != 2) for own in labels]
    chosen = [part[own] for part, own in zip(features, rows, strict=True)]
    kept = [part[own] for part, own in zip(labels, rows, strict=True)]
    head = train_head(QUICK, features, kept, SHORT, seed=0, rows=rows)
    assert parameters(head) == parameters(train((chosen, kept)))


def test_features_may_be_opened_one_video_at_a_time(examples):
    head = train_head(QUICK, (part for part in examples[0]), examples[1], SHORT, seed=0)
    assert parameters(head) == parameters(train(examples))


@pytest.mark.parametrize("cut", [slice(0, 2), slice(0, 0)])
def test_mismatched_videos_and_labels_are_refused(examples, cut):
    with pytest.raises(ValueError, match="labels"):
        train((examples[0][cut], examples[1]))
    with pytest.raises(ValueError, match="labels"):
        train(([part[:-1] for part in examples[0]], examples[1]))


def test_half_precision_features_train_like_equal_single_ones(examples):
    single = [part.astype(np.float32) for part in examples[0]], examples[1]
    assert parameters(train(single)) == parameters(train(examples))


def test_half_precision_sums_do_not_overflow():
    """float16 ends at 65,504, which 2,000 rows of 60 exceed."""
    features = np.full((2000, 2), 60, np.float16)
    features[::2, 1] = 61
    head = two_classes(([features], [np.arange(2000) % 2]))
    state = head.modules.state_dict()
    assert state["standardise.mean"].tolist() == [60.0, 60.5]
    assert state["standardise.std"].tolist() == [1.0, 0.5]


def test_each_column_is_standardised(examples):
    rows = np.concatenate(examples[0]).astype(np.float64) * 100 + 7
    head = train(([rows.astype(np.float32)], [np.concatenate(examples[1])]))
    scaled = head.standardise(torch.from_numpy(rows.astype(np.float32))).numpy()
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(0), 1, atol=1e-5)


def test_a_constant_column_gives_no_nan_and_is_ignored(examples):
    features = [np.hstack([part, np.full((len(part), 1), 0.1, np.float16)]) for part in examples[0]]
    head = train((features, examples[1]))
    rows = np.concatenate(features)
    scaled = head.standardise(torch.from_numpy(rows.astype(np.float32))).numpy()
    np.testing.assert_allclose(scaled[:, -1], 0, atol=1e-6)
    assert (head.scores(rows).argmax(1) == np.concatenate(examples[1])).mean() > 0.9


def test_probabilities_are_probabilities(head, examples):
    for features in (examples[0][0], 1000 * examples[0][0].astype(np.float32)):
        probabilities = head.scores(features)
        assert probabilities.shape == (len(features), N_CLASSES)
        assert probabilities.dtype == np.float32
        assert ((probabilities >= 0) & (probabilities <= 1)).all()
        np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)


def test_no_rows_give_no_probabilities(head):
    empty = head.scores(np.empty((0, 8), np.float16))
    assert empty.shape == (0, N_CLASSES)
    assert empty.dtype == np.float32


def test_more_rows_than_one_piece_are_joined_in_order(head, examples, monkeypatch):
    features = np.concatenate(examples[0])
    whole = head.scores(features)
    monkeypatch.setattr(mlp, "_PREDICT_ROWS", 7)
    np.testing.assert_allclose(head.scores(features), whole, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_read_only_features_are_read_without_a_warning(head, tmp_path, examples, dtype):
    """As the cache hands them out."""
    np.save(tmp_path / "features.npy", examples[0][0].astype(dtype))
    mapped = np.load(tmp_path / "features.npy", mmap_mode="r")
    with warnings.catch_warnings():
        # torch warns once a process, so whoever comes first must not use it up
        torch.set_warn_always(True)
        try:
            probabilities = head.scores(mapped)
            train(([mapped], [examples[1][0]]))
        finally:
            torch.set_warn_always(False)
    np.testing.assert_array_equal(probabilities, head.scores(examples[0][0]))


def test_dropout_acts_in_training_only(examples):
    head = train(examples, DROPOUT)
    assert parameters(head) != parameters(train(examples))
    np.testing.assert_array_equal(head.scores(examples[0][0]), head.scores(examples[0][0]))


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": 1e-3},
        {"weight_decay": 0.1},
        {"epochs": 9},
        {"batch_size": 16},
        {"l2": 0.01},
        {"loss": "focal"},
        {"standardise": False},
    ],
)
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
    loaded = load_head(tmp_path)
    features = np.concatenate(examples[0])
    assert loaded.scores(features).tobytes() == head.scores(features).tobytes()
    assert loaded.prior.tolist() == head.prior.tolist()
    assert loaded.settings == head.settings


def test_a_loaded_head_is_saved_as_the_same_bytes(head, tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    head.save(tmp_path / "first")
    load_head(tmp_path / "first").save(tmp_path / "second")
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
        load_head(tmp_path)


@pytest.mark.parametrize(
    "about",
    [
        [],
        {"settings": None},
        {"settings": {}},
        {"settings": {"kind": "forest"}},
        {"prior": 0.5},
        {"prior": [0.2] * 5},
        {"settings": {"kind": "mlp", "hidden": 16, "layers": 3}},
        {"settings": {"kind": "mlp", "hidden": 8}},
        {"settings": {"kind": "mlp", "hidden": 0}},
        {"settings": {"kind": "mlp", "hidden": 16, "standardise": False}},
        {"settings": {"kind": "boosted-trees"}},
        {"n_epochs": 2},
    ],
)
def test_files_that_do_not_fit_together_are_not_a_saved_head(head, tmp_path, about):
    head.save(tmp_path)
    if isinstance(about, dict):
        about = {**json.loads((tmp_path / ABOUT).read_text()), **about}
    (tmp_path / ABOUT).write_text(json.dumps(about))
    with pytest.raises(SolutionError, match="not a saved head"):
        load_head(tmp_path)


def test_weights_of_another_network_are_not_a_saved_head(head, tmp_path):
    from safetensors.torch import save_file

    head.save(tmp_path)
    save_file({"weight": torch.zeros(3)}, tmp_path / WEIGHTS)
    with pytest.raises(SolutionError, match="not a saved head"):
        load_head(tmp_path)


def test_a_head_that_needs_code_to_be_read_is_refused(tmp_path):
    (tmp_path / ABOUT).write_text(json.dumps({"settings": {"kind": "lightautoml"}}))
    with pytest.raises(SolutionError, match=r"not saved.*pickle.*Run the recipe again"):
        load_head(tmp_path)


def labelled(task: Task, n: int = 600, *, seed: int = 0) -> Examples:
    """Features that say a task's labels: the largest column's number, squashed columns, or their signs."""
    features = np.random.default_rng(seed).normal(size=(n, 16)).astype(np.float16)
    columns = features[:, : task.n_outputs].astype(np.float64)
    labels = {"classes": columns.argmax(1), "values": np.tanh(columns), "binaries": (columns > 0.5).astype(np.int64)}
    return np.array_split(features, 3), np.array_split(labels[task.kind], 3)


EVERY_LOSS = [(task, loss) for task in (EXPR, VA, AU) for loss in LOSSES[task.kind]]


@pytest.mark.parametrize("hidden", [0, 32])
@pytest.mark.parametrize(("task", "loss"), EVERY_LOSS)
def test_every_loss_learns_its_kind_of_task(task, loss, hidden):
    head = train(labelled(task), replace(QUICK, loss=loss, hidden=hidden, epochs=15, learning_rate=0.02), task)
    features, labels = labelled(task, seed=1)
    scores, truth = head.scores(np.concatenate(features)), np.concatenate(labels)
    assert scores.shape == (600, task.n_outputs)
    assert scores.dtype == np.float32
    if task is EXPR:
        assert (scores.argmax(1) == truth).mean() > 0.6  # 1 in 8 by chance
    elif task is VA:
        assert min(np.corrcoef(scores[:, k], truth[:, k])[0, 1] for k in range(2)) > 0.9
    else:
        assert min(scores[truth[:, k] == 1, k].mean() - scores[truth[:, k] == 0, k].mean() for k in range(12)) > 0.3


@pytest.mark.parametrize("task", [VA, AU])
def test_a_saved_head_of_any_kind_gives_the_same_bits(task, tmp_path):
    features, labels = labelled(task)
    head = train((features, labels), replace(QUICK, loss=LOSSES[task.kind][0], hidden=0), task)
    head.save(tmp_path)
    assert load_head(tmp_path).scores(features[0]).tobytes() == head.scores(features[0]).tobytes()


@pytest.mark.parametrize("task", [VA, AU])
def test_the_prior_is_the_mean_of_the_labels(task):
    features, labels = labelled(task)
    head = train((features, labels), replace(QUICK, loss=LOSSES[task.kind][0], epochs=1), task)
    np.testing.assert_allclose(head.prior, np.concatenate(labels).mean(0))


@pytest.mark.parametrize(("task", "loss"), [(EXPR, "ccc"), (VA, "focal"), (AU, "weighted-softmax")])
def test_a_loss_for_another_kind_of_task_is_refused(task, loss):
    with pytest.raises(SolutionError, match=f"{task.name}.*found {loss}, expected {LOSSES[task.kind][0]}"):
        train(labelled(task), replace(QUICK, loss=loss), task)


@pytest.mark.parametrize("loss", LOSSES["values"])
def test_constant_values_give_no_nan(loss):
    features, labels = labelled(VA, 65)  # the last batch is one row, whose variance is 0
    constant = [np.full_like(part, 0.25) for part in labels]
    scores = train((features, constant), replace(QUICK, loss=loss), VA).scores(features[0])
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("loss", LOSSES["binaries"])
def test_units_that_never_or_always_occur_give_no_nan(loss):
    features, labels = labelled(AU)
    for part in labels:
        part[:, 0], part[:, 1] = 0, 1
    scores = train((features, labels), replace(QUICK, loss=loss), AU).scores(features[0])
    assert np.isfinite(scores).all()
    assert scores[:, 0].mean() < 0.1
    if loss == "balanced-bce":
        assert scores[:, 1].mean() > 0.9


def test_the_best_epoch_can_be_chosen_afterwards(examples, tmp_path):
    """Every epoch's scores are those of a training that ends there."""
    features = np.concatenate(examples[0])
    head = train(examples, replace(DROPOUT, keep="best"))
    head.save(tmp_path)
    loaded = load_head(tmp_path)
    assert head.n_epochs == loaded.n_epochs == QUICK.epochs
    for epoch in (0, 3, 7):
        shorter = train(examples, replace(DROPOUT, epochs=epoch + 1))
        assert shorter.n_epochs == 1
        expected = shorter.scores(features).tobytes()
        assert head.scores(features, epoch).tobytes() == expected
        assert loaded.scores(features, epoch).tobytes() == expected
    assert head.scores(features).tobytes() == head.scores(features, 7).tobytes()
    with pytest.raises(IndexError):
        head.scores(features, 8)


def test_l2_keeps_kernels_small_and_leaves_biases_alone():
    """A penalty that outweighs everything leaves the biases, which then say the classes' weighted shares."""
    features, labels = labelled(EXPR)
    head = train((features, labels), replace(QUICK, hidden=0, l2=100.0, epochs=60, learning_rate=5e-2), EXPR)
    output = head.epochs[0].output
    assert output.weight.abs().max() < 0.01
    np.testing.assert_allclose(head.scores(features[0]), 1 / 8, atol=0.05)
    assert output.bias.abs().max() > 0


def test_features_are_left_as_they_are_unless_standardised(examples):
    head = train(examples, replace(QUICK, standardise=False))
    rows = torch.tensor([[1.0] * 8])
    assert torch.equal(head.standardise(rows), rows)


def test_every_row_is_seen_once_an_epoch_in_an_order_of_its_own():
    values = torch.arange(1000.0)[:, None].repeat(1, 3)
    batches = Batches(values, torch.arange(1000), size=64, device="cpu")
    order = torch.Generator().manual_seed(0)
    seen = []
    for _ in range(2):
        dealt = [(inputs.clone(), targets) for inputs, targets in batches.shuffled(torch.nn.Identity(), order)]
        assert [len(targets) for _, targets in dealt] == [64] * 15 + [40]
        assert all(torch.equal(inputs[:, 0].long(), targets) for inputs, targets in dealt)
        seen.append(torch.cat([targets for _, targets in dealt]))
    assert all(torch.equal(rows.sort().values, torch.arange(1000)) for rows in seen)
    assert not torch.equal(*seen)
    # no row stays near its place: a shuffle within pieces, or of batches, would keep most
    assert (seen[0] - torch.arange(1000)).abs().float().mean() > 250


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adam_is_torchs(decay):
    torch.manual_seed(0)
    start = [torch.randn(5, 3), torch.randn(7)]
    ours = Adam([part.clone() for part in start], learning_rate=0.01, weight_decay=decay)
    theirs = [part.clone().requires_grad_(True) for part in start]
    optimiser = torch.optim.Adam(theirs, lr=0.01, weight_decay=decay, fused=True)
    for _ in range(20):
        for part in theirs:
            part.grad = torch.randn(part.shape)
        ours.step([part.grad for part in theirs])
        optimiser.step()
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters, theirs, strict=True))


@pytest.mark.parametrize("hidden", [0, 16])
@pytest.mark.parametrize("change", [{}, {"l2": 0.3}, {"dropout": 0.5}])
def test_gradients_are_autograds(hidden, change):
    settings = replace(QUICK, hidden=hidden, **change)
    torch.manual_seed(0)
    layers = mlp.make_layers(8, 4, settings)
    inputs, targets = torch.randn(30, 8), torch.randn(30, 4)

    def squares(z, y):
        return (z - y).square().sum()

    torch.manual_seed(1)
    found = mlp.gradients(layers, inputs, targets, losses.gradients_of(squares), settings)
    torch.manual_seed(1)  # the same units are dropped
    last = layers[:-1](inputs)
    if settings.dropout:
        last = last * torch.empty_like(last).bernoulli_(0.5) / 0.5
    penalty = sum(part.square().sum() for name, part in layers.named_parameters() if name.endswith("weight"))
    loss = squares(layers.output(last), targets) + settings.l2 * penalty
    expected = torch.autograd.grad(loss, list(layers.parameters()))
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
