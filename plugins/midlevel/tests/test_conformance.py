"""The kit that every method has to pass."""

from __future__ import annotations

from harness.testing import conformance
from harness_midlevel.baselines import MidlevelKmeans, MidlevelSvm
from harness_midlevel.methods import Midlevel, MidlevelSoftmax

SMALL = {"clusters": 3, "members": 5, "least": 1, "cycles": 1, "samples": 20}
NETWORK = {**SMALL, "subsets": 2, "pretraining_epochs": 1, "batch_size": 16}


@conformance(
    Midlevel(**NETWORK),
    Midlevel(network="volumes", **{**NETWORK, "samples": 10}),
    MidlevelSoftmax(**NETWORK),
    MidlevelSvm(**SMALL),
    MidlevelKmeans(concepts=4, dim=8, samples=20),
)
def test_conformance(check):
    check()
