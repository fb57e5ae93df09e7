"""The parameters of improved dense trajectories, with the original's values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal, get_args

Flow = Literal["farneback", "dis"]
"""`farneback` is the original's flow. `dis` (dense inverse search, Kroeger et al. 2016) is three times as fast and
closer to the truth where motion is large; fractions it draws to whole pixels of half the size, by a tenth of a pixel.
"""
Detector = Literal["orb", "sift"]
"""Of the key points that camera motion is estimated from."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How trajectories are sampled, followed, described and rejected (Wang and Schmid 2013).

    Lengths are pixels of the full frame unless said otherwise. The length of a track (15 steps), the cells (2 x 2 x 3)
    and the bins (8, and 9 for HOF) are not here: they are what a row of 436 numbers is made of, see `columns`.

    Raises:
        ValueError: when a value cannot be.
    """

    flow: Flow = "dis"
    compensate: bool = True
    """Take camera motion out of HOF, MBH and shape, and drop the tracks that only the camera moved."""
    detector: Detector = "orb"
    """The original's SURF is not in OpenCV's wheels. With the corners, ORB's key points give the same homographies as
    SIFT's in a tenth of the time."""

    stride: int = 5
    """Of the sampling grid, pixels of each level."""
    gap: int = 1
    """Frames between samplings."""
    quality: float = 0.001
    """A point is sampled where the smaller eigenvalue exceeds this share of the level's largest."""
    levels: int = 8
    """At most so many scales; fewer where the frame gets smaller than the neighbourhood."""
    level_factor: float = 2**0.5
    neighbourhood: int = 32
    """Side of the square that is described, pixels of the level."""

    epsilon: float = 0.05
    """Added to each bin of a frame's histogram before it is normalised."""
    still: float = 0.4
    """Flow up to this, pixels of the level, goes into the zero bin of HOF, with weight 1."""

    min_std: float = 3**0.5
    """A track that varies less than this in both directions is static."""
    max_std: float = 50.0
    """A track that varies more than this in either direction is random."""
    max_step: float = 20.0
    """A step longer than this and than `max_step_share` of the track is a jump."""
    max_step_share: float = 0.7
    min_motion: float = 1.0
    """A track none of whose steps, less the camera's motion, is longer than this is camera motion."""

    median: Literal[0, 3, 5] = 5
    """Side of the median filter of the flow; 0 leaves the flow as it is."""
    farneback_neighbours: int = 7
    """`poly_n` of OpenCV."""
    farneback_sigma: float = 1.5
    farneback_window: int = 10
    farneback_iterations: int = 2

    match_window: int = 25
    """Key points of consecutive frames are matched up to this far apart, in x and in y."""
    corners: int = 1000
    """At most so many corners are matched by the flow."""
    corner_distance: int = 3
    ransac_error: float = 1.0
    """Pixels within which a match agrees with a homography."""
    min_matches: int = 50
    """With no more matches than this there is no homography, and the camera counts as still."""
    min_inliers: int = 25
    """With no more inliers than this there is no homography either."""

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
