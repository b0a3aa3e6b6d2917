"""Memory that is available: the machine's, or a container's if that is less."""

from __future__ import annotations

import pytest

from harness.system.memory import available_memory

MIB = 2**20


@pytest.fixture
def system(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal:       8192 kB\nMemFree:        1024 kB\nMemAvailable:   4096 kB\n")
    return tmp_path


def test_available_memory_of_a_machine_is_read_from_its_table(system):
    assert available_memory(system / "meminfo", system) == 4 * MIB


def test_available_memory_of_container_is_what_its_limit_leaves(system):
    (system / "memory.max").write_text(f"{3 * MIB}\n")
    (system / "memory.current").write_text(f"{MIB}\n")
    assert available_memory(system / "meminfo", system) == 2 * MIB


def test_available_memory_without_limit_is_that_of_the_machine(system):
    (system / "memory.max").write_text("max\n")
    (system / "memory.current").write_text(f"{MIB}\n")
    assert available_memory(system / "meminfo", system) == 4 * MIB


def test_available_memory_of_an_unknown_system_is_none(tmp_path):
    assert available_memory(tmp_path / "meminfo", tmp_path) is None
