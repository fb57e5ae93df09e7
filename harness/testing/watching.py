"""Splits and backbones that watch the frames and labels a plugin uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn, cast

import torch
from torch import Tensor, nn

from harness.cards import BackboneCard, DatasetCard
from harness.datasets.split_views import SplitView
from harness.errors import HarnessError
from harness.interfaces import Backbone, Dataset, Split
from harness.values import Video


class CountingSplit(SplitView):
    """Split that counts the frames read from it, in threads and forked processes too.

    >>> from harness.testing import MovingSquares
    >>> split = CountingSplit(MovingSquares().split("train"))
    >>> _ = split.read(0, [0, 5, 5])
    >>> split.frames_read
    3
    """

    def __init__(self, split: Split) -> None:
        super().__init__(split)
        self._read = torch.zeros((), dtype=torch.int64)
        self._read.share_memory_()  # type: ignore[no-untyped-call]  # torch has no types here

    @property
    def frames_read(self) -> int:
        """Number of frames read so far; one that is read again counts again."""
        return int(self._read)

    def read(self, index: int, frames: Sequence[int] | None = None, *, short_side: int | None = None) -> Tensor:
        """Read frames of a video, and count them."""
        clip = super().read(index, frames, short_side=short_side)
        self._read += len(clip)
        return clip

    def unlabelled(self) -> Split:
        """Hide labels; both splits share one count."""
        bare = CountingSplit(super().unlabelled())
        bare._read = self._read
        return bare


class LabelsTouchedError(HarnessError):
    """Access to labels, groups, classes or paths by an unsupervised method."""


@dataclass
class _Refusal:
    touched: list[str] = field(default_factory=list)

    def __call__(self, what: str) -> NoReturn:
        self.touched.append(what)
        msg = f"an unlabelled split was asked for {what}, which an unsupervised method must not look at"
        raise LabelsTouchedError(msg)


class _RefusedLabels(Mapping[str, Any]):
    """Labels, or targets, that can be passed around, but not read."""

    def __init__(self, refuse: _Refusal) -> None:
        self._refuse = refuse

    def __getitem__(self, kind: str) -> Any:
        self._refuse("a video's labels")

    def __iter__(self) -> Iterator[str]:
        self._refuse("a video's labels")

    def __len__(self) -> int:
        self._refuse("a video's labels")

    def __repr__(self) -> str:
        return "{}"


class _RefusedGroup(str):
    """Group that can be passed around, but not compared, hashed or printed."""

    _refuse: _Refusal

    def __eq__(self, other: object) -> bool:
        self._refuse("a video's group")

    def __hash__(self) -> int:
        self._refuse("a video's group")

    def __len__(self) -> int:
        self._refuse("a video's group")

    def __str__(self) -> str:
        self._refuse("a video's group")

    def __format__(self, spec: str) -> str:
        self._refuse("a video's group")


class _RefusedPath:
    """Path that can be passed around, but not read, compared, hashed or printed."""

    def __init__(self, refuse: _Refusal) -> None:
        self._refuse = refuse

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__") or name == "_refuse":
            raise AttributeError(name)
        self._refuse("a video's path")

    def __fspath__(self) -> str:
        self._refuse("a video's path")

    def __truediv__(self, other: object) -> str:
        self._refuse("a video's path")

    def __eq__(self, other: object) -> bool:
        self._refuse("a video's path")

    def __hash__(self) -> int:
        self._refuse("a video's path")

    def __str__(self) -> str:
        self._refuse("a video's path")

    def __repr__(self) -> str:
        return "Path()"


class BlindSplit(SplitView):
    """Unlabelled split that raises on access to labels, groups, classes or paths.

    Other unlabelled splits show empty ones.

    Args:
        split: any split; its labels are not used.

    >>> from harness.testing import MovingSquares
    >>> split = BlindSplit(MovingSquares().split("train"))
    >>> split.videos[0].labels.get("action", 0)
    Traceback (most recent call last):
    ...
    harness.testing.watching.LabelsTouchedError: an unlabelled split was asked for a video's labels, which an \
unsupervised method must not look at
    """

    def __init__(self, split: Split) -> None:
        super().__init__(split.unlabelled())
        self._refuse = _Refusal()
        group = _RefusedGroup()
        group._refuse = self._refuse
        labels = _RefusedLabels(self._refuse)
        path = cast("Path", _RefusedPath(self._refuse))
        self._videos = tuple(
            replace(video, labels=labels, multilabels=labels, targets=labels, group=group, path=path)
            for video in self._split.videos
        )

    @property
    def touched(self) -> list[str]:
        """Accesses so far, also those whose exception was caught."""
        return self._refuse.touched

    @property
    def videos(self) -> Sequence[Video]:
        """Videos whose labels, targets, groups and paths raise `LabelsTouchedError`."""
        return self._videos

    @property
    def classes(self) -> Mapping[str, tuple[str, ...]]:
        """Raise `LabelsTouchedError`."""
        self._refuse("its classes")

    @property
    def multilabel_classes(self) -> Mapping[str, tuple[str, ...]]:
        """Raise `LabelsTouchedError`."""
        self._refuse("its classes")

    @property
    def left_out(self) -> Mapping[str, str]:
        """Raise `LabelsTouchedError`."""
        self._refuse("the videos left out")

    def unlabelled(self) -> Split:
        """Return the split itself, which has no labels."""
        return self


class RelabelledTest:
    """Data set with the labels of its test videos randomly permuted.

    Sets of classes and targets are permuted with them.

    Args:
        data: any data set with a split `test`.
        seed: seed of the permutation.
    """

    def __init__(self, data: Dataset, seed: int) -> None:
        self.card: DatasetCard = data.card
        self._data = data
        self._seed = seed

    def split(self, name: str) -> Split:
        """Return the split `name`; only `test` is changed."""
        split = self._data.split(name)
        return _Relabelled(split, self._seed) if name == "test" else split


class _Relabelled(SplitView):
    def __init__(self, split: Split, seed: int) -> None:
        super().__init__(split)
        order = torch.randperm(len(split), generator=torch.Generator().manual_seed(seed)).tolist()
        dealt = [split.videos[index] for index in order]
        self._videos = tuple(
            replace(video, labels=other.labels, multilabels=other.multilabels, targets=other.targets)
            for video, other in zip(split.videos, dealt, strict=True)
        )
        self._manifest = f"{split.manifest}-{seed}"

    @property
    def videos(self) -> Sequence[Video]:
        return self._videos

    @property
    def manifest(self) -> str:
        return self._manifest


class WatchedBackbone:
    """Backbone that builds another one's networks and watches their inputs.

    Frames are counted where they pass forward through such a network while gradients are recorded: that is the only
    place where neither caching, nor reading ahead, nor decoding more than is used changes the number.

    Args:
        backbone: builds the networks.
    """

    def __init__(self, backbone: Backbone) -> None:
        self.card: BackboneCard = backbone.card
        self.inputs = backbone.inputs
        self._backbone = backbone
        self.frames_shown = 0
        """Number of training frames shown so far."""
        self.largest_batch = 0
        """Largest number of frames shown in one pass."""
        self.kept: list[Tensor] | None = None
        """Inputs of the networks, of each stream, while this is a list.

        Nothing is counted then.
        """

    def build(self, *, seed: int) -> nn.Module:
        """Build a network that, like its deep copies, reports to this object."""
        network = self._backbone.build(seed=seed)
        network.register_forward_pre_hook(_Watch(self), with_kwargs=True)
        return network


class _Watch:
    """Forward hook that copies of its network share."""

    def __init__(self, watched: WatchedBackbone) -> None:
        self._watched = watched

    def __call__(self, network: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        given = next(iter((*arguments, *named.values())))
        streams = [given] if isinstance(given, Tensor) else [*given.values()]
        if self._watched.kept is not None:
            self._watched.kept += [clips.detach().clone() for clips in streams]
        elif torch.is_grad_enabled():
            frames = max(clips.shape[0] * clips.shape[2] for clips in streams)
            self._watched.frames_shown += frames
            self._watched.largest_batch = max(self._watched.largest_batch, frames)

    def __deepcopy__(self, memo: dict[int, object]) -> _Watch:
        return self
