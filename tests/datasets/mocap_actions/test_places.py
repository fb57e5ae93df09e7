"""Kinds of places: all are painted, and differ."""

from __future__ import annotations

import numpy as np

from harness.datasets.mocap_actions.places import KINDS, place


def test_every_kind_of_place_paints_all_of_its_backdrop_and_some_things():
    looks = {}
    for kind in KINDS:
        site = place(kind, np.random.default_rng(1), 20.0).site
        assert (site.backdrop.pixels.max(-1) > 0).mean() > 0.98
        assert (site.ground.pixels.max(-1) > 0).mean() > 0.98
        assert 0.01 < (site.things.pixels[..., 3] > 0).mean() < 0.8
        assert (site.things.pixels[..., :3] <= site.things.pixels[..., 3:]).all()  # premultiplied
        again, other = (place(kind, np.random.default_rng(seed), 20.0).site.backdrop.pixels for seed in (1, 2))
        assert (again == site.backdrop.pixels).all()
        assert again.shape != other.shape or (again != other).any()
        looks[kind] = site.backdrop.pixels[:40, :200].tobytes()
    assert len(set(looks.values())) == len(KINDS)
