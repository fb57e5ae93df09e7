"""One cell over several folds: its mean, its seeds, and an interval for new groups."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.backbones.start import Start
from harness.leaderboard import contingency
from harness.leaderboard.bootstrap import Bootstrap
from harness.leaderboard.fold_average import fold_weights, mean_of_folds, strata_of
from harness.leaderboard.group_draws import GroupDraws
from harness.leaderboard.planned import assemble
from harness.leaderboard.ranking import obstacle, rank
from harness.leaderboard.statistics import SEED, Sample, group_weights, spread
from harness.store.choices import Choice
from harness.values import Predictions, Score

FOLDS = (1, 2, 3)
LIST = {"size": "mini", "fold": list(FOLDS)}


def values_of(planned, method):
    return {
        (cell.identity.seed, cell.identity.data.options["fold"]): cell.run.scores[0].value
        for cell in planned
        if cell.identity.method.name == method
    }


def test_folds_are_one_column_and_one_row(folds, cards):
    columns, rows = assemble(folds, cards)
    assert [column.data.label for column in columns] == ["mocap-actions(fold=[1, 2, 3], size=mini)"]
    assert [row.method for row in rows] == ["sfa", "quadruplet"]
    assert rows[0].identity.pretraining.options == LIST
    (cell,) = rows[0].cells
    values = values_of(folds, "sfa")
    by_seed = {seed: np.mean([values[seed, fold] for fold in FOLDS]) for seed in (0, 1, 2)}
    assert dict(cell.primary.values) == pytest.approx(by_seed)
    assert cell.interval.mean == pytest.approx(np.mean(list(by_seed.values())))
    assert cell.interval.low < cell.interval.mean < cell.interval.high
    assert (cell.status, cell.videos, cell.groups, len(cell.seeds)) == ("done", 3 * 225, 3 * 45, 9)


def test_the_draws_are_those_of_a_slow_twin(folds, cards):
    """Each fold's groups are drawn among themselves; the mean of the folds' accuracies is drawn."""
    _, rows = assemble(folds, cards)
    cell = rows[0].cells[0]
    runs = [cell.run.predictions for cell in folds if cell.identity.method.name == "sfa" and cell.identity.seed == 1]
    accuracies = []
    for number, run in enumerate(runs):
        names = sorted(set(run.groups))
        draws = group_weights(names, seed=SEED + number)[:5]
        right = np.equal(run.predicted[0], run.labels)
        weights = np.array([[draw[names.index(group)] for group in run.groups] for draw in draws])
        accuracies.append((weights * right).sum(1) / weights.sum(1))
    np.testing.assert_allclose(cell.sample.drawn[1, :5], np.mean(accuracies, axis=0), atol=1e-9)


def test_more_folds_narrow_the_interval(folds, cards):
    _, rows = assemble(folds, cards)
    alone = [cell.model_copy(update={"average": None}) for cell in folds if cell.identity.data.options["fold"] == 1]
    _, single = assemble(alone, cards)
    widths = [row.cells[0].interval.high - row.cells[0].interval.low for row in (rows[0], single[0])]
    assert widths[0] < widths[1]


def test_a_fold_that_failed_makes_the_cell_incomplete(folds, cards):
    broken = [
        cell.model_copy(update={"run": cell.run.model_copy(update={"status": "failed", "reason": "it broke"})})
        if cell.identity.data.options["fold"] == 2 and cell.identity.seed == 0
        else cell
        for cell in folds
    ]
    _, rows = assemble(broken, cards)
    cell = rows[0].cells[0]
    assert (cell.status, cell.reason) == ("failed", "seed 0: it broke")
    assert [seed for seed, _ in cell.primary.values] == [1, 2]
    assert cell.sample is None


def test_folds_of_other_seeds_are_not_paired(folds, cards):
    lacking = {(1, 2), (2, 1)}  # fold and seed: each has as many
    begun = [
        cell.model_copy(update={"run": None})
        if (cell.identity.data.options["fold"], cell.identity.seed) in lacking
        else cell
        for cell in folds
    ]
    _, rows = assemble(begun, cards)
    cell = rows[0].cells[0]
    values = [value for _, value in cell.primary.values]
    assert [seed for seed, _ in cell.primary.values] == [0]
    assert (cell.primary_sample, cell.resample(cards["knn"].primary)) == (None, None)
    assert cell.interval.mean == pytest.approx(values[0])


def test_a_fold_that_is_still_to_do_makes_the_cell_incomplete(folds, cards):
    begun = [
        cell.model_copy(update={"run": None}) if cell.identity.data.options["fold"] == 2 else cell for cell in folds
    ]
    _, rows = assemble(begun, cards)
    cell = rows[0].cells[0]
    assert (cell.status, cell.interval, cell.sample) == ("missing", None, None)


def test_folds_without_predictions_have_an_interval_over_seeds(folds, cards):
    bare = [
        cell.model_copy(update={"run": cell.run.model_copy(update={"predictions": None})}) if cell.run else cell
        for cell in folds
    ]
    _, rows = assemble(bare, cards)
    cell = rows[0].cells[0]
    assert (cell.status, cell.sample, len(cell.primary.values)) == ("done", None, 3)
    assert cell.interval.low < cell.interval.mean < cell.interval.high


def test_a_group_that_several_folds_test_on_is_drawn_as_often_in_each():
    shared, first, second = list("abcdefg"), list("hijklm"), list("nopqrs")
    drawn = fold_weights([shared + first, second + shared + shared, ["x", "y"]])
    np.testing.assert_array_equal(drawn[0][:, :7], drawn[1][:, 6:13])
    np.testing.assert_array_equal(drawn[0][:, :7], drawn[1][:, 13:])
    for weights in (drawn[0][:, :7], drawn[0][:, 7:], drawn[1][:, :6], drawn[2]):
        assert set(weights.sum(1)) == {float(weights.shape[1])}
    assert abs(np.corrcoef(drawn[0][:, 7], drawn[1][:, 0])[0, 1]) < 0.1


def test_few_groups_are_drawn_with_others_that_are_few():
    drawn = fold_weights([list("abc"), list("cde")])
    assert all(weights.std(0).min() > 0 for weights in drawn)  # no group is sure to be drawn once
    union = drawn[0].sum(1) + drawn[1][:, 1:].sum(1)
    assert set(union) == {5.0}


def test_groups_that_a_metric_counts_are_counted_over_folds(folds, cards):
    """A mean over one group a fold knows nothing of how groups vary, however many the folds have."""
    metric = dataclasses.replace(cards["knn"].primary, id="share", statistic="mean")
    card = dataclasses.replace(cards["knn"], metrics=(metric,))

    def of_one_group(cell):
        predictions = cell.run.predictions
        counted = [group == predictions.groups[0] for group in predictions.groups]
        values = {"share": [[1.0 if one else None for one in counted]]}
        run = {"predictions": dataclasses.replace(predictions, values=values), "scores": (Score("share", 1.0),)}
        return cell.model_copy(update={"run": cell.run.model_copy(update=run)})

    _, rows = assemble([of_one_group(cell) for cell in folds], {"knn": card})
    cell = rows[0].cells[0]
    assert (cell.sample.groups, cell.sample.strata) == (3, 3)
    assert (cell.interval.mean, cell.interval.low) == (1.0, None)


@pytest.mark.parametrize("statistic", ["accuracy", "mean_class_accuracy", *contingency.STATISTICS])
def test_a_draw_that_leaves_a_fold_without_videos_counts_for_none(cards, statistic):
    folds = [[f"{fold}-{place}" for place in range(5)] for fold in "abc"]
    weights = fold_weights(folds)[0]
    empty = weights.sum(1) == 0
    assert empty.any()  # 15 groups are drawn, and none of these 5
    run = Predictions(tuple("vwxyz"), tuple(folds[0]), (0, 1, 0, 1, 1), ((0, 0, 1, 1, 1),))
    bootstrap = Bootstrap(GroupDraws.of(folds[0], weights))
    (sample,) = bootstrap.resample([run], [dataclasses.replace(cards["knn"].primary, statistic=statistic)])
    np.testing.assert_array_equal(np.isnan(sample.drawn[0]), empty)


def test_stale_seeds_are_not_averaged_with_those_that_are_done(folds, cards):
    def aged(cell):
        if cell.identity.data.options["fold"] == 3 or cell.identity.seed == 0:
            return cell
        run = cell.run.model_copy(update={"key": f"old-{cell.run.key}", "predictions": None})
        return cell.model_copy(update={"run": run})

    _, rows = assemble([aged(cell) for cell in folds], cards)
    cell = rows[0].cells[0]
    values = values_of(folds, "sfa")
    assert cell.status == "stale"
    assert dict(cell.primary.values) == {0: pytest.approx(np.mean([values[0, fold] for fold in FOLDS]))}
    assert cell.interval.mean == pytest.approx(cell.primary.values[0][1])


def test_fits_on_folds_count_their_test_set_once_if_one_failed(folds, cards):
    test = folds[0].identity.data
    tested = next(cell.run.predictions for cell in folds if cell.identity.data == test)

    def on_one_test_set(cell):
        identity = cell.identity.model_copy(update={"data": test})
        failed = cell.identity.pretraining.options["fold"] == 2
        predictions = dataclasses.replace(tested, predicted=cell.run.predictions.predicted)
        run = cell.run.model_copy(update={"identity": identity, "predictions": predictions, "protocol_id": "p"})
        average = cell.average.model_copy(update={"data": test})
        return cell.model_copy(update={"identity": identity, "run": None if failed else run, "average": average})

    _, rows = assemble([on_one_test_set(cell) for cell in folds], cards)
    assert (rows[0].cells[0].status, rows[0].cells[0].videos) == ("missing", 225)


def test_a_row_that_starts_from_a_fit_of_each_fold_names_all_of_them(folds, cards):
    def started(cell, fit):
        learnt = f"{cell.identity.pretraining.label}+kinetics400"
        method = Choice(name="sfa", options={"start": {"fit": fit}})
        start = Start(weights="fit of sfa", learnt_from=learnt, labels=True)
        identity = cell.identity.model_copy(update={"method": method})
        return cell.model_copy(update={"starts": (start,), "identity": identity, "run": None})

    own = [cell for cell in folds if cell.identity.method.name == "sfa"]
    _, (row,) = assemble([started(cell, {"method": "sfa"}) for cell in own], cards)
    assert [start.learnt_from for start in row.starts] == ["mocap-actions(fold=[1, 2, 3], size=mini)+kinetics400"]
    first = own[0].identity.pretraining
    _, (row,) = assemble([started(cell, {"method": "sfa", "pretraining": first.model_dump()}) for cell in own], cards)
    assert [start.learnt_from for start in row.starts] == [f"{first.label}+kinetics400"]


def test_the_variance_of_folds_of_few_groups_is_not_too_small():
    """Closed form: the mean of the folds' means has a 9th of the sum of their variances, each with n - 1."""
    generator = np.random.default_rng(0)
    scores = [generator.normal(size=count) for count in (6, 6, 7)]
    folds = [[f"{fold}-{place}" for place in range(len(values))] for fold, values in enumerate(scores)]
    drawn = fold_weights(folds)
    samples = [
        Sample(values.mean(keepdims=True), (weights @ values / weights.sum(1))[None], len(values), names=names)
        for values, weights, names in zip(scores, drawn, map(frozenset, folds), strict=True)
    ]
    together = mean_of_folds(samples, strata_of([frozenset(groups) for groups in folds]))
    assert (together.groups, together.strata, together.freedom) == (19, 3, 16)
    expected = sum(values.var(ddof=1) / len(values) for values in scores) / 9
    assert spread(together)[1] == pytest.approx(expected, rel=0.06)  # of 2,000 draws


