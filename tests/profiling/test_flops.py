import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from harness.functional.product import product
from harness.profiling.counters import count
from harness.profiling.flops import FORMULAS

SQUARE = torch.eye(6) * 2


@pytest.mark.parametrize(
    ("function", "flops"),
    [
        (lambda: torch.ones(3, 4) @ torch.ones(4), 2 * 3 * 4),
        (lambda: torch.ones(4) @ torch.ones(4), 2 * 4),
        (lambda: torch.addmv(torch.ones(3), torch.ones(3, 4), torch.ones(4)), 2 * 3 * 4),
        (lambda: product(torch.ones(128, 128), torch.ones(128, 128)), 2 * 128**3),
        (lambda: torch.linalg.cholesky(SQUARE), 6**3 // 3),
        (lambda: torch.linalg.cholesky(SQUARE.expand(5, 6, 6)), 5 * 6**3 // 3),
        (lambda: torch.linalg.lu_factor(SQUARE), 2 * 6**3 // 3),
        (lambda: torch.linalg.solve(SQUARE, torch.ones(6, 2)), 2 * 6**3 // 3 + 2 * 6**2 * 2),
        (lambda: torch.linalg.solve_triangular(SQUARE, torch.ones(6, 2), upper=True), 6**2 * 2),
        (lambda: torch.linalg.qr(torch.ones(6, 3)), 4 * 6 * 9 - 4 * 27 // 3),
        (lambda: torch.linalg.eigh(SQUARE), 9 * 6**3),
        (lambda: torch.ones(3) + 1, 0),
    ],
)
def test_closed_forms(function, flops):
    assert count(function).flops == flops


def test_formulas_name_operators_that_exist():
    for name in FORMULAS:
        space, operator = name.split("::")
        assert hasattr(getattr(torch.ops, space), operator)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.enable_grad, torch.inference_mode])
def test_a_network_as_torch_counts_it(mode):
    network = torch.nn.Sequential(
        torch.nn.Conv3d(3, 4, 3, stride=2), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(4 * 3 * 7 * 7, 5)
    )
    clips = torch.ones(2, 3, 8, 16, 16)

    def work():
        with mode():
            network(clips)

    with FlopCounterMode(display=False) as peer:
        work()
    assert count(work).flops == peer.get_total_flops() > 0


def test_a_backward_pass_as_torch_counts_it():
    network = torch.nn.Sequential(torch.nn.Conv3d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(4 * 6 * 6 * 6, 5))

    def work():
        network(torch.ones(2, 3, 8, 8, 8)).sum().backward()

    with FlopCounterMode(display=False) as peer:
        work()
    assert count(work).flops == peer.get_total_flops() > 0
