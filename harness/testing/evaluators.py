"""Conformance checks of evaluators."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from harness.encoders.frozen import CachedEncoder
from harness.encoders.network import NetworkEncoder
from harness.errors import HarnessError
from harness.execution.outcomes import expect_storable
from harness.functional.statistics import of_predictions
from harness.interfaces import Dataset, Encoder, Evaluator, Features, FrozenEncoder, Split, Trainable
from harness.testing.cards import check_card
from harness.testing.checking import Subject, UnmetError, expect
from harness.testing.fixtures import MovingSquares, UninformedEncoder, UntrainedEncoder, informed_encoder
from harness.testing.traces import Traces, expect_no_traces, reseeded, traces
from harness.testing.watching import RelabelledTest
from harness.values import Encoding, Evaluation, Score

DEALINGS = 3
"""Number of random permutations of the test labels."""

GAIN_DEALINGS, GAIN_ERRORS = 20, 4.0
"""Permutations behind a mean score, and its distance from the baseline.

The mean may lie so many standard errors above the baseline.
"""

PNG = b"\x89PNG\r\n\x1a\n"
"""Signature at the start of every PNG file."""


@dataclass(eq=False)
class EvaluatorSubject(Subject[Evaluator]):
    """Evaluator under test."""

    chosen: Dataset | None = None
    """Data set that the evaluator's author gives to the kit."""
    device: str = "cpu"
    given: NetworkEncoder | None = None
    """Encoder that the evaluator's author gives to the kit."""

    @cached_property
    def data(self) -> Dataset:
        """Data set of the evaluations: the author's, or moving squares."""
        return self.chosen or MovingSquares()

    @property
    def knowable(self) -> bool:
        """Availability of an encoder that knows the right answers."""
        known = self.chosen is None and self.given is None
        return known and "feature_map" not in self.tested.card.needs and not self.tested.card.time

    @property
    def by_vectors(self) -> bool:
        """Use of vectors alone: an encoder of noise reaches chance level only."""
        return self.knowable and self.tested.card.needs == {"vector"}

    def network_encoder(self) -> NetworkEncoder:
        """Get the author's encoder, or build one: an informed one where possible."""
        return self.given or (informed_encoder() if self.knowable else UntrainedEncoder())

    def frozen(self, encoder: Encoder) -> FrozenEncoder:
        """Freeze an encoder, as evaluators get it."""
        return CachedEncoder(encoder, key=type(encoder).__name__, device=self.device)

    @cached_property
    def uninformed(self) -> FrozenEncoder:
        """Encoder whose vectors hold no information about the answers.

        An untrained network where the evaluator needs more than vectors.
        """
        return self.frozen(UninformedEncoder() if self.by_vectors else self.given or UntrainedEncoder())

    @cached_property
    def _first(self) -> tuple[Evaluation, Traces]:
        with traces() as left:
            evaluation = self.tested.evaluate(self.frozen(self.network_encoder()), self.data, seed=0)
        return evaluation, left

    @property
    def evaluation(self) -> Evaluation:
        """Evaluation of `network_encoder()` with seed 0."""
        return self._first[0]

    @property
    def left(self) -> Traces:
        """Traces of that evaluation."""
        return self._first[1]

    @cached_property
    def chance(self) -> Evaluation:
        """Evaluation of the uninformed encoder with seed 0."""
        return self.tested.evaluate(self.uninformed, self.data, seed=0)

    def primary(self, evaluation: Evaluation) -> Score:
        """Return the score of the primary metric."""
        return next(score for score in evaluation.scores if score.metric == self.tested.card.primary.id)


def check_scores(subject: EvaluatorSubject) -> None:
    """Scores are of the card's metrics, finite and within their bounds.

    No metric has two, and the primary one has one. Baselines are finite and within the bounds too.
    Everything can be stored: numbers are Python's, notes are JSON values, class scores are of the predictions.
    """
    metrics = {metric.id: metric for metric in subject.tested.card.metrics}
    scores = subject.evaluation.scores
    given = [score.metric for score in scores]
    expect(
        len(given) == len(set(given)) and set(given) <= set(metrics) and subject.tested.card.primary.id in given,
        expected=f"one score for each of {', '.join(metrics)}; only the first of them always",
        got=", ".join(given) or "none",
        remedy="give what the card's metrics say; leave one out only where the data cannot carry it",
    )
    for score in scores:
        low, high = metrics[score.metric].bounds
        for value in (score.value, score.baseline if score.baseline is not None else score.value):
            expect(
                math.isfinite(value)
                and (low is None or value >= low - 1e-9)
                and (high is None or value <= high + 1e-9),
                expected=f"{score.metric} and its baseline finite and within {metrics[score.metric].bounds}",
                got=value,
                remedy="correct the bounds on the card (a share is 0 to 1 also where its unit is %), or the value",
            )
    try:
        expect_storable(subject.evaluation, subject.tested.card)
    except HarnessError as error:
        raise UnmetError(str(error)) from error


