"""Choice of the device that networks run on."""

from __future__ import annotations

from harness.errors import UsageError


def resolve_device(name: str) -> str:
    """Return ``cuda`` or ``cpu`` for ``auto``; return any other name unchanged if the machine has the device.

    Args:
        name: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, or another name that torch knows.

    Raises:
        UsageError: torch does not know the device, or the machine lacks it.
    """
    if name == "cpu":
        return name
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # torch raises each of these
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"device {name!r} can't be used", found=reason, expected="auto, cpu, cuda, cuda:1, …"
        ) from None
    return name
