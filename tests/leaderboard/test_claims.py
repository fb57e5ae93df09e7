"""Claims: every side is one cell of a board, and verdicts follow from intervals."""

from __future__ import annotations

import dataclasses

import pydantic
import pytest

from harness.errors import DataError, UsageError
from harness.leaderboard.claims import Claim, Measured, Pair, Side, load_claims, measure, verdict
from harness.leaderboard.statistics import Difference, compare
from harness.plugins.manager import Plugins
from harness.store.choices import Choice
from harness.system import plain_yaml

from .cards import ENTROPY, TOP1


def claimed(low, high, metric=TOP1, means=(0.0, 0.0)):
    return Measured(metric, *means, Difference((low + high) / 2, low, high, 0.5))


@pytest.mark.parametrize(("low", "high", "expected"), [(1, 2, "confirmed"), (-1, 1, "open"), (-2, -1, "refuted")])
def test_better_is_higher_accuracy_and_lower_entropy(low, high, expected):
    assert verdict(claimed(low, high)) == expected
    assert verdict(claimed(-high, -low, ENTROPY)) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.05, 0.09, "confirmed"),
        (0.01, 0.09, "confirmed"),  # different, by less than matters
        (-0.05, 0.11, "open"),
        (0.11, 0.2, "refuted"),
        (-0.2, -0.11, "refuted"),
    ],
)
@pytest.mark.parametrize("metric", [TOP1, ENTROPY])
def test_equal_is_within_the_tolerance(low, high, expected, metric):
    assert verdict(claimed(low, high, metric), within=0.1) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(-0.05, 0.09, "confirmed"), (3, 4, "confirmed"), (-0.2, 0.4, "open"), (-0.4, -0.2, "refuted")],
)
def test_no_worse_is_bounded_on_one_side(low, high, expected):
    assert verdict(claimed(low, high), no_worse=0.1) == expected
    assert verdict(claimed(-high, -low, ENTROPY), no_worse=0.1) == expected


@pytest.mark.parametrize(
    ("means", "metric", "ceiling"),
    [
        ((98.0, 99.5), TOP1, True),
        ((97.9, 99.5), TOP1, False),
        ((99.5, 97.9), TOP1, False),
        ((0.0, 0.0), ENTROPY, False),
    ],
)
def test_cells_at_the_ceiling_tell_nothing(means, metric, ceiling):
    sign = 1 if metric.higher_is_better else -1
    apart = claimed(*sorted((sign * 0.5, sign * 1.0)), metric, means)
    assert apart.at_ceiling is ceiling
    assert verdict(apart) == ("open" if ceiling else "confirmed")
    assert verdict(apart, within=5.0) == ("open" if ceiling else "confirmed")


def test_without_a_test_a_claim_is_open():
    assert verdict(dataclasses.replace(claimed(1, 2), difference=None)) == "open"


def side(method="quadruplet", evaluator="clustering", **others):
    return Side(suite="quickstart", method=method, evaluator=evaluator, data="mocap-actions", **others)


def pair(one, other, **others):
    return Pair(of="A loss", paper="3 < 4", one=one, other=other, **others)


def sample(board, method, evaluator):
    (column,) = [one for one in board.columns if (one.evaluator.name, one.data.name) == (evaluator, "mocap-actions")]
    (row,) = [one for one in board.rows if one.identity.method.name == method]
    return row.cell(column).sample


def test_means_and_paired_difference_are_those_of_the_samples(board):
    boards = {"quickstart": board}
    result = measure(pair(side(), side("frame_order")), boards, "")
    one, other = (sample(board, name, "clustering") for name in ("quadruplet", "frame_order"))
    assert (result.one, result.other) == pytest.approx((one.observed.mean(), other.observed.mean()))
    assert result.difference == compare(one, other)
    assert result.metric == ENTROPY
    assert measure(pair(side(), side("frame_order")), boards, "-mini") is None
    assert measure(pair(side(), side("nobody")), boards, "") is None


def test_accuracies_and_their_differences_are_percent(board):
    result = measure(
        pair(side(evaluator="linear_probe"), side("frame_order", "linear_probe")), {"quickstart": board}, ""
    )
    one, other = (sample(board, name, "linear_probe") for name in ("quadruplet", "frame_order"))
    assert (result.one, result.other) == pytest.approx((100 * one.observed.mean(), 100 * other.observed.mean()))
    gap = compare(one, other)
    assert dataclasses.astuple(result.difference) == pytest.approx(
        (*(100 * x for x in (gap.mean, gap.low, gap.high)), gap.p)
    )


def test_another_metric_has_means_and_a_test_of_its_own(curved_board):
    sides = [Side(suite="quickstart", method=name, evaluator="few_shot") for name in ("supervised", "random_init")]
    result = measure(pair(*sides, metric="top1_1"), {"quickstart": curved_board}, "")
    shown = measure(pair(*sides), {"quickstart": curved_board}, "")
    assert (result.metric.id, shown.metric.id) == ("top1_1", "top1_5")
    assert result.one < shown.one
    assert result.difference.mean == pytest.approx(result.one - result.other)
    kappa = measure(pair(*sides, metric="kappa"), {"quickstart": curved_board}, "")
    assert (kappa.one > kappa.other, kappa.difference) == (True, None)  # no video adds to it
    assert measure(pair(*sides, metric="top5"), {"quickstart": curved_board}, "") is None


