"""Code hashes change when what computes a number does, and with nothing else."""

from __future__ import annotations

import json
import sys
import zipfile

import pytest

import harness
from harness.errors import PluginError
from harness.system import code, source

FILES = {
    "__init__.py": "import os\n",
    "used.py": "from . import deeper\n\ndef f(x: int) -> int:\n    '''Add.'''\n    return x + deeper.VALUE\n",
    "deeper.py": "VALUE = 1\n",
    "late.py": "VALUE = 1\n",
    "unused.py": "VALUE = 1\n",
    "method.py": (
        "from typing import TYPE_CHECKING\nfrom .used import f\nfrom harness import NetworkEncoder\n"
        "if TYPE_CHECKING:\n    from . import unused\n"
        "def g():\n    from code_of_test.late import VALUE\n    return f(VALUE)\n"
    ),
    "by_name.py": "import importlib\n\ndef g(name):\n    return importlib.import_module(name)\n",
    "elsewhere.py": "import helper_of_test\n",
    "card.py": "from harness import MethodCard\nCARD = MethodCard(name='a', summary='one', supervised=False)\n",
    "called.py": "import importlib\n\nVALUE = importlib.import_module('helper_of_test').LIMIT\n",
    "score.py": "class ScoreCard:\n    pass\n\ndef g():\n    return ScoreCard(summary='one')\n",
    "weights/means.json": "[1, 2]",
    "weights/names": "a",
    "weights/.cache/means.json": "[1]",
    "weights/means.json~": "[1]",
    "LICENSE": "text",
    "README.md": "text",
    "suite.yaml": "name: a\nmethods: [b]\nevaluators: [c]\n",
    "claims.yaml": "backbone: a\nclaims:\n- claim: b\n",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "code_of_test"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (tmp_path / "helper_of_test.py").write_text("LIMIT = 3\nTABLE = 'helper_table.csv'\n")
    (tmp_path / "helper_table.csv").write_text("1")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    code._distributions.cache_clear()
    for name in [name for name in sys.modules if name.startswith(("code_of_test", "helper_of_test"))]:
        del sys.modules[name]
    forget()


def forget() -> None:
    for function in (code._closure_hash, code.module_hash, code._file, code._modules, code._data, code._offered):
        function.cache_clear()
    source._read_source.cache_clear()


def fresh_hash(module: str = "method") -> str:
    forget()
    return code.code_hash(f"code_of_test.{module}")


@pytest.mark.parametrize(
    ("file", "old", "new", "changes"),
    [
        ("method.py", "f(VALUE)", "f(VALUE) + 1", True),
        ("used.py", "x +", "x -", True),
        ("deeper.py", "1", "2", True),
        ("late.py", "1", "2", True),
        ("unused.py", "1", "2", False),
        ("by_name.py", "name)", "name + 'x')", False),
        ("__init__.py", "os", "re", True),
        ("weights/means.json", "1", "7", True),
        ("weights/names", "a", "b", True),
        ("weights/.cache/means.json", "1", "2", False),
        ("weights/means.json~", "1", "2", False),
        ("LICENSE", "text", "other", False),
        ("README.md", "text", "other", False),
        ("suite.yaml", "[c]", "[c, d]", False),
        ("claims.yaml", "claim: b", "claim: c", False),
        ("used.py", "Add", "Sum", False),
        ("used.py", "x: int) -> int", "x: float) -> float", False),
        ("used.py", "    return", "    # why\n\n    return", False),
    ],
)
def test_a_change_counts_where_it_computes(package, file, old, new, changes):
    before = fresh_hash()
    text = (package / file).read_text()
    assert old in text
    (package / file).write_text(text.replace(old, new))
    assert (fresh_hash() != before) == changes


def test_all_modules_count_where_one_imports_by_name(package):
    before = fresh_hash("by_name")
    (package / "unused.py").write_text("VALUE = 2\n")
    assert fresh_hash("by_name") != before


def test_a_module_that_is_imported_by_its_name_counts(package):
    before = fresh_hash("called")
    (package.parent / "helper_of_test.py").write_text("LIMIT = 4\n")
    assert fresh_hash("called") != before


def test_only_the_harness_cards_have_words(package):
    before = fresh_hash("score")
    (package / "score.py").write_text(FILES["score.py"].replace("one", "two"))
    assert fresh_hash("score") != before


@pytest.mark.parametrize("text", [b"\xef\xbb\xbfLIMIT = '\xc3\xa9'\n", b"# coding: latin-1\nLIMIT = '\xe9'\n"])
def test_source_is_read_in_its_own_encoding(package, text):
    (package.parent / "helper_of_test.py").write_text("LIMIT = '\xe9'\n", encoding="utf-8")
    plain = fresh_hash("elsewhere")
    (package.parent / "helper_of_test.py").write_bytes(text)
    assert fresh_hash("elsewhere") == plain


def test_code_in_a_zip_file_is_refused(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "zipped.zip", "w") as file:
        file.writestr("zipped_of_test.py", "VALUE = 1\n")
    monkeypatch.syspath_prepend(tmp_path / "zipped.zip")
    forget()
    with pytest.raises(PluginError, match="install it unpacked"):
        code.code_hash("zipped_of_test")


def test_words_of_a_card_do_not_count(package):
    before = fresh_hash("card")
    for old, new, changes in (("'one'", "'two'", False), ("False", "True", True)):
        text = (package / "card.py").read_text()
        (package / "card.py").write_text(text.replace(old, new))
        assert (fresh_hash("card") != before) == changes


@pytest.mark.parametrize(("file", "old", "new"), [("helper_of_test.py", "3", "4"), ("helper_table.csv", "1", "2")])
def test_a_package_that_is_not_installed_counts_by_its_source(package, file, old, new):
    before = fresh_hash("elsewhere")
    text = (package.parent / file).read_text()
    (package.parent / file).write_text(text.replace(old, new))
    assert fresh_hash("elsewhere") != before


@pytest.mark.parametrize(("needs", "changes"), [(False, True), (True, False)])
def test_an_installed_package_counts_by_its_version_unless_the_core_needs_it(package, monkeypatch, needs, changes):
    hashes = set()
    for version in ("1", "2"):
        folder = package.parent / "helper-0.dist-info"
        folder.mkdir(exist_ok=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: helper\nVersion: {version}\n")
        (folder / "RECORD").write_text("helper_of_test.py,,\n")
        forget()
        code._distributions.cache_clear()
        if needs:
            monkeypatch.setattr(code, "_core_needs", lambda: frozenset({"helper"}))
        hashes.add(code.code_hash("code_of_test.elsewhere"))
        (package.parent / "helper_of_test.py").write_text(f"LIMIT = {version}0\n")
    assert (len(hashes) == 2) == changes


@pytest.mark.parametrize(
    "text", ['{"dir_info": {"editable": true}}', '{"url":"file:///x","dir_info":{"editable":true}}']
)
def test_a_package_that_is_worked_on_counts_by_its_source_whoever_installed_it(package, text):
    folder = package.parent / "helper-0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: helper\nVersion: 1\n")
    (folder / "RECORD").write_text("helper_of_test.py,,\n")
    (folder / "direct_url.json").write_text(text)
    code._distributions.cache_clear()
    before = fresh_hash("elsewhere")
    (package.parent / "helper_of_test.py").write_text("LIMIT = 4\n")
    assert fresh_hash("elsewhere") != before


def test_a_half_deleted_distribution_has_no_name(package):
    folder = package.parent / "helper-0.dist-info"
    folder.mkdir()
    (folder / "RECORD").write_text("helper_of_test.py,,\n")
    (folder / "top_level.txt").write_text("helper_of_test\n")
    code._distributions.cache_clear()
    code._core_needs.cache_clear()
    assert {"torch", "numpy", "av"} <= code._core_needs()
    assert fresh_hash("elsewhere")


@pytest.mark.parametrize(
    ("files", "tops"),
    [
        (("one.py", "many/__init__.py", "many/data.json"), {"one", "many"}),
        (("_fast.abi3.so", "deep/_core.abi3.so"), {"_fast", "deep"}),
        (("helper-0.dist-info/RECORD", "numpy.libs/x.abi3.so", "bin/tool", "__pycache__/one.cpython-311.pyc"), set()),
    ],
)
def test_packages_of_a_distribution_that_does_not_list_them(package, files, tops):
    folder = package.parent / "helper-0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: helper\nVersion: 0\n")
    (folder / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    for file in files:
        (package.parent / file).parent.mkdir(exist_ok=True)
        (package.parent / file).touch()
    code._distributions.cache_clear()
    assert {top for top, names in code._distributions().items() if "helper" in names} == tops


def test_sources_beside_their_metadata_are_worked_on(package):
    """As in a checkout that was installed for development, when Python starts in it."""
    folder = package.parent / "helper.egg-info"
    folder.mkdir()
    (folder / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: helper\nVersion: 1\n")
    (folder / "SOURCES.txt").write_text("helper_of_test.py\n")
    (folder / "top_level.txt").write_text("helper_of_test\n")
    code._distributions.cache_clear()
    before = fresh_hash("elsewhere")
    (package.parent / "helper_of_test.py").write_text("LIMIT = 4\n")
    assert fresh_hash("elsewhere") != before


def test_names_of_the_facade_count_by_the_modules_they_come_from():
    offered = code._offered()
    assert offered["NetworkEncoder"] == ["harness.encoders.network"]
    assert set(harness.__all__) <= set(offered)


def test_every_module_of_the_core_makes_numbers_or_is_silent():
    for module in code._modules("harness"):
        parents = {module.rsplit(".", count)[0] for count in range(module.count(".") + 1)} - {"harness"}
        assert module == "harness" or parents & {*code.MEASURING, *code.SILENT}, module
    assert set(code.MEASURING).isdisjoint(code.SILENT)
    assert all(code._file(name) for name in (*code.MEASURING, *code.SILENT))


def test_core_libraries_are_what_the_core_depends_on():
    assert {"torch", "numpy", "av"} <= code._core_needs()
    assert not any(name.startswith("video-harness") for name in code._core_needs())


def test_a_hash_is_of_content_not_of_places():
    assert json.dumps([code.code_hash("harness.values"), code.module_hash("harness.store")]).count("/") == 0
