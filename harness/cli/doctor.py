"""`harness doctor`: checks of this environment."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import typer

from harness.cli.context import AsJson, Context, print_json, print_table


@dataclass(frozen=True, slots=True)
class Check:
    """Outcome of one check."""

    name: str
    ok: bool
    found: str


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Check plugins, libraries, devices and the store.

    Exits with 1 when something is wrong.
    """
    options: Context = context.obj
    checks = list(_checks(options))
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        rows: list[tuple[str, ...]] = [("ok" if check.ok else "WRONG", check.name, check.found) for check in checks]
        print_table(("", "check", "found"), rows)
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


def _checks(options: Context) -> Iterator[Check]:
    yield _tried("torch", _torch)
    yield _tried("devices", _devices)
    yield _tried("video decoder", _decoder)
    yield _tried("image networks", _networks)
    yield _tried("training loop", _training)
    yield _tried("store", _store)
    plugins = options.plugins()
    for status in plugins.statuses:
        report = f"{status.error or status.status}, {status.origin}"
        yield Check(f"plugin {status.name}", status.status != "failed", report)
    published, complaints = plugins.published()
    count = sum(map(len, published.values()))
    yield Check("references", not complaints, "; ".join(complaints) or f"{count} published numbers")


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
    import mmengine

    from harness.training import loop

    return f"mmengine {mmengine.__version__} behind {loop.__name__}"


def _store() -> str:
    from harness.errors import DataError
    from harness.store.runs import Store
    from harness.system import paths

    folder = paths.home()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    store = Store(paths.store())
    broken = store.broken()
    if broken:
        raise DataError("; ".join(broken))
    free = shutil.disk_usage(existing).free / 2**30
    return f"{folder}, {sum(1 for _ in store)} runs, {free:.0f} GiB free"
