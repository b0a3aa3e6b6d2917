"""Features of 1,000 clips at the papers' sizes, random weights: one after the other through transformers, and ours.

``ABAW_BENCH_CLIPS`` sets how many clips and texts there are; HuBERT large takes seconds per clip on two cores.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("transformers", reason="the extra 'transformers' is not installed")

from harness.datasets.dataset import Dataset, Video
from harness.datasets.transcripts import Transcript
from harness.settings import Settings
from harness.tasks import EMI
from solutions.cache.audio import extract_audio_features
from solutions.cache.recording import Recording
from solutions.cache.text import extract_text_features
from solutions.encoders.audio.wav2vec2 import HUBERT_LARGE, Wav2Vec2Encoder, normalised
from solutions.encoders.pooling import ReducedAudioEncoder, ReducedTextEncoder
from solutions.encoders.text.networks import ENCODERS
from solutions.encoders.text.transformer import TransformerTextEncoder
from tests.support import tiny_text

CLIPS = int(os.environ.get("ABAW_BENCH_CLIPS", "1000"))
MOST_MEMORY = 2 * 2**30
RATE = 16_000


MEMORY = """
import resource, sys
from pathlib import Path
from safetensors.torch import load_file
from harness.datasets.dataset import Dataset, Video
from harness.settings import Settings
from harness.tasks import EMI
from solutions.cache.audio import extract_audio_features
from solutions.encoders.audio.wav2vec2 import HUBERT_LARGE, Wav2Vec2Encoder
from solutions.encoders.pooling import ReducedAudioEncoder

folder, workers = Path(sys.argv[1]), int(sys.argv[2])
encoder = Wav2Vec2Encoder("hubert", HUBERT_LARGE, load_file(folder / "hubert.safetensors"), "0" * 64, device="cpu")
videos = [Video(path.stem, 1, rows=1, audio=path) for path in sorted(folder.glob("*.mp3"))]
data = Dataset("clips", folder, EMI, {"train": videos})
settings = Settings(cache=folder / "memory", device="cpu", workers=workers)
print(extract_audio_features(ReducedAudioEncoder(encoder), data, ["train"], settings)[1].frames)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def statistics(rows: np.ndarray) -> np.ndarray:
    wide = rows.astype(np.float64)
    return np.concatenate([wide.mean(0), wide.std(0), wide.min(0), wide.max(0)]).astype(np.float32)


def settings(cache: Path) -> Settings:
    return Settings(cache=cache, device="cpu", workers=os.cpu_count() or 1)


def clips(folder: Path, n: int = CLIPS) -> list[Video]:
    """Write clips of noise of EMI's lengths: 6.9 s on the average, 95 % below 11.5 s."""
    rng = np.random.default_rng(1)
    videos = []
    for k, seconds in enumerate(np.clip(rng.gamma(6, 1.15, n), 0.1, 15)):
        path = folder / f"{k:05}.mp3"
        soundfile.write(path, rng.normal(0, 0.1, int(seconds * RATE)), RATE, format="MP3", subtype="MPEG_LAYER_III")
        videos.append(Video(path.stem, 1, rows=1, audio=path))
    return videos


def same(theirs: np.ndarray, ours: np.ndarray) -> None:
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_text_of_1000_clips(beside, tmp_path: Path) -> None:
    from transformers import PreTrainedTokenizerFast, pipeline

    network = ENCODERS["roberta-go-emotions"]
    rng = np.random.default_rng(0)
    vocabulary = " ".join(tiny_text.CORPUS).split()
    lengths = rng.gamma(2, 9, CLIPS).astype(int)  # words of EMI's clips: some 18, few above 60, some none
    texts = [" ".join(rng.choice(vocabulary, n)) for n in lengths]
    content = tiny_text.tokenizer("roberta")
    model = network.build()
    encoder = TransformerTextEncoder(
        "roberta-go-emotions", network, model.state_dict(), content, ("0", "0"), device="cpu"
    )
    marks = {"pad_token": "<pad>", "cls_token": "<s>", "sep_token": "</s>", "unk_token": "<unk>"}
    tokens = PreTrainedTokenizerFast(tokenizer_object=tiny_text.unpadded(content), model_max_length=512, **marks)
    extract = pipeline("feature-extraction", model=model, tokenizer=tokens, device="cpu")

    def theirs() -> np.ndarray:
        rows = [np.array(extract(text, truncation=True)[0], np.float32) for text in texts]
        return np.stack([statistics(own) for own in rows])

    def ours() -> np.ndarray:
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        videos = [Video(f"{k:05}", 1, rows=1, transcript=Transcript(text)) for k, text in enumerate(texts)]
        data = Dataset("words", tmp_path, EMI, {"train": videos})
        cache, items, _ = extract_text_features(
            ReducedTextEncoder(encoder), data, ["train"], settings(tmp_path / "cache")
        )
        return np.concatenate([cache.get(items[video.name]).values for video in videos])

    today = "transformers' pipeline, a text at a time"
    beside("RoBERTa base, STAT of tokens", f"{CLIPS:,} texts", today, theirs=theirs, ours=ours, same=same, repeats=1)


def test_audio_of_1000_clips(beside, tmp_path: Path) -> None:
    import torch
    from transformers import HubertConfig, HubertModel

    videos = clips(tmp_path)
    torch.manual_seed(0)
    config = HubertConfig(
        hidden_size=1024,
        num_hidden_layers=24,
        num_attention_heads=16,
        intermediate_size=4096,
        feat_extract_norm="layer",
        conv_bias=True,
        do_stable_layer_norm=True,
    )
    model = HubertModel(config).eval()
    encoder = Wav2Vec2Encoder("hubert", HUBERT_LARGE, model.state_dict(), "0" * 64, device="cpu")
    data = Dataset("clips", tmp_path, EMI, {"train": videos})

    def theirs() -> np.ndarray:
        found = []
        for video in videos:
            samples, _ = soundfile.read(video.audio, dtype="float32")
            with torch.no_grad():
                rows = model(torch.from_numpy(normalised(samples))[None]).last_hidden_state[0]
            found.append(statistics(rows.numpy()))
        return np.stack(found)

    def ours() -> np.ndarray:
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        cache, _ = extract_audio_features(ReducedAudioEncoder(encoder), data, ["train"], settings(tmp_path / "cache"))
        return np.concatenate([cache.get(Recording(video.name, video.audio)).values for video in videos])

    today = "transformers, a clip at a time"
    beside("HuBERT large, STAT", f"{CLIPS:,} clips", today, theirs=theirs, ours=ours, same=same, repeats=1)


def test_memory_of_audio_stays_below_2_gb(tmp_path: Path) -> None:
    """A process of its own loads the weights and encodes clips of up to 15 s, two at a time."""
    from safetensors.torch import save_file

    save_file(HUBERT_LARGE.build(convolution_bias=True).state_dict(), tmp_path / "hubert.safetensors")
    clips(tmp_path, 8)
    words = [sys.executable, "-c", MEMORY, str(tmp_path), "2"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    rows, most = map(int, done.stdout.split())
    print(f"HuBERT large, 8 clips: {most / 1e9:.2f} GB at most")
    assert rows == 8
    assert most < MOST_MEMORY
