"""Checks of what an evaluator gave, and the run that is made of it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import HarnessError
from harness.store import class_scores
from harness.store.records import FITS, Run, Status
from harness.system import progress
from harness.system.hashing import digest
from harness.values import ClassScores, Evaluation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.cards import EvaluatorCard
    from harness.store.runs import Store
    from harness.store.specs import EvalSpec


LARGEST_SCORES = class_scores.LARGEST - 2**14
"""Bytes of class scores, without the header of their file."""
LARGEST = 50_000_000
"""Bytes of one part of an outcome, as JSON."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run, its pictures as PNG by name, and the file of its class scores."""

    run: Run
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    class_scores: bytes | None = None


def expect_storable(evaluation: Evaluation, card: EvaluatorCard) -> None:
    """Expect finite scores with the primary metric, and JSON values elsewhere.

    Raises:
        HarnessError: naming what is not.
    """
    name = f"evaluator {card.name!r}"
    if not isinstance(evaluation, Evaluation):
        msg = f"{name} gave {type(evaluation).__name__}; expected an Evaluation"
        raise HarnessError(msg)
    for score in evaluation.scores:
        for part, value in ((score.metric, score.value), (f"a baseline of {score.metric}", score.baseline)):
            if problem := _problem(value):
                msg = f"{name} gave {part} = {value}, {problem}"
                raise HarnessError(msg)
    given = [score.metric for score in evaluation.scores]
    if card.primary.id not in given:
        msg = f"{name} gave no {card.primary.id!r}, its primary metric; it gave {', '.join(given) or 'no score'}"
        raise HarnessError(msg)
    if len(set(given)) < len(given):
        msg = f"{name} gave two scores of one metric; it gave {', '.join(given)}"
        raise HarnessError(msg)
    for part, value in _parts(evaluation):
        if problem := _problem(value):
            msg = f"{name} gave {part}, {problem}"
            raise HarnessError(msg)
    if evaluation.class_scores is not None and (problem := _problem_of_scores(evaluation)):
        msg = f"{name} gave class scores {problem}"
        raise HarnessError(msg)


def _parts(evaluation: Evaluation) -> Iterator[tuple[str, Any]]:
    for kind in ("notes", "conditions"):
        for name, value in getattr(evaluation, kind).items():
            yield f"{kind} with {str(name)!r}", {name: value}
    predictions = evaluation.predictions
    if predictions is not None:
        for name in ("videos", "groups", "labels", "predicted", "multilabels"):
            yield f"predictions with {name}", getattr(predictions, name)
        for name, value in predictions.values.items():
            yield f"predictions with values of {str(name)!r}", {name: value}


def _problem(value: Any) -> str:
    """Reason why a value is none of JSON; empty where it is one."""
    try:
        size = len(json.dumps(value, allow_nan=False, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        return "a text that is no Unicode"
    except TypeError as error:
        return f"which is no JSON value ({error}); expected numbers of Python, text, lists and mappings"
    except ValueError:
        return "which is not finite"
    except RecursionError:
        return "which is nested too deeply"
    return f"{size / 1e6:,.0f} MB; at most {LARGEST / 1e6:,.0f} MB are stored" if size > LARGEST else ""


def _problem_of_scores(evaluation: Evaluation) -> str:
    """Reason why class scores are not of the predictions; empty where they are."""
    scores, predictions = evaluation.class_scores, evaluation.predictions
    if not isinstance(scores, ClassScores):
        return f"that are {type(scores).__name__}; expected ClassScores"
    if predictions is None:
        return "without predictions, which say of which videos they are"
    repeats, videos, classes = scores.values.shape
    if videos != len(predictions.videos) or repeats not in {1, len(predictions.predicted)}:
        expected = f"{len(predictions.predicted)} or 1 repeats of {len(predictions.videos)} videos"
        return f"of {repeats} repeats of {videos} videos; expected {expected}"
    if not videos:
        return "of no videos"
    sets = scores.true_classes(predictions)
    if len(sets) != videos:
        named = "multilabels" if scores.several else "labels"
        return f"of the kind {scores.kind!r}, but predictions with {named} of {len(sets)} videos"
    numbers = [label for labels in sets for label in labels]
    if not numbers or min(numbers) < 0:
        return "of videos without a class"
    if classes <= max(numbers):
        return f"of {classes} classes; the labels have class {max(numbers)}"
    if not np.isfinite(scores.values).all():
        return "which are not finite"
    if scores.kind == "probabilities" and not _are_distributions(scores.values):
        return "of the kind 'probabilities', which are not: from 0 to 1, their sum 1 but for half precision"
    size = scores.values.nbytes
    return (
        f"of {size / 1e6:,.0f} MB; at most {LARGEST_SCORES / 1e6:,.0f} MB are stored" if size > LARGEST_SCORES else ""
    )


def _are_distributions(values: NDArray[np.float16]) -> bool:
    """True if rows are probabilities whose sum rounding moved from 1 by 5 % at most."""
    sums = values.sum(-1, dtype=np.float64)
    return bool((values >= 0).all() and (np.abs(sums - 1) <= 0.05).all())


def new_run(
    spec: EvalSpec,
    evaluation: Evaluation = Evaluation(()),  # noqa: B008 - frozen
    *,
    status: Status = "done",
    reason: str = "",
    protocol: Mapping[str, Any] | None = None,
    provenance: Mapping[str, Any],
) -> Run:
    """Build the run of a cell, which is finished now.

    Args:
        spec: the cell.
        evaluation: what the evaluator gave; nothing where it failed.
        status: `done`, or how it failed.
        reason: of the failure, in one line.
        protocol: as it was kept to; that of the cell when None.
        provenance: versions, hardware and seconds.
    """
    protocol = dict(spec.protocol if protocol is None else protocol)
    finished = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    others = [fit.key for part in spec.row.fits for fit in part.chain if fit.key != spec.row.key]
    return Run(
        key=spec.key,
        fit_key=spec.row.key,
        identity=spec.identity,
        status=status,
        reason=reason,
        supervised=spec.supervised,
        sees=spec.row.promise.sees,
        starts=spec.starts,
        scores=evaluation.scores,
        predictions=evaluation.predictions,
        notes=dict(evaluation.notes),
        pictures=tuple(evaluation.pictures),
        protocol=protocol,
        protocol_id=digest(protocol),
        provenance={**provenance, "finished": finished} | ({FITS: others} if others else {}),
    )


def keep(store: Store, outcome: Outcome) -> Run:
    """Store an outcome, unless it is a failure where a finished run is.

    That run was computed again because its class scores are gone, and is worth more than the failure.

    Returns:
        The run that is stored now.
    """
    run = outcome.run
    before = None if run.status == "done" else store.readable(run.key)
    if before is not None and before.status == "done":
        progress.say(f"run {run.key[:12]}: computing it again failed ({run.reason}); the stored one is kept")
        return before
    store.write(run, outcome.pictures, outcome.class_scores)
    return run
