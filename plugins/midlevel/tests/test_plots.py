"""Plots by their pixels: what is drawn, where, and in which colour."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from harness.embeddings.scatter import colours
from harness.leaderboard.charts import METHOD
from harness_midlevel.plots import NOWHERE, SIDE, SIZE, rounds_plot, scatter_panels

KEYS = ("clusters", "fired", "change", "ari", "effective_rank")
SCALE = 2
"""Pixels a point."""


def rounds(**series):
    """A log: numbers of each round by name, None for those not given."""
    count = max(map(len, series.values()))
    empty = dict.fromkeys(KEYS, [None] * count)
    whole = {**empty, **series}
    return [
        {"round": k + 1, "subset": 0, "agreement": None, **{key: whole[key][k] for key in KEYS}} for k in range(count)
    ]


def decoded(png):
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def rgb(colour):
    return tuple(int(colour[start : start + 2], 16) for start in (1, 3, 5)) if isinstance(colour, str) else colour


def marks(image, colour, *, near=30):
    """Centres (N, 2), x and y, of what is drawn in about a colour, from left to right."""
    mask = np.abs(image.astype(int) - rgb(colour)).max(2) <= near
    *_, sizes, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return sorted(tuple(centre) for centre, size in zip(centres[1:], sizes[1:, 4], strict=True) if size > 20)


def faded(colour):
    """A colour as it looks on white through the opacity of a point."""
    return tuple(round(0.85 * level + 0.15 * 255) for level in rgb(colour))


def test_a_number_of_a_round_is_a_dot_in_a_panel_of_its_own():
    log = rounds(clusters=[64], fired=[0.3], change=[0.2], ari=[0.5], effective_rank=[12.0])
    dots = marks(decoded(rounds_plot(log)), METHOD)
    assert len(dots) == 5
    assert (np.diff([x for x, _ in dots]) > SCALE * SIZE[0]).all()


def test_places_of_dots_and_gaps_between_them():
    """The middle round is missing, so that no line joins the others."""
    for gap in (None, float("nan"), float("inf")):
        (left, low), (right, high) = marks(decoded(rounds_plot(rounds(fired=[0.0, gap, 1.0]))), METHOD)
        assert low - high == pytest.approx(SCALE * SIZE[1], abs=1)
        assert right - left == pytest.approx(SCALE * SIZE[0] * 2 / 3, abs=1)


def test_a_line_joins_rounds():
    image = decoded(rounds_plot(rounds(effective_rank=[30.0] * 20)))
    ((middle, _),) = marks(image, METHOD)
    mask = np.abs(image.astype(int) - rgb(METHOD)).max(2) < 30
    columns = np.flatnonzero(mask.any(0))
    assert columns[-1] - columns[0] == pytest.approx(SCALE * SIZE[0] * 19 / 20, abs=12)
    assert middle == pytest.approx((columns[0] + columns[-1]) / 2, abs=1)


def test_negative_indices_and_zeros_are_drawn():
    low, high = (marks(decoded(rounds_plot(rounds(ari=values))), METHOD) for values in ([-0.5, None], [0.0, None]))
    assert len(low) == len(high) == 1


def test_panels_without_numbers_are_left_out():
    first, all_visits = rounds(clusters=[5, 4], fired=[0.1, 0.2]), rounds(**{key: [0.1, 0.2] for key in KEYS})
    widths = [decoded(rounds_plot(log)).shape[1] for log in (first, all_visits)]
    assert widths[1] - widths[0] > 3 * SCALE * SIZE[0]


def test_logs_with_nothing_to_draw():
    with pytest.raises(ValueError, match="expected rounds with numbers to draw, got 0"):
        rounds_plot([])
    with pytest.raises(ValueError, match="got 2 without any"):
        rounds_plot(rounds(fired=[None, None]))


def test_images_are_reproducible():
    log = rounds(clusters=[5, 4], fired=[0.1, 0.2])
    assert rounds_plot(log) == rounds_plot(log)
    panel = ("t", np.arange(8.0).reshape(4, 2), np.arange(4))
    assert scatter_panels([panel]) == scatter_panels([panel])


def test_places_of_points_up_is_up_and_one_scale_for_both_directions():
    places = np.array([[0.0, 0.0], [4.0, 1.0]], dtype=np.float32)
    image = decoded(scatter_panels([("two points", places, np.array([3, 7]))]))
    ((left, low),), ((right, high),) = (marks(image, faded(colour)) for colour in colours(2))
    assert right - left == pytest.approx(SCALE * SIDE / 1.08, abs=1)
    assert low - high == pytest.approx(SCALE * SIDE / 1.08 / 4, abs=1)


def test_a_group_has_one_colour_in_all_panels():
    places = np.array([[0.0, 0.0], [1.0, 1.0]])
    image = decoded(scatter_panels([("a", places, np.array([0, 5])), ("b", places, np.array([5, 9]))]))
    found = [len(marks(image, faded(colour))) for colour in colours(3)]
    assert found == [1, 2, 1]


def test_points_of_no_group_are_grey():
    places = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    image = decoded(scatter_panels([("a", places, np.array([-1, 0, -1]))]))
    assert len(marks(image, faded(NOWHERE))) == 2
    assert len(marks(image, faded(colours(1)[0]))) == 1


def test_stars_stand_over_points_and_widen_the_frame():
    """Their colour is that of the group, without the points' opacity."""
    points = ("a", np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([-1, -1]))
    stars = (np.array([[3.0, 0.0]]), np.array([0]))
    image = decoded(scatter_panels([points, points], stars=[stars, None]))
    ((place, _),) = marks(image, colours(1)[0], near=4)
    grey = [x for x, _ in marks(image, faded(NOWHERE))]
    assert grey[1] - grey[0] == pytest.approx((place - grey[0]) / 3, abs=1)
    assert grey[3] - grey[2] == pytest.approx(SCALE * SIDE / 1.08, abs=1)


def test_one_point_and_equal_points_are_drawn():
    for places in (np.zeros((1, 2)), np.ones((3, 2))):
        assert len(marks(decoded(scatter_panels([("a", places, np.zeros(len(places), int))])), colours(1)[0], near=60))


def test_bad_arguments_of_panels():
    good = ("a", np.zeros((2, 2)), np.zeros(2, int))
    with pytest.raises(ValueError, match="expected panels and as many stars, got 0 and 0"):
        scatter_panels([])
    with pytest.raises(ValueError, match="expected panels and as many stars, got 1 and 2"):
        scatter_panels([good], stars=[None, None])
    for places, groups in ((np.zeros((2, 3)), good[2]), (np.zeros((0, 2)), good[2][:0]), (good[1], good[2][:1])):
        with pytest.raises(ValueError, match=r"b: expected places \(N, 2\) and groups \(N,\), got"):
            scatter_panels([good, ("b", places, groups)])
    with pytest.raises(ValueError, match="stars of a: expected places"):
        scatter_panels([good], stars=[(np.zeros((1, 3)), np.zeros(1, int))])
    with pytest.raises(ValueError, match="a: expected finite places"):
        scatter_panels([("a", np.array([[0.0, np.nan]]), np.zeros(1, int))])
