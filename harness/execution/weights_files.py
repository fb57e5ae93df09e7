"""Files of weights that a suite names: of the user, or of the backbone's library."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePath, PureWindowsPath
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from harness.errors import UsageError
from harness.store.choices import Choice, with_fit
from harness.system import paths

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.backbones.start import Start
    from harness.plugins.manager import Plugins
    from harness.suites.schema import Suite


LIBRARY = "library"
"""Name of the weights that a backbone's library publishes: `library[:TAG]`."""


@runtime_checkable
class FromElsewhere(Protocol):
    """Extra of a method that finds its weights by itself, in place of a file."""

    @property
    def origin(self) -> Start:
        """Name of the weights, which is no path, and what they learnt from."""
        ...


def located_start(
    method: Choice, backbone: Choice | None, plugins: Plugins, locations: Mapping[str, Path]
) -> Start | None:
    """File that a fit starts from, with its place and hash; None without one.

    Args:
        method: which says from what it starts.
        backbone: whose library publishes weights.
        plugins: where names are looked up.
        locations: files by the names that options give them; those that are not there are paths.

    Raises:
        UsageError: when the file is missing or is not the expected one, or a name or an option is unknown or wrong.
        PluginError: when a class cannot be imported.
    """
    start = plugins.methods.start(method.name, method.options)
    if start is not None and _of_library(start):
        locations = {**locations, start.weights: _published(start, backbone)}
    return plugins.methods.located(method.name, method.options, locations)


def fetch_weights(suite: Suite, plugins: Plugins) -> None:
    """Download the weights of libraries that a suite names and this machine lacks.

    Raises:
        UsageError: when a name or an option is unknown or wrong, or there are no such weights.
        PluginError: when a class cannot be imported.
        DataError: when a file cannot be fetched.
    """
    for start, backbones in _starts(suite, plugins):
        for backbone in backbones if _of_library(start) else ():
            _published(start, backbone, download=True)


def _of_library(start: Start) -> bool:
    return start.weights.partition(":")[0] == LIBRARY


def _published(start: Start, backbone: Choice | None, *, download: bool = False) -> Path:
    from harness.backbones.libraries.stores import library_weights  # imports torch, which listing does without

    tag = start.weights.partition(":")[2]
    if backbone is None:
        return library_weights("", tag, download=download)
    size = backbone.options.get("size")
    return library_weights(backbone.name, tag, size=size if isinstance(size, int) else None, download=download)


def _starts(suite: Suite, plugins: Plugins) -> list[tuple[Start, tuple[Choice, ...]]]:
    """Files that all methods of a suite start from, and their backbones."""
    starts = ((plugins.methods.start(one.name, one.options), backbones) for one, backbones in suite.fitted)
    return [(start, backbones) for start, backbones in starts if start is not None]


def portable_weights(suite: Suite, plugins: Plugins) -> Suite:
    """Name a suite's weights without private paths; their places go into `paths`.

    Raises:
        UsageError: when a name or an option is unknown or wrong, or two files would have one name.
        PluginError: when a class cannot be imported.
    """
    places = dict(suite.paths)
    given = frozenset(places)

    def named(choice: Choice) -> Choice:
        if started := plugins.methods.fit_start(choice.name, choice.options):
            return with_fit(choice, started.fit.model_copy(update={"method": named(started.fit.method)}))
        start = plugins.methods.start(choice.name, choice.options)
        if start is None or _of_library(start):
            return choice
        name = portable_name(start.weights)
        place = suite.folder / paths.expanded(Path(start.weights))
        if name not in given and places.setdefault(name, place) != place:
            msg = f"suite {suite.name!r}: weights {places[name]} and {place} have one name; rename one of the files"
            raise UsageError(msg)
        options = plugins.methods.started(choice.name, choice.options, replace(start, weights=name))
        return Choice(name=choice.name, options=options)

    methods = tuple(named(choice) for choice in suite.methods)
    composites = tuple(
        composite.model_copy(
            update={"of": tuple(part.model_copy(update={"method": named(part.method)}) for part in composite.of)}
        )
        for composite in suite.composites
    )
    return suite.model_copy(update={"methods": methods, "composites": composites, "paths": places})


def weights_names(suite: Suite, plugins: Plugins) -> set[str]:
    """Names of the files of weights that a suite uses."""
    return {start.weights for start, _ in _starts(suite, plugins)}


def portable_name(written: str) -> str:
    """Name of a file on boards: a relative path as it is, of others the last part.

    >>> portable_name("encoders/a.pth"), portable_name("/home/me/a.pth"), portable_name("../a.pth")
    ('encoders/a.pth', 'a.pth', 'a.pth')
    """
    path = PurePath(written)
    if PureWindowsPath(written).is_absolute():
        return PureWindowsPath(written).name
    private = path.is_absolute() or ".." in path.parts or path.parts[:1] == ("~",)
    return path.name if private else path.as_posix()
