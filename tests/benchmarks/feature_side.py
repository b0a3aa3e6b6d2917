"""One side of :mod:`tests.benchmarks.bench_text_audio` in a process of its own, so that its memory is its own.

It reads lines ``first stop step`` from its input, computes features of those clips, writes their statistics into the
folder, and answers with one line: seconds by the clock, seconds of the processor, most memory so far in bytes.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SENTENCES = 33  # texts per call of the pipeline in abaw8's notebook; the pipeline itself runs them one by one

Work = Callable[[range], np.ndarray]


def statistics(rows: np.ndarray) -> np.ndarray:
    wide = rows.astype(np.float64)
    return np.concatenate([wide.mean(0), wide.std(0), wide.min(0), wide.max(0)]).astype(np.float32)


def audio_of_theirs(name: str, folder: Path) -> Work:
    """Return the loop of abaw8's notebook; soundfile stands for torchaudio.load, which needs a further package."""
    import soundfile
    import torch
    from transformers import HubertModel, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    model = (HubertModel if name == "hubert" else Wav2Vec2Model).from_pretrained(folder / name).eval()
    processor = Wav2Vec2FeatureExtractor(return_attention_mask=name == "hubert")  # as published

    def work(clips: range) -> np.ndarray:
        rows = []
        for k in clips:
            samples, rate = soundfile.read(folder / f"{k:05}.mp3", dtype="float32")
            inputs = processor(samples, sampling_rate=rate, return_tensors="pt")
            with torch.no_grad():
                rows.append(statistics(model(**inputs).last_hidden_state.numpy()[0]))
        return np.stack(rows)

    return work


def audio_of_ours(name: str, folder: Path) -> Work:
    """Return the extraction that ``abaw features`` runs: files read, features reduced and cached."""
    from safetensors.torch import load_file

    from harness.datasets.dataset import Dataset, Video
    from harness.settings import Settings
    from harness.tasks import EMI
    from solutions.cache.audio import extract_audio_features
    from solutions.cache.recording import Recording
    from solutions.encoders.audio.wav2vec2 import ENCODERS, Wav2Vec2Encoder
    from solutions.encoders.pooling import ReducedAudioEncoder

    tensors = load_file(folder / name / "model.safetensors")
    encoder = ReducedAudioEncoder(Wav2Vec2Encoder(name, ENCODERS[name][1], tensors, "0" * 64, device="cpu"))
    settings = Settings(cache=folder / f"cache-{name}", device="cpu", workers=os.cpu_count() or 1)

    def work(clips: range) -> np.ndarray:
        videos = [Video(f"{k:05}", 1, rows=1, audio=folder / f"{k:05}.mp3") for k in clips]
        data = Dataset("clips", folder, EMI, {"train": videos})
        cache, _ = extract_audio_features(encoder, data, ["train"], settings)
        return np.concatenate([cache.get(Recording(video.name, video.audio)).values for video in videos])

    return work


def text_of_theirs(name: str, folder: Path) -> Work:
    """Return the loop of abaw8's notebook."""
    from transformers import PreTrainedTokenizerFast, RobertaModel, pipeline

    from tests.support import tiny_text

    marks = {"pad_token": "<pad>", "cls_token": "<s>", "sep_token": "</s>", "unk_token": "<unk>"}
    own = tiny_text.unpadded(tiny_text.tokenizer("roberta"))
    tokens = PreTrainedTokenizerFast(tokenizer_object=own, model_max_length=512, **marks)
    model = RobertaModel.from_pretrained(folder / name, add_pooling_layer=False)
    extract = pipeline("feature-extraction", model=model, tokenizer=tokens, max_length=512, truncation=True)
    texts = (folder / "texts").read_text().split("\n")

    def work(clips: range) -> np.ndarray:
        rows = []
        for first in range(0, len(clips), SENTENCES):
            sentences = [texts[k] for k in clips[first : first + SENTENCES]]
            rows += [statistics(output[0].numpy()) for output in extract(sentences, return_tensors="pt")]
        return np.stack(rows)

    return work


def text_of_ours(name: str, folder: Path) -> Work:
    """Return the extraction that ``abaw features`` runs: features reduced and cached."""
    from safetensors.torch import load_file

    from harness.datasets.dataset import Dataset, Video
    from harness.datasets.transcripts import Transcript
    from harness.settings import Settings
    from harness.tasks import EMI
    from solutions.cache.text import extract_text_features
    from solutions.encoders.pooling import ReducedTextEncoder
    from solutions.encoders.text.networks import ENCODERS
    from solutions.encoders.text.transformer import TransformerTextEncoder
    from tests.support import tiny_text

    tensors = load_file(folder / name / "model.safetensors")
    content = tiny_text.tokenizer("roberta")
    encoder = TransformerTextEncoder(name, ENCODERS[name], tensors, content, ("0", "0"), device="cpu")
    settings = Settings(cache=folder / f"cache-{name}", device="cpu", workers=os.cpu_count() or 1)
    texts = (folder / "texts").read_text().split("\n")

    def work(clips: range) -> np.ndarray:
        videos = [Video(f"{k:05}", 1, rows=1, transcript=Transcript(texts[k])) for k in clips]
        data = Dataset("words", folder, EMI, {"train": videos})
        cache, items, _ = extract_text_features(ReducedTextEncoder(encoder), data, ["train"], settings)
        return np.concatenate([cache.get(items[video.name]).values for video in videos])

    return work


def most_memory() -> int:
    """Return the most bytes that this process had; ``ru_maxrss`` would count those of its parent before the start."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def main(name: str, side: str, place: str) -> None:
    folder = Path(place)
    makers: dict[tuple[bool, str], Any] = {
        (True, "theirs"): text_of_theirs,
        (True, "ours"): text_of_ours,
        (False, "theirs"): audio_of_theirs,
        (False, "ours"): audio_of_ours,
    }
    work: Work = makers[name.startswith("roberta"), side](name, folder)
    print("ready", flush=True)
    for line in sys.stdin:
        clips = range(*map(int, line.split()))
        clock, processor = time.perf_counter(), time.process_time()
        rows = work(clips)
        clock, processor = time.perf_counter() - clock, time.process_time() - processor
        np.save(folder / f"{name}-{side}.npy", rows)
        print(clock, processor, most_memory(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
