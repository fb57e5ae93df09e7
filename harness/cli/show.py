"""`harness show`: everything stored of one run."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from harness.cli.context import AsJson, print_json


def show(
    key: Annotated[str, typer.Argument(help="A run's key, or its first digits.")], as_json: AsJson = False
) -> None:
    """Show a run: scores, protocol, provenance, and why it failed if it did."""
    from harness import paths
    from harness.results import Store

    store = Store(paths.store())
    run = store.find(key)
    if as_json:
        print_json(run.model_dump(mode="json"))
        return
    identity = run.identity
    _section(
        f"run {run.key}",
        {
            "status": f"{run.status} {run.reason}".strip(),
            "method": identity.method.label,
            "backbone": identity.backbone.label,
            "learnt from": f"{identity.pretraining.label}, {identity.frames} frames",
            "measured by": identity.evaluator.label,
            "measured on": identity.data.label,
            "seed": identity.seed,
            "fit": run.fit_key,
            "protocol id": run.protocol_id,
        },
    )
    baselines = {s.metric: f" (baseline {s.baseline:.4f})" if s.baseline is not None else "" for s in run.scores}
    _section("scores", {s.metric: f"{s.value:.4f}{baselines[s.metric]}" for s in run.scores})
    _section("pictures", {name: store.picture(run.key, name) for name in run.pictures})
    _section("notes", run.notes)
    _section("protocol", run.protocol)
    _section("provenance", run.provenance)


def _section(title: str, content: dict[str, Any], indent: str = "") -> None:
    sys.stdout.write(f"{indent}{title}\n")
    for name, value in content.items():
        if isinstance(value, dict) and value:
            _section(name, value, indent + "  ")
        else:
            sys.stdout.write(f"{indent}  {name}: {value}\n")
