"""The table of claims: every side is one cell of its suites, and verdicts follow from intervals."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from harness.errors import DataError, UsageError
from harness.evaluators.cards import CLUSTERING, FINETUNE
from harness.execution import plan
from harness.functional.statistics import of_predictions
from harness.leaderboard.board import build_board
from harness.leaderboard.planned import PlannedCell
from harness.leaderboard.results_file import dump
from harness.leaderboard.statistics import Difference
from harness.plugins.manager import Plugins
from harness.store.records import Run
from harness.suites.schema import load
from harness.system.hashing import digest
from harness.values import Predictions, Score
from harness_temporal_coherency import CLAIMS
from harness_temporal_coherency.claims import (
    BEGIN,
    END,
    Measured,
    claims,
    digests,
    filled,
    load_boards,
    main,
    measure,
    table,
    verdict,
)

ROOT = Path(__file__).parents[3]
PAIRS = [(claim, pair) for claim in claims() for pair in claim.pairs]


def test_all_nine_claims_of_the_text_and_three_of_the_tables_are_there():
    assert len(claims()) == 12
    text = ("fc6", "Spectral", "better than Ls on actions", "equals Ls on scenes", "window", "margin of 10")
    for word in (*text, "GoogLeNet", "another set", "Ld < Lq"):
        assert sum(word in claim.claim for claim in claims()) == 1


@pytest.mark.parametrize("ending", ["", "-mini"])
def test_every_side_is_one_cell_of_its_suite(ending):
    plugins, cells = Plugins(), {}
    for name in CLAIMS:
        suite = load(f"coherency-{name}{ending}", plugins.suites)
        assert len(suite.seeds) == 3
        identities = plan.identities(plan.canonical(suite, plugins), plugins)
        cells[suite.name] = [cell for cell in identities if cell.seed == 0]
    used = set()
    for claim, pair in PAIRS:
        for side in (pair.one, pair.other):
            name = side.suite + ending
            chosen = [cell for cell in cells[name] if side.selects(cell, cell.evaluator)]
            assert len(chosen) == 1, (claim.claim, pair.of, side)
            used.add(name)
    assert used == set(cells)  # no suite is computed for nothing


def measured(low, high, metric=CLUSTERING.primary):
    return Measured(metric, 0.0, 0.0, Difference((low + high) / 2, low, high, 0.5))


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(-2, -1, "holds"), (-1, 1, "cannot be told"), (1, 2, "does not hold")]
)
def test_better_is_lower_entropy_and_higher_accuracy(low, high, expected):
    assert verdict(measured(low, high), None) == expected
    assert verdict(measured(-high, -low, FINETUNE.primary), None) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.05, 0.09, "holds"),
        (0.01, 0.09, "holds"),  # different, by less than matters
        (-0.05, 0.11, "cannot be told"),
        (0.11, 0.2, "does not hold"),
        (-0.2, -0.11, "does not hold"),
    ],
)
def test_equal_is_within_the_tolerance(low, high, expected):
    assert verdict(measured(low, high), 0.1) == expected


CARDS = {"clustering": CLUSTERING, "finetune": FINETUNE}
GROUPS, CLIPS, CLASSES = 12, 4, 3


def run(cell, right):
    """A run of a cell that gets this share of the videos right."""
    generator = np.random.default_rng(int(right * 100) + cell.seed)
    labels = np.arange(GROUPS).repeat(CLIPS) % CLASSES
    hits = generator.random(len(labels)) < right
    predictions = Predictions(
        videos=tuple(f"v{i}" for i in range(len(labels))),
        groups=tuple(f"g{i // CLIPS}" for i in range(len(labels))),
        labels=tuple(labels.tolist()),
        predicted=(tuple(np.where(hits, labels, generator.integers(0, CLASSES, len(labels))).tolist()),),
    )
    metric = CARDS[cell.evaluator.name].primary
    value = float(of_predictions(predictions, metric).mean())
    protocol = {"evaluator": cell.evaluator.model_dump(), "data": cell.data.model_dump()}
    return Run(
        key=digest(cell.model_dump()),
        fit_key="a fit",
        identity=cell,
        status="done",
        supervised=False,
        scores=(Score(metric.id, value, None),),
        predictions=predictions,
        protocol=protocol,
        protocol_id=digest(protocol),
        provenance={},
    )


def board_of(suite, shares, seeds=(0, 1, 2)):
    """A board of a claims suite; each method gets this share of the videos right, with every evaluator."""
    plugins = Plugins()
    content = load(suite, plugins.suites)
    cells = [
        cell
        for cell in plan.identities(plan.canonical(content, plugins), plugins)
        if cell.method.label in shares and cell.evaluator.name in CARDS and cell.seed in seeds
    ]
    runs = [run(cell, shares[cell.method.label]) for cell in cells]
    planned = [PlannedCell(identity=one.identity, key=one.key, supervised=False, run=one) for one in runs]
    return build_board(
        title=suite,
        summary="",
        suite=suite,
        suite_hash="",
        command="",
        planned=planned,
        cards=CARDS,
        pictures={},
    )


SHARES = {"random_init": 0.1, "sfa": 0.9, "siamese": 0.3, "sfa(colour=0.4)": 0.9, "siamese(colour=0.4)": 0.5}
SHARES |= {"quadruplet": 0.3, "quadruplet(colour=0.4)": 0.6}


@pytest.fixture(scope="module")
def board():
    return board_of("coherency-claims-mini", SHARES)


def pair_of(claim, of):
    (pair,) = [pair for one, pair in PAIRS if claim in one.claim and pair.of == of]
    return pair


def scores(board, method, evaluator):
    return [
        one.run.scores[0].value
        for one in board.planned
        if (one.identity.method.label, one.identity.evaluator.label) == (method, evaluator)
    ]


def test_the_table_has_the_means_of_both_and_their_difference(board):
    pair = pair_of("better than Ls on actions", "k-means")
    result = measure(pair, {board.suite: board}, "-mini")
    sfa, ls = (
        np.mean(scores(board, name, "clustering(layer=fc6)")) for name in ("sfa(colour=0.4)", "siamese(colour=0.4)")
    )
    assert (result.one, result.other) == pytest.approx((sfa, ls), abs=1e-9)
    assert result.difference.mean == pytest.approx(sfa - ls, abs=1e-9)
    assert result.difference.low < sfa - ls < result.difference.high
    assert measure(pair, {board.suite: board}, "") is None
    lines = table({board.suite: board}, claims()).splitlines()
    (line,) = [line for line in lines if line.startswith("| SFA is better than Ls on actions (table 2) | k-means |")]
    assert f"| 3.75 < 3.91 | not measured | {sfa:.2f}, {ls:.2f}: {sfa - ls:+.2f} [" in line
    assert "**holds**" in line
    assert f"| {pair_of('SFA equals', 'k-means').paper} |" in table({board.suite: board}, claims())
    assert lines[-1].startswith("mini: seeds 3, fits of 10,000 frames, 48 test videos or images in 12 groups")


def test_accuracies_are_percent(board):
    result = measure(pair_of("Every start", "SFA and random"), {board.suite: board}, "-mini")
    label = next(column.evaluator.label for column in board.columns if column.evaluator.name == "finetune")
    sfa, random = (100 * np.mean(scores(board, name, label)) for name in ("sfa(colour=0.4)", "random_init"))
    assert (result.one, result.difference.mean) == pytest.approx((sfa, sfa - random), abs=1e-6)
    assert verdict(result, None) == "holds"


def test_cells_on_other_groups_or_seeds_are_not_compared(board):
    pair = pair_of("joined", "Ls")
    joined = board_of("coherency-claims-joined-mini", {"siamese(colour=0.4)": 0.5}, seeds=(0, 1))
    with pytest.raises(DataError, match=r"'Ls': expected samples of the same seeds.*run both suites with the same"):
        measure(pair, {board.suite: board, joined.suite: joined}, "-mini")
    assert measure(pair_of("joined", "Lq"), {board.suite: board, joined.suite: joined}, "-mini") is None


def test_boards_are_read_and_the_readme_is_filled(board, tmp_path, capsys):
    folder, readme = tmp_path / "claims", tmp_path / "README.md"
    folder.mkdir()
    (folder / "results.json").write_text(dump(board), encoding="utf-8")
    readme.write_text(f"# Plugin\n{BEGIN}\nold\n{END}\nend\n", encoding="utf-8")
    main([str(folder)])
    printed = capsys.readouterr().out.strip()
    main([str(folder), "--readme", str(readme)])
    assert readme.read_text(encoding="utf-8") == f"# Plugin\n{BEGIN}\n\n{printed}\n\n{END}\nend\n"
    assert printed.endswith(digests([folder]))
    with pytest.raises(UsageError, match="a second board of suite 'coherency-claims-mini'"):
        load_boards([folder, folder])
    with pytest.raises(UsageError, match="lacks the lines"):
        filled("# Plugin", "")
    with pytest.raises(DataError, match="cannot be read"):
        digests([tmp_path / "nowhere"])


def test_a_board_of_another_suite_is_refused(board, tmp_path):
    other = dataclasses.replace(board, suite="quickstart")
    (tmp_path / "results.json").write_text(dump(other), encoding="utf-8")
    with pytest.raises(UsageError, match="expected a board of a claims suite, got one of 'quickstart'"):
        load_boards([tmp_path])


def test_the_readme_has_the_table_of_the_committed_boards():
    """Write it again with `python -m harness_temporal_coherency.claims`, as the README says."""
    boards = [folder for folder in (ROOT / "leaderboards").iterdir() if folder.name.startswith("coherency-claims")]
    text = (ROOT / "plugins" / "temporal_coherency" / "README.md").read_text(encoding="utf-8")
    section = text.partition(BEGIN)[2].partition(END)[0]
    assert section.rstrip().endswith(digests(boards))
    assert section.count("\n| ") == 2 + len(PAIRS)
