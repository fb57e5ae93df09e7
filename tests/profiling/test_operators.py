import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from harness.profiling.operators import NO_KERNEL, SYNCHRONISING, counting_operators

X = torch.arange(12.0).view(3, 4)


def counted(function, *, on_host=True):
    with counting_operators(on_host=on_host) as operators:
        function()
    return operators


@pytest.mark.parametrize(
    "function",
    [
        lambda: X.view(4, 3).T[1:].unsqueeze(0).expand(2, 2, 4),
        lambda: torch.empty_like(X).resize_(2, 2),
        lambda: X.split(1)[0].detach().squeeze_(),
        lambda: X.contiguous(),
        lambda: X.to(torch.float32),
    ],
)
def test_views_and_allocations_are_no_kernels(function):
    operators = counted(function)
    assert operators.kernels == operators.bytes_moved == operators.synchronisations == operators.copies == 0


@pytest.mark.parametrize(
    ("function", "kernels", "copies", "moved"),
    [
        (lambda: X + X, 1, 0, 3 * 48),
        (lambda: torch.add(X, X, out=torch.empty(3, 4)), 1, 0, 3 * 48),
        (lambda: torch.empty(3, 4).add_(X), 1, 0, 3 * 48),
        (lambda: X.T.contiguous(), 1, 1, 2 * 48),
        (lambda: X.double(), 1, 1, 48 + 96),
        (lambda: torch.empty(3, 4).copy_(X), 1, 1, 3 * 48),
        (lambda: torch.zeros(5), 1, 0, 20),
        (lambda: X @ X.T, 1, 0, 2 * 48 + 36),
    ],
)
def test_kernels_copies_and_bytes(function, kernels, copies, moved):
    operators = counted(function)
    assert (operators.kernels, operators.copies) == (kernels, copies)
    assert operators.bytes_moved == moved


def test_a_sparse_tensor_moves_its_values():
    rows = torch.eye(100).to_sparse()
    assert counted(lambda: rows * 2).bytes_moved == 2 * 100 * 4


@pytest.mark.parametrize(
    ("function", "waits"),
    [
        (lambda: X.sum().item(), 1),
        (lambda: bool((X > 2).any()), 1),
        (lambda: (X > 2).nonzero(), 1),
        (lambda: X[X > 2], 1),
        (lambda: X.masked_select(X > 2), 1),
        (lambda: X.unique(), 1),
        (lambda: torch.equal(X, X), 1),
        (lambda: X.clone().index_put_((X > 2,), torch.ones(9)), 1),
        (lambda: X.clone().index_put_((X > 2,), torch.ones(())), 0),
        (lambda: X.clone().masked_fill_(X > 2, 0), 0),
        (lambda: X[torch.tensor([0, 2])], 0),
        (lambda: torch.linalg.eigh(X @ X.T), 1),
        (lambda: torch.linalg.cholesky(torch.eye(3)), 1),
        (lambda: torch.linalg.inv(torch.eye(3)), 1),
        (lambda: X.tolist(), 1),
        (lambda: X.numpy(), 1),
        (lambda: np.asarray(X), 1),
        (lambda: X.cpu(), 1),
        (lambda: X.to("cpu"), 1),
        (lambda: X.to(device=torch.device("cpu")), 1),
        (lambda: X.to(torch.float64), 0),
        (lambda: torch.tensor([1, 2]).bincount(), 1),
        (lambda: torch.tensor([1, 2]).repeat_interleave(torch.tensor([1, 2])), 1),
        (lambda: torch.tensor([1, 2]).repeat_interleave(2), 0),
    ],
)
def test_waits(function, waits):
    assert counted(function).synchronisations == waits


def test_only_operators_wait_where_tensors_are_on_a_device():
    assert counted(lambda: X.tolist(), on_host=False).synchronisations == 0
    assert counted(lambda: X.sum().item(), on_host=False).synchronisations == 1


@pytest.mark.parametrize("names", [NO_KERNEL, SYNCHRONISING])
def test_named_operators_exist(names):
    assert [name for name in names if not hasattr(torch.ops.aten, name.partition(".")[0])] == []


def test_composite_operators_count_alike_in_inference_mode():
    weight, bias = torch.ones(5, 4), torch.ones(5)

    def layer():
        return torch.nn.functional.linear(X, weight, bias)

    def inferred():
        with torch.inference_mode():
            layer()

    plain, inference = counted(layer), counted(inferred)
    assert inference.calls == plain.calls
    assert (inference.kernels, inference.flops) == (plain.kernels, plain.flops) == (1, 2 * 3 * 4 * 5)


@pytest.mark.parametrize("way", ["thread", "pool", "pool that was there"])
def test_threads_count(way):
    with ThreadPoolExecutor(1) as there:
        there.submit(int).result()

        def work():
            if way == "thread":
                thread = threading.Thread(target=lambda: X.sum().item())
                thread.start()
                thread.join()
            elif way == "pool":
                with ThreadPoolExecutor(2) as pool:
                    list(pool.map(lambda row: row.sum().item(), [X]))
            else:
                there.submit(lambda: X.sum().item()).result()

        for _ in range(2):
            operators = counted(work)
            assert operators.calls == {"sum": 1, "_local_scalar_dense": 1}
            assert operators.synchronisations == 1


def test_a_thread_that_outlives_the_function_is_not_counted_later():
    go_on, done = threading.Event(), threading.Event()

    def later():
        go_on.wait()
        X.sum()
        done.set()

    operators = counted(lambda: threading.Thread(target=later).start())
    go_on.set()
    assert done.wait(10)
    assert operators.calls == {}


def test_hooks_are_gone_after_a_failure():
    start, submit = threading.Thread.start, ThreadPoolExecutor.submit
    with pytest.raises(ZeroDivisionError):
        counted(lambda: 1 / 0)
    assert (threading.Thread.start, ThreadPoolExecutor.submit) == (start, submit)


def test_a_backward_pass_counts():
    weight = torch.ones(4, 2, requires_grad=True)
    operators = counted(lambda: (X @ weight).sum().backward())
    assert operators.calls["mm"] == 2
    assert operators.flops == 2 * (2 * 3 * 4 * 2)
