"""Which parameters train at which rate, and the optimiser that does it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from harness.system.groups import grouped
from solutions.clips.schedule import Plan, learning_rate, momentum
from solutions.clips.settings import ClipTraining, Mode

MOMENTUM = 0.9

_FULL_RATE = ("head", "lstm", "drop")
"""Parts of a parameter's name that give it the full rate in the authors' ``get_param_groups``."""


def at_full_rate(name: str, mode: Mode) -> bool:
    """Whether a parameter trains at the full rate, not at the encoders'.

    In mode ``fixed`` all that is in no encoder does. In mode ``paper`` the authors' rule decides, which looks for words
    in names: inside an encoder these are timm's or torchvision's, so that the last norm of a ConvNeXt (``head.norm``)
    and the last convolution of an EfficientNet (``conv_head``) get the full rate; outside, all temporal heads have one
    of the words in their name, and no fusion or projection of features does, which are trained at the encoders'.

    Args:
        name: of a parameter of a :class:`~solutions.clips.network.ClipNet`.
    """
    part, _, rest = name.partition(".")
    if part != "encoders":
        return mode == "fixed" or part == "head"
    return mode == "paper" and any(word in rest.partition(".")[2] for word in _FULL_RATE)


def make_optimiser(net: nn.Module, training: ClipTraining) -> torch.optim.Optimizer:
    """AdamW with torch's own constants, or SGD with Nesterov's momentum, over what is not frozen.

    Tensors of more than one dimension decay. ``rate`` of a group is its share of the full learning rate.
    """
    trained = ((name, parameter) for name, parameter in net.named_parameters() if parameter.requires_grad)
    groups = grouped(((at_full_rate(name, training.mode), weights.ndim > 1), weights) for name, weights in trained)
    described: list[dict[str, Any]] = [
        {
            "params": parameters,
            "rate": 1.0 if full else training.encoder_rate,
            "weight_decay": training.weight_decay if decays else 0.0,
        }
        for (full, decays), parameters in sorted(groups.items(), key=lambda group: group[0])
    ]
    if training.optimiser == "sgd":
        return torch.optim.SGD(described, lr=training.learning_rate, momentum=MOMENTUM, nesterov=True)
    return torch.optim.AdamW(described, lr=training.learning_rate)


def set_rates(optimiser: torch.optim.Optimizer, training: ClipTraining, plan: Plan, step: int) -> None:
    """Learning rates, and momentum if it has a cycle, of a step of the whole training, from 0."""
    total = plan.scheduled * training.epochs
    rate = training.learning_rate * training.peak * learning_rate(step, total, training.warm_up)
    for group in optimiser.param_groups:
        group["lr"] = rate * group["rate"]
        if training.momentum_cycle:
            group["momentum"] = momentum(step, total, training.warm_up, training.momentum_cycle)
