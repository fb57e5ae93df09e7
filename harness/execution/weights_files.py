"""Files of weights that a suite names: by portable names, with their places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePath, PureWindowsPath
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.store.records import Choice

if TYPE_CHECKING:
    from harness.plugins.manager import Plugins
    from harness.suites.schema import Suite


def portable_weights(suite: Suite, plugins: Plugins) -> Suite:
    """Name a suite's weights without private paths; their places go into `paths`.

    Raises:
        UsageError: when a name or an option is unknown or wrong, or two files would have one name.
        PluginError: when a class cannot be imported.
    """
    places = dict(suite.paths)
    given = frozenset(places)

    def named(choice: Choice) -> Choice:
        start = plugins.methods.start(choice.name, choice.options)
        if start is None:
            return choice
        name = portable_name(start.weights)
        place = suite.folder / Path(start.weights).expanduser()
        if name not in given and places.setdefault(name, place) != place:
            msg = f"suite {suite.name!r}: weights {places[name]} and {place} have one name; rename one of the files"
            raise UsageError(msg)
        options = plugins.methods.started(choice.name, choice.options, replace(start, weights=name))
        return Choice(name=choice.name, options=options)

    methods = tuple(named(choice) for choice in suite.methods)
    composites = tuple(
        composite.model_copy(update={"of": tuple(named(choice) for choice in composite.of)})
        for composite in suite.composites
    )
    return suite.model_copy(update={"methods": methods, "composites": composites, "paths": places})


def weights_names(suite: Suite, plugins: Plugins) -> set[str]:
    """Names of the files of weights that a suite uses."""
    choices = [*suite.methods, *(choice for composite in suite.composites for choice in composite.of)]
    starts = (plugins.methods.start(choice.name, choice.options) for choice in choices)
    return {start.weights for start in starts if start is not None}


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
