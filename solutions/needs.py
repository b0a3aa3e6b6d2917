"""Weights and features that a recipe needs, with their presence, without importing heavy packages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from harness.errors import DataError
from harness.plugins.needs import Need
from harness.settings import Settings
from solutions.clips.settings import ClipStream
from solutions.encoders.names import STAT
from solutions.encoders.registry import BACKBONES, COMPUTED, PRECOMPUTED, TIMM, is_audio
from solutions.encoders.text.networks import ENCODERS as TEXT_NETWORKS
from solutions.recipe import AnyStream, Recipe
from solutions.weights.registry import WEIGHTS


def needs_of(recipe: Recipe, settings: Settings) -> list[Need]:
    """Return the weights and features that a recipe needs, without duplicates.

    Args:
        recipe: the recipe.
        settings: location of weights and features; random weights remove the needs of timm's networks and of networks
            of clips.
    """
    return list(dict.fromkeys(need for name in _encoders(recipe) for need in _needs_of_encoder(name, settings)))


def weights_of(recipe: Recipe) -> list[str]:
    """Return the names of a recipe's weights in ``abaw weights``."""
    return list(dict.fromkeys(name for encoder in _encoders(recipe) for name in weights_of_encoder(encoder)))


def _encoders(recipe: Recipe) -> list[str]:
    names = [*recipe.encoders, *(name for stream in recipe.final for name in _encoders_of(stream))]
    names += [name for stream in recipe.streams for name in _encoders_of(stream)]
    return list(dict.fromkeys(names))


def _encoders_of(stream: AnyStream) -> Iterator[str]:
    yield from stream.encoders
    if isinstance(stream, ClipStream) and stream.rgb_base is not None:
        yield from stream.rgb_base.encoders


def weights_of_encoder(name: str) -> list[str]:
    """Return the names of an encoder's weights in ``abaw weights``; empty for other encoders."""
    plain = COMPUTED.get(name.removeprefix(STAT), name.removeprefix(STAT))
    family, colon, member = plain.partition(":")
    plain = member if family + colon in BACKBONES else plain
    plain = TEXT_NETWORKS[plain].weights if plain in TEXT_NETWORKS else plain
    if is_audio(plain):
        from solutions.encoders.audio.wav2vec2 import ENCODERS as AUDIO_NETWORKS

        plain = AUDIO_NETWORKS[plain][0] if plain in AUDIO_NETWORKS else plain
    return [plain, *WEIGHTS[plain].needs] if plain in WEIGHTS else []


def _needs_of_encoder(name: str, settings: Settings) -> Iterator[Need]:
    plain = name.removeprefix(STAT)
    family, colon, member = plain.partition(":")
    random = settings.weights == "random" and (family + colon in BACKBONES or family + colon == TIMM)
    if plain.startswith(PRECOMPUTED):
        folder_name = plain.removeprefix(PRECOMPUTED)
        folder = settings.cache.expanduser() / "precomputed" / folder_name
        do = f"put <video>.npy or <video>.csv of each video into {folder}"
        yield Need("features", folder_name, do, here=_has_files(folder))
    elif weights := weights_of_encoder(name):
        yield from (_need(entry, weights[0], settings) for entry in weights if not random)
    elif (family + colon in BACKBONES or family + colon == TIMM) and not random:
        do = f"python -c \"import timm; timm.create_model('{member}', pretrained=True)\""
        yield Need("weights", member, do, here=_is_in_hub(member))


def _need(name: str, network: str, settings: Settings) -> Need:
    """Return a file of weights as a need; the command for a tokenizer is that of its network."""
    from solutions.weights.store import is_here, way_out

    entry = WEIGHTS[name]
    try:
        here = is_here(name, settings)
    except DataError:  # an unreadable record counts as missing weights
        here = False
    return Need("weights", name, way_out(WEIGHTS[network]), entry.size, here, open=entry.source is not None)


def _has_files(folder: Path) -> bool:
    return folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir())


def _is_in_hub(model: str) -> bool:
    """Return True if the hub's local cache holds the weights that timm publishes for a model."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    folder = Path(os.environ.get("HF_HUB_CACHE") or Path(home, "hub")).expanduser()
    return any((folder / f"models--timm--{model}" / "snapshots").glob("*/*.safetensors"))
