"""Versions, hardware and commit: never host names, users or environment variables."""

from __future__ import annotations

import functools
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import av
import torch
from torch.utils import collect_env

from harness.system.processes import allowed_processors

ABSENT = "not installed"
COMPILER = "inductor"
"""Name of `torch.compile`'s own compiler."""
LIBRARIES = (
    "video-harness",
    "torch",
    "torchvision",
    "mmengine-lite",
    "numpy",
    "scipy",
    "av",
    "opencv-contrib-python-headless",
    "altair",
    "vl-convert-python",
)
OPTIONAL = ("scikit-learn", "faiss-cpu", "faiss-gpu", "timm", "pytorchvideo", "transformers", "mteb")
"""Libraries that are recorded where they are installed."""
FFMPEG = ("libavcodec", "libavformat", "libavutil", "libswscale")
"""Libraries of FFmpeg, which PyAV brings, that turn files into pixels."""


def provenance(plugins: Mapping[str, str], device: str, *, compiled: bool = False) -> dict[str, Any]:
    """Record versions, hardware and the harness's commit.

    Args:
        plugins: version of each distribution that a loaded plugin came from.
        device: where networks run.
        compiled: whether networks are trained as `torch.compile` makes them.
    """
    libraries = {name: _version(name) for name in (*LIBRARIES, *OPTIONAL)}
    return {
        "python": platform.python_version(),
        "system": _system(),
        "libraries": {name: text for name, text in libraries.items() if text != ABSENT or name in LIBRARIES},
        "ffmpeg": {name: ".".join(map(str, av.library_versions[name])) for name in FFMPEG},
        "plugins": dict(plugins),
        "hardware": hardware(device),
        **({"accelerator": _accelerator()} if device.startswith("cuda") else {}),
        "processors": allowed_processors(),
        "threads": torch.get_num_threads(),
        **({"compiler": COMPILER} if compiled else {}),
        "commit": commit(),
    }


def decisive(recorded: Mapping[str, Any]) -> dict[str, str]:
    """Select what pixels and solutions depend on beside code and data.

    Args:
        recorded: a provenance; what an old one lacks is left out.

    >>> decisive({"libraries": {"av": "18.1.0", "scipy": "1.17.1"}, "ffmpeg": {"libswscale": "9.5.102"}, "threads": 2})
    {'PyAV': '18.1.0', 'FFmpeg': 'libswscale 9.5.102', 'threads': '2'}
    """
    libraries, accelerator = recorded.get("libraries", {}), recorded.get("accelerator", {})
    settings = {
        "PyAV": libraries.get("av"),
        "FFmpeg": ", ".join(f"{name} {number}" for name, number in recorded.get("ffmpeg", {}).items()),
        "OpenCV": libraries.get("opencv-contrib-python-headless"),
        "torch": libraries.get("torch"),
        "torchvision": libraries.get("torchvision"),
        "NumPy": libraries.get("numpy"),
        "hardware": recorded.get("hardware"),
        **{name: accelerator.get(name) for name in ("CUDA", "cuDNN", "driver")},
        "threads": recorded.get("threads"),
        "torch.compile": recorded.get("compiler"),
    }
    return {name: str(value) for name, value in settings.items() if value}


@functools.cache
def _system() -> str:
    """Name and version of the operating system, and its C library."""
    system = collect_env.get_os(collect_env.run)  # type: ignore[no-untyped-call]
    return f"{system}, {collect_env.get_libc_version()}"  # type: ignore[no-untyped-call]


@functools.cache
def _accelerator() -> dict[str, str]:
    """Versions of CUDA, cuDNN and the driver."""
    # collect_env gives cuDNN's library with its path, which is private.
    versions = {
        "CUDA": torch.version.cuda,
        "cuDNN": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        "driver": collect_env.get_nvidia_driver_version(collect_env.run),  # type: ignore[no-untyped-call]
    }
    return {name: str(number) for name, number in versions.items() if number}


@functools.cache
def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ABSENT


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
    root = Path(__file__).parents[2]
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
