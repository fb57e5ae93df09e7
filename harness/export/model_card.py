"""Model card of an exported encoder, as the Hugging Face Hub reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import metadata
from typing import TYPE_CHECKING

from harness.cards import Card, Metric
from harness.errors import UsageError
from harness.export.record import NAME, ExportedEncoder
from harness.store.choices import share_of
from harness.suites.references import URL
from harness.system.text import code, markdown

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

    from harness.plugins.manager import Plugins
    from harness.store.records import Run
    from harness.values import ComputePrecision

_LIBRARY = "video-harness"
_HUB_LICENCES = {"Apache-2.0": "apache-2.0", "BSD-3-Clause": "bsd-3-clause", "MIT": "mit"}
"""Names of the Hub for licences of cards."""


def expect_hub() -> None:
    """Expect the package that writes model cards.

    Raises:
        UsageError: when it is not installed.
    """
    try:
        metadata.version("huggingface_hub")
    except metadata.PackageNotFoundError:
        msg = "a model card needs huggingface_hub: pip install 'video-harness[hub]'"
        raise UsageError(msg) from None


def model_card(
    record: ExportedEncoder, runs: Sequence[Run], plugins: Plugins, example: str, precision: ComputePrecision
) -> str:
    """Write the model card: the Hub's metadata, then text for people.

    Args:
        record: of the encoder.
        runs: all that measured it, each with its scores.
        plugins: have the cards of what it was made with.
        example: Python that runs the network; empty for none.
        precision: that the encoder computes in, which can be its own.
    """
    from huggingface_hub import ModelCard, ModelCardData

    cards = list(cards_of(record, plugins))
    licence = hub_licence(cards)
    data = ModelCardData(
        model_name=_name(record),
        license=licence,
        license_name="see the text" if licence == "other" else None,
        library_name=_LIBRARY,
        pipeline_tag="video-classification",
        tags=["video", "representation-learning", record.method.name],
        datasets=[record.pretraining.name] if record.pretraining else None,
        eval_results=list(_results(runs, plugins)) or None,
    )
    blocks = [f"# {markdown(_name(record))}", *_description(record, cards, precision), *_use(example)]
    blocks += _scores(runs, plugins)
    blocks += ["## Provenance", *_provenance(record)]
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(blocks) + "\n"))


def _name(record: ExportedEncoder) -> str:
    built = [record.method.label] if record.backbone is None else [record.method.label, record.backbone.label]
    return " / ".join(built)


def hub_licence(cards: Sequence[Card]) -> str:
    """The Hub's name of the licence that all cards have; `other` where they differ."""
    licences = {card.licence for card in cards}
    return _HUB_LICENCES.get(licences.pop(), "other") if len(licences) == 1 else "other"


def cards_of(record: ExportedEncoder, plugins: Plugins) -> Iterator[Card]:
    """Cards of what an encoder was made with, the method's first."""
    yield plugins.methods.entry(record.method.name).card
    if record.backbone:
        yield plugins.backbones.entry(record.backbone.name).card
    if record.pretraining:
        yield plugins.datasets.entry(record.pretraining.name).card


def _results(runs: Sequence[Run], plugins: Plugins) -> Iterator[EvalResult]:
    """Scores in the Hub's terms, each metric of each run."""
    from huggingface_hub import EvalResult

    for run in runs:
        data, evaluator = run.identity.data, run.identity.evaluator
        for metric, value, _ in _measured(run, plugins):
            yield EvalResult(
                task_type="video-classification",
                task_name="Video classification",
                dataset_type=data.name,
                dataset_name=data.label,
                dataset_config=data.label,
                dataset_split="test",
                metric_type=metric.id,
                metric_name=f"{evaluator.label}: {_heading(metric)}",
                metric_value=value,
                metric_args={"run": run.key, "protocol": run.protocol_id, "seed": run.identity.seed},
            )


def _measured(run: Run, plugins: Plugins) -> Iterator[tuple[Metric, float, float | None]]:
    """Metric, score and chance, percent where the metric is shown so."""
    metrics = {metric.id: metric for metric in plugins.evaluators.entry(run.identity.evaluator.name).card.metrics}
    for score in run.scores:
        metric = metrics.get(score.metric)
        if metric is not None:
            scale = 100 if metric.unit == "%" else 1
            yield metric, scale * score.value, None if score.baseline is None else scale * score.baseline


def _heading(metric: Metric) -> str:
    return metric.title if metric.unit == "1" else f"{metric.title}, {metric.unit}"


def _link(url: str) -> str:
    return f"<{url}>" if URL.fullmatch(url) else markdown(url)


def _description(record: ExportedEncoder, cards: Sequence[Card], precision: ComputePrecision) -> Iterator[str]:
    method = cards[0]
    learnt = f" from {code(record.pretraining.label)}" if record.pretraining else ""
    of = "" if (share := share_of(record.method)) is None else f"{share} % of "
    budget = f", {of}{record.frames:,} frames" if record.frames else ""
    labels = "It read labels." if record.supervised else "It read no labels."
    if record.starts:
        labels += f" Its network started from {markdown('; '.join(map(str, record.starts)))}."
    computed = "" if record.precision == "fp32" else f" Its network was fitted in {record.precision}."
    computed += "" if precision == "fp32" else f" It encodes in {precision}."
    sees = f"It sees {markdown(record.sees)}."
    yield f"{markdown(method.summary)} Seed {record.seed}{learnt}{budget}. {labels} {sees}{computed}"
    for card in cards:
        if card.paper:
            paper = card.paper
            cited = f"{paper.authors}: {paper.title}. {paper.venue} {paper.year}"
            yield f"{markdown(card.name)}: {markdown(cited)}{f', {_link(paper.url)}' if paper.url else ''}."
    yield "Licences: " + "; ".join(f"{markdown(card.name)}: {markdown(card.licence)}" for card in cards) + "."


def _use(example: str) -> Iterator[str]:
    yield "## Use"
    if example:
        yield f"Without video-harness, in this folder:\n\n```python\n{example}```"
    loading = "encoder = harness.load_encoder(FOLDER)  # encoder.encode(harness.VideoBatch(clips))"
    yield f"With video-harness, from the saved weights and `{NAME}`:\n\n```python\nimport harness\n\n{loading}\n```"


def _scores(runs: Sequence[Run], plugins: Plugins) -> Iterator[str]:
    lines = ["| evaluator | data | metric | value | chance | run |", "| :-- | :-- | :-- | --: | --: | :-- |"]
    for run in runs:
        names = f"| {markdown(run.identity.evaluator.label)} | {markdown(run.identity.data.label)}"
        for metric, value, chance in _measured(run, plugins):
            known = "" if chance is None else f"{chance:.2f}"
            lines.append(f"{names} | {markdown(_heading(metric))} | {value:.2f} | {known} | `{run.key}` |")
    if len(lines) > 2:
        yield "## Scores on test"
        yield "\n".join(lines)


def _provenance(record: ExportedEncoder) -> Iterator[str]:
    made = record.provenance
    libraries = ", ".join(f"{name} {version}" for name, version in made.get("libraries", {}).items())
    commit = f"commit {made['commit']}, " if made.get("commit") else ""
    where = markdown(f"{commit}{libraries}, on {made.get('hardware', 'unknown hardware')}")
    yield f"Fit `{record.key}`, measured with {where}."
