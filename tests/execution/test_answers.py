"""Labels and targets that no data set of a suite has are refused before anything is computed."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest

from harness.errors import UsageError
from harness.execution.answers import expect_answers
from harness.execution.cells import suite_cells
from harness.execution.plan import check, plan_suite
from harness.execution.sources import DataSources
from harness.plugins.manager import Plugins
from harness.suites.schema import Suite


def suite(*evaluators, **changes):
    return Suite.model_validate(
        {
            "name": "toy",
            "title": "Toy",
            "frames": 512,
            "methods": ["random_init"],
            "backbones": ["tiny"],
            "pretraining": ["blobs"],
            "evaluators": list(evaluators),
            "seeds": [0, 1],
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("evaluator", "message"),
    [
        ({"name": "knn", "label": "actoin"}, "unknown label of evaluator 'knn': 'actoin'; did you mean 'action'"),
        ({"name": "clustering", "label": "scene"}, "unknown label of evaluator 'clustering': 'scene'; known: action"),
        (
            {"name": "multilabel_probe"},
            "evaluator 'multilabel_probe' measures a multi-label kind, and 'action' is a label of",
        ),
        (
            {"name": "multilabel_probe", "label": "mood"},
            "unknown multi-label kind of evaluator 'multilabel_probe': 'mood'; known: none",
        ),
        ({"name": "ridge_probe", "target": "age"}, "unknown target of evaluator 'ridge_probe': 'age'; known: none"),
    ],
)
def test_what_no_data_set_has_is_named_by_the_plan(toy, evaluator, message):
    plugins = Plugins()
    with pytest.raises(UsageError, match=message):
        plan_suite(suite("knn", evaluator), plugins, DataSources(plugins))


def test_a_target_is_asked_for(toy):
    with pytest.raises(
        UsageError, match=r"'ridge_probe' needs the option 'target': \{name: ridge_probe, target: ...\}"
    ):
        check(suite("ridge_probe"), Plugins())


def test_what_one_of_several_data_sets_has_is_planned(toy, monkeypatch):
    plugins = Plugins()
    sources = DataSources(plugins)
    data = ["blobs", {"name": "blobs", "limit": 8}]
    evaluators = {"name": "ridge_probe", "target": "age"}, {"name": "multilabel_probe", "label": "mood"}
    cells = [cell for cell, _ in suite_cells(suite(*evaluators, data=data), plugins)]
    read = DataSources.split

    def split(self, choice, name):
        found = read(self, choice, name)
        if not choice.options:
            return found
        videos = [dataclasses.replace(video, targets={"age": 1.0}) for video in found.videos]
        return SimpleNamespace(classes={}, multilabel_classes={"mood": ("glad",)}, videos=videos)

    monkeypatch.setattr(DataSources, "split", split)
    expect_answers(cells, plugins, sources)
    for missing in ("ridge_probe", "multilabel_probe"):
        alone = [cell for cell in cells if not cell.data.options and cell.evaluator.name == missing]
        with pytest.raises(UsageError, match=missing):
            expect_answers(alone, plugins, sources)
    single = [cell for cell, _ in suite_cells(suite({"name": "knn", "label": "mood"}, data=data), plugins)]
    with pytest.raises(UsageError, match="'knn' measures a label, and 'mood' is a multi-label kind of the data"):
        expect_answers(single, plugins, sources)
