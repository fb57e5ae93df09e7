"""Data sets and splits of a suite, each built and read once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import contract_of
from harness.interfaces import Prepared
from harness.store.choices import Choice

if TYPE_CHECKING:
    from harness.interfaces import Dataset, Split
    from harness.plugins.manager import Plugins


class DataSources:
    """Data sets by name and options.

    Args:
        plugins: where names are looked up.
        locations: folders of data sets, and files of weights, by name; data sets that are not there look for
            themselves.
    """

    def __init__(self, plugins: Plugins, locations: Mapping[str, Path] | None = None) -> None:
        self._plugins = plugins
        self.locations: Mapping[str, Path] = locations or {}
        self._datasets: dict[str, Dataset] = {}
        self._splits: dict[tuple[str, str], Split] = {}
        self._unlabelled: dict[str, Split] = {}

    def dataset(self, choice: Choice) -> Dataset:
        """The data set, built once.

        Raises:
            UsageError: when it is not installed, or an option of it is wrong.
        """
        if choice.model_dump_json() not in self._datasets:
            self._datasets[choice.model_dump_json()] = self._plugins.datasets.build(
                choice.name, choice.options, locations=self.locations
            )
        return self._datasets[choice.model_dump_json()]

    def kind(self, choice: Choice) -> type[Dataset]:
        """Class of a data set; its code is part of every key of the data."""
        return self._plugins.datasets.load(choice.name)

    def kinds(self, choice: Choice) -> list[type[Dataset]]:
        """Classes of a data set, and of those that it is made of."""
        registry = self._plugins.datasets
        parts = registry.parts(choice.name, registry.completed(choice.name, choice.options))
        others = [kind for name, options in parts for kind in self.kinds(Choice(name=name, options=dict(options)))]
        return [self.kind(choice), *others]

    def split(self, choice: Choice, name: str) -> Split:
        """A split, read once.

        Raises:
            DataError: when files are missing or damaged.
            PluginError: when the data set's code breaks.
        """
        if (choice.model_dump_json(), name) not in self._splits:
            dataset = self.dataset(choice)
            with contract_of(f"data set {choice.name!r} gives no split {name!r}"):
                self._splits[choice.model_dump_json(), name] = dataset.split(name)
        return self._splits[choice.model_dump_json(), name]

    def training(self, choice: Choice, *, supervised: bool) -> Split:
        """Training split as a method may see it, labelled if it is supervised."""
        split = self.split(choice, "train")
        if supervised:
            return split
        if choice.model_dump_json() not in self._unlabelled:
            with contract_of(f"data set {choice.name!r} gives no split without labels"):
                self._unlabelled[choice.model_dump_json()] = split.unlabelled()
        return self._unlabelled[choice.model_dump_json()]

    def ready(self, *choices: Choice) -> bool:
        """True if the data can be read without drawing or downloading them first."""
        datasets = [self.dataset(choice) for choice in choices]
        return all(dataset.ready for dataset in datasets if isinstance(dataset, Prepared))
