"""Schemas of stored files: current, and what committed boards are."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from harness.leaderboard import schemas

BOARDS = Path(__file__).parents[2] / "leaderboards"
RUN, RESULTS = schemas.SCHEMAS


def fields(schema):
    """Names of all fields of the objects of a schema; pydantic's versions word the rest differently."""
    objects = {"": schema, **schema.get("$defs", {})}
    return {
        name: {
            field: (field in one.get("required", ()), set(of.get("enum", [of["const"]] if "const" in of else ())))
            for field, of in properties.items()
        }
        for name, one in objects.items()
        if (properties := one.get("properties"))
    }


def validator(path):
    schema = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", schemas.SCHEMAS, ids=lambda path: path.name)
def test_the_schema_in_the_package_is_current(path):
    """Write it again with `python -m harness.leaderboard.schemas`."""
    assert fields(json.loads(path.read_text(encoding="utf-8"))) == fields(json.loads(schemas.text(path)))


@pytest.mark.skipif(not BOARDS.exists(), reason="committed boards are in the repository, not in the sdist")
@pytest.mark.parametrize("name", ["quickstart", "vgg3d-table1-mini", "pose-from-action-fig4-mini"])
def test_committed_boards_and_their_runs_are_valid(name):
    results = json.loads((BOARDS / name / "results.json").read_text(encoding="utf-8"))
    validator(RESULTS).validate(results)
    stored = [{**cell["run"], "predictions": None} for cell in results["planned"] if cell["run"]]
    assert stored
    validator(RUN).validate(stored[0])
    for broken in ({**results, "more": 1}, {**results, "format": 2}, {**results, "planned": [{"run": {}}]}):
        with pytest.raises(jsonschema.ValidationError):
            validator(RESULTS).validate(broken)
    for broken in ({**stored[0], "status": "perhaps"}, {**stored[0], "scores": [{"metric": "top1"}]}, {}):
        with pytest.raises(jsonschema.ValidationError):
            validator(RUN).validate(broken)
