"""Toy example of clusters in the plane."""

from __future__ import annotations

import pytest
import torch

from harness_midlevel import toy


@pytest.fixture(scope="module")
def panels():
    points, labels = toy.toy_points()
    return toy.toy_panels(points, labels), points, labels


def test_points_are_long_clusters_and_noise():
    points, labels = toy.toy_points()
    assert (labels + 1).bincount().tolist() == [toy.NOISE, *[toy.EACH] * toy.CLUSTERS]
    for cluster in range(toy.CLUSTERS):
        small, large = torch.linalg.eigvalsh(points[labels == cluster].mT.cov()).tolist()
        assert large > 6 * small
    assert torch.equal(points, toy.toy_points()[0])
    assert not torch.equal(points, toy.toy_points(1)[0])


def test_our_codes_separate_the_clusters_better_than_the_points_do(panels):
    drawn, points, labels = panels
    first, kmeans, svms, softmax, ours = drawn
    known = labels >= 0
    means = torch.stack([points[labels == k].mean(0) for k in range(toy.CLUSTERS)])
    within = sum(float((points[labels == k] - means[k]).square().sum()) for k in range(toy.CLUSTERS))
    between = toy.EACH * float((means - points[known].mean(0)).square().sum())
    assert first.fisher(labels) == pytest.approx(within / between, rel=1e-4)
    assert first.fisher(labels) == kmeans.fisher(labels) == svms.fisher(labels)
    assert ours.fisher(labels) < 0.75 * first.fisher(labels)
    assert ours.fisher(labels) < softmax.fisher(labels)


def test_every_way_finds_the_clusters(panels):
    """In the numbers of the true ones."""
    drawn, _, labels = panels
    for panel, least in zip(drawn[1:], [0.8, 0.6, 0.85, 0.85], strict=True):
        assert panel.concepts.shape == (toy.CLUSTERS, 2)
        known = (labels >= 0) & (panel.clusters >= 0)
        assert float((panel.clusters[known] == labels[known]).double().mean()) > least
    assert (drawn[-1].clusters == -1).any()  # ours fires where one detector alone does
    kmeans = drawn[1]
    for cluster in range(toy.CLUSTERS):  # the stars have the order of the colours
        torch.testing.assert_close(kmeans.concepts[cluster], kmeans.places[kmeans.clusters == cluster].mean(0))


def test_the_picture_has_a_panel_for_each_way(panels, monkeypatch):
    drawn, _, labels = panels
    given = {}
    monkeypatch.setattr(toy, "scatter_panels", lambda each, stars: given.update(panels=each, stars=stars) or b"")
    toy.toy_picture(drawn, labels)
    titles = [title.partition(": Fisher ") for title, *_ in given["panels"]]
    assert [(name, float(ratio)) for name, _, ratio in titles] == [
        (panel.title, pytest.approx(panel.fisher(labels), abs=5e-4)) for panel in drawn
    ]
    assert given["stars"][0] is None
    assert all(len(places) == len(groups) == toy.CLUSTERS for places, groups in given["stars"][1:])


@pytest.mark.parametrize(
    ("arguments", "message"), [([], "required: file"), (["nowhere/toy.png"], "there is no folder"), (["--help"], None)]
)
def test_one_file_is_named(arguments, message, capsys):
    with pytest.raises(SystemExit) as error:
        toy.main(arguments)
    assert error.value.code == (2 if message else 0)
    printed = capsys.readouterr()
    assert (message or "") in printed.err
    assert "python -m harness_midlevel.toy" in printed.err + printed.out


def test_the_picture_is_written(panels, tmp_path, monkeypatch):
    drawn, _, labels = panels
    monkeypatch.setattr(toy, "toy_panels", lambda *_: drawn)
    toy.main([str(tmp_path / "toy.png")])
    assert (tmp_path / "toy.png").read_bytes() == toy.toy_picture(drawn, labels)