def check_predictions(subject: EvaluatorSubject) -> None:
    """Predictions follow the test split, and their statistics are the scores.

    There is one for each video, in the order of the split, with the video's group and label.
    """
    subject.requires(check_scores)
    given = {score.metric: score.value for score in subject.evaluation.scores}
    metrics = [metric for metric in subject.tested.card.metrics if metric.statistic and metric.id in given]
    predictions, test = subject.evaluation.predictions, subject.data.split("test")
    if predictions is None:
        named = ", ".join(metric.id for metric in metrics)
        expect(
            not metrics,
            expected=f"predictions, because the card says that {named} can be computed from them",
            got=None,
            remedy="return them, or leave the metrics' `statistic` empty",
        )
        return
    whole = {
        "videos": predictions.videos == tuple(video.id for video in test.videos),
        "groups": predictions.groups == tuple(video.group for video in test.videos),
        "labels": any(predictions.labels == tuple(video.labels[kind] for video in test.videos) for kind in test.classes)
        or not (test.classes or any(predictions.labels)),
        "predicted": all(len(row) == len(test) for row in predictions.predicted),
        "values": all(len(row) == len(test) for rows in predictions.values.values() for row in rows),
    }
    wrong = [part for part, right in whole.items() if not right]
    expect(
        not wrong,
        expected="a prediction for every video of the test split, in its order, with its group and label",
        got=f"other {', '.join(wrong)}",
        remedy="take them from data.split('test').videos",
    )
    for metric in metrics:
        try:
            value = float(of_predictions(predictions, metric).mean())
        except ValueError as error:
            value, problem = math.nan, f"; {error}"
        else:
            problem = ""
        expect(
            math.isclose(given[metric.id], value, rel_tol=1e-4, abs_tol=1e-6),
            expected=f"{metric.id} to be the mean of `{metric.statistic}` over the predictions, {value:.4f}",
            got=f"{given[metric.id]:.4f}{problem}",
            remedy="compute both from the same predictions, or name another statistic",
        )


def check_pictures(subject: EvaluatorSubject) -> None:
    """Pictures are PNG files."""
    subject.requires(check_scores)
    wrong = [name for name, content in subject.evaluation.pictures.items() if not content.startswith(PNG)]
    expect(
        not wrong,
        expected="PNGs",
        got=", ".join(wrong),
        remedy="encode what people look at as PNG",
    )


def check_informed(subject: EvaluatorSubject) -> None:
    """An encoder that knows the classes comes near the best primary score.

    It covers at least 85 % of the way from the baseline to the good end of the metric's bounds.
    """
    subject.requires(check_scores)
    reached = _progress(subject, subject.evaluation)
    expect(
        reached is None or reached >= 0.85,
        expected=f"{subject.tested.card.primary.id} near its good end for an encoder that knows the classes",
        got=_told(subject.primary(subject.evaluation)),
        remedy="look for labels in another order than vectors, or a wrong higher_is_better",
    )


def check_uninformed(subject: EvaluatorSubject) -> None:
    """An encoder of pure noise stays near the baseline of the primary metric.

    It covers at most half of the way from the baseline to the good end of the metric's bounds.
    """
    subject.requires(check_informed)
    reached = _progress(subject, subject.chance)
    expect(
        reached is None or reached <= 0.5,
        expected=f"{subject.tested.card.primary.id} near its baseline for an encoder that knows nothing",
        got=_told(subject.primary(subject.chance)),
        remedy="look for test labels, or a test video's own vector, in what it learns from; or for a wrong baseline",
    )


def _progress(subject: EvaluatorSubject, evaluation: Evaluation) -> float | None:
    """Position of the primary score between its baseline (0) and its good end (1).

    None where either is unknown.
    """
    primary, score = subject.tested.card.primary, subject.primary(evaluation)
    good = primary.bounds[1 if primary.higher_is_better else 0]
    if good is None or score.baseline is None or good == score.baseline:
        return None
    return (score.value - score.baseline) / (good - score.baseline)


def _told(score: Score) -> str:
    return f"{score.value:.3f} (baseline {score.baseline})"


def check_seed(subject: EvaluatorSubject) -> None:
    """Equal seeds give equal evaluations, whatever the global random state."""
    subject.requires(check_scores)
    subject.chance  # noqa: B018 - before the random states change
    with reseeded(12345):
        again = subject.tested.evaluate(subject.uninformed, subject.data, seed=0)
    same = [_rounded(one) == _rounded(other) for one, other in zip(subject.chance.scores, again.scores, strict=True)]
    expect(
        all(same) and subject.chance.predictions == again.predictions,
        expected="two evaluations with seed 0 to be equal",
        got="other predictions" if all(same) else "other scores",
        remedy="draw everything random from `seed`, and keep nothing of an evaluation in the evaluator",
    )


def _rounded(score: Score) -> tuple[str, float, float | None]:
    return score.metric, round(score.value, 5), None if score.baseline is None else round(score.baseline, 5)


