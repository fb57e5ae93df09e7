"""Edits of the project's code in every room: the keys that change, and those that do not."""

from __future__ import annotations

import shutil
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

import harness
from harness.datasets.mocap_actions.build import drawing_code
from harness.datasets.mocap_actions.dataset import MocapActions
from harness.execution.plan import identities, plan_cell
from harness.execution.sources import DataSources
from harness.plugins.manager import Plugins
from harness.store import keys
from harness.suites.schema import Suite
from harness.system import code
from harness.system.source import _read_source

SUITE = {
    "name": "edited",
    "title": "Edited",
    "frames": 1000,
    "methods": ["random_init", "supervised"],
    "backbones": ["small_2d", "small_3d"],
    "pretraining": ["blobs"],
    "evaluators": ["knn", {"name": "clustering", "precision": "float16"}],
    "seeds": [0],
}
NOTHING: set[str] = set()
RANDOM = {"random_init small_2d", "random_init small_3d"}
SUPERVISED = {"supervised small_2d", "supervised small_3d"}
FITS = RANDOM | SUPERVISED
FEATURES = {f"features of {fit}" for fit in FITS}
KNN = {f"knn of {fit}" for fit in FITS}
CLUSTERING = {f"clustering of {fit}" for fit in FITS}
RUNS = KNN | CLUSTERING
EVERYTHING = FITS | FEATURES | RUNS
DRAWN = {"drawn"}
FOLDER = {"folder of drawn"}
READ = FEATURES | RUNS | SUPERVISED | DRAWN


def of(*fits: str) -> set[str]:
    """Keys of some fits, and all that depends on them."""
    return {f"{part}{fit}" for fit in fits for part in ("", "features of ", "knn of ", "clustering of ")}


