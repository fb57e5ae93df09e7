"""Example of a method with stages: clustering and re-training with a memory bank."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from harness.cards import MethodCard, View
from harness.encoders.network import NetworkEncoder, NetworkMethod, only_stream
from harness.functional.kmeans import kmeans
from harness.system.seeding import derive_seed
from harness.values import Batch
from harness.video.loader import read_clips
from harness.video.sampling import random_clips

if TYPE_CHECKING:
    from harness.interfaces import Backbone, Session, Split, Stage
    from harness.values import Inputs


@dataclass(kw_only=True)
class ClusterRounds(NetworkMethod):
    """Clusters all videos and learns to tell the clusters apart, in rounds.

    Each round is a stage. All processes draw the same examples of a step, and each trains on its share of them.
    """

    card: ClassVar[MethodCard] = MethodCard(name="cluster_rounds", summary="clusters and re-trains, for tests")
    rounds: int = 3
    clusters: int = 4
    batch_size: int = 8
    """Examples in a step, over all processes."""
    lr: float = 0.05

    def fit(self, backbone: Backbone, train: Split, session: Session) -> NetworkEncoder:
        """Train a new network of `backbone` for the same number of steps in each round."""
        network = backbone.build(seed=session.budget.seed)
        inputs = only_stream(backbone.inputs)
        loss = MemoryBank(network, backbone.card.dim, len(train), session.gather)
        for number in range(self.rounds):
            run = partial(self.round, loss, inputs, train, session, number)
            session.stage(f"round-{number}", run, loss)
        return NetworkEncoder.of(network, backbone)

    def round(
        self, loss: MemoryBank, inputs: Inputs, train: Split, session: Session, number: int, stage: Stage
    ) -> None:
        """Cluster all videos, then train."""
        assert isinstance(inputs.view, View)
        vectors = normalize(session.encode(loss.network, inputs, train))
        loss.to(session.device).start(vectors, kmeans(vectors, self.clusters, [session.budget.seed]).assignments[0])
        stage.train(
            loss,
            inputs,
            partial(self.batch, train, inputs.view, session, number),
            steps=session.budget.frames // (self.rounds * self.batch_size * inputs.view.frames),
            optimizer=torch.optim.SGD(loss.parameters(), self.lr, momentum=0.9),
            schedule="cosine",
        )

    def batch(self, train: Split, view: View, session: Session, number: int, step: int) -> Batch:
        """Draw a clip of each of some videos, of which this process gets its share."""
        generator = torch.Generator().manual_seed(derive_seed(session.budget.seed, number, step))
        videos = torch.randperm(len(train), generator=generator)[: self.batch_size]
        lengths = torch.tensor([train.videos[video].frames for video in videos.tolist()])
        frames = random_clips(lengths, view.frames, view.step, generator)
        mine = slice(session.rank, None, session.world)
        return Batch(read_clips(train, videos[mine], frames[mine], size=view.size, generator=None), videos[mine])


class MemoryBank(nn.Module):
    """Loss that compares each vector with the remembered vectors of all videos.

    Args:
        network: normalised float clips -> (B, dim).
        dim: length of its vectors.
        videos: number of videos.
        gather: rows of all processes, so that every process remembers the same.
    """

    bank: Tensor
    """(videos, dim), of length 1."""
    clusters: Tensor
    """(videos,) int64."""

    def __init__(self, network: nn.Module, dim: int, videos: int, gather: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.network = network
        self.gather = gather
        self.register_buffer("bank", torch.zeros(videos, dim))
        self.register_buffer("clusters", torch.zeros(videos, dtype=torch.int64))

    def start(self, vectors: Tensor, clusters: Tensor) -> None:
        """Remember all videos anew."""
        self.bank.copy_(vectors)
        self.clusters.copy_(clusters)

    def forward(self, clips: Tensor, videos: Tensor) -> Tensor:
        """Give the negative log-likelihood of the clusters, then remember new vectors."""
        vectors = normalize(self.network(clips))
        near = (vectors @ self.bank.clone().T / 0.1).log_softmax(1)
        own = self.clusters[videos][:, None] == self.clusters
        loss = -near.masked_fill(~own, -torch.inf).logsumexp(1).mean()
        everywhere = self.gather(videos)
        self.bank[everywhere] = normalize(self.bank[everywhere] + self.gather(vectors))
        return loss
