"""Plans become runs: once, whatever fails on the way."""

from __future__ import annotations

import json
import time
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import pytest
from filelock import FileLock

from harness.errors import PluginError, StoreError, UsageError
from harness.execution.executor import Executor
from harness.execution.outcomes import Outcome
from harness.execution.units import Workplace
from harness.store.runs import Store
from harness.system import paths, progress


def test_a_run_has_scores_predictions_protocol_and_provenance(run):
    (found,), _ = run()
    assert found.status == "done"
    assert 0.25 <= found.score("top1").value <= 1
    assert len(found.predictions.videos) == 32
    assert found.sees == "8×4, 64 px"
    assert found.provenance["plugins"]["harness-toy"] == "1.0"
    assert found.provenance["libraries"]["torch"] == version("torch")
    assert found.provenance["hardware"]
    stored = Store(paths.store()).find(found.key[:8])
    assert stored == found


def test_a_run_whose_class_scores_are_gone_is_not_lost_when_computing_them_again_fails(run, capsys):
    (before,), _ = run()
    store = Store(paths.store())
    store.class_scores_path(before.key).unlink()
    told = []
    executor = Executor([Workplace(store=store.folder)], told=lambda cell, run: told.append(run))
    failed = before.model_copy(update={"status": "oom", "reason": "no memory", "class_scores": None})
    other = failed.model_copy(update={"key": "f" * 20})
    with progress.bar("again", total=2) as bar:
        finished = executor._recorder(bar).finished
        finished(None, Outcome(failed))
        finished(None, Outcome(other))
    assert [store.get(before.key), store.get(other.key)] == told == [before, other]
    assert "computing it again failed (no memory); the stored one is kept" in capsys.readouterr().err


