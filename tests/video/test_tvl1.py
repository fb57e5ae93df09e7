"""TV-L1 flow beside known motion, OpenCV, and its equations written out."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage
from sklearn.datasets import load_sample_image

from harness.profiling.counters import count
from harness.video import tvl1 as module
from harness.video import tvl1_iterations
from harness.video.tvl1 import tvl1
from harness.video.tvl1_iterations import Iterations

HEIGHT, WIDTH, BORDER = 112, 144, 12
MOTIONS = {
    "translation": (1.0, 0.0, 1.3, -0.7),
    "fast translation": (1.0, 0.0, -5.0, 3.5),
    "rotation": (1.0, 0.06, 0.0, 0.0),
    "expansion": (1.04, 0.0, 0.0, 0.0),
    "all of them": (0.97, -0.03, 2.0, -1.0),
}
"""Scale, angle, and shift to the right and down."""


def waves(seed=0, count=120):
    """A texture that has a value everywhere: a sum of plane waves of 5 to 100 pixels' length."""
    random = np.random.default_rng(seed)
    frequency = np.exp(random.uniform(np.log(0.01), np.log(0.2), (count, 1, 1)))
    angle, phase = random.uniform(0, 2 * np.pi, (2, count, 1, 1))

    def value(x, y):
        along = x * np.cos(angle) + y * np.sin(angle)
        total = (np.sin(2 * np.pi * frequency * along + phase) / np.sqrt(frequency)).sum(0)
        return np.clip(128 + 40 * total / np.sqrt((1 / frequency).sum() / 2), 0, 255)

    return value


def photograph():
    """A photograph by cubic interpolation."""
    picture = cv2.cvtColor(cv2.resize(load_sample_image("china.jpg"), (192, 128)), cv2.COLOR_RGB2GRAY)

    def value(x, y):
        places = (x + 24).astype(np.float32), (y + 8).astype(np.float32)
        return cv2.remap(picture, *places, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT).astype(float)

    return value


def pair(texture, motion):
    """Two frames (H, W) uint8 and the flow (2, H, W) between them."""
    scale, angle, right, down = motion
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    place = np.stack([x - WIDTH / 2, y - HEIGHT / 2])
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = np.array([right, down])[:, None, None]
    flow = np.einsum("ij,jhw->ihw", turn, place) + shift - place
    before = np.einsum("ij,jhw->ihw", np.linalg.inv(turn), place - shift)
    second = texture(before[0] + WIDTH / 2, before[1] + HEIGHT / 2)
    return texture(x, y).round().astype(np.uint8), second.round().astype(np.uint8), flow


def opencv(first, second):
    return cv2.optflow.DualTVL1OpticalFlow_create().calc(first, second, None).transpose(2, 0, 1)


def error(found, truth):
    """Mean end-point error in pixels, away from the border."""
    return np.linalg.norm(found - truth, axis=0)[BORDER:-BORDER, BORDER:-BORDER].mean()


@pytest.mark.parametrize("texture", [waves(), photograph()], ids=["waves", "photograph"])
def test_known_motion_is_found_as_well_as_by_opencv(texture):
    pairs = [pair(texture, motion) for motion in MOTIONS.values()]
    first, second = (torch.from_numpy(np.stack([each[frame] for each in pairs])) for frame in (0, 1))
    found = tvl1(first, second)
    assert found.shape == (len(pairs), 2, HEIGHT, WIDTH)
    assert found.dtype == torch.float32
    ours, peers, between = [], [], []
    for one, (before, after, truth) in zip(found.numpy(), pairs, strict=True):
        peer = opencv(before, after)
        ours.append(error(one, truth))
        peers.append(error(peer, truth))
        between.append(error(one, peer))
    assert np.mean(ours) < 1.1 * np.mean(peers)
    assert max(ours) < 0.2
    assert np.mean(peers) < 0.2  # else the comparison says nothing
    assert np.mean(between) < 0.15


