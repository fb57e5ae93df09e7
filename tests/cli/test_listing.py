"""`harness list` and `--help`: quick, machine-readable, and unmoved by broken plugins."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from importlib.metadata import version
from types import SimpleNamespace

import pytest

from harness.backbones.libraries import names

KINDS = ("methods", "backbones", "datasets", "evaluators", "suites", "plugins")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_as_text_and_as_json(harness, kind):
    text, document = harness("list", kind), harness("list", kind, "--json")
    assert text.returncode == document.returncode == 0
    rows = json.loads(document.stdout)
    assert {line.split()[0] for line in text.stdout.splitlines()[1:]} == {row["name"] for row in rows}
    assert any(row["from"] == "harness-toy 1.0" for row in rows)
    assert document.stderr == ""


def test_references_as_text_and_as_json(harness):
    text, document = harness("list", "references"), harness("list", "references", "--json")
    assert text.returncode == document.returncode == 0
    assert text.stdout.split()[:7] == ["table", "method", "value", "std", "evaluator", "data", "paper"]
    rows = [row for row in json.loads(document.stdout) if row["from"] == "harness-toy 1.0"]
    assert [(row["value"], row["evaluator"], row["data"]) for row in rows] == [
        (12.25, "knn(k=5)", "blobs"),
        (13.5, "knn(k=20)", "blobs"),
    ]
    assert all(row["url"] == "https://example.org/squares" and "std" not in row for row in rows)
    (line,) = [line for line in text.stdout.splitlines() if "A guess of five" in line]
    assert " ".join(line.split()) == "Table 1 A guess of five 12.25 knn(k=5) blobs Squares, and how to tell them apart"


def test_a_broken_file_of_references_is_one_line_and_the_rest_works(harness_process, tmp_path, monkeypatch):
    package = tmp_path / "broken_numbers"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from harness import hookimpl\n@hookimpl\ndef harness_references(registry):\n"
        "    registry.register('numbers', 'broken_numbers:references.yaml')\n"
    )
    (package / "references.yaml").write_text("paper: {title: Half\n")
    metadata = tmp_path / "broken_numbers-2.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-numbers\nVersion: 2.0\n")
    (metadata / "entry_points.txt").write_text("[harness]\nnumbers = broken_numbers\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]]))
    done = harness_process("list", "references")
    assert done.returncode == 0
    assert "A guess of five" in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("references 'numbers' of broken-numbers 2.0: not plain YAML data")
    assert line.endswith("(--block numbers silences this)")
    strict = harness_process("--strict-plugins", "list", "methods")
    assert (strict.returncode, strict.stdout) == (3, "")
    assert "references 'numbers'" in strict.stderr
    assert "Traceback" not in strict.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["list", "methods"], ["list", "backbones"], ["--version"]])
def test_quick_answers_import_no_torch(toy, arguments):
    code = (
        "import sys\nfrom harness.cli.app import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n    heavy = {'torch', 'numpy', 'cv2', 'av', 'mmengine'} & set(sys.modules)\n"
        "    sys.stderr.write(f'heavy={sorted(heavy)}')\n"
    )
    seconds = []
    for _ in range(5):  # until it is quick: this machine does other things too
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert done.stderr.endswith("heavy=[]")
        if seconds[-1] < 0.7:
            break
    assert min(seconds) < 0.7  # of a processor


def test_a_dry_run_imports_no_mmengine(toy):
    """Keys need the classes of methods, and none of them the training loop."""
    code = (
        "import sys\nfrom harness.cli.app import main\n"
        "try:\n    main(['run', 'toy', '--dry-run', '--json'])\n"
        "finally:\n    sys.stderr.write(f\"heavy={sorted({'torch', 'mmengine'} & set(sys.modules))}\")\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(row["key"] for row in json.loads(done.stdout))
    assert done.stderr.endswith("heavy=['torch']")


def test_listing_references_imports_no_torch(toy):
    code = (
        "import sys\nfrom harness.cli.app import main\n"
        "try:\n    main(['list', 'references'])\n"
        "finally:\n    sys.stderr.write(f\"heavy={sorted({'torch', 'numpy', 'cv2', 'av'} & set(sys.modules))}\")\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "A guess of five" in done.stdout
    assert done.stderr == "heavy=[]"


def test_libraries_of_backbones_are_one_line_each(harness):
    rows = {row["name"]: row for row in json.loads(harness("list", "backbones", "--json").stdout)}
    assert {"small_2d", "pytorchvideo:MODEL", "timm:MODEL", "torchvision:MODEL", "transformers:MODEL"} <= set(rows)
    library = rows["timm:MODEL"]
    assert library["models"] > 1000
    assert library["version"] == version("timm")
    assert f"({library['models']} of timm {version('timm')})" in harness("list", "backbones").stdout


def test_the_models_of_a_library_are_listed(harness):
    listed = harness("list", "backbones", "timm", "--filter", "resnet18")
    assert re.search(r"^timm:resnet18 +timm 1\.", listed.stdout, flags=re.MULTILINE)
    rows = json.loads(harness("list", "backbones", "timm", "--filter", "test_v*", "--json").stdout)
    assert "timm:test_vit" in {row["name"] for row in rows}
    assert all("test_v" in row["name"] for row in rows)
    assert json.loads(harness("list", "backbones", "--filter", "small_3d", "--json").stdout)[0]["dim"] == 128
    assert json.loads(harness("list", "references", "--filter", "No such*", "--json").stdout) == []


def test_a_library_that_is_not_installed_is_listed_with_the_command_that_does(harness, monkeypatch):
    monkeypatch.setattr(names, "util", SimpleNamespace(find_spec=lambda name: None))
    assert "(not installed: pip install 'video-harness[timm]')" in harness("list", "backbones").stdout
    done = harness("list", "backbones", "timm")
    assert (done.returncode, done.stdout) == (2, "")
    assert "library timm is not installed: pip install 'video-harness[timm]'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["backbones", "tim"], "unknown library of backbones 'tim'; did you mean 'timm'?"),
        (["methods", "timm"], "methods are not listed by library; backbones are: pytorchvideo, timm, torchvision, tr"),
    ],
)
def test_what_is_no_library(harness, arguments, message):
    done = harness("list", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_broken_plugins_are_one_line_each_and_the_rest_works(harness_process, broken):
    done = harness_process("list", "methods")
    assert done.returncode == 0
    assert "counted" in done.stdout
    assert "aaa" in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.startswith("supervised ")]
    lines = done.stderr.splitlines()
    assert len(lines) == len(broken)
    for name in broken:
        (line,) = [line for line in lines if f"broken-{name} 2.0" in line]
        assert f"--block {name}" in line
    assert "method 'supervised' is registered by both builtin and broken-doubles 2.0" in done.stderr


def test_a_name_that_two_distributions_register_ends_the_suites_that_use_it_with_3(harness_process, broken):
    used = harness_process("run", "toy", "--dry-run", "--set", "methods=[supervised]")
    assert (used.returncode, used.stdout) == (3, "")
    line = used.stderr.splitlines()[-1]
    assert line.startswith("harness: method 'supervised' is registered by both builtin and broken-doubles 2.0")
    assert line.endswith("uninstall one of them, or leave it out: --block doubles")
    assert harness_process("run", "toy", "--dry-run").returncode == 0


def test_strict_plugins_exits_3(harness_process, broken):
    done = harness_process("--strict-plugins", "list", "methods")
    assert done.returncode == 3
    assert "broken-" in done.stderr
    assert "Traceback" not in done.stderr
    blocks = [part for name in broken for part in ("--block", name)]
    assert harness_process("--strict-plugins", *blocks, "list", "methods").returncode == 0
