import numpy as np
import pytest
import torch

from harness.functional.plus_plus import _draw, _repeat, _Starts, plus_plus
from harness.profiling.counters import count


def draw(n, dim, seed=0):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def naive(x, k, seed):
    """Greedy k-means++ in plain loops, with the same uniform numbers."""
    draws, x = _draw(k, seed).numpy(), x.numpy()
    chosen = [min(int(draws[0, 0] * len(x)), len(x) - 1)]
    nearest = ((x - x[chosen[0]]) ** 2).sum(1)
    for step in range(1, k):
        weights = nearest if nearest.sum() > 0 else np.ones(len(x))
        candidates = []
        for number in draws[step]:
            left, index = number * weights.sum(), 0
            while index < len(x) - 1 and left >= weights[index]:
                left -= weights[index]
                index += 1
            candidates.append(index)
        updated = [np.minimum(nearest, ((x - x[candidate]) ** 2).sum(1)) for candidate in candidates]
        best = int(np.argmin([distances.sum() for distances in updated]))
        chosen.append(candidates[best])
        nearest = updated[best]
    return chosen


@pytest.mark.parametrize(("n", "dim", "k"), [(50, 3, 20), (200, 1, 5), (30, 8, 30), (4, 2, 1)])
def test_plain_loops_agree(n, dim, k):
    x = draw(n, dim)
    assert plus_plus(x, k, [0, 5, 9]).tolist() == [naive(x, k, seed) for seed in (0, 5, 9)]


def test_points_that_coincide_are_drawn_when_none_else_is_left():
    x = torch.tensor([[0.0], [0.0], [4.0], [4.0], [4.0]], dtype=torch.float64)
    for seed in range(20):
        starts = plus_plus(x, 4, [seed])[0].tolist()
        assert starts == naive(x, 4, seed)
        assert len({float(x[index]) for index in starts[:2]}) == 2


def test_a_seed_does_not_depend_on_others():
    x = draw(120, 4)
    together = plus_plus(x, 15, [7, 8, 9])
    assert torch.equal(plus_plus(x, 15, [8])[0], together[1])


def test_a_step_works_in_place_so_that_it_can_be_recorded():
    x = draw(60, 3)
    starts = _Starts(x, torch.stack([_draw(10, seed) for seed in (0, 1)], dim=1))
    memory = {name: value.data_ptr() for name, value in vars(starts).items()}
    for _ in range(9):
        starts.step()
    assert {name: value.data_ptr() for name, value in vars(starts).items()} == memory
    assert torch.equal(starts.chosen, plus_plus(x, 10, [0, 1]))


@pytest.mark.parametrize(("n", "k", "seeds"), [(100, 4, 1), (5000, 60, 3)])
def test_a_step_is_a_few_launches_and_waits_for_none(n, k, seeds):
    x = draw(n, 4)

    def steps(number):
        def work():
            starts = _Starts(x, torch.stack([_draw(k, seed) for seed in range(seeds)], dim=1))
            _repeat(starts.step, number, x.device)

        return count(work)

    one, two = steps(1), steps(2)
    assert two.synchronisations == one.synchronisations
    assert two.kernels - one.kernels <= 21


class Recorder:
    """Stands in for a CUDA graph and for a stream: what is recorded is done at each replay, and not before."""

    recording = False

    def __init__(self, *_):
        self.replays = 0

    def wait_stream(self, _):
        pass

    synchronize = __enter__ = lambda self: None

    def __exit__(self, *_):
        pass

    def capture_begin(self, *, capture_error_mode):
        Recorder.recording = True

    def capture_end(self):
        Recorder.recording = False

    def replay(self):
        steps.append("replayed")


steps: list[str] = []


def test_a_recorded_step_runs_as_often(monkeypatch):
    for name in ("Stream", "CUDAGraph", "current_stream", "stream"):
        monkeypatch.setattr(torch.cuda, name, Recorder)
    steps.clear()
    _repeat(lambda: None if Recorder.recording else steps.append("run"), 40, torch.device("cuda"))
    assert steps == ["run", *["replayed"] * 39]
    steps.clear()
    _repeat(lambda: steps.append("run"), 3, torch.device("cuda"))
    assert steps == ["run"] * 3  # too few to record


@pytest.mark.gpu
@pytest.mark.parametrize("k", [5, 200])
def test_a_cuda_device_draws_the_same(k):
    x = draw(2000, 6)
    assert torch.equal(plus_plus(x.cuda(), k, [0, 1]).cpu(), plus_plus(x, k, [0, 1]))
