"""The spatial stream: a classifier of single frames, averaged over a video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from harness.values import as_tokens
from harness_vgg3d.cards import SPATIAL_STREAM
from harness_vgg3d.frame_method import FrameMethod
from harness_vgg3d.frame_network import FrameNetwork
from harness_vgg3d.trunk import on_single_frames

if TYPE_CHECKING:
    from harness.cards import MethodCard
    from harness.interfaces import Backbone
    from harness.values import Inputs


@dataclass(kw_only=True)
class SpatialStream(FrameMethod):
    """Train a new last layer on the vectors of frames; each has its video's label.

    A video's vector is the mean of its frames', so that the classifier's score of a video is the mean of the scores of
    its frames, before the softmax.

    Source: Husain, Dellen and Torras 2016, section V-B, after Simonyan and Zisserman, "Two-stream convolutional
    networks for action recognition in videos", 2014.
    """

    card: ClassVar[MethodCard] = SPATIAL_STREAM

    def dim(self, backbone: Backbone) -> int:
        """Length of the backbone's vectors."""
        return backbone.card.dim

    def assemble(self, network: nn.Module, backbone: Backbone, inputs: Inputs) -> FrameNetwork:
        """Take the network as it is, on each frame."""
        return FrameNetwork(FrameVectors(network), FrameMean(self.dropout))


class FrameVectors(nn.Module):
    """Vectors of single frames: (B, 3, T, H, W) -> (B, dim, T)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, clips: Tensor) -> Tensor:
        """(B, 3, T, H, W) -> (B, dim, T)."""
        vectors = on_single_frames(lambda frames: as_tokens(self.network(frames)).mean(1), clips)
        return vectors.view(clips.shape[0], clips.shape[2], -1).transpose(1, 2)


class FrameMean(nn.Module):
    """Mean over frames, which in training are examples of their own.

    Args:
        dropout: share of numbers of a frame's vector that is dropped in training.
    """

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, dim, T) -> (B, dim)."""
        return vectors.mean(2)

    def examples(self, vectors: Tensor) -> Tensor:
        """(B, dim, T) -> (B, T, dim): every frame is one example."""
        dropped: Tensor = self.dropout(vectors.mT)
        return dropped