FIRST = "from __future__ import annotations\n"
ADDED = (FIRST, f"{FIRST}THIRD = 3\n")
PROSE = ('"""', '"""More ')
EDITS = [
    ("functional/knn.py", *ADDED, KNN),
    ("functional/kmeans.py", *ADDED, CLUSTERING),
    ("functional/pose.py", *ADDED, NOTHING),
    ("backbones/small_2d.py", *ADDED, of("random_init small_2d", "supervised small_2d")),
    ("backbones/small_3d.py", *ADDED, of("random_init small_3d", "supervised small_3d")),
    ("backbones/resnet18.py", *ADDED, NOTHING),
    ("methods/supervised.py", *ADDED, of(*SUPERVISED)),
    ("methods/random_init.py", *ADDED, of(*RANDOM)),
    ("training/loop.py", *ADDED, of(*SUPERVISED)),
    ("video/decode.py", "Interpolation.AREA", "Interpolation.BILINEAR", EVERYTHING | DRAWN),
    ("video/loader.py", *ADDED, READ),
    ("video/sampling.py", *ADDED, READ),
    ("video/transforms.py", *ADDED, EVERYTHING | DRAWN),
    ("video/write.py", *ADDED, DRAWN | FOLDER),
    ("datasets/splits.py", *ADDED, READ),
    ("datasets/derived.py", *ADDED, READ),
    ("datasets/ucf101.py", *ADDED, NOTHING),
    ("datasets/mocap_actions/draw.py", *ADDED, DRAWN | FOLDER),
    ("datasets/mocap_actions/takes.py", '"neck": 22.0', '"neck": 21.0', DRAWN | FOLDER),
    ("datasets/mocap_actions/takes.py", *PROSE, NOTHING),
    ("interfaces.py", ".mean(1)", ".amax(1)", EVERYTHING | DRAWN),
    ("encoders/frozen.py", *ADDED, FEATURES | RUNS | DRAWN),
    ("encoders/reduced.py", *ADDED, NOTHING),
    ("encoders/network.py", *ADDED, EVERYTHING | DRAWN),
    ("store/features.py", *ADDED, FEATURES | RUNS | DRAWN),
    ("evaluators/knn.py", *ADDED, KNN),
    ("evaluators/cards.py", *ADDED, NOTHING),
    ("evaluators/encoding_options.py", *ADDED, CLUSTERING),
    ("execution/units.py", *ADDED, RUNS),
    ("execution/stored_encoders.py", *ADDED, RUNS),
    ("execution/executor.py", *ADDED, NOTHING),
    ("execution/verification.py", *ADDED, NOTHING),
    ("bridges/clips.py", *ADDED, NOTHING),
    ("export/folder.py", *ADDED, NOTHING),
    ("gate/decision.py", *ADDED, NOTHING),
    ("store/runs.py", *ADDED, NOTHING),
    ("plugins/hookspecs.py", *ADDED, NOTHING),
    ("suites/schema.py", *ADDED, NOTHING),
    ("leaderboard/statistics.py", *ADDED, NOTHING),
    ("pictures/contact_sheet.py", *ADDED, NOTHING),
    ("embeddings/projector.py", *ADDED, NOTHING),
    ("profiling/timing.py", *ADDED, NOTHING),
    ("api/suites.py", *ADDED, NOTHING),
    ("cli/run.py", *ADDED, NOTHING),
    ("errors.py", *ADDED, NOTHING),
    ("system/seeding.py", *ADDED, EVERYTHING | DRAWN),
    ("system/progress.py", *ADDED, NOTHING),
    ("testing/kit.py", *ADDED, NOTHING),
    ("functional/knn.py", *PROSE, NOTHING),
    ("plugins/hookspecs.py", *PROSE, NOTHING),
    ("backbones/small_2d.py", FIRST, f"{FIRST}# why\n", NOTHING),
    ("methods/cards.py", "the upper reference", "the upper bound", NOTHING),
]
"""File, text in it, the text that takes its place, and the keys that change."""


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    copy = tmp_path_factory.mktemp("tree") / "harness"
    shutil.copytree(Path(harness.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def forget(*functions):
    for function in functions:
        function.cache_clear()


@pytest.fixture
def planned(toy, tree, monkeypatch):
    """Keys by name, as code in the copied tree makes them."""
    known = code.util.find_spec

    def found(name):
        if name != "harness":
            return known(name)
        spec = ModuleSpec(name, None, origin=str(tree / "__init__.py"), is_package=True)
        spec.submodule_search_locations = [str(tree)]
        return spec

    parsed = {}

    def read(path):
        known = (path, path.read_bytes())
        if known not in parsed:
            parsed[known] = _read_source.__wrapped__(path)
        return parsed[known]

    monkeypatch.setattr(code.util, "find_spec", found)
    monkeypatch.setattr(code, "read_source", read)  # parsing all files again for each edit takes minutes
    hashes = (code._closure_hash, code.module_hash, code._data)
    places = (code._file, code._modules)
    plugins = Plugins()

    def plan():
        forget(*hashes)
        made = {"drawn": keys.encoding_code(MocapActions), "folder of drawn": drawing_code()}
        sources = DataSources(plugins)
        for identity in identities(Suite.model_validate(SUITE), plugins):
            cell = plan_cell(identity, plugins, sources)
            fit = f"{identity.method.name} {identity.backbone.name}"
            made |= {fit: cell.row.key, f"{identity.evaluator.name} of {fit}": cell.key}
            made[f"features of {fit}"] = cell.encodings[0].key
        return made

    forget(*places)
    yield plan
    forget(*hashes, *places)


def test_edits_change_the_keys_of_what_they_compute_and_no_others(planned, tree):
    before = planned()
    assert before.keys() == EVERYTHING | DRAWN | FOLDER
    wrong = {}
    for file, old, new, changes in EDITS:
        text = (tree / file).read_text()
        assert old in text, (file, old)
        (tree / file).write_text(text.replace(old, new, 1))
        after = planned()
        changed = {name for name in before if before[name] != after[name]}
        if changed != changes:
            wrong[file, new] = {"not changed": sorted(changes - changed), "changed too": sorted(changed - changes)}
        (tree / file).write_text(text)
    assert not wrong
    rooms = {path.name for path in tree.iterdir() if path.is_dir()}
    assert {file.partition("/")[0] for file, *_ in EDITS} >= rooms - {"__pycache__"}
