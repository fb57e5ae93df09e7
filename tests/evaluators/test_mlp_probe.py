"""MLP probe: what it reads that no linear probe can, how it is chosen, and what its repeats are."""

from __future__ import annotations

import pytest
import torch

from harness.cards import View
from harness.encoders.frozen import fingerprint
from harness.errors import DivergedError, UsageError
from harness.evaluators import mlp_probe, probe_grid
from harness.evaluators.cards import MLP_LEARNING_RATES, MLP_WEIGHT_DECAYS
from harness.evaluators.linear import LinearProbe
from harness.evaluators.mlp_probe import MLPProbe
from harness.testing import informed_encoder
from harness.testing.evaluating import ChangedSquares, baselines, evaluate, relabel, values
from harness.testing.fixtures import UntrainedEncoder
from harness.values import Promise


class Xor:
    """Vectors whose two first numbers tell by being of equal signs, or not, of which pair the class is.

    Classes 0 and 1 have equal signs, 2 and 3 different ones; each number alone says nothing, and no hyperplane does.
    """

    promise = Promise(views=(View(frames=8, size=32),), shape=(4,))

    def __init__(self):
        self.informed = informed_encoder()

    def encode(self, batch):
        vectors = []
        for clip, label in zip(batch.clips, self.informed.encode(batch).argmax(1).tolist(), strict=True):
            generator = torch.Generator().manual_seed(int(clip.long().flatten().cumsum(0).sum()))
            sign = 1.0 if torch.rand(1, generator=generator) < 0.5 else -1.0
            pair = torch.tensor([sign, sign if label < 2 else -sign])
            vectors.append(torch.cat([pair, torch.zeros(2)]) + 0.2 * torch.randn(4, generator=generator))
        return torch.stack(vectors)


PAIRS = ChangedSquares(
    train=relabel(lambda video: {"action": video.labels["action"] // 2}),
    test=relabel(lambda video: {"action": video.labels["action"] // 2}),
)
QUICK = {"width": 64, "lrs": (3e-3, 1e-2), "weight_decays": (0.01,), "steps": 80, "repeats": 3}


@pytest.fixture(scope="module")
def found():
    return evaluate(MLPProbe(**QUICK), Xor(), PAIRS)


def test_it_finds_what_no_hyperplane_separates(found):
    assert values(found)["top1"] > 0.95
    linear = evaluate(LinearProbe(), Xor(), PAIRS)
    assert values(linear)["top1"] < 0.75
    assert baselines(found) == baselines(linear)


def test_the_pair_is_the_best_of_those_validated(found):
    accuracies = found.notes["validation_top1"]
    assert list(accuracies) == ["0.003, 0.01", "0.01, 0.01"]
    assert f"{found.notes['lr']:g}, {found.notes['weight_decay']:g}" == max(accuracies, key=accuracies.get)
    assert (found.notes["steps"], found.notes["train_videos"]) == (80, 48)
    assert list(found.pictures) == ["confusion"]


def test_the_pair_is_chosen_without_the_test_split(found):
    flipped = ChangedSquares(
        train=relabel(lambda video: {"action": video.labels["action"] // 2}),
        test=relabel(lambda video: {"action": 1 - video.labels["action"] // 2}),
    )
    other = evaluate(MLPProbe(**QUICK), Xor(), flipped)
    assert other.predictions.predicted == found.predictions.predicted
    assert other.notes["validation_top1"] == found.notes["validation_top1"]
    assert values(other)["top1"] < 0.05


def test_validation_keeps_groups_apart():
    """The background's colour, which is the group's, and labels that only groups tell."""

    class Colours:
        promise = Promise(views=(View(frames=2, size=48),), shape=(3,))

        def encode(self, batch):
            return batch.clips[..., 0, 0].float().mean(2)

    by_group = relabel(lambda video: {"action": int(video.group.partition("-")[2]) % 4})
    found = evaluate(MLPProbe(**QUICK), Colours(), ChangedSquares(train=by_group, test=by_group))
    assert max(found.notes["validation_top1"].values()) < 0.7


def test_repeats_are_trainings_from_other_weights_whose_mean_is_the_score():
    short = {"width": 8, "lrs": (1e-3,), "weight_decays": (0.01,), "steps": 3}
    found = evaluate(MLPProbe(**short, repeats=4), UntrainedEncoder())
    rows = torch.tensor(found.predictions.predicted)
    assert len(set(found.predictions.predicted)) > 1
    hits = (rows == torch.tensor(found.predictions.labels)).double().mean(1)
    assert values(found)["top1"] == pytest.approx(float(hits.mean()))
    assert found.notes["top1_std"] == pytest.approx(float(hits.std()))
    assert found.notes["validation_top1"] == {}  # of one pair alone
    assert evaluate(MLPProbe(**short, repeats=1), UntrainedEncoder()).notes["top1_std"] is None


def test_the_encoder_stays_as_it_is_and_the_seed_draws_weights():
    encoder, probe = UntrainedEncoder(), MLPProbe(lrs=(1e-3,), weight_decays=(0.01,), steps=1)
    before = fingerprint(encoder)
    first, again, other = (evaluate(probe, encoder, seed=seed) for seed in (0, 0, 1))
    assert fingerprint(encoder) == before
    assert first == again
    assert first.predictions != other.predictions


def test_a_grid_in_parts_finds_the_same(monkeypatch):
    short = MLPProbe(width=8, lrs=(1e-3, 1e-2), weight_decays=(0.01, 1.0), steps=20)
    whole = evaluate(short, Xor())
    monkeypatch.setattr(probe_grid, "AT_ONCE", 1)
    in_parts = evaluate(short, Xor())
    assert in_parts.predictions == whole.predictions
    assert in_parts.notes == whole.notes


def test_few_videos_are_trained_on_for_300_steps(monkeypatch):
    probe = MLPProbe(width=4, lrs=(1e-3,), weight_decays=(0.01,), repeats=1)
    assert evaluate(probe, Xor()).notes["steps"] == 300
    monkeypatch.setattr(mlp_probe, "STEPS", 2)
    assert evaluate(probe, Xor()).notes["steps"] == 6  # 30 epochs of 48 videos in batches of 256


def test_the_grid_has_every_pair():
    assert MLPProbe().grid == [(lr, decay) for lr in MLP_LEARNING_RATES for decay in MLP_WEIGHT_DECAYS]


def test_a_training_without_numbers_is_told():
    with pytest.raises(DivergedError, match=r"diverged at learning rate 1e\+30 and weight decay 0; lower lrs"):
        evaluate(MLPProbe(lrs=(1e30,), weight_decays=(0.0,), steps=5), Xor())
    found = evaluate(MLPProbe(**{**QUICK, "lrs": (1e30, 3e-3)}), Xor(), PAIRS)
    assert found.notes["validation_top1"]["1e+30, 0.01"] == 0.0
    assert found.notes["lr"] == 3e-3


@pytest.mark.parametrize(
    "options",
    [{"width": 0}, {"lrs": ()}, {"lrs": (0.0,)}, {"weight_decays": (-0.1,)}, {"steps": 0}, {"repeats": 0}],
)
def test_options_that_cannot_be(options):
    with pytest.raises(UsageError, match=f"{next(iter(options))} must be"):
        MLPProbe(**options)
