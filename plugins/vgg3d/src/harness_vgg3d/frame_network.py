"""A network of frames and the layers that are adapted, as one, and their loss."""

from __future__ import annotations

from collections import deque
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from harness.system.prefetch import to_device


class Adapted(Protocol):
    """Layers on maps of a clip's frames: maps (B, c, T, ...) -> (B, dim)."""

    def examples(self, maps: Tensor) -> Tensor:
        """Vectors (B, n, dim) that each learn the clip's label."""
        ...


class FrameNetwork(nn.Module):
    """Maps of all frames of a clip, and layers on them.

    Args:
        frames: normalised float clips (B, 3, T, H, W) -> maps (B, c, T, ...).
        adapted: maps -> (B, dim); an `Adapted`.
    """

    def __init__(self, frames: nn.Module, adapted: nn.Module) -> None:
        super().__init__()
        self.frames = frames
        self.adapted = adapted

    def forward(self, clips: Tensor) -> Tensor:
        """(B, 3, T, H, W) -> (B, dim)."""
        vectors: Tensor = self.adapted(self.frames(clips))
        return vectors


def label_loss(adapted: nn.Module, classifier: nn.Linear, maps: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of a clip's examples with its label, ().

    Args:
        adapted: an `Adapted`.
        classifier: (..., dim) -> (..., classes).
        maps: (B, c, T, ...).
        labels: (B,) int64.
    """
    logits = classifier(cast("Adapted", adapted).examples(maps))
    return cross_entropy(logits.flatten(0, 1), labels.repeat_interleave(logits.shape[1]))


class LossOnClips(nn.Module):
    """Loss of the whole network: normalised clips, labels -> loss."""

    def __init__(self, network: FrameNetwork, classifier: nn.Linear) -> None:
        super().__init__()
        self.network = network
        self.classifier = classifier

    def forward(self, clips: Tensor, labels: Tensor) -> Tensor:
        """(B, 3, T, H, W) and (B,) -> ()."""
        return label_loss(self.network.adapted, self.classifier, self.network.frames(clips), labels)


class LossOnMaps(nn.Module):
    """Loss of the adapted layers alone, on maps that were read ahead.

    Maps are in half precision and of any number of channels, so that they cannot be the pixels of a batch: whoever
    reads them puts those of each step, in order, into `waiting`. They stay until the loss is asked with the labels of
    another step, another tensor: a step may ask several times.
    """

    def __init__(self, adapted: nn.Module, classifier: nn.Linear) -> None:
        super().__init__()
        self.adapted = adapted
        self.classifier = classifier
        self.waiting: deque[Tensor] = deque()
        self._step: tuple[Tensor, Tensor] | None = None

    def forward(self, _: object, labels: Tensor) -> Tensor:
        """(B,) labels of a step, or of the next one -> ()."""
        return label_loss(self.adapted, self.classifier, self._maps(labels).float(), labels)

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # which tensor it is counts, not what is in it
    def _maps(self, labels: Tensor) -> Tensor:
        if self._step is None or self._step[0] is not labels:
            self._step = labels, self.waiting.popleft()
        return to_device(self._step[1], labels.device)


def reordered(maps: Tensor, orders: Tensor) -> Tensor:
    """Maps (B, c, T, ...) with the frames of each clip in an order of (B, T) int64.

    >>> reordered(torch.tensor([[[10, 11, 12]], [[20, 21, 22]]]), torch.tensor([[2, 0, 1], [0, 1, 2]])).tolist()
    [[[12, 10, 11]], [[20, 21, 22]]]
    """
    last = maps.movedim(1, -1)  # (B, T, ..., c)
    return last[torch.arange(len(maps))[:, None], orders].movedim(-1, 1)
