"""Loading plugins: isolation, clashes, blocking, hooks that raise."""

from __future__ import annotations

import re
import sys
import types
from importlib.metadata import EntryPoint, PathDistribution
from types import SimpleNamespace

import pytest

from harness import API_VERSION, hookimpl
from harness.cards import MethodCard
from harness.errors import PluginError, UsageError
from harness.plugins import hookspecs
from harness.plugins.manager import Plugins
from harness.plugins.registry import Registry

CARD = MethodCard(name="new", summary="New.")


@pytest.fixture
def install(monkeypatch):
    """Make a module importable for one test and return its entry point."""

    def install(name: str, **content: object) -> EntryPoint:
        module = types.ModuleType(f"plugin_{name}")
        for key, value in content.items():
            setattr(module, key, value)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return EntryPoint(name, module.__name__, "harness")

    return install


def methods(*cards, error=None):
    @hookimpl
    def harness_methods(registry: Registry) -> None:
        for card in cards:
            registry.register(card, "somewhere:Class")
        if error is not None:
            raise error

    return harness_methods


def status(plugins: Plugins, name: str):
    (found,) = [status for status in plugins.statuses if status.name == name]
    return found


def test_builtins_come_through_the_same_hooks():
    plugins = Plugins(points=[])
    (builtin,) = plugins.statuses
    assert builtin.status == "loaded"
    assert "supervised" in builtin.registered["methods"]
    assert set(plugins.methods) == set(builtin.registered["methods"])


def test_a_plugin_registers(install):
    plugins = Plugins(points=[install("good", harness_methods=methods(CARD))])
    assert status(plugins, "good").registered["methods"] == ("new",)
    assert "new" in plugins.methods


@pytest.mark.parametrize("error", [RuntimeError("half way"), SystemExit(7)])
def test_a_plugin_that_fails_half_way_leaves_nothing(install, error):
    plugins = Plugins(points=[install("bad", harness_methods=methods(CARD, error=error)), install("other")])
    assert status(plugins, "bad").status == "failed"
    assert type(error).__name__ in status(plugins, "bad").complaints[0]
    assert "new" not in plugins.methods
    assert status(plugins, "other").status == "loaded"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            API_VERSION + 1,
            f"it requires HARNESS_API {API_VERSION + 1}, this .* has {API_VERSION}; upgrade video-harness",
        ),
        (API_VERSION - 1, f"it requires HARNESS_API {API_VERSION - 1}, .*; upgrade the plugin"),
        ("1\n", r"expected HARNESS_API to be a whole number, got '1\\n'; correct the plugin"),
    ],
)
def test_a_plugin_for_another_api_is_one_line_and_nothing_else(install, wanted, message):
    other = MethodCard(name="other", summary="Other.")
    points = [
        install("bad", HARNESS_API=wanted, harness_methods=methods(CARD)),
        install("good", harness_methods=methods(other)),
    ]
    plugins = Plugins(points=points)
    (complaint,) = plugins.complaints
    assert re.fullmatch(f"plugin 'bad' of .* failed: {message} \\(--block bad silences this\\)", complaint)
    assert "new" not in plugins.methods
    assert "other" in plugins.methods
    with pytest.raises(PluginError, match=message):
        Plugins(points=points, strict=True)


def test_a_plugin_for_this_api_is_loaded(install):
    plugins = Plugins(points=[install("good", HARNESS_API=API_VERSION, harness_methods=methods(CARD))])
    assert not plugins.complaints
    assert "new" in plugins.methods


