"""What tests of several rooms share: a store of their own, a third party's plugin installed, small footage."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from harness.datasets.mocap_actions.build import build_spec
from harness.datasets.mocap_actions.plan import Spec
from harness.execution import units
from harness.execution.plan import plan_suite
from harness.execution.units import Workplace, Workshop
from harness.plugins.manager import Plugins
from harness.store.runs import Store
from harness.suites.schema import Suite
from harness.system import paths
from harness.testing import MovingSquares

TOY = Path(__file__).parent / "toy_plugin"
HOSTILE = Path(__file__).parent / "hostile_plugin"
collect_ignore = ["hostile_plugin"]  # importing it changes the process


SLOW = (
    "test_code_edits.py",
    "test_cluster.py",
    "test_file_tasks.py",
    "test_compiling.py",
    "test_measuring.py",
    "test_matrix.py",
    "test_new.py",
    "test_gate.py",
    "test_supervision.py",
)
"""Files to start with: one that starts late runs on alone, while other workers wait."""


def pytest_collection_modifyitems(items):
    """Mark tests that draw videos of mocap-actions, and put slow files first."""
    items.sort(key=lambda item: SLOW.index(item.path.name) if item.path.name in SLOW else len(SLOW))
    for item in items:
        if "drawn" in getattr(item, "fixturenames", ()) or "mocap_actions" in item.path.parts:
            item.add_marker("draws")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty `$HARNESS_HOME`."""
    folder = tmp_path / "home"
    monkeypatch.setenv("HARNESS_HOME", str(folder))
    return folder


@pytest.fixture
def toy(home, monkeypatch, tmp_path):
    """The toy plugin installed, here and in child processes; gives the log of its fits."""
    log = tmp_path / "fits.log"
    log.touch()
    monkeypatch.setenv("TOY_LOG", str(log))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TOY), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.syspath_prepend(TOY)
    return log


@pytest.fixture
def compute(toy):
    """Compute a suite in this process, in place of processes of its own; gives its runs."""

    def compute(suite):
        plugins = Plugins()
        workshop = Workshop(Workplace(store=paths.store()), plugins)
        store, runs = Store(paths.store()), []
        for cell in plan_suite(Suite.model_validate(suite), plugins, workshop.sources).cells:
            for fit in cell.row.fits:
                units.fit(fit, workshop)
            done = units.measure(cell, workshop)
            store.write(done.run, done.pictures, done.class_scores)
            runs.append(done.run)
        return runs

    return compute


@pytest.fixture
def hostile(toy, monkeypatch):
    """The hostile plugin installed beside the toy one; `Plugins()` of this process would import it, and change it."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HOSTILE), os.environ["PYTHONPATH"]]))
    monkeypatch.syspath_prepend(HOSTILE)


SMALL = Spec(clips=1, frames=8, fps=12.5, width=64, height=48, groups=22, classes=3)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """A small `mocap-actions` in UCF101's layout: 3 classes, 22 groups of 1 clip of 8 frames, joints, three folds."""
    return build_spec(tmp_path_factory.mktemp("drawn") / "small", SMALL, biased=True, workers=2)


@pytest.fixture
def ucf101(drawn, tmp_path):
    """UCF101's own layout, `UCF-101/<Class>/*.avi` beside `ucfTrainTestlist/`, of the footage."""
    folder = tmp_path / "ucf"
    shutil.copytree(drawn / "videos", folder / "UCF-101")
    shutil.copytree(drawn / "ucfTrainTestlist", folder / "ucfTrainTestlist")
    return folder


@pytest.fixture(scope="session")
def textured():
    """Train and test split of `MovingSquares`, each video before blocks of its own colours."""

    def changed(split, seed):
        random = torch.Generator().manual_seed(seed)
        blocks = torch.randint(20, 200, (len(split), 4, 5, 3), dtype=torch.uint8, generator=random)
        walls = blocks.repeat_interleave(12, 1).repeat_interleave(13, 2)[:, None, :48, :64]
        frames = tuple(torch.where(clip > 220, clip, wall) for clip, wall in zip(split.frames, walls, strict=True))
        return replace(split, frames=frames)

    return tuple(changed(MovingSquares().split(name), seed) for seed, name in enumerate(("train", "test")))
