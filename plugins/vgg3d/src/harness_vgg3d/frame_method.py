"""Methods that adapt layers to the frames of videos, on a network of images."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from harness.cards import View
from harness.encoders.network import only_stream
from harness.errors import DataError, UsageError
from harness.system.seeding import derive_seed, seeded
from harness.training.epochs import epoch_videos
from harness.training.gradient_method import GradientMethod
from harness.values import Batch, Inputs, Promise
from harness.video.loader import read_clips
from harness.video.sampling import clip_frames
from harness.video.transforms import random_flip
from harness_vgg3d.classified import ClassifiedEncoder, ClassifiedNetwork, keeping_classifier, load_classified
from harness_vgg3d.frame_network import FrameNetwork, LossOnClips, LossOnMaps, reordered
from harness_vgg3d.maps import FrameMaps, StoredMaps

if TYPE_CHECKING:
    from harness.interfaces import Backbone, Encoder, Session, Split


@dataclass(kw_only=True)
class FrameMethod(GradientMethod):
    """Learn labels by layers on an image network that sees frames of a video.

    Every video is one example an epoch, and counts all of its frames, also where they come from the disk. Adaptation
    layers are trained on the maps of the centre crops, which are computed once; a network that is trained as a whole
    sees random crops and mirror images.

    The image network starts from the option `start`, a file or another fit, or random.

    Raises:
        UsageError: when an option is impossible.
    """

    trained: Literal["adaptation", "all"] = "adaptation"
    """Layers that are trained: the new ones, or the image network too."""
    frames: int = 30
    """Frames of a clip, the middles of as many equal parts of the video."""
    label: str = "action"
    """The kind of label that is learnt."""
    dropout: float = 0.5
    """Share of units dropped in training."""
    batch_size: int = 60
    lr: float = 0.01
    weight_decay: float = 5e-4

    def __post_init__(self) -> None:
        if self.frames < 1 or not 0 <= self.dropout < 1:
            msg = (
                f"method {self.card.name!r}: frames must be at least 1 and dropout in [0, 1), "
                f"got {self.frames} and {self.dropout}"
            )
            raise UsageError(msg)

    @abstractmethod
    def dim(self, backbone: Backbone) -> int:
        """Length of the vectors.

        Raises:
            UsageError: when the backbone is not one that the method can use.
        """

    @abstractmethod
    def assemble(self, network: nn.Module, backbone: Backbone, inputs: Inputs) -> FrameNetwork:
        """Put new layers on an image network.

        Raises:
            UsageError: when the network is not one that the method can use.
        """

    def orders(self, size: int, generator: torch.Generator) -> Tensor | None:
        """Order of the frames of each clip, (size, frames) int64; None for time's."""
        return None

    def clip_inputs(self, backbone: Backbone) -> Inputs:
        """Inputs of the whole network: the backbone's pixels, frames of the whole video.

        Raises:
            UsageError: when the backbone has several streams, or sees whole videos or flow.
        """
        inputs = only_stream(backbone.inputs)
        view = self.view(inputs)
        if inputs.kind != "rgb":
            msg = f"method {self.card.name!r} expects a backbone that sees images, got one of {inputs.kind}"
            raise UsageError(msg)
        resize = max(view.short_side, round(view.size * 8 / 7))
        return replace(inputs, view=View(frames=self.frames, stride="uniform", size=view.size, resize=resize))

    def promise(self, backbone: Backbone) -> Promise:
        """Properties of the encoder: the vectors before the classifier, which is kept."""
        view = self.clip_inputs(backbone).view
        return keeping_classifier(
            Promise(views=(view,), shape=(self.dim(backbone),), offers=frozenset({"vector", "trainable"}))
        )

    def frames_per_example(self, view: View) -> int:
        """All frames of a clip, whether they are read or their maps."""
        return self.frames

    def build_loss(self, network: nn.Module, dim: int, train: Split) -> LossOnClips:
        """The whole network with a new classifier."""
        assert isinstance(network, FrameNetwork)  # `fit` makes it
        return LossOnClips(network, nn.Linear(dim, len(self._classes(train))))

    def fit(self, backbone: Backbone, train: Split, session: Session) -> Encoder:
        """Learn the labels of `train`.

        Raises:
            UsageError: when the budget does not suffice for one example, or the backbone cannot be used.
            DataError: when `train` has no such label, a video does not decode, or maps do not fit on the disk.
            DivergedError: when the loss becomes NaN or infinite.
        """
        seed = session.budget.seed
        inputs, classes = self.clip_inputs(backbone), self._classes(train)
        with seeded(derive_seed(seed)):
            network = self.assemble(backbone.build(seed=seed), backbone, inputs)
            loss = self.build_loss(network, self.dim(backbone), train)
        network.to(session.device)
        if self.trained == "all":
            self.train(loss, inputs, train, session)
        else:
            self._adapt(network, loss.classifier, inputs, train, session)
        return ClassifiedEncoder(ClassifiedNetwork(network, loss.classifier, classes), inputs)

    def load(self, backbone: Backbone, folder: Path) -> Encoder:
        """The encoder that was saved.

        Raises:
            DataError: when what is there is missing, damaged or of another network.
        """
        inputs = self.clip_inputs(backbone)
        return load_classified(self.assemble(backbone.build(seed=0), backbone, inputs), inputs, folder)

    def batch(self, train: Split, view: View, size: int, step: int, session: Session) -> Batch:
        """Read this process's clips of a step, cropped and mirrored at random."""
        videos, generator = self._drawn(train, size, step, session)
        frames = torch.cat([clip_frames(train.videos[index].frames, view) for index in videos.tolist()])
        if (orders := self.orders(size, generator)) is not None:
            frames = frames.gather(1, orders)
        clips = read_clips(train, videos, frames, size=view.size, generator=generator)
        return Batch(random_flip(clips, generator), self._labels(train, videos))

    def _drawn(self, train: Split, size: int, step: int, session: Session) -> tuple[Tensor, torch.Generator]:
        """This process's videos of a step, (size,) int64, and the chance of the step."""
        seed, rank = session.budget.seed, session.rank
        videos = epoch_videos(len(train), size, step, seed=seed, rank=rank, world=session.world)
        return videos, torch.Generator().manual_seed(derive_seed(seed, step, rank))

    def _adapt(
        self, network: FrameNetwork, classifier: nn.Linear, inputs: Inputs, train: Split, session: Session
    ) -> None:
        """Train the new layers on maps from the disk; the image network stays as it is."""
        size, steps = self.plan(self.view(inputs), session)
        network.frames.eval().requires_grad_(False)
        maps = FrameMaps(network.frames, inputs).of(train, rank=session.rank, world=session.world)
        session.gather(torch.zeros(1, device=session.device))  # until all processes have computed their share
        loss = LossOnMaps(network.adapted, classifier)
        session.train(
            loss,
            {},
            partial(self._read_maps, maps, loss, train, size, session),
            steps=steps,
            optimizer=self._optimizer(loss),
            schedule=self._schedule(steps),
            clip_gradients=self.clip_gradients,
            epoch=max(1, -(-len(train) // (size * session.world))),
        )

    def _read_maps(
        self, maps: StoredMaps, loss: LossOnMaps, train: Split, size: int, session: Session, step: int
    ) -> Batch:
        """Read the maps of a step for the loss, and give their labels."""
        videos, generator = self._drawn(train, size, step, session)
        read = maps.read(videos.tolist())
        if (orders := self.orders(size, generator)) is not None:
            read = reordered(read, orders)
        loss.waiting.append(read.pin_memory() if session.device.startswith("cuda") else read)
        return Batch({}, self._labels(train, videos), frames=size * self.frames)

    def _classes(self, train: Split) -> tuple[str, ...]:
        if self.label not in train.classes:
            msg = f"the training split has no label {self.label!r}; it has: {', '.join(train.classes) or 'none'}"
            raise DataError(msg)
        return tuple(train.classes[self.label])

    def _labels(self, train: Split, videos: Tensor) -> Tensor:
        return torch.tensor([train.videos[index].labels[self.label] for index in videos.tolist()])
