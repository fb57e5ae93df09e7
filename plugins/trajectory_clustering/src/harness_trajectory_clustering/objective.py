"""Embedding of videos with its memory bank and the loss of a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from harness.functional.effective_rank import effective_rank
from harness.values import as_tokens
from harness_trajectory_clustering.bank import MemoryBank
from harness_trajectory_clustering.clusterings import Clusterings
from harness_trajectory_clustering.losses import (
    Normaliser,
    aggregation_loss,
    log_normaliser,
    nce_loss,
    neighbourhoods,
    sampled_softmax_loss,
    softmax_loss,
)

InstanceLoss = Literal["softmax", "nce", "sampled"]
"""Losses of instances: exact, noise-contrastive, or with a sampled denominator."""


class Embedding(nn.Module):
    """Network and a linear layer to unit vectors.

    Args:
        network: normalised float clips (B, C, T, H, W) -> (B, dim), or tokens or maps, which are averaged.
        dim: length of its vectors, or of its tokens.
        size: D, length of an embedding.
        norm: centre and scale the network's vectors by BN first.
    """

    def __init__(self, network: nn.Module, dim: int, size: int, *, norm: bool) -> None:
        super().__init__()
        self.network = network
        self.norm = nn.BatchNorm1d(dim) if norm else nn.Identity()
        self.layer = nn.Linear(dim, size)

    def forward(self, clips: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, D), each of length 1."""
        return normalize(self.layer(self.norm(as_tokens(self.network(clips)).mean(1))).float(), dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceOptions:
    """Options of instance recognition."""

    loss: InstanceLoss
    temperature: float
    negatives: int
    exclude_own: bool
    """Draw the noise of `nce` among the entries of other videos alone."""
    z: Normaliser


class InstanceRecognition(nn.Module):
    """Each video is a class of its own: normalised clips, videos -> loss.

    Everything that training changes lies in parameters and buffers, which are the same in all processes.

    Args:
        embedding: of clips.
        bank: of all videos.
        options: of the loss.

    Source: Tokmakov, Hebert and Schmid 2020, section 3.1.
    """

    log_z: Tensor
    sums: Tensor
    """(3,) float64: exact losses, empty neighbourhoods and videos of this epoch."""

    def __init__(self, embedding: Embedding, bank: MemoryBank, options: InstanceOptions) -> None:
        super().__init__()
        self.embedding = embedding
        self.bank = bank
        self.options = options
        self.gather: Callable[[Tensor], Tensor] = lambda rows: rows
        """Rows of all processes, in the order of their ranks."""
        self.register_buffer("log_z", torch.tensor(torch.nan))
        self.register_buffer("sums", torch.zeros(3, dtype=torch.float64))

    def forward(self, clips: Tensor, videos: Tensor) -> Tensor:
        """(B, C, T, H, W) and (B,) -> the mean loss; the bank takes up the embeddings."""
        vectors = self.embedding(clips)
        with torch.autocast(clips.device.type, enabled=False):
            with torch.no_grad():
                similarities = vectors @ self.bank.vectors.mT
            losses, empty = self.losses(vectors, similarities, videos)
            self._sum(similarities, empty, videos)
            self.bank.update(self.gather(videos), self.gather(vectors))
        return losses.mean()

    def losses(self, vectors: Tensor, similarities: Tensor, videos: Tensor) -> tuple[Tensor, Tensor]:
        """Loss of each video (B,), and which have no close neighbour (B,)."""
        return self._instance(vectors, similarities, videos), torch.zeros_like(videos, dtype=torch.bool)

    @torch.no_grad()
    def _sum(self, similarities: Tensor, empty: Tensor, videos: Tensor) -> None:
        """Add up the exact instance loss of every objective."""
        logits = similarities / self.options.temperature
        exact = logits.logsumexp(1) - logits.gather(1, videos[:, None]).squeeze(1)
        rows = torch.stack([exact, empty.to(exact), torch.ones_like(exact)], dim=1)
        self.sums += self.gather(rows).double().sum(0)

    def _instance(self, vectors: Tensor, similarities: Tensor, videos: Tensor) -> Tensor:
        options, entries = self.options, self.bank.vectors
        if options.loss == "softmax":
            # A copy, because the bank changes before the gradient is computed.
            return softmax_loss(vectors, entries.clone(), videos, options.temperature)
        count, shape = len(entries), (len(videos), options.negatives)
        if options.exclude_own or options.loss == "sampled":
            noise = (videos[:, None] + torch.randint(1, count, shape, device=videos.device)) % count
        else:
            noise = torch.randint(count, shape, device=videos.device)
        rows = vectors, entries[videos], entries[noise]
        if options.loss == "sampled":
            return sampled_softmax_loss(*rows, count, options.temperature)
        if bool(self.log_z.isnan()):
            met = similarities.gather(1, torch.cat([videos[:, None], noise], dim=1)) / options.temperature
            self.log_z.copy_(log_normaliser(options.z, count, self.gather(met)))
        return nce_loss(*rows, count, self.log_z, options.temperature)

    def curves(self) -> dict[str, float]:
        """Label-free curves since the last call: loss over ln N, empty sets, rank."""
        loss, empty, videos = self.sums.tolist()
        self.sums.zero_()
        if not videos:
            return {}
        share = loss / videos / torch.tensor(len(self.bank.vectors)).log().item()
        return {
            "instance_loss_over_ln_n": share,
            "empty_neighbourhoods": empty / videos,
            "effective_rank": effective_rank(self.bank.vectors),
        }


class LocalAggregation(InstanceRecognition):
    """Instance recognition, then local aggregation: normalised clips, videos -> loss.

    Args:
        embedding: of clips.
        bank: of all videos.
        options: of instance recognition.
        clusterings: that neighbours are close by.
        background: neighbours of a video.

    Source: Tokmakov, Hebert and Schmid 2020, section 3.2.
    """

    aggregating: Tensor
    """() bool: instance recognition has ended."""

    def __init__(
        self,
        embedding: Embedding,
        bank: MemoryBank,
        options: InstanceOptions,
        clusterings: Clusterings,
        background: int,
    ) -> None:
        super().__init__(embedding, bank, options)
        self.clusterings = clusterings
        self.background = background
        self.register_buffer("aggregating", torch.tensor(False))

    def losses(self, vectors: Tensor, similarities: Tensor, videos: Tensor) -> tuple[Tensor, Tensor]:
        """Loss of each video (B,), and which have no close neighbour (B,)."""
        if not bool(self.aggregating):
            return super().losses(vectors, similarities, videos)
        near, close = neighbourhoods(similarities, self.clusterings.labels, videos, self.background)
        losses = aggregation_loss(vectors, self.bank.vectors[near], close, self.options.temperature)
        return losses, ~close.any(1)
