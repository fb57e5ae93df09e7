"""State that results may depend on, put back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from harness.system import global_state

of_operations = pytest.mark.skipif(
    not hasattr(torch.backends.cudnn, "conv"), reason="PyTorch before precisions of single operations"
)


@pytest.fixture(autouse=True)
def _precisions():
    yield
    torch.backends.cudnn.allow_tf32 = True
    torch.set_float32_matmul_precision("highest")


def test_what_a_block_changed_is_told_and_put_back(tmp_path):
    folder = Path.cwd()
    with global_state.kept() as changed:
        torch.set_default_dtype(torch.float64)
        os.chdir(tmp_path)
        os.environ["CHANGED"] = "1"
    assert changed == ["torch's default dtype", "the working directory", "the environment"]
    assert (torch.get_default_dtype(), Path.cwd(), "CHANGED" in os.environ) == (torch.float32, folder, False)


@of_operations
def test_precisions_of_single_operations_are_put_back():
    """PyTorch refuses to tell its older settings where they are not what a single operation has."""
    before = global_state.current()
    torch.backends.cudnn.conv.fp32_precision = "ieee"
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    with pytest.raises(RuntimeError, match="mix of the legacy and new APIs"):
        torch.get_float32_matmul_precision()
    assert global_state.restore(before) == [
        "torch's precision of float32 products",
        "cuDNN's precision of float32",
    ]
    assert global_state.restore(before) == []
    assert torch.backends.cudnn.conv.fp32_precision == torch.backends.cudnn.rnn.fp32_precision == "tf32"
    assert torch.backends.cuda.matmul.fp32_precision == "ieee"


@of_operations
def test_precisions_that_cannot_be_told_are_left():
    torch.backends.cudnn.conv.fp32_precision = "ieee"
    with global_state.kept() as changed:
        pass
    assert changed == []
    assert torch.backends.cudnn.conv.fp32_precision == "ieee"