def test_motion_that_ends_at_an_edge_is_found_as_well_as_by_opencv():
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    ours, peers = [], []
    for seed, (right, down) in enumerate([(3, -2), (-4, 1), (0, 3), (2, 4)]):
        wall, square = waves(10 + seed), waves(20 + seed)
        inside = (abs(x - 70) < 30) & (abs(y - 55) < 30)
        inside_later = (abs(x - 70 - right) < 30) & (abs(y - 55 - down) < 30)
        first = np.where(inside, square(x, y), wall(x, y)).astype(np.uint8)
        second = np.where(inside_later, square(x - right, y - down), wall(x, y)).astype(np.uint8)
        truth = np.where(inside, np.array([right, down])[:, None, None], 0.0)
        ours.append(error(tvl1(torch.from_numpy(first)[None], torch.from_numpy(second)[None])[0].numpy(), truth))
        peers.append(error(opencv(first, second), truth))
    assert np.mean(ours) < 1.1 * np.mean(peers) < 0.3


def test_broken_pixels_do_less_harm_than_to_opencv():
    ours, peers = [], []
    for seed, motion in enumerate(MOTIONS.values(), 5):
        first, second, truth = pair(waves(seed), motion)
        random = np.random.default_rng(seed)
        for frame in (first, second):
            broken = random.random(frame.shape) < 0.05
            frame[broken] = 255 * random.integers(0, 2, broken.sum())
        ours.append(error(tvl1(torch.from_numpy(first)[None], torch.from_numpy(second)[None])[0].numpy(), truth))
        peers.append(error(opencv(first, second), truth))
    assert np.mean(ours) < 0.8 * np.mean(peers) < 0.3


def test_a_pair_has_the_same_flow_alone_and_among_others():
    pairs = [pair(waves(seed), motion) for seed, motion in enumerate(MOTIONS.values())]
    first, second = (torch.from_numpy(np.stack([each[frame] for each in pairs])) for frame in (0, 1))
    together = tvl1(first, second)
    for number in range(len(pairs)):
        alone = tvl1(first[number, None].double(), second[number, None].double())
        torch.testing.assert_close(alone[0], together[number], atol=1e-3, rtol=0)


def test_odd_sizes_and_the_smallest():
    for height, width in ((12, 12), (13, 40), (51, 33)):
        frames = torch.randint(0, 256, (2, height, width), generator=torch.Generator().manual_seed(0))
        flow = tvl1(frames[:1], frames[1:])
        assert flow.shape == (1, 2, height, width)
        assert flow.isfinite().all()


def test_featureless_frames_do_not_move():
    black, white = torch.zeros(1, 32, 32), torch.full((1, 32, 32), 255.0)
    assert torch.equal(tvl1(black, white), torch.zeros(1, 2, 32, 32))


def by_the_equations(u, slope, difference, iterations):
    """Zach, Pock and Bischof 2007, pixel by pixel: `difference` is the linearised rho at u = 0."""
    weight, theta, tau = tvl1_iterations.DATA_WEIGHT, tvl1_iterations.COUPLING, tvl1_iterations.TIME_STEP
    _, height, width = u.shape
    u, p = u.copy(), np.zeros((2, 2, height, width))  # p[component, direction]
    for _ in range(iterations):
        v = np.empty_like(u)
        for y, x in np.ndindex(height, width):
            gradient = slope[:, y, x]
            rho = difference[y, x] + gradient @ u[:, y, x]
            power = gradient @ gradient
            if rho < -weight * theta * power:
                v[:, y, x] = u[:, y, x] + weight * theta * gradient
            elif rho > weight * theta * power:
                v[:, y, x] = u[:, y, x] - weight * theta * gradient
            else:
                v[:, y, x] = u[:, y, x] - rho * gradient / power
        for d, y, x in np.ndindex(2, height, width):
            left = p[d, 0, y, x - 1] if x else 0.0
            above = p[d, 1, y - 1, x] if y else 0.0
            u[d, y, x] = v[d, y, x] + theta * (p[d, 0, y, x] - left + p[d, 1, y, x] - above)
        new = np.empty_like(p)
        for d, y, x in np.ndindex(2, height, width):
            across = u[d, y, x + 1] - u[d, y, x] if x + 1 < width else 0.0
            down = u[d, y + 1, x] - u[d, y, x] if y + 1 < height else 0.0
            rise = tau / theta * np.array([across, down])
            new[d, :, y, x] = (p[d, :, y, x] + rise) / (1 + np.hypot(*rise))
        p = new
    return u


