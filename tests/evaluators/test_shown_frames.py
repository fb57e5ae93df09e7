"""Networks of optical flow, where an evaluator has frames alone."""

from __future__ import annotations

import pytest
from torch import nn

from harness.cards import View
from harness.encoders.network import NetworkEncoder
from harness.errors import UsageError
from harness.evaluators.finetune import Finetune
from harness.evaluators.pose.feature_maps import spatial_network
from harness.evaluators.throughput import Throughput
from harness.testing import MovingSquares
from harness.testing.evaluating import frozen
from harness.values import Inputs

VIEW = View(frames=4, size=16)
FLOW = Inputs(view=VIEW, mean=(0.0, 0.0), std=(1.0, 1.0), scale=1.0, kind="flow")


class TwoStreams(nn.Module):
    def __init__(self):
        super().__init__()
        self.frames, self.flow = (nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Flatten()) for _ in range(2))

    def forward(self, streams):
        return self.frames(streams["frames"])


@pytest.fixture(params=["flow alone", "two streams"])
def encoder(request):
    if request.param == "two streams":
        return frozen(NetworkEncoder(TwoStreams(), {"frames": Inputs(view=VIEW), "flow": FLOW}, spatial="frames"))
    module = nn.Sequential(nn.Conv3d(2, 4, 3), nn.AdaptiveAvgPool3d(1), nn.Flatten())
    return frozen(NetworkEncoder(module, FLOW, spatial="0"))


@pytest.mark.parametrize("evaluator", [Finetune(), Throughput()], ids=["finetune", "throughput"])
def test_a_network_of_optical_flow_is_refused_before_anything_is_encoded(encoder, evaluator):
    name = evaluator.card.name
    with pytest.raises(UsageError, match=f"evaluator '{name}' shows a network frames, .* optical flow; measure it by"):
        evaluator.evaluate(encoder, MovingSquares(), seed=0)


def test_pose_refuses_it_too(encoder):
    with pytest.raises(UsageError, match="evaluator 'pose' shows a network frames, and the encoder's sees optical"):
        spatial_network(encoder)
