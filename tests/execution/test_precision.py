"""Precision of a suite: in its keys, in what is stored, and seen by whoever computes a run again."""

from __future__ import annotations

import pytest
import torch

from harness.errors import UsageError
from harness.execution import restore
from harness.execution.plan import check, plan_cell, plan_suite
from harness.execution.sources import DataSources
from harness.execution.verification import verify
from harness.plugins.manager import Plugins
from harness.store.records import CellSpec
from harness.store.runs import Store
from harness.suites import schema
from harness.suites.schema import Suite
from harness.system import paths
from harness.values import VideoBatch

SUITE = {
    "name": "rounded",
    "title": "Rounded",
    "frames": 512,
    "methods": ["random_init", "supervised"],
    "backbones": ["small_2d"],
    "pretraining": ["blobs"],
    "evaluators": [{"name": "knn", "k": 5}],
    "seeds": [0],
}


def planned(plugins, **changes):
    suite = check(Suite.model_validate({**SUITE, **changes}), plugins)
    return plan_suite(suite, plugins, DataSources(plugins)).cells


def test_another_precision_is_another_fit_other_features_and_another_run(toy):
    plugins = Plugins()
    exact, told, rounded = (planned(plugins, **one) for one in ({}, {"precision": "fp32"}, {"precision": "bf16"}))
    assert [cell.key for cell in exact] == [cell.key for cell in told]
    for one, other in zip(exact, rounded, strict=True):
        assert one.key != other.key
        assert one.fit_key != other.fit_key
        assert {encoding.key for encoding in one.encodings}.isdisjoint(encoding.key for encoding in other.encodings)
        assert one.protocol == other.protocol  # they are ranked together
        assert (one.row.precision, other.row.precision) == ("fp32", "bf16")
        assert plan_cell(other.identity, plugins, DataSources(plugins)).key == other.key


def test_parts_of_a_row_are_fitted_in_the_precision_of_the_suite(toy):
    both = {"name": "both", "of": ["random_init", {"method": "supervised", "backbone": "small_3d"}]}
    alone = {"name": "own", "of": [{"method": "supervised", "backbone": "small_3d"}]}
    cells = planned(Plugins(), methods=["random_init"], composites=[both, alone], precision="bf16")
    assert {fit.precision for cell in cells for fit in cell.row.fits} == {"bf16"}
    assert {cell.identity.precision for cell in cells} == {"bf16"}


def test_a_cell_in_float32_is_stored_as_it_always_was(toy):
    exact, rounded = (planned(Plugins(), **one)[0].identity for one in ({}, {"precision": "bf16"}))
    assert "precision" not in exact.model_dump_json()
    assert rounded.model_dump()["precision"] == "bf16"
    for cell in (exact, rounded):
        assert CellSpec.model_validate_json(cell.model_dump_json()) == cell


@pytest.mark.parametrize("written", ["fp16", "16"])
def test_another_word_is_no_precision(toy, written):
    with pytest.raises(UsageError, match=r"precision: Input should be 'fp32' or 'bf16', got"):
        schema.load("toy", Plugins().suites, changes=[f"precision={written}"])


def test_scores_in_bfloat16_are_near_and_computed_again_alike(run):
    (_, exact), _ = run(methods=["random_init", "supervised"], frames=2048)
    (_, rounded), _ = run(methods=["random_init", "supervised"], frames=2048, precision="bf16")
    assert rounded.identity.precision == "bf16"
    top1, near = (one.scores[0].value for one in (exact, rounded))
    assert abs(top1 - near) <= 0.15  # of a fit with other rounding on few videos
    plugins, store = Plugins(), Store(paths.store())
    encoder = restore.encoder(plugins, store, rounded)
    assert encoder.precision == "bf16"
    view = encoder.promise.view
    black = VideoBatch(torch.zeros(1, 3, view.frames, view.size, view.size, dtype=torch.uint8))
    vectors = encoder.encode(black)
    assert torch.equal(vectors, vectors.bfloat16().float())
    cell = plan_cell(rounded.identity, plugins, DataSources(plugins))
    (verdict,) = verify([(cell, rounded)], plugins)
    assert (verdict.outcome, verdict.made_with) == ("equal", {})
