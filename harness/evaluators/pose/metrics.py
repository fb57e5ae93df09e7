"""PCP and PDJ of predicted joints, averaged over each video."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.evaluators.cards import THRESHOLDS, pdj_id
from harness.functional.pose import DIAGONAL, OTHER_DIAGONAL, pdj, strict_pcp, torso_diameter

if TYPE_CHECKING:
    from torch import Tensor

    from harness.evaluators.pose.frames import Frames

LIMBS = {"strict_pcp_arms": (0, 1, 2, 3), "strict_pcp_upper_arm": (0, 1), "strict_pcp_lower_arm": (2, 3)}
"""Columns of `strict_pcp` that each metric averages, left and right alike."""

PAIRS = {"elbow": (3, 4), "wrist": (5, 6)}
"""Columns of `pdj`, left and right."""


def metric_values(frames: Frames, predicted: Tensor) -> dict[str, Tensor]:
    """Values of each video, (videos,) float64, for each metric that has any.

    NaN leaves a video out.

    Args:
        frames: N of a split.
        predicted: (N, 9, 2) pixels.
    """
    limbs = strict_pcp(predicted, frames.truth)
    values = {name: frames.per_video(limbs[:, columns]) for name, columns in LIMBS.items()}
    values |= {pdj_id(*key): rows for key, rows in _pdj(frames, predicted, DIAGONAL).items()}
    return {name: rows for name, rows in values.items() if not rows.isnan().all()}


def _pdj(frames: Frames, predicted: Tensor, diagonal: tuple[int, int]) -> dict[tuple[str, float], Tensor]:
    diameter = torso_diameter(frames.joints, diagonal)
    return {
        (joint, threshold): frames.per_video(pdj(predicted, frames.truth, diameter, threshold)[:, columns])
        for joint, columns in PAIRS.items()
        for threshold in THRESHOLDS
    }


def other_diagonal(frames: Frames, predicted: Tensor, values: dict[str, Tensor]) -> dict[str, float]:
    """PDJ by the torso's other diagonal, where more than half a point away."""
    others = {key: float(rows.nanmean()) for key, rows in _pdj(frames, predicted, OTHER_DIAGONAL).items()}
    return {
        pdj_id(*key, "rsho_lhip"): value
        for key, value in others.items()
        if pdj_id(*key) in values and abs(value - float(values[pdj_id(*key)].nanmean())) > 0.005
    }


def limb_counts(frames: Frames, predicted: Tensor) -> dict[str, int]:
    """Numbers of limbs scored and not: a joint is not, or the limb has no length."""
    limbs = strict_pcp(predicted, frames.truth)
    return {"yes": int((~limbs.isnan()).sum()), "no": int(limbs.isnan().sum())}
