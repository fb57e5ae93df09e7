"""Conformance checks of the records of a data set's splits."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.errors import UsageError
from harness.interfaces import Dataset, Split
from harness.testing.checking import Subject, expect
from harness.values import Video
from harness.video.archive import member

READ = 3
"""Number of videos of a split that are read."""


@dataclass(eq=False)
class DatasetSubject(Subject[Dataset]):
    """Data set under test."""

    @cached_property
    def splits(self) -> dict[str, Split]:
        """Splits that the card names."""
        return {name: self.tested.split(name) for name in self.tested.card.splits}

    def some(self) -> list[tuple[Split, int]]:
        """Choose videos of each split: the first, the last, and one between."""
        return [
            (split, index)
            for split in self.splits.values()
            for index in sorted({0, len(split) // 2, len(split) - 1})[:READ]
        ]


def check_splits(subject: DatasetSubject) -> None:
    """Splits of the card are labelled and hold videos; other names raise `UsageError`."""
    for name, split in subject.splits.items():
        where = f"split {name!r}"
        expect(
            len(split) == len(split.videos) > 0,
            expected=f"{where} to have as many videos as its length says, at least one",
            got=f"length {len(split)} and {len(split.videos)} videos",
            remedy="correct __len__ or the lists",
        )
        expect(
            isinstance(split.left_out, Mapping),
            expected=f"{where} to have `left_out`, a reason for each listed video that it lacks",
            got=type(split.left_out).__name__,
            remedy="give {} where nothing is left out",
        )
        expect(
            split.name == name and split.labelled,
            expected=f"split({name!r}) to give a labelled split of that name",
            got=f"{split.name!r}, labelled {split.labelled}",
            remedy="labels are taken away by unlabelled()",
        )
    got = "a split"
    try:
        subject.tested.split("no-such-split")
    except UsageError:
        return
    except Exception as error:
        got = type(error).__name__
    expect(
        False,
        expected="split('no-such-split') to raise UsageError",
        got=got,
        remedy="raise harness.errors.unknown('split', name, self.card.splits)",
    )


def check_videos(subject: DatasetSubject) -> None:
    """Videos have an id of their own, positive sizes, a file and their labels.

    Sizes are frames, fps, width and height. Labels are one class of every kind on the card, as an index into the
    split's classes, and a set of classes, in ascending order, of every multi-label kind; targets are finite numbers.
    Joints are there where the card says so.
    """
    subject.requires(check_splits)
    card = subject.tested.card
    for split in subject.splits.values():
        expect(
            set(split.classes) == set(card.labels) and all(split.classes.values()),
            expected=f"classes of {', '.join(card.labels)}, as on the card",
            got=f"{ {kind: len(names) for kind, names in split.classes.items()} }",
            remedy="correct the card's labels or the split's classes",
        )
        expect(
            set(split.multilabel_classes) == set(card.multilabels) and all(split.multilabel_classes.values()),
            expected=f"multilabel_classes of {', '.join(card.multilabels) or 'no kind'}, as on the card",
            got=f"{ {kind: len(names) for kind, names in split.multilabel_classes.items()} }",
            remedy="correct the card's multilabels or the split's multilabel_classes",
        )
        for video in split.videos:
            _expect_whole(video, split, joints=card.joints)
            _expect_sets_and_targets(video, split, card.targets)
    counted = Counter(video.id for split in subject.splits.values() for video in split.videos)
    name, count = counted.most_common(1)[0]
    expect(count == 1, expected="every id once", got=f"{name!r} {count} times", remedy="put the class or split into it")


def _expect_whole(video: Video, split: Split, *, joints: bool) -> None:
    numbers = {"frames": video.frames, "fps": video.fps, "width": video.width, "height": video.height}
    for name, number in numbers.items():
        expect(
            number > 0,
            expected=f"video {video.id!r} to have positive {name}",
            got=number,
            remedy="harness.video.probe.probe(path) tells them",
        )
    expect(
        video.path.exists() or member(video.path) is not None,
        expected=f"a file or folder of frames for video {video.id!r}",
        got=f"none at {video.path}",
        remedy="raise DataError in split() when files are missing",
    )
    for kind, names in split.classes.items():
        expect(
            0 <= video.labels.get(kind, -1) < len(names),
            expected=f"video {video.id!r} to have a class of {kind!r} from 0 to {len(names) - 1}",
            got=video.labels.get(kind),
            remedy="labels are indices into the split's classes",
        )
    if joints:
        expect(
            video.joints is not None,
            expected=f"joints of video {video.id!r}, as the card says",
            got=None,
            remedy="give its .npz, or state joints=False on the card",
        )


def _expect_sets_and_targets(video: Video, split: Split, targets: Sequence[str]) -> None:
    for kind, names in split.multilabel_classes.items():
        given = video.multilabels.get(kind)
        expect(
            given is not None and list(given) == sorted({*given} & {*range(len(names))}),
            expected=f"video {video.id!r} to have a set of classes of {kind!r} from 0 to {len(names) - 1}, ascending",
            got=given,
            remedy="multilabels are tuples of indices into the split's multilabel_classes, each once, () for none",
        )
    expect(
        set(video.targets) == set(targets) and all(map(math.isfinite, video.targets.values())),
        expected=f"video {video.id!r} to have a finite number for each target of {', '.join(targets) or 'none'}",
        got=dict(video.targets),
        remedy="correct the card's targets, or leave the video out",
    )


def check_joints(subject: DatasetSubject) -> None:
    """Joints are (T, 9, 2) float32 in pixels, with `visible` (T, 9) bool."""
    subject.requires(check_videos)
    for split, index in subject.some():
        video = split.videos[index]
        assert video.joints is not None
        with np.load(video.joints, allow_pickle=False) as arrays:
            stored = {name: (arrays[name].shape, str(arrays[name].dtype)) for name in arrays.files}
        wanted = {"joints": ((video.frames, 9, 2), "float32"), "visible": ((video.frames, 9), "bool")}
        expect(
            {name: stored.get(name) for name in wanted} == wanted,
            expected=f"{video.joints} to hold {wanted}",
            got=stored,
            remedy="write them with numpy.savez, in FLIC's order",
        )


def check_groups(subject: DatasetSubject) -> None:
    """Groups of videos are in one split each."""
    subject.requires(check_splits)
    groups = {name: {video.group for video in split.videos} - {""} for name, split in subject.splits.items()}
    for (one, ones), (other, others) in itertools.combinations(groups.items(), 2):
        common = sorted(ones & others)
        expect(
            not common,
            expected=f"{one!r} and {other!r} to have no group in common",
            got=f"{common[0]!r} in both" if common else "",
            remedy="videos of one group show one scene: a classifier would recognise it",
        )
