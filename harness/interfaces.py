"""Contracts of methods, encoders, backbones, data sets and evaluators."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from harness.cards import BackboneCard, DatasetCard, EvaluatorCard, MethodCard
from harness.errors import DataError, UsageError
from harness.values import (
    Aggregate,
    Batch,
    Budget,
    ComputePrecision,
    Encoding,
    Evaluation,
    Inputs,
    Promise,
    Recipe,
    Video,
    VideoBatch,
    as_tokens,
)

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor, nn


class Split(Protocol):
    """Videos of a data set; a method gets them unlabelled."""

    @property
    def name(self) -> str:
        """`train` or `test`."""
        ...

    @property
    def labelled(self) -> bool:
        """Labels and groups are there."""
        ...

    @property
    def videos(self) -> Sequence[Video]:
        """The videos, in a fixed order."""
        ...

    @property
    def classes(self) -> Mapping[str, tuple[str, ...]]:
        """For each kind of label, the names of its classes; empty in an unlabelled split."""
        ...

    @property
    def multilabel_classes(self) -> Mapping[str, tuple[str, ...]]:
        """For each multi-label kind, the names of its classes; as `classes`."""
        ...

    @property
    def left_out(self) -> Mapping[str, str]:
        """Reason for each listed video that the split lacks, by its path.

        Of several videos of one file also by their ids. Empty in an unlabelled split. A reason is a key of
        `harness.video.probe.REASONS`.
        """
        ...

    @property
    def manifest(self) -> str:
        """Hash of all that the split contains: bytes, frames, ids, labels, groups, order."""
        ...

    def __len__(self) -> int: ...

    def read(self, index: int, frames: Sequence[int] | None = None, *, short_side: int | None = None) -> Tensor:
        """Read frames of video `index` as (T, H, W, C) uint8 RGB.

        Args:
            index: position in `videos`.
            frames: frame indices in any order, repeats allowed; all frames when None.
            short_side: pixels; the file's own size when None.

        Raises:
            DataError: when the file is missing or does not decode to the frames its record promises.
        """
        ...

    def flow(self, index: int, frames: Sequence[int], *, short_side: int, device: str = "cpu") -> Tensor:
        """Read TV-L1 flow of video `index` as (T, 2, H, W) float32.

        It comes from the cache that all splits share. Pixels from each of `frames` to the next frame of the video,
        horizontal before vertical, up to 20 pixels.

        Args:
            index: position in `videos`.
            frames: frame indices in any order, repeats allowed; none the video's last.
            short_side: pixels that the short side of the frames is resized to before.
            device: on which flow that is not in the cache is computed.

        Raises:
            DataError: when the video is an image or does not decode, or a frame is its last.
        """
        ...

    def unlabelled(self) -> Split:
        """Hide labels, targets, groups, classes, joints, names, paths and order.

        Nothing public, nor the repr or the pickle, may tell them. Records are `harness.video.anonymous.anonymous`, in
        the order `harness.video.anonymous.hidden_order` of the videos; an unlabelled split gives itself.
        """
        ...


@dataclass(frozen=True, slots=True)
class Features:
    """Encoded videos of a split."""

    blocks: tuple[np.ndarray[Any, Any], ...]
    """Arrays (N, V, *shape), float32 or float16, of N videos with V clips and crops.

    As a rule mapped from files; one for each part of a composite.
    """
    split: Split
    device: str = "cpu"
    aggregate: Aggregate = "mean"
    """Reduction of the vectors of a video's clips and crops to one."""

    def per_clip(self) -> Tensor:
        """Vectors of clips, (N, V, D) float32 on the device, blocks concatenated.

        The vector of tokens, or of a map, is their mean.

        Raises:
            UsageError: when the blocks have different numbers of clips.
        """
        import torch

        counts = {block.shape[1] for block in self.blocks}
        if len(counts) > 1:
            msg = f"blocks of {sorted(counts)} clips have no common clips; expected equally many"
            raise UsageError(msg)
        parts = [torch.cat([*self._chunks(block)]) for block in self.blocks]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)

    @property
    def vectors(self) -> Tensor:
        """Vectors of videos, (N, D) float32 on the device, blocks concatenated.

        The mean, or the maximum, over clips and crops.
        """
        import torch

        parts = [torch.cat([self.pooled(rows, 1) for rows in self._chunks(block)]) for block in self.blocks]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    def pooled(self, vectors: Tensor, axis: int) -> Tensor:
        """Mean or maximum of vectors along the axis of their clips or crops."""
        return vectors.amax(axis) if self.aggregate == "max" else vectors.mean(axis)

    def _chunks(self, block: np.ndarray[Any, Any]) -> Iterator[Tensor]:
        """Vectors of clips (M, V, D) float32 on the device, of M videos at a time."""
        import numpy as np
        import torch

        size = max(1, min(1024, 2**24 // max(1, math.prod(block.shape[1:]))))
        for start in range(0, len(block) or 1, size):
            rows = torch.from_numpy(np.array(block[start : start + size], dtype=np.float32)).to(self.device)
            tokens = as_tokens(rows.flatten(0, 1))
            yield tokens.mean(1).reshape(*rows.shape[:2], tokens.shape[2])

    def labels(self, kind: str) -> Tensor:
        """(N,) int64 class indices of the label `kind`.

        Raises:
            DataError: when a video has no such label.
        """
        import torch

        try:
            values = [video.labels[kind] for video in self.split.videos]
        except KeyError:
            known = ", ".join(self.split.classes) or "none"
            msg = f"split {self.split.name!r} has no label {kind!r}; it has: {known}"
            raise DataError(msg) from None
        return torch.tensor(values, dtype=torch.int64, device=self.device)

    def membership(self, kind: str) -> Tensor:
        """(N, C) bool: classes of each video, of the multi-label kind `kind`.

        Raises:
            DataError: when the split has no such kind, or a video has none of it or a class without a name.
        """
        import torch

        names = self.split.multilabel_classes.get(kind, ())
        if kind in self.split.multilabel_classes and not names:
            msg = f"no video of split {self.split.name!r} has a class of the multi-label kind {kind!r}"
            raise DataError(msg)
        table = torch.zeros(len(self.split), len(names), dtype=torch.bool)
        for row, video in zip(table, self.split.videos, strict=True):
            classes = video.multilabels.get(kind)
            if not names or classes is None or any(not 0 <= index < len(names) for index in classes):
                known = ", ".join(self.split.multilabel_classes) or "none"
                msg = f"split {self.split.name!r} has no multi-label kind {kind!r} of all its videos; it has: {known}"
                raise DataError(msg)
            row[list(classes)] = True
        return table.to(self.device)

    def targets(self, name: str) -> Tensor:
        """(N,) float64 regression target `name` of each video.

        Raises:
            DataError: when a video has no such target.
        """
        import torch

        try:
            values = [video.targets[name] for video in self.split.videos]
        except KeyError:
            known = ", ".join(dict.fromkeys(name for video in self.split.videos for name in video.targets)) or "none"
            msg = f"split {self.split.name!r} has no target {name!r} of every video; it has: {known}"
            raise DataError(msg) from None
        return torch.tensor(values, dtype=torch.float64, device=self.device)


class Encoder(Protocol):
    """The frozen outcome of a method: a clip becomes a vector."""

    @property
    def promise(self) -> Promise:
        """Properties of the encoder; its method promised them before the fit."""
        ...

    def encode(self, batch: VideoBatch) -> Tensor:
        """Encode clips as (B, *shape) float32 on the batch's device.

        A shape is one that `harness.values.as_tokens` reads. There is no gradient, no state changes, no clip is
        influenced by its batch.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write all that `Method.load` needs into `folder`, as safetensors and JSON."""
        ...


class Trainable(Protocol):
    """A network with what it wants to see; encoders that offer `trainable` are one."""

    @property
    def module(self) -> nn.Module:
        """Normalised float clips (B, C, T, H, W) -> (B, dim)."""
        ...

    @property
    def inputs(self) -> Inputs | Mapping[str, Inputs]:
        """Inputs of the module; a mapping for a network of several streams."""
        ...

    @property
    def precision(self) -> ComputePrecision:
        """Precision in which the module is to multiply, also where it is trained on."""
        ...

    @property
    def dim(self) -> int:
        """Length of its vectors."""
        ...


class PretextTrained(Protocol):
    """A network that learnt a pretext task; encoders that offer `pretext` keep one."""

    @property
    def pretext(self) -> nn.Module:
        """The task's whole network, of which the encoder is a part.

        Its class, and the inputs that it takes, are known to the evaluator of its method.
        """
        ...


@runtime_checkable
class FromLibrary(Protocol):
    """Extra of a backbone that is a library's network under the library's names."""

    @property
    def recipe(self) -> Recipe:
        """Python that builds it with the library alone."""
        ...


@runtime_checkable
class WholeVideos(Protocol):
    """Extra of an encoder that reads videos by itself, in worker processes."""

    def encode_videos(self, split: Split, done: Container[int]) -> Iterator[tuple[int, Tensor]]:
        """Encode the videos that are not `done`: position and (*shape) float32.

        Args:
            split: unlabelled, in an order that tells nothing; reading goes through it.
            done: positions of videos whose vectors are stored.

        Raises:
            DataError: when a video does not decode.
        """
        ...


class StoredVectors(Protocol):
    """Vectors that were computed elsewhere; encoders of the view `Elsewhere` are such.

    Ids of videos may tell their class. So this is asked of no other encoder, and boards say of each that nobody can
    check what its vectors come from.
    """

    def vectors(self, videos: Sequence[str]) -> Tensor:
        """Vectors of videos by their ids, (N, *shape) float32.

        Raises:
            DataError: when a video has none.
        """
        ...


@runtime_checkable
class Illustrated(Protocol):
    """Extra of an encoder that can show people what it sees."""

    def illustrations(self, split: Split) -> Mapping[str, bytes]:
        """Files by name, such as `trajectories.png`, drawn on videos of `split`."""
        ...


class FrozenEncoder(Protocol):
    """An encoder as evaluators get it: nothing that they do changes it."""

    @property
    def key(self) -> str:
        """Name of the encoder in the store."""
        ...

    @property
    def promise(self) -> Promise:
        """Properties of the encoder."""
        ...

    @property
    def device(self) -> str:
        """Device that it encodes on, "cpu" or "cuda"."""
        ...

    def features(self, split: Split, encoding: Encoding = ...) -> Features:
        """Encode every video of `split` unless stored; `encoding.split` is ignored.

        Raises:
            DataError: when a video cannot be decoded, or what is encoded is NaN or infinite, naming the video.
            PluginError: when the encoder breaks its promise, or changes while encoding.
            UsageError: when the encoder has no such layer, has no tokens and is asked for them, or is shown whole
                videos and asked for clips.
        """
        ...

    def asking(self, asked: Encoding) -> FrozenEncoder:
        """The same encoder; `asked` fills what an encoding leaves open."""
        ...

    def encode(self, batch: VideoBatch) -> Tensor:
        """Encode clips that are no part of a split; (B, *shape) float32 on the device."""
        ...

    def network(self) -> Trainable | None:
        """A copy of the encoder's network, to be changed at will; None where it has none."""
        ...

    def pretext(self) -> nn.Module | None:
        """A copy of the network of the pretext task; None where the encoder keeps none."""
        ...


class Backbone(Protocol):
    """Builds the network a method trains."""

    @property
    def card(self) -> BackboneCard:
        """Card of the built object, options applied."""
        ...

    @property
    def inputs(self) -> Inputs | Mapping[str, Inputs]:
        """Inputs of the network; a mapping for a network of several streams."""
        ...

    def build(self, *, seed: int) -> nn.Module:
        """Build a network, normalised float clips (B, C, T, H, W) -> (B, dim).

        Equal seeds give equal weights.
        """
        ...


@runtime_checkable
class FromFiles(Protocol):
    """Extra of a backbone whose structure lies in files."""

    @property
    def content(self) -> str:
        """Hash of what they say, for keys; empty where there are none."""
        ...


class Stateful(Protocol):
    """Object whose state can be stored and put back, such as a network."""

    def state_dict(self) -> Mapping[str, Any]:
        """Everything that matters, by name: tensors, numbers, strings, lists of them."""
        ...

    def load_state_dict(self, state: Mapping[str, Any], /) -> object:
        """Put back what `state_dict` gave."""
        ...


class Stage(Protocol):
    """Part of a fit that is done once: it trains, with checkpoints of its own."""

    def train(
        self,
        loss: nn.Module,
        inputs: Inputs | Mapping[str, Inputs],
        batches: Callable[[int], Batch],
        *,
        steps: int,
        optimizer: torch.optim.Optimizer,
        schedule: Literal["cosine"] | Sequence[int] = (),
        clip_gradients: float | None = None,
        epoch: int | None = None,
        start_epoch: Callable[[int], Mapping[str, float] | None] | None = None,
    ) -> None:
        """Train `loss` in place.

        An interrupted training goes on from its last checkpoint and ends with the same bits: the batch of a step must
        depend on the step alone, and everything learnt must lie in parameters and buffers of `loss`. Random numbers of
        a step are seeded by seed, step and rank. With several processes, gradients are averaged; buffers are not
        exchanged until the end, or until it goes on, when all get those of rank 0: what has to stay equal, exchange by
        `gather`. Multiplies in the precision of the run.

        Args:
            loss: a module around the network: normalised float inputs, and targets where the batch has any -> loss.
            inputs: how pixels become the network's input, by name for several streams; applied to each batch.
            batches: step -> this process's part of its batch; called in another thread, ahead of the training.
            steps: how many.
            optimizer: of the parameters of `loss`.
            schedule: `cosine` falls to zero over the training; numbers are steps after which the rate is a tenth.
            clip_gradients: largest norm of all gradients together.
            epoch: steps of an epoch; all when None.
            start_epoch: called with the number of each epoch before its first step; what it changes must lie in
                buffers of `loss`. Numbers that it returns by name are logged at that step.

        Raises:
            DivergedError: when the loss becomes NaN or infinite.
            PluginError: when a batch has other streams than `inputs`.
        """
        ...


class Session(Stage, Protocol):
    """Services of one fit: budget, device, resumable training, several processes."""

    @property
    def name(self) -> str:
        """Name of the method, for messages."""
        ...

    @property
    def budget(self) -> Budget:
        """Frames and seed."""
        ...

    @property
    def device(self) -> str:
        """Device that this process computes on."""
        ...

    @property
    def folder(self) -> Path | None:
        """Folder for checkpoints, stages and TensorBoard logs; None keeps nothing."""
        ...

    @property
    def identity(self) -> str:
        """Key of the fit; checkpoints of another fit in the same folder are left alone."""
        ...

    @property
    def rank(self) -> int:
        """Number of this process among those that fit together."""
        ...

    @property
    def world(self) -> int:
        """Number of processes that fit together."""
        ...

    def stage(self, name: str, run: Callable[[Stage], None], state: Stateful) -> None:
        """Run a part of the fit, such as one round of clustering, and store its outcome.

        When an interrupted fit is started again, a part that had ended is not run: its state is loaded.

        Args:
            name: short and different for every part.
            run: does the part; given the stage, whose `train` has checkpoints of its own.
            state: everything that the part changes and later parts need.

        Raises:
            PluginError: when the name is taken, or cannot be that of a file.
        """
        ...

    def encode(self, network: nn.Module, inputs: Inputs | Mapping[str, Inputs], split: Split) -> Tensor:
        """Encode all videos, (N, D) float32 on the device.

        Means over clips and crops of the inputs' view, in evaluation mode and without gradients. Each process encodes
        a share, and all get the whole.

        Raises:
            DataError: when a video does not decode.
        """
        ...

    def gather(self, tensor: Tensor) -> Tensor:
        """Concatenate the rows of all processes in the order of their ranks.

        Without gradient; each process may have any number of rows.
        """
        ...


class Method(Protocol):
    """Learner on a data set's training split.

    Parameters of the constructor are its hyper-parameters.
    """

    @property
    def card(self) -> MethodCard:
        """Card of the method."""
        ...

    def promise(self, backbone: Backbone) -> Promise:
        """Properties of the encoder that `fit` will give."""
        ...

    def fit(self, backbone: Backbone, train: Split, session: Session) -> Encoder:
        """Learn from `train` within the budget of `session`.

        `train` is unlabelled unless the card says `supervised`.

        Raises:
            DivergedError: when the loss becomes NaN or infinite.
        """
        ...

    def load(self, backbone: Backbone, folder: Path) -> Encoder:
        """The encoder that `save` wrote into `folder`.

        Raises:
            DataError: when what is there cannot be read.
        """
        ...


class Dataset(Protocol):
    """Named videos, or images (videos of one frame), with splits."""

    @property
    def card(self) -> DatasetCard:
        """Card of the built object, options applied."""
        ...

    def split(self, name: str) -> Split:
        """The labelled split `name`.

        Raises:
            UsageError: when there is no such split.
            DataError: when files are missing or corrupt.
        """
        ...


@runtime_checkable
class Prepared(Protocol):
    """Extra of a data set whose files are drawn or fetched when first used."""

    @property
    def ready(self) -> bool:
        """True if the files are there."""
        ...


class Evaluator(Protocol):
    """One protocol; parameters of the constructor are the protocol's parameters.

    A parameter `label` names a kind of label, and `target` a number of each video: a suite is refused before anything
    is computed when none of its data sets has one of that name.
    """

    @property
    def card(self) -> EvaluatorCard:
        """Card of the evaluator."""
        ...

    def encodings(self, promise: Promise, data: Dataset, *, seed: int) -> tuple[Encoding, ...]:
        """Features that `evaluate` will ask for, known before anything is encoded.

        Raises:
            UsageError: when an encoder with this promise cannot be measured with these options.
        """
        ...

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Measure `encoder` on `data`; selection never looks at the test split.

        Raises:
            DataError: when the data cannot carry the protocol (a class absent from train, ...), naming the class or
                video.
        """
        ...
