"""Pose metrics: strict PCP of arms, and PDJ."""

from __future__ import annotations

import torch
from torch import Tensor

JOINTS = (
    *("nose", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow"),
    *("left_wrist", "right_wrist", "left_hip", "right_hip"),
)
"""FLIC's nine joints in their order; left is the person's own left."""

TORSO = (1, 2, 7, 8)
"""Joints of the torso: shoulders and hips."""

ARMS = ((1, 3), (2, 4), (3, 5), (4, 6))
"""Limbs as pairs of joints: left and right upper arm, left and right lower arm."""

DIAGONAL, OTHER_DIAGONAL = (1, 8), (2, 7)
"""Torso diagonals: left shoulder to right hip, right shoulder to left hip."""


def strict_pcp(predicted: Tensor, truth: Tensor) -> Tensor:
    """Strict PCP of arms: both ends within half the true length of the true ends.

    The bound is inclusive.

    The length is that of this person in this image. A limb has no answer (NaN) when one of its true ends is NaN, or
    when its true length is 0, so that half of it tells nothing. A predicted end that is NaN is wrong. Distances are
    compared in float64.

    Args:
        predicted: (..., N, 9, 2) x and y, in any unit that is the same for both axes.
        truth: (N, 9, 2) in the same unit; NaN for a joint that is not scored.

    Returns:
        (..., N, 4) float64, a column for each of `ARMS`: 1 right, 0 wrong, NaN not scored.

    Raises:
        ValueError: when shapes do not fit.

    Source: Pishchulin et al., "Strong appearance and expressive spatial models for human pose estimation", ICCV 2013,
    which calls this the strict PCP; the loose one takes the mean of both ends' distances.

    >>> truth = torch.zeros(1, 9, 2)
    >>> truth[0, 3], truth[0, 5] = torch.tensor([4.0, 0.0]), torch.tensor([4.0, 8.0])  # left elbow and wrist
    >>> moved = truth.clone()
    >>> moved[0, 3] -= 2.0
    >>> strict_pcp(moved, truth).tolist()
    [[0.0, nan, 1.0, nan]]
    """
    distances = _distances(predicted, truth)
    ends = torch.tensor(ARMS, device=truth.device)
    a, b = truth.to(torch.float64)[..., ends, :].unbind(-2)
    length = _norm(a - b)  # (N, 4)
    right = (distances[..., ends] <= 0.5 * length[..., None]).all(-1)
    return torch.where(length > 0, right.to(torch.float64), torch.nan)  # NaN > 0 is false


def torso_diameter(truth: Tensor, diagonal: tuple[int, int] = DIAGONAL) -> Tensor:
    """Distance of a shoulder to the opposite hip in `truth` (N, 9, 2): (N,) float64.

    NaN where one of them is NaN.

    >>> truth = torch.zeros(1, 9, 2)
    >>> truth[0, 8] = torch.tensor([3.0, 4.0])
    >>> torso_diameter(truth).item(), torso_diameter(truth, OTHER_DIAGONAL).item()
    (5.0, 0.0)
    """
    one, other = diagonal
    return _norm(truth[..., one, :].double() - truth[..., other, :].double())


def pdj(predicted: Tensor, truth: Tensor, diameter: Tensor, threshold: float) -> Tensor:
    """PDJ: joints within `threshold` torso diameters of the true ones, inclusive.

    A joint has no answer (NaN) when its true place is NaN, or when its torso's diameter is NaN or 0. A predicted joint
    that is NaN is not detected. Distances are compared in float64.

    Args:
        predicted: (..., N, 9, 2) x and y, in any unit that is the same for both axes.
        truth: (N, 9, 2) in the same unit; NaN for a joint that is not scored.
        diameter: (N,) of `torso_diameter`.
        threshold: in torso diameters, not negative.

    Returns:
        (..., N, 9) float64, a column for each of `JOINTS`: 1 detected, 0 not, NaN not scored.

    Raises:
        ValueError: when shapes do not fit, or the threshold is negative.

    Source: Sapp and Taskar, "MODEC: multimodal decomposable models for human pose estimation", CVPR 2013.

    >>> truth = torch.zeros(1, 9, 2)
    >>> truth[0, 8] = torch.tensor([3.0, 4.0])
    >>> pdj(truth + torch.tensor([0.0, 1.0]), truth, torso_diameter(truth), 0.2)[0, :3].tolist()
    [1.0, 1.0, 1.0]
    """
    if not threshold >= 0:
        msg = f"the threshold must not be negative, got {threshold}"
        raise ValueError(msg)
    distances = _distances(predicted, truth)
    if diameter.shape != truth.shape[:1]:
        msg = f"diameters must be ({len(truth)},), got {tuple(diameter.shape)}"
        raise ValueError(msg)
    scored = ~truth.isnan().any(-1) & (diameter > 0)[:, None]
    detected = distances <= threshold * diameter.double()[:, None]
    return torch.where(scored, detected.to(torch.float64), torch.nan)


def _distances(predicted: Tensor, truth: Tensor) -> Tensor:
    """(..., N, 9) float64 distances of joints."""
    if truth.ndim != 3 or truth.shape[1:] != (len(JOINTS), 2) or predicted.shape[-3:] != truth.shape:
        msg = (
            f"joints must be (N, {len(JOINTS)}, 2), and predictions (..., N, {len(JOINTS)}, 2) of as many; "
            f"got {tuple(truth.shape)} and {tuple(predicted.shape)}"
        )
        raise ValueError(msg)
    return _norm(predicted.to(torch.float64) - truth.to(torch.float64))


def _norm(differences: Tensor) -> Tensor:
    """Euclidean norm, (..., 2) -> (...)."""
    norm: Tensor = torch.linalg.vector_norm(differences, dim=-1)
    return norm
