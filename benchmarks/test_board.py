"""Boards of hundreds and thousands of cells: seconds, memory, the size of the page, and how they grow."""

from __future__ import annotations

import resource
import time

import numpy as np
import pytest
import torch

from harness.functional.statistics import of_predictions
from harness.leaderboard.board import build_board
from harness.leaderboard.render import board_files
from harness.leaderboard.statistics import Sample, compare, group_weights, interval, sampled_groups

from . import stored_runs

MOST = 1.3
"""Greatest ratio of a cell's cost among 5,000 to that among 500."""


def board_of(planned):
    names = {cell.identity.evaluator.name for cell in planned}
    return build_board(
        title="Many cells",
        summary="",
        suite="many",
        suite_hash="0",
        command="harness run many",
        planned=planned,
        cards={name: stored_runs.CARDS[name] for name in names},
        pictures={},
    )


def sample_of(runs, metric):
    """The sample of a row as the general functions give it."""
    weights = torch.from_numpy(group_weights(sampled_groups(runs[0].predictions)))
    observed = [float(of_predictions(run.predictions, metric).mean()) for run in runs]
    drawn = [of_predictions(run.predictions, metric, weights).mean(dim=0).numpy() for run in runs]
    return Sample(np.array(observed), np.stack(drawn), len(set(runs[0].predictions.groups)))


def expect_right(board):
    """Some rows' intervals in every metric, and the test of two, are those of the general functions."""
    for row in (board.rows[0], board.rows[-1]):
        for cell in row.cells:
            runs = [seed.run for seed in cell.seeds]
            for summary in cell.metrics:
                if summary.metric.statistic:
                    slow = interval(sample_of(runs, summary.metric), summary.metric.bounds)
                    assert (summary.interval.low, summary.interval.high) == pytest.approx(
                        (slow.low, slow.high), abs=1e-9
                    )
    first, second = [standing.row for standing in board.divisions[0].standings if standing.rank][:2]
    for column in board.ranking:
        (found,) = board.comparisons.of(first, column, [second])
        samples = [sample_of([seed.run for seed in row.cell(column).seeds], column.metric) for row in (first, second)]
        slow = compare(*samples)
        assert (found.difference.low, found.difference.high) == pytest.approx((slow.low, slow.high), abs=1e-9)
        assert found.difference.p == pytest.approx(slow.p, rel=1e-6)


def measured(planned):
    start = time.perf_counter()
    board = board_of(planned)
    built = time.perf_counter()
    written = board_files(board)
    return board, written, built - start, time.perf_counter() - built


def test_a_board_of_thousands_of_cells_costs_no_more_a_cell(benchmark):
    """5 evaluators x 2 seeds x as many rows; 735 test videos in 105 groups."""
    seconds, pages = {}, {}
    for count in (500, 1000, 5000):
        planned = stored_runs.planned_cells(count)
        if count == 5000:
            board, written, *parts = benchmark.pedantic(measured, (planned,), rounds=1)
        else:
            board, written, *parts = measured(planned)
        seconds[count], pages[count] = parts, len(written["index.html"])
        assert len(board.rows) == count // 10
        assert all(cell.status == "done" for row in board.rows for cell in row.cells)
        expect_right(board)
    growth = {count: sum(parts) / count / (sum(seconds[500]) / 500) for count, parts in seconds.items()}
    benchmark.extra_info.update(
        seconds_to_build_and_to_write={count: [round(part, 2) for part in parts] for count, parts in seconds.items()},
        cost_of_a_cell_beside_that_among_500={count: round(ratio, 3) for count, ratio in growth.items()},
        building_a_cell_beside_that_among_500=round(seconds[5000][0] / 10 / seconds[500][0], 3),
        page_megabytes={count: round(size / 1e6, 2) for count, size in pages.items()},
        page_bytes_of_a_row=round((pages[5000] - pages[1000]) / 400),
        peak_megabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    )
    assert growth[5000] <= MOST
    assert (pages[5000] - pages[1000]) / 400 <= MOST * (pages[1000] - pages[500]) / 50


@pytest.mark.parametrize("rows", [250, 2500])
def test_a_board_of_thousands_of_rows(benchmark, rows):
    """One evaluator and 2 seeds: every row is tested against every other, 3 million pairs of 2,500."""
    planned = stored_runs.planned_cells(2 * rows, ["linear_probe"])
    board, written, built, drawn = benchmark.pedantic(measured, (planned,), rounds=1)
    assert len(board.rows) == rows
    expect_right(board)
    ranked = sum(standing.rank is not None for standing in board.divisions[0].standings)
    assert len(board.comparisons) == ranked * (ranked - 1) // 2
    benchmark.extra_info.update(
        seconds_to_build=round(built, 2),
        seconds_to_write=round(drawn, 2),
        page_megabytes=round(len(written["index.html"]) / 1e6, 2),
        readme_kilobytes=round(len(written["README.md"]) / 1e3),
    )


def test_clusterings_of_many_rows(benchmark):
    """8 statistics of 10 clusterings a run, which take most of the time of boards that have them."""
    planned = stored_runs.planned_cells(40, ["clustering"])
    board = benchmark.pedantic(board_of, (planned,), rounds=1)
    expect_right(board)
    benchmark.extra_info["seconds_of_a_cell"] = round(benchmark.stats.stats.median / 40, 3)
