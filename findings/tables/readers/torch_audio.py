"""torchcodec, torchaudio and Whisper's reader; lengths of torchaudio's resampler; rows of speech networks."""

from __future__ import annotations

import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import torchaudio
from samples import measure_all
from torchcodec.decoders import AudioDecoder
from transformers import (
    HubertConfig,
    HubertModel,
    Wav2Vec2Config,
    Wav2Vec2Model,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperModel,
)
from words import said

SECONDS = (399 / 16_000, 0.025, 0.5, 1.0, 1.5, 10.0, 31.0)
SMALL = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


def torchcodec_samples(path: str) -> tuple[Any, int]:
    """Return all samples of torchcodec's decoder and their rate."""
    samples = AudioDecoder(path).get_all_samples()
    return samples.data.numpy(), samples.sample_rate


def torchaudio_samples(path: str) -> tuple[Any, int]:
    """Return what ``torchaudio.load`` gives."""
    samples, rate = torchaudio.load(path)
    return samples.numpy(), rate


def rows_of_networks() -> dict[str, dict[str, Any]]:
    """Return the rows of small networks with random weights and the published layers of convolutions, by seconds."""
    torch.manual_seed(0)
    networks = {
        "wav2vec 2.0": Wav2Vec2Model(Wav2Vec2Config(**SMALL, num_conv_pos_embeddings=16)).eval(),
        "HuBERT": HubertModel(HubertConfig(**SMALL, num_conv_pos_embeddings=16)).eval(),
    }
    sizes = {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
             "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}  # fmt: skip
    whisper = WhisperModel(WhisperConfig(**sizes, num_mel_bins=80)).eval().encoder
    extractor = WhisperFeatureExtractor()
    rows: dict[str, dict[str, Any]] = {name: {} for name in (*networks, "Whisper's encoder")}
    with torch.inference_mode():
        for seconds in SECONDS:
            wave = torch.randn(1, round(seconds * 16_000)) * 0.05
            for name, network in networks.items():
                try:
                    rows[name][f"{seconds:g}"] = len(network(wave).last_hidden_state[0])
                except Exception as error:
                    rows[name][f"{seconds:g}"] = said(error)
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                mel = extractor(wave[0].numpy(), sampling_rate=16_000, return_tensors="pt").input_features
                count = len(whisper(mel).last_hidden_state[0])
            rows["Whisper's encoder"][f"{seconds:g}"] = count
            rows.setdefault("warnings of Whisper's extractor", {})[f"{seconds:g}"] = len(warned)
    return rows


def main() -> None:
    """Measure and write."""
    lengths = json.loads(Path(sys.argv[3]).read_text(encoding="utf-8"))
    resampled = {
        f"{n} at {rate}": torchaudio.functional.resample(torch.zeros(1, n), rate, 16_000).shape[1]
        for n, rate in lengths
    }
    measure_all(
        {
            f"torchcodec {version('torchcodec')}": torchcodec_samples,
            f"torchaudio {version('torchaudio')}": torchaudio_samples,
        },
        ["torchcodec", "torchaudio", "torch", "transformers", "av"],
        resampled={f"torchaudio {version('torchaudio')}": resampled},
        networks={"versions": {"transformers": version("transformers")}, "rows": rows_of_networks()},
    )


main()
