"""Reading with checksums beside reading without: features, weights and runs.

Cold files are dropped from the page cache before they are read, so that they come from the disk.
"""

from __future__ import annotations

import os
import random
import time

import numpy as np
import pytest
import torch
from numpy.lib.format import open_memmap

from harness.backbones.resnet18 import ResNet18
from harness.encoders.frozen import CachedEncoder
from harness.encoders.network import NetworkEncoder
from harness.execution.stored_encoders import load_encoder
from harness.interfaces import Features
from harness.methods.random_init import RandomInit
from harness.store import fits
from harness.store.choices import Choice
from harness.store.features import FeatureFile
from harness.store.records import CellSpec, Run
from harness.store.runs import Store, read_run
from harness.system import checksums, files
from harness.values import Predictions, Score

ROUNDS = 9


def drop(path):
    """Drop a file from the page cache."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


@pytest.fixture
def cost(benchmark):
    """Time reading with and without checksums in turns; the shares that they add go into `extra_info`."""

    def cost(unchecked, before=lambda: None, rounds=ROUNDS, **checked):
        turns = {"": unchecked, **checked}
        wall, processor = ({name: [] for name in turns} for _ in range(2))
        for number in range(rounds):
            for name in random.Random(number).sample(list(turns), len(turns)):
                before()
                read = turns[name]
                start, busy = time.perf_counter(), time.process_time()
                read()
                wall[name].append(time.perf_counter() - start)
                processor[name].append(time.process_time() - busy)
        benchmark.extra_info.update(
            {"seconds": round(min(wall[""]), 5)}
            | {
                f"{name} adds": {
                    kind: round(min(seconds[name]) / min(seconds[""]) - 1, 4)
                    for kind, seconds in (("wall", wall), ("processor", processor))
                }
                for name in checked
            }
        )
        benchmark.pedantic(unchecked, setup=before, rounds=1)

    return cost


@pytest.mark.parametrize("cold", [False, True], ids=["page cache", "disk"])
@pytest.mark.parametrize("shape", [(200_000, 1, 512), (50_000, 4, 512), (1000, 1, 512, 14, 14)], ids=str)
def test_features(tmp_path, cost, shape, cold):
    """Vectors of videos, as evaluators read them: of one clip, of several, of a map."""
    file = FeatureFile(tmp_path / "features", "k")
    rows, _ = file.partial((shape[0] * shape[1], *shape[2:]), "float32")
    some = np.random.default_rng(0).standard_normal((1000, *shape[2:])).astype("float32")
    for start in range(0, len(rows), 1000):
        rows[start : start + 1000] = some
    file.complete()
    del rows
    drop(file.path)
    np.load(file.path)

    def read():
        stored = file.read(shape[0] * shape[1])
        return Features((stored.reshape(shape),), None).vectors

    def checked():
        return Features((file._map(trusted=0).reshape(shape),), None).vectors

    def unchecked():
        return Features((open_memmap(file.path, mode="r").reshape(shape),), None).vectors

    assert torch.equal(checked(), unchecked())
    cost(unchecked, (lambda: drop(file.path)) if cold else (lambda: None), first_of_a_day=checked, others=read)


def test_weights(tmp_path, cost):
    """An encoder of 45 MB, as units read it."""
    backbone, folder = ResNet18(), tmp_path / "fits" / "k"
    folder.mkdir(parents=True)
    NetworkEncoder(backbone.build(seed=0), backbone.inputs).save(folder)

    def read():
        return CachedEncoder(load_encoder(folder, RandomInit(), backbone), key="k")

    def checked():
        checksums._checksum.cache_clear()
        return read()

    files.write_json(folder / fits.FIT, {fits.CHECKSUMS: fits.saved_checksums(folder)})
    assert fits.damage(folder) == ""
    cost(read, rounds=31, once=checked)


def test_run(tmp_path, cost):
    """A run of UCF101: predictions of 3,783 videos in five repeats."""
    knn, data = Choice(name="knn"), Choice(name="ucf101")
    cell = CellSpec(method=knn, backbone=None, pretraining=None, frames=None, evaluator=knn, data=data, seed=0)
    names = tuple(f"ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c{number:04d}" for number in range(3783))
    classes, values = tuple(range(3783)), {"top1": (tuple(float(number % 3) / 7 for number in range(3783)),) * 5}
    predictions = Predictions(names, names, classes, (classes,) * 5, values)
    about = {"fit_key": "a", "identity": cell, "status": "done", "supervised": False, "protocol_id": "p"}
    run = Run(key="k", scores=(Score("top1", 0.5),), predictions=predictions, protocol={}, provenance={}, **about)
    store = Store(tmp_path)
    store.write(run)
    bare = store.path("bare")
    files.write_json(bare, run.model_dump(mode="json"))
    sealed = store.path("k")
    assert read_run(bare) == read_run(sealed) == run
    cost(lambda: read_run(bare), rounds=301, each=lambda: read_run(sealed))
