"""Seeding of torch's random numbers for a block, without changing the state outside."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
import torch


@contextlib.contextmanager
def seeded(seed: int | Sequence[int], device: str | torch.device = "cpu") -> Iterator[None]:
    """Seed torch for a block; restore its global state afterwards.

    Args:
        seed: a whole number of up to 64 bits, or several numbers, which are combined into one.
        device: device, besides the CPU, on which the block generates random numbers; other devices keep their state.
    """
    if not isinstance(seed, int):
        seed = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
    gpu = torch.device(device).type == "cuda"
    with torch.random.fork_rng([device] if gpu else []):
        torch.default_generator.manual_seed(seed)
        if gpu:
            torch.cuda.manual_seed_all(seed)
        yield
