"""Text encoders on small random networks of the published shapes, held against transformers, one text at a time."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("transformers", reason="the extra 'transformers' is not installed")

import torch
from safetensors.torch import save_file

from harness.errors import DataError, MissingDependencyError, SolutionError, UnknownNameError
from harness.settings import Settings
from solutions.encoders.pooling import ReducedTextEncoder
from solutions.encoders.registry import is_text, make_text_encoder
from solutions.encoders.text import networks, transformer
from solutions.encoders.text.transformer import TransformerTextEncoder, batches, own_tensors
from solutions.weights.store import import_weights
from tests.support import tiny_text

NAMES = sorted(networks.ENCODERS)
TEXTS = [*tiny_text.CORPUS, "", " ", "word " * 700, "é ü 你好", *(f"number {k} " * k for k in range(1, 40, 3))]


def encoder(name: str, **changes: object) -> TransformerTextEncoder:
    network = tiny_text.small(name, **changes)
    content = tiny_text.tokenizer(network.family)
    return TransformerTextEncoder(name, network, tiny_text.weights(network), content, ("a", "b"), device="cpu")


def one_by_one(name: str, texts: list[str]) -> list[np.ndarray]:
    """Run transformers' own pipeline on one text after the other, as abaw8's authors do."""
    from transformers import PreTrainedTokenizerFast, pipeline

    network = tiny_text.small(name)
    model = network.build()
    model.load_state_dict(tiny_text.weights(network))
    own = tiny_text.unpadded(tiny_text.tokenizer(network.family))
    marks = {"roberta": ("<pad>", "<s>", "</s>", "<unk>"), "bert": ("[PAD]", "[CLS]", "[SEP]", "[UNK]")}
    pad, start, end, unknown = marks[network.family]
    tokens = PreTrainedTokenizerFast(
        tokenizer_object=own,
        pad_token=pad,
        cls_token=start,
        sep_token=end,
        unk_token=unknown,
        model_max_length=network.most,
    )
    extract = pipeline("feature-extraction", model=model, tokenizer=tokens, device="cpu")
    rows = [np.array(extract(text, truncation=True)[0], np.float32) for text in texts]
    if network.output == "tokens":
        return rows
    means = [own.mean(0, keepdims=True) for own in rows]
    return [mean / np.linalg.norm(mean) for mean in means] if network.normalised else means


@pytest.mark.parametrize("name", NAMES)
def test_batches_equal_transformers_one_by_one(name: str) -> None:
    got = encoder(name).encode(TEXTS)
    expected = one_by_one(name, TEXTS)
    assert [rows.shape for rows in got] == [rows.shape for rows in expected]
    for own, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(own, theirs, atol=1e-5)
    assert np.std([rows[0] for rows in got], axis=0).mean() > 0.01  # texts differ: agreement says something


def test_equal_texts_are_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made, runs = encoder("roberta-go-emotions"), []
    run = made._run
    monkeypatch.setattr(made, "_run", lambda tokens: runs.extend(tokens) or run(tokens))
    rows = made.encode(["", "yes", "", "no", "yes"])
    assert len(runs) == 3
    assert [len(own) for own in rows] == [
        len(own) for text in ("", "yes", "", "no", "yes") for own in made.encode([text])
    ]
    np.testing.assert_array_equal(rows[1], rows[4])
    assert not np.allclose(rows[1][1], rows[3][1])


def test_tokens_keep_marks_and_are_cut_at_512() -> None:
    rows = encoder("roberta-go-emotions").encode(["", "yes", "word " * 700])
    assert [len(own) for own in rows[:1]] == [2]
    assert len(rows[1]) > 2
    assert len(rows[2]) == 512


@pytest.mark.parametrize(("name", "most"), [("minilm-l6-v1", 128), ("e5-base-v2", 512), ("distilroberta-mean", 512)])
def test_sentence_vectors_are_one_row(name: str, most: int) -> None:
    made = encoder(name)
    rows = made.encode(TEXTS)
    assert all(own.shape == (1, 16) for own in rows)
    assert made.identity()["most tokens"] == most
    lengths = np.array([np.linalg.norm(own) for own in rows])
    assert np.allclose(lengths, 1, atol=1e-6) == (name != "distilroberta-mean")


def test_published_networks_have_their_widths() -> None:
    shapes = {name: (row.layers, row.dim, row.vocabulary) for name, row in networks.ENCODERS.items()}
    assert shapes == {
        "roberta-go-emotions": (12, 768, 50_265),
        "distilroberta-mean": (6, 768, 50_265),
        "minilm-l6-v1": (6, 384, 30_522),
        "e5-base-v2": (12, 768, 30_522),
    }


@pytest.mark.parametrize("name", ["roberta-go-emotions", "e5-base-v2"])
def test_stat_of_tokens_equals_numpy(name: str) -> None:
    plain = encoder(name)
    rows, reduced = plain.encode(TEXTS), ReducedTextEncoder(plain).encode(TEXTS)
    for own, four in zip(rows, reduced, strict=True):
        wide = own.astype(np.float64)
        expected = np.concatenate([wide.mean(0), wide.std(0), wide.min(0), wide.max(0)])
        np.testing.assert_allclose(four, expected[None], atol=1e-6)


def test_batches_are_sorted_and_bounded() -> None:
    lengths = [3, 50, 7, 50, 2, 600]
    cut = list(batches(lengths, 100))
    assert cut == [[5], [1, 3], [2, 0, 4]]
    assert sorted(index for batch in cut for index in batch) == list(range(6))
    assert list(batches([], 100)) == []


def test_heads_and_poolers_are_left_out() -> None:
    network = tiny_text.small("roberta-go-emotions")
    bare = tiny_text.weights(network)
    published = {f"roberta.{key}": value for key, value in bare.items()}
    published |= {"classifier.out_proj.weight": torch.ones(2), "roberta.pooler.dense.weight": torch.ones(2)}
    published |= {"roberta.embeddings.position_ids": torch.ones(2), "lm_head.bias": torch.ones(2)}
    assert own_tensors(published).keys() == bare.keys()


def test_tensor_named_twice_is_refused() -> None:
    with pytest.raises(SolutionError, match="twice"):
        own_tensors({"roberta.x": torch.ones(1), "x": torch.ones(1)})


def test_weights_of_another_network_are_refused() -> None:
    network = tiny_text.small("roberta-go-emotions")
    tensors = tiny_text.weights(network)
    tensors.pop("encoder.layer.1.output.dense.bias")
    with pytest.raises(SolutionError, match=r"1 missing: encoder\.layer\.1\.output\.dense\.bias"):
        TransformerTextEncoder("x", network, tensors, tiny_text.tokenizer("roberta"), ("a", "b"), device="cpu")


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"{}", "can't be read"), (b"\xff", "can't be read"), (tiny_text.tokenizer("bert", 400), "at most 300")],
)
def test_other_tokenizers_are_refused(content: bytes, what: str) -> None:
    network = tiny_text.small("minilm-l6-v1")
    if what == "at most 300":
        network = tiny_text.small("minilm-l6-v1")
        network = type(network)(**{**vars(network), "vocabulary": 50})
        what = "at most 50"
    with pytest.raises(SolutionError, match=what):
        TransformerTextEncoder("x", network, tiny_text.weights(network), content, ("a", "b"), device="cpu")


# --- weights: fetched or imported, never pickled ---


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(cache=tmp_path / "cache", device="cpu", workers=1)


@pytest.fixture
def imported(settings, tmp_path, monkeypatch) -> None:
    """Files of a small network, imported under the published name."""
    network = tiny_text.small("roberta-go-emotions")
    monkeypatch.setitem(transformer.ENCODERS, "roberta-go-emotions", network)
    save_file(tiny_text.weights(network, "roberta."), tmp_path / "model.safetensors")
    (tmp_path / "tokenizer.json").write_bytes(tiny_text.tokenizer("roberta"))
    import_weights("roberta-go-emotions", tmp_path / "model.safetensors", settings)
    import_weights("roberta-go-emotions.tokenizer", tmp_path / "tokenizer.json", settings)


@pytest.mark.usefixtures("imported")
def test_imported_files_make_the_encoder(settings: Settings) -> None:
    made = make_text_encoder("roberta-go-emotions", settings)
    for own, theirs in zip(made.encode(TEXTS[:3]), encoder("roberta-go-emotions").encode(TEXTS[:3]), strict=True):
        np.testing.assert_array_equal(own, theirs)
    identity = made.identity()
    assert json.dumps(identity)
    assert len(identity["weights"]) == len(identity["tokenizer"]) == 64
    stat = make_text_encoder("stat:roberta-go-emotions", settings)
    assert stat.parts[0].dim == 64
    assert stat.identity() != identity


def test_missing_weights_name_the_command(settings: Settings) -> None:
    with pytest.raises(
        MissingDependencyError, match=r"abaw weights fetch e5-base-v2; or .*needs no download: sentences"
    ):
        make_text_encoder("e5-base-v2", settings)


def test_pickled_text_weights_are_refused(settings: Settings, tmp_path) -> None:
    torch.save({"x": torch.ones(2)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(DataError, match=r"no \.safetensors file"):
        import_weights("e5-base-v2", tmp_path / "pytorch_model.bin", settings)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"version": "1.0"}', b"\xff\xfe"])
def test_no_tokenizer_is_refused(settings: Settings, tmp_path, content: bytes) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(DataError, match="no tokenizer"):
        import_weights("e5-base-v2.tokenizer", tmp_path / "tokenizer.json", settings)


def test_unknown_text_encoder_is_named(settings: Settings) -> None:
    assert not is_text("bert")
    with pytest.raises(UnknownNameError, match="bert"):
        make_text_encoder("bert", settings)


def test_missing_transformers_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    network = tiny_text.small("e5-base-v2")
    tensors, content = tiny_text.weights(network), tiny_text.tokenizer("bert")
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(MissingDependencyError, match=r"e5-base-v2 needs transformers.*\[transformers\]"):
        TransformerTextEncoder("e5-base-v2", network, tensors, content, ("a", "b"), device="cpu")
