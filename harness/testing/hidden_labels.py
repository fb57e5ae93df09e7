"""Conformance checks that vectors come from what videos show alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor

from harness.datasets.split_views import SplitView, Subset
from harness.encoders.frozen import CachedEncoder
from harness.interfaces import Encoder, Split, WholeVideos
from harness.testing.checking import TOLERANCE, distance, expect
from harness.testing.encoders import check_no_gradient, check_stored, check_unchanged, check_vectors
from harness.testing.fits import BATCH, MethodSubject, check_fit
from harness.testing.watching import BlindSplit
from harness.values import Video
from harness.video.anonymous import hidden_order

GAIN = 0.3
"""Accuracy that the order of the training videos may add.

Four standard deviations of the difference by chance, at 80 videos.
"""


def check_unlabelled(subject: MethodSubject) -> None:
    """An unsupervised method never looks at labels, groups, classes or paths.

    Unsupervised is a method whose card does not state `supervised=True`.
    """
    subject.requires(check_fit)
    try:
        subject.again  # noqa: B018 - fitting it is the test
    except Exception:
        if not subject.blind.touched:
            raise
    _expect_untouched(subject.blind, "fit", "learn without, or state `supervised=True` on the card")


def check_whole_videos(subject: MethodSubject) -> None:
    """`encode_videos` gives a vector that depends on what the video shows alone.

    It is the same in another order, under another name and without the other videos. Labels, groups, classes and paths
    are left alone, and videos that are done are not encoded. Encoders without `encode_videos` pass.
    """
    subject.requires(check_vectors)
    if not isinstance(subject.encoder, WholeVideos):
        return
    encoder, blind = subject.encoder, BlindSplit(subject.data.split("test"))
    some = range(min(BATCH, len(blind)))
    try:
        vectors = _encoded(encoder, Subset(blind, some))
    except Exception:
        if not blind.touched:
            raise
    _expect_untouched(blind, "encode_videos", "encode what split.read gives")
    turned = _encoded(encoder, Subset(blind, some[::-1]))
    renamed = _encoded(encoder, _Renamed(Subset(blind, some)))
    others = {
        "in another order": {len(some) - 1 - position: vector for position, vector in turned.items()},
        "under another name": renamed,
        "without the other videos": {n: _encoded(encoder, Subset(blind, [n]))[0] for n in (some[0], some[-1])},
    }
    for change, again in others.items():
        difference = max(distance(vector, vectors[position]) for position, vector in again.items())
        expect(
            difference <= TOLERANCE,
            expected="encode_videos to give a video the vector of what it shows",
            got=f"another one {change}: a difference of {difference:.1%}",
            remedy="use nothing of a video but its frames, and no other video's",
        )
    rest = _encoded(encoder, Subset(blind, some), done=some[1:])
    expect(
        set(rest) == {0},
        expected="encode_videos to encode the videos that are not done",
        got=f"vectors of {sorted(rest)} where all but 0 were done",
        remedy="leave out positions that are in `done`",
    )


def _encoded(encoder: Encoder, split: Split, done: Sequence[int] = ()) -> dict[int, Tensor]:
    return dict(cast("WholeVideos", encoder).encode_videos(split, done))


def _expect_untouched(blind: BlindSplit, place: str, remedy: str) -> None:
    expect(
        not blind.touched,
        expected=f"{place} to leave labels, groups, classes and paths alone",
        got=f"a look at {', '.join(blind.touched[:1])}",
        remedy=remedy,
    )


class _Renamed(SplitView):
    """The split with other ids."""

    @property
    def videos(self) -> Sequence[Video]:
        return [replace(video, id=f"x{position}") for position, video in enumerate(self._split.videos)]


def check_order(subject: MethodSubject) -> None:
    """The order of the training videos teaches an unsupervised method nothing.

    It is fitted once more, on the videos sorted by class. Then the nearest mean of a class among the training videos
    must not tell the class of training and test videos much better than after a fit in an order that is random.
    """
    subject.requires(check_unlabelled, check_no_gradient, check_unchanged, check_stored)
    split = subject.data.split("train")
    classes = _classes(split)
    if len(set(classes)) < 2:  # none where the data have no single labels
        return
    hidden = [classes[position] for position in hidden_order(split.videos)]
    by_class = sorted(range(len(hidden)), key=hidden.__getitem__)
    told = subject.fit(Subset(subject.train, by_class), None).encoder
    with_order, without = (_accuracy(encoder, subject) for encoder in (told, subject.encoder))
    expect(
        with_order <= without + GAIN,
        expected=f"a fit on videos sorted by class to tell classes as well as one in random order, {without:.0%}",
        got=f"{with_order:.0%}: it reads the class from the order of the videos",
        remedy="let the position of a video in the split be its name and nothing else",
    )


def _classes(split: Split) -> list[int]:
    kind = next(iter(split.classes), None)
    return [] if kind is None else [video.labels[kind] for video in split.videos]


def _accuracy(encoder: Encoder, subject: MethodSubject) -> float:
    """Share of train and test videos whose class has the nearest mean among train."""
    frozen = CachedEncoder(encoder, key="checked", device=subject.device)
    splits: Mapping[str, Split] = {name: subject.data.split(name) for name in ("train", "test")}
    vectors = {name: frozen.features(split).vectors.cpu() for name, split in splits.items()}
    labels = {name: torch.tensor(_classes(split)) for name, split in splits.items()}
    known = torch.tensor(sorted(set(labels["train"].tolist())))
    scale = vectors["train"].std(0).clamp(min=1e-6)
    means = torch.stack([vectors["train"][labels["train"] == label].mean(0) for label in known])
    nearest = torch.cat([torch.cdist(vectors[name] / scale, means / scale).argmin(1) for name in splits])
    return float((known[nearest] == torch.cat([labels[name] for name in splits])).float().mean())
