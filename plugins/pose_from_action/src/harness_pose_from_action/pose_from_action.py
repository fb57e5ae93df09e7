"""Pose from Action as a method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import safetensors
import safetensors.torch
import torch
from torch import nn

from harness.backbones.first_layer import with_input_channels
from harness.encoders.network import NetworkEncoder, only_stream
from harness.errors import DataError, UsageError, out_of_memory
from harness.system import files
from harness.system.seeding import derive_seed, seeded
from harness.training.epochs import epoch_videos
from harness.training.gradient_method import GradientMethod
from harness.values import Batch, Inputs, Promise
from harness.video.transforms import colour_jitter
from harness_pose_from_action.cards import POSE_FROM_ACTION
from harness_pose_from_action.pairs import augment, compute_flow, draw_negatives, read_pairs
from harness_pose_from_action.pretext_network import PretextLoss, PretextNetwork

if TYPE_CHECKING:
    from harness.cards import MethodCard, View
    from harness.interfaces import Backbone, Encoder, Session, Split

BRANCHES = "pretext.safetensors"
"""File of the motion branch and of the layers on top."""
BYTE = 20 / 127
"""Pixels of displacement in one step of 8-bit flow."""


class PoseFromActionEncoder(NetworkEncoder):
    """The appearance branch as an encoder, which keeps the whole network.

    Args:
        network: with both branches.
        backbone: which built the appearance branch.
    """

    def __init__(self, network: PretextNetwork, backbone: Backbone) -> None:
        card = backbone.card
        super().__init__(
            network.appearance, backbone.inputs, layers=card.layers, spatial=card.spatial, tokens=card.tokens
        )
        self.pretext = network.eval().requires_grad_(False)

    @cached_property
    def promise(self) -> Promise:
        """Properties of the encoder."""
        return _keeping_pretext(super().promise)

    def save(self, folder: Path) -> None:
        """Write the appearance branch as any network, and the others beside it."""
        super().save(folder)
        with files.replacing(folder / BRANCHES) as temporary:
            safetensors.torch.save_file(_branches(self.pretext), temporary)


@dataclass(kw_only=True)
class PoseFromAction(GradientMethod):
    """Tell whether a block of flow is what changed one frame into another.

    One example is a pair of frames with its block of flow and `negatives` blocks of other videos of the batch. Every
    video is shown once an epoch, at a random time and place; pairs are mirrored and played backwards at random. Flow
    comes from the cache that all methods share; what it lacks is computed before the first step.

    Source: Purushwalkam and Gupta 2016, section 3. The recipe of the defaults is ours: with the paper's, networks do
    not start in small budgets.

    Raises:
        UsageError: when an option is impossible.
    """

    card: ClassVar[MethodCard] = POSE_FROM_ACTION

    apart: int = 12
    """Frames from the first to the second, and maps of flow between them."""
    negatives: int = 2
    """Blocks of other videos for each pair."""
    hidden: int = 1024
    """Units of the fully connected layer on top of the branches; 4096 in the paper."""
    dropout: float = 0.0
    """Share of units of the branches and of the layer on top that is dropped.

    0.5 in VGG-M.
    """
    frame_colour: float = 0.0
    """Strength of a jitter of each frame's colours, to 0.5; not in the paper."""
    batch_size: int = 32
    optimizer: Literal["sgd", "adamw"] = "adamw"
    lr: float = 3e-4
    weight_decay: float = 0.005

    def __post_init__(self) -> None:
        if min(self.apart, self.negatives, self.hidden) < 1 or not 0 <= self.dropout < 1:
            msg = (
                f"method {self.card.name!r}: apart, negatives and hidden must be at least 1 and dropout in [0, 1), "
                f"got {self.apart}, {self.negatives}, {self.hidden} and {self.dropout}"
            )
            raise UsageError(msg)
        if not 0 <= self.frame_colour <= 0.5:
            msg = f"method {self.card.name!r}: frame_colour must be from 0 to 0.5, got {self.frame_colour}"
            raise UsageError(msg)

    def promise(self, backbone: Backbone) -> Promise:
        """Properties of the appearance branch, beside which the whole network is kept."""
        return _keeping_pretext(super().promise(backbone))

    def frames_per_example(self, view: View) -> int:
        """Three: two frames, and the block between them."""
        return 3

    def view(self, inputs: Inputs | Mapping[str, Inputs]) -> View:
        """View that gives the size of frames; of clips, single frames are shown.

        Raises:
            UsageError: when it is of whole videos.
        """
        return super().view(inputs["frames"] if isinstance(inputs, Mapping) else inputs)

    def batch(self, train: Split, view: View, size: int, step: int, session: Session) -> Batch:
        """Read this process's pairs of a step, and draw their negatives."""
        seed, rank, world = session.budget.seed, session.rank, session.world
        eligible = self._eligible(train)
        generator = torch.Generator().manual_seed(derive_seed(seed, step, rank))
        videos = eligible[epoch_videos(len(eligible), size, step, seed=seed, rank=rank, world=world)]
        times = torch.tensor([train.videos[index].frames - self.apart for index in videos.tolist()])
        first = (torch.rand(size, generator=generator, dtype=torch.float64) * times).long()
        pairs = read_pairs(train, videos, first, self.apart, view.size, generator)
        augment(pairs, generator)
        frames = pairs.frames.flatten(0, 1)
        if self.frame_colour:
            frames = colour_jitter(frames, self.frame_colour, generator)
        negatives = draw_negatives(videos, self.negatives, generator)
        return Batch({"frames": frames, "flow": pairs.flow}, negatives, 3 * size)

    def _eligible(self, train: Split) -> torch.Tensor:
        """Positions of the videos that have two frames so far apart.

        Raises:
            DataError: when fewer than two have.
        """
        long = torch.tensor([video.frames > self.apart for video in train.videos]).nonzero().flatten()
        if len(long) < 2:
            msg = (
                f"method {self.card.name!r} learns from frames {self.apart} apart of at least two videos; "
                f"{len(long)} of {len(train)} videos are longer than that: choose a smaller `apart`"
            )
            raise DataError(msg)
        return long

    def build_network(self, backbone: Backbone, seed: int) -> PretextNetwork:
        """Build both branches and the layers on top, random by the seed.

        Raises:
            UsageError: when the backbone has no convolution that could take flow, or sees whole videos.
        """
        view, images = self.view(backbone.inputs), only_stream(backbone.inputs)
        appearance = backbone.build(seed=seed)
        with seeded(derive_seed(seed)):
            motion = with_input_channels(backbone.build(seed=derive_seed(seed, 1)), 2 * self.apart)
            unit = BYTE * images.std[0] / images.scale  # a step of 8-bit flow counts as much as one of an image
            flow = Inputs(view=view, mean=(0.0, 0.0), std=(unit, unit), scale=1.0, kind="flow")
            return PretextNetwork(
                appearance,
                motion,
                backbone.card.dim,
                hidden=self.hidden,
                dropout=self.dropout,
                apart=self.apart,
                inputs={"frames": images, "flow": flow},
            )

    def build_loss(self, network: nn.Module, dim: int, train: Split) -> nn.Module:
        """Build the loss around a network of both branches."""
        assert isinstance(network, PretextNetwork)
        return PretextLoss(network)

    def fit(self, backbone: Backbone, train: Split, session: Session) -> Encoder:
        """Train a new network of `backbone` and its motion branch on the whole budget.

        Raises:
            DataError: when fewer than two videos are long enough, or one does not decode.
            UsageError, DivergedError: as in `GradientMethod.fit`, and as in `build_network`.
        """
        network = self.build_network(backbone, session.budget.seed)
        view = self.view(backbone.inputs)
        self.plan(view, session)
        compute_flow(train, self._eligible(train)[session.rank :: session.world].tolist(), view.size, session.device)
        session.gather(torch.zeros(1, device=session.device))  # all wait for all
        loss = self.build_loss(network, backbone.card.dim, train)
        assert isinstance(loss, PretextLoss)
        self.train(loss, network.inputs, train, session, start_epoch=partial(_curves, loss))
        return PoseFromActionEncoder(network, backbone)

    def load(self, backbone: Backbone, folder: Path) -> Encoder:
        """Load an encoder and its pretext network, as `PoseFromActionEncoder.save` wrote.

        Raises:
            DataError: when weights are missing, damaged or of another network.
        """
        encoder = super().load(backbone, folder)
        assert isinstance(encoder, NetworkEncoder)
        network = self.build_network(backbone, 0)
        network.appearance.load_state_dict(encoder.module.state_dict())
        try:
            stored = safetensors.torch.load_file(folder / BRANCHES)
            network.motion.load_state_dict(_part(stored, "motion."))
            network.head.load_state_dict(_part(stored, "head."))
        except (OSError, RuntimeError, safetensors.SafetensorError) as error:
            if out_of_memory(error):
                raise
            problem = " ".join(str(error).split())
            msg = f"{folder}: the stored pretext network cannot be read ({problem}); delete the folder and run again"
            raise DataError(msg) from error
        return PoseFromActionEncoder(network, backbone)


def _curves(loss: PretextLoss, epoch: int) -> dict[str, float]:
    """Numbers of the epoch before."""
    return loss.curves()


def _keeping_pretext(promise: Promise) -> Promise:
    return replace(promise, offers=promise.offers | {"pretext"})


def _branches(network: PretextNetwork) -> dict[str, torch.Tensor]:
    parts = {"motion.": network.motion, "head.": network.head}
    return {
        prefix + name: tensor.cpu().contiguous()
        for prefix, part in parts.items()
        for name, tensor in part.state_dict().items()
    }


def _part(stored: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in stored.items() if name.startswith(prefix)}
