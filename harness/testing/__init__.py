"""Conformance kit for plugins, with its data set, networks and watching splits."""

from __future__ import annotations

from harness.testing.checking import BlockedError, Check, ConformanceError
from harness.testing.fixtures import (
    DirectionBackbone,
    MemorySplit,
    MovingSquares,
    TinyBackbone,
    UninformedEncoder,
    UntrainedEncoder,
    informed_encoder,
)
from harness.testing.kit import checks_for, conformance, failures
from harness.testing.watching import BlindSplit, CountingSplit, LabelsTouchedError, RelabelledTest, WatchedBackbone

__all__ = [
    "BlindSplit",
    "BlockedError",
    "Check",
    "ConformanceError",
    "CountingSplit",
    "DirectionBackbone",
    "LabelsTouchedError",
    "MemorySplit",
    "MovingSquares",
    "RelabelledTest",
    "TinyBackbone",
    "UninformedEncoder",
    "UntrainedEncoder",
    "WatchedBackbone",
    "checks_for",
    "conformance",
    "failures",
    "informed_encoder",
]
