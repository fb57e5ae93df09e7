"""Products against float64, on both sides of the choice of how to multiply."""

import timeit

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.functional import product as module
from harness.functional.product import product

onednn = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="PyTorch without oneDNN")


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def always(monkeypatch):
    monkeypatch.setattr(module, "_WORTH", 0)


@pytest.fixture
def asked(monkeypatch):
    """The shapes that went to oneDNN."""
    shapes, inner = [], module._onednn
    monkeypatch.setattr(module, "_onednn", lambda a, *rest: shapes.append(tuple(a.shape)) or inner(a, *rest))
    return shapes


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 70), st.booleans(), st.booleans(), st.booleans())
def test_any_shape_and_order_of_rows(n, d, k, turn_a, turn_b, with_bias):
    a = draw(d, n).mT if turn_a else draw(n, d)
    b = draw(k, d, seed=1).mT if turn_b else draw(d, k, seed=1)
    bias = draw(k, seed=2) if with_bias else None
    expected = a.double() @ b.double() + (0 if bias is None else bias.double())
    for worth in (0, 2**40):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_WORTH", worth)
            found = product(a, b, bias)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-5)


@onednn
def test_parts_of_larger_matrices(always, asked):
    whole, other = draw(40, 50), draw(50, 60, seed=1)
    found = product(whole[3:33, 5:25], other[20:40, 1::2])
    torch.testing.assert_close(found, whole[3:33, 5:25] @ other[20:40, 1::2])
    assert asked == [(30, 20)]


@onednn
def test_rows_that_lie_apart_are_multiplied_as_fast(always):
    """oneDNN itself took a thousand times longer."""
    a, b = draw(512, 512), draw(512, 513, seed=1)[:, :-1]
    fast, slow = (min(timeit.repeat(lambda b=b: product(a, b), number=1, repeat=3)) for b in (b.contiguous(), b))
    assert slow < 50 * fast


@onednn
def test_a_batch(asked):
    a, b = draw(3, 128, 100), draw(3, 100, 128, seed=1)
    torch.testing.assert_close(product(a, b), a @ b)
    assert asked == [(128, 100)] * 3


@onednn
def test_only_large_products_in_float32_without_gradients_on_a_cpu_that_may(asked, monkeypatch):
    a, b = draw(128, 128), draw(128, 128, seed=1)
    product(a[:, :60], b[:60])
    product(a.double(), b.double())
    product(a.bfloat16(), b.bfloat16())
    for name, value in (("is_available", lambda: False), ("enabled", False)):
        with monkeypatch.context() as patch:
            patch.setattr(torch.backends.mkldnn, name, value)
            product(a, b)
    learned = b.clone().requires_grad_()
    product(a, learned, learned[0]).sum().backward()
    torch.testing.assert_close(learned.grad[1:], a.sum(0)[1:, None].expand(-1, 128))
    assert asked == []
    product(a, b)
    with torch.no_grad():
        product(a, learned)
    assert len(asked) == 2
