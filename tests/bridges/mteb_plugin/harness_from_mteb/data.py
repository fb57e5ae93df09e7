"""The moving squares of the conformance kit under a registered name."""

from __future__ import annotations

from harness.testing.fixtures import MovingSquares
from harness_from_mteb import SQUARES


class Squares(MovingSquares):
    card = SQUARES
