"""Frozen encoders: features are computed once for all evaluators, and the encoder is proved unchanged."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from harness.cards import View
from harness.errors import DataError, PluginError, UsageError
from harness.interfaces import Encoder, Layered, Split, Trainable, VideoBatch, WholeVideos
from harness.system import files, progress
from harness.system.hashing import digest
from harness.system.seeding import derive_seed
from harness.video.decode import decoder
from harness.video.loader import clips


@dataclass(frozen=True, slots=True)
class Features:
    """The vectors of a labelled split."""

    views: Tensor
    """(N, V, D) float32: a vector for each of V clips and crops of N videos."""
    split: Split

    @property
    def vectors(self) -> Tensor:
        """(N, D): the mean over a video's clips and crops."""
        return self.views.mean(1)

    def labels(self, kind: str) -> Tensor:
        """(N,) int64 class indices of the label `kind`.

        Raises:
            DataError: when a video has no such label.
        """
        try:
            values = [video.labels[kind] for video in self.split.videos]
        except KeyError:
            known = ", ".join(self.split.classes) or "none"
            msg = f"split {self.split.name!r} has no label {kind!r}; it has: {known}"
            raise DataError(msg) from None
        return torch.tensor(values, dtype=torch.int64, device=self.views.device)


class FrozenEncoder:
    """An encoder as evaluators get it: it encodes, remembers features, and may not change.

    Args:
        encoder: what a method returned.
        key: names the encoder in the feature cache.
        device: where it encodes.
        folder: where features are kept between runs; None keeps them in memory.
        view: what it is shown of a video, when that is not its own.
        shuffle: seeds a random order of the frames of each clip; None leaves them in time's.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        key: str,
        device: str = "cpu",
        folder: Path | None = None,
        view: View | None = None,
        shuffle: int | None = None,
    ) -> None:
        self.encoder = encoder
        self.key = key
        self.device = device
        self.view = view or encoder.view
        self._folder = folder
        self._shuffle = shuffle
        self._memory: dict[str, Tensor] = {}

    @property
    def dim(self) -> int:
        """Length of its vectors."""
        return self.encoder.dim

    def shuffled(self, seed: int) -> FrozenEncoder:
        """The same encoder, shown each clip's frames in an order drawn by `seed`."""
        return FrozenEncoder(
            self.encoder, key=self.key, device=self.device, folder=self._folder, view=self.view, shuffle=seed
        )

    def at(self, layer: str) -> FrozenEncoder:
        """The same encoder with the vectors of one of its layers.

        Raises:
            UsageError: when it has no such layer.
        """
        if not isinstance(self.encoder, Layered):
            msg = f"encoder {type(self.encoder).__name__} has no layers, and so no {layer!r}"
            raise UsageError(msg)
        key = digest({"encoder": self.key, "layer": layer})
        return FrozenEncoder(
            self.encoder.at(layer),
            key=key,
            device=self.device,
            folder=self._folder,
            view=self.view,
            shuffle=self._shuffle,
        )

    def with_clips(self, clips: int) -> FrozenEncoder:
        """The same encoder, shown so many clips of a video.

        Raises:
            UsageError: when it is shown whole videos.
        """
        if self.view.whole:
            msg = f"encoder {type(self.encoder).__name__} is shown whole videos, which have no {clips} clips"
            raise UsageError(msg)
        view = dataclasses.replace(self.view, clips=clips)
        return FrozenEncoder(
            self.encoder, key=self.key, device=self.device, folder=self._folder, view=view, shuffle=self._shuffle
        )

    def features(self, split: Split, *, batch_size: int = 32) -> Features:
        """Encode every video of `split`, or read what was encoded before.

        Raises:
            DataError: when a video cannot be decoded, or an encoder's vector is NaN or infinite, naming the video.
            PluginError: when the encoder gives another shape or type than it promised, or changed while encoding.
        """
        names = {"encoder": self.key, "view": repr(self.view), "decoder": decoder(), "manifest": split.manifest}
        key = digest(names if self._shuffle is None else {**names, "shuffle": self._shuffle})
        views = self._memory.get(key)
        if views is None:
            views = self._memory[key] = self._stored(key, split, batch_size)
        return Features(views, split)

    def _stored(self, key: str, split: Split, batch_size: int) -> Tensor:
        if self._folder is None:
            return self._encoded(split, batch_size)
        path = self._folder / f"{key}.safetensors"
        if path.exists():
            try:
                return safetensors.torch.load_file(path, device=self.device)["views"]
            except (safetensors.SafetensorError, KeyError, OSError) as error:
                progress.say(f"{path}: unreadable features ({error}); encoding again")
        views = self._encoded(split, batch_size)
        with files.replacing(path) as temporary:
            safetensors.torch.save_file({"views": views.cpu().contiguous()}, temporary)
        return views

    def _encoded(self, split: Split, batch_size: int) -> Tensor:
        views = torch.empty((len(split), self.view.count, self.dim), device=self.device)
        flat = views.view(-1, self.dim)
        if self.view.whole and self._shuffle is None and isinstance(self.encoder, WholeVideos):
            with unchanged(self.encoder):
                vectors = self.encoder.encode_videos(split).to(self.device)
            self._expect(vectors, len(split))
            flat[:] = vectors
            return self._finite(views, split)
        with unchanged(self.encoder), progress.bar(f"encoding {split.name}", total=len(flat)) as bar:
            for start, batch in clips(split, self.view, batch_size=batch_size, device=self.device):
                vectors = self.encoder.encode(VideoBatch(self._ordered(batch, start)))
                self._expect(vectors, len(batch))
                flat[start : start + len(batch)] = vectors
                bar.advance(len(batch))
        return self._finite(views, split)

    def _expect(self, vectors: Tensor, count: int) -> None:
        if vectors.shape != (count, self.dim) or vectors.dtype != torch.float32:
            msg = (
                f"encoder {type(self.encoder).__name__} promised ({count}, {self.dim}) float32 "
                f"and gave {tuple(vectors.shape)} {vectors.dtype}"
            )
            raise PluginError(msg)

    def _finite(self, views: Tensor, split: Split) -> Tensor:
        broken = (~torch.isfinite(views)).flatten(1).any(1).nonzero()
        if len(broken):
            msg = f"the encoder's vector of video {split.videos[int(broken[0])].id!r} is NaN or infinite"
            raise DataError(msg)
        return views

    def _ordered(self, batch: Tensor, start: int) -> Tensor:
        """(B, C, T, H, W) with every clip's frames in their order; `start` is the position of the first clip."""
        if self._shuffle is None:
            return batch
        orders = [
            torch.randperm(
                batch.shape[2], generator=torch.Generator().manual_seed(derive_seed(self._shuffle, position))
            )
            for position in range(start, start + len(batch))
        ]
        order = torch.stack(orders).to(batch.device)
        return batch.gather(2, order[:, None, :, None, None].expand_as(batch))


@contextlib.contextmanager
def unchanged(encoder: Encoder) -> Iterator[None]:
    """Prove that `encoder` is after the block as it was before.

    Raises:
        PluginError: when its weights or BN statistics changed.
    """
    before = fingerprint(encoder)
    yield
    if fingerprint(encoder) != before:
        msg = f"encoder {type(encoder).__name__} changed while encoding; weights and BN statistics must stay"
        raise PluginError(msg)


def fingerprint(encoder: Encoder) -> str:
    """Hash of a network's weights and buffers (BN statistics among them); empty for an encoder without a network."""
    if not isinstance(encoder, Trainable):
        return ""
    sha = hashlib.sha256()
    for name, tensor in sorted(encoder.module.state_dict().items()):
        sha.update(name.encode())
        sha.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()