def test_a_plugin_that_cannot_be_imported(tmp_path, monkeypatch):
    (tmp_path / "plugin_exits.py").write_text("import sys\nsys.exit(7)\n")
    (tmp_path / "plugin_broken.py").write_text("import a_module_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugins = Plugins(points=[EntryPoint(n, f"plugin_{n}", "harness") for n in ("exits", "broken", "missing")])
    assert {s.name for s in plugins.failed} == {"exits", "broken", "missing"}
    assert "SystemExit: 7" in status(plugins, "exits").error
    (complaint,) = status(plugins, "broken").complaints
    assert "a_module_nobody_has" in complaint
    assert "\n" not in complaint


def test_interrupting_an_import_interrupts(tmp_path, monkeypatch):
    (tmp_path / "plugin_interrupted.py").write_text("raise KeyboardInterrupt\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        Plugins(points=[EntryPoint("interrupted", "plugin_interrupted", "harness")])


def test_two_plugins_registering_one_name(install):
    first, second, third = (
        install(name, harness_methods=methods(CARD, MethodCard(name=f"only_{name}", summary="Own.")))
        for name in ("first", "second", "third")
    )
    plugins = Plugins(points=[second, first])
    assert plugins.failed == []
    (complaint,) = plugins.complaints
    assert complaint == (
        "method 'new' is registered by both first and second, so that it is neither's; "
        "uninstall one of them, or leave it out: --block first or --block second"
    )
    assert {"only_first", "only_second"} < set(plugins.methods)
    assert "new" not in list(plugins.methods)
    with pytest.raises(PluginError, match="'new' is registered by both first and second"):
        plugins.methods.build("new")
    assert Plugins(points=[second, first], block=["second"]).methods.entry("new").origin.plugin == "first"
    assert "first and second and third" in Plugins(points=[second, first, third]).complaints[-1]
    with pytest.raises(PluginError, match="'new' is registered by both"):
        Plugins(points=[second, first], strict=True)


def test_a_plugin_that_takes_a_builtin_name_keeps_its_others(install):
    taken = install("taker", harness_methods=methods(MethodCard(name="supervised", summary="Taken."), CARD))
    plugins = Plugins(points=[taken])
    assert "new" in plugins.methods
    with pytest.raises(PluginError, match=r"registered by both builtin and taker.* out: --block taker$"):
        plugins.methods.entry("supervised")


def test_a_plugin_that_fails_after_a_clash_leaves_the_name_to_the_other(install):
    first = install("first", harness_methods=methods(CARD))
    second = install("second", harness_methods=methods(CARD, error=RuntimeError("half way")))
    plugins = Plugins(points=[first, second])
    assert plugins.methods.entry("new").origin.plugin == "first"
    assert [status.name for status in plugins.failed] == ["second"]


def test_two_distributions_with_one_plugin_name(install, monkeypatch):
    @hookimpl
    def harness_run_started(cell):
        raise RuntimeError

    names = "one", "two"
    points = []
    for name in names:
        hook = methods(MethodCard(name=name, summary="Own."))
        install(name, harness_methods=hook, harness_run_started=harness_run_started)
        distribution = SimpleNamespace(metadata={"Name": f"harness-{name}"}, version="1.0")
        points.append(EntryPoint("same", f"plugin_{name}", "harness")._for(distribution))
    plugins = Plugins(points=points)
    assert plugins.complaints == []
    assert {*names} < set(plugins.methods)
    assert [line.partition(" failed")[0] for line in plugins.run_started(None)] == [
        f"plugin 'same' of harness-{name} 1.0" for name in names
    ]
    assert not {*names} & set(Plugins(points=points, block=["same"]).methods)


def test_a_plugin_whose_metadata_are_half_deleted_is_named_by_itself(install, tmp_path):
    folder = tmp_path / "rest-1.0.dist-info"
    folder.mkdir()
    rest = install("rest", harness_methods=methods(CARD))._for(PathDistribution(folder))
    plugins = Plugins(points=[rest, install("bad", harness_methods=methods(error=RuntimeError("no")))])
    assert status(plugins, "rest").status == "loaded"
    assert str(plugins.methods.entry("new").origin) == "rest"
    assert plugins.versions == {}


def test_strict_raises(install):
    with pytest.raises(PluginError, match="bad"):
        Plugins(points=[install("bad", harness_methods=methods(error=RuntimeError("no")))], strict=True)


def test_blocked_plugins_are_not_imported(monkeypatch):
    point = EntryPoint("blocked", "plugin_that_does_not_exist", "harness")
    assert status(Plugins(points=[point], block=["blocked"]), "blocked").status == "blocked"
    monkeypatch.setenv("HARNESS_BLOCK_PLUGINS", "x, blocked ,,")
    plugins = Plugins(points=[point])
    assert status(plugins, "blocked").status == "blocked"
    assert plugins.complaints == ["nothing to block: unknown plugin 'x'; known: blocked"]
    monkeypatch.delenv("HARNESS_BLOCK_PLUGINS")
    plugins = Plugins(points=[point], block=["blocked, blokced"])
    assert plugins.complaints == ["nothing to block: unknown plugin 'blokced'; did you mean 'blocked'?"]
    assert status(plugins, "blocked").status == "blocked"


def test_misspelled_hook_and_argument_are_refused(install):
    @hookimpl
    def harness_method(registry):
        pass

    @hookimpl
    def harness_methods(registrie):
        pass

    plugins = Plugins(
        points=[install("hook", harness_method=harness_method), install("arg", harness_methods=harness_methods)]
    )
    assert "harness_method" in status(plugins, "hook").error
    assert "registrie" in status(plugins, "arg").error


def test_a_misspelled_hook_does_not_spoil_the_next_plugin(install):
    @hookimpl
    def harness_method(registry):
        pass

    bad, good = install("a_bad", harness_method=harness_method), install("b_good", harness_methods=methods(CARD))
    plugins = Plugins(points=[bad, good])
    assert status(plugins, "b_good").status == "loaded"


def test_a_hook_that_raises_does_not_stop_the_others(install):
    heard = []

    @hookimpl
    def harness_run_started(cell):
        heard.append(cell)

    def raising():
        @hookimpl(specname="harness_run_started")
        def raises(cell):
            msg = "deaf"
            raise RuntimeError(msg)

        return raises

    plugins = Plugins(
        points=[install("deaf", raises=raising()), install("good", harness_run_started=harness_run_started)]
    )
    complaints = plugins.run_started("cell")
    assert heard == ["cell"]
    assert len(complaints) == 1
    assert "'deaf'" in complaints[0]


@pytest.fixture
def numbers(install, tmp_path, monkeypatch):
    """A plugin with a file of references, of the content given."""
    monkeypatch.syspath_prepend(tmp_path)

    def numbers(name, content):
        package = tmp_path / f"{name}_data"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "references.yaml").write_bytes(content)

        @hookimpl
        def harness_references(registry):
            registry.register(name, f"{name}_data:references.yaml")

        return install(name, harness_references=harness_references, harness_methods=methods(CARD))

    return numbers


NUMBERS = b"""
paper: {title: A paper, authors: Somebody, year: 2019, venue: CVIU}
groups: [{table: Table 1, evaluator: knn, data: ucf101, metric: top1, pretraining: none,
          numbers: [{method: One, value: 1.5}, {method: Two, value: 2}]}]
"""


def test_references_are_read_when_asked_for(numbers):
    plugins = Plugins(points=[numbers("good", NUMBERS)])
    assert status(plugins, "good").registered["references"] == ("good",)
    published, complaints = plugins.published()
    assert [(one.method, one.value) for one in published["good"]] == [("One", 1.5), ("Two", 2.0)]
    assert complaints == []


@pytest.mark.parametrize("content", [b"paper: [", b"\xff", b"paper: {}", b"", b"paper: !!python/object:os.system {}"])
def test_a_broken_file_of_references_is_a_line_and_its_plugin_works(numbers, content):
    points = [numbers("bad", content)]
    plugins = Plugins(points=points)
    published, (complaint,) = plugins.published()
    assert published == {}
    assert complaint.startswith("references 'bad' of bad: ")
    assert complaint.endswith("(--block bad silences this)")
    assert "\n" not in complaint
    assert "new" in plugins.methods
    with pytest.raises(PluginError, match="references 'bad'"):
        Plugins(points=points, strict=True)


def test_one_broken_file_of_references_leaves_the_others(numbers, install):
    @hookimpl
    def harness_references(registry):
        registry.register("nowhere", "no_such_package:references.yaml")

    gone = install("gone", harness_references=harness_references)
    second = numbers("second", NUMBERS.replace(b"One", b"Uno"))
    plugins = Plugins(points=[gone, second])
    published, (complaint,) = plugins.published()
    assert [one.method for one in published["second"]] == ["Uno", "Two"]
    assert "references 'nowhere' of gone: no_such_package:references.yaml cannot be read" in complaint


def test_a_plugin_ships_benchmarks_in_a_folder_of_its_package(install, tmp_path, monkeypatch):
    package = tmp_path / "speedy"
    (package / "speed").mkdir(parents=True)
    (package / "__init__.py").touch()
    (tmp_path / "broken_package").mkdir()
    (tmp_path / "broken_package" / "__init__.py").write_text("raise RuntimeError('no licence')\n")
    monkeypatch.syspath_prepend(tmp_path)

    @hookimpl
    def harness_benchmarks(registry):
        registry.register("speedy", "speedy:speed")
        registry.register("moved", "speedy:nowhere")
        registry.register("gone", "no_such_package:speed")
        registry.register("broken", "broken_package:speed")

    plugins = Plugins(points=[install("speedy", harness_benchmarks=harness_benchmarks)])
    assert status(plugins, "speedy").registered["benchmarks"] == ("broken", "gone", "moved", "speedy")
    assert plugins.benchmarks.folder("speedy") == package / "speed"
    with pytest.raises(PluginError, match="'moved' of speedy: expected a folder of the package at speedy:nowhere"):
        plugins.benchmarks.folder("moved")
    with pytest.raises(
        PluginError, match="'gone' of speedy: no_such_package:speed cannot be read: ModuleNotFoundError: No module"
    ):
        plugins.benchmarks.folder("gone")
    with pytest.raises(
        PluginError, match="'broken' of speedy: broken_package:speed cannot be read: RuntimeError: no licence"
    ):
        plugins.benchmarks.folder("broken")
    with pytest.raises(UsageError, match="did you mean 'speedy'"):
        plugins.benchmarks.folder("speed")


def test_every_hook_is_documented():
    hooks = [value for name, value in vars(hookspecs).items() if name.startswith("harness_")]
    assert len(hooks) == 9
    for hook in hooks:
        assert "alled " in hook.__doc__, f"{hook.__name__} does not say when it is called"
        arguments = hook.__code__.co_varnames[: hook.__code__.co_argcount]
        assert all(f":param {argument}:" in hook.__doc__ for argument in arguments)
