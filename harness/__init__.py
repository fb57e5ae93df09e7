"""A benchmark harness for video representation learning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.cards import BackboneCard, DatasetCard, EvaluatorCard, MethodCard, Metric, Paper, View, WholeVideo
from harness.errors import DataError, DivergedError, HarnessError, PluginError, UsageError
from harness.interfaces import (
    Backbone,
    Dataset,
    Encoder,
    Evaluator,
    Features,
    FrozenEncoder,
    Method,
    Session,
    Split,
    Stage,
    Stateful,
)
from harness.plugins.hookspecs import API_VERSION, hookimpl
from harness.values import (
    Batch,
    Budget,
    ClassScores,
    Encoding,
    Evaluation,
    Inputs,
    Predictions,
    Promise,
    Score,
    Video,
    VideoBatch,
)

if TYPE_CHECKING:
    from harness.api import publish, results, run
    from harness.encoders.network import NetworkEncoder, NetworkMethod
    from harness.encoders.vectors_file import save_features
    from harness.evaluation import evaluate, load_dataset
    from harness.export.folder import export_encoder, load_encoder
    from harness.training.gradient_method import GradientMethod

_LAZY = {
    "evaluate": "harness.evaluation",
    "export_encoder": "harness.export.folder",
    "load_dataset": "harness.evaluation",
    "load_encoder": "harness.export.folder",
    "publish": "harness.api",
    "results": "harness.api",
    "run": "harness.api",
    "save_features": "harness.encoders.vectors_file",
    "GradientMethod": "harness.training.gradient_method",
    "NetworkEncoder": "harness.encoders.network",
    "NetworkMethod": "harness.encoders.network",
}
"""Names from modules that import torch, which listing does without."""


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        import importlib

        return getattr(importlib.import_module(_LAZY[name]), name)
    msg = f"module 'harness' has no attribute {name!r}"
    raise AttributeError(msg)


__all__ = [
    "API_VERSION",
    "Backbone",
    "BackboneCard",
    "Batch",
    "Budget",
    "ClassScores",
    "DataError",
    "Dataset",
    "DatasetCard",
    "DivergedError",
    "Encoder",
    "Encoding",
    "Evaluation",
    "Evaluator",
    "EvaluatorCard",
    "Features",
    "FrozenEncoder",
    "GradientMethod",
    "HarnessError",
    "Inputs",
    "Method",
    "MethodCard",
    "Metric",
    "NetworkEncoder",
    "NetworkMethod",
    "Paper",
    "PluginError",
    "Predictions",
    "Promise",
    "Score",
    "Session",
    "Split",
    "Stage",
    "Stateful",
    "UsageError",
    "Video",
    "VideoBatch",
    "View",
    "WholeVideo",
    "evaluate",
    "export_encoder",
    "hookimpl",
    "load_dataset",
    "load_encoder",
    "publish",
    "results",
    "run",
    "save_features",
]
