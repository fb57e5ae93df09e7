"""Attentive probe: what it finds that no mean holds, how it is chosen, and which encoders have tokens."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import harness
from harness.backbones.libraries.timm import Timm
from harness.cards import View
from harness.encoders.frozen import fingerprint
from harness.encoders.network import NetworkEncoder
from harness.errors import DataError, DivergedError, UsageError
from harness.evaluators import attentive_probe, probe_grid
from harness.evaluators.attentive_probe import AttentiveProbe, token_reader
from harness.evaluators.cards import ATTENTIVE_PROBE, LEARNING_RATES, WEIGHT_DECAYS
from harness.evaluators.encoding_options import EncodingOptions, WithEncoding, taken
from harness.evaluators.linear import LinearProbe
from harness.interfaces import Features
from harness.testing import MovingSquares, UninformedEncoder, informed_encoder
from harness.testing.evaluating import ChangedSquares, baselines, evaluate, frozen, relabel, values
from harness.testing.fixtures import UntrainedEncoder
from harness.values import Encoding, Promise

SPLIT = MovingSquares().split("test")


class OneToken:
    """Six tokens of noise, two of which say the class: one marked as right, and one as wrong that takes it back.

    The mean over tokens is of the noise alone.
    """

    promise = Promise(views=(View(frames=8, size=32),), shape=(6, 12))

    def __init__(self):
        self.informed = informed_encoder()

    def encode(self, batch):
        directions = torch.nn.functional.one_hot(self.informed.encode(batch).argmax(1), 4).float()
        signal = torch.cat([torch.full((len(batch), 1), 3.0), 3 * directions, torch.zeros(len(batch), 7)], 1)
        tokens = []
        for clip, added in zip(batch.clips, signal, strict=True):
            generator = torch.Generator().manual_seed(int(clip.long().flatten().cumsum(0).sum()))
            own = torch.cat([torch.zeros(6, 5), torch.randn(6, 7, generator=generator)], 1)
            right, wrong = torch.randperm(6, generator=generator)[:2]
            own[right] += added
            own[wrong] -= added
            tokens.append(own)
        return torch.stack(tokens)


QUICK = {"lrs": (1e-3, 3e-3), "weight_decays": (0.1,), "steps": 300}


@pytest.fixture(scope="module")
def found():
    return evaluate(AttentiveProbe(**QUICK), OneToken())


def test_it_finds_a_token_that_the_mean_does_not_show(found):
    assert values(found)["top1"] > 0.9
    linear = evaluate(LinearProbe(), OneToken())
    assert values(linear)["top1"] < 0.4
    assert baselines(found) == baselines(linear)


def test_the_pair_is_the_best_of_those_validated(found):
    accuracies = found.notes["validation_top1"]
    assert list(accuracies) == ["0.001, 0.1", "0.003, 0.1"]
    assert f"{found.notes['lr']:g}, {found.notes['weight_decay']:g}" == max(accuracies, key=accuracies.get)
    assert (found.notes["steps"], found.notes["heads"], found.notes["train_videos"]) == (300, 1, 48)
    assert list(found.pictures) == ["confusion"]


def test_the_pair_is_chosen_without_the_test_split(found):
    shifted = ChangedSquares(test=relabel(lambda video: {"action": (video.labels["action"] + 1) % 4}))
    other = evaluate(AttentiveProbe(**QUICK), OneToken(), shifted)
    assert other.notes == found.notes
    assert other.predictions.predicted == found.predictions.predicted
    assert values(other)["top1"] < 0.1


def test_validation_keeps_groups_apart():
    """Tokens of the background's colour, which is the group's, and labels that only groups tell."""

    class Colours:
        promise = Promise(views=(View(frames=2, size=48),), shape=(3, 1, 2))

        def encode(self, batch):
            return batch.clips[..., 0, :2].float().mean(2)[:, :, None]

    by_group = relabel(lambda video: {"action": int(video.group.partition("-")[2]) % 4})
    changed = ChangedSquares(train=by_group, test=by_group)
    found = evaluate(AttentiveProbe(**QUICK), Colours(), changed)
    assert max(found.notes["validation_top1"].values()) < 0.7


def test_a_grid_in_parts_finds_the_same(monkeypatch):
    short = AttentiveProbe(lrs=(1e-3, 1e-2), weight_decays=(0.1, 0.4), steps=20)
    whole = evaluate(short, OneToken())
    monkeypatch.setattr(probe_grid, "AT_ONCE", 1)
    assert evaluate(short, OneToken()) == whole


def test_one_pair_alone_is_not_validated():
    found = evaluate(AttentiveProbe(lrs=(3e-3,), weight_decays=(0.1,), steps=5), OneToken())
    assert found.notes["validation_top1"] == {}
    assert (found.notes["lr"], found.notes["weight_decay"]) == (3e-3, 0.1)


def test_few_videos_are_trained_on_for_500_steps(monkeypatch):
    monkeypatch.setattr(attentive_probe, "STEPS", 7)
    found = evaluate(AttentiveProbe(lrs=(1e-3,), weight_decays=(0.1,)), OneToken())
    assert found.notes["steps"] == 15  # 20 epochs of 48 videos in batches of 64
    monkeypatch.setattr(attentive_probe, "STEPS", 16)
    assert evaluate(AttentiveProbe(lrs=(1e-3,), weight_decays=(0.1,)), OneToken()).notes["steps"] == 16


def test_the_grid_is_that_of_v_jepa_2():
    assert AttentiveProbe().grid == [(lr, decay) for lr in LEARNING_RATES for decay in WEIGHT_DECAYS]
    assert len(AttentiveProbe().grid) == 20


def test_a_network_is_read_at_its_layer_of_tokens_and_stays_as_it_is():
    encoder = UntrainedEncoder()
    before = fingerprint(encoder)
    probe = AttentiveProbe(lrs=(3e-3,), weight_decays=(0.1,), steps=3)
    found = evaluate(probe, encoder)
    assert fingerprint(encoder) == before
    assert found == evaluate(probe, encoder)
    named = WithEncoding(probe, EncodingOptions(layer=encoder.promise.spatial))
    assert named.card.needs == {"trainable"}
    assert named.evaluate(frozen(encoder), MovingSquares(), seed=0) == found


def test_a_transformer_is_read_at_its_last_tokens():
    backbone = Timm("test_vit", size=32, frames=2)
    encoder = NetworkEncoder.of(backbone.build(seed=0), backbone)
    assert encoder.promise.token_layer == "norm"
    before = fingerprint(encoder)
    found = evaluate(AttentiveProbe(lrs=(3e-3,), weight_decays=(0.1,), steps=3), encoder)
    assert fingerprint(encoder) == before
    assert len(found.predictions.videos) == len(SPLIT)


def test_the_seed_draws_weights_and_batches():
    probe = AttentiveProbe(lrs=(1e-3,), weight_decays=(0.1,), steps=1)
    first, other = (evaluate(probe, OneToken(), seed=seed) for seed in (0, 1))
    assert first.predictions != other.predictions


def test_an_encoder_of_vectors_has_no_tokens():
    assert AttentiveProbe.card.needs - UninformedEncoder.promise.offers == {"tokens"}  # not applicable in every plan
    with pytest.raises(UsageError, match="'attentive_probe' needs tokens of an encoder"):
        harness.evaluate(UninformedEncoder(), MovingSquares(), ["attentive_probe"])
    with pytest.raises(UsageError, match="expected an encoder with tokens"):
        evaluate(AttentiveProbe(), UninformedEncoder())


def test_all_options_of_features_but_the_aggregate_are_taken():
    assert taken(ATTENTIVE_PROBE) == ("layer", "precision", "clips", "crops")
    with pytest.raises(UsageError, match="'attentive_probe' takes no aggregate"):
        WithEncoding(AttentiveProbe(), EncodingOptions(aggregate="max"))


def test_a_training_without_numbers_is_told():
    with pytest.raises(DivergedError, match=r"diverged at learning rate 1e\+30 and weight decay 0; lower lrs"):
        evaluate(AttentiveProbe(lrs=(1e30,), weight_decays=(0.0,), steps=3), OneToken())
    found = evaluate(AttentiveProbe(lrs=(1e30, 3e-3), weight_decays=(0.1,), steps=30), OneToken())
    assert found.notes["validation_top1"]["1e+30, 0.1"] == 0.0
    assert found.notes["lr"] == 3e-3


@pytest.mark.parametrize(
    "options",
    [
        {"lrs": ()},
        {"lrs": (1e-3, 1e-3)},
        {"lrs": (0.0,)},
        {"weight_decays": ()},
        {"weight_decays": (-0.1,)},
        {"steps": 0},
    ],
)
def test_options_that_cannot_be(options):
    with pytest.raises(UsageError, match=f"{next(iter(options))} must be"):
        AttentiveProbe(**options)


class Alike(OneToken):
    """Tokens whose mean is the same for all videos; with `same`, so are the tokens."""

    def __init__(self, *, same):
        super().__init__()
        self.same = same

    def encode(self, batch):
        tokens = super().encode(batch)[:, :3].round() * (0.0 if self.same else 1.0)  # whole numbers cancel exactly
        return torch.cat([tokens, -tokens], 1)


def test_tokens_that_differ_are_no_collapse_where_their_means_are_equal():
    probe = AttentiveProbe(lrs=(3e-3,), weight_decays=(0.1,), steps=3)
    assert evaluate(probe, Alike(same=False)).scores
    for evaluator, same in ((probe, True), (LinearProbe(), False), (LinearProbe(), True)):
        with pytest.raises(DataError, match="it has collapsed"):
            evaluate(evaluator, Alike(same=same))


@pytest.mark.parametrize("kept", [False, True])
def test_tokens_of_all_clips_and_crops_are_read_as_one_set(kept, monkeypatch):
    monkeypatch.setattr(attentive_probe, "_fits", lambda size, device: kept)
    random = np.random.default_rng(0)
    tokens = random.normal(size=(len(SPLIT), 2, 5, 3)).astype(np.float16)
    videos = torch.tensor([7, 3, 7])
    read = token_reader(Features((tokens,), SPLIT))(videos)
    assert read.dtype == torch.float32
    assert torch.equal(read, torch.from_numpy(tokens[videos.numpy()].reshape(3, 10, 3).astype(np.float32)))
    maps = random.normal(size=(len(SPLIT), 2, 3, 4, 5)).astype(np.float32)
    read = token_reader(Features((maps,), SPLIT))(videos)
    assert read.shape == (3, 2 * 20, 3)
    assert torch.equal(read[1, 20 + 5 * 3 + 2], torch.from_numpy(maps[3, 1, :, 3, 2]))


def test_clips_are_asked_for_as_tokens():
    asked = WithEncoding(AttentiveProbe(), EncodingOptions(clips=3, crops=5, precision="float16"))
    (train, test) = asked.encodings(UntrainedEncoder().promise, MovingSquares(), seed=0)
    assert train == Encoding(split="train", tokens=True, clips=3, crops=5, precision="float16")
    assert test.split == "test"
