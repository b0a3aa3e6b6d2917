"""Optimiser of a clip network, with the learning rate of each parameter."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from harness.system.groups import grouped
from solutions.clips.schedule import Plan, learning_rate, momentum
from solutions.clips.settings import ClipTraining, Mode

MOMENTUM = 0.9

_FULL_RATE = ("head", "lstm", "drop")
"""Parts of a name that give a parameter the full rate in the authors' ``get_param_groups``."""


def at_full_rate(name: str, mode: Mode) -> bool:
    """Return True if a parameter trains at the full learning rate, False for the encoders' rate.

    In mode ``fixed`` all parameters outside the encoders have the full rate. Mode ``paper`` follows the authors' rule,
    which searches names for words. Inside an encoder the names are timm's or torchvision's, so that the last norm of a
    ConvNeXt (``head.norm``) and the last convolution of an EfficientNet (``conv_head``) get the full rate. Outside, all
    temporal heads match, while fusion and projections of features don't and train at the encoders' rate.

    Args:
        name: name of a parameter of a :class:`~solutions.clips.network.ClipNet`.
        mode: ``paper`` or ``fixed``.
    """
    part, _, rest = name.partition(".")
    if part != "encoders":
        return mode == "fixed" or part == "head"
    return mode == "paper" and any(word in rest.partition(".")[2] for word in _FULL_RATE)


def make_optimiser(net: nn.Module, training: ClipTraining) -> torch.optim.Optimizer:
    """Return AdamW with torch's default constants, or SGD with Nesterov's momentum, over all trainable parameters.

    Weight decay acts on tensors of more than one dimension. ``rate`` of a group is its share of the full learning rate.
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
    """Set the learning rates of a step, and the momentum if it has a cycle.

    Args:
        optimiser: optimiser from :func:`make_optimiser`.
        training: settings of the training.
        plan: passes and steps of an epoch.
        step: number of the step in the whole training, from 0.
    """
    total = plan.scheduled * training.epochs
    rate = training.learning_rate * training.peak * learning_rate(step, total, training.warm_up)
    for group in optimiser.param_groups:
        group["lr"] = rate * group["rate"]
        if training.momentum_cycle:
            group["momentum"] = momentum(step, total, training.warm_up, training.momentum_cycle)
