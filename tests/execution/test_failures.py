import pytest
import torch

from harness.execution.failures import failure_of


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 71.1 PiB"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        torch.AcceleratorError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_every_shortage_of_memory_is_named(error):
    assert failure_of(error).status == "oom"


def test_a_shortage_on_the_cpu_is_named():
    with pytest.raises(RuntimeError) as error:
        torch.empty(10**15)
    assert failure_of(error.value).status == "oom"


def test_another_fault_of_a_gpu_is_no_shortage():
    assert failure_of(RuntimeError("CUDA error: an illegal memory access was encountered")).status == "failed"
