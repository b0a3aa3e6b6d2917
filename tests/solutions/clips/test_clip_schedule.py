"""How clips make up steps, and the rate of each: the authors' numbers as audited, and ours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from solutions.clips.presets import PRESETS, careful
from solutions.clips.sampling import Sampler
from solutions.clips.schedule import Plan, learning_rate, momentum
from solutions.clips.settings import ClipTraining
from tests.support.tiny_clips import PLAIN

VIDEOS = 103  # DVD's training set

STEPS = {
    "resnet18-conv1d": 90,
    "efficientnet-b0-bilstm": 72,
    "convnext-t-bilstm": 90,
    "convnext-t-tcn": 108,
    "skeleton-attn-tcn": 108,
    "skeleton-attn-bilstm": 108,
    "convnext-t-skeleton-early": 108,
    "twostream-concat-bilstm": 150,
    "twostream-gated-bilstm": 150,
    "video-swin-t": 64,
    "videomae-small": 160,
    "s3d-bilstm": 120,
    "r2plus1d-bilstm": 120,
    "videomae-crime": 96,
}
"""Optimiser's steps of a whole training, as the audit counted them in the authors' code."""


def torch_schedule(steps, total, training):
    """What torch's scheduler gives, a rate and a momentum a step."""
    sgd = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    low, high = training.momentum_cycle or (0.85, 0.95)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        sgd, max_lr=1.0, total_steps=total, pct_start=training.warm_up, base_momentum=low, max_momentum=high
    )
    found = []
    for _ in range(steps):
        found.append((sgd.param_groups[0]["lr"], sgd.param_groups[0]["momentum"]))
        sgd.step()
        cycle.step()
    return np.array(found)


@pytest.mark.parametrize(("row", "steps"), STEPS.items())
def test_steps_of_a_row(row, steps):
    training = PRESETS[row].stream.training
    assert Plan.of(training, VIDEOS).steps * training.epochs == steps


def test_the_best_row_uses_96_of_103_clips_and_never_comes_down():
    training = PRESETS["convnext-t-tcn"].stream.training
    plan = Plan.of(training, VIDEOS)
    assert (plan.n_used, plan.steps, plan.scheduled) == (96, 6, 7)
    last = learning_rate(plan.steps * training.epochs - 1, plan.scheduled * training.epochs, training.warm_up)
    assert last == pytest.approx(0.087, abs=5e-4)
    assert plan.note == ""


def test_rates_of_the_best_row():
    training = PRESETS["convnext-t-tcn"].stream.training
    highest = training.learning_rate * training.peak
    assert highest == pytest.approx(3.6e-4)
    assert highest * training.encoder_rate == pytest.approx(5.4e-5)


@pytest.mark.parametrize("row", ["resnet18-conv1d", "convnext-t-tcn", "video-swin-t"])
def test_rates_and_momentum_are_torch_s(row):
    training = PRESETS[row].stream.training
    plan = Plan.of(training, VIDEOS)
    total = plan.scheduled * training.epochs
    cycle = training.momentum_cycle or (0.85, 0.95)
    ours = [
        (learning_rate(k, total, training.warm_up), momentum(k, total, training.warm_up, cycle)) for k in range(total)
    ]
    assert np.array(ours) == pytest.approx(torch_schedule(total, total, training), abs=1e-9)


def test_too_few_steps_for_a_warm_up_start_at_the_highest_rate():
    assert [learning_rate(k, 3, 0.25) for k in range(3)] == pytest.approx([1, 0.5, 0], abs=1e-3)
    assert learning_rate(0, 1, 0.25) == 1
    assert learning_rate(0, 4, 0.25) == 1  # torch divides by zero


def test_fixed_schedule_uses_every_clip_and_rate_comes_down():
    training = replace(PRESETS["convnext-t-tcn"].stream.training, mode="fixed")
    plan = Plan.of(training, VIDEOS)
    assert (plan.n_used, plan.steps, plan.scheduled) == (103, 7, 7)
    total = plan.scheduled * training.epochs
    assert learning_rate(total - 1, total, training.warm_up) < 1e-5


def test_too_few_videos_for_a_step_make_one_and_a_note_says_so():
    plan = Plan.of(ClipTraining(), 5)
    assert (plan.batch, plan.accumulate, plan.steps, plan.scheduled, plan.n_used) == (2, 2, 1, 1, 4)
    assert "fewer than the 16" in plan.note
    plan = Plan.of(ClipTraining(batch=4), 3)
    assert (plan.batch, plan.accumulate, plan.steps, plan.n_used) == (3, 1, 1, 3)


@pytest.mark.parametrize(("mode", "sizes"), [("paper", [[2, 2], [2, 2]]), ("fixed", [[2, 2], [2, 2], [2, 1]])])
def test_an_epoch_s_passes(mode, sizes):
    training = replace(PLAIN, mode=mode, batch=2, accumulate=2, epoch_clips=11)
    labels = [np.zeros(20, int)] * 11
    drawn = Sampler(labels, training).epoch(np.random.default_rng(0))
    passes = list(Plan.of(training, 11).passes(drawn))
    assert [[len(each) for each in step] for step in passes] == sizes
    seen = np.concatenate([each.frames for step in passes for each in step])
    assert np.array_equal(seen, drawn.frames[: len(seen)])


def test_a_careful_variant_trains_at_the_step_of_inference():
    stream = careful(PRESETS["convnext-t-tcn"].stream, epoch_clips=500)
    assert stream.training.mode == "fixed"
    assert stream.training.step == stream.windows.step == 1
    assert stream.training.epoch_clips == 500
    assert stream.training.learning_rate == 6e-5
