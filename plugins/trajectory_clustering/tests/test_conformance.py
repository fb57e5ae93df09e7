"""The kit that every method has to pass."""

from __future__ import annotations

from harness.testing import conformance
from harness_trajectory_clustering.video_ir import VideoIR
from harness_trajectory_clustering.video_la import VideoLA


@conformance(VideoIR(), VideoLA(clusters=4), VideoLA(clusters=4, prior=True, components=8, sketch=64))
def test_conformance(check):
    check()
