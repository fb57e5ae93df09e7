"""What a board claims (README), checked on boards whose true scores are known."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from harness.leaderboard import statistics

from .simulation import BOARDS, GRID, MEANS, POWER, SPREADS, TABLE, Design, offences, power, simulate

SMALL = [Design(*one) for one in product((3, 7, 105), (1, 2, 3, 10), (0.0, 0.06), (0.5, 0.97))]


@pytest.fixture(scope="module")
def outcomes():
    return [simulate(design, 200) for design in SMALL]


def test_intervals_cover_and_families_of_tests_err_as_claimed(outcomes):
    assert offences(outcomes) == []


@pytest.mark.long
def test_they_do_on_every_board_of_the_grid():
    assert offences([simulate(design, BOARDS) for design in GRID]) == []


def test_the_committed_table_has_the_whole_grid_and_the_figures_of_this_method(outcomes):
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if "|" in line]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rows = {tuple(cells[:4]): cells[4:] for cells in rows if len(cells) > 5}
    assert set(rows) >= {design.cells for design in GRID}
    for one in outcomes:
        coverage, width, pair, _ = (float(cell or "nan") for cell in rows[one.design.cells])
        figures = np.array([one.coverage, one.width, one.pair]) * 100
        if one.shown:
            assert figures[:2] == pytest.approx((coverage, width), rel=0.25, abs=1)
        if one.tested:
            assert figures[2] == pytest.approx(pair, abs=5)


def of_normal(mean, seeds, rest_of_groups, groups, **freedom):
    return 2 * stats.norm.sf(np.abs(mean) / np.sqrt(np.maximum(seeds + rest_of_groups, groups)))


def test_a_variance_of_few_seeds_that_is_trusted_is_an_offence(monkeypatch):
    """Satterthwaite's degrees of freedom trust it, for example."""
    monkeypatch.setattr(statistics, "student", lambda error, freedom: -stats.norm.ppf(error / 2))
    monkeypatch.setattr(statistics, "p_values", of_normal)
    said = offences([simulate(Design(105, 2, 0.06, 0.5), 250)])
    assert [("cover" in one, "false difference" in one) for one in said] == [(True, False), (False, True)]


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("spread", SPREADS)
def test_ten_seeds_find_most_of_what_known_variances_would(spread, mean):
    oracle, own = power(Design(105, 10, spread, mean), 600)
    assert 0.6 < oracle.mean() < 0.95
    short = own - POWER * oracle
    assert short.mean() + stats.norm.isf(0.01 / 9) * short.std() / np.sqrt(len(short)) > 0
