"""Which device a network runs on: what was asked for, made definite."""

from __future__ import annotations

from harness.errors import UsageError


def resolve_device(wanted: str) -> str:
    """``auto`` as ``cuda`` or ``cpu``; any other name as it is, if the machine has it.

    Args:
        wanted: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, or another name that torch knows.

    Raises:
        UsageError: torch knows no such device, or the machine has none.
    """
    if wanted == "cpu":
        return wanted
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # torch raises each of these for it
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"device {wanted!r} can't be used", found=reason, expected="auto, cpu, cuda, cuda:1, …"
        ) from None
    return wanted
