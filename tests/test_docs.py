"""What README, CONTRIBUTING and docs say is true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from harness import save_features
from harness.execution import plan
from harness.leaderboard.claims import MINI
from harness.leaderboard.claims_table import BEGIN, END, digests
from harness.plugins.manager import Plugins
from harness.store.choices import parse_choice
from harness.suites import schema
from harness.system import plain_yaml

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def test_the_two_commands_are_there():
    assert "pip install tox && tox run -e quickstart" in README
    assert "pip install tox && tox\n" in README


MAP = re.findall(r"^[├└]─ (\S+)", CONTRIBUTING, flags=re.MULTILINE)


def test_the_map_names_every_room():
    mapped = set(MAP)
    rooms = {f"{path.parent.name}/" for path in (ROOT / "harness").glob("*/__init__.py")}
    modules = {path.name for path in (ROOT / "harness").glob("*.py")} - {"__init__.py", "__main__.py"}
    assert mapped == rooms | modules


def test_the_map_is_in_the_order_of_imports():
    tomllib = pytest.importorskip("tomllib", reason="part of Python since 3.11")
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [layer.strip("()") for layer in contracts[0]["layers"] if layer != "__main__"]
    assert [re.sub(r"/|\.py", "", name) for name in MAP] == layers[::-1]


@pytest.mark.parametrize("title", ["A clip, from file to score", "A key, from suite to board"])
def test_a_walk_goes_upwards_only(title):
    walk = CONTRIBUTING.partition(f"### {title}\n")[2].partition("\n#")[0]
    paths = re.findall(r"`harness/([^`]+)`", walk)
    assert 10 <= len(paths) <= 12
    assert all((ROOT / "harness" / path).is_file() for path in paths)
    floors = [MAP.index(f"{path.partition('/')[0]}/" if "/" in path else path) for path in paths]
    assert floors == sorted(floors)


def test_the_setup_installs_every_plugin():
    (line,) = re.findall(r"^pip install -c .*$", CONTRIBUTING, flags=re.MULTILINE)
    shown = subprocess.run(["sh", "-c", f"echo {line}"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    for path in ROOT.glob("plugins/*/pyproject.toml"):
        assert f"-e plugins/{path.parent.name}/ " in shown


@pytest.fixture
def example(tmp_path):
    """The example of a method as installed files: its code blocks, and the metadata that pip would write."""
    page = (ROOT / "docs" / "plugin.md").read_text()
    files = re.findall(r"`([\w/.]+)`[^`\n]*:\n```(?:python|toml)\n(.*?)```", page, flags=re.DOTALL)
    for name, content in files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    metadata = tmp_path / "harness_my_method-0.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: harness-my-method\nVersion: 0.1\n")
    (metadata / "entry_points.txt").write_text("[harness]\nmy_method = my_method\n")
    assert 'my_method = "my_method"' in dict(files)["pyproject.toml"]
    return tmp_path


def test_the_example_is_listed_and_conforms(example, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(example), os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, "-m", "harness", "list", "methods"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.search(r"^rotation .*harness-my-method 0\.1$", listed.stdout, flags=re.MULTILINE)
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(example / "test_my_method.py")]
    outcome = subprocess.run(tests, capture_output=True, text=True, check=False, cwd=example)
    assert outcome.returncode == 0, outcome.stdout
    assert " passed" in outcome.stdout


def suites_of(path):
    """Blocks of YAML of a page."""
    return re.findall(r"```yaml\n(.*?)```", (ROOT / path).read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("page", ["README.md", "docs/suites.md"])
def test_the_suite_of_a_page_is_one(page, tmp_path):
    (text,) = suites_of(page)
    path = tmp_path / "suite.yaml"
    path.write_text(text)
    plugins = Plugins()
    suite = schema.load(str(path), plugins.suites)
    plan.check(suite, plugins)
    assert len(list(plan.identities(suite, Plugins()))) == 4 * 2 * 3 * 3


def test_the_suites_of_weights_and_vectors_are_some(home, tmp_path):
    torch.save({}, tmp_path / "encoder.pth")
    save_features(tmp_path / "mine.safetensors", torch.ones(1, 3), ["a"])
    methods = []
    for text in suites_of("docs/evaluate.md"):
        path = tmp_path / "suite.yaml"
        path.write_text(text)
        plugins = Plugins()
        suite = plan.check(schema.load(str(path), plugins.suites), plugins)
        methods += [choice.label for choice in suite.methods if choice.label != "random_init"]
    stated = "labels=False, learnt_from=kinetics400"
    assert methods == [
        f"pretrained({stated}, weights=encoder.pth)",
        f"features(file=mine.safetensors, {stated})",
    ]


def test_the_backbones_of_the_page_can_be_built():
    (text,) = suites_of("docs/backbones.md")
    registry = Plugins(points=[]).backbones
    choices = [parse_choice(choice) for choice in plain_yaml.parse(text)["backbones"]]
    assert [registry.draft(choice.name, choice.options).card.dim for choice in choices] == [512, 2048, 384, 1024]


@pytest.mark.skipif(
    not (ROOT / "leaderboards").exists(), reason="committed boards are in the repository, not in the sdist"
)
@pytest.mark.parametrize(
    "path", sorted((ROOT / "plugins").glob("*/src/*/claims.yaml")), ids=lambda path: path.parent.name
)
def test_the_readme_of_a_plugin_has_the_claims_table_of_the_committed_boards(path):
    """Write it again with `harness claims`, as that README says."""
    claims = plain_yaml.read(path)["claims"]
    pairs = [pair for claim in claims for pair in claim["pairs"]]
    sides = [side for pair in pairs for side in (pair["one"], pair["other"]) if side != "baseline"]
    suites = {side["suite"] for side in sides}
    boards = [folder for folder in (ROOT / "leaderboards").iterdir() if folder.name.removesuffix(MINI) in suites]
    assert boards
    readme = (path.parents[2] / "README.md").read_text(encoding="utf-8")
    section = readme.partition(BEGIN)[2].partition(END)[0]
    assert section.rstrip().endswith(digests(boards))
    assert section.count("\n| ") == 2 + len(pairs)
