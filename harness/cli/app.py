"""`harness`: the verbs, and the handling of errors and signals for all of them."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from types import FrameType
from typing import Annotated

import typer

from harness.cli import (
    bench,
    claims,
    compare,
    dataset,
    doctor,
    export,
    fuse,
    gc,
    leaderboard,
    listing,
    merge,
    new,
    pack,
    run,
    runs,
    show,
    site,
    verify,
)
from harness.cli import map as map_verb
from harness.cli.context import Context, Verb
from harness.cli.output import write
from harness.errors import HarnessError
from harness.system import freed_memory
from harness.system.text import without_escapes

app = typer.Typer(
    name="harness",
    help="Benchmark representations learnt from video: methods, backbones, data sets and evaluators are plugins.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run", cls=Verb)(run.run)
app.command("runs", cls=Verb)(runs.runs)
app.command("list", cls=Verb)(listing.listing)
app.command("show", cls=Verb)(show.show)
app.command("compare", cls=Verb)(compare.compare)
app.command("fuse", cls=Verb)(fuse.fuse)
app.command("map", cls=Verb)(map_verb.map_)
app.command("export", cls=Verb)(export.export)
app.command("verify", cls=Verb)(verify.verify)
app.command("leaderboard", cls=Verb)(leaderboard.leaderboard)
app.command("site", cls=Verb)(site.site)
app.command("claims", cls=Verb)(claims.claims)
app.command("pack", cls=Verb)(pack.pack)
app.command("merge", cls=Verb)(merge.merge)
app.command("gc", cls=Verb)(gc.gc)
app.command("doctor", cls=Verb)(doctor.doctor)
app.add_typer(dataset.app, name="dataset")
app.add_typer(bench.app, name="bench")
app.add_typer(new.app, name="new")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        write(f"video-harness {version('video-harness')}\n")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    block: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of a plugin not to load; may be repeated. Also $HARNESS_BLOCK_PLUGINS, separated by commas."
        ),
    ] = None,
    strict_plugins: Annotated[
        bool, typer.Option("--strict-plugins", help="Exit with 3 when a plugin does not load.")
    ] = False,
    traceback: Annotated[bool, typer.Option("--traceback", help="Show where an error came from.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Keep the options before the verb."""
    context.obj = Context(block=tuple(block or ()), strict=strict_plugins)


STOPPING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # Windows has no SIGHUP
"""Signals after which the command ends in order."""


class _Stopped(BaseException):
    """A signal to stop; no Exception, so that it is never taken for a failed cell."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)  # a second one ends the process at once
    raise _Stopped(number)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit.

    Exit codes: 0 done, 1 a cell or check failed, 2 usage, 3 plugin, 4 data, 5 a gate cannot decide,
    128 + the signal's number when stopped.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    # Threads that wait else spin: OpenMP's make small solves 50 times slower beside another busy process, and those of
    # OpenBLAS, of which NumPy and SciPy each have their own, take the processors from each other and from PyTorch.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    for variable, value in freed_memory.kept().items():
        os.environ.setdefault(variable, value)
    for number in STOPPING:
        ignored = signal.getsignal(number) == signal.SIG_IGN
        if not ignored or number in (signal.SIGINT, signal.SIGTERM):  # `nohup` ignores hang-ups
            signal.signal(number, _stop)
    try:
        app(arguments)
    except (HarnessError, OSError, MemoryError) as error:
        if "--traceback" in arguments:
            sys.stderr.write(without_escapes(traceback.format_exc()))
        _complain(" ".join(_words(error).split()))  # a library's message within ours may have lines of its own
        sys.exit(error.exit_code if isinstance(error, HarnessError) else 4)
    except _Stopped as stopped:
        _complain("stopped; what was finished is kept, and the same command goes on from here")
        sys.exit(128 + stopped.number)


def _words(error: Exception) -> str:
    """Message of an error; a fault of the store's disk names the variable to set."""
    if isinstance(error, OSError) and error.filename is not None:
        from harness.store.faults import store_fault
        from harness.system import paths

        with contextlib.suppress(HarnessError):
            return store_fault(error, paths.store()) or str(error)
    return str(error)


def _complain(text: str) -> None:
    from harness.system import progress

    progress.say(f"harness: {text}")
