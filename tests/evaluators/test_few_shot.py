"""Few-shot accuracies beside scikit-learn's, and draws that everybody shares."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from harness.errors import DataError, UsageError
from harness.evaluators import class_scores, few_shot
from harness.evaluators.few_shot import FewShot
from harness.functional.draws import draw_ranks
from harness.testing import MovingSquares, evaluating, informed_encoder
from harness.testing.evaluating import ChangedSquares, baselines, frozen, keep, values
from harness.testing.fixtures import UntrainedEncoder
from harness.values import Promise

SHOTS = (1, 5, 10)


def evaluate(encoder, data=None, seed=0, **options):
    return evaluating.evaluate(FewShot(**{"shots": SHOTS, **options}), encoder, data, seed)


def test_class_scores_are_made_of_the_metric_that_ranks_alone(monkeypatch):
    made = []

    def watched(kind, repeats):
        made.append(class_scores.keep(kind, repeats))
        return made[-1]

    monkeypatch.setattr(few_shot, "keep", watched)
    found = evaluate(UntrainedEncoder(), draws=3)
    assert [found.class_scores] == made
    assert found.class_scores.values.argmax(2).tolist() == [list(row) for row in found.predictions.predicted]


def test_scikit_learn_agrees_on_every_draw():
    encoder = frozen(UntrainedEncoder())
    train, test = (encoder.features(MovingSquares().split(name)) for name in ("train", "test"))
    x, labels = train.vectors.double().numpy(), train.labels("action").numpy()
    queries, truth = test.vectors.double().numpy(), test.labels("action").numpy()
    found = evaluate(UntrainedEncoder(), draws=3)
    ranks = draw_ranks(train.labels("action"), [video.group for video in train.split.videos], 3, 0).numpy()
    for shots in SHOTS:
        for draw in range(3):
            chosen = ranks[draw] < shots
            scale = StandardScaler().fit(x[chosen])
            model = LogisticRegression(tol=1e-8, max_iter=10_000).fit(scale.transform(x[chosen]), labels[chosen])
            hits = model.predict(scale.transform(queries)) == truth
            assert found.predictions.values[f"top1_{shots}"][draw] == tuple(hits.astype(float))
    scale = StandardScaler().fit(x)
    model = LogisticRegression(tol=1e-8, max_iter=10_000).fit(scale.transform(x), labels)
    assert values(found)["top1_all"] == pytest.approx(model.score(scale.transform(queries), truth))
    assert found.notes["not_converged"] == []


def test_an_encoder_that_knows_the_classes_needs_one_video_of_each():
    assert set(values(evaluate(informed_encoder())).values()) == {1.0}


def test_every_number_of_shots_is_scored_against_one_class_for_all():
    found = evaluate(UntrainedEncoder())
    assert baselines(found) == dict.fromkeys(("top1_5", "top1_1", "top1_10", "top1_all"), 0.25)
    assert len(found.predictions.predicted) == 10


def test_intervals_over_draws_are_those_of_students_t():
    found = evaluate(UntrainedEncoder(), draws=4)
    accuracies = np.array(found.predictions.values["top1_5"]).mean(1)
    low, high = stats.t.interval(0.95, 3, accuracies.mean(), stats.sem(accuracies))
    assert found.notes["over_draws"]["top1_5"] == pytest.approx(
        {"mean": accuracies.mean(), "std": accuracies.std(ddof=1), "low": low, "high": high}
    )
    assert "top1_all" not in found.notes["over_draws"]


def test_another_seed_draws_anew_and_the_same_does_not():
    first, again, other = (evaluate(UntrainedEncoder(), seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first.predictions.predicted != other.predictions.predicted


def scarce(count):
    """Moving squares of which class `up` has few training videos."""
    ups = [video.id for video in MovingSquares().split("train").videos if video.labels["action"] == 2]
    return ChangedSquares(train=keep(lambda video: video.id not in ups[count:]))


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (7, r"class 'up' .* has 7 training videos, and 10 are to be drawn; give shots: \[1, 5\]"),
        (3, "class 'up' .* has 3 training videos.*needs 5 of every class"),
    ],
)
def test_a_class_with_too_few_videos_is_named(count, message):
    with pytest.raises(DataError, match=message):
        evaluate(informed_encoder(), scarce(count))


def test_fewer_shots_do_with_fewer_videos():
    assert set(values(evaluate(informed_encoder(), scarce(7), shots=[5, 1]))) == {"top1_1", "top1_5", "top1_all"}


@pytest.mark.parametrize(
    ("options", "message"),
    [({"shots": [1, 10]}, "and 5, got"), ({"shots": [5, 7]}, "some of 1, 2, 5, 10, 20"), ({"draws": 1}, "at least 2")],
)
def test_impossible_options(options, message):
    with pytest.raises(UsageError, match=message):
        evaluate(informed_encoder(), **options)


def test_a_feature_that_does_not_vary_in_a_draw_is_ignored():
    class Constant:
        promise = Promise(views=(informed_encoder().inputs.view,), shape=(5,))

        def encode(self, batch):
            return torch.cat([informed_encoder().encode(batch), torch.full((len(batch), 1), 7.0)], dim=1)

    assert values(evaluate(Constant())) == values(evaluate(informed_encoder()))