def drawn_iterations():
    """Two pairs' flow, gradients and linearised differences, in doubles."""
    random = np.random.default_rng(0)
    return random.normal(0, 1, (2, 2, 6, 7)), random.normal(0, 3, (2, 2, 6, 7)), random.normal(0, 2, (2, 6, 7))


def test_iterations_are_those_of_the_paper():
    u, slope, difference = drawn_iterations()
    power = (slope**2).sum(1, keepdims=True)
    given = [torch.from_numpy(array) for array in (u, slope, slope / power, difference[:, None] / power)]
    found = Iterations(given[0])(*given)
    for number in range(len(u)):
        expected = by_the_equations(u[number], slope[number], difference[number], tvl1_iterations.ITERATIONS)
        np.testing.assert_allclose(found[number].numpy(), expected, atol=1e-10)
        assert abs(expected - u[number]).max() > 0.1


def test_the_dual_variable_is_kept_from_warp_to_warp(monkeypatch):
    u, slope, difference = (torch.from_numpy(array).float() for array in drawn_iterations())
    power = slope.square().sum(1, keepdim=True)
    data = slope, slope / power, difference[:, None] / power
    once = Iterations(u)(u, *data)
    monkeypatch.setattr(tvl1_iterations, "ITERATIONS", 5)
    iterations, flow = Iterations(u), u
    for _ in range(3):
        flow = iterations(flow, *data)
    assert torch.equal(flow, once)


INTERPRETED = """
import contextlib

import torch
from harness.video import tvl1_iterations, tvl1_triton
from harness.video.tvl1_iterations import ITERATIONS, Iterations

launched, current = [], []

@contextlib.contextmanager
def entered(device):
    current.append(device)
    yield
    current.pop()

tvl1_iterations._current = entered

class Counted:
    def __init__(self, kernel):
        self.kernel = kernel

    def __getitem__(self, grid):
        assert current == [torch.device("cpu")]
        launched.append(self.kernel)
        return self.kernel[grid]

tvl1_triton._threshold, tvl1_triton._ascend = Counted(tvl1_triton._threshold), Counted(tvl1_triton._ascend)

draw = torch.Generator().manual_seed(0)
for shape in ((1, 6, 7), (3, 17, 40)):
    flow, slope = (torch.randn(shape[0], 2, *shape[1:], generator=draw) for _ in range(2))
    data = slope, slope / slope.square().sum(1, keepdim=True), torch.randn(shape[0], 1, *shape[1:], generator=draw)
    expected, found = Iterations(flow), Iterations(flow)
    found._work = None  # as on CUDA
    for _ in range(2):
        torch.testing.assert_close(found(flow, *data), expected(flow, *data), atol=1e-5, rtol=0)
assert len(launched) == 2 * ITERATIONS * 4
"""


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton: pip install --group kernels")
def test_the_two_kernels_for_cuda_compute_the_same_iterations():
    subprocess.run([sys.executable, "-c", INTERPRETED], env={**os.environ, "TRITON_INTERPRET": "1"}, check=True)


def test_kernels_are_launched_where_the_tensors_are():
    there = tvl1_iterations._current(torch.device("cuda:1"))
    assert isinstance(there, torch.cuda.device)
    assert there.idx == 1
    with tvl1_iterations._current(torch.device("cpu")):
        pass


