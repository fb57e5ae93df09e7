"""What is measured is the encoder that is stored."""

from __future__ import annotations

import shutil

import pytest

from harness.execution.stored_encoders import FIT
from harness.store.runs import Store
from harness.system import paths

SUITE = {"backbones": ["dropout"], "evaluators": [{"name": "knn", "k": 5}, "linear_probe"]}
"""Two evaluators on the backbone that drops most of its numbers out."""


def test_a_network_left_in_training_mode_gives_the_numbers_of_its_stored_weights(run):
    first, fits = run(methods=["forgets_eval"], **SUITE)
    assert fits == ["forgets_eval 0"]
    shutil.rmtree(paths.store() / "runs")
    shutil.rmtree(paths.store() / "features")
    second, fits = run(methods=["forgets_eval"], **SUITE)
    assert not fits  # from the stored weights
    assert [run.status for run in first] == ["done", "done"]
    assert [(run.key, run.evaluation) for run in second] == [(run.key, run.evaluation) for run in first]
    reference, _ = run(methods=["counted"], **SUITE)  # the same weights, in evaluation mode from the start
    assert [run.scores for run in reference] == [run.scores for run in first]


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("cannot_load", "method 'cannot_load' cannot load the encoder that it saved (DataError: "),
        ("drops_out", "method 'drops_out' loads an encoder that gives two vectors for one clip, "),
    ],
)
def test_an_encoder_that_is_not_the_stored_one_fails_at_the_fit(run, method, reason):
    runs, _ = run(methods=[method], **SUITE)
    assert [run.status for run in runs] == ["failed", "failed"]
    assert all(run.reason.startswith(reason) and "\n" not in run.reason and len(run.reason) < 400 for run in runs)
    assert not list(paths.store().glob(f"fits/*/{FIT}"))
    assert len(list(Store(paths.store()))) == 2
