"""The suites: every name and option exists, and the paper's scale is the paper's."""

from __future__ import annotations

import pytest

from harness.execution import plan
from harness.plugins.manager import Plugins
from harness.suites.schema import load

NAMES = ("table1", "table2", "table3", "transfer", "table4", "table5", "table6", "margins", "googlenet", "released")
DEFAULTS = [("label", "action"), ("algorithm", "kmeans")]
"""Options of clustering that suites leave out and published numbers have."""


@pytest.fixture(scope="module")
def plugins():
    return Plugins()


@pytest.fixture
def everywhere(monkeypatch, tmp_path):
    """Every data set has a place, so that suites can be checked without one."""
    for name in ("UCF101", "HMDB51", "FIVE_CONTEXTS", "VOC_ACTION2012", "CIFAR10", "CIFAR100"):
        monkeypatch.setenv(f"HARNESS_DATA_{name}", str(tmp_path))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", ["", "-mini"])
def test_every_suite_can_be_planned(plugins, everywhere, name, scale):
    suite = load(f"coherency-{name}{scale}", plugins.suites)
    assert suite.name == f"coherency-{name}{scale}"
    plan.check(suite, plugins)
    for backbone in suite.backbones:  # random_init and the losses alike
        assert plugins.backbones.build(backbone.name, backbone.options).inputs.view.frames == 1 or name == "margins"


def test_labels_of_cifar100_are_learnt_as_caffe_does_and_measured_as_table_5(plugins, everywhere):
    suite = load("coherency-table5-supervised", plugins.suites)
    plan.check(suite, plugins)
    table5 = load("coherency-table5", plugins.suites)
    assert (suite.backbones, suite.data, suite.evaluators) == (table5.backbones, table5.data, table5.evaluators)
    method = next(one for one in suite.methods if one.name == "supervised")
    assert suite.frames == 5_000 * method.options["batch_size"]
    assert [one.options.get("subset") for one in suite.pretraining] == [None, 17_400]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "transfer"])
def test_the_mini_suite_measures_the_same(plugins, name):
    """Evaluators are the same, but for options that depend on the data's size.

    The sweep's network has no layers."""
    sizes = {"stride", "frames", "mirror", "label", "batch_size", *(["layer"] if name == "margins" else [])}
    paper, mini = (load(f"coherency-{name}{ending}", plugins.suites) for ending in ("", "-mini"))
    measured = [
        [(one.name, {key: value for key, value in one.options.items() if key not in sizes}) for one in suite.evaluators]
        for suite in (paper, mini)
    ]
    assert measured[0] == measured[1]
    assert {method.name for method in paper.methods} <= {method.name for method in mini.methods}


@pytest.mark.parametrize("name", ["claims", "claims-joined", "claims-unbiased"])
def test_the_claims_can_be_planned(plugins, name):
    suite = load(f"coherency-{name}", plugins.suites)
    assert suite.name == f"coherency-{name}"
    plan.check(suite, plugins)


@pytest.mark.parametrize("name", NAMES)
def test_the_papers_parameters(plugins, name):
    suite = load(f"coherency-{name}", plugins.suites)
    for choice in suite.methods:
        if choice.name == "random_init":
            continue
        method = plugins.methods.build(choice.name, choice.options)
        assert (method.optimizer, method.lr, method.momentum, method.weight_decay) == ("sgd", 1e-3, 0.9, 0.005)
        schedule = () if name == "table3" else "step"  # 5,000 steps end before the first drop, after 10,000
        assert (method.schedule, method.clip_gradients, method.colour) == (schedule, 5.0, 0.0)
        expected = {"siamese": 120, "sfa": 120, "quadruplet": 45 if name == "released" else 40, "triplet": 40}
        assert method.batch_size == expected[choice.name]
        assert choice.name != "triplet" or method.distance == "euclidean"
    assert suite.frames == (5_000 if name == "table3" else 30_000) * 40 * 4


def test_the_papers_numbers_stand_beside_its_suites(plugins):
    """Every published number is of a protocol at the paper's scale, none of a mini."""
    published = plugins.published()[0]["temporal_coherency"]
    for ending, expected in (("", True), ("-mini", False)):
        measured = {
            (str(sorted(evaluator.options.items())), evaluator.name, data.name)
            for name in NAMES
            for suite in [load(f"coherency-{name}{ending}", plugins.suites)]
            for evaluator in suite.evaluators
            for data in suite.data or suite.pretraining
        }
        for one in published:
            options = {k: v for k, v in one.evaluator.options.items() if (k, v) not in DEFAULTS}
            is_measured = (str(sorted(options.items())), one.evaluator.name, one.data.name) in measured
            assert is_measured is expected, one