def check_test_labels(subject: EvaluatorSubject) -> None:
    """Predictions do not depend on the labels of the test split.

    So nothing, such as a hyper-parameter, is selected by them. Predictions are classes, or else class scores. The
    values of an evaluator that gives neither may be measured with the labels. There labels that are dealt out anew must
    give the baseline on average: an encoder knows nothing of them, and the best of several candidates by them would lie
    above it.
    """
    needed = [check_predictions, check_seed, check_encoder_unchanged]
    subject.requires(*needed, *([check_uninformed] if subject.by_vectors else []))
    asked = subject.tested.encodings(subject.uninformed.promise, subject.data, seed=0)
    given = subject.chance.predictions
    if (given is None or not given.predicted) and all(encoding.split == "test" for encoding in asked):
        _expect_no_gain(subject)
        return
    if given is None:
        return
    for seed in range(DEALINGS):
        dealt = subject.tested.evaluate(subject.uninformed, RelabelledTest(subject.data, seed), seed=0)
        after = dealt.predictions
        if not given.predicted and subject.chance.class_scores is None:
            if after is None or after.values != given.values:
                _expect_no_gain(subject)
                return
            continue
        # Values may be hits, which depend on the labels as they should.
        same = after is not None and after.predicted == given.predicted
        expect(
            same and (bool(given.predicted) or dealt.class_scores == subject.chance.class_scores),
            expected="the same predictions when the test videos' labels are dealt out anew",
            got="others",
            remedy="select hyper-parameters on a part of the training split, such as some of its groups",
        )


def _expect_no_gain(subject: EvaluatorSubject) -> None:
    """Expect dealt labels to give the baseline, within the error of the mean."""
    dealt = (RelabelledTest(subject.data, seed) for seed in range(GAIN_DEALINGS))
    reached = [_progress(subject, subject.tested.evaluate(subject.uninformed, data, seed=0)) for data in dealt]
    known = [share for share in reached if share is not None]
    if len(set(known)) < 2:  # no baseline, or nothing that labels change
        return
    mean, error = statistics.mean(known), statistics.stdev(known) / len(known) ** 0.5
    expect(
        mean <= GAIN_ERRORS * error,
        expected=f"{subject.tested.card.primary.id} at its baseline, on average over test labels dealt out anew",
        got=f"{mean:.1%} of the way to its good end, {mean / error:.1f} standard errors",
        remedy="choose nothing by the labels that score it, or correct the baseline",
    )


def check_encoder_unchanged(subject: EvaluatorSubject) -> None:
    """Evaluating changes no weight, buffer, training mode or gradient flag."""
    encoders = [subject.network_encoder()]
    if subject.knowable:
        encoders.append(UntrainedEncoder())  # whose batch normalisation has statistics
    for encoder in encoders:
        frozen = subject.frozen(encoder)
        before = _state(encoder)
        subject.tested.evaluate(frozen, subject.data, seed=0)
        after = _state(encoder)
        expect(
            after == before,
            expected="the encoder to be left as it is",
            got=", ".join(part for part in before if after[part] != before[part]) + " changed",
            remedy="train the copy that encoder.network() gives",
        )


def _state(encoder: Trainable) -> dict[str, Any]:
    return {
        "weights": {name: tensor.tolist() for name, tensor in encoder.module.state_dict().items()},
        "training mode": [module.training for module in encoder.module.modules()],
        "requires_grad": [parameter.requires_grad for parameter in encoder.module.parameters()],
    }


class _AskedEncoder(CachedEncoder):
    """Frozen encoder with a record of the features it was asked for."""

    def __init__(self, encoder: Encoder, device: str) -> None:
        super().__init__(encoder, key=type(encoder).__name__, device=device)
        self.asked: set[Encoding] = set()

    def features(self, split: Split, encoding: Encoding = Encoding()) -> Features:  # noqa: B008 - frozen
        self.asked.add(replace(encoding, split=split.name))
        return super().features(split, encoding)


def check_encodings(subject: EvaluatorSubject) -> None:
    """`encodings` names every feature that `evaluate` asks for.

    The harness encodes them beforehand.
    """
    subject.requires(check_scores)
    frozen = _AskedEncoder(subject.network_encoder(), subject.device)
    announced = set(subject.tested.encodings(frozen.promise, subject.data, seed=0))
    subject.tested.evaluate(frozen, subject.data, seed=0)
    unsaid = frozen.asked - announced
    expect(
        not unsaid,
        expected=f"evaluate to ask for nothing but what encodings() names: {sorted(map(str, announced))}",
        got=f"{sorted(map(str, unsaid))}",
        remedy="return from encodings(promise, data, seed=seed) each Encoding that evaluate gives to encoder.features",
    )


def check_traces(subject: EvaluatorSubject) -> None:
    """Evaluating prints nothing to stdout and changes no global state."""
    subject.requires(check_scores)
    expect_no_traces(subject.left, "evaluating")


def checks(subject: EvaluatorSubject) -> list[Callable[[Any], None]]:
    """List the checks of an evaluator with this card."""
    return [
        check_card,
        check_scores,
        check_predictions,
        check_pictures,
        *([check_informed] if subject.knowable else []),
        *([check_uninformed] if subject.by_vectors else []),
        *([] if subject.tested.card.time else [check_seed, check_test_labels]),
        check_encoder_unchanged,
        check_encodings,
        check_traces,
    ]
