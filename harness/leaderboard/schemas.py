"""JSON schemas of stored files, for readers that are not video-harness.

`python -m harness.leaderboard.schemas` writes them beside the modules whose files they describe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.leaderboard.results_content import results_schema
from harness.store.runs import run_schema
from harness.system import files

_ROOMS = Path(__file__).parent.parent
SCHEMAS: Mapping[Path, Callable[[], dict[str, Any]]] = {
    _ROOMS / "store" / "run.schema.json": run_schema,
    _ROOMS / "leaderboard" / "results.schema.json": results_schema,
}
"""Functions that make the schemas, by the files that hold them."""


def text(path: Path) -> str:
    """Text of the schema that belongs into the file `path`."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return files.json_text({**dialect, **SCHEMAS[path]()})


if __name__ == "__main__":
    for schema in SCHEMAS:
        files.write_text(schema, text(schema))
