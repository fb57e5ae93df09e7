"""What is measured is the encoder that is stored."""

from __future__ import annotations

import shutil

import pytest

from harness.execution.executor import Executor
from harness.execution.plan import plan_suite
from harness.execution.stored_encoders import FIT
from harness.execution.units import Workplace, Workshop
from harness.plugins.manager import Plugins
from harness.store.runs import Store
from harness.suites.schema import Suite
from harness.system import paths


@pytest.fixture
def measure(toy):
    """Run two evaluators of one method on the backbone that drops most of its numbers out."""

    def measure(method):
        plugins = Plugins()
        suite = {
            "name": "toy",
            "title": "Toy",
            "frames": 512,
            "methods": [method],
            "backbones": ["dropout"],
            "pretraining": ["blobs"],
            "evaluators": [{"name": "knn", "k": 5}, "linear_probe"],
            "seeds": [0],
        }
        workshop = Workshop(Workplace(store=paths.store()), plugins)
        plan = plan_suite(Suite.model_validate(suite), plugins, workshop.sources)
        return Executor(workshop).execute(plan)

    return measure


def test_a_network_left_in_training_mode_gives_the_numbers_of_its_stored_weights(measure, toy):
    first = measure("forgets_eval")
    shutil.rmtree(paths.store() / "runs")
    shutil.rmtree(paths.store() / "features")
    second = measure("forgets_eval")
    assert [run.status for run in first] == ["done", "done"]
    assert [(run.key, run.evaluation) for run in second] == [(run.key, run.evaluation) for run in first]
    assert toy.read_text().splitlines() == ["forgets_eval 0"]  # the second time was from the stored weights
    reference = measure("counted")  # the same weights, in evaluation mode from the start
    assert [run.scores for run in reference] == [run.scores for run in first]


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("cannot_load", "method 'cannot_load' cannot load the encoder that it saved (DataError: "),
        ("drops_out", "method 'drops_out' loads an encoder that gives two vectors for one clip, "),
    ],
)
def test_an_encoder_that_is_not_the_stored_one_fails_at_the_fit(measure, method, reason):
    runs = measure(method)
    assert [run.status for run in runs] == ["failed", "failed"]
    assert all(run.reason.startswith(reason) and "\n" not in run.reason and len(run.reason) < 400 for run in runs)
    assert not list(paths.store().glob(f"fits/*/{FIT}"))
    assert len(list(Store(paths.store()))) == 2
