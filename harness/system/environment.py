"""Versions, hardware and commit: never host names, users or environment variables."""

from __future__ import annotations

import functools
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

LIBRARIES = (
    "video-harness",
    "torch",
    "torchvision",
    "mmengine-lite",
    "numpy",
    "scipy",
    "av",
    "opencv-contrib-python-headless",
)


def provenance(plugins: Mapping[str, str], device: str) -> dict[str, Any]:
    """Record versions, hardware and the harness's commit.

    Args:
        plugins: version of each distribution that a loaded plugin came from.
        device: where networks run.
    """
    return {
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "plugins": dict(plugins),
        "hardware": hardware(device),
        "threads": torch.get_num_threads(),
        "commit": commit(),
    }


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def hardware(device: str) -> str:
    """Model of the processor or accelerator behind `device`."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@functools.cache
def commit() -> str:
    """Commit of the harness's checkout, `-dirty` when changed; empty without one."""
    root = Path(__file__).parent.parent
    if not (root / ".git").exists():
        return ""
    git = ["git", "-C", str(root)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)  # noqa: S603
        code = ["status", "--porcelain", "--", "harness", "plugins"]
        changed = subprocess.run([*git, *code], capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head.stdout.strip() + ("-dirty" if changed.stdout.strip() else "")
