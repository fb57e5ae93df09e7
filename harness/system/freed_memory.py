"""Memory that processes keep when they free it."""

from __future__ import annotations

import os
import sys


def kept() -> dict[str, str]:
    """Make the environment of processes that keep the memory that they free.

    The variables are glibc's, which else gives large blocks back to the system; pages are cleared whenever they are
    taken again: 5 to 20 % of the time of a training step on a CPU. Other C libraries ignore them.
    """
    # Before 2.35, glibc refuses more than 32 MiB, and then takes every block above 128 KiB from the system.
    largest = 2**30 if _glibc() >= (2, 35) else 2**25
    return {"MALLOC_MMAP_THRESHOLD_": str(largest), "MALLOC_TRIM_THRESHOLD_": str(2**32)}


def _glibc() -> tuple[int, ...]:
    """Version of glibc, () where the C library is another."""
    if sys.platform != "linux" or "CS_GNU_LIBC_VERSION" not in os.confstr_names:
        return ()
    name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    numbers = version.split(".")[:2]
    return tuple(map(int, numbers)) if name == "glibc" and all(map(str.isdigit, numbers)) else ()
