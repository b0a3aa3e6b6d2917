"""Gains of ingredients: pairs of systems that differ in one, and the way from a plain system to the full one."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

ENCODER, HEAD, VARIANT = range(3)
_PLAIN = "plain"
# a run's description of post-processing continues after these words with the origin of their constant
_WITH_CONSTANT = ("smoothed", "median", "filtered")

INGREDIENTS = {
    "gla": ("GLA", "generalised logit adjustment: a bias a class, so that rare classes are said more often"),
    "smooth": ("smoothing", "each frame's probabilities averaged over the frames around it"),
    "filter": ("filtering", "where the pretrained network is very sure of a class, its word is taken"),
    "focal": ("focal loss", "training that dwells on the frames it gets wrong"),
    "thr0.5": ("threshold 0.5", "a unit is said to be there from a probability of 0.5 on"),
    "best-thr": ("best thresholds", "a threshold a unit, chosen on validation"),
    "emb": ("embeddings", "the last layer but one of the pretrained network as features"),
    "logits": ("logits", "the last layer of the pretrained network as features"),
    "enet_b0_8_best_vgaf": ("EmotiEffNet-B0", "pretrained on faces; looks at one frame"),
    "wav2vec2": ("wav2vec 2.0", "pretrained on speech; hears the sound around a frame"),
    "lightautoml": ("LightAutoML", "a search over gradient-boosted trees, blended in"),
    "convnext_tiny": ("ConvNeXt-T", ""),
    "efficientnet_b0": ("EfficientNet-B0", ""),
    "resnet18": ("ResNet-18", ""),
    "video_swin_tiny": ("Video Swin-T", ""),
    "slowfast_r50": ("SlowFast-R50", ""),
    "r3d_18": ("R3D-18", ""),
    "r2plus1d_18": ("R(2+1)D-18", ""),
    "s3d": ("S3D", ""),
    "mediapipe_pose": ("skeletons", "joints of the two largest people, by MediaPipe"),
    "bilstm": ("BiLSTM", "reads the features of a stretch both ways"),
    "tcn": ("TCN", "convolutions over time, ever further apart"),
    "conv1d": ("Conv1d", "one convolution over time"),
    "mbf_va_mtl": ("MT-EmotiMobileFaceNet", ""),
    "mobilevit_va_mtl": ("MT-EmotiMobileViT", ""),
    "hubert": ("HuBERT", ""),
    "gigachat": ("GigaChat", ""),
    "roberta-go-emotions": ("RoBERTa", ""),
    "text-embedding-3-small": ("OpenAI small", ""),
    "GLA": ("GLA", "generalised logit adjustment: a bias a class, so that rare classes are said more often"),
    "smoothed": ("smoothing", "each frame's probabilities averaged over the frames around it"),
    "median": ("median smoothing", "the median of each frame's probabilities over the frames around it"),
    "filtered": ("filtering", "where the pretrained network is very sure of a class, its word is taken"),
}
"""Name and meaning of each ingredient, by the spelling of papers' tables and runs."""


@dataclass(frozen=True)
class System:
    """A system with a score, as a set of ingredients.

    Attributes:
        key: identity of the system.
        name: name for tables.
        parts: the encoders, the parts of the head, and all other ingredients, in this order.
        score: official score.
    """

    key: str
    name: str
    parts: tuple[frozenset[str], frozenset[str], frozenset[str]]
    score: float


@dataclass(frozen=True)
class Step:
    """A pair of systems that differ in one ingredient.

    Attributes:
        before: the system without the ingredient.
        after: the system with it.
        added: the ingredient.
        removed: the ingredient that it replaces; empty if it was added.
    """

    before: System
    after: System
    added: str
    removed: str = ""

    @property
    def gain(self) -> float:
        """Difference of the scores, after minus before."""
        return self.after.score - self.before.score


@dataclass(frozen=True)
class Gain:
    """One ingredient over all the pairs that differ in it."""

    added: str
    removed: str
    steps: tuple[Step, ...]

    @property
    def mean(self) -> float:
        """Mean gain over the pairs."""
        return fmean(step.gain for step in self.steps)


def paper_system(key: str, name: str, encoder: str, head: str, variant: str, score: float) -> System:
    """Return the system of a row of a paper's table, whose parts are written ``clip+wav2vec2``."""
    sets = (frozenset(part.split("+")) - {"", _PLAIN} for part in (encoder, head, variant))
    return System(key, name, tuple(sets), score)  # type: ignore[arg-type]


