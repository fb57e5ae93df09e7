"""Commands, suites and Python of README and docs are those of the code; docs build without a warning or the network."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec

import pytest

import harness.evaluation
from harness.datasets.manifest import Manifest
from harness.plugins.manager import Plugins
from harness.testing import MovingSquares
from tests.markdown_files import ROOT, blocks, check

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("plugins/*/README.md")),
]
LOADING = {"script", "link", "img", "source", "iframe", "video", "audio", "embed"}
"""Elements of HTML that load what their `src` or `href` names."""


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_code_of_a_page_is_true(path, tmp_path):
    assert not check(path, tmp_path)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("```\nharness run suite.yaml --jbos 3\n```", "No such option: --jbos"),
        ("```bash\npip list && harness rnu suite.yaml\n```", "No such command 'rnu'"),
        ("```\nfor one in a b; do harness show; done\n```", "Missing argument"),
        ("```\nharness run a.yaml --jobs many\n```", "--jobs"),
        ("`harness show KEY --pictuers`", "No such option"),
        ("```yaml\n- run: harness bench gate --bsae main\n```", "No such option"),
        ("```yaml\nmethods: [random_inti]\n```", "random_inti"),
        ("```yaml\nmethods: [sfa]\nevaluatros: [knn]\n```", "evaluatros"),
        ("```yaml\nevaluators: [{name: knn, kk: 3}]\n```", "kk"),
        ("```yaml\npretraining: [{name: ucf101, flod: 1}]\n```", "flod"),
        ("```yaml\nname: a\nmethods: [sfa]\nframes: none\n```", "frames"),
        ("```python\nimport harness\nharness.evalute(1)\n```", "evalute"),
        ("```python\nfrom harness.video import laoder\n```", "laoder"),
        ("```python\nimport harness\nharness.View(frame=3)\n```", "frame"),
    ],
)
def test_a_fault_is_seen(text, fault, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(text)
    (found,) = check(page, tmp_path)
    assert fault in found


@pytest.mark.parametrize(
    "text",
    [
        "```\nharness show 3f2a    # don't\n```",
        "`harness dataset add`, `harness: stopped`, `harness`",
        "```yaml\nlimits: {fit_hours: 12}\n```",
        "```python\nimport nowhere\n\nnowhere.at_all(1)\n```",
        "```text\nharness nonsense\n```",
    ],
)
def test_what_is_right_or_not_ours_has_no_fault(text, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(text)
    assert not check(page, tmp_path)


PYTHON = [
    pytest.param(block.text, id=f"{path.name}:{block.line}")
    for path in sorted(ROOT.glob("docs/**/*.md"))
    for block in blocks(path.read_text(encoding="utf-8"))
    if block.language == "python"
    and path.name != "plugin.md"  # files of a plugin, which `test_docs` runs
    and all(find_spec(name) for name in re.findall(r"^(?:import|from) (\w+)", block.text, flags=re.MULTILINE))
]


@pytest.mark.parametrize("text", PYTHON)
def test_the_python_of_a_page_runs(text, monkeypatch, capsys, tmp_path):
    """On the kit's small data in place of drawn videos; a benchmark once, untimed."""
    monkeypatch.setattr(harness.evaluation, "load_dataset", lambda name, **options: MovingSquares())
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(text, names)
    for name, function in names.items():
        if name.startswith("test_"):
            function(lambda measured, *arguments: measured(*arguments))
    shown = capsys.readouterr().out.startswith("knn top1") or any(name.startswith("test_") for name in names)
    assert shown or [*tmp_path.glob("*.safetensors")]


def test_the_manifest_of_the_page_is_one(tmp_path):
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    (text,) = [block.text for block in blocks(page) if block.text.startswith("path,split,label")]
    (tmp_path / "videos.csv").write_text(text)
    data = Manifest(location=tmp_path / "videos.csv")
    files, classes = data.listed("train")
    assert classes == {"action": ("run", "walk"), "scene": ("park", "street")}
    assert [file.seconds for file in files] == [(0, 4.5), (4.5, 9), None, (12, 15)]
    assert len(data.listed("test")[0]) == 2


class Loads(HTMLParser):
    """Addresses that a page loads from."""

    def __init__(self, text):
        super().__init__()
        self.addresses = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag in LOADING:
            self.addresses += [value for name, value in attrs if name in {"src", "href", "srcset"} and value]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("sphinx")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(ROOT / "docs"), str(folder / "html")]
    command += ["-d", str(folder / "doctrees")]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert outcome.returncode == 0, outcome.stderr
    return folder / "html"


def test_the_pages_load_nothing_from_elsewhere(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 20
    loaded = [address for page in pages for address in Loads(page.read_text(encoding="utf-8")).addresses]
    assert any(address.endswith(".css") or ".css?" in address for address in loaded)
    assert not [address for address in loaded if re.match(r"(\w+:)?//", address)]
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert not re.search(r"""(@import|url\()\s*["']?(https?:)?//""", styles)


def test_the_pages_have_what_is_made_of_the_code(site):
    def words(page):
        return re.sub(r"<[^>]*>", "", (site / f"{page}.html").read_text(encoding="utf-8"))

    assert "harness bench gate [OPTIONS]" in words("reference/command-line")
    assert "--retry-failed" in words("reference/command-line")
    protocols = words("reference/evaluators")
    evaluators = Plugins().evaluators
    assert all(name in protocols for name in evaluators)
    assert evaluators.entry("knn").card.protocol.partition(";")[0] in protocols
    assert all(name in words("reference/python") for name in harness.__all__)
    assert "list of Score" in words("reference/records")
    assert "Hash of all that the split contains: bytes" in words("reference/python/interfaces")
    assert "Banerjee" in words("reference/statistics")
    for name in (path.parent.name for path in ROOT.glob("plugins/*/README.md")):
        assert f"video-harness-{name.replace('_', '-')}" in words(f"papers/{name}")
        assert "made: plugin" not in words(f"papers/{name}")
