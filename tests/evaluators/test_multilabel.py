"""Multi-label probe beside scikit-learn, its intervals beside videos left out one at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, label_ranking_average_precision_score
from sklearn.preprocessing import StandardScaler

from harness.errors import DataError
from harness.evaluators.cards import INFLUENCES, MULTILABEL_PROBE
from harness.evaluators.knn import KNN
from harness.evaluators.multilabel import MultilabelProbe
from harness.execution.outcomes import expect_storable
from harness.interfaces import Features
from harness.leaderboard.bootstrap import Bootstrap
from harness.leaderboard.class_scores import measure_class_scores
from harness.leaderboard.group_draws import GroupDraws
from harness.leaderboard.statistics import group_weights, interval, sampled_groups
from harness.testing import MovingSquares, UninformedEncoder, conformance, evaluating, failures, informed_encoder
from harness.testing.evaluating import NoisyEncoder, baselines, frozen, values

NAMES = ("left or up", "up", "any", "never", "first")


class Sets(MovingSquares):
    """Moving squares with sets of classes, made of their direction; one class in three is not named.

    Args:
        changes: by the split's name, from the position and sets of a video to its set.
    """

    card = replace(MovingSquares.card, multilabels=("motion",))

    def __init__(self, **changes):
        super().__init__()
        self.changes = changes

    def split(self, name):
        split = super().split(name)
        change = self.changes.get(name, lambda place, labels: labels)
        videos = tuple(
            replace(video, multilabels={"motion": change(place, motion(place, video.labels["action"]))})
            for place, video in enumerate(split.videos)
        )
        return replace(split, videos=videos, multilabel_classes={"motion": NAMES})


def motion(place, action):
    labels = [number for number, those in enumerate(((0, 2), (2,))) if action in those]
    labels += [2] * bool(labels) + [4] * (place == 0)
    return tuple(labels)


def without_first(place, labels):
    return tuple(label for label in labels if label != 4)


def evaluate(encoder, data=None, seed=0):
    return evaluating.evaluate(MultilabelProbe("motion"), encoder, data or Sets(), seed=seed)


@pytest.fixture(scope="module")
def noisy():
    return evaluate(NoisyEncoder())


def test_features_are_pooled_once(monkeypatch):
    pooled, read = [], Features.vectors.fget
    monkeypatch.setattr(Features, "vectors", property(lambda self: pooled.append(self.split.name) or read(self)))
    evaluate(NoisyEncoder())
    assert pooled == ["train", "test"]


def vectors_and_sets(name, data=None):
    features = frozen(NoisyEncoder()).features((data or Sets()).split(name))
    return features.vectors.double().numpy(), features.membership("motion").numpy()


def scored(strength):
    """Scores (N, C) of scikit-learn; of a class without training videos the least."""
    (train, known), (test, wanted) = (vectors_and_sets(name) for name in ("train", "test"))
    scale = StandardScaler().fit(train)
    scores = np.full(wanted.shape, -1e9)
    for own in np.flatnonzero(known.any(0)):
        model = LogisticRegression(C=1 / (len(train) * strength), tol=1e-8, max_iter=10_000)
        scores[:, own] = model.fit(scale.transform(train), known[:, own]).decision_function(scale.transform(test))
    return scores, wanted


def mean_average_precision(scores, wanted):
    there = np.flatnonzero(wanted.any(0))
    return float(np.mean([average_precision_score(wanted[:, own], scores[:, own]) for own in there]))


def test_it_equals_scikit_learn_at_the_strength_it_chose(noisy):
    scores, wanted = scored(noisy.notes["strength"])
    labelled = wanted.any(1)
    assert values(noisy) == pytest.approx(
        {
            "map": mean_average_precision(scores, wanted),
            "lrap": label_ranking_average_precision_score(wanted[labelled], scores[labelled]),
        },
        abs=1e-5,
    )
    assert 0.4 < values(noisy)["map"] < 0.99
    assert list(noisy.notes["average_precision"]) == ["left or up", "up", "any", "first"]
    assert noisy.notes["classes_absent_from_train"] == noisy.notes["classes_absent_from_test"] == ["never"]
    assert noisy.notes["test_videos_without_class"] == int((~labelled).sum()) > 0
    assert noisy.notes["converged"]


def test_the_baselines_are_those_of_the_shares_of_classes(noisy):
    (_, known), (_, wanted) = (vectors_and_sets(name) for name in ("train", "test"))
    there = wanted.any(0)
    labelled = wanted.any(1)
    shares = np.broadcast_to(known.mean(0), wanted.shape)
    assert baselines(noisy) == pytest.approx(
        {
            "map": wanted[:, there].mean(),
            "lrap": label_ranking_average_precision_score(wanted[labelled], shares[labelled]),
        },
        abs=1e-6,
    )
    assert baselines(noisy)["map"] == pytest.approx(mean_average_precision(shares, wanted))


def test_what_videos_add_is_a_jackknife(noisy):
    scores, wanted = scored(noisy.notes["strength"])
    count, whole = len(wanted), mean_average_precision(scores, wanted)
    others = [np.arange(count) != left for left in range(count)]
    without = np.array([mean_average_precision(scores[rest], wanted[rest]) for rest in others])
    (added,) = noisy.predictions.values["map"]
    assert added == pytest.approx((whole + (count - 1) * (without.mean() - without)).tolist(), abs=1e-4)
    assert np.mean(added) == pytest.approx(values(noisy)["map"], abs=1e-9)
    assert noisy.notes[INFLUENCES] == ["map"]


def test_a_board_draws_an_interval_from_them_that_is_as_wide_as_of_drawn_videos():
    found = evaluate(NoisyEncoder(), Sets(test=without_first))
    scores, wanted = scored(found.notes["strength"])
    wanted = wanted[:, :4]  # the video that is alone in its class is a draw's chance of having the class
    groups = sampled_groups(replace(found.predictions, groups=("",) * len(wanted)))
    weights = group_weights(groups)
    (sample,) = Bootstrap(GroupDraws.of(groups, weights)).resample([found.predictions], [MULTILABEL_PROBE.primary])
    drawn = [np.repeat(np.arange(len(wanted)), row.astype(int)) for row in weights[:300]]
    precisions = [mean_average_precision(scores[chosen], wanted[chosen]) for chosen in drawn]
    assert sample.drawn.std() == pytest.approx(np.std(precisions), rel=0.25)
    ends = interval(sample, MULTILABEL_PROBE.primary.bounds)
    assert ends.mean == pytest.approx(values(found)["map"], abs=1e-9)
    assert ends.covers == "this fit, new groups"
    assert ends.mean - ends.low > 0.01


def test_an_encoder_that_knows_the_classes_and_one_that_knows_nothing():
    data = Sets(train=without_first, test=without_first)
    assert values(evaluate(informed_encoder(), data)) == pytest.approx({"map": 1, "lrap": 1})
    noise = evaluate(UninformedEncoder(), data)
    assert values(noise)["map"] < baselines(noise)["map"] + 0.25


def test_log_odds_of_each_class_are_kept_with_the_sets(noisy):
    scores, wanted = scored(noisy.notes["strength"])
    assert (noisy.class_scores.kind, noisy.class_scores.values.shape) == ("log-odds", (1, *wanted.shape))
    learnt = (scores > -1e9).all(0)
    np.testing.assert_allclose(noisy.class_scores.values[0][:, learnt], scores[:, learnt], atol=1e-3)
    assert noisy.predictions.multilabels == tuple(tuple(np.flatnonzero(row).tolist()) for row in wanted)
    assert () in noisy.predictions.multilabels
    expect_storable(noisy, MULTILABEL_PROBE)  # with a class that no training video has
    measures = measure_class_scores(noisy.class_scores, noisy.predictions)
    assert measures == {"mean_average_precision": pytest.approx(values(noisy)["map"])}


def test_test_labels_select_nothing(noisy):
    dealt = evaluate(NoisyEncoder(), Sets(test=lambda place, labels: (place % 3,)))
    assert [dealt.notes[name] for name in ("strength", "validation_map")] == [
        noisy.notes[name] for name in ("strength", "validation_map")
    ]
    assert values(dealt) != values(noisy)


def test_a_class_without_training_videos_ranks_by_chance():
    data = Sets(test=lambda place, labels: (*labels[:1], 3) if place % 4 == 0 else labels[:1])
    assert evaluate(informed_encoder(), data).notes["average_precision"]["never"] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (MovingSquares(), "split 'train' has no multi-label kind 'motion' of all its videos; it has: none"),
        (Sets(test=lambda place, labels: ()), "no video of split 'test' of data set 'moving-squares' has a class"),
        (Sets(train=lambda place, labels: ()), "no video of split 'train' of data set 'moving-squares' has a class"),
    ],
)
def test_data_that_cannot_be_measured(data, message):
    with pytest.raises(DataError, match=message):
        evaluate(informed_encoder(), data)


def test_one_group_cannot_validate():
    class OneGroup(Sets):
        card = Sets.card

        def split(self, name):
            split = super().split(name)
            return replace(split, videos=tuple(replace(video, group=name) for video in split.videos))

    with pytest.raises(DataError, match="train has one group only"):
        evaluate(informed_encoder(), OneGroup())


def test_an_evaluator_of_one_class_a_video_names_the_probe():
    with pytest.raises(DataError, match="has no label 'motion'; it has: action, and sets of classes for `multi"):
        evaluating.evaluate(KNN(label="motion"), informed_encoder(), Sets())


def test_videos_without_a_class_each_pass_the_kit():
    class NoActions(Sets):
        card = replace(Sets.card, labels=())

        def split(self, name):
            split = super().split(name)
            return replace(split, videos=tuple(replace(video, labels={}) for video in split.videos), classes={})

    assert failures(MultilabelProbe("motion"), data=NoActions()) == {}


class _OfOneStrength(MultilabelProbe):
    def __init__(self, strength):
        super().__init__("motion")
        self.candidates = (strength,)


class SelectsOnTest(MultilabelProbe):
    """Takes the strength that is best on test."""

    card = MULTILABEL_PROBE

    def evaluate(self, encoder, data, *, seed):
        found = [_OfOneStrength(strength).evaluate(encoder, data, seed=seed) for strength in self.candidates[::4]]
        return max(found, key=lambda evaluation: evaluation.scores[0].value)


def test_the_kit_finds_a_choice_by_the_sets_of_test():
    found = failures(SelectsOnTest("motion"), data=Sets())
    assert list(found) == ["check_test_labels"]


@conformance(MultilabelProbe("motion"), data=Sets())
def test_the_kit(check):
    check()