def test_an_interrupted_run_leaves_no_lock(run, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("harness.execution.executor.wait", interrupted)
        with pytest.raises(KeyboardInterrupt) as caught:
            run()
    assert caught.tb is not None  # which keeps the frames of the run, as a notebook does
    (found,), _ = run()
    assert found.status == "done"


def test_what_is_stored_is_not_computed_again(run):
    suite = {"evaluators": [{"name": "knn", "k": 5}, "clustering"], "seeds": [0, 1]}
    first, fits = run(**suite)
    assert fits == ["counted 0", "counted 1"]
    second, fits = run(**suite)
    assert fits == []
    assert second == first
    third, fits = run(**{**suite, "evaluators": [{"name": "knn", "k": 3}]})
    assert fits == []
    assert all(run.status == "done" for run in third)


@pytest.mark.parametrize(
    "change",
    [{"frames": 513}, {"seeds": [2]}, {"methods": [{"name": "counted", "scale": 2.0}]}, {"backbones": ["small_3d"]}],
)
def test_anything_that_matters_to_a_fit_makes_a_new_one(run, change):
    (first,), _ = run()
    (second,), fits = run(**change)
    assert len(fits) == 1
    assert second.key != first.key


@pytest.mark.parametrize(
    ("method", "status", "reason"),
    [
        ("diverges", "diverged", "loss became nan at step 3"),
        ("raises", "failed", "KeyError: 'missing'"),
        ("exits", "failed", "SystemExit: 7"),
        ("runs_out_of_memory", "oom", "tried to allocate everything"),
    ],
)
def test_a_fit_that_fails_is_recorded_once_and_the_others_go_on(run, method, status, reason):
    suite = {"methods": [method, "counted"], "evaluators": [{"name": "knn", "k": 5}, "clustering"]}
    runs, fits = run(**suite)
    assert [r.status for r in runs] == [status, status, "done", "done"]
    assert reason in runs[0].reason
    assert fits == [f"{method} 0", "counted 0"]
    again, fits = run(**suite)
    assert fits == []
    assert again == runs
    _, fits = run(retry_failed=True, **suite)
    assert fits == [f"{method} 0"]


def test_an_evaluation_that_fails_is_recorded_and_the_others_go_on(run):
    runs, fits = run(evaluators=["fragile", "not_a_number"], seeds=[0, 1])
    assert [r.status for r in runs] == ["done", "failed", "failed", "failed"]
    assert runs[2].reason == "RuntimeError: odd seed"
    assert "value = nan, which is not finite" in runs[1].reason
    assert len(fits) == 2
    for path in (paths.store() / "runs").iterdir():
        json.loads(path.read_text(), parse_constant=pytest.fail)


def test_what_cannot_be_measured_is_not_tried(run):
    runs, fits = run(evaluators=["trains"], backbones=["small_3d"])
    assert runs == []
    assert fits == []


def test_a_method_that_is_not_supervised_gets_no_labels(run):
    _, fits = run(methods=["reads_labels"])
    assert fits == ["reads_labels 0", "labelled=False labels=0"]


def test_features_are_computed_once_for_all_evaluators(run):
    run(evaluators=[{"name": "knn", "k": 5}, "clustering", "linear_probe"])
    assert len(list((paths.store() / "features").glob("*.npy"))) == 2  # train and test
    for path in (paths.store() / "features").glob("*.npy"):
        path.write_bytes(b"damaged")
    (found,), _ = run(evaluators=[{"name": "knn", "k": 7}])
    assert found.status == "done"


def test_a_row_is_left_to_the_process_that_is_at_it(run, toy):
    (first,), _ = run()
    Store(paths.store()).path(first.key).unlink()
    with ThreadPoolExecutor(1) as pool:
        with FileLock(paths.store() / "locks" / f"{first.fit_key}.lock"):
            waiting = pool.submit(run)
            with pytest.raises(futures.TimeoutError):
                waiting.result(timeout=2)
            Store(paths.store()).write(first.model_copy(update={"notes": {"by": "the other"}}))
        (second,), fits = waiting.result(timeout=60)
    assert (second.notes, fits) == ({"by": "the other"}, [])


def test_results_do_not_depend_on_the_number_of_jobs(run, tmp_path, monkeypatch):
    suite = {"methods": ["counted", "random_init"], "seeds": [0, 1], "evaluators": ["linear_probe", "retrieval"]}
    results = {}
    for jobs in (1, 2):
        monkeypatch.setenv("HARNESS_HOME", str(tmp_path / str(jobs)))
        results[jobs], fits = run(jobs=jobs, **suite)
        assert sorted(fits) == ["counted 0", "counted 1"]
    assert [run.scores for run in results[1]] == [run.scores for run in results[2]]
    assert [run.predictions for run in results[1]] == [run.predictions for run in results[2]]
    assert {run.provenance["threads"] for run in results[2]} == {1}


def test_a_composite_waits_for_its_parts_and_shares_their_fits(run):
    composites = [{"name": "both", "of": ["counted", {"name": "counted", "scale": 0.5}]}]
    runs, fits = run(composites=composites, jobs=2)
    assert [run.status for run in runs] == ["done", "done"]
    assert fits == ["counted 0"] * 2
    failing = [{"name": "one", "of": ["raises", "counted"]}, {"name": "two", "of": ["raises", "random_init"]}]
    runs, fits = run(composites=failing, jobs=2)
    assert [run.status for run in runs] == ["done", "failed", "failed"]
    assert runs[1].reason == runs[2].reason == "KeyError: 'missing'"
    assert fits == ["raises 0"]  # once for both


def test_a_damaged_encoder_is_set_aside_and_fitted_again(run):
    (first,), _ = run()
    weights = paths.store() / "fits" / first.fit_key / "weights.safetensors"
    weights.write_bytes(b"damaged")
    (found,), fits = run(evaluators=[{"name": "knn", "k": 3}])
    assert fits == ["counted 0"]
    assert found.status == "done"
    (aside,) = (paths.store() / "damaged" / "fits").glob("*/weights.safetensors")
    assert aside.read_bytes() == b"damaged"


def test_a_damaged_run_is_computed_again(run):
    (first,), _ = run()
    Store(paths.store()).path(first.key).write_text('{"version": 1')
    assert Store(paths.store()).broken()
    (second,), fits = run()
    assert fits == []
    assert second.scores == first.scores


def test_an_evaluator_can_be_given_an_inner_layer(run):
    evaluators = [
        {"name": "knn", "k": 5},
        *({"name": "knn", "k": 5, "layer": layer} for layer in ("colours", "linear")),
    ]
    (own, colours, linear), fits = run(backbones=["two_layers"], evaluators=evaluators)
    assert len(fits) == 1
    assert [r.status for r in (own, colours, linear)] == ["done"] * 3
    assert linear.predictions == own.predictions
    assert colours.predictions != own.predictions
    assert len({r.protocol_id for r in (own, colours, linear)}) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbones": ["two_layers"], "evaluators": [{"name": "knn", "layer": "colour"}]}, "did you mean 'colours'"),
        ({"evaluators": [{"name": "knn", "layer": "fc6"}]}, "unknown layer of backbone 'small_2d': 'fc6'; known: none"),
        (
            {"evaluators": [{"name": "finetune", "layer": "fc6"}]},
            "finetune.* takes no layer; of the options of features it takes: none",
        ),
        ({"evaluators": [{"name": "knn", "layer": 6}]}, "'knn': option layer=6"),
    ],
)
def test_a_layer_that_cannot_be(run, changes, message):
    with pytest.raises(UsageError, match=message):
        run(**changes)


def test_an_evaluator_that_cannot_measure_a_row_is_a_failure_of_its_cell(run):
    frames, knn = run(evaluators=[{"name": "clustering", "stride": 4}, {"name": "knn", "k": 5}])[0]
    assert (frames.status, knn.status) == ("failed", "done")
    assert "the encoder is shown more at once" in frames.reason


@pytest.mark.parametrize(
    ("kind", "changes", "target", "part"),
    [
        ("evaluator 'fragile'", {"evaluators": ["fragile"]}, "harness_toy.evaluators.Fragile", "encodings"),
        ("method 'counted'", {}, "harness_toy.methods.Counted", "promise"),
    ],
)
def test_a_plugin_that_keeps_not_its_contract_is_named(run, monkeypatch, kind, changes, target, part):
    def broken(*_, **__):
        msg = "no such thing"
        raise AttributeError(msg)

    monkeypatch.setattr(f"{target}.{part}", broken)
    with pytest.raises(PluginError, match=f"{kind} cannot be planned: AttributeError: no such thing"):
        run(**changes)


def test_a_store_that_is_moved_away_meanwhile_stops_the_run(run, toy, tmp_path):
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, methods=["slow"])
        while not toy.read_text():
            assert not running.done()
            time.sleep(0.05)
        paths.store().rename(tmp_path / "elsewhere")
        with pytest.raises(StoreError, match="moved or deleted while in use; put it back"):
            running.result(timeout=60)
    assert not list(paths.store().glob("runs/*"))
