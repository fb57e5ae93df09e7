"""The network of three branches, and its loss."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from harness.functional.effective_rank import effective_rank_of_batch
from harness.values import Inputs
from harness_pose_from_action.pairs import NONE


class PretextNetwork(nn.Module):
    """Tell from two frames and a block of flow whether they belong together.

    Two appearance branches share their weights; the motion branch sees the block as one image of twice as many
    channels as it has maps: all horizontal ones, then all vertical ones. Two fully connected layers take the three
    vectors, one behind the other.

    Args:
        appearance: normalised images as clips (B, 3, 1, H, W) -> (B, dim).
        motion: normalised blocks as clips (B, 2 T, 1, H, W) -> (B, dim).
        dim: length of the vectors.
        hidden: units of the first fully connected layer.
        dropout: share of the branches' units, and of its own, that is dropped in training.
        apart: frames from the first to the second, which are the maps of a block.
        inputs: of both streams, `frames` and `flow`.

    Source: Purushwalkam and Gupta 2016, section 3; ReLU and dropout as in VGG-M, because the paper names none.
    """

    def __init__(
        self,
        appearance: nn.Module,
        motion: nn.Module,
        dim: int,
        *,
        hidden: int,
        dropout: float,
        apart: int,
        inputs: Mapping[str, Inputs],
    ) -> None:
        super().__init__()
        self.appearance = appearance
        self.motion = motion
        self.head = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(3 * dim, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 2)
        )
        self.apart = apart
        self.inputs = inputs

    def encode_pairs(self, streams: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Vectors (B, dim) of first frames, second frames and blocks.

        Args:
            streams: `frames` (2 B, 3, 1, H, W), all first ones before all second ones, and `flow` (B, 2, T, H, W).
        """
        first, second = self.appearance(streams["frames"]).chunk(2)
        return first, second, self.motion(streams["flow"].flatten(1, 2)[:, :, None])

    def logits(self, first: Tensor, second: Tensor, motion: Tensor) -> Tensor:
        """Logits (N, 2) of triplets of vectors (N, dim): apart, together."""
        logits: Tensor = self.head(torch.cat([first, second, motion], dim=1))
        return logits


class PretextLoss(nn.Module):
    """Cross-entropy of the triplets of a batch.

    A pair is with its own block, and with others. Every vector is computed once, and takes part in several triplets.
    `correct` and `triplets` count those of an epoch, `missing` the negatives that the batch could not give; `ranks` is
    the sum over `batches` of the effective rank of the frames' vectors.

    Args:
        network: with both branches.
    """

    def __init__(self, network: PretextNetwork) -> None:
        super().__init__()
        self.network = network
        self.correct: Tensor
        self.triplets: Tensor
        self.missing: Tensor
        for name in ("correct", "triplets", "missing"):
            self.register_buffer(name, torch.zeros((), dtype=torch.int64))
        self.ranks: Tensor
        self.batches: Tensor
        for name in ("ranks", "batches"):
            self.register_buffer(name, torch.zeros((), dtype=torch.float64))

    def forward(self, streams: Mapping[str, Tensor], negatives: Tensor) -> Tensor:
        """Normalised streams of B pairs, and their negatives (B, n) -> the loss."""
        first, second, motion = self.network.encode_pairs(streams)
        own = torch.arange(len(negatives), device=negatives.device)
        blocks = torch.cat([own[:, None], negatives], dim=1)
        pairs, columns = (blocks != NONE).nonzero().unbind(1)
        logits = self.network.logits(first[pairs], second[pairs], motion[blocks[pairs, columns]])
        together = (columns == 0).long()
        with torch.no_grad():
            self.correct += (logits.argmax(1) == together).sum()
            self.triplets += len(together)
            self.missing += blocks.numel() - len(together)
            self.ranks += effective_rank_of_batch(first)
            self.batches += 1
        return cross_entropy(logits, together)

    def curves(self) -> dict[str, float]:
        """Accuracy and effective rank since the last call, and missing negatives.

        The first is a share of triplets, the last a share of negatives, and the rank the mean over batches. One near 1
        tells that the branch of frames has collapsed, before an evaluator does.
        """
        triplets, missing = int(self.triplets), int(self.missing)
        numbers = {}
        if triplets:
            numbers = {
                "accuracy": int(self.correct) / triplets,
                "missing": missing / (triplets + missing),
                "effective_rank": float(self.ranks / self.batches),
            }
        for counter in (self.correct, self.triplets, self.missing, self.ranks, self.batches):
            counter.zero_()
        return numbers
