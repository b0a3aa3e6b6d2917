"""Seeded blocks of torch: the same numbers each time, and nothing changed outside."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from solutions.networks.seeding import seeded


@pytest.mark.parametrize("seed", [0, 7, 2**63 + 1, (3, 4)])
def test_block_draws_the_same_and_leaves_the_state_alone(seed):
    before = torch.get_rng_state()
    with seeded(seed):
        first = torch.rand(5)
    torch.rand(3)
    with seeded(seed):
        second = torch.rand(5)
    assert torch.equal(first, second)
    torch.set_rng_state(before)
    expected = torch.rand(5)
    torch.set_rng_state(before)
    with seeded(seed):
        torch.rand(5)
    assert torch.equal(torch.rand(5), expected)


def test_numbers_are_those_of_earlier_versions():
    """Weights and heads that were trained with a seed are trained to the same bits."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        one = torch.rand(4)
        torch.manual_seed(int(np.random.SeedSequence((5, 2)).generate_state(1, np.uint64)[0]))
        several = torch.rand(4)
    with seeded(5):
        assert torch.equal(torch.rand(4), one)
    with seeded((5, 2)):
        assert torch.equal(torch.rand(4), several)


def test_state_is_restored_after_an_error():
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError), seeded(1):
        torch.rand(1)
        raise RuntimeError
    assert torch.equal(torch.get_rng_state(), before)
