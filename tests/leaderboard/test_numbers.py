"""Numbers as tables show them."""

from __future__ import annotations

import pytest

from harness.cards import Metric
from harness.leaderboard import text
from harness.leaderboard.ranking import Rank
from harness.leaderboard.statistics import Difference, Interval

ACCURACY = Metric(id="top1", title="Top-1 accuracy", unit="%", higher_is_better=True)
ENTROPY = Metric(id="ce", title="Conditional entropy", unit="bits", higher_is_better=False)
SHARE = Metric(id="nmi", title="NMI", unit="1", higher_is_better=True)


@pytest.mark.parametrize(("metric", "expected"), [(ACCURACY, "61.3"), (ENTROPY, "0.61"), (SHARE, "0.613")])
def test_fractions_are_shown_as_percentages_and_entropies_in_bits(metric, expected):
    assert text.shown(0.6131, metric) == expected


def test_a_span_is_blank_where_the_spread_is_unknown():
    assert text.span(Interval(0.5), ACCURACY) == ""
    assert text.span(Interval(0.5, 0.4, 0.6), ACCURACY) == "40.0–60.0"


def test_differences_have_their_sign():
    assert text.signed(Difference(0.042, 0.01, 0.074, 0.01), ACCURACY) == "+4.2 [1.0, 7.4]"
    assert text.signed(Difference(-0.042, -0.074, 0.01, 0.2), ACCURACY) == "-4.2 [-7.4, 1.0]"


def test_chance_is_one_number_or_a_range():
    assert text.chance((0.06666, 0.06671), ACCURACY) == "6.7"
    assert text.chance((0.05, 0.07), ACCURACY) == "5.0–7.0"


def test_columns_say_unit_and_direction():
    shown = [text.measured(metric).replace("\u00a0", " ") for metric in (ACCURACY, ENTROPY, SHARE)]
    assert shown == ["Top-1 accuracy, % ↑", "Conditional entropy, bits ↓", "NMI ↑"]


def test_a_rank_shows_its_range_where_it_is_open():
    assert text.place(Rank(2, 1, 3, 1.5, ((1, 3),), (True,))) == "2 (1–3)"
    assert text.place(Rank(2, 2, 2, 2.0, ((2, 2),), (False,))) == "2"


def test_small_probabilities_are_not_shown_as_zero():
    assert [text.probability(p) for p in (0.0, 0.0004, 0.0321, 1.0)] == ["< 0.001", "< 0.001", "0.032", "1.000"]
