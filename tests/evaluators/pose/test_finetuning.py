"""Training of all layers, beside an own loop on frozen maps and on squares with bright spots."""

from __future__ import annotations

import contextlib
import copy
import itertools
import math
from collections import OrderedDict

import pytest
import torch
from torch import nn

from harness.backbones.per_frame import PerFrame
from harness.errors import DivergedError, PluginError
from harness.evaluators.pose import finetuning
from harness.evaluators.pose.finetuning import WEIGHT_DECAY, PoseNetwork, _seeded, fit_network
from harness.evaluators.pose.head import predict
from harness.functional.heatmaps import balanced_loss, heatmap_targets
from harness.system.seeding import derive_seed, seeded
from harness.training.epochs import epoch_videos


class Bar:
    """Counts."""

    def __init__(self):
        self.steps = 0.0

    def advance(self, n=1, *, note=""):
        self.steps += n


class Unreached(nn.Module):
    def forward(self, maps):
        pytest.fail("layers behind the spatial one are not wanted")


def network(*layers):
    return PerFrame(nn.Sequential(*layers), {"pool": Unreached()})


def small(*, seed=0):
    """Stride 4, with BN and dropout."""
    with seeded(seed):
        convolution = nn.Conv2d(3, 12, 4, 4)
        return network(convolution, nn.BatchNorm2d(12), nn.ReLU(), nn.Dropout2d(0.1))


