"""The loss of the triplets: each vector once, each triplet as by itself."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from harness.cards import View
from harness.functional.effective_rank import effective_rank
from harness.values import Inputs
from harness_pose_from_action.pairs import NONE
from harness_pose_from_action.pretext_network import PretextLoss, PretextNetwork

APART, SIZE, DIM = 3, 4, 5


def network(dropout=0.0, dtype=torch.float64):
    torch.manual_seed(0)
    appearance = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, DIM), nn.Tanh())
    motion = nn.Sequential(nn.Flatten(), nn.Linear(2 * APART * SIZE * SIZE, DIM), nn.Tanh())
    view = View(frames=1, size=SIZE)
    inputs = {
        "frames": Inputs(view=view),
        "flow": Inputs(view=view, mean=(0.0, 0.0), std=(1.0, 1.0), scale=1.0, kind="flow"),
    }
    return PretextNetwork(appearance, motion, DIM, hidden=7, dropout=dropout, apart=APART, inputs=inputs).to(dtype)


def streams(count=4, dtype=torch.float64):
    torch.manual_seed(1)
    return {
        "frames": torch.randn(2 * count, 3, 1, SIZE, SIZE, dtype=dtype),
        "flow": torch.randn(count, 2, APART, SIZE, SIZE, dtype=dtype),
    }


NEGATIVES = torch.tensor([[1, 2], [2, 3], [3, NONE], [0, 1]])


def test_the_loss_is_that_of_every_triplet_on_its_own():
    """Slow twin: one triplet at a time, through whole networks."""
    whole, batch = network(), streams()
    terms = []
    for pair in range(4):
        for label, block in [(1, pair), *((0, int(one)) for one in NEGATIVES[pair] if one != NONE)]:
            first = whole.appearance(batch["frames"][pair : pair + 1])
            second = whole.appearance(batch["frames"][4 + pair : 5 + pair])
            channels = torch.cat([batch["flow"][block, 0], batch["flow"][block, 1]])  # all x, then all y
            motion = whole.motion(channels[None, :, None])
            odds = whole.head(torch.cat([first, second, motion], dim=1)).softmax(1)[0, label]
            terms.append(-odds.log())
    assert len(terms) == 11
    assert torch.isclose(PretextLoss(whole)(batch, NEGATIVES), torch.stack(terms).mean())


def test_each_vector_is_computed_once_a_batch():
    whole, shown = network(), []
    for branch in (whole.appearance, whole.motion):
        branch.register_forward_hook(lambda module, inputs, output: shown.append(len(output)))
    PretextLoss(whole)(streams(), NEGATIVES)
    assert shown == [8, 4]


def test_gradients_are_those_of_central_differences():
    whole, batch = network(), streams(2)
    loss = PretextLoss(whole)
    weights = tuple(parameter for parameter in whole.parameters() if parameter.ndim > 1)
    negatives = torch.tensor([[1, NONE], [0, NONE]])
    names = [name for name, parameter in whole.named_parameters() if parameter.ndim > 1]

    def value(*changed):
        state = {f"network.{name}": one for name, one in zip(names, changed, strict=True)}
        return torch.func.functional_call(loss, state, (batch, negatives))

    assert torch.autograd.gradcheck(value, weights)


def test_guessing_costs_what_one_of_three_costs():
    """The head that looks at nothing and knows that one of three belongs: 0.6365 nats."""
    whole = network()
    nn.init.zeros_(whole.head[4].weight)
    whole.head[4].bias.data = torch.tensor([math.log(2 / 3), math.log(1 / 3)], dtype=torch.float64)
    full = torch.tensor([[1, 2], [2, 3], [3, 0], [0, 1]])
    loss = PretextLoss(whole)
    assert float(loss(streams(), full).detach()) == pytest.approx(0.6365141682948128)
    first, _, _ = whole.encode_pairs(streams())
    rank = pytest.approx(effective_rank(first))
    assert loss.curves() == {"accuracy": pytest.approx(2 / 3), "missing": 0.0, "effective_rank": rank}
    assert loss.curves() == {}


def test_missing_negatives_are_counted():
    loss = PretextLoss(network())
    loss(streams(), NEGATIVES)
    assert loss.curves()["missing"] == pytest.approx(1 / 12)


@pytest.mark.parametrize("branch", ["appearance", "motion"])
def test_one_branch_alone_cannot_do_better_than_guess(branch):
    """A pair has the same frames for all its blocks, and a block is once right and twice wrong: no short cut."""
    whole, batch = network(), streams()
    full = torch.tensor([[1, 2], [2, 3], [3, 0], [0, 1]])
    getattr(whole, branch).register_forward_hook(lambda module, inputs, output: torch.zeros_like(output))
    loss = PretextLoss(whole)
    optimizer = torch.optim.Adam(whole.parameters(), 0.01)
    for _ in range(150):
        optimizer.zero_grad()
        loss(batch, full).backward()
        optimizer.step()
    assert float(loss(batch, full).detach()) >= 0.6365 - 1e-3
    both = network()
    loss = PretextLoss(both)
    optimizer = torch.optim.Adam(both.parameters(), 0.01)
    for _ in range(150):
        optimizer.zero_grad()
        loss(batch, full).backward()
        optimizer.step()
    assert float(loss(batch, full).detach()) < 0.3


def test_swapped_frames_and_reversed_flow_are_another_example_of_the_same_label():
    """Playing a triplet backwards is what the augmentation does: the label does not depend on it."""
    batch = streams()
    backwards = {"frames": batch["frames"].unflatten(0, (2, 4)).flip(0).flatten(0, 1), "flow": -batch["flow"].flip(2)}
    whole = network()
    one, other = (whole.encode_pairs(each) for each in (batch, backwards))
    assert torch.equal(one[0], other[1])
    assert torch.equal(one[1], other[0])
