"""`harness bench`: time of each stage on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.context import AsJson, Context, Verb, print_json, print_table
from harness.cli.dataset import Options, chosen
from harness.cli.gate import gate
from harness.cli.output import write
from harness.system.devices import usable_device

if TYPE_CHECKING:
    from harness.interfaces import Backbone, Dataset
    from harness.profiling.pipeline import Pass, Report

app = typer.Typer(help="Measure speed on this machine.", no_args_is_help=True)


app.command("gate", cls=Verb)(gate)


@app.command(cls=Verb)
def data(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Name of a data set; mocap-actions in mini when left out.")
    ] = None,
    backbone: Annotated[str, typer.Option(help="Name of the backbone that the clips go through.")] = "small_3d",
    changes: Options = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, or auto: a GPU where there is one.")] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Clips at a time.")] = 32,
    batches: Annotated[int, typer.Option(min=1, help="Batches in a pass over the training split.")] = 8,
    features: Annotated[
        bool, typer.Option("--features", help="Also train a linear head on the network's features.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Time decoding, transforming, transfer and network of a clip, and waits for data."""
    import dataclasses

    from harness.profiling import pipeline

    options: Context = context.obj
    plugins = options.plugins()
    settings = chosen(changes)
    if name is None:
        name, settings = "mocap-actions", {"size": "mini", **settings}
    dataset = plugins.datasets.build(name, settings)
    network = plugins.backbones.build(backbone)
    where = usable_device(device)
    report = pipeline.measure(dataset.split("train"), network, device=where, batch_size=batch_size, batches=batches)
    head = _head(dataset, network, where) if features else None
    if as_json:
        document: dict[str, Any] = {"data": name, "backbone": backbone, **dataclasses.asdict(report)}
        document |= {"shares": report.shares, "head": head and dataclasses.asdict(head)}
        print_json(document)
    else:
        _print(report, head)


def _head(dataset: Dataset, network: Backbone, device: str) -> Pass:
    """Train a linear head on the untrained network's features of the training split."""
    from harness.encoders.frozen import CachedEncoder
    from harness.encoders.network import NetworkEncoder
    from harness.errors import DataError
    from harness.profiling.pipeline import train_head

    split = dataset.split("train")
    if not split.classes:
        msg = f"data set {dataset.card.name!r} has no labels, which --features learns"
        raise DataError(msg)
    encoder = NetworkEncoder.of(network.build(seed=0), network)
    features = CachedEncoder(encoder, key="bench", device=device).features(split)
    return train_head(features.vectors, features.labels(next(iter(split.classes))))


def _print(report: Report, head: Pass | None) -> None:
    shares = report.shares
    rows: list[tuple[str, ...]] = [
        (stage, f"{taken:.3f}", f"{100 * shares[stage]:.1f} %") for stage, taken in report.milliseconds.items()
    ]
    total = sum(report.milliseconds.values())
    print_table(("stage", "ms a clip", "share"), [*rows, ("all, one by one", f"{total:.3f}", "100.0 %")])
    write("\n")
    passes = {"first pass": report.first, "later pass": report.later, "linear head": head}
    lines: list[tuple[str, ...]] = [
        (title, str(one.clips), f"{one.clips_per_s:.1f}", f"{100 * one.waiting:.1f} %")
        for title, one in passes.items()
        if one is not None
    ]
    print_table(("pass", "clips", "clips/s", "waiting for data"), lines)
    write("\n")
    if report.frames_per_s:
        write(f"{report.frames_per_s:.0f} frames decoded a second by {report.decode_threads} threads\n")
    write(f"network on {report.device}, in batches of {report.batch_size}\n")
    write(f"processor {report.processor}, {report.threads} threads of torch\n")
