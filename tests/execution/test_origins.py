"""Fits and features remember what they were made with."""

from __future__ import annotations

import json

import pytest

from harness.execution import units
from harness.execution.origins import FIELD, other_origins, write_origin
from harness.execution.plan import plan_suite
from harness.execution.sources import DataSources
from harness.plugins.manager import Plugins
from harness.suites.schema import Suite

OLD = {"libraries": {"torch": "2.12.0"}, "threads": 1, "commit": "abc"}
NEW = {"libraries": {"torch": "2.13.0"}, "threads": 1, "commit": "def"}


def test_an_origin_is_written_once(tmp_path):
    path = tmp_path / "features" / "key.json"
    write_origin(path, OLD)
    write_origin(path, NEW)
    assert json.loads(path.read_text()) == {FIELD: {"torch": "2.12.0", "threads": "1"}}


def test_only_what_differs_is_another_origin(tmp_path):
    paths = [tmp_path / name for name in ("one.json", "other.json", "missing.json", "half.json")]
    write_origin(paths[0], OLD)
    write_origin(paths[1], NEW)
    paths[3].write_text('{"made')
    assert other_origins(NEW, paths) == {"torch": ["2.12.0"]}
    assert other_origins(NEW, paths[1:]) == {}
    assert other_origins({**NEW, "threads": 4}, paths) == {"threads": ["1"], "torch": ["2.12.0"]}


@pytest.mark.parametrize("kind", ["fits", "features"])
def test_a_run_names_the_origin_of_what_it_was_made_of(kind, toy, tmp_path, monkeypatch):
    suite = {
        "name": "toy",
        "title": "Toy",
        "frames": 512,
        "methods": ["counted"],
        "backbones": ["two_layers"],
        "pretraining": ["blobs"],
        "evaluators": [{"name": "knn", "k": 5}],
        "seeds": [0],
    }
    plugins = Plugins()
    (spec,) = plan_suite(Suite.model_validate(suite), plugins, DataSources(plugins)).cells
    workshop = units.Workshop(units.Workplace(store=tmp_path / "store"), plugins)
    units.fit(spec.row, workshop)
    first = units.measure(spec, workshop).run
    assert "parts" not in first.provenance
    later = units.Workshop(units.Workplace(store=tmp_path / "store"), plugins)
    later.provenance = {**later.provenance, "threads": 99}
    if kind == "features":  # the fit is made anew, by chance with equal weights
        (later.folder(spec.row.key) / "fit.json").unlink()
        units.fit(spec.row, later)
    else:
        for path in later.features.iterdir():
            path.unlink()
    second = units.measure(spec, later).run
    assert second.provenance["parts"] == {"threads": [str(first.provenance["threads"])]}
    assert second.provenance["threads"] == 99
