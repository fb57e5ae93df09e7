"""Parameters of improved dense trajectories, with the original's values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal, get_args

Flow = Literal["farneback", "dis"]
"""Optical flow: `farneback`, the original's, or `dis`.

Dense inverse search (Kroeger et al. 2016) is three times as fast, and closer to the truth where motion is large; it
draws fractions towards whole pixels of half the size, by a tenth of a pixel.
"""
Detector = Literal["orb", "sift"]
"""Detector of the key points that camera motion is estimated from."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of sampling, following, describing and rejecting tracks.

    Source: Wang and Schmid 2013. Lengths are pixels of the full frame unless said otherwise. The length of a track (15
    steps), the cells (2 x 2 x 3) and the bins (8, and 9 for HOF) are not here: they fix the 436 columns of a row, see
    `trajectories`.

    Raises:
        ValueError: when a value is out of its range.
    """

    flow: Flow = "dis"
    compensate: bool = True
    """Remove camera motion from HOF, MBH and shape, and tracks of it alone."""
    detector: Detector = "orb"
    """Detector of key points: the original's SURF is not in OpenCV's wheels.

    With the corners, ORB's key points give the same homographies as SIFT's in a tenth of the time.
    """

    stride: int = 5
    """Spacing of the sampling grid, pixels of each level."""
    gap: int = 1
    """Frames between samplings."""
    quality: float = 0.001
    """Share of the level's largest smaller eigenvalue that points must exceed."""
    levels: int = 8
    """Largest number of scales; none is smaller than the neighbourhood."""
    level_factor: float = 2**0.5
    neighbourhood: int = 32
    """Side of the square around a point, pixels of the level."""

    epsilon: float = 0.05
    """Added to each bin of a frame's histogram before it is normalised."""
    still: float = 0.4
    """Largest flow, pixels of the level, in HOF's zero bin, with weight 1."""

    min_std: float = 3**0.5
    """Standard deviation below which, in both directions, a track is static."""
    max_std: float = 50.0
    """Standard deviation above which, in either direction, a track is random."""
    max_step: float = 20.0
    """Length to exceed, beside the share of the track, for a step to be a jump."""
    max_step_share: float = 0.7
    """Share of the track's length to exceed for a step to be a jump."""
    min_motion: float = 1.0
    """Length of step, without the camera's motion, that a track must exceed once."""

    median: Literal[0, 3, 5] = 5
    """Side of the median filter of the flow; 0 leaves the flow as it is."""
    farneback_neighbours: int = 7
    """`poly_n` of OpenCV."""
    farneback_sigma: float = 1.5
    farneback_window: int = 10
    farneback_iterations: int = 2

    match_window: int = 25
    """Largest distance of matching key points of consecutive frames, in x and in y."""
    corners: int = 1000
    """Largest number of corners matched by the flow."""
    corner_distance: int = 3
    ransac_error: float = 1.0
    """Largest distance, pixels, of a match that agrees with a homography."""
    min_matches: int = 50
    """Number of matches to exceed; otherwise the camera counts as still."""
    min_inliers: int = 25
    """Number of inliers to exceed; otherwise the camera counts as still."""

    def __post_init__(self) -> None:
        for field, known in (("flow", get_args(Flow)), ("detector", get_args(Detector)), ("median", (0, 3, 5))):
            if getattr(self, field) not in known:
                msg = f"{field} must be one of {', '.join(map(str, known))}, got {getattr(self, field)!r}"
                raise ValueError(msg)
        numbers = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        at_least = {"stride": 1, "gap": 1, "levels": 1, "farneback_neighbours": 1, "farneback_window": 1}
        at_least |= {"farneback_iterations": 1, "match_window": 1, "corners": 1, "corner_distance": 0}
        for name, least in at_least.items():
            if numbers[name] < least:
                msg = f"{name} must be at least {least}, got {numbers[name]}"
                raise ValueError(msg)
        if self.neighbourhood < 4 or self.neighbourhood % 4:
            msg = f"neighbourhood must be a positive multiple of 4 pixels, got {self.neighbourhood}"
            raise ValueError(msg)
        if self.level_factor <= 1:
            msg = f"level_factor must be greater than 1, got {self.level_factor}"
            raise ValueError(msg)
        for name in ("epsilon", "ransac_error", "farneback_sigma"):
            if numbers[name] <= 0:
                msg = f"{name} must be positive, got {numbers[name]}"
                raise ValueError(msg)