def test_a_baseline_is_chance_without_a_spread_of_its_own(board):
    """The difference is the cell's own sample, moved by chance: its intervals are as wide as the mean's."""
    one = side("quadruplet", "linear_probe")
    result = measure(pair(one, "baseline"), {"quickstart": board}, "")
    (column,) = [
        one for one in board.columns if (one.evaluator.name, one.data.name) == ("linear_probe", "mocap-actions")
    ]
    (row,) = [one for one in board.rows if one.identity.method.name == "quadruplet"]
    chance = row.cell(column).primary.chance
    drawn = sample(board, "quadruplet", "linear_probe")
    assert 0 < chance < 0.2
    assert (result.one, result.other) == pytest.approx((100 * drawn.observed.mean(), 100 * chance))
    assert result.difference.mean == pytest.approx(result.one - result.other)
    shifted = compare(drawn, dataclasses.replace(drawn, observed=0 * drawn.observed, drawn=0 * drawn.drawn))
    assert result.difference.high - result.difference.low == pytest.approx(100 * (shifted.high - shifted.low))
    assert verdict(result) == "confirmed"
    assert measure(pair(side("nobody", "linear_probe"), "baseline"), {"quickstart": board}, "") is None


def test_a_metric_without_a_baseline_is_not_compared_with_it(make_plan, make_board, fake):
    row, column, _ = fake
    speeds = make_board(make_plan([row("quadruplet", 0.4)], [column("throughput")], (0, 1)))
    assert measure(pair(*2 * [side(evaluator="throughput")]), {"quickstart": speeds}, "") is not None
    assert measure(pair(side(evaluator="throughput"), "baseline"), {"quickstart": speeds}, "") is None


def test_a_cell_that_is_not_done_is_not_measured(troubled_board):
    boards = {"quickstart": troubled_board}
    assert measure(pair(side(), side({"name": "sfa", "dim": 64})), boards, "") is None
    assert measure(pair(side(), side("frame_order")), boards, "") is not None


def test_cells_on_other_seeds_are_not_compared(make_plan, make_board, board, fake):
    row, column, _ = fake
    fewer = make_board(make_plan([row("quadruplet", 0.4)], [column("clustering")], (0, 1)), suite="other")
    other = Side(suite="other", method="quadruplet", evaluator="clustering")
    with pytest.raises(
        DataError, match=r"'A loss': its cells have other seeds or videos; run both suites with the same"
    ):
        measure(pair(side(), other), {"quickstart": board, "other": fewer}, "")


@pytest.mark.parametrize("part", ["videos", "seeds"])
def test_cells_on_as_many_other_videos_or_seeds_are_not_compared(board, make_board, part):
    def moved(cell):
        run = cell.run
        predictions = dataclasses.replace(
            run.predictions, videos=tuple(f"other {name}" for name in run.predictions.videos)
        )
        identity = cell.identity.model_copy(update={"seed": cell.identity.seed + (10 if part == "seeds" else 0)})
        changed = {"predictions": predictions} if part == "videos" else {}
        return cell.model_copy(update={"identity": identity, "run": run.model_copy(update=changed)})

    other = make_board([moved(cell) for cell in board.planned], suite="other")
    sides = pair(side(), Side(suite="other", method="random_init", evaluator="clustering"))
    with pytest.raises(DataError, match="other seeds or videos"):
        measure(sides, {"quickstart": board, "other": other}, "")


@pytest.mark.parametrize("limited", ["data", "pretraining"])
def test_cells_of_a_part_of_the_data_are_not_judged(board, make_board, limited):
    def cut(cell):
        whole = getattr(cell.identity, limited)
        part = whole.model_copy(update={"options": {**whole.options, "limit": 50}})
        return cell.model_copy(update={"identity": cell.identity.model_copy(update={limited: part})})

    part = make_board([cut(cell) for cell in board.planned])
    compared = pair(side(), side("random_init"))
    assert measure(compared, {"quickstart": board}, "") is not None
    assert measure(compared, {"quickstart": part}, "") is None


def test_a_side_that_fits_two_cells_is_refused(board):
    two = Side(suite="quickstart", method="quadruplet", evaluator="linear_probe")
    with pytest.raises(UsageError, match=r"'A loss': 2 cells of board 'quickstart' fit .*name the backbone"):
        measure(pair(two, two), {"quickstart": board}, "")


@pytest.fixture
def cell(make_plan, fake):
    row, column, _ = fake
    return make_plan([row("supervised", 0.5)], [column("clustering", options={"label": "scene"})], (0,))[0].identity


def selects(one, cell):
    return one.selects(cell, cell.evaluator, cell.data)


