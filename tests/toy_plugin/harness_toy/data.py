"""The moving squares of the conformance kit, as a data set with a registered name."""

from __future__ import annotations

from harness.testing.fixtures import MovingSquares
from harness_toy import BLOBS


class Blobs(MovingSquares):
    card = BLOBS
