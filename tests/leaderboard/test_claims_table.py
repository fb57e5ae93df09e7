"""The table of claims, and the boards that it is computed from."""

from __future__ import annotations

import dataclasses

import pytest

from harness.errors import DataError, UsageError
from harness.leaderboard.claims import Claim, Pair, Side
from harness.leaderboard.claims_table import BEGIN, END, digests, filled, load_boards, measure_claims, table, values
from harness.leaderboard.results_file import dump


def side(method, evaluator="clustering"):
    return Side(suite="quickstart", method=method, evaluator=evaluator, data="mocap-actions")


PAIRS = (
    Pair(of="supervised", paper="1 < 2", one=side("supervised"), other=side("random_init")),
    Pair(of="the same", paper="1 < 1, |d| = 0", one=side("supervised"), other=side("supervised")),
    Pair(of="nobody", paper="=", one=side("nobody"), other=side("random_init"), within=0.1),
    Pair(of="top", paper="1 > 0", one=side("quadruplet", "linear_probe"), other=side("supervised", "linear_probe")),
)
CLAIMS = (
    Claim(claim="Labels help", source="table 1", pairs=PAIRS[:2]),
    Claim(claim="Losses help", source="figure 2", pairs=PAIRS[2:]),
)


@pytest.fixture(scope="module")
def mini(board):
    return dataclasses.replace(board, suite="quickstart-mini")


@pytest.fixture(scope="module")
def boards(mini):
    return {mini.suite: mini}


def test_a_line_for_each_pair_full_and_mini(boards):
    pairs = measure_claims(CLAIMS, boards)
    first, same, nobody, top, *rest = table(pairs, boards).splitlines()[2:]
    measured = pairs[0].results["mini"]
    gap = measured.difference
    assert first == (
        f"| Labels help (table 1) | supervised | 1 < 2 | not measured | {measured.one:.2f}, {measured.other:.2f}: "
        f"{gap.mean:+.2f} [{gap.low:+.2f}, {gap.high:+.2f}] **confirmed** |"
    )
    assert same.startswith("|  | the same | 1 < 1, \\|d\\| = 0 | not measured | ")
    assert same.endswith("+0.00 [+0.00, +0.00] **open** |")
    assert nobody == "| Losses help (figure 2) | nobody | = | not measured | not measured |"
    one, other = (pairs[3].results["mini"].one, pairs[3].results["mini"].other)
    assert f"| {one:.1f}, {other:.1f}: {one - other:+.1f} [" in top  # percent
    assert top.endswith("**refuted** |")
    assert rest == [
        "",
        "mini: seeds 5, fits of 400,000 frames, 225 test videos or images in 45 groups; quickstart-mini.  ",
    ]


def test_a_metric_that_is_not_the_first_and_a_ceiling_are_named(boards):
    pair = PAIRS[3].model_copy(update={"metric": "top1"})
    (measured,) = measure_claims([Claim(claim="c", source="s", pairs=(pair,))], boards)
    high = dataclasses.replace(measured.results["mini"], one=98.5, other=99.0)
    line = table([dataclasses.replace(measured, results={"full": None, "mini": high})], boards).splitlines()[2]
    assert line.startswith("| c (s) | top (`top1`) | 1 > 0 | not measured | 98.5, 99.0: ")
    assert line.endswith("**open** (ceiling) |")


def test_without_a_test_the_table_says_so(boards):
    (measured,) = measure_claims([Claim(claim="c", source="s", pairs=PAIRS[:1])], boards)
    untested = dataclasses.replace(measured.results["mini"], difference=None)
    line = table(
        [dataclasses.replace(measured, results={"full": untested, "mini": None})],
        {"quickstart": boards["quickstart-mini"]},
    )
    assert "no test (too few seeds or groups, or a metric without predictions), **open**" in line


def test_values_are_those_of_the_table(boards):
    first, _, nobody, top = values(measure_claims(CLAIMS, boards))
    assert (first["claim"], first["full"], first["mini"]["verdict"]) == ("Labels help", None, "confirmed")
    assert first["mini"]["difference"]["mean"] == pytest.approx(first["mini"]["one"] - first["mini"]["other"])
    assert (nobody["full"], nobody["mini"]) == (None, None)
    assert (top["mini"]["metric"], top["mini"]["ceiling"], top["mini"]["verdict"]) == ("top1", False, "refuted")
    assert top["mini"]["one"] > 10  # percent


@pytest.fixture
def folder(mini, tmp_path):
    (tmp_path / "board").mkdir()
    (tmp_path / "board" / "results.json").write_text(dump(dataclasses.replace(mini, pictures=())), encoding="utf-8")
    return tmp_path / "board"


def test_boards_are_read_by_the_name_of_their_suite(folder):
    boards = load_boards([folder], CLAIMS)
    assert list(boards) == ["quickstart-mini"]
    assert measure_claims(CLAIMS, boards)[0].results["mini"] is not None
    with pytest.raises(UsageError, match="a second board of suite 'quickstart-mini'"):
        load_boards([folder, folder], CLAIMS)
    others = [Claim(claim="c", source="s", pairs=(PAIRS[0].model_copy(update=elsewhere()),))]
    with pytest.raises(UsageError, match="expected a board of a suite that the claims name, got one of 'quickstart"):
        load_boards([folder], others)


def elsewhere():
    there = Side(suite="there", method="sfa", evaluator="clustering")
    return {"one": there, "other": there}


def test_the_comment_changes_with_a_board(folder, tmp_path):
    before = digests([folder])
    assert before.startswith("<!-- of board ")
    results = folder / "results.json"
    results.write_text(results.read_text(encoding="utf-8").replace("Quickstart", "Slowstart"), encoding="utf-8")
    assert digests([folder]) != before
    with pytest.raises(DataError, match="cannot be read"):
        digests([tmp_path / "nowhere"])


def test_a_readme_without_the_comments_is_refused():
    with pytest.raises(UsageError, match="lacks the lines"):
        filled(f"# Plugin\n{END}\n{BEGIN}", "")
