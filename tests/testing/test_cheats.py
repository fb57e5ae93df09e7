"""Methods that cheat fail the check that is about their offence, and gain nothing by it in a suite."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.datasets.split_views import Subset
from harness.encoders.frozen import CachedEncoder
from harness.testing import MovingSquares, failures
from harness.testing.cheats import (
    CountsCalls,
    LabelEncoder,
    LearnsNothing,
    LooksAtOthers,
    ReadsLabels,
    ReadsOrder,
    ReadsPaths,
    WholeEncoder,
)
from harness.video.anonymous import hidden_order

CHEATS = {
    ReadsLabels: ("check_whole_videos", "expected encode_videos to leave labels, .* got a look at a video's labels"),
    ReadsPaths: ("check_unlabelled", "expected fit to leave labels, .* got a look at a video's path"),
    ReadsOrder: ("check_order", "it reads the class from the order of the videos"),
    CountsCalls: ("check_repeatable", "when encoding them again"),
    LooksAtOthers: ("check_whole_videos", "another one without the other videos"),
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_cheat_fails_by_the_name_of_its_offence(cheat):
    check, message = CHEATS[cheat]
    failed = failures(cheat())
    assert list(failed) == [check]
    assert re.search(message, failed[check])


def test_an_encoder_without_a_cheat_passes():
    class Honest(LearnsNothing):
        card = ReadsLabels.card

    assert failures(Honest()) == {}


def test_data_without_single_labels_have_no_class_that_the_order_could_tell():
    class Honest(LearnsNothing):
        card = ReadsLabels.card

    class Unclassed(MovingSquares):
        def split(self, name):
            split = super().split(name)
            return replace(split, classes={}, videos=tuple(replace(video, labels={}) for video in split.videos))

    assert failures(Honest(), data=Unclassed()) == {}


def test_labels_are_not_there_for_an_encoder_that_reads_them():
    split = MovingSquares().split("test")
    vectors = [CachedEncoder(encoder, key="x").features(split).vectors for encoder in (LabelEncoder(), WholeEncoder())]
    assert torch.equal(*vectors)


@pytest.mark.parametrize("cheat", [ReadsPaths(), ReadsOrder()])
def test_a_guess_from_what_a_method_is_given_is_chance(cheat):
    """On the list itself, sorted by class, both would know every class."""
    split = MovingSquares().split("train")
    by_class = Subset(split, sorted(range(48), key=lambda index: split.videos[index].labels["action"]))
    labels = np.array([by_class.videos[index].labels["action"] for index in hidden_order(by_class.videos)])
    guesses = np.array(cheat.guess(by_class.unlabelled()))
    assert (guesses == labels).mean() < 0.45
    assert sorted(labels) == ReadsOrder().guess(by_class)


class EncodesAgain(WholeEncoder):
    def encode_videos(self, split, done):
        yield from super().encode_videos(split, ())


class TurnsAround(WholeEncoder):
    def encode_videos(self, split, done):
        for position, colour in super().encode_videos(split, done):
            yield position, colour * (position + 1)


class ReadsNames(WholeEncoder):
    def encode_videos(self, split, done):
        for position, colour in super().encode_videos(split, done):
            yield position, colour + len(split.videos[position].id)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (EncodesAgain, r"got vectors of \[0, 1, 2, 3, 4, 5, 6\] where all but 0 were done"),
        (TurnsAround, "another one in another order"),
        (ReadsNames, "another one under another name"),
    ],
)
def test_an_encoder_of_whole_videos_with_a_defect(broken, message):
    class Gives(LearnsNothing):
        card = ReadsLabels.card
        encoder = broken

    failed = failures(Gives())
    assert list(failed) == ["check_whole_videos"]
    assert re.search(message, failed["check_whole_videos"])
