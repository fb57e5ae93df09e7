"""Registries whose kind has options beside those of the constructor."""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.backbones.cards import LibraryCard
from harness.errors import HarnessError, UsageError, out_of_memory, unknown
from harness.interfaces import FromFiles
from harness.plugins.names import Registration
from harness.plugins.options import is_finite, is_json, written
from harness.plugins.registry import Registry

if TYPE_CHECKING:
    from harness.cards import Card
    from harness.datasets.derived import Derivation
    from harness.evaluators.encoding_options import EncodingOptions
    from harness.interfaces import Backbone, Dataset, Evaluator

LOCATION = "location"
"""Keyword of a data set's constructor: the folder (or file) in which it lies."""
BUILD = "build"
"""Keyword of the constructor of a data set that is made of others: it builds them."""


class DatasetRegistry(Registry["Dataset"]):
    """Data sets, with the options that all of them have, and where they lie.

    The options of `harness.datasets.derived.Derivation` (`subset`, `images`, ...) belong to every data set; one whose
    constructor has a parameter of such a name keeps it for itself. The keyword `location` of a constructor is no
    option: what is measured does not depend on it. One with the keyword `build` is made of the data sets that its
    option `of` lists.
    """

    def __init__(self) -> None:
        super().__init__("data set")

    def build(
        self, name: str, options: Mapping[str, Any] | None = None, *, locations: Mapping[str, Path] | None = None
    ) -> Dataset:
        """Construct the data set registered as `name`, and apply the derived options.

        Args:
            name: of the data set.
            options: its own, and derived ones.
            locations: folder (or file) of data sets by name; those that are not there look for themselves.

        Raises:
            UsageError: when the name or an option is unknown or wrong, or its location is given and it takes none.
            PluginError: when the class cannot be imported.
        """
        from harness.datasets.derived import derive  # loads torch, which listing does without

        own, derivation = self._separated(name, options or {})
        arguments = self._checked(name, own)
        if locations and name in locations:
            if LOCATION not in super().parameters(name):
                msg = f"data set {name!r}: its class has no keyword {LOCATION!r}, so that no path can be given to it"
                raise UsageError(msg)
            arguments[LOCATION] = locations[name]
        if BUILD in super().parameters(name):
            arguments[BUILD] = lambda part: self.build(part.name, part.options, locations=locations)
        return derive(self._directly(name, arguments), derivation)

    def parameters(self, name: str) -> Mapping[str, inspect.Parameter]:
        """Parameters of the constructor that options set, `location` and `build` left out."""
        return {key: one for key, one in super().parameters(name).items() if key not in (LOCATION, BUILD)}

    def completed(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """All options in one spelling, derived ones too; see `Registry.completed`."""
        own, derivation = self._separated(name, options)
        derived = derivation.model_dump(mode="json", exclude=set(self.parameters(name)))
        completed = super().completed(name, own)
        if parts := self.parts(name, completed):
            completed["of"] = [{"name": part, "options": self.canonical(part, chosen)} for part, chosen in parts]
        return {**completed, **derived}

    def parts(self, name: str, options: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
        """Names and options of the data sets that one is made of; none for most.

        Args:
            name: of the data set.
            options: as `completed` gives them.
        """
        if BUILD not in super().parameters(name):
            return []
        return [(part["name"], part["options"]) for part in options["of"]]

    def _defaults(self, name: str) -> dict[str, Any]:
        from harness.datasets.derived import Derivation

        return {**Derivation().model_dump(mode="json"), **super()._defaults(name)}

    def _separated(self, name: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], Derivation]:
        """Separate a data set's own options from the derived ones."""
        import pydantic

        from harness.datasets.derived import Derivation

        parameters = self.parameters(name)
        derived = {option: None for option in Derivation.model_fields if option not in parameters}
        for option in options:
            if option not in parameters and option not in derived:
                raise unknown(f"option of data set {name!r}:", option, [*parameters, *derived])
        own = {option: value for option, value in options.items() if option in parameters}
        try:
            return own, Derivation.model_validate({key: value for key, value in options.items() if key in derived})
        except pydantic.ValidationError as error:
            problem = error.errors()[0]
            raise self._wrong(name, problem["loc"][0], problem["input"], problem["msg"]) from error


class EvaluatorRegistry(Registry["Evaluator"]):
    """Evaluators; those of vectors or tokens also take options of `EncodingOptions`.

    One whose constructor has a parameter of such a name keeps it for itself.
    """

    def __init__(self) -> None:
        super().__init__("evaluator")

    def encoding(self, name: str, options: Mapping[str, Any]) -> EncodingOptions:
        """Options of the features that an evaluator measures.

        Raises:
            UsageError: when the name is unknown, or an option is wrong.
            PluginError: when the class cannot be imported.
        """
        return self._separated(name, options)[1]

    def completed(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """All options in one spelling, those of encodings too; see `Registry.completed`."""
        own, encoding = self._separated(name, options)
        return {**super().completed(name, own), **self._dumped(name, encoding)}

    def _defaults(self, name: str) -> dict[str, Any]:
        return {**self._dumped(name, self.encoding(name, {})), **super()._defaults(name)}

    def _dumped(self, name: str, encoding: EncodingOptions) -> dict[str, Any]:
        """Options of the features, without an `aggregate` that is the mean.

        Every protocol states the mean by itself.
        """
        from harness.evaluators.encoding_options import taken

        left_out = {"aggregate"} if encoding.aggregate == "mean" else set()
        dumped = encoding.model_dump(mode="json", exclude=left_out | self.parameters(name).keys())
        return {key: value for key, value in dumped.items() if key in taken(self.entry(name).card)}

    def _made(self, name: str, options: Mapping[str, Any], construct: Callable[..., Evaluator]) -> Evaluator:
        from harness.evaluators.encoding_options import EncodingOptions, WithEncoding

        own, encoding = self._separated(name, options)
        evaluator = super()._made(name, own, construct)
        return evaluator if encoding == EncodingOptions() else WithEncoding(evaluator, encoding)

    def _separated(self, name: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], EncodingOptions]:
        """Separate an evaluator's own options from those of its features."""
        import pydantic

        from harness.evaluators.encoding_options import EncodingOptions

        shared_names = EncodingOptions.model_fields.keys() - self.parameters(name).keys()
        shared = {key: value for key, value in options.items() if key in shared_names}
        try:
            encoding = EncodingOptions.model_validate(shared)
        except pydantic.ValidationError as error:
            problem = error.errors()[0]
            raise self._wrong(name, problem["loc"][0], problem["input"], problem["msg"]) from error
        return {key: value for key, value in options.items() if key not in shared}, encoding


class BackboneRegistry(Registry["Backbone"]):
    """Backbones, and libraries whose models are backbones.

    A model has a name of the form `library:model`; options that its class does not know are handed on to the library.
    """

    def __init__(self) -> None:
        super().__init__("backbone")
        self._models: dict[tuple[str, str], Backbone] = {}

    def register_library(self, card: LibraryCard, target: str) -> None:
        """Offer the models of a library by the class at `target`.

        The class ("package.module:Class") carries the card as `library`, and is constructed with the name of a model
        and options.

        Raises:
            PluginError: as `register`.
        """
        self._expect_card(card, LibraryCard, target)
        self._enter(f"{card.name}:", card, target)

    def __iter__(self) -> Iterator[str]:
        return (name for name in super().__iter__() if not name.endswith(":"))

    @property
    def libraries(self) -> Mapping[str, Registration]:
        """Libraries by name."""
        return {name.rstrip(":"): self.entry(name) for name in super().__iter__() if name.endswith(":")}

    def entry(self, name: str) -> Registration:
        """Card, target and origin of `name` or its library; see `Registry.entry`."""
        library, colon, _ = name.partition(":")
        return super().entry(library + colon)

    def _card_of(self, loaded: Any) -> Card | None:
        return getattr(loaded, "library", None) or super()._card_of(loaded)

    def _made(self, name: str, options: Mapping[str, Any], construct: Callable[..., Backbone]) -> Backbone:
        if ":" not in name:
            return super()._made(name, options, construct)
        key = name, written(super().completed(name, options))
        if key not in self._models:  # a plan drafts the same model for each of its cells
            self._models[key] = self._model(name, self._checked(name, options))
        return self._models[key]

    def completed(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """All options in one spelling, and the `content` of a model's files.

        Raises:
            UsageError, PluginError: as `Registry.completed`.
        """
        chosen = super().completed(name, options)
        if ":" not in name:
            return chosen
        model = self.draft(name, options)
        return {**chosen, "content": model.content} if isinstance(model, FromFiles) and model.content else chosen

    def canonical(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Options in one spelling, without those that are as the default."""
        return {key: value for key, value in super().canonical(name, options).items() if key in options}

    def _model(self, name: str, options: Mapping[str, Any]) -> Backbone:
        library, _, model = name.partition(":")
        if not model:
            msg = f"backbone {name!r}: expected {library}:MODEL; `harness list backbones {library}` lists the models"
            raise UsageError(msg)
        constructor: Callable[..., Backbone] = self.load(name)
        try:
            return constructor(model, **options)
        except HarnessError:
            raise
        except Exception as error:  # libraries refuse options in many ways
            if out_of_memory(error):
                raise
            problem = " ".join(str(error).split())
            msg = f"backbone {name!r} cannot be built with these options: {type(error).__name__}: {problem}"
            raise UsageError(msg) from error

    def _checked(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        if ":" not in name:
            return super()._checked(name, options)
        own = {option: value for option, value in options.items() if option in self.parameters(name)}
        handed_on = {option: value for option, value in options.items() if option not in own}
        for option, value in handed_on.items():
            if not option.isidentifier() or keyword.iskeyword(option):  # an exported example writes it as Python
                msg = f"backbone {name!r}: option {option!r} is no name that a keyword of Python can have"
                raise UsageError(msg)
            if not (is_finite(value) and is_json(value)):
                raise self._wrong(name, option, value, "expected what a suite file can say")
        return {**super()._checked(name, own), **handed_on}
