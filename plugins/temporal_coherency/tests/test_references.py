"""The paper's numbers: they agree with its text, and their protocols exist."""

from __future__ import annotations

import inspect
from importlib.resources import files

import pytest
import torch

from harness.functional.metrics import conditional_entropy
from harness.plugins.manager import Plugins
from harness.suites.references import parse
from harness_temporal_coherency import PAPER

TABLES = {"Table 1": 16, "Table 2": 10, "Table 3": 8, "Table 4": 8, "Table 5": 7, "Table 6": 3}
SUPERVISED = "Supervised AlexNet pretrained on ImageNet"


@pytest.fixture(scope="module")
def numbers():
    return parse(files("harness_temporal_coherency").joinpath("references.yaml").read_text("utf-8"), "the paper")


def find(numbers, table, method, **options):
    """The one value of a method in a table, under a protocol with these options."""
    (number,) = [
        one
        for one in numbers
        if (one.table, one.method) == (table, method) and options.items() <= one.evaluator.options.items()
    ]
    return number.value


def test_they_are_registered_and_of_the_paper(numbers):
    published, complaints = Plugins().published()
    assert published["temporal_coherency"] == numbers
    assert complaints == []
    assert {one.paper for one in numbers} == {PAPER}


def test_every_cell_of_the_six_tables_is_there(numbers):
    cells = [(one.table, one.method, one.evaluator.label, one.data.label) for one in numbers]
    assert len(set(cells)) == len(cells)
    assert {table: sum(cell[0] == table for cell in cells) for table in TABLES} == TABLES


def test_numbers_that_two_tables_print_agree(numbers):
    for algorithm in ("kmeans", "spectral"):
        for loss in ("Ls", "Lq"):
            first = find(numbers, "Table 1", f"AlexNet with {loss} fc6", algorithm=algorithm)
            assert find(numbers, "Table 2", f"AlexNet with our {loss} fc6", algorithm=algorithm) == first


def test_what_the_text_computes_from_them_comes_out(numbers):
    spectral = {"algorithm": "spectral"}
    random = find(numbers, "Table 2", "Baseline RANDOM", **spectral)
    best = find(numbers, "Table 2", "AlexNet with our Lq fc6", **spectral)
    assert (round(2**random, 2), round(2**best, 2)) == (79.34, 10.48)
    scenes = find(numbers, "Table 3", "Our AlexNet with Lq fc6", algorithm="kmeans")
    assert round(2**scenes, 1) == 3.8
    four = [find(numbers, "Table 4", name) for name in ("Our AlexNet init. with Lq", SUPERVISED)]
    assert round(100 * four[0] / four[1]) == 64
    five = [find(numbers, "Table 5", name) for name in ("Our CIFAR init with Lq", "CIFAR pretrained on full CIFAR-100")]
    assert round(100 * five[0] / five[1], 2) == 92.73


def test_the_text_has_two_numbers_of_googlenet(numbers):
    two = {one.method: (one.value, one.std, one.table) for one in numbers if one.backbone == "GoogLeNet"}
    assert two == {
        "GoogLeNet with Ls": (3.93, 0.01, "Section 4.1.2"),
        "GoogLeNet with Lq": (3.93, 0.02, "Section 4.1.2"),
    }
    (note,) = {one.note for one in numbers if one.backbone == "GoogLeNet"}
    assert "the layer is the paper's" in note


def entropy_of_random_clusters(stride, spread):
    """Bits of 101 random clusters of every `stride`-th frame of as many test videos as UCF101 has.

    Videos last 7.21 s in mean at 25 frames a second (Soomro et al. 2012), log-normally with this deviation of the
    logarithm, and at least 29 frames.
    """
    generator = torch.Generator().manual_seed(0)
    lengths = torch.exp(spread * torch.randn(3783, generator=generator) - spread**2 / 2) * 7.21 * 25
    labels = (torch.arange(3783) % 101).repeat_interleave((lengths.round().clamp(min=29) / stride).ceil().long())
    clusters = torch.randint(101, (5, len(labels)), generator=generator)
    return float(conditional_entropy(labels, clusters).mean())


def test_the_stride_of_the_references_fits_the_papers_random_clusters(numbers):
    (printed,) = {one.value for one in numbers if one.table == "Table 2" and one.method == "Baseline RANDOM"}
    (stride,) = {one.evaluator.options["stride"] for one in numbers if one.evaluator.name == "clustering"}
    assert entropy_of_random_clusters(stride, 0.0) == pytest.approx(printed, abs=0.015)
    assert entropy_of_random_clusters(stride, 0.5) == pytest.approx(printed, abs=0.015)
    assert entropy_of_random_clusters(20, 0.5) > printed + 0.1


def test_every_protocol_exists(numbers):
    plugins = Plugins()
    for one in numbers:
        card = plugins.evaluators.entry(one.evaluator.name).card
        assert one.metric in {metric.id for metric in card.metrics}
        of_evaluator = inspect.signature(plugins.evaluators.load(one.evaluator.name)).parameters
        assert set(one.evaluator.options) <= {*of_evaluator, "layer"}
        plugins.evaluators.completed(one.evaluator.name, one.evaluator.options)
        plugins.datasets.completed(one.data.name, one.data.options)


def test_each_layer_is_one_of_the_papers_network(numbers):
    for one in numbers:
        layer = one.evaluator.options.get("layer")
        named = [name for name in ("fc6", "fc7") if name in one.method]
        assert named in ([], [layer])
