"""Imports that processes of units share, made once in their server.

Libraries and the core alone: plugins come and go, and a GPU does not survive a fork.
"""

import importlib
import os

os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = (
    "1"  # libraries ask on import whether there is a GPU, which would touch it
)

from harness.execution import data_faults, work

for name in (
    "harness.backbones._torchvision",
    "harness.functional.spectral",
    "harness.training.loop",
    "sklearn.linear_model",
    "sklearn.metrics",
):
    importlib.import_module(name)
data_faults.code()

__all__ = ["work"]
