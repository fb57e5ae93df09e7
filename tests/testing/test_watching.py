"""What watching splits and backbones see."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from torch.multiprocessing import get_context

from harness.testing import (
    BlindSplit,
    CountingSplit,
    LabelsTouchedError,
    MovingSquares,
    RelabelledTest,
    TinyBackbone,
    WatchedBackbone,
)

TRAIN = MovingSquares().split("train")


def test_sets_of_classes_and_targets_are_dealt_out_with_the_labels():
    class Answers(MovingSquares):
        def split(self, name):
            split = super().split(name)
            videos = [
                replace(video, multilabels={"set": (video.labels["action"],)}, targets={"t": float(place)})
                for place, video in enumerate(split.videos)
            ]
            return replace(split, videos=tuple(videos), multilabel_classes={"set": tuple("abcd")})

    before, after = Answers().split("test").videos, RelabelledTest(Answers(), seed=1).split("test").videos
    order = [int(video.targets["t"]) for video in after]
    assert sorted(order) == list(range(len(before))) != order
    assert [video.multilabels["set"] for video in after] == [before[place].multilabels["set"] for place in order]
    assert [video.labels for video in after] == [before[place].labels for place in order]


def test_frames_are_counted_where_they_are_read():
    split = CountingSplit(TRAIN)
    split.read(0)
    split.unlabelled().read(3, [1, 1, 2], short_side=16)
    assert split.frames_read == 27
    with ThreadPoolExecutor(1) as pool:
        pool.submit(split.read, 5).result()
    assert split.frames_read == 51


def test_frames_are_counted_in_forked_processes():
    split = CountingSplit(TRAIN)
    child = get_context("fork").Process(target=split.read, args=(0, [0, 1]))
    child.start()
    child.join()
    assert split.frames_read == 2


def test_a_split_around_another_shows_it():
    split = CountingSplit(TRAIN)
    assert (split.name, split.labelled, split.videos, split.classes, split.manifest, len(split)) == (
        TRAIN.name,
        True,
        TRAIN.videos,
        TRAIN.classes,
        TRAIN.manifest,
        48,
    )
    assert not split.unlabelled().labelled


@pytest.mark.parametrize(
    ("look", "what"),
    [
        (lambda split: split.videos[0].labels["action"], "a video's labels"),
        (lambda split: split.videos[0].labels.get("action"), "a video's labels"),
        (lambda split: "action" in split.videos[0].labels, "a video's labels"),
        (lambda split: dict(split.videos[0].labels), "a video's labels"),
        (lambda split: bool(split.videos[0].labels), "a video's labels"),
        (lambda split: split.videos[0].multilabels.get("objects"), "a video's labels"),
        (lambda split: split.videos[0].targets["age"], "a video's labels"),
        (lambda split: {video.group for video in split.videos}, "a video's group"),
        (lambda split: split.videos[0].group == "kitchen", "a video's group"),
        (lambda split: split.videos[0].group or "none", "a video's group"),
        (lambda split: f"{split.videos[0].group}", "a video's group"),
        (lambda split: split.classes, "its classes"),
        (lambda split: split.multilabel_classes, "its classes"),
        (lambda split: split.unlabelled().classes, "its classes"),
    ],
)
def test_a_blind_split_lets_nobody_look(look, what):
    split = BlindSplit(TRAIN)
    assert not split.labelled
    with pytest.raises(LabelsTouchedError, match=what):
        look(split)
    assert split.touched == [what]


def test_a_blind_split_can_be_used_passed_on_and_copied():
    split = BlindSplit(TRAIN)
    assert torch.equal(split.read(0), TRAIN.unlabelled().read(0))
    assert split.manifest == TRAIN.unlabelled().manifest
    record = replace(split.videos[0], fps=1.0)
    assert record.id == split.videos[0].id == TRAIN.unlabelled().videos[0].id
    assert "labels={}" in repr(record)
    for copied in (copy.deepcopy(split), pickle.loads(pickle.dumps(split))):
        assert len(copied) == 48
        with pytest.raises(LabelsTouchedError):
            hash(copied.videos[0].group)
        with pytest.raises(LabelsTouchedError):
            len(copied.videos[0].labels)
    assert not split.touched


def test_test_labels_are_dealt_out_anew():
    data, dealt = MovingSquares(), RelabelledTest(MovingSquares(), seed=1)
    before, after = data.split("test"), dealt.split("test")
    labels = [[video.labels["action"] for video in split.videos] for split in (before, after)]
    assert labels[0] != labels[1]
    assert sorted(labels[0]) == sorted(labels[1])
    assert [video.id for video in before.videos] == [video.id for video in after.videos]
    assert [video.group for video in before.videos] == [video.group for video in after.videos]
    assert before.manifest != after.manifest
    assert dealt.split("train") == data.split("train")
    assert dealt.card is data.card


def test_frames_are_counted_where_gradients_are_recorded():
    backbone = WatchedBackbone(TinyBackbone())
    network = backbone.build(seed=0)
    clips = torch.zeros(3, 3, 8, 16, 16)
    network(clips)
    copy.deepcopy(network)(input=clips[:1])
    with torch.no_grad():
        network(clips)
    assert (backbone.frames_shown, backbone.largest_batch) == (32, 24)


def test_inputs_are_kept_on_demand_and_do_not_count_then():
    backbone = WatchedBackbone(TinyBackbone())
    network = backbone.build(seed=0)
    backbone.kept = []
    clips = torch.rand(1, 3, 8, 16, 16)
    network(clips)
    assert backbone.frames_shown == 0
    assert torch.equal(backbone.kept[0], clips)


def test_every_stream_is_watched_and_the_longest_counts():
    class Streams(TinyBackbone):
        def build(self, *, seed):
            class First(torch.nn.Module):
                def forward(self, streams):
                    return streams["slow"]

            return First()

    backbone = WatchedBackbone(Streams())
    network = backbone.build(seed=0)
    streams = {"slow": torch.rand(2, 3, 4, 8, 8), "fast": torch.rand(2, 3, 16, 8, 8)}
    network(streams)
    assert backbone.frames_shown == 32
    backbone.kept = []
    network(streams)
    assert [clips.shape[2] for clips in backbone.kept] == [4, 16]


def test_a_watched_backbone_is_the_other_one():
    backbone = WatchedBackbone(TinyBackbone())
    assert backbone.card is TinyBackbone.card
    mine, other = backbone.build(seed=4).state_dict(), TinyBackbone().build(seed=4).state_dict()
    assert all(torch.equal(mine[name], other[name]) for name in other)