def test_what_a_side_does_not_name_is_anything(cell):
    scene = {"name": "clustering", "label": "scene"}
    assert selects(side("supervised", scene), cell)
    assert not selects(side("supervised"), cell)  # options of an evaluator are all or none
    assert selects(side("supervised", scene, backbone="small_3d", pretraining="mocap-actions"), cell)
    assert not selects(side("supervised", scene, backbone="small_2d"), cell)
    assert not selects(side("supervised", scene, pretraining="mocap-actions-unbiased"), cell)
    assert not selects(side("supervised", scene).model_copy(update={"data": Choice(name="ucf101")}), cell)


def test_rows_without_a_backbone_or_made_of_others_are_sides(cell):
    scene = {"name": "clustering", "label": "scene"}
    trajectories = cell.model_copy(update={"method": Choice(name="trajectories"), "backbone": None})
    assert selects(side("trajectories", scene, backbone="small_3d"), trajectories)
    parts = {"of": [{"name": "supervised", "options": {}}, {"name": "trajectories", "options": {}}], "by": "concat"}
    both = cell.model_copy(update={"method": Choice(name="both", options=parts)})
    assert selects(side("both", scene), both)
    assert not selects(side("neither", scene), both)


def test_sizes_within_options_are_left_out_as_those_beside_them(cell):
    """The mini of a row that starts from another fit is of the same row."""

    def start(size, frames, method="supervised"):
        learnt = {"name": "mocap-actions", "size": size}
        return {"start": {"fit": {"method": method, "pretraining": learnt, "frames": frames}}, "frames": frames}

    scene = {"name": "clustering", "label": "scene"}
    mini = cell.model_copy(update={"method": Choice(name="sfa", options=start("mini", 100))})
    assert selects(side({"name": "sfa", **start("full", 900)}, scene), mini)
    assert not selects(side({"name": "sfa", **start("mini", 100, method="sfa")}, scene), mini)


CLAIMS = {
    "backbone": "small_3d",
    "claims": [
        {
            "claim": "Scenes are learnt",
            "source": "table 1",
            "pairs": [
                {
                    "of": "clusters",
                    "paper": "1 > 0",
                    "metric": "ami",
                    "one": {
                        "suite": "quickstart",
                        "method": "supervised",
                        "evaluator": {"name": "clustering", "algorithm": "kmeans", "label": "scene", "clips": None},
                        "pretraining": {"name": "mocap-actions", "size": "full", "fold": 1},
                    },
                    "other": {
                        "suite": "quickstart",
                        "method": "random_init",
                        "evaluator": {"name": "clustering", "label": "scene"},
                        "backbone": {"name": "torchvision:mc3_18", "frames": 8, "over_time": "mean"},
                    },
                }
            ],
        }
    ],
}


def load(content, folder):
    (folder / "claims.yaml").write_text(plain_yaml.dump(content))
    return load_claims(folder / "claims.yaml", Plugins())


def test_options_as_the_default_are_left_out_as_on_boards(tmp_path, cell):
    (claim,) = load(CLAIMS, tmp_path)
    assert isinstance(claim, Claim)
    one, other = claim.pairs[0].sides
    assert one.evaluator == other.evaluator == Choice(name="clustering", options={"label": "scene"})
    assert one.backbone == Choice(name="small_3d")
    assert other.backbone.options == {"frames": 8, "over_time": None}  # rows leave a default out, too
    assert selects(one, cell)
    assert not selects(other, cell)


def test_given_options_of_a_backbone_count_and_others_do_not(cell):
    wide = cell.model_copy(update={"backbone": Choice(name="small_3d", options={"width": 64, "frames": 32})})
    scene = {"name": "clustering", "label": "scene"}
    for options, expected in (({}, True), ({"width": 64}, True), ({"width": None}, False), ({"frames": 16}, False)):
        assert selects(side("supervised", scene, backbone={"name": "small_3d", **options}), wide) is expected


def test_a_baseline_stays_as_it_is_written(tmp_path):
    (claim,) = load(changed(other="baseline"), tmp_path)
    assert claim.pairs[0].other == "baseline"
    assert claim.pairs[0].sides == (load(CLAIMS, tmp_path)[0].pairs[0].one,)


def changed(**changes):
    claim = CLAIMS["claims"][0]
    return {**CLAIMS, "claims": [{**claim, "pairs": [{**claim["pairs"][0], **changes}]}]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "no file of claims"),
        (changed(within=0.1, no_worse=0.1), "within and no_worse both say what is claimed"),
        (changed(metric="anmi"), "unknown metric of evaluator 'clustering': 'anmi'; did you mean"),
        (changed(other={"suite": "a", "method": "supervised", "evaluator": "clustring"}), "did you mean 'clustering'"),
        (
            changed(metric=None, other={"suite": "a", "method": "supervised", "evaluator": "knn"}),
            "'clusters': its sides are measured by conditional_entropy and top1; name a metric of both",
        ),
        (changed(other="chance"), "no file of claims"),
        ({**CLAIMS, "backbone": "small_4d"}, "unknown backbone 'small_4d'"),
    ],
)
def test_files_that_claim_nothing(content, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        load(content, tmp_path)


def test_a_missing_file(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        load_claims(tmp_path / "claims.yaml", Plugins())


def test_a_tolerance_is_above_zero():
    with pytest.raises(pydantic.ValidationError):
        pair(side(), side(), within=0.0)
