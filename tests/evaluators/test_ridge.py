"""Ridge probe beside scikit-learn, its intervals beside videos left out one at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.preprocessing import StandardScaler

from harness.errors import DataError
from harness.evaluators.cards import INFLUENCES, RIDGE_PROBE
from harness.evaluators.ridge import RidgeProbe
from harness.interfaces import Features
from harness.leaderboard.bootstrap import Bootstrap
from harness.leaderboard.group_draws import GroupDraws
from harness.leaderboard.statistics import group_weights, interval, sampled_groups
from harness.testing import MovingSquares, UninformedEncoder, conformance, evaluating, informed_encoder
from harness.testing.evaluating import NoisyEncoder, baselines, frozen, values

ANGLES = (180.0, 0.0, 90.0, -90.0)


class Angles(MovingSquares):
    """Moving squares with a number: the angle of their direction, and something that they do not show.

    Args:
        numbers: by the split's name, from the position and number of a video to its number.
    """

    card = replace(MovingSquares.card, targets=("angle",))

    def __init__(self, **numbers):
        super().__init__()
        self.numbers = numbers

    def split(self, name):
        split = super().split(name)
        change = self.numbers.get(name, lambda place, angle: angle)
        videos = tuple(
            replace(video, targets={"angle": change(place, ANGLES[video.labels["action"]] + 12 * (7 * place % 13))})
            for place, video in enumerate(split.videos)
        )
        return replace(split, videos=videos)


def evaluate(encoder, data=None, seed=0):
    return evaluating.evaluate(RidgeProbe("angle"), encoder, data or Angles(), seed=seed)


@pytest.fixture(scope="module")
def noisy():
    return evaluate(NoisyEncoder())


def test_features_are_pooled_once(monkeypatch):
    pooled, read = [], Features.vectors.fget
    monkeypatch.setattr(Features, "vectors", property(lambda self: pooled.append(self.split.name) or read(self)))
    evaluate(NoisyEncoder())
    assert pooled == ["train", "test"]


def vectors_and_targets(name):
    features = frozen(NoisyEncoder()).features(Angles().split(name))
    return features.vectors.double().numpy(), features.targets("angle").numpy()


def predicted(strength):
    (train, known), (test, wanted) = (vectors_and_targets(name) for name in ("train", "test"))
    scale = StandardScaler().fit(train)
    model = Ridge(alpha=len(train) * strength).fit(scale.transform(train), known)
    return model.predict(scale.transform(test)), wanted


def test_it_equals_scikit_learn_at_the_strength_it_chose(noisy):
    guess, wanted = predicted(noisy.notes["strength"])
    assert values(noisy) == pytest.approx(
        {
            "r2": r2_score(wanted, guess),
            "mae": mean_absolute_error(wanted, guess),
            "spearman": spearmanr(wanted, guess).statistic,
        },
        rel=1e-5,
    )
    assert 0.2 < values(noisy)["r2"] < 0.99


def test_the_baselines_are_those_of_the_mean_of_train(noisy):
    (_, known), (_, wanted) = (vectors_and_targets(name) for name in ("train", "test"))
    mean = np.full(len(wanted), known.mean())
    expected = {"r2": r2_score(wanted, mean), "mae": mean_absolute_error(wanted, mean), "spearman": 0.0}
    assert baselines(noisy) == pytest.approx(expected)


def test_what_videos_add_is_a_jackknife(noisy):
    guess, wanted = predicted(noisy.notes["strength"])
    count, whole = len(wanted), r2_score(wanted, guess)
    others = [np.arange(count) != left for left in range(count)]
    without = np.array([r2_score(wanted[rest], guess[rest]) for rest in others])
    (added,) = noisy.predictions.values["r2"]
    assert added == pytest.approx((whole + (count - 1) * (without.mean() - without)).tolist(), abs=1e-4)
    assert np.mean(added) == pytest.approx(values(noisy)["r2"], abs=1e-9)
    assert noisy.notes[INFLUENCES] == ["r2"]


def test_a_board_draws_an_interval_from_them_that_is_as_wide_as_of_drawn_videos(noisy):
    guess, wanted = predicted(noisy.notes["strength"])
    groups = sampled_groups(replace(noisy.predictions, groups=("",) * len(wanted)))
    weights = group_weights(groups)
    (sample,) = Bootstrap(GroupDraws.of(groups, weights)).resample([noisy.predictions], [RIDGE_PROBE.primary])
    drawn = [np.repeat(np.arange(len(wanted)), row.astype(int)) for row in weights]
    assert sample.drawn.std() == pytest.approx(np.std([r2_score(wanted[one], guess[one]) for one in drawn]), rel=0.25)
    ends = interval(sample, RIDGE_PROBE.primary.bounds)
    assert ends.mean == pytest.approx(values(noisy)["r2"], abs=1e-9)
    assert ends.covers == "this fit, new groups"
    assert ends.mean - ends.low > 0.01


def test_an_encoder_that_knows_the_answers_and_one_that_knows_nothing():
    assert values(evaluate(informed_encoder()))["r2"] > 0.8
    noise = evaluate(UninformedEncoder())
    assert values(noise)["r2"] < 0.2
    assert baselines(noise)["r2"] <= 0


def test_test_targets_select_nothing(noisy):
    dealt = evaluate(NoisyEncoder(), Angles(test=lambda place, angle: float(place)))
    assert [dealt.notes[name] for name in ("strength", "validation_mse")] == [
        noisy.notes[name] for name in ("strength", "validation_mse")
    ]
    assert values(dealt) != values(noisy)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (MovingSquares(), "split 'train' has no target 'angle' of every video; it has: none"),
        (
            Angles(test=lambda place, angle: 1.0),
            "all videos of split 'test' of data set 'moving-squares' have the",
        ),
        (Angles(train=lambda place, angle: 1.0), "all videos of split 'train' of data set 'moving-squares' have the"),
        (Angles(train=lambda place, angle: 1e200 * angle), "'angle' of split 'train' .* is too large, or varies too l"),
        (Angles(test=lambda place, angle: 1e-200 * angle), "'angle' of split 'test' .* give it in another unit"),
    ],
)
def test_data_that_cannot_be_measured(data, message):
    with pytest.raises(DataError, match=message):
        evaluate(informed_encoder(), data)


@pytest.mark.parametrize("scale", [1e90, 1e-90])
def test_the_unit_of_a_target_changes_no_score_without_one(noisy, scale):
    scaled = Angles(**dict.fromkeys(("train", "test"), lambda place, angle: scale * angle))
    found, known = values(evaluate(NoisyEncoder(), scaled)), values(noisy)
    assert (found["r2"], found["spearman"]) == (pytest.approx(known["r2"]), pytest.approx(known["spearman"]))
    assert found["mae"] == pytest.approx(scale * known["mae"])


@conformance(RidgeProbe("angle"), data=Angles())
def test_the_kit(check):
    check()
