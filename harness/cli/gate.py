"""`harness bench gate`: two versions compared by benchmarks or scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.context import AsJson, Context, print_json, print_table
from harness.cli.destination import expect_folder

if TYPE_CHECKING:
    from harness.gate.comparison import GateReport
    from harness.gate.settings import GateSettings


def gate(
    context: typer.Context,
    benchmarks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[BENCHMARKS]...",
            help="Files or folders of the repository, or names that plugins registered; else those of pyproject.toml.",
        ),
    ] = None,
    base: Annotated[str, typer.Option(metavar="REF", help="Commit, branch or tag to compare with.")] = "",
    head: Annotated[str, typer.Option(metavar="REF", help="What is judged; the working tree by default.")] = "",
    keyword: Annotated[str, typer.Option("-k", metavar="EXPRESSION", help="Choose benchmarks as pytest's -k.")] = "",
    bound: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=SHARE", help="Growth that is allowed, of `time` or a counter: time=0.05."),
    ] = None,
    passes: Annotated[
        int, typer.Option(min=1, help="Most passes, of five blocks each; a pass starts both sides anew.")
    ] = 8,
    instructions: Annotated[
        bool, typer.Option("--instructions", help="Also count instructions under Valgrind, which takes minutes.")
    ] = False,
    scores: Annotated[
        str | None, typer.Option(metavar="SUITE", help="Compare the scores of a suite in place of benchmarks.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for reports in all formats, with a history.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two versions of the repository here.

    Each is installed in an environment of its own.

    Counters decide first, which do not vary: operators, synchronisations, FLOPs, frames decoded, bytes read, memory.
    Times decide by an interval of their ratio, from blocks in random order.

    Exits with 1 when the head is slower, counts more or has other scores, and with 5 when nothing can be decided: the
    times are too noisy, a version cannot be installed, or the base does not run.
    """
    from harness.errors import UsageError
    from harness.gate.checkouts import repository
    from harness.gate.comparison import EXIT_CODES
    from harness.gate.gate import both_versions, run_gate, run_score_gate
    from harness.gate.measuring import PASSES
    from harness.gate.report_folder import write_reports
    from harness.gate.settings import gate_settings
    from harness.system import paths

    if not base:
        msg = "--base REF is missing: the commit, branch or tag to compare with, such as origin/main"
        raise UsageError(msg)
    if scores is not None and (benchmarks or keyword or bound or instructions or passes != PASSES):
        msg = "--scores stands in place of benchmarks: not beside their names, -k, --bound, --passes or --instructions"
        raise UsageError(msg)
    if output is not None:
        expect_folder("-o", output)
    root, cache = repository(Path.cwd()), (paths.home() / "gate").resolve()
    sides = both_versions(root, base, head, cache, [paths.home(), *([output] if output else [])])
    here = Path.cwd().resolve()
    settings = gate_settings(sides[1].folder, str(here.relative_to(root)) if here.is_relative_to(root) else "")
    if scores is not None:
        report = run_score_gate(sides, settings, scores, cache=cache)
    else:
        settings, folders = _chosen(context.obj, settings, benchmarks or [], sides[1].folder)
        settings = settings.model_copy(update={"bounds": {**settings.bounds, **_bounds(bound or [])}})
        report = run_gate(
            sides,
            settings,
            cache=cache,
            keyword=keyword,
            passes=passes,
            instructions=instructions,
            plugin_folders=folders,
        )
    if output is not None:
        write_reports(output, report)
    _print(report, as_json=as_json)
    if code := EXIT_CODES[report.outcome]:
        raise typer.Exit(code)


def _chosen(
    options: Context, settings: GateSettings, benchmarks: list[str], sources: Path
) -> tuple[GateSettings, list[Path]]:
    """Tell paths in the head's sources from names that plugins registered."""
    if not benchmarks:
        return settings, []
    paths = [one for one in benchmarks if (sources / one).exists()]
    names = [one for one in benchmarks if one not in paths]
    folders = []
    if names:
        registry = options.plugins().benchmarks
        folders = [registry.folder(name) for name in names]
    return settings.model_copy(update={"benchmarks": tuple(paths)}), folders


def _bounds(texts: list[str]) -> dict[str, float]:
    from harness.errors import UsageError

    bounds = {}
    for text in texts:
        name, _, share = text.partition("=")
        try:
            bounds[name] = float(share)
            usable = bool(name) and 0 <= bounds[name] < float("inf")
        except ValueError:
            usable = False
        if not usable:
            msg = f"--bound {text}: expected NAME=SHARE with a share of at least 0, such as time=0.05"
            raise UsageError(msg)
    return bounds


def _print(report: GateReport, *, as_json: bool) -> None:
    from harness.gate.machine_readable import gate_document
    from harness.gate.summary import HEADER, headline, rows
    from harness.system import progress

    if as_json:
        print_json(gate_document(report))
    else:
        print_table(HEADER, rows(report))
    for warning in report.noise:
        progress.say(f"times vary here: {warning}")
    progress.say(headline(report))
