"""`harness claims`: claims held against a board of the toy suite."""

from __future__ import annotations

import json

import pytest

from harness.leaderboard.claims_table import BEGIN, END
from harness.system import plain_yaml

SIDE = {"suite": "toy", "method": "counted", "evaluator": {"name": "knn", "k": 5}}
CLAIMS = {
    "claims": [{"claim": "Same", "source": "a", "pairs": [{"of": "x", "paper": "=", "one": SIDE, "other": SIDE}]}]
}


@pytest.fixture
def claims(harness):
    """File of claims, as an argument."""
    (harness.folder / "claims.yaml").write_text(plain_yaml.dump(CLAIMS))
    return "claims.yaml"


@pytest.fixture
def arguments(harness, claims):
    """Claims and a board, as arguments."""
    result = harness("run", "toy", "--set", "methods=[counted]", "--set", "seeds=[0, 1]")
    assert result.returncode == 0, result.stderr
    return claims, "leaderboards/toy"


def test_the_table_is_printed_or_written_between_the_comments_of_a_readme(harness, arguments):
    printed = harness("claims", *arguments)
    assert printed.returncode == 0, printed.stderr
    assert "| Same (a) | x | = | " in printed.stdout
    readme = harness.folder / "README.md"
    readme.write_text(f"# Plugin\n{BEGIN}\nold\n{END}\nend\n")
    written = harness("claims", *arguments, "--readme", "README.md", "--json")
    assert readme.read_text() == f"# Plugin\n{BEGIN}\n\n{printed.stdout.strip()}\n\n{END}\nend\n"
    (pair,) = json.loads(written.stdout)
    assert (pair["claim"], pair["mini"], pair["full"]["verdict"]) == ("Same", None, "open")


def test_a_folder_without_a_board_is_one_line(harness, claims):
    result = harness("claims", claims, "nowhere")
    assert (result.returncode, result.stdout) == (4, "")
    assert "nowhere/results.json does not exist" in result.stderr
