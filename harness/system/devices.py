"""Names of devices, and whether this machine has them."""

from __future__ import annotations

import re

from harness.errors import UsageError

_DEVICE = re.compile(r"cpu|cuda(:(0|[1-9]\d?))?")


def named_device(name: str) -> str:
    """Check the name of a device that is on other machines.

    Raises:
        UsageError: when no device has such a name.
    """
    if name != "auto" and not _DEVICE.fullmatch(name):
        msg = f"device {name}: expected cpu, cuda, cuda:N or auto"
        raise UsageError(msg)
    return name


def usable_device(name: str) -> str:
    """Resolve `auto` to a GPU where there is one, and check any other device.

    Raises:
        UsageError: when there is none.
    """
    import torch  # listing does without

    if named_device(name) == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    wanted = torch.device(name)
    count = torch.cuda.device_count()  # a tensor there would take its memory from the processes that compute
    if wanted.type == "cuda" and not (torch.cuda.is_available() and (wanted.index or 0) < count):
        msg = f"device {name}: PyTorch {torch.__version__} finds {count} GPUs here"
        raise UsageError(msg)
    return name
