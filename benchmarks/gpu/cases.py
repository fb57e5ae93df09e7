"""What a row of the table runs: ours, a check of its answer, and peers."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch

from harness.profiling import timing
from harness.profiling.counters import count

Value = TypeVar("Value")
CPU = torch.device("cpu")


class WrongAnswerError(Exception):
    """A path gave another answer than it should."""


def expect(*, holds: bool, what: str) -> None:
    """Raise WrongAnswerError naming `what` unless it holds."""
    if not holds:
        raise WrongAnswerError(what)


@dataclass(frozen=True)
class Place:
    """Where a row runs, and how large."""

    device: torch.device
    tiny: bool

    def of(self, full: Value, tiny: Value) -> Value:
        """The size of the table, or a tiny one."""
        return tiny if self.tiny else full


@dataclass(frozen=True)
class Peer:
    """Another way to the same answer."""

    run: Callable[[], object]
    repeats: int = 3
    warm_up: int = 1
    share: float = 1.0
    """Part of the work of ours that a call does."""
    device: torch.device = CPU


@dataclass(frozen=True)
class Case:
    """A path to measure."""

    run: Callable[[], object]
    check: Callable[[], Mapping[str, float]]
    """Raises WrongAnswerError; gives figures of the answer by name."""
    amount: float
    unit: str
    """What a call does `amount` of: clips/s and the like; seconds and milliseconds are time a piece."""
    peers: Mapping[str, Peer | None] = field(default_factory=dict)
    """By name; None for one that cannot be had here."""
    seconds: Callable[[], list[float]] | None = None
    """Times of several calls, where not the whole of `run` is to be timed."""
    counted: Callable[[], object] | None = None
    """What is counted; `run` when None."""


def measure(case: Case, place: Place) -> dict[str, Any]:
    """Check the answer, time ours and the peers, and count.

    Raises:
        WrongAnswerError: when the answer is wrong.
    """
    answer = dict(case.check())
    taken = case.seconds() if case.seconds else timing.seconds(case.run, place.device, repeats=5, warm_up=2)
    ours = statistics.median(taken)
    peers = {name: None if peer is None else _peer_seconds(peer) for name, peer in case.peers.items()}
    return {
        "answer": answer,
        "seconds": taken,
        "figure": figure(ours, case),
        "unit": case.unit,
        "peers": {name: None if seconds is None else figure(seconds, case) for name, seconds in peers.items()},
        "times_as_fast_as": {name: seconds / ours for name, seconds in peers.items() if seconds is not None},
        "counters": counters(case, place),
    }


def _peer_seconds(peer: Peer) -> float:
    taken = timing.seconds(peer.run, peer.device, repeats=peer.repeats, warm_up=peer.warm_up)
    return statistics.median(taken) / peer.share


def figure(seconds: float, case: Case) -> float:
    """Convert the seconds of a call to the unit of a case."""
    scale = {"s": 1.0, "ms": 1e3}.get(case.unit)
    return case.amount / seconds if scale is None else scale * seconds / case.amount


def counters(case: Case, place: Place) -> dict[str, Any]:
    """Count what the path does; the reason where the device's counters cannot be read."""
    try:
        counts = count(case.counted or case.run, device=place.device)
    except RuntimeError as error:
        return {"missing": str(error).splitlines()[0]}
    return {name: value for name, value in dataclasses.asdict(counts).items() if name != "calls"}
