"""`harness fuse`: late fusion of stored runs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.context import AsJson, print_json, print_table
from harness.cli.output import write
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.cards import Metric
    from harness.leaderboard.fusion import Fusion
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

    Shows each run, the fusion, and the paired differences of the fusion to the best run, in top-1 and mAP, with their
    95 % intervals over new groups.
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
    from harness.leaderboard.text import number

    def line(scores: dict[str, float]) -> tuple[str, ...]:
        return tuple(number(scores[metric.id], metric) for metric in fusion.metrics)

    rows = [
        (run.key[:12], run.identity.fit_label, run.identity.evaluator.label, f"{weight:.3g}", *line(scores))
        for run, weight, scores in zip(fusion.runs, fusion.weights, fusion.scores, strict=True)
    ]
    rows.append(("fusion", "", "", "", *line(fusion.fused)))
    print_table(("run", "row", "measured by", "weight", *(f"{_name(one)} (%)" for one in fusion.metrics)), rows)
    gains = "; ".join(gain(fusion.gains[metric.id], metric) for metric in fusion.metrics)
    write(f"\nfusion less {fusion.runs[fusion.best].key[:12]}, the best run: {gains}\n")


def _name(metric: Metric) -> str:
    return {"top1": "top-1", "map": "mAP"}[metric.id]


def gain(difference: Interval, metric: Metric) -> str:
    """Write a difference in a metric with its interval.

    >>> from harness.evaluators.cards import MAP, TOP1
    >>> from harness.leaderboard.statistics import Interval
    >>> gain(Interval(0.021, -0.004, 0.046), TOP1), gain(Interval(-0.021), MAP)[:20]
    ('+2.1 points of top-1, 95 % interval -0.4 to 4.6', '-2.1 points of mAP, ')
    """
    from harness.leaderboard.statistics import FEWEST_GROUPS
    from harness.leaderboard.text import number, span

    mean, ends = number(difference.mean, metric), span(difference, metric, " to ")
    why = f"95 % interval {ends}" if ends else f"without interval: under {FEWEST_GROUPS} groups, or none that differs"
    return f"{mean if mean.startswith('-') else f'+{mean}'} points of {_name(metric)}, {why}"


def _values(fusion: Fusion) -> dict[str, Any]:
    return {
        "runs": [
            {
                "key": run.key,
                "cell": run.identity.model_dump(mode="json"),
                "weight": weight,
                "scores": scores,
            }
            for run, weight, scores in zip(fusion.runs, fusion.weights, fusion.scores, strict=True)
        ],
        "fusion": fusion.fused,
        "best": fusion.runs[fusion.best].key,
        "gains": {name: dataclasses.asdict(one) for name, one in fusion.gains.items()},
        "predicted": fusion.predictions.predicted,
    }
