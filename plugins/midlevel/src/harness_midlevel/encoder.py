"""Encoder of whole videos: VLAD of the codes of their local samples over concepts."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from harness.cards import WholeVideo
from harness.errors import DataError, out_of_memory
from harness.system import progress
from harness.values import Promise
from harness_dense_trajectories import store
from harness_dense_trajectories.projections import Pca
from harness_dense_trajectories.rows import offsets
from harness_dense_trajectories.tables import stored_device
from harness_midlevel.networks import Autoencoder, descriptor_autoencoder, volume_autoencoder
from harness_midlevel.reading import Kind, Reading
from harness_midlevel.vlad import Vlad

if TYPE_CHECKING:
    from harness.interfaces import Split
    from harness.values import VideoBatch

ROWS = 2**14
"""Local samples encoded at a time."""
NUMBERS = 2**24
"""Numbers of all vectors encoded at a time; videos may have no samples at all."""

Codes = Autoencoder | Pca | None
"""Map from samples to codes; None where the samples themselves are the codes."""


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """Outcome of a fit beside the concepts: what pictures of it need."""

    weight: Tensor | None = None
    """(K, D): rows of the detectors, one for each concept; None for k-means."""
    bias: Tensor | None = None
    """(K,)."""
    log: Mapping[str, Any] = field(default_factory=dict)
    """JSON values: `rounds`, `explained_variance` and others, for people."""


class ConceptEncoder:
    """Encoder of whole videos by the concepts of their local samples.

    A video without trajectories (shorter than 16 frames, static, without texture) has the zero vector; how many these
    are is said on stderr.

    Args:
        reading: of the samples of a video.
        codes: from samples to codes.
        vlad: the concepts, and how codes are assigned to them.
        learnt: what else the fit gave.
    """

    def __init__(self, reading: Reading, codes: Codes, vlad: Vlad, learnt: Learnt | None = None) -> None:
        self.reading = reading
        self.codes = codes
        self.vlad = vlad
        self.learnt = learnt or Learnt()

    @property
    def promise(self) -> Promise:
        """Vectors of whole videos, of concepts times dimensions of a code."""
        return Promise(views=(WholeVideo(),), shape=(self.vlad.dim,))

    def encode(self, batch: VideoBatch) -> Tensor:
        """Encode clips, each as a whole video, as (B, dim) float32."""
        vectors = [self._encode([self.reading.of_frames(clip.permute(1, 2, 3, 0).cpu())]) for clip in batch.clips]
        return torch.cat(vectors).to(batch.clips.device)

    def encode_videos(self, split: Split, done: Container[int]) -> Iterator[tuple[int, Tensor]]:
        """Encode the videos that are not `done`: position and (dim,) float32.

        Trajectories that are not on disk are computed.

        Raises:
            DataError: when a video does not decode.
        """
        left = [position for position in range(len(split)) if position not in done]
        empty = first = waiting = 0
        group: list[Tensor] = []
        for index, rows in enumerate(self.reading.load(split, left)):
            empty += not len(rows)
            if group and (waiting + len(rows) > ROWS or (len(group) + 1) * self.vlad.dim > NUMBERS):
                yield from zip(left[first:], self._encode(group), strict=False)
                first, waiting, group = index, 0, []
            group.append(rows)
            waiting += len(rows)
        if group:
            yield from zip(left[first:], self._encode(group), strict=False)
        if empty:
            progress.say(f"{empty} of {len(left)} videos of {split.name} have no trajectories: their vector is zero")

    def coded(self, rows: Tensor) -> Tensor:
        """Codes (N, D) float32 of local samples, on the device of the concepts."""
        return coded(self.codes, rows.to(self.vlad.concepts.device))

    def detect(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Score and concept, (N,) each, of the strongest detector of codes (N, D).

        Without detectors, the nearest concept, and the distance to it with a minus.
        """
        weight, bias = self.learnt.weight, self.learnt.bias
        if weight is None or bias is None:
            nearest = torch.cdist(codes, self.vlad.concepts.to(codes)).min(1)
            return -nearest.values, nearest.indices
        strongest = (codes @ weight.to(codes).mT + bias.to(codes)).max(1)
        return strongest.values, strongest.indices

    def _encode(self, group: list[Tensor]) -> Tensor:
        """Encode sets of samples together, (V, dim) float32."""
        return self.vlad(self.coded(torch.cat(group)), offsets([len(rows) for rows in group]))

    def illustrations(self, split: Split) -> dict[str, bytes]:
        """Draw `concepts.png`, `features.png` and, where rounds were, `rounds.png`."""
        from harness_midlevel.pictures import illustrations  # altair, for who draws

        count, rounds = len(self.vlad.concepts), self.learnt.log.get("rounds", [])
        return illustrations(split, self.reading, self.coded, self.detect, count=count, rounds=rounds)

    def save(self, folder: Path) -> None:
        """Write everything into `folder`: tensors as safetensors, the rest as JSON."""
        fitted: dict[str, store.Fitted] = {"concepts": self.vlad.concepts}
        if isinstance(self.codes, Pca):
            fitted["pca"] = self.codes
        elif self.codes is not None:
            fitted |= {f"network.{name}": value for name, value in self.codes.state_dict().items()}
        if self.learnt.weight is not None and self.learnt.bias is not None:
            fitted |= {"detectors.weight": self.learnt.weight, "detectors.bias": self.learnt.bias}
        reading = asdict(self.reading) | {"device": torch.device(self.reading.device).type}
        store.save(fitted, folder, {"reading": reading, "beta": self.vlad.beta, "log": self.learnt.log})

    @classmethod
    def load(cls, folder: Path) -> ConceptEncoder:
        """Load the encoder that `save` wrote.

        Raises:
            DataError: when a file is missing, or not what was written.
        """
        stored, options = store.load(folder)
        fitted: dict[str, Any] = dict(stored)
        try:
            device = stored_device(options["reading"]["device"])
            reading = Reading(**(options["reading"] | {"device": device}))
            weights = {
                name.removeprefix("network."): value for name, value in fitted.items() if name.startswith("network.")
            }
            codes: Codes = fitted.get("pca")
            if weights:
                codes = new_network(reading.kind)
                codes.load_state_dict(weights)
                codes.to(device).eval()
            learnt = Learnt(
                weight=fitted.get("detectors.weight"), bias=fitted.get("detectors.bias"), log=options["log"]
            )
            return cls(reading, codes, Vlad(fitted["concepts"].to(device), options["beta"]), learnt)
        except (ValueError, KeyError, TypeError, RuntimeError) as error:
            if out_of_memory(error):
                raise
            msg = f"{folder}: the stored encoder cannot be read ({error}); delete the folder and run again"
            raise DataError(msg) from error


def new_network(kind: Kind) -> Autoencoder:
    """Build the paper's autoencoder for a kind of sample."""
    return volume_autoencoder() if kind == "volumes" else descriptor_autoencoder()


def coded(codes: Codes, rows: Tensor) -> Tensor:
    """Codes (N, D) float32 of local samples, on their device."""
    if codes is None:
        return rows.float()
    if isinstance(codes, Pca):
        return codes.project(rows.float())
    return codes.codes(rows)
