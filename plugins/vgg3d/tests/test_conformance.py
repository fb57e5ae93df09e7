"""The kit that every method, backbone and evaluator has to pass."""

from __future__ import annotations

from harness.testing import conformance
from harness_vgg3d.spatial_stream import SpatialStream
from harness_vgg3d.vgg3d import Vgg3d

SMALL = {"frames": 6, "batch_size": 4}


@conformance(
    Vgg3d(**SMALL, channels=4, units=8),
    Vgg3d(**SMALL, channels=4, units=8, trained="all"),
    SpatialStream(**SMALL),
)
def test_methods(check):
    check()
