"""Conditions under which times vary, as `pyperf system` looks for them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

LOAD = 0.5
"""Most processes that want to run, over the last minute, on a quiet machine."""
OTHERS = 0.05
"""Most of one processor that other processes take on a quiet machine."""
GOVERNOR = "frequency governor"
SETTINGS = {
    GOVERNOR: "devices/system/cpu/cpu0/cpufreq/scaling_governor",
    "Intel's turbo switched off": "devices/system/cpu/intel_pstate/no_turbo",
    "AMD's boost": "devices/system/cpu/cpufreq/boost",
    "isolated processors": "devices/system/cpu/isolated",
}
"""Settings under /sys on which the speed of a processor depends."""


def busy_seconds() -> float:
    """Busy time of all processors since boot, in seconds."""
    times = psutil.cpu_times()
    idle = sum(
        getattr(times, name, 0.0) for name in ("idle", "iowait", "guest", "guest_nice")
    )  # a guest's are a user's
    return float(sum(times) - idle)


@dataclass(frozen=True)
class Quiet:
    """Conditions before anything was measured.

    Attributes:
        load: mean number of processes that wanted to run in the last minute.
        others: processors busy while this process slept.
        settings: those of `SETTINGS` that can be read.
    """

    load: float
    others: float
    settings: Mapping[str, str]

    def warnings(self, *, fresh: bool = True) -> list[str]:
        """Name what makes measurements less certain.

        Args:
            fresh: nothing was measured just before, which the load average would still show.
        """
        found = []
        if fresh and self.load > LOAD:
            found.append(f"load average {self.load:.2f}")
        if self.others > OTHERS:
            found.append(f"other processes took {self.others:.0%} of a processor")
        if (governor := self.settings.get(GOVERNOR, "performance")) != "performance":
            found.append(f"frequency governor `{governor}`")
        return found


def look(seconds: float = 1.0, root: Path = Path("/sys")) -> Quiet:
    """Look at the machine for a while.

    Args:
        seconds: how long.
        root: where the kernel shows its settings.
    """
    busy, start = busy_seconds(), time.perf_counter()
    time.sleep(seconds)
    others = (busy_seconds() - busy) / (time.perf_counter() - start)
    files = {name: root / path for name, path in SETTINGS.items()}
    settings = {name: path.read_text().strip() for name, path in files.items() if path.is_file()}
    return Quiet(round(psutil.getloadavg()[0], 2), round(max(0.0, others), 3), settings)
