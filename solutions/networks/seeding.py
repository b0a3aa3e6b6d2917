"""Random numbers of torch, seeded for a block and left as they were outside."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
import torch


@contextlib.contextmanager
def seeded(seed: int | Sequence[int], device: str | torch.device = "cpu") -> Iterator[None]:
    """Seed torch for a block; restore its global state afterwards.

    Args:
        seed: a whole number of up to 64 bits, or several numbers, of which one is made.
        device: where the block draws, besides the CPU; the state of other devices is left alone.
    """
    if not isinstance(seed, int):
        seed = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
    gpu = torch.device(device).type == "cuda"
    with torch.random.fork_rng([device] if gpu else []):
        torch.default_generator.manual_seed(seed)
        if gpu:
            torch.cuda.manual_seed_all(seed)
        yield
