"""Conformance checks of data sets."""

from __future__ import annotations

import copy
import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from harness.interfaces import Split
from harness.testing.cards import check_card
from harness.testing.checking import expect
from harness.testing.dataset_records import DatasetSubject, check_groups, check_joints, check_splits, check_videos
from harness.testing.leaks import told
from harness.testing.traces import expect_no_traces, reseeded, traces
from harness.values import Video
from harness.video.anonymous import hidden_order

FLOW_SIDE = 32
"""Short side of the frames whose flow is computed, in pixels."""


def check_read(subject: DatasetSubject) -> None:
    """`read` gives (T, H, W, C) uint8, frames in any order and of any short side."""
    subject.requires(check_videos)
    for split, index in subject.some():
        video = split.videos[index]
        whole = split.read(index)
        size = (video.frames, video.height, video.width, 3)
        where = f"video {video.id!r}"
        expect(
            tuple(whole.shape) == size and whole.dtype == torch.uint8,
            expected=f"read of {where} to give {size} torch.uint8, (T, H, W, C)",
            got=f"{tuple(whole.shape)} {whole.dtype}",
            remedy="correct the record, or the order of the axes",
        )
        last = video.frames - 1
        wanted = [last, 0, last // 2, 0, last]
        chosen = split.read(index, wanted)
        expect(
            torch.equal(chosen, whole[wanted]),
            expected=f"read of frames {wanted} of {where} to give those frames in that order",
            got="other frames" if len(chosen) == len(wanted) else f"{len(chosen)} frames",
            remedy="keep order and repeats",
        )
        short = max(8, min(video.width, video.height) // 2)
        small = split.read(index, [0], short_side=short)
        scale = short / min(video.width, video.height)
        height, width = video.height * scale, video.width * scale
        expect(
            min(small.shape[1:3]) == short
            and abs(small.shape[1] - height) <= 1
            and abs(small.shape[2] - width) <= 1
            and small.dtype == torch.uint8,
            expected=f"read of {where} with short_side={short} to give about ({height:.0f}, {width:.0f}) pixels, uint8",
            got=f"{tuple(small.shape[1:3])} {small.dtype}",
            remedy="resize the short side and keep the proportion",
        )


def check_repeatable(subject: DatasetSubject) -> None:
    """Videos, pixels and manifests are the same when a copy is asked for them.

    Every split has a manifest of its own.
    """
    subject.requires(check_read)
    with reseeded(12345):
        again = copy.deepcopy(subject.tested)
        for name, split in subject.splits.items():
            other = again.split(name)
            ids = [[video.id for video in one.videos] for one in (split, other)]
            kept = ids[0] == ids[1] and split.manifest == other.manifest == split.manifest
            expect(
                kept and torch.equal(split.read(0), other.read(0)),
                expected=f"split {name!r} to be the same when asked for again",
                got="other pixels" if kept else "another manifest" if ids[0] == ids[1] else "other videos or order",
                remedy="sort what a folder lists; draw from generators with a fixed seed",
            )
    manifests = Counter(split.manifest for split in subject.splits.values())
    expect(
        len(manifests) == len(subject.splits),
        expected="a manifest of its own for every split",
        got=f"{len(manifests)} for {len(subject.splits)} splits",
        remedy="hash the videos' content: features are cached under it",
    )


def check_unlabelled(subject: DatasetSubject) -> None:
    """`unlabelled()` gives the same videos, and no trace of labels, names and order."""
    subject.requires(check_videos)
    for name, split in subject.splits.items():
        bare = split.unlabelled()
        videos = bare.videos
        traces_of_labels = {
            "labelled=True": bare.labelled,
            "classes": bool(bare.classes or bare.multilabel_classes),
            "labels": any(video.labels or video.multilabels for video in videos),
            "targets": any(video.targets for video in videos),
            "groups": any(video.group for video in videos),
            "joints": any(video.joints for video in videos),
            "ids that are there twice": len({video.id for video in videos}) < len(bare),
            "reasons for videos left out": bool(bare.left_out),
            "paths that lead to a file": any(video.path.exists() for video in videos),
        }
        got = [trace for trace, left in traces_of_labels.items() if left] or told(split, bare)[:3]
        expect(
            not got,
            expected=f"split {name!r} without labels to tell nothing of them",
            got=", ".join(got),
            remedy="return harness.video.anonymous.anonymous(videos), and read from files kept in HiddenFiles",
        )
        order = hidden_order(split.videos)
        expect(
            [video.content for video in videos] == [split.videos[position].content for position in order]
            and torch.equal(bare.read(0, [0]), split.read(order[0], [0])),
            expected=f"split {name!r} without labels to have the same videos in the order by content",
            got=f"{len(videos)} videos, others or in another order",
            remedy="sort them by harness.video.anonymous.hidden_order",
        )


def check_flow(subject: DatasetSubject) -> None:
    """`flow` gives (T, 2, H, W) float32, frames in any order, with labels and without.

    Tried on the shortest video of several whole frames; data without any pass.
    """
    subject.requires(check_read, check_unlabelled)
    several = [
        (video.frames, split, index)
        for split, index in subject.some()
        if (video := split.videos[index]).frames > 1 and video.box is None
    ]
    if not several:
        return
    frames, split, index = min(several, key=lambda one: one[0])
    video, wanted = split.videos[index], [frames - 2, 0, frames - 2]
    where = f"frames {wanted} of video {video.id!r}"
    chosen = split.flow(index, wanted, short_side=FLOW_SIDE)
    scale = FLOW_SIDE / min(video.width, video.height)
    height, width = video.height * scale, video.width * scale
    expect(
        tuple(chosen.shape[:2]) == (3, 2)
        and chosen.ndim == 4
        and max(abs(chosen.shape[2] - height), abs(chosen.shape[3] - width)) <= 1
        and chosen.dtype == torch.float32,
        expected=f"flow of {where} with short_side={FLOW_SIDE} to be about (3, 2, {height:.0f}, {width:.0f}) float32",
        got=f"{tuple(chosen.shape)} {chosen.dtype}",
        remedy="horizontal before vertical, in pixels: harness.datasets.splits.VideoSplit does it",
    )
    single = [split.flow(index, [number], short_side=FLOW_SIDE)[0] for number in wanted]
    expect(
        torch.equal(chosen, torch.stack(single)),
        expected=f"flow of {where} to be of those frames in that order",
        got="that of others",
        remedy="keep order and repeats",
    )
    position = hidden_order(split.videos).index(index)
    expect(
        torch.equal(split.unlabelled().flow(position, wanted, short_side=FLOW_SIDE), chosen),
        expected=f"flow of {where} to be the same without labels",
        got="another one",
        remedy="take it of the video at the position in the order by content",
    )


def check_manifest(subject: DatasetSubject) -> None:
    """Manifests depend on labels where the split is labelled, and only there.

    A split that is a dataclass with a field `videos` is also tried with other labels.
    """
    subject.requires(check_unlabelled, check_repeatable)
    for name, split in subject.splits.items():
        bare = split.unlabelled()
        expect(
            bare.manifest != split.manifest and bare.manifest == split.unlabelled().manifest,
            expected=f"split {name!r} to have one manifest with labels and another, always the same, without",
            got=f"{split.manifest!r} and {bare.manifest!r}",
            remedy="hash labels and groups where the split is labelled",
        )
        for what, other in _relabelled(split):
            expect(
                other.manifest != split.manifest,
                expected=f"split {name!r} with other {what} to have another manifest",
                got="the same",
                remedy=f"hash the {what} too: stored results would go on to count",
            )
            expect(
                other.unlabelled().manifest == bare.manifest,
                expected=f"split {name!r} without labels to have a manifest that does not depend on them",
                got=f"another one for other {what}",
                remedy="hash labels, targets, groups and telling ids only where the split is labelled",
            )


def _relabelled(split: Split) -> Iterator[tuple[str, Split]]:
    """Copy a split with all labels, sets of classes or targets moved on by one.

    None where that changes nothing or is impossible.
    """
    if not dataclasses.is_dataclass(split) or "videos" not in {field.name for field in dataclasses.fields(split)}:
        return
    for what, moved in _MOVED.items():
        videos = tuple(dataclasses.replace(video, **{what: moved(split, video)}) for video in split.videos)
        changed: Any = dataclasses.replace(split, videos=videos)
        if changed.videos != split.videos:
            yield what, changed


_MOVED: Mapping[str, Callable[[Split, Video], Any]] = {
    "labels": lambda split, video: {
        kind: (label + 1) % len(split.classes[kind]) for kind, label in video.labels.items()
    },
    "multilabels": lambda split, video: {
        kind: tuple(sorted((label + 1) % len(split.multilabel_classes[kind]) for label in labels))
        for kind, labels in video.multilabels.items()
    },
    "targets": lambda split, video: {name: number + 1 for name, number in video.targets.items()},
}


def check_traces(subject: DatasetSubject) -> None:
    """Listing and reading print nothing to stdout and change no global state."""
    subject.requires(check_splits)
    with traces() as left:
        for name in subject.tested.card.splits:
            split = subject.tested.split(name)
            split.read(0, [0])
            split.unlabelled()
    expect_no_traces(left, "reading")


def checks(subject: DatasetSubject) -> list[Callable[[Any], None]]:
    """List the checks of a data set with this card."""
    return [
        check_card,
        check_splits,
        check_videos,
        *([check_joints] if subject.tested.card.joints else []),
        check_groups,
        check_read,
        check_unlabelled,
        check_flow,
        check_repeatable,
        check_manifest,
        check_traces,
    ]
