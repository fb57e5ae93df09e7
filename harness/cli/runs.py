"""`harness runs`: the stored runs."""

from __future__ import annotations

import datetime
import fnmatch
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.cli.context import AsJson, print_json, print_table
from harness.cli.output import amount
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.store.choices import Choice
    from harness.store.records import Run


def runs(
    method: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Runs of this method, by its name or as listed; * stands for any."),
    ] = None,
    backbone: Annotated[str | None, typer.Option(metavar="NAME", help="Runs of this backbone.")] = None,
    data: Annotated[str | None, typer.Option(metavar="NAME", help="Runs measured on this data set.")] = None,
    evaluator: Annotated[str | None, typer.Option(metavar="NAME", help="Runs measured by this evaluator.")] = None,
    status: Annotated[
        Literal["done", "failed", "diverged", "oom", "data"] | None, typer.Option(help="Runs of this state.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Runs that finished then or later.")] = None,
    as_json: AsJson = False,
) -> None:
    """List stored runs with scores and sizes, all or those that are asked for."""
    from harness.store.runs import Store
    from harness.store.sizes import run_size, store_sizes
    from harness.system import paths, progress

    day = None if since is None else _date(since)
    store = Store(paths.store())
    found = sorted(
        (
            run
            for run in store
            if _matches(run.identity.method, method)
            and _matches(run.identity.backbone, backbone)
            and _matches(run.identity.data, data)
            and _matches(run.identity.evaluator, evaluator)
            and status in {None, run.status}
            and (day is None or _is_since(run, day))
        ),
        key=lambda run: (
            str(run.provenance.get("finished", "")),  # to the second
            run.identity.fit_label,
            run.identity.evaluator.label,
            run.key,
        ),
    )
    rows = [_values(run, run_size(store, run)) for run in found]
    if as_json:
        print_json(rows)
        return
    header = ("key", "finished", "status", "method", "backbone", "data", "evaluator", "seed", "score", "size")
    print_table(header, [_line(row) for row in rows])
    sizes = ", ".join(f"{kind} {amount(size)}" for kind, size in store_sizes(store.folder).items())
    progress.say(f"{len(rows)} runs; the store in {store.folder} has {sizes}")


def _date(text: str) -> datetime.datetime:
    """Date of an option, in UTC where no zone is given.

    Raises:
        UsageError: when it is none.
    """
    try:
        day = datetime.datetime.fromisoformat(text)
    except ValueError:
        msg = f"--since {text}: expected a date such as 2026-05-31, or one with a time"
        raise UsageError(msg) from None
    return _in_utc(day)


def _is_since(run: Run, day: datetime.datetime) -> bool:
    """True for a run that finished then or later; older versions did not note when."""
    finished = run.provenance.get("finished")
    return finished is not None and _in_utc(datetime.datetime.fromisoformat(finished)) >= day


def _in_utc(time: datetime.datetime) -> datetime.datetime:
    return time if time.tzinfo else time.replace(tzinfo=datetime.timezone.utc)


def _matches(choice: Choice | None, pattern: str | None) -> bool:
    """True where the name, or the label that the list shows, is the pattern's."""
    if pattern is None or choice is None:
        return pattern is None
    return pattern == choice.label or any(fnmatch.fnmatchcase(one, pattern) for one in (choice.name, choice.label))


def _values(run: Run, size: int) -> dict[str, Any]:
    identity = run.identity
    score = run.scores[0] if run.scores else None
    return {
        "key": run.key,
        "finished": run.provenance.get("finished", ""),
        "status": run.status,
        "reason": run.reason,
        "method": identity.method.label,
        "backbone": identity.backbone.label if identity.backbone else None,
        "pretraining": identity.pretraining.label if identity.pretraining else None,
        "data": identity.data.label,
        "evaluator": identity.evaluator.label,
        "seed": identity.seed,
        "metric": score and score.metric,
        "score": score and score.value,
        "fit": run.fit_key,
        "bytes": size,
    }


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    score = f"{row['metric']} {row['score']:.4f}" if row["metric"] else "-"
    named = (row["method"], row["backbone"] or "-", row["data"], row["evaluator"], str(row["seed"]))
    return row["key"][:12], row["finished"][:16], row["status"], *named, score, amount(row["bytes"])
