"""Class scores in half precision: of every evaluator that classifies by some, and none overflows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import harness
from harness.encoders.composite import CompositeEncoder
from harness.evaluators.attentive_probe import AttentiveProbe
from harness.evaluators.class_scores import keep
from harness.evaluators.few_shot import FewShot
from harness.evaluators.finetune import Finetune
from harness.evaluators.kernel_svm import KernelSVM
from harness.evaluators.knn import KNN
from harness.evaluators.linear import LinearProbe, LinearSVM
from harness.evaluators.mlp_probe import MLPProbe
from harness.testing import MovingSquares
from harness.testing.evaluating import NoisyEncoder, evaluate, frozen
from harness.testing.fixtures import UntrainedEncoder

QUICK = {"lrs": (1e-3,), "weight_decays": (0.1,), "steps": 20}
TUNED = {"frames": 640, "lrs": (0.01,), "mirror": False}


@pytest.mark.parametrize(
    ("evaluator", "encoder", "kind"),
    [
        (KNN(k=5), NoisyEncoder, "probabilities"),
        (LinearProbe(), NoisyEncoder, "logits"),
        (LinearSVM(), NoisyEncoder, "margins"),
        (AttentiveProbe(**QUICK), UntrainedEncoder, "logits"),
        (MLPProbe(**QUICK, repeats=2), UntrainedEncoder, "logits"),
        (FewShot(shots=(1, 5), draws=3), UntrainedEncoder, "logits"),
        (Finetune(**TUNED), UntrainedEncoder, "probabilities"),
        (Finetune(**TUNED, average="logits"), UntrainedEncoder, "logits"),
        (Finetune(**TUNED, shots=5, draws=2), UntrainedEncoder, "probabilities"),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "card") else None,
)
def test_the_highest_of_the_scores_that_are_kept_are_the_predictions(evaluator, encoder, kind):
    found = evaluate(evaluator, encoder())
    scores = found.class_scores
    assert scores.kind == kind
    assert scores.values.shape == (*np.shape(found.predictions.predicted), 4)
    assert scores.values.argmax(2).tolist() == [list(row) for row in found.predictions.predicted]
    if kind == "probabilities":
        assert np.allclose(scores.values.astype(float).sum(2), 1, atol=2e-3)


def test_machines_on_blocks_keep_margins():
    parts = frozen(UntrainedEncoder()), frozen(NoisyEncoder())
    found = KernelSVM().evaluate(CompositeEncoder(parts, by="blocks", key="both"), MovingSquares(), seed=0)
    assert found.class_scores.kind == "margins"
    assert found.class_scores.values[0].argmax(1).tolist() == list(found.predictions.predicted[0])


def test_scores_come_back_from_python():
    network = torch.nn.Sequential(torch.nn.AdaptiveAvgPool3d((2, 4, 4)), torch.nn.Flatten())
    inputs = harness.Inputs(view=harness.View(frames=8, size=32))
    found = harness.evaluate(network, MovingSquares(), ["knn", "clustering"], inputs=inputs)
    assert found["knn"].class_scores.values.shape == (1, len(MovingSquares().split("test")), 4)
    assert found["clustering"].class_scores is None


def test_no_score_overflows_and_the_classes_that_compete_are_told_apart():
    logits = torch.tensor([[[1e30, 1e30 - 1e25, -1e30], [1000.5, 1000.25, 900.0]]], dtype=torch.float64)
    kept = keep("logits", logits).values
    assert kept.dtype == np.float16
    assert np.isfinite(kept).all()
    assert kept.tolist() == [[[0.0, -65504.0, -65504.0], [0.0, -0.25, -100.5]]]
    softmax = torch.from_numpy(kept[0, 1]).double().softmax(0)
    assert softmax.tolist() == pytest.approx(logits[0, 1].softmax(0).tolist(), rel=1e-3)


def test_margins_keep_their_zero():
    margins = torch.tensor([[[0.5, -1.0], [-2.0, -1e6]]])
    assert keep("margins", margins).values.tolist() == [[[0.5, -1.0], [-2.0, -65504.0]]]