def spots(n, size=24, seed=0):
    """Squares (n, 3, size, size), bright where all joints (n, 9, 2) of a person are."""
    one = 0.2 + 0.6 * torch.rand(n, 1, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    centres = (torch.arange(size) + 0.5) / size
    across, down = (one[:, 0, axis, None] - centres for axis in (0, 1))
    bright = torch.exp(-(across[:, None] ** 2 + down[:, :, None] ** 2) / 2 / 0.06**2)
    return bright[:, None].expand(n, 3, size, size).half(), one.expand(n, 9, 2).clone()


def fit(start, crops, points, *, lr=1e-2, steps=5, batch_size=8, seed=0, bar=None, **options):
    options |= {"lr": lr, "steps": steps, "batch_size": batch_size, "seed": seed, "device": "cpu", "bar": bar or Bar()}
    return fit_network(start, "feature_map", crops, points, **options)


@pytest.mark.parametrize(("size", "maps"), [(256, 60), (224, 52), (128, 28)])
def test_heat_maps_of_the_papers_strides(size, maps):
    """VGG-M's kernels and strides: 256 -> 15, 224 -> 13, 128 -> 7, and four times that."""
    vgg_m = nn.Sequential(
        *(nn.Conv2d(3, 2, 7, 2), nn.MaxPool2d(3, 2), nn.Conv2d(2, 2, 5, 2, 1), nn.MaxPool2d(3, 2, ceil_mode=True)),
        *(nn.Conv2d(2, 2, 3, 1, 1) for _ in range(3)),
    )
    model = PoseNetwork(network(*vgg_m), "feature_map", 2)
    assert model(torch.zeros(1, 3, size, size)).shape == (1, 9, maps, maps)


def test_with_nothing_to_learn_below_it_is_a_head_on_frozen_maps():
    """Without parameters below the new layers, against an own loop that never sees the squares."""

    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("kernel", torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(2)) / 4)

        def forward(self, images):
            return nn.functional.conv2d(images, self.kernel, stride=4).relu()

    crops, points = spots(20)
    points[3, 4] = torch.nan
    trained = fit(network(Fixed()), crops, points, lr=3e-3, steps=7, seed=5)

    maps = Fixed()(crops.float())
    with seeded(derive_seed(5, 0)):
        deconvolution, joints = nn.ConvTranspose2d(5, 16, 8, 4, 2), nn.Conv2d(16, 9, 1)
    parameters = [*deconvolution.parameters(), *joints.parameters()]
    optimizer = torch.optim.AdamW(parameters, weight_decay=WEIGHT_DECAY)
    for step in range(7):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * 0.5 * (1 + math.cos(math.pi * step / 7))
        batch = epoch_videos(20, 8, step, seed=derive_seed(5, 1))
        heat, targets = joints(deconvolution(maps[batch]).relu()), heatmap_targets(points[batch].float(), 24)
        costs = [
            ((one - target)[target > 0].square().mean() + (one - target)[target < 0].square().mean()) / 2
            for one, target in zip(heat.flatten(0, 1), targets.flatten(0, 1), strict=True)
            if not target.isnan().any()
        ]
        optimizer.zero_grad()
        (sum(costs) / len(costs)).backward()
        optimizer.step()
    torch.testing.assert_close(trained.deconvolution.weight, deconvolution.weight, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(trained.joints.weight, joints.weight, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(trained(crops.float()), joints(deconvolution(maps).relu()), rtol=1e-3, atol=1e-4)


def test_all_layers_learn_and_the_start_stays():
    start = small()
    before = copy.deepcopy(start.state_dict())
    bar = Bar()
    trained = fit(start, *spots(20), steps=3, bar=bar)
    after, initial = trained.network.state_dict(), start.state_dict()
    assert all(torch.equal(initial[name], before[name]) for name in before)
    assert [name for name in before if torch.equal(after[name], before[name])] == []
    assert after["feature_map.1.num_batches_tracked"] == 3
    assert not any(module.training for module in trained.modules())
    assert bar.steps == 3


def test_the_network_is_trained_in_its_precision_and_the_new_layers_in_float32():
    types = []

    class Watched(nn.Conv2d):
        def forward(self, images):
            maps = super().forward(images)
            types.append(maps.dtype)
            return maps

    start = network(Watched(3, 12, 4, 4))
    trained = fit(start, *spots(8), steps=1, precision="bf16")
    assert set(types) == {torch.bfloat16}
    assert trained(spots(8)[0].float()).dtype == torch.float32
    assert {parameter.dtype for parameter in trained.parameters()} == {torch.float32}


def test_a_start_without_gradients_is_trained_nevertheless():
    trained = fit(small().requires_grad_(False), *spots(20), steps=1)
    assert not torch.equal(trained.network.feature_map[0].weight, small().feature_map[0].weight)


def test_it_finds_joints_in_new_squares():
    crops, points = spots(96)
    queries, expected = spots(40, seed=1)
    found = predict(fit(small(), crops, points, steps=60, batch_size=16), queries)
    usual = (points.mean(0) - expected).norm(dim=-1)
    assert (found - expected).norm(dim=-1).mean() < 0.06 < 0.2 < usual.mean()


def test_equal_seeds_give_equal_networks_and_random_states_stay():
    crops, points = spots(10)
    state = torch.get_rng_state()
    one, same, other = (fit(small(), crops, points, seed=seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["joints.weight"], other["joints.weight"])


@pytest.mark.gpu
def test_what_a_gpu_draws_is_of_the_seed_alone():
    state = torch.cuda.get_rng_state()
    with _seeded(3, torch.device("cuda")):
        first = torch.rand(4, device="cuda")
    torch.rand(4, device="cuda")
    with _seeded(3, torch.device("cuda")):
        assert torch.equal(torch.rand(4, device="cuda"), first)
    torch.cuda.set_rng_state(state)
    with _seeded(4, torch.device("cuda")):
        assert not torch.equal(torch.rand(4, device="cuda"), first)
    assert torch.equal(torch.cuda.get_rng_state(), state)


def test_the_generator_of_the_gpu_is_forked_and_seeded(monkeypatch):
    done, place = [], torch.device("cuda:1")

    @contextlib.contextmanager
    def noted(what):
        done.append(what)
        yield
        done.append("left")

    monkeypatch.setattr(torch.random, "fork_rng", lambda devices: noted(devices))
    monkeypatch.setattr(torch.cuda, "device", noted)
    monkeypatch.setattr(torch.cuda, "manual_seed", done.append)
    with _seeded(3, place):
        assert done == [[place], place, 3, "left"]
    with _seeded(3, torch.device("cpu")):
        drawn = torch.rand(4)
    assert 3 not in done[5:]
    with seeded(3):
        assert torch.equal(torch.rand(4), drawn)


def test_every_square_is_shown_once_in_an_epoch():
    """Joints that are in one square alone: without it their part of the head would stay as it was drawn."""
    crops, points = spots(9)
    for joint in range(9):
        points[[index for index in range(9) if index != joint], joint] = torch.nan
    once = fit(small(), crops, points, steps=3, batch_size=3).joints.bias
    never = fit(small(), crops, torch.full_like(points, torch.nan), steps=3, batch_size=3).joints.bias
    assert (once != never).all()


@pytest.mark.parametrize(("lr", "level"), [(1e-2, torch.nan), (1e30, 1.0)])
def test_training_without_numbers(lr, level):
    crops, points = spots(10)
    with pytest.raises(DivergedError, match=r"fine-tuning for pose diverged: .*learning rate (0\.01|1e\+30)"):
        fit(small(), crops * level, points, lr=lr)


@pytest.mark.parametrize("broken", [3, 9, 14])
def test_the_first_step_without_a_number_is_named(monkeypatch, broken):
    number = itertools.count()

    def loss(*arguments):
        return balanced_loss(*arguments) * (torch.nan if next(number) == broken else 1)

    monkeypatch.setattr(finetuning, "balanced_loss", loss)
    with pytest.raises(DivergedError, match=rf"loss nan at step {broken} of learning rate 0\.01"):
        fit(small(), *spots(10), steps=15)
    assert next(number) == (10 if broken < 10 else 15)


def test_weights_without_numbers_after_the_last_step():
    broken = small()
    broken.extra = nn.Parameter(torch.tensor(torch.inf))
    with pytest.raises(DivergedError, match=r"after the last step of learning rate 0\.01, weights are NaN or infinite"):
        fit(broken, *spots(10), steps=1)


def test_a_layer_without_maps():
    with pytest.raises(PluginError, match=r"expected maps \(1, c, h, w\) of layer 'feature_map', got \(1, 1728\)"):
        fit(PerFrame(nn.Sequential(OrderedDict(flat=nn.Flatten())), {"pool": Unreached()}), *spots(10))
