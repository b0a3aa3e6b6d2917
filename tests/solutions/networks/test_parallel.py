"""Memory of freed tensors, which the next tensors use again."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from tests.support.places import REPOSITORY

ROUNDS, TENSORS, MEBIBYTES = 20, 4, 3
PAGES = ROUNDS * TENSORS * MEBIBYTES * 256
"""Pages of 4 KiB in all tensors."""

IN_A_FRESH_PROCESS = f"""
import resource
import numpy as np
from solutions.networks.parallel import keep_freed_memory

def faults():
    for _ in range({ROUNDS}):
        [np.ones({MEBIBYTES} << 17) for _ in range({TENSORS})]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

keep_freed_memory()
first = faults()
print(faults() - first)
"""
"""A process without torch, whose import may or may not change the C library's thresholds."""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is another one than glibc")
def test_memory_of_freed_tensors_is_used_again():
    finished = subprocess.run(
        [sys.executable, "-c", IN_A_FRESH_PROCESS],
        capture_output=True, text=True, cwd=REPOSITORY, timeout=120, check=True,
    )  # fmt: skip
    assert int(finished.stdout) < PAGES / 10
