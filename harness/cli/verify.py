"""`harness verify`: stored runs computed again and compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.context import AsJson, Changes, Context, print_json, print_table

if TYPE_CHECKING:
    from harness.execution.verification import Verdict


def verify(
    context: typer.Context,
    source: Annotated[
        list[str], typer.Argument(metavar="KEY...|SUITE", help="Keys of runs, or the first digits; or a suite.")
    ],
    sample: Annotated[int | None, typer.Option(min=1, help="Draw so many of the runs at random.")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads to compute with; those of the stored run by default.")
    ] = None,
    changes: Changes = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, or auto: a GPU where there is one.")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Compute stored runs again from nothing, and compare.

    Nothing of the store is used or changed. Exits with 1 when a run is different.
    """
    from harness import api
    from harness.system import progress

    options: Context = context.obj
    verdicts = api.verify(
        source,
        changes=changes or (),
        sample=sample,
        threads=threads,
        plugins=options.plugins(),
        device=device,
    )
    if as_json:
        print_json([_values(verdict) for verdict in verdicts])
    else:
        print_table(("run", "cell", "verdict", "by"), [_line(verdict) for verdict in verdicts])
    counts = {outcome: sum(one.outcome == outcome for one in verdicts) for outcome in ("equal", "within tolerance")}
    different = len(verdicts) - sum(counts.values())
    progress.say(", ".join(f"{n} {outcome}" for outcome, n in {**counts, "different": different}.items()))
    if different:
        raise typer.Exit(1)


def _title(verdict: Verdict) -> str:
    identity = verdict.run.identity
    return f"{identity.fit_label} / {identity.evaluator.label}"


def _line(verdict: Verdict) -> tuple[str, ...]:
    parts = list(verdict.words)
    parts += [
        f"{name} {stored or '-'}, now {computed or '-'}" for name, (stored, computed) in verdict.made_with.items()
    ]
    return verdict.run.key[:12], _title(verdict), verdict.outcome, "; ".join(parts)


def _values(verdict: Verdict) -> dict[str, Any]:
    return {
        "key": verdict.run.key,
        "cell": verdict.run.identity.model_dump(mode="json"),
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "scores": {
            score.metric: {"stored": score.stored, "computed": score.computed, "within_tolerance": score.within}
            for score in verdict.scores
        },
        "predictions": verdict.predictions,
        "made_with": {
            name: {"stored": stored, "computed": computed} for name, (stored, computed) in verdict.made_with.items()
        },
    }
