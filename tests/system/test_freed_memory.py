"""Memory that processes keep when they free it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from harness.system import freed_memory

FAULTS = """
import resource
for _ in range(20):
    bytearray(2**25)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


@pytest.mark.parametrize(
    ("library", "largest"),
    [("glibc 2.36", 2**30), ("glibc 2.35", 2**30), ("glibc 2.31", 2**25), ("musl 1.2", 2**25), (None, 2**25)],
)
def test_a_glibc_that_would_refuse_a_large_threshold_gets_none(library, largest, monkeypatch):
    monkeypatch.setattr(freed_memory.sys, "platform", "linux")
    monkeypatch.setattr(os, "confstr_names", {"CS_GNU_LIBC_VERSION": 2}, raising=False)
    monkeypatch.setattr(os, "confstr", lambda name: library, raising=False)
    assert freed_memory.kept()["MALLOC_MMAP_THRESHOLD_"] == str(largest)


def test_other_systems_ask_for_no_version(monkeypatch):
    monkeypatch.setattr(freed_memory.sys, "platform", "win32")
    monkeypatch.delattr(os, "confstr", raising=False)
    assert freed_memory.kept()["MALLOC_MMAP_THRESHOLD_"] == str(2**25)


@pytest.mark.skipif(not freed_memory._glibc(), reason="keeps the memory of glibc")
def test_pages_are_not_taken_from_the_system_again():
    def faults(**variables):
        apart = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
        command = [sys.executable, "-c", FAULTS]
        return int(subprocess.run(command, env={**apart, **variables}, capture_output=True, check=True).stdout)

    assert faults(**freed_memory.kept()) < faults() / 4
