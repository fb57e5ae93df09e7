"""`harness doctor`: checks of this environment."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.context import AsJson, Context, print_json, print_table
from harness.system.text import printable

if TYPE_CHECKING:
    from harness.system.child_process import Link

IMPORTED_AS = {
    "mmengine-lite": "mmengine",
    "opencv-contrib-python-headless": "cv2",
    "pillow": "PIL",
    "scikit-learn": "sklearn",
    "torchvision": "harness.backbones._torchvision",  # which makes it fit for a PyTorch without CUDA
    "vl-convert-python": "vl_convert",
}
"""Modules of distributions that are not named like them."""


@dataclass(frozen=True, slots=True)
class Check:
    """Outcome of one check."""

    name: str
    ok: bool
    found: str


def doctor(
    context: typer.Context,
    store: Annotated[
        bool, typer.Option("--store", help="Read everything in the store too, and compare the checksums.")
    ] = False,
    mend: Annotated[
        bool, typer.Option("--mend", help="With --store: set aside what is damaged; `run` computes it again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check plugins, libraries, devices and the store.

    Exits with 1 when something is wrong, as `run` would fail.
    """
    from harness.errors import UsageError

    if mend and not store:
        msg = "--mend sets aside what --store finds damaged; give both"
        raise UsageError(msg)
    options: Context = context.obj
    checks = [*_checks(options, whole_store=store), *(_whole_store(mend=mend) if store else ())]
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        rows: list[tuple[str, ...]] = [("ok" if check.ok else "WRONG", check.name, check.found) for check in checks]
        print_table(("", "check", "found"), rows)
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


def _checks(options: Context, *, whole_store: bool) -> Iterator[Check]:
    yield from _libraries()
    yield _tried("torch", _torch)
    yield _tried("devices", _devices)
    yield _tried("video decoder", _decoder)
    yield _tried("image networks", _networks)
    yield _tried("training loop", _training)
    yield _tried("locations of data sets", _locations)
    yield from _store(runs=not whole_store)
    fatal = dict(_fatal_plugins(options.block))
    for name, death in fatal.items():
        yield Check(f"plugin {name}", False, f"{death} when it was imported; --block {name} leaves it out")
    plugins = replace(options, block=(*options.block, *fatal)).plugins()
    for status in plugins.statuses:
        if status.name in fatal:
            continue
        report = f"{status.error or '; '.join(status.clashes) or status.status}, {status.origin}"
        yield Check(f"plugin {status.name}", not status.complaints, report)
    published, complaints = plugins.published()
    count = sum(map(len, published.values()))
    yield Check("references", not complaints, "; ".join(complaints) or f"{count} published numbers")


def _fatal_plugins(block: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names of plugins that end the process which imports them, and how it ended."""
    from importlib.metadata import entry_points

    from harness.plugins.manager import GROUP
    from harness.system.children import DiedError

    try:
        _import_apart(block, None)
    except DiedError:
        for name in sorted({point.name for point in entry_points(group=GROUP)} - set(block)):
            try:
                _import_apart(block, {name})
            except DiedError as error:
                yield name, str(error)


def _import_apart(block: Sequence[str], only: set[str] | None) -> None:
    """Import plugins in a process of their own.

    Raises:
        DiedError: when that is its end.
    """
    from harness.system.children import Child

    with Child(_import, tuple(block), only, soon=True) as child:
        child.only_answer()


def _import(link: Link, block: tuple[str, ...], only: set[str] | None) -> None:
    from harness.plugins.manager import Plugins

    link.send(len(Plugins(block=block, only=only).statuses))


def _tried(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, True, check())
    except Exception as error:  # any fault is a finding
        return Check(name, False, f"{type(error).__name__}: {error}")


def _torch() -> str:
    import torch

    return f"{torch.__version__}, {torch.get_num_threads()} threads"


def _devices() -> str:
    import torch

    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return ", ".join(["cpu", *names])


def _decoder() -> str:
    from harness.video.decode import decoder

    return decoder()


def _networks() -> str:
    from importlib.metadata import version

    from harness.backbones import _torchvision

    _torchvision.models()
    return f"torchvision {version('torchvision')}"


def _training() -> str:
    from importlib.metadata import version

    from harness.training import loop

    return f"mmengine {version('mmengine-lite')} behind {loop.__name__}"


def _libraries() -> Iterator[Check]:
    """Import every library that video-harness depends on; a check for each fault."""
    from importlib import import_module
    from importlib.metadata import PackageNotFoundError, requires, version

    from packaging.requirements import Requirement

    requirements = [Requirement(one) for one in requires("video-harness") or ()]
    needed = [one for one in requirements if one.marker is None or one.marker.evaluate({"extra": ""})]
    wrong = []
    for requirement in needed:
        name = requirement.name.lower()
        try:
            import_module(IMPORTED_AS.get(name, name.replace("-", "_")))
        except Exception as error:  # any fault of a library is a finding
            missing = isinstance(error, ModuleNotFoundError)
            install = (
                f"pip install {'' if missing else '--force-reinstall '}'{requirement.name}{requirement.specifier}'"
            )
            wrong.append(Check(f"library {name}", False, f"{type(error).__name__}: {error}; {install}"))
            continue
        with suppress(PackageNotFoundError):  # as others than pip name it
            if not requirement.specifier.contains(found := version(name), prereleases=True):
                install = f"pip install '{requirement.name}{requirement.specifier}'"
                wrong.append(Check(f"library {name}", False, f"{found} is installed, which does not work; {install}"))
    yield from wrong or [Check("libraries", True, f"{len(needed)} can be imported, in versions that work")]


def _locations() -> str:
    from harness.datasets.locations import remembered
    from harness.system import paths

    return f"{len(remembered())} in {paths.locations()}"


def _store(*, runs: bool) -> Iterator[Check]:
    """Check that the store can be written, and perhaps that its runs can be read."""
    try:
        from harness.store import faults
        from harness.store.runs import Store
        from harness.system import paths

        home, store = paths.home(), Store(paths.store())
        problem = faults.unusable(home, *faults.folders(store.folder))
        problems = [problem] if problem else store.broken() if runs else []
        count = sum(1 for _ in store.folder.glob("runs/*.json"))
        existing = next(path for path in (home, *home.parents) if path.exists())
        found = f"{home}, {count} runs, {shutil.disk_usage(existing).free / 2**30:.0f} GiB free"
    except Exception as error:  # any fault is a finding
        problems = [f"{type(error).__name__}: {error}"]
    yield from [Check("store", False, problem) for problem in problems] or [Check("store", True, found)]


def _whole_store(*, mend: bool) -> Iterator[Check]:
    from harness.store import check
    from harness.system import paths
    from harness.video import flow_cache

    flows = (check.Stored(path, "flow", flow_cache.damage) for path in sorted(paths.flow().glob("*/*.zip")))
    report = check.check_store(paths.store(), flows)
    for line in report.refused:
        yield Check("store", False, line)
    if mend:
        for done, line in check.mend(paths.store(), report):
            computed = "; `harness run` of its suite computes it again" if done else ""
            yield Check("mended" if done else "store", done, line + computed)
    else:
        for one, problem in report.damaged:
            remedy = "`harness doctor --store --mend` sets it aside, and `harness run` of its suite computes it again"
            yield Check("store", False, f"{printable(str(one.path))}: damaged ({printable(problem)}); {remedy}")
    old = f"; {report.unchecked} of older versions have no checksum" if report.unchecked else ""
    yield Check("checksums", True, f"{report.whole} files and fits are as they were written{old}")
