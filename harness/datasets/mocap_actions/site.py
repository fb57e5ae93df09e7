"""Empty place, ready to be painted: ground, backdrop, and things between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from harness.datasets.mocap_actions.motion import Array
from harness.datasets.mocap_actions.plate import Plate

NEAR = 4.5  # metres of ground towards the camera
FARTHEST_CAMERA = 6.5


@dataclass(frozen=True, slots=True)
class Site:
    """Three plates around the person's spot (0, 0, 0); the camera is at positive z."""

    ground: Plate
    """u is x, v is -z."""
    backdrop: Plate
    """At z = -depth; u is x, v is y."""
    things: Plate
    """At z = -between; u is x, v is y; see-through."""
    depth: float
    between: float
    generator: Generator

    @property
    def half(self) -> float:
        """Metres that all plates reach to the left and to the right."""
        return self.backdrop.right

    def spread(self, gap: float, jitter: float = 0.35) -> Iterator[float]:
        """Spread positions from the left end to the right, about `gap` metres apart."""
        at = -self.half + gap * self.generator.random()
        while at < self.half:
            yield at + gap * self.generator.uniform(-jitter, jitter)
            at += gap

    def planes(self) -> tuple[Array, Array, Array]:
        """Give ground, backdrop and things as (3, 3): directions of u and v, and origin."""
        right, up, away = np.eye(3)[:, 0], np.eye(3)[:, 1], np.array([0.0, 0.0, -1.0])
        zero = np.zeros(3)
        return (
            np.stack([right, away, zero], axis=-1),
            np.stack([right, up, away * self.depth], axis=-1),
            np.stack([right, up, away * self.between], axis=-1),
        )


def clear(generator: Generator, depth: float, between: float, density: float) -> Site:
    """Make a site with nothing on it.

    Args:
        generator: What the painter draws from.
        depth: Metres from the person to the backdrop.
        between: Metres from the person to the plane of things.
        density: Pixels that a metre near the person fills in the frame.
    """
    half = 5.0 + 0.95 * (depth + 5.0)
    top = 2.6 + 0.45 * depth
    far = density * FARTHEST_CAMERA / (FARTHEST_CAMERA + depth) * 1.3
    mid = density * FARTHEST_CAMERA / (FARTHEST_CAMERA + between) * 1.2
    return Site(
        # seen at a slant, the ground needs fewer pixels along the depth, and shimmers with more
        ground=Plate(-half, half, -NEAR, depth, (0.9 * density, 0.45 * density)),
        backdrop=Plate(-half, half, -0.6, top, (far, far)),
        things=Plate(-half, half, -0.2, min(top, 4.2), (mid, mid), channels=4),
        depth=depth,
        between=between,
        generator=generator,
    )