def test_kernels_of_an_iteration_and_no_wait_for_the_device(monkeypatch):
    """What is launched on CUDA where Triton is missing: 19 kernels an iteration, and nothing waits."""
    frames = torch.rand(2, 3, 48, 64) * 255
    counted = []
    for iterations in (1, 2):
        monkeypatch.setattr(tvl1_iterations, "ITERATIONS", iterations)
        counted.append(count(lambda: module._flow(*frames)))
    levels = 3
    assert counted[1].kernels - counted[0].kernels == 19 * module.WARPS * levels
    assert counted[1].synchronisations == 0


def test_threads_share_the_pairs_and_leave_their_number_as_it_was(monkeypatch):
    pairs = [pair(waves(seed), motion) for seed, motion in enumerate(MOTIONS.values())]
    first, second = (torch.from_numpy(np.stack([each[frame] for each in pairs])) for frame in (0, 1))
    before, seen = torch.get_num_threads(), []
    flow = module._flow
    try:
        torch.set_num_threads(1)
        alone = tvl1(first, second)
        monkeypatch.setattr(
            module, "_flow", lambda *part: seen.append((torch.get_num_threads(), len(part[0]))) or flow(*part)
        )
        torch.set_num_threads(2)
        assert torch.equal(tvl1(first, second), alone)
        assert torch.get_num_threads() == 2
        assert sorted(seen) == [(1, 2), (1, 3)]
    finally:
        torch.set_num_threads(before)


def blurred_noise(seed):
    noise = np.random.default_rng(seed).uniform(0, 255, (2, HEIGHT, WIDTH)).astype(np.float32)
    return [torch.from_numpy(cv2.blur(frame, (5, 5)).round())[None] for frame in noise]


def in_doubles(first, second):
    return module._flow(first.double(), second.double())


def one_ulp_brighter(first, second):
    return tvl1(first * (1 + 2**-23), second)


def on_cuda(first, second):
    return tvl1(first.cuda(), second.cuda()).cpu()


@pytest.mark.parametrize(
    "other",
    [
        in_doubles,
        one_ulp_brighter,
        pytest.param(on_cuda, marks=pytest.mark.gpu),
    ],
)
def test_roundings_show_only_where_no_flow_explains_the_second_frame(other):
    first, second, truth = pair(waves(), (0.97, -0.03, 2.0, -1.0))
    first, second = (torch.from_numpy(frame)[None].float() for frame in (first, second))
    flow, rounded = tvl1(first, second), other(first, second)
    assert (flow - rounded).abs().max() < 0.02
    assert abs(error(flow[0].numpy(), truth) - error(rounded[0].numpy(), truth)) < 1e-4

    pairs = [blurred_noise(seed) for seed in range(4)]
    first, second = (torch.cat([each[frame] for each in pairs]) for frame in (0, 1))
    flow = tvl1(first, second)
    apart = (flow - other(first, second)).abs().amax(1)
    assert apart.mean() < 2e-3
    far = apart > 0.1
    assert far.float().mean() < 2e-3
    warped, _ = module._warped(second[:, None], flow)
    unexplained = (warped[:, 0] - first).abs()
    assert (unexplained[far] > 2).all()


def test_the_median_is_scipys():
    flow = torch.randn(2, 2, 9, 11, generator=torch.Generator().manual_seed(0))
    expected = ndimage.median_filter(flow.numpy(), size=(1, 1, 3, 3), mode="nearest")
    assert np.array_equal(module._median(flow).numpy(), expected)


@pytest.mark.parametrize("shapes", [((2, 32, 32), (3, 32, 32)), ((32, 32), (32, 32)), ((1, 11, 32), (1, 11, 32))])
def test_wrong_shapes(shapes):
    with pytest.raises(ValueError, match=r"two \(B, H, W\) tensors of one shape with sides of at least 12"):
        tvl1(*(torch.zeros(shape) for shape in shapes))
