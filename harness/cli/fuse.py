"""`harness fuse`: late fusion of stored runs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.context import AsJson, print_json, print_table
from harness.cli.output import write
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.leaderboard.fusion import FusedScores, Fusion
    from harness.leaderboard.statistics import Interval


def fuse(
    keys: Annotated[
        list[str], typer.Argument(metavar="KEY...", help="Keys of two runs or more, or their first digits.")
    ],
    weights: Annotated[
        str | None, typer.Option(metavar="W,W,...", help="Weight of each run in the mean; equal ones unless given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fuse runs on the same videos: the mean of their class probabilities.

    Shows each run, the fusion, and the paired difference of the fusion to the best run, with its 95 % interval over
    new groups.
    """
    from harness import api

    fusion = api.fuse(keys, None if weights is None else _numbers(weights))
    if as_json:
        print_json(_values(fusion))
    else:
        _print(fusion)


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        msg = f"--weights {text}: expected numbers with commas, such as 2,1"
        raise UsageError(msg) from None


def _print(fusion: Fusion) -> None:
    from harness.evaluators.cards import TOP1
    from harness.leaderboard.text import number

    def line(scores: FusedScores) -> tuple[str, ...]:
        return number(scores.top1, TOP1), number(scores.mean_average_precision, TOP1)

    rows = [
        (run.key[:12], run.identity.fit_label, run.identity.evaluator.label, f"{weight:.3g}", *line(scores))
        for run, weight, scores in zip(fusion.runs, fusion.weights, fusion.scores, strict=True)
    ]
    rows.append(("fusion", "", "", "", *line(fusion.fused)))
    print_table(("run", "row", "measured by", "weight", "top-1 (%)", "mAP (%)"), rows)
    write(f"\nfusion less {fusion.runs[fusion.best].key[:12]}, the best run: {gain(fusion.difference)}\n")


def gain(difference: Interval) -> str:
    """Write a difference in top-1 with its interval.

    >>> from harness.leaderboard.statistics import Interval
    >>> gain(Interval(0.021, -0.004, 0.046)), gain(Interval(-0.021))[:22]
    ('+2.1 points of top-1, 95 % interval -0.4 to 4.6', '-2.1 points of top-1, ')
    """
    from harness.evaluators.cards import TOP1
    from harness.leaderboard.statistics import FEWEST_GROUPS
    from harness.leaderboard.text import number, span

    mean, ends = number(difference.mean, TOP1), span(difference, TOP1, " to ")
    why = f"95 % interval {ends}" if ends else f"without interval: under {FEWEST_GROUPS} groups, or none that differs"
    return f"{mean if mean.startswith('-') else f'+{mean}'} points of top-1, {why}"


def _values(fusion: Fusion) -> dict[str, Any]:
    return {
        "runs": [
            {
                "key": run.key,
                "cell": run.identity.model_dump(mode="json"),
                "weight": weight,
                **dataclasses.asdict(scores),
            }
            for run, weight, scores in zip(fusion.runs, fusion.weights, fusion.scores, strict=True)
        ],
        "fusion": dataclasses.asdict(fusion.fused),
        "best": fusion.runs[fusion.best].key,
        "difference": dataclasses.asdict(fusion.difference),
        "predicted": fusion.predictions.predicted,
    }
