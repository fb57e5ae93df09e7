"""Machines on blocks: scikit-learn's answer, weights that find the block that tells, and what is not measured so."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from harness.encoders.composite import CompositeEncoder
from harness.encoders.frozen import CachedEncoder
from harness.evaluators import kernel_svm as module
from harness.evaluators.kernel_svm import KernelSVM
from harness.execution.plan import plan_suite
from harness.execution.sources import DataSources
from harness.plugins.manager import Plugins
from harness.suites.schema import Suite
from harness.testing import MovingSquares
from harness.testing.evaluating import NoisyEncoder, vectors_and_labels
from harness.testing.fixtures import UninformedEncoder, UntrainedEncoder
from harness.values import Promise


def measured(*parts, **options):
    frozen = tuple(CachedEncoder(part, key=f"part {number}") for number, part in enumerate(parts))
    return KernelSVM(**options).evaluate(CompositeEncoder(frozen, by="blocks", key="both"), MovingSquares(), seed=0)


def test_equal_weights_give_scikit_learns_machines_on_the_scaled_blocks():
    result = measured(UntrainedEncoder(), NoisyEncoder())
    train, test = [], []
    for part in (UntrainedEncoder(), NoisyEncoder()):
        (ours, labels), (theirs, _) = (vectors_and_labels(part, split) for split in ("train", "test"))
        train.append(normalize(ours) / 2**0.5)
        test.append(normalize(theirs) / 2**0.5)
    x, queries = np.concatenate(train, 1), np.concatenate(test, 1)
    machines = [
        LinearSVC(loss="hinge", C=result.notes["cost"], tol=1e-10, max_iter=3_000_000).fit(x, labels == own)
        for own in range(4)
    ]
    predicted = np.stack([machine.decision_function(queries) for machine in machines]).argmax(0)
    assert result.predictions.predicted[0] == tuple(predicted.tolist())
    assert result.notes["converged"]
    assert set(result.notes["validation_top1"]) == {"0.001", "0.01", "0.1", "1", "10", "100", "1000"}


class Maps:
    """The vectors of an encoder as maps of two rows and three columns, whose means are the vectors."""

    def __init__(self, encoder):
        self.encoder = encoder
        self.promise = Promise(views=encoder.promise.views, shape=(*encoder.promise.shape, 2, 3))

    def encode(self, batch):
        return self.encoder.encode(batch)[:, :, None, None].expand(-1, -1, 2, 3)


def test_a_part_of_maps_is_a_block_of_their_means():
    maps, vectors = (measured(UntrainedEncoder(), part) for part in (Maps(NoisyEncoder()), NoisyEncoder()))
    assert maps.predictions == vectors.predictions


@pytest.mark.parametrize("weights", ["equal", "gmkl"])
def test_a_class_that_train_lacks_is_never_predicted(weights):
    class FiveClasses(MovingSquares):
        card = MovingSquares.card

        def split(self, name):
            split = super().split(name)
            return dataclasses.replace(split, classes={"action": (*split.classes["action"], "never")})

    part = CachedEncoder(NoisyEncoder(), key="part")
    parts = CompositeEncoder((part, part), by="blocks", key="both")
    result = KernelSVM(weights=weights).evaluate(parts, FiveClasses(), seed=0)
    assert (result.class_scores.values[..., 4] == np.finfo(np.float16).min).all()
    assert set(result.predictions.predicted[0]) <= {0, 1, 2, 3}


def test_learnt_weights_lean_to_the_block_that_tells_the_class():
    result = measured(UninformedEncoder(), UntrainedEncoder(), weights="gmkl")
    weights = np.array(list(result.notes["weights"].values()))
    assert weights[:, 1].sum() > 1.5 * weights[:, 0].sum()
    assert result.notes["classes_without_weights"] == 0


def test_a_class_whose_weights_are_all_0_gets_equal_ones_and_is_counted(monkeypatch):
    monkeypatch.setattr("harness.evaluators.kernel_svm.LEARNT_COST", 1e-3)
    result = measured(UntrainedEncoder(), NoisyEncoder(), weights="gmkl")
    assert result.notes["classes_without_weights"] == 4
    assert np.allclose(list(result.notes["weights"].values()), 0.5)


@pytest.mark.parametrize(("by", "applies"), [("blocks", True), ("concat", False)])
def test_a_suite_measures_composites_of_blocks_by_it_and_nothing_else(toy, by, applies):
    suite = Suite.model_validate(
        {
            "name": "toy",
            "title": "Toy",
            "frames": 64,
            "methods": ["random_init", "supervised"],
            "composites": [{"name": "both", "of": ["random_init", "supervised"], "by": by}],
            "backbones": ["small_2d"],
            "pretraining": ["blobs"],
            "evaluators": ["kernel_svm"],
            "seeds": [0],
        }
    )
    plugins = Plugins()
    cells = plan_suite(suite, plugins, DataSources(plugins)).cells
    reasons = {cell.identity.method.name: cell.not_applicable for cell in cells}
    assert (reasons["both"] == "") is applies
    assert "blocks" in reasons["random_init"]


def test_the_encoders_are_as_before():
    part = UntrainedEncoder()
    before = [tensor.clone() for tensor in part.module.state_dict().values()]
    measured(part, NoisyEncoder())
    assert all(torch.equal(one, other) for one, other in zip(before, part.module.state_dict().values(), strict=True))


def test_kernels_are_those_of_normalised_blocks(monkeypatch):
    monkeypatch.setattr(module, "COLUMNS", 4)
    one, other = torch.randn(5, 13), torch.randn(7, 13)
    one[2, :10] = 0  # a video without a part has a kernel of zeros there
    kernels = module._kernels(one, other, [10, 3])
    for kernel, columns in zip(kernels, (slice(10), slice(10, 13)), strict=True):
        left, right = (torch.nn.functional.normalize(rows.double()[:, columns], dim=1) for rows in (one, other))
        torch.testing.assert_close(kernel, left @ right.mT, rtol=0, atol=1e-12)
    assert not kernels[0, 2].any()
