"""What clip networks are trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from solutions.clips.losses import ClipLoss, boundary_weights, class_weights
from tests.support.tiny_clips import PLAIN

PAPER = replace(PLAIN, mode="paper", label_smoothing=0.02)


def drawn(b=4, t=10, seed=0, unlabelled=0.2):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(b, t, 2, generator=generator)
    targets = torch.randint(0, 2, (b, t), generator=generator)
    targets[torch.rand(b, t, generator=generator) < unlabelled] = -1
    return logits, targets


def step_loss(loss, passes):
    totals = loss.totals([targets for _, targets in passes])
    return sum(loss(logits, targets, own) for (logits, targets), own in zip(passes, totals, strict=True))


def test_class_weights_of_the_paper():
    labels = np.r_[np.zeros(56, int), np.ones(44, int), np.full(30, -1)]
    assert class_weights(labels, 1.15) == pytest.approx([0.893, 1.307], abs=5e-4)
    assert class_weights(np.zeros(10, int), 1.0) == pytest.approx([11 / 20, 11 / 2])  # as if there were one


@pytest.mark.parametrize("smoothing", [0.0, 0.05])
@pytest.mark.parametrize("mode", ["paper", "fixed"])
def test_single_pass_is_torchs_weighted_mean_of_valid_frames(mode, smoothing):
    logits, targets = drawn()
    weights = torch.tensor([0.9, 1.3])
    loss = step_loss(ClipLoss(replace(PAPER, mode=mode, label_smoothing=smoothing), weights), [(logits, targets)])
    counts = targets >= 0
    expected = nn.CrossEntropyLoss(weights, label_smoothing=smoothing)(logits[counts], targets[counts])
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_paper_loss_is_the_plain_mean_over_passes():
    logits, targets = drawn(unlabelled=0.0)
    targets[0, 1:] = -1
    one, rest = (logits[:1], targets[:1]), (logits[1:], targets[1:])
    loss = ClipLoss(PAPER, torch.tensor([0.9, 1.3]))
    assert step_loss(loss, [one, rest]).item() == pytest.approx(
        (step_loss(loss, [one]) + step_loss(loss, [rest])).item() / 2, rel=1e-5
    )


def test_fixed_loss_is_independent_of_the_split_into_passes():
    logits, targets = drawn()
    for training in (replace(PLAIN, label_smoothing=0.1), replace(PLAIN, boundary=0.5)):
        loss = ClipLoss(training, torch.tensor([0.9, 1.3]))
        cut = [(logits[:1], targets[:1]), (logits[1:], targets[1:])]
        assert step_loss(loss, cut).item() == pytest.approx(step_loss(loss, [(logits, targets)]).item(), rel=1e-5)


@pytest.mark.parametrize("mode", ["paper", "fixed"])
def test_a_pass_without_a_label_has_no_loss_and_slopes_of_zero(mode):
    logits = torch.randn(2, 5, 2, requires_grad=True)
    targets = torch.full((2, 5), -1)
    loss = step_loss(ClipLoss(replace(PAPER, mode=mode, boundary=0.5), torch.ones(2)), [(logits, targets)])
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


def test_frames_within_three_of_a_change_weigh_twice():
    targets = torch.tensor([[0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]])
    expected = [[1, 1, 2, 2, 2, 2, 2, 2, 2, 1, 1]]  # the change is at the first frame with the other label
    for paper in (True, False):
        assert boundary_weights(targets, unlabelled_as_zero=paper).tolist() == expected


def test_paper_boundary_counts_changes_to_unannotated_frames():
    targets = torch.tensor([[1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1]])
    assert boundary_weights(targets, unlabelled_as_zero=True).tolist() == [[1, 1, 2, 2, 2, 0, 0, 0, 0, 0, 0]]
    assert boundary_weights(targets, unlabelled_as_zero=False).tolist() == [[1] * 5 + [0] * 6]


def test_boundary_loss_has_no_class_weights_or_smoothing():
    logits, targets = drawn(unlabelled=0.0)
    weights = torch.tensor([0.5, 2.0])
    base = step_loss(ClipLoss(PAPER, weights), [(logits, targets)])
    both = step_loss(ClipLoss(replace(PAPER, boundary=0.5), weights), [(logits, targets)])
    near = boundary_weights(targets, unlabelled_as_zero=True)
    each = nn.functional.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
    assert (both - base).item() == pytest.approx(0.5 * ((each * near).sum() / near.sum()).item(), rel=1e-4)
