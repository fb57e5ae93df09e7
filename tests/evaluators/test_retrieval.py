"""Recall, NDCG and mAP beside a ranking one query at a time, and chance beside random orders."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import hypergeom
from sklearn.metrics import average_precision_score, ndcg_score

from harness.errors import DataError
from harness.evaluators.retrieval import Retrieval, chance_of_recall
from harness.functional.ranking import average_precision, ndcg
from harness.testing import MovingSquares, UninformedEncoder, evaluating, informed_encoder
from harness.testing.evaluating import ChangedSquares, baselines, frozen, keep, values
from harness.testing.fixtures import UntrainedEncoder


def evaluate(encoder, data=None, **options):
    return evaluating.evaluate(Retrieval(**options), encoder, data)


def kept(name, condition):
    return ChangedSquares(**{name: keep(condition)})


@pytest.mark.parametrize("gallery", ["train", "test"])
@pytest.mark.parametrize("encoder", [UntrainedEncoder(), UninformedEncoder()], ids=["untrained", "uninformed"])
def test_a_ranking_of_each_query_agrees(gallery, encoder):
    given = frozen(encoder)
    queries, searched = (given.features(MovingSquares().split(name)) for name in ("test", gallery))
    found = evaluate(encoder, gallery=gallery)
    hits = {1: 0, 5: 0, 10: 0, 20: 0}
    gains, precisions = [], []
    truth, classes = queries.labels("action").tolist(), searched.labels("action").tolist()
    for position, query in enumerate(queries.vectors.double()):
        ranking = sorted(
            (-float(torch.cosine_similarity(query, vector, dim=0)), index)
            for index, vector in enumerate(searched.vectors.double())
            if gallery == "train" or index != position
        )
        for k in hits:
            hits[k] += any(classes[index] == truth[position] for _, index in ranking[:k])
        relevant = [classes[index] == truth[position] for _, index in ranking]
        similarities = [-distance for distance, _ in ranking]
        gains.append(ndcg_score([relevant], [similarities], k=10))
        precisions.append(average_precision_score(relevant, similarities))
    expected = {f"recall_{k}": count / len(truth) for k, count in hits.items()}
    expected |= {"ndcg_10": sum(gains) / len(truth), "map": sum(precisions) / len(truth)}
    assert values(found) == pytest.approx(expected, abs=1e-6)


def test_an_encoder_that_knows_the_classes_finds_them_at_once():
    assert set(values(evaluate(informed_encoder())).values()) == {1.0}


def test_ranks_that_the_gallery_does_not_have_are_left_out():
    counted = ["ndcg_10", "map"]
    assert list(values(evaluate(informed_encoder()))) == ["recall_1", "recall_5", "recall_10", "recall_20", *counted]
    few = kept("test", lambda video: video.id.endswith(("0", "1")))
    assert list(values(evaluate(informed_encoder(), few, gallery="test"))) == ["recall_1", "recall_5", *counted]


def test_a_video_alone_in_its_class_is_missed():
    lonely = kept("test", lambda video: video.labels["action"] != 2 or video.id == first)
    first = next(video.id for video in MovingSquares().split("test").videos if video.labels["action"] == 2)
    found = evaluate(informed_encoder(), lonely, gallery="test")
    assert found.notes["alone_in_their_class"] == 1
    for metric in ("recall_5", "ndcg_10", "map"):
        assert values(found)[metric] == pytest.approx(1 - 1 / len(lonely.split("test")))
        assert 0 < baselines(found)[metric] < 1


@pytest.mark.parametrize("size", [5, 40])
@pytest.mark.parametrize("k", [1, 3, 5])
def test_chance_is_that_of_drawing_without_replacement(size, k):
    relevant = torch.arange(6)
    expected = [1 - hypergeom(size, count, k).pmf(0) for count in relevant.tolist()]
    torch.testing.assert_close(chance_of_recall(relevant, size, k), torch.tensor(expected, dtype=torch.float64))


def test_chance_is_what_random_orders_give():
    found = evaluate(UninformedEncoder(), gallery="test")
    labels = torch.tensor(found.predictions.labels)
    generator = torch.Generator().manual_seed(0)
    hits, gains, precision = torch.zeros(5), 0.0, 0.0
    for _ in range(400):
        order = torch.rand(len(labels), len(labels), generator=generator).fill_diagonal_(2).argsort(1)[:, :-1]
        same = labels[order] == labels[:, None]
        hits += same[:, :5].float().cummax(1).values.mean(0)
        gains += float(ndcg(same[:, :10], same.sum(1)).mean()) / 400
        precision += float(average_precision(-torch.arange(same.shape[1]).expand(same.shape), same).mean()) / 400
    chances = baselines(found)
    assert chances["ndcg_10"] == pytest.approx(gains, abs=0.005)
    assert chances["map"] == pytest.approx(precision, abs=0.005)
    assert chances["recall_1"] == pytest.approx(float(hits[0] / 400), abs=0.01)
    assert chances["recall_5"] == pytest.approx(float(hits[4] / 400), abs=0.01)


@pytest.mark.parametrize(
    ("data", "gallery", "message"),
    [
        (kept("test", lambda video: video.labels["action"] == 1), "test", "one class of 'action' only"),
        (kept("train", lambda video: video.labels["action"] != 2), "train", "class 'up' .* none in train"),
        (kept("test", lambda video: video.id in ("test-00", "test-01")), "test", "2 videos, too few to search"),
        (kept("test", lambda video: False), "test", "has no videos"),
    ],
)
def test_data_that_cannot_carry_the_protocol(data, gallery, message):
    with pytest.raises(DataError, match=message):
        evaluate(informed_encoder(), data, gallery=gallery)
