"""Evaluate an encoder from Python, without a plugin, a suite or a store."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from harness.encoders.frozen import CachedEncoder
from harness.encoders.network import NetworkEncoder
from harness.errors import UsageError, out_of_memory
from harness.execution.units import measured
from harness.plugins.manager import Plugins
from harness.store.choices import parse_choice
from harness.system.devices import usable_device
from harness.system.text import printable

if TYPE_CHECKING:
    from torch import nn

    from harness.interfaces import Dataset, Encoder
    from harness.store.choices import Choice
    from harness.values import Evaluation, Inputs

Written = str | Mapping[str, Any]
"""A registered name, or a mapping with `name` and its options, as suites write it."""


def load_dataset(name: str, **options: Any) -> Dataset:
    """Build an installed data set.

    >>> load_dataset("mocap-actions", size="mini").card.labels
    ('action', 'scene')

    Args:
        name: that `harness list datasets` shows.
        options: its own and those of every data set, such as `fold` or `subset`.

    Raises:
        UsageError: when the name or an option is unknown or wrong.
        PluginError: when its class cannot be imported.
    """
    return Plugins().datasets.build(name, options)


def evaluate(
    encoder: nn.Module | Encoder,
    data: Written | Dataset,
    evaluators: Sequence[Written],
    *,
    inputs: Inputs | Mapping[str, Inputs] | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> dict[str, Evaluation]:
    """Measure an encoder by evaluators, which share its features.

    >>> import harness
    >>> from torch import nn
    >>> from harness.testing import MovingSquares
    >>> network = nn.Sequential(nn.AdaptiveAvgPool3d((2, 4, 4)), nn.Flatten())
    >>> inputs = harness.Inputs(view=harness.View(frames=8, size=32))
    >>> scores = evaluate(network, MovingSquares(), ["knn", {"name": "linear_probe"}], inputs=inputs)
    >>> list(scores), scores["knn"].scores[0].metric
    (['knn', 'linear_probe'], 'top1')

    Args:
        encoder: a network that gives vectors (B, dim) of normalised clips (B, C, T, H, W), or an encoder. Of a network
            a copy is measured, at the cost of its weights in memory a second time, so that training can go on.
        data: a registered data set, or one of your own.
        evaluators: registered ones, with their options. Features that they share stay in memory until the last.
        inputs: how pixels become the network's input; of a network only.
        seed: of the evaluators, from 0 on.
        device: where it computes: `cpu`, `cuda`, `cuda:N`, or `auto`, a GPU where there is one.

    Returns:
        The evaluation of each evaluator by its name and options.

    Raises:
        UsageError: when a name, an option or the seed is unknown or wrong, a network comes without inputs or an encoder
            with some, the network gives no vectors, the device is not here, or the encoder has not what an evaluator
            needs.
        DataError: when data cannot be read, or cannot carry the protocol.
        HarnessError: when an evaluator changes the encoder, or gives a score that is not finite.
    """
    if isinstance(evaluators, str):
        msg = f"expected a list of evaluators, got {evaluators!r}; write [{evaluators!r}]"
        raise UsageError(msg)
    if seed < 0:
        msg = f"expected a seed from 0 on, got {seed}"
        raise UsageError(msg)
    device = usable_device(str(device))
    plugins = Plugins()
    frozen = _encoder(encoder, inputs)
    chosen = [_choice(evaluator) for evaluator in evaluators]
    built = {choice.label: plugins.evaluators.build(choice.name, choice.options) for choice in chosen}
    for label, evaluator in built.items():
        if missing := evaluator.card.needs - frozen.promise.offers:
            msg = f"evaluator {label!r} needs {', '.join(sorted(missing))} of an encoder, which this one does not offer"
            raise UsageError(msg)
    cached = CachedEncoder(frozen, key="evaluated", device=device)
    dataset = _dataset(data, plugins)
    return {label: measured(evaluator, cached, [frozen], dataset, seed=seed) for label, evaluator in built.items()}


def _choice(written: Written) -> Choice:
    try:
        return parse_choice(written)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _dataset(data: Written | Dataset, plugins: Plugins) -> Dataset:
    if isinstance(data, str | Mapping):
        choice = _choice(data)
        return plugins.datasets.build(choice.name, choice.options)
    return data


def _encoder(encoder: nn.Module | Encoder, inputs: Inputs | Mapping[str, Inputs] | None) -> Encoder:
    from torch import nn

    if not isinstance(encoder, nn.Module):
        if inputs is not None:
            name = type(encoder).__name__
            msg = f"{name} is an encoder with inputs of its own; leave inputs= out, or give its network"
            raise UsageError(msg)
        return encoder
    if inputs is None:
        msg = "a network needs inputs=harness.Inputs(view=...): how pixels become its input"
        raise UsageError(msg)
    try:
        own = copy.deepcopy(encoder)  # freezing and moving it would end the caller's training
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:
        if out_of_memory(error):
            raise
        msg = (
            f"{type(encoder).__name__} cannot be copied ({printable(str(error))}); "
            "give harness.NetworkEncoder(network, inputs) of a network that is yours to give away"
        )
        raise UsageError(msg) from error
    return cast("Encoder", NetworkEncoder(own, inputs))
