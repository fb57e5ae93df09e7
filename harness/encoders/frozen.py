"""Frozen encoders that keep their features and are proved unchanged."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import hashlib
from collections.abc import Container, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from harness.cards import Elsewhere, View, WholeVideo
from harness.encoders.batches import batches
from harness.encoders.network import NetworkEncoder
from harness.errors import DataError, PluginError, UsageError, unknown
from harness.interfaces import Encoder, Features, PretextTrained, Split, StoredVectors, Trainable, WholeVideos
from harness.store import keys
from harness.store.features import Array, FeatureFile
from harness.system import progress
from harness.system.checksums import row_checksums
from harness.system.seeding import derive_seed
from harness.values import Encoding, Promise, VideoBatch
from harness.video.anonymous import hidden_order

if TYPE_CHECKING:
    from torch import nn
    from typing_extensions import Self

BATCH = 32
"""Clips encoded at a time.

A killed encoding goes on with the batches that it would have had.
"""


class CachedEncoder:
    """An encoder as evaluators get it: it encodes, keeps features, and may not change.

    Args:
        encoder: what a method gave.
        key: names the encoder in the store.
        code: hash of the code that encodes and of the data set's, see `harness.store.keys.encoding_code`.
        device: where it encodes.
        folder: where features are kept between runs; None keeps them in memory.
        asked: layer, precision, clips, crops and aggregate of an encoding that leaves them open.
        loaded: fingerprint of the encoder as it was loaded, where somebody may have changed it since.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        key: str,
        code: str = "",
        device: str = "cpu",
        folder: Path | None = None,
        asked: Encoding = Encoding(),  # noqa: B008 - frozen
        loaded: str | None = None,
    ) -> None:
        self._encoder = encoder
        self.key = key
        self._code = code
        self.device = device
        self._folder = folder
        self._asked = asked
        self._loaded = loaded
        self._memory: dict[str, Array] = {}

    @property
    def promise(self) -> Promise:
        """Properties of the encoder."""
        return self._encoder.promise

    def asking(self, asked: Encoding) -> Self:
        """The same encoder and features, with `asked` for what is left open."""
        encoder = copy.copy(self)  # and one memory: keys hold whole encodings, `asked` included
        encoder._asked = asked
        return encoder

    def features(self, split: Split, encoding: Encoding = Encoding()) -> Features:  # noqa: B008 - frozen
        """Encode every video of `split` unless stored; see `FrozenEncoder.features`."""
        encoding = self._completed(encoding)
        view = keys.shown(self.promise, encoding)
        key = keys.feature_key(fit=self.key, view=view, encoding=encoding, manifest=split.manifest, code=self._code)
        if key not in self._memory:
            self._memory[key] = self._stored(key, split, view, encoding)
        return Features((self._memory[key],), split, self.device, encoding.aggregate)

    def encode(self, batch: VideoBatch) -> Tensor:
        """Encode clips that are no part of a split; (B, *shape) float32 on the device."""
        return self._encode(batch, self._asked)

    def network(self) -> Trainable | None:
        """A copy of the encoder's network, to be changed at will; None where it has none."""
        if "trainable" not in self.promise.offers:
            return None
        trainable = cast("Trainable", self._encoder)
        module: nn.Module = copy.deepcopy(trainable.module)
        promise = self.promise
        return NetworkEncoder(
            module,
            trainable.inputs,
            layers=promise.layers,
            spatial=promise.spatial,
            tokens=promise.tokens,
            precision=self._layers.precision,
        )

    def pretext(self) -> nn.Module | None:
        """A copy of the network of the pretext task; None where the encoder keeps none."""
        if "pretext" not in self.promise.offers:
            return None
        return copy.deepcopy(cast("PretextTrained", self._encoder).pretext).eval()

    def _completed(self, encoding: Encoding) -> Encoding:
        layer, known = encoding.layer or self._asked.layer, self.promise.layers
        if layer is not None and layer not in (*known, self.promise.token_layer):
            raise unknown("layer of the encoder:", layer, known)
        completed = dataclasses.replace(
            encoding,
            layer=layer,
            precision=self._asked.precision if encoding.precision == "float32" else encoding.precision,
            clips=encoding.clips or self._asked.clips,
            crops=encoding.crops or self._asked.crops,
            aggregate=self._asked.aggregate if encoding.aggregate == "mean" else encoding.aggregate,
        )
        return keys.encoded(self.promise, completed)

    def _encode(self, batch: VideoBatch, encoding: Encoding) -> Tensor:
        if encoding.layer is None:
            return self._encoder.encode(batch)
        encode = self._layers.encode_tokens if encoding.tokens else self._layers.encode_layer
        return encode(batch, encoding.layer)

    @property
    def _layers(self) -> NetworkEncoder:
        """The encoder's network, whose layers can be read."""
        if isinstance(self._encoder, NetworkEncoder):
            return self._encoder
        trainable = cast("Trainable", self._encoder)
        return NetworkEncoder(trainable.module, trainable.inputs, precision=trainable.precision)

    def _stored(self, key: str, split: Split, view: View | WholeVideo, encoding: Encoding) -> Array:
        if (stored := self._read(key, split, view)) is not None:
            return stored
        file = None if self._folder is None or not len(split) else FeatureFile(self._folder, key)
        shape = (len(split) * view.count, *self._shape(encoding))
        if file is None:
            rows: Array = np.empty(shape, dtype=encoding.precision)
            written: Array = np.zeros(shape[0], dtype=np.uint64)
        else:
            rows, written = file.partial(shape, encoding.precision)
        try:
            with unchanged(self._encoder, fingerprint(self._encoder) if self._loaded is None else self._loaded):
                self._write(rows, written, split, view, encoding)
        except PluginError:
            if file is not None:
                file.discard()  # so that nobody goes on with what a broken encoder gave
            raise
        if file is not None:
            del rows, written  # Windows gives no file another name that is mapped
            rows = file.complete()
        return rows.reshape(len(split), view.count, *shape[1:])

    def _read(self, key: str, split: Split, view: View | WholeVideo) -> Array | None:
        """Features (N, C, *shape) that are stored whole; None where there are none."""
        if self._folder is None or not len(split):
            return None
        stored = FeatureFile(self._folder, key).read(len(split) * view.count)
        return None if stored is None else stored.reshape(len(split), view.count, *stored.shape[1:])

    def _shape(self, encoding: Encoding) -> tuple[int, ...]:
        if encoding.layer is None:
            return tuple(size for size in self.promise.shape if size is not None)
        return self._layers.probe(encoding.layer, tokens=encoding.tokens)

    def _write(self, rows: Array, written: Array, split: Split, view: View | WholeVideo, encoding: Encoding) -> None:
        """Encode the rows that are not written yet, each batch as if none were."""
        stored = isinstance(view, Elsewhere)
        shown, order = (split, list(range(len(split)))) if stored else _unlabelled(split)
        places = (np.array(order, dtype=np.int64)[:, None] * view.count + np.arange(view.count)).reshape(-1)
        with progress.bar(f"encoding {split.name}", total=len(rows)) as bar:
            bar.advance(int(np.count_nonzero(written)))
            for first, vectors in self._encoded(shown, view, encoding, _Written(written, places)):
                targets = places[first : first + len(vectors)]
                self._check(vectors, rows.shape[1:])
                values = vectors.to(getattr(torch, encoding.precision))
                _expect_finite(values, split, targets // view.count)
                kept = values.cpu().numpy()
                rows[targets] = kept
                written[targets] = row_checksums(kept)
                bar.advance(len(values))
        if not written.all():
            video = split.videos[int(np.argmin(written)) // view.count]
            msg = f"encoder {type(self._encoder).__name__} gave no vector of video {video.id!r}"
            raise PluginError(msg)

    def _encoded(
        self, split: Split, view: View | WholeVideo, encoding: Encoding, done: _Written
    ) -> Iterator[tuple[int, Tensor]]:
        """First clip and vectors of each batch that is missing, in the order of `split`."""
        if isinstance(view, Elsewhere):
            yield from self._looked_up(split, encoding)
        elif isinstance(view, WholeVideo) and encoding.shuffle is None and isinstance(self._encoder, WholeVideos):
            for position, vector in self._encoder.encode_videos(split, done):
                yield position, vector[None]
        elif (missing := done.first_missing()) is not None:
            size = 1 if isinstance(view, WholeVideo) else BATCH
            first = missing // size * size
            trainable = "trainable" in self.promise.offers
            inputs = cast("Trainable", self._encoder).inputs if trainable else None
            for start, batch in batches(split, view, inputs, batch_size=size, device=self.device, first=first):
                flow = None if batch.flow is None else _shuffled(batch.flow, start, encoding.shuffle)
                shuffled = VideoBatch(_shuffled(batch.clips, start, encoding.shuffle), flow)
                yield start, self._encode(shuffled, encoding)

    def _looked_up(self, split: Split, encoding: Encoding) -> Iterator[tuple[int, Tensor]]:
        """Vectors that were computed elsewhere, by the ids of the videos alone."""
        if encoding.shuffle is not None or encoding.frames is not None or not split.labelled:
            msg = "vectors computed elsewhere are those of whole videos with their ids; no others can be encoded"
            raise UsageError(msg)
        ids = [video.id for video in split.videos]
        vectors = cast("StoredVectors", self._encoder).vectors(ids)
        for start in range(0, len(ids), BATCH):
            yield start, vectors[start : start + BATCH]

    def _check(self, vectors: Tensor, shape: tuple[int, ...]) -> None:
        if vectors.shape[1:] != shape or vectors.dtype != torch.float32:
            msg = (
                f"encoder {type(self._encoder).__name__} promised (B, {', '.join(map(str, shape))}) float32 "
                f"and gave {tuple(vectors.shape)} {vectors.dtype}"
            )
            raise PluginError(msg)


def _unlabelled(split: Split) -> tuple[Split, list[int]]:
    """The split as an encoder may see it, and the positions of its videos in `split`.

    Raises:
        PluginError: when it has other videos, or another order than `hidden_order`.
    """
    if not split.labelled:
        return split, list(range(len(split)))
    shown, order = split.unlabelled(), hidden_order(split.videos)
    if [video.content for video in shown.videos] != [split.videos[position].content for position in order]:
        msg = (
            f"unlabelled() of split {split.name!r} ({type(split).__name__}) gave other videos or another order than "
            "harness.video.anonymous.hidden_order; use that order"
        )
        raise PluginError(msg)
    return shown, order


def _expect_finite(vectors: Tensor, split: Split, videos: Array) -> None:
    """Expect finite vectors; `videos` has the position of the video of each."""
    broken = (~torch.isfinite(vectors)).flatten(1).any(1).nonzero()
    if len(broken):
        video = split.videos[int(videos[int(broken[0])])]
        stored = "" if vectors.dtype == torch.float32 else " as float16"
        msg = f"the encoder's vector of video {video.id!r} is NaN or infinite{stored}"
        raise DataError(msg)


class _Written(Container[int]):
    """Clips that are encoded, as positions in the unlabelled split."""

    def __init__(self, written: Array, places: Array) -> None:
        self._written = written
        self._places = places

    def __contains__(self, position: object) -> bool:
        return isinstance(position, int) and bool(self._written[self._places[position]])

    def first_missing(self) -> int | None:
        """Position of the first clip that is not encoded; None when all are."""
        written = self._written[self._places]
        return None if written.all() else int(np.argmin(written))


def _shuffled(clips: Tensor, start: int, seed: int | None) -> Tensor:
    """Shuffle the frames of each clip (B, C, T, H, W), the first at position `start`."""
    if seed is None:
        return clips
    orders = [
        torch.randperm(clips.shape[2], generator=torch.Generator().manual_seed(derive_seed(seed, position)))
        for position in range(start, start + len(clips))
    ]
    order = torch.stack(orders).to(clips.device)
    return clips.gather(2, order[:, None, :, None, None].expand_as(clips))


@contextlib.contextmanager
def unchanged(encoder: Encoder, before: str) -> Iterator[None]:
    """Check before and after the block that `encoder` has not changed.

    Args:
        encoder: what encodes in the block.
        before: its fingerprint when it was loaded.

    Raises:
        PluginError: when its weights or BN statistics changed.
    """
    _expect_unchanged(encoder, before, "before it encoded")
    yield
    _expect_unchanged(encoder, before, "while encoding")


def _expect_unchanged(encoder: Encoder, before: str, moment: str) -> None:
    if fingerprint(encoder) != before:
        msg = f"encoder {type(encoder).__name__} changed {moment}; weights and BN statistics must stay"
        raise PluginError(msg)


def fingerprint(encoder: Encoder) -> str:
    """Hash of a network's weights and buffers; empty for an encoder without one."""
    if "trainable" not in encoder.promise.offers:
        return ""
    sha = hashlib.sha256()
    for name, tensor in sorted(cast("Trainable", encoder).module.state_dict().items()):
        sha.update(name.encode())
        sha.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()
