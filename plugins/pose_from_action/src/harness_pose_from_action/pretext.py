"""Accuracy of the pretext task on test videos."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from harness.cards import WholeVideo
from harness.errors import DataError, UsageError
from harness.evaluators.scoring import score_values
from harness.system import progress
from harness.system.prefetch import Batches, pinned_to_device
from harness.system.seeding import derive_seed
from harness.values import Evaluation
from harness.video.transforms import normalise
from harness_pose_from_action.cards import PRETEXT
from harness_pose_from_action.pairs import Pairs, compute_flow, draw_negatives, read_pairs
from harness_pose_from_action.pictures import filter_sheet
from harness_pose_from_action.pretext_network import PretextNetwork

if TYPE_CHECKING:
    from harness.cards import EvaluatorCard, View
    from harness.interfaces import Dataset, FrozenEncoder, Split
    from harness.values import Encoding, Promise

BATCH = 32
"""Pairs that are read and encoded at a time."""

GUESS = {"accuracy": 2 / 3, "cross_entropy": 0.6365141682948128, "auc": 0.5, "same_video": 0.5}
"""Scores of the best guess that looks at nothing: two of three are wrong."""


class PretextAccuracy:
    """Tell the flow between two frames from that of other videos.

    The whole stored network does, on pairs at random times of each test video that is long enough; the others are left
    out, and counted in the notes. Beside the paper's accuracy there are the cross-entropy, the area under the ROC
    curve, and the share of pairs that prefer their own block to one of their video that shares no map with it; where no
    video is long enough for two such blocks that number is left out.

    Args:
        pairs: of each video; at least 2, so that there is another time.

    Raises:
        UsageError: when `pairs` is below 2.

    Source: Purushwalkam and Gupta 2016, section 3.
    """

    card: ClassVar[EvaluatorCard] = PRETEXT
    negatives: ClassVar[int] = 2

    def __init__(self, pairs: int = 4) -> None:
        if pairs < 2:
            msg = f"evaluator {self.card.name!r}: pairs must be at least 2, got {pairs}"
            raise UsageError(msg)
        self.pairs = pairs

    def encodings(self, promise: Promise, data: Dataset, *, seed: int) -> tuple[Encoding, ...]:
        """Nothing: pairs are encoded by the network of the task."""
        return ()

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Measure the network of `encoder` on the test split.

        The seed draws times and wrong blocks.

        Raises:
            DataError: when fewer than three test videos are long enough, or one does not decode.
            UsageError: when the encoder learnt another task.
        """
        network = encoder.pretext()
        if not isinstance(network, PretextNetwork):
            msg = f"evaluator {self.card.name!r} measures encoders of pose_from_action, got {type(network).__name__}"
            raise UsageError(msg)
        test = data.split("test")
        long = torch.tensor([video.frames > network.apart for video in test.videos]).nonzero().flatten()
        if len(long) <= self.negatives:
            msg = (
                f"{len(long)} of {len(test)} videos in split 'test' of data set {data.card.name!r} are longer than "
                f"{network.apart} frames; expected at least {self.negatives + 1}"
            )
            raise DataError(msg)
        network = network.to(encoder.device)
        size = _view(network).size
        compute_flow(test, long.tolist(), size, encoder.device)
        right, wrong, same = self._scores(network, test, long, seed)
        values = {
            name: torch.full((len(test),), torch.nan, dtype=torch.float64).index_copy(0, long, rows)
            for name, rows in _video_terms(right, wrong, same).items()
            if not rows.isnan().all()
        }
        guessed = {name: torch.tensor(guess, dtype=torch.float64) for name, guess in GUESS.items()}
        scores, predictions = score_values(test, values, guessed)
        notes = {"pairs": self.pairs * len(long), "videos_too_short": len(test) - len(long), "apart": network.apart}
        return Evaluation(
            scores, predictions, notes, {"filters": filter_sheet(network.appearance, network.inputs["frames"].order)}
        )

    def _scores(self, network: PretextNetwork, test: Split, long: Tensor, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        """Log-odds of right blocks (N, P), wrong ones (N, P, 2), and others of the video.

        The last are (N, P, P - 1), NaN for a block that shares maps with the right one.
        """
        generator = torch.Generator().manual_seed(derive_seed(seed))
        times = torch.tensor([test.videos[index].frames - network.apart for index in long.tolist()])
        first = (torch.rand(self.pairs, len(long), generator=generator, dtype=torch.float64) * times).long()
        with progress.bar("pretext", total=first.numel()) as bar:
            rounds = [_encode(network, test, long, starts, bar) for starts in first]
        right, wrong, same = [], [], []
        for number, (one, other, motion) in enumerate(rounds):
            right.append(_log_odds(network, one, other, motion))
            negatives = draw_negatives(long, self.negatives, generator).to(motion.device)
            wrong.append(torch.stack([_log_odds(network, one, other, motion[column]) for column in negatives.T], 1))
            others = [place for place in range(self.pairs) if place != number]
            odds = torch.stack([_log_odds(network, one, other, rounds[place][2]) for place in others], 1)
            apart = network.apart <= (first[others] - first[number]).abs().T
            same.append(odds.where(apart, torch.nan))
        return torch.stack(right, 1), torch.stack(wrong, 1), torch.stack(same, 1)


def _view(network: PretextNetwork) -> View:
    view = network.inputs["frames"].view
    assert not isinstance(view, WholeVideo)  # fitted on frames
    return view


@torch.no_grad()
def _encode(
    network: PretextNetwork, test: Split, videos: Tensor, first: Tensor, bar: progress.Bar
) -> tuple[Tensor, Tensor, Tensor]:
    """Vectors (N, dim) of first frames, second frames, and blocks between them."""
    images, flow = network.inputs["frames"], network.inputs["flow"]
    device = next(network.parameters()).device
    parts = []
    shares = list(zip(torch.split(videos, BATCH), torch.split(first, BATCH), strict=True))

    def read(step: int) -> Pairs:
        return read_pairs(test, *shares[step], network.apart, _view(network).size, None)

    with contextlib.closing(Batches(read, len(shares)).starting(0)) as reading:
        for pairs in reading:
            streams = {
                "frames": normalise(pinned_to_device(pairs.frames.flatten(0, 1), device), images),
                "flow": normalise(pinned_to_device(pairs.flow, device), flow),
            }
            parts.append(network.encode_pairs(streams))
            bar.advance(len(pairs.flow))
    one, other, motion = (torch.cat(vectors) for vectors in zip(*parts, strict=True))
    return one, other, motion


@torch.no_grad()
def _log_odds(network: PretextNetwork, one: Tensor, other: Tensor, motion: Tensor) -> Tensor:
    """Log-odds (N,) float64 on the CPU of belonging together."""
    logits = network.logits(one, other, motion).double().cpu()
    return logits[:, 1] - logits[:, 0]


def _video_terms(right: Tensor, wrong: Tensor, same: Tensor) -> dict[str, Tensor]:
    """Mean of each metric over the pairs of each video, (N,) float64.

    Args:
        right: (N, P) log-odds of the right blocks.
        wrong: (N, P, 2) of blocks of other videos.
        same: (N, P, M) of other times of the same video; NaN where there is none.
    """
    signed = torch.cat([right[:, :, None], -wrong], dim=2)
    losses = torch.nn.functional.softplus(-signed)
    own = right[:, :, None]
    preferred = (own > same).double() + (own == same).double() / 2
    return {
        "accuracy": (signed > 0).double().mean((1, 2)),
        "cross_entropy": losses.mean((1, 2)),
        "auc": _share_below(right, wrong.flatten()).mean(1),
        "same_video": preferred.where(~same.isnan(), torch.nan).nanmean((1, 2)),
    }


def _share_below(right: Tensor, wrong: Tensor) -> Tensor:
    """Share of wrong scores below each right one, ties counted half: (N, P)."""
    known = wrong.sort().values
    below = torch.searchsorted(known, right.contiguous())
    up_to = torch.searchsorted(known, right.contiguous(), right=True)
    return (below + up_to).double() / (2 * len(known))
