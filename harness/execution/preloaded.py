"""Imports that processes of units share, made once in their server.

Libraries and the core alone: plugins come and go, and a GPU does not survive a fork.
"""

import importlib

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
