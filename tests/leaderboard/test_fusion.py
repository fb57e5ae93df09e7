"""Late fusion: means by hand, the difference as a paired slow twin gives it, and what cannot be fused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from harness.errors import UsageError
from harness.leaderboard.class_scores import TITLES, measure_class_scores
from harness.leaderboard.fusion import fuse
from harness.leaderboard.statistics import group_weights
from harness.store.class_scores import record_of, to_bytes
from harness.store.runs import Store
from harness.values import ClassScores, Predictions

from .conftest import CLASSES, CLIPS, COLUMNS, GROUPS, ROWS, fake_run

LABELS = (np.arange(GROUPS) % CLASSES).repeat(CLIPS)


def scored(row=0, column=0, repeats=1, kind="logits", quality=1.5, labels=LABELS, **changes):
    """A run of random class scores, which lean to the true class; with the scores."""
    random = np.random.default_rng(17 * row + column)
    values = random.normal(size=(repeats, len(labels), CLASSES))
    values[:, np.arange(len(labels)), labels] += quality
    if kind == "probabilities":
        values = softmax(values)
    scores = ClassScores(kind, values.astype(np.float16))
    predicted = tuple(map(tuple, scores.values.argmax(2).tolist()))
    run = fake_run(ROWS[row], COLUMNS[column], 0)
    predictions = dataclasses.replace(run.predictions, predicted=predicted, labels=tuple(labels.tolist()))
    record = record_of(scores, to_bytes(scores))
    return run.model_copy(update={"predictions": predictions, "class_scores": record, **changes}), scores


def softmax(values):
    powers = np.exp(values.astype(np.float64))
    return powers / powers.sum(-1, keepdims=True)


@pytest.fixture
def store_of(tmp_path):
    def store_of(*runs):
        store = Store(tmp_path)
        for run, scores in runs:
            store.write(run, scores=to_bytes(scores))
        return store, [run.key for run, _ in runs]

    return store_of


def hits(predicted):
    return (np.asarray(predicted) == LABELS).mean(0)


def mean_average_precision(shares, labels=LABELS):
    there = np.unique(labels)
    return np.mean([average_precision_score(c == labels, shares[:, c]) for c in there])


def test_the_fusion_is_the_weighted_mean_of_probabilities(store_of):
    runs = scored(0), scored(1, kind="probabilities", quality=2.0), scored(2, quality=0.5)
    store, keys = store_of(*runs)
    one, other, third = (scores.values[0] for _, scores in runs)
    other = other / other.astype(np.float64).sum(1, keepdims=True)
    mean = (2 * softmax(one) + other + 0.5 * softmax(third)) / 3.5
    fusion = fuse(store, [key[:12] for key in keys], [2, 1, 0.5])
    assert fusion.weights == pytest.approx((2 / 3.5, 1 / 3.5, 0.5 / 3.5))
    assert fusion.predictions.predicted == (tuple(mean.argmax(1).tolist()),)
    assert fusion.fused["top1"] == pytest.approx(hits([mean.argmax(1)]).mean())
    assert fusion.fused["map"] == pytest.approx(mean_average_precision(mean), abs=1e-9)
    assert [one["top1"] for one in fusion.scores] == pytest.approx(
        [hits(run.predictions.predicted).mean() for run, _ in runs]
    )
    assert fusion.scores[0]["map"] == pytest.approx(mean_average_precision(softmax(one)), abs=1e-9)
    assert fusion.best == 1
    equal = fuse(store, keys[:2])
    assert equal.weights == (0.5, 0.5)
    assert equal.predictions.predicted == (tuple(((softmax(one) + other) / 2).argmax(1).tolist()),)


def test_the_gains_over_the_best_run_are_paired_by_group(store_of):
    runs = scored(0), scored(1, quality=2.0)
    store, keys = store_of(*runs)
    fusion = fuse(store, keys)
    assert fusion.best == 1
    each = [softmax(scores.values[0]) for _, scores in runs]
    shares = sum(each) / 2, each[1]
    hit = hits(fusion.predictions.predicted) - hits(runs[1][0].predictions.predicted)
    ranked = np.subtract(*map(left_out, shares))
    assert ranked.mean() == pytest.approx(np.subtract(*map(mean_average_precision, shares)), abs=1e-9)
    weights = group_weights(fusion.predictions.groups)
    for name, gained in {"top1": hit, "map": ranked}.items():
        gain = fusion.gains[name]
        assert gain.mean == pytest.approx(gained.mean())
        drawn = weights @ gained / weights.sum(axis=1)  # the twin: every draw, every video
        half = 2.0154 * np.sqrt(drawn.var() * GROUPS / (GROUPS - 1))  # t of 44 degrees of freedom
        assert (gain.low, gain.high) == pytest.approx((gained.mean() - half, gained.mean() + half), abs=1e-4)


def left_out(shares):
    """Jackknife values of the mAP, every video left out by force."""
    count, whole = len(LABELS), mean_average_precision(shares)
    others = [np.arange(count) != place for place in range(count)]
    without = np.array([mean_average_precision(shares[rest], LABELS[rest]) for rest in others])
    return whole + (count - 1) * (without.mean() - without)


def test_the_gain_in_map_has_an_interval_as_wide_as_of_drawn_groups(store_of):
    runs = scored(0), scored(1, quality=2.0)
    store, keys = store_of(*runs)
    gain = fuse(store, keys).gains["map"]
    each = [softmax(scores.values[0]) for _, scores in runs]
    groups = np.arange(GROUPS).repeat(CLIPS)
    random, drawn = np.random.default_rng(0), []
    for _ in range(300):
        chosen = np.concatenate([np.flatnonzero(groups == one) for one in random.integers(GROUPS, size=GROUPS)])
        drawn.append(
            np.subtract(*(mean_average_precision(one[chosen], LABELS[chosen]) for one in (sum(each) / 2, each[1])))
        )
    assert gain.high - gain.low == pytest.approx(2 * 2.0154 * np.std(drawn), rel=0.25)


def test_runs_of_several_classes_a_video_are_fused_by_class(store_of):
    random = np.random.default_rng(3)
    sets = random.random((len(LABELS), CLASSES)) < 0.3
    sets[:, 1] = False
    several = {"multilabels": tuple(tuple(np.flatnonzero(row).tolist()) for row in sets), "predicted": ()}
    runs = []
    for row in range(2):
        run, _ = scored(row)
        scores = ClassScores("log-odds", (random.normal(size=(1, *sets.shape)) + sets).astype(np.float32))
        changed = {
            "predictions": dataclasses.replace(run.predictions, **several),
            "class_scores": record_of(scores, to_bytes(scores)),
        }
        runs.append((run.model_copy(update=changed), scores))
    store, keys = store_of(*runs)
    fusion = fuse(store, keys)
    shares = [1 / (1 + np.exp(-scores.values[0].astype(np.float64))) for _, scores in runs]
    there = [0, *range(2, CLASSES)]

    def expected(one):
        return np.mean([average_precision_score(sets[:, own], one[:, own]) for own in there])

    assert [one.id for one in fusion.metrics] == ["map"]
    assert fusion.predictions.predicted == ()
    assert fusion.fused == {"map": pytest.approx(expected(sum(shares) / 2))}
    assert [one["map"] for one in fusion.scores] == pytest.approx([expected(one) for one in shares])
    assert fusion.best == int(np.argmax([expected(one) for one in shares]))
    assert fusion.gains["map"].mean == pytest.approx(fusion.fused["map"] - max(one["map"] for one in fusion.scores))
    assert fusion.gains["map"].low < fusion.gains["map"].mean < fusion.gains["map"].high
    sure = [(run, ClassScores("log-odds", scores.values + np.float32(60))) for run, scores in runs]
    sure = [
        (run.model_copy(update={"key": f"{place}" * 20, "class_scores": record_of(one, to_bytes(one))}), one)
        for place, (run, one) in enumerate(sure)
    ]
    for run, one in sure:
        store.write(run, scores=to_bytes(one))
    high = fuse(store, [run.key for run, _ in sure])  # every probability is 1
    assert [one["map"] for one in high.scores] == pytest.approx([one["map"] for one in fusion.scores], abs=1e-3)
    low = [scores.values[0].astype(np.float64) for _, scores in runs]
    assert high.fused["map"] == pytest.approx(expected(-np.log(np.exp(-low[0]) + np.exp(-low[1]))), abs=1e-3)
    certain = ClassScores("log-odds", runs[0][1].values + np.float32(200))  # every sigmoid is 1
    measures = measure_class_scores(certain, runs[0][0].predictions)
    assert measures == {"mean_average_precision": pytest.approx(expected(certain.values[0]))}


def test_repeats_are_fused_one_by_one_and_one_repeat_with_each(store_of):
    draws, more, alone = scored(0, repeats=3), scored(1, repeats=3), scored(2)
    store, keys = store_of(draws, more, alone)
    fusion = fuse(store, keys)
    mean = sum(softmax(scores.values) for _, scores in (draws, more, alone))
    assert fusion.predictions.predicted == tuple(map(tuple, mean.argmax(2).tolist()))
    assert fusion.fused["top1"] == pytest.approx(hits(fusion.predictions.predicted).mean())


def test_equal_classifiers_gain_nothing(store_of):
    (one, scores), (other, _) = scored(0), scored(1)
    beside = {"predictions": one.predictions, "class_scores": one.class_scores}
    store, keys = store_of((one, scores), (other.model_copy(update=beside), scores))
    fusion = fuse(store, keys)
    assert fusion.fused == fusion.scores[0] == fusion.scores[1]
    assert [gain.mean for gain in fusion.gains.values()] == [0.0, 0.0]
    assert fusion.best == 0


def test_what_cannot_be_fused_is_named(store_of):
    other_videos = Predictions(tuple(map(str, range(len(LABELS)))), ("",) * len(LABELS), tuple(LABELS.tolist()))
    one, margins, draws, fewer, elsewhere, relabelled, without, failed, videos = (
        scored(0),
        scored(1, kind="margins"),
        scored(2, repeats=3),
        scored(3, repeats=2),
        scored(0, column=3),
        scored(4, labels=LABELS[::-1].copy()),
        scored(5, class_scores=None),
        scored(0, column=1, status="failed", reason="a reason", class_scores=None, predictions=None),
        scored(1, column=1),
    )
    predicted = videos[0].predictions.predicted
    changed = dataclasses.replace(other_videos, predicted=predicted)
    videos = videos[0].model_copy(update={"predictions": changed}), videos[1]
    runs = (one, margins, draws, fewer, elsewhere, relabelled, videos)
    store, keys = store_of(*runs)
    for run, _ in (without, failed):
        store.write(run)
    cases = {
        margins[0].key: f"run {margins[0].key[:12]} of linear_probe has margins, which are no probabilities; take",
        elsewhere[0].key: r"expected runs on the same test videos and labels, got .* on mocap-actions-unbiased",
        relabelled[0].key: "expected runs on the same test videos and labels",
        videos[0].key: "expected runs on the same test videos and labels",
        without[0].key: f"run {without[0].key[:12]} of linear_probe has no class scores: .*; take a run of",
        failed[0].key: "is failed: a reason",
        "nothing": "no run starts with it",
        one[0].key[:9]: "at least two runs, each once",
    }
    for key, message in cases.items():
        with pytest.raises(UsageError, match=message):
            fuse(store, [keys[0], key])
    with pytest.raises(UsageError, match="has 2 repeats, another 3; fuse runs of as many, or of one"):
        fuse(store, [keys[2], keys[3]])
    with pytest.raises(UsageError, match="at least two runs, each once"):
        fuse(store, keys[:1])
    for weights in ([1.0], [0.0, 0.0], [-1.0, 2.0], [float("inf"), 1.0], [float("nan"), 1.0], [1e308] * 2):
        with pytest.raises(UsageError, match="expected a weight for each of 2 runs, not negative, their sum above 0"):
            fuse(store, [keys[0], keys[2]], weights)
    store.class_scores_path(keys[2]).unlink()
    with pytest.raises(UsageError, match=f"run {keys[2][:12]} .*its class scores are gone; `harness run`"):
        fuse(store, [keys[0], keys[2]])


@pytest.mark.parametrize(("kind", "count"), [("logits", 4), ("probabilities", 4), ("margins", 1)])
def test_margins_are_not_calibrated_and_repeats_are_averaged(kind, count):
    run, scores = scored(0, repeats=2, kind=kind)
    measures = measure_class_scores(scores, run.predictions)
    assert list(measures) == list(TITLES)[:count]
    each = [measure_class_scores(ClassScores(kind, one[None]), run.predictions) for one in scores.values]
    for name, value in measures.items():
        assert value == pytest.approx((each[0][name] + each[1][name]) / 2)
        assert each[0][name] != each[1][name]
