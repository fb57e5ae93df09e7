"""Imports and lookups that processes of units share, made once in their server.

Libraries and the core alone: plugins come and go, and a GPU does not survive a fork.
"""

import importlib
import os

# Libraries ask whether there is a GPU when they are imported, which touches it where the driver is not asked instead.
os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"

from harness.datasets.mocap_actions import build
from harness.execution import data_faults, work
from harness.system import code, environment

for name in (
    "harness.backbones._torchvision",
    "harness.functional.spectral",
    "harness.training.loop",
    "sklearn.linear_model",
    "sklearn.metrics",
):
    importlib.import_module(name)
data_faults.code()
build.drawing_code()
environment.provenance({}, "cpu")
code.read_core()

__all__ = ["work"]