def run_system(key: str, name: str, encoder: str, head: str, postprocess: str, score: float) -> System:
    """Return the system of a run, whose parts are written for people: ``gaps filled, GLA, smoothed, window chosen``."""
    # a second stream with the same head adds no ingredient
    heads = frozenset(head.split(" + "))
    return System(key, name, (frozenset(encoder.split(" + ")), heads, frozenset(_steps_of(postprocess))), score)


def _steps_of(postprocess: str) -> Iterable[str]:
    words = postprocess.split(", ")
    for before, word in zip(["", *words], words, strict=False):
        # blending comes with a second encoder, and is not counted as another ingredient
        if before not in _WITH_CONSTANT and word and not word.startswith("blended"):
            yield word


def one_step_pairs(systems: Sequence[System]) -> list[Step]:
    """Return every pair of systems that differ in one ingredient, the largest gain first.

    The first of two systems with the same parts counts. The gain of an added ingredient may be negative. In a
    replacement, the better ingredient replaces the worse one. Replacements are pairs of single encoders, pairs of
    heads, and pairs of other ingredients whose names share a word, such as ``thr0.5`` and ``best-thr``.
    """
    systems_by_parts: dict[tuple[frozenset[str], ...], System] = {}
    for system in systems:
        if system.parts[0]:  # a system without an encoder is unknown
            systems_by_parts.setdefault(system.parts, system)
    steps: list[Step] = []
    without: dict[tuple[int, tuple[frozenset[str], ...]], list[tuple[str, System]]] = defaultdict(list)
    for parts, system in systems_by_parts.items():
        for place, names in enumerate(parts):
            for name in sorted(names):
                rest = (*parts[:place], names - {name}, *parts[place + 1 :])
                # a system without an encoder or head leaves that part unknown: it makes no pair
                if rest in systems_by_parts and (rest[place] or place == VARIANT):
                    steps.append(Step(systems_by_parts[rest], system, name))
                if place != ENCODER or not rest[place]:
                    without[place, rest].append((name, system))
    for (place, _), same in without.items():
        for pair in itertools.combinations(same, 2):
            (removed, before), (added, after) = sorted(pair, key=lambda one: one[1].score)
            if place != VARIANT or _words(removed) & _words(added):
                steps.append(Step(before, after, added, removed))
    order = {system.key: k for k, system in enumerate(systems)}
    return sorted(steps, key=lambda step: (-step.gain, order[step.after.key], order[step.before.key]))


def _words(name: str) -> set[str]:
    return set(re.findall("[a-z]{3,}", name))


def gains(steps: Sequence[Step]) -> list[Gain]:
    """Return the ingredients with all pairs that differ in them, the largest mean gain first."""
    pairs: dict[tuple[str, str], list[Step]] = defaultdict(list)
    for step in steps:
        # pairs in both directions count as one replacement, whose gain has a sign
        if (step.removed, step.added) in pairs:
            step = Step(step.after, step.before, step.removed, step.added)
        pairs[step.added, step.removed].append(step)
    listed = [_better_way(Gain(added, removed, tuple(of_it))) for (added, removed), of_it in pairs.items()]
    return sorted(listed, key=lambda gain: -gain.mean)


def _better_way(gain: Gain) -> Gain:
    """Return a replacement in the direction in which its mean gain is positive."""
    if not gain.removed or gain.mean >= 0:
        return gain
    turned = (Step(step.after, step.before, step.removed, step.added) for step in gain.steps)
    return Gain(gain.removed, gain.added, tuple(turned))


def waterfall(systems: Sequence[System], steps: Sequence[Step]) -> list[Step]:
    """Return the longest way to the best system, one ingredient per step, each step nearer to it; it may be empty.

    Among ways of one length, the one with the highest first score is taken, then the one whose rows come first.
    """
    if not steps:
        return []
    target = max(systems, key=lambda system: system.score)
    order = {system.key: k for k, system in enumerate(systems)}
    onward: dict[str, list[Step]] = defaultdict(list)
    for step in steps:
        if _distance(step.after, target) < _distance(step.before, target):
            onward[step.before.key].append(step)
    ways: dict[str, list[Step]] = {target.key: []}
    for system in sorted(systems, key=lambda system: (_distance(system, target), order[system.key])):
        nearer = [[step, *ways[step.after.key]] for step in onward[system.key] if step.after.key in ways]
        if nearer:
            ways[system.key] = min(nearer, key=lambda way: (-len(way), order[way[0].after.key]))
    starts = [way for way in ways.values() if way]
    if not starts:
        return []
    return min(starts, key=lambda way: (-len(way), -way[0].before.score, order[way[0].before.key]))


def _distance(system: System, target: System) -> int:
    return sum(len(here ^ there) for here, there in zip(system.parts, target.parts, strict=True))
