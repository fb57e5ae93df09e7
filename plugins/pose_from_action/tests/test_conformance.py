"""The kit that every method and evaluator has to pass."""

from __future__ import annotations

from harness.testing import TinyBackbone, conformance
from harness_pose_from_action.pose_from_action import PoseFromAction, PoseFromActionEncoder
from harness_pose_from_action.pretext import PretextAccuracy

METHOD = PoseFromAction(batch_size=4, hidden=16)


@conformance(METHOD)
def test_conformance(check):
    check()


@conformance(
    PretextAccuracy(pairs=2), encoder=PoseFromActionEncoder(METHOD.build_network(TinyBackbone(), 0), TinyBackbone())
)
def test_conformance_of_the_task(check):
    check()
