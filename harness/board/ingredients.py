"""What each ingredient adds: pairs of systems that differ in one, and the way from a plain system to the full one."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

ENCODER, HEAD, VARIANT = range(3)
_PLAIN = "plain"
# these words of a run's post-processing are followed by how their constant was found, which is not one of its own
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
    """Something with a score that is made of ingredients.

    Attributes:
        parts: the encoders, the parts of the head, and all else, in this order.
    """

    key: str
    name: str
    parts: tuple[frozenset[str], frozenset[str], frozenset[str]]
    score: float


@dataclass(frozen=True)
class Step:
    """From one system to another that differs in one ingredient.

    Attributes:
        added: the ingredient.
        removed: what it stands in place of; empty where it was put on top.
    """

    before: System
    after: System
    added: str
    removed: str = ""

    @property
    def gain(self) -> float:
        """What the score gains."""
        return self.after.score - self.before.score


@dataclass(frozen=True)
class Gain:
    """One ingredient over all the pairs that differ in it."""

    added: str
    removed: str
    steps: tuple[Step, ...]

    @property
    def mean(self) -> float:
        """What it adds on average."""
        return fmean(step.gain for step in self.steps)


def paper_system(key: str, name: str, encoder: str, head: str, variant: str, score: float) -> System:
    """A row of a paper's table, whose parts are written ``clip+wav2vec2``."""
    sets = (frozenset(part.split("+")) - {"", _PLAIN} for part in (encoder, head, variant))
    return System(key, name, tuple(sets), score)  # type: ignore[arg-type]


def run_system(key: str, name: str, encoder: str, head: str, postprocess: str, score: float) -> System:
    """A run, whose parts are written for people: ``gaps filled, GLA, smoothed, window chosen``."""
    # two streams with the same head are one head more only in name
    heads = frozenset(head.split(" + "))
    return System(key, name, (frozenset(encoder.split(" + ")), heads, frozenset(_steps_of(postprocess))), score)


def _steps_of(postprocess: str) -> Iterable[str]:
    words = postprocess.split(", ")
    for before, word in zip(["", *words], words, strict=False):
        # blending comes with a second encoder: it is no ingredient besides
        if before not in _WITH_CONSTANT and word and not word.startswith("blended"):
            yield word


def one_step_pairs(systems: Sequence[System]) -> list[Step]:
    """Every pair that differs in one ingredient, the largest gain first.

    Of two systems with the same parts the first counts. Where one ingredient was put on top, the gain may be a loss;
    where one stands in place of another, the better one is taken to replace the other. What may replace what: encoders
    that are alone, heads, and else what is spelled with a word in common, ``thr0.5`` and ``best-thr``.
    """
    own: dict[tuple[frozenset[str], ...], System] = {}
    for system in systems:
        if system.parts[0]:  # without an encoder nobody knows what it is
            own.setdefault(system.parts, system)
    steps: list[Step] = []
    without: dict[tuple[int, tuple[frozenset[str], ...]], list[tuple[str, System]]] = defaultdict(list)
    for parts, system in own.items():
        for place, names in enumerate(parts):
            for name in sorted(names):
                rest = (*parts[:place], names - {name}, *parts[place + 1 :])
                # an encoder or a head on top of none at all: that part of the other one is not known
                if rest in own and (rest[place] or place == VARIANT):
                    steps.append(Step(own[rest], system, name))
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
    """Ingredients with all the pairs that differ in them, the largest mean gain first."""
    found: dict[tuple[str, str], list[Step]] = defaultdict(list)
    for step in steps:
        # put in place of each other both ways, by turns: one ingredient, whose gain has a sign
        if (step.removed, step.added) in found:
            step = Step(step.after, step.before, step.removed, step.added)
        found[step.added, step.removed].append(step)
    listed = [_better_way(Gain(added, removed, tuple(of_it))) for (added, removed), of_it in found.items()]
    return sorted(listed, key=lambda gain: -gain.mean)


def _better_way(gain: Gain) -> Gain:
    """Of two that replace each other, the one that is better on average first."""
    if not gain.removed or gain.mean >= 0:
        return gain
    turned = (Step(step.after, step.before, step.removed, step.added) for step in gain.steps)
    return Gain(gain.removed, gain.added, tuple(turned))


def waterfall(systems: Sequence[System], steps: Sequence[Step]) -> list[Step]:
    """The longest way to the best system, a step an ingredient, each bringing it nearer; empty where there is none.

    Of ways of one length the one that starts highest is taken, then the one whose rows come first.
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
    return sum(len(own ^ its) for own, its in zip(system.parts, target.parts, strict=True))
