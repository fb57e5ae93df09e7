"""Features of a stored encoder, written by one process at a time."""

from __future__ import annotations

import contextlib
import threading

import filelock

from harness.execution import plan, restore
from harness.execution.codes import fit_codes
from harness.execution.origins import read_record
from harness.plugins.manager import Plugins
from harness.store.runs import Store
from harness.system import paths
from harness.values import Encoding


def test_features_wait_for_the_process_that_writes_them(run, toy):
    ((stored,), _), plugins = run(), Plugins()
    encoder = restore.frozen(plugins, Store(paths.store()), stored)
    split = restore.dataset(plugins, stored).split("test")
    (paths.store() / "features").rename(paths.store() / "before")
    asked = encoder.asking(Encoding(clips=2))
    before = {path.name for path in (paths.store() / "locks").glob("features-*")}
    expected = asked.features(split).vectors
    (name,) = {path.name for path in (paths.store() / "locks").glob("features-*")} - before
    assert read_record(paths.store() / "features" / f"{name.split('-')[1].removesuffix('.lock')}.json")["made_with"]
    for path in (paths.store() / "features").iterdir():
        path.unlink()
    given = []
    again = restore.frozen(plugins, Store(paths.store()), stored).asking(Encoding(clips=2))
    with filelock.FileLock(paths.store() / "locks" / name):
        waiting = threading.Thread(target=lambda: given.append(again.features(split).vectors))
        waiting.start()
        waiting.join(1)
        assert list((paths.store() / "features").iterdir()) == []
    waiting.join()
    assert given[0].equal(expected)


def test_damaged_features_are_written_again_by_one_process(run, toy):
    ((stored,), _), plugins = run(), Plugins()
    encoder = restore.frozen(plugins, Store(paths.store()), stored)
    split = restore.dataset(plugins, stored).split("test")
    expected = encoder.features(split).vectors
    found = sorted((paths.store() / "features").glob("*.npy"))
    for path in found:
        path.write_bytes(path.read_bytes()[:-9])
    held, given = [filelock.FileLock(paths.store() / "locks" / f"features-{path.stem}.lock") for path in found], []
    again = restore.frozen(plugins, Store(paths.store()), stored)
    with contextlib.ExitStack() as stack:
        for one in held:
            stack.enter_context(one)
        waiting = threading.Thread(target=lambda: given.append(again.features(split).vectors))
        waiting.start()
        waiting.join(1)
        assert given == []
    waiting.join()
    assert given[0].equal(expected)


def test_code_that_changed_after_a_fit_stores_no_features_under_its_key(compute, monkeypatch, capsys):
    suite = {"name": "toy", "title": "Toy", "frames": 512, "methods": ["random_init"], "backbones": ["small_2d"]}
    (stored,), plugins = compute({**suite, "pretraining": ["blobs"], "evaluators": ["knn"], "seeds": [0]}), Plugins()
    monkeypatch.setattr(plan, "fit_codes", lambda *arguments: {**fit_codes(*arguments), "backbone_code": "edited"})
    before = sorted((paths.store() / "features").iterdir())
    encoder = restore.frozen(plugins, Store(paths.store()), stored)
    assert "no further features are stored" in capsys.readouterr().err
    split = restore.dataset(plugins, stored).split("test")
    assert len(encoder.asking(Encoding(clips=2)).features(split).vectors) == len(split)
    assert sorted((paths.store() / "features").iterdir()) == before
