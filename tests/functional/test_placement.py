"""Where small problems are solved, and in which precision."""

import pytest
import torch

from harness.functional import placement
from harness.functional.placement import faster_device, has_fast_bfloat16


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((9, 210, 64, 14), "cpu"),  # strengths of a probe on few videos
        ((20, 101, 512, 101), "cuda"),
        ((9, 9_494, 512, 101), "cuda"),
    ],
)
def test_small_steps_go_to_the_cpu(size, expected):
    problems, n, dim, classes = size
    flops = 4 * problems * n * dim * classes
    assert faster_device(torch.device("cuda"), flops=flops).type == expected
    assert faster_device(torch.device("cpu"), flops=flops).type == "cpu"


def test_bfloat16_is_for_float32_on_a_processor_that_has_it(monkeypatch):
    x = torch.ones(2)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    assert has_fast_bfloat16(x)
    assert not has_fast_bfloat16(x.double())
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert not has_fast_bfloat16(x)


def test_a_torch_that_cannot_tell_multiplies_in_float32(monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported", raising=False)
    assert not placement.has_fast_bfloat16(torch.ones(2))