def test_a_row_that_every_fold_would_repeat_stands_beside_fits_on_folds(folds, cards):
    """A method that reads no pretraining is measured once; one that learns from folds is averaged on one test set."""
    test = folds[0].identity.data
    tested = next(cell.run.predictions for cell in folds if cell.identity.data == test)

    def on_one_test_set(cell):
        identity = cell.identity.model_copy(update={"data": test})
        predictions = dataclasses.replace(tested, predicted=cell.run.predictions.predicted)
        run = cell.run.model_copy(update={"identity": identity, "predictions": predictions, "protocol_id": "p"})
        average = cell.average.model_copy(update={"data": test})
        return cell.model_copy(update={"identity": identity, "run": run, "average": average})

    moved = [on_one_test_set(cell) for cell in folds]
    once = [
        cell.model_copy(update={"average": None})
        for cell in moved
        if cell.identity.method.name == "quadruplet" and cell.identity.pretraining.options["fold"] == 1
    ]
    averaged = [cell for cell in moved if cell.identity.method.name == "sfa"]
    columns, rows = assemble([*once, *averaged], cards)
    assert [(row.cells[0].videos, row.cells[0].protocol_id) for row in rows] == [(225, "p")] * 2
    divisions, _ = rank(columns, rows)
    assert len(divisions) == 1
    assert obstacle(*(row.cells[0] for row in rows)) == ""
