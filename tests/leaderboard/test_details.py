"""Details of a row: its share of the supervised result, and comparisons seen from both sides."""

from __future__ import annotations

import pytest

from harness.leaderboard import details as details_module
from harness.leaderboard.details import details


@pytest.fixture(scope="module")
def by_method(board):
    return {row.identity.method.name: shown for row, shown in zip(board.rows, details(board), strict=True)}


def test_accuracies_are_shown_as_a_share_of_the_supervised_one(board, by_method):
    probe, *_ = by_method["sfa"]["cells"]
    means = {row.identity.method.name: row.cells[0].interval.mean for row in board.rows}
    assert probe["facts"]["of supervised"] == f"{100 * means['sfa'] / means['supervised']:.0f} %"


def test_entropies_and_the_reference_itself_have_no_share(by_method):
    entropy = by_method["sfa"]["cells"][2]
    assert entropy["metric"].startswith("Conditional entropy")
    assert "of supervised" not in entropy["facts"]
    assert all("of supervised" not in cell["facts"] for cell in by_method["supervised"]["cells"])


def test_another_backbone_is_no_measure(make_plan, fake, make_board):
    row, column, _ = fake
    rows = [row("sfa", 0.4, backbone="small_2d"), row("supervised", 0.6, supervised=True)]
    alone, _ = details(make_board(make_plan(rows, [column("knn")], (0, 1))))
    assert "of supervised" not in alone["cells"][0]["facts"]


def test_a_comparison_is_the_same_seen_from_both_sides(by_method):
    one = {other["other"]: other for other in by_method["sfa"]["cells"][0]["comparisons"]}["quadruplet"]
    other = {one["other"]: one for one in by_method["quadruplet"]["cells"][0]["comparisons"]}["sfa(dim=64)"]
    mean, low, high = (float(text.strip("+[],")) for text in one["difference"].split())
    assert [-mean, -high, -low] == [float(text.strip("+[],")) for text in other["difference"].split()]
    assert (one["p"], one["separable"]) == (other["p"], other["separable"])


def test_what_a_row_started_from(labelled_board):
    facts = {row["title"]: row["facts"] for row in details(labelled_board)}
    assert facts["best"]["starts from"] == "best.pth, learnt from Kinetics-400 with labels"
    assert "starts from" not in facts["random_init"]


def test_of_many_rows_those_next_in_rank_are_compared(board, monkeypatch):
    monkeypatch.setattr(details_module, "NEAREST", 2)
    shown = {row.label: one for row, one in zip(board.rows, details(board), strict=True)}
    ranked = [standing.row.label for standing in board.divisions[0].standings if standing.rank]
    others = {label: {one["other"] for one in shown[label]["cells"][0]["comparisons"]} for label in ranked}
    assert others[ranked[0]] == {ranked[1], ranked[2]}
    assert others[ranked[2]] == {ranked[1], ranked[3]}
    assert others[ranked[-1]] == {ranked[-2], ranked[-3]}
