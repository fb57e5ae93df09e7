"""A benchmark harness for video representation learning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.cards import BackboneCard, DatasetCard, EvaluatorCard, MethodCard, Metric, Paper, View
from harness.errors import DataError, DivergedError, HarnessError, PluginError, UsageError
from harness.interfaces import (
    Backbone,
    Budget,
    Dataset,
    Encoder,
    Evaluation,
    Evaluator,
    Method,
    Predictions,
    Score,
    Split,
    Video,
    VideoBatch,
)
from harness.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from harness.encoders.frozen import Features, FrozenEncoder
    from harness.encoders.network import NetworkEncoder
    from harness.training.gradient_method import Batch, GradientMethod

_TORCH = {
    "Batch": "harness.training.gradient_method",
    "Features": "harness.encoders.frozen",
    "FrozenEncoder": "harness.encoders.frozen",
    "GradientMethod": "harness.training.gradient_method",
    "NetworkEncoder": "harness.encoders.network",
}
"""Names from modules that import torch, which listing does without."""


def __getattr__(name: str) -> Any:
    if name in _TORCH:
        import importlib

        return getattr(importlib.import_module(_TORCH[name]), name)
    msg = f"module 'harness' has no attribute {name!r}"
    raise AttributeError(msg)


__all__ = [
    "Backbone",
    "BackboneCard",
    "Batch",
    "Budget",
    "DataError",
    "Dataset",
    "DatasetCard",
    "DivergedError",
    "Encoder",
    "Evaluation",
    "Evaluator",
    "EvaluatorCard",
    "Features",
    "FrozenEncoder",
    "GradientMethod",
    "HarnessError",
    "Method",
    "MethodCard",
    "Metric",
    "NetworkEncoder",
    "Paper",
    "PluginError",
    "Predictions",
    "Score",
    "Split",
    "UsageError",
    "Video",
    "VideoBatch",
    "View",
    "hookimpl",
]
