"""Registry of methods, which may start from given weights or from those of a fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from harness.backbones.start import Start, VectorsFile
from harness.errors import UsageError, unknown
from harness.plugins.options import spelt
from harness.plugins.registry import Registry
from harness.store.choices import AT, Choice, FitStart, at_share
from harness.system import paths
from harness.system.hashing import file_hash

if TYPE_CHECKING:
    from harness.interfaces import Method

START = "start"
"""Option of methods that train a network: the weights that it starts from."""
STATED = {
    "weights": "the file",
    "learnt_from": "names of the data sets that the weights learnt from, joined by +",
    "labels": "true or false: whether they learnt from labels",
}
"""Parts of a start from a file that have no default."""
FROM_FILE = (Start, VectorsFile)
"""Bases of methods that are a file, whose options name it."""
FIT = "fit"
"""Part of a start that names a fit in place of a file."""
ALONG = "along"
"""Option of methods in a suite: shares of the fit that have rows of their own."""


class MethodRegistry(Registry["Method"]):
    """Methods; those that train a network also take the options `start` and `along`.

    One whose constructor has a parameter of that name keeps it for itself. A row after a share of a fit has that share
    as the option `@`.
    """

    def __init__(self) -> None:
        super().__init__("method")

    def start(self, name: str, options: Mapping[str, Any]) -> Start | None:
        """File of weights that a method with these options starts from; None without one.

        Raises:
            UsageError: when the name is unknown, or an option is wrong.
            PluginError: when the class cannot be imported.
        """
        if not issubclass(self.load(name), FROM_FILE):
            start = self._separated(name, options)[1]
            return start if isinstance(start, Start) else None
        return cast("Start | VectorsFile", self.draft(name, options)).start

    def fit_start(self, name: str, options: Mapping[str, Any]) -> FitStart | None:
        """The fit that a method with these options starts from; None without one.

        Raises:
            UsageError, PluginError: as `start`.
        """
        start = self._separated(name, options)[1]
        return start if isinstance(start, FitStart) else None

    def located(self, name: str, options: Mapping[str, Any], locations: Mapping[str, Path]) -> Start | None:
        """Weights that a method starts from, with absolute path and hash of the file.

        Args:
            name: of the method.
            options: its own, and `start`.
            locations: files by the names that options give them; those that are not there are paths.

        Raises:
            UsageError: when the file is missing, or is not the expected one; also as `start`.
            PluginError: as `start`.
        """
        start = self.start(name, options)
        if start is None:
            return None
        path = paths.expanded(locations.get(start.weights, Path(start.weights))).absolute()
        if not path.is_file():
            msg = f"method {name!r}: expected a file of {self._kind(name)} at {path}, where none is; correct the path"
            raise UsageError(msg)
        content = file_hash(path)
        if start.sha256 not in ("", content):
            msg = (
                f"method {name!r}: expected {self._kind(name)} with the sha256 {start.sha256}, got {content} of {path}"
            )
            raise UsageError(msg)
        return dataclasses.replace(start, weights=str(path), sha256=content)

    def started(self, name: str, options: Mapping[str, Any], start: Start | None) -> dict[str, Any]:
        """Options with another start in place of theirs; as they are without one."""
        if start is None:
            return dict(options)
        loaded = self.load(name)
        if issubclass(loaded, FROM_FILE):
            return {**options, **loaded.parts(start)}
        return {**options, START: dataclasses.asdict(start)}

    def along(self, method: Choice) -> tuple[Choice, ...]:
        """Rows that a method of a suite stands for: the whole fit, and shares of it.

        Raises:
            UsageError: when the name is unknown, or an option is wrong.
            PluginError: when the class cannot be imported.
        """
        shares = self._shares(method.name, method.options)
        if ALONG not in shares:
            return (method,)
        own = {option: value for option, value in method.options.items() if option != ALONG}
        whole = Choice(name=method.name, options=own)
        return (whole, *(at_share(whole, share) for share in shares[ALONG]))

    def build_as(self, name: str, options: Mapping[str, Any], wrap: Callable[[Method], Method]) -> Method:
        """Construct what `build` gives of what `wrap` makes of the method itself.

        Raises:
            UsageError, PluginError: as `build`.
        """
        return self._made(name, options, lambda name, own: wrap(self._by_mmengine(name, own)))

    def completed(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """All options in one spelling, shares aside; see `Registry.completed`."""
        own, start = self._separated(name, options)
        return {**super().completed(name, own), **({} if start is None else {START: self._spelt_start(start)})}

    def canonical(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Options in one spelling, without defaults; see `Registry.canonical`."""
        chosen = {**super().canonical(name, options), **self._shares(name, options)}
        if self._separated(name, options)[1] is None:
            return dict(sorted(chosen.items()))
        defaults = {field.name: spelt(field.default, Any) for field in dataclasses.fields(Start)}
        start = {part: value for part, value in chosen[START].items() if part == FIT or value != defaults[part]}
        return {**chosen, START: dict(sorted(start.items()))}

    def _made(self, name: str, options: Mapping[str, Any], construct: Callable[..., Method]) -> Method:
        own, start = self._separated(name, options)
        if issubclass(self.load(name), FROM_FILE):
            self._expect_stated(name, own)
        method = super()._made(name, own, construct)
        if AT in options:
            from harness.methods.along import AtShare  # loads torch, as below

            method = AtShare(method)
        if start is None:
            return method
        from harness.methods.start import WithStart  # loads torch, which listing does without

        if isinstance(start, Start):
            return WithStart(method, start)
        self.draft(start.fit.method.name, start.fit.method.options)
        # It can load what was fitted; to fit, it is told in `started` where the weights are.
        return WithStart(method, Start(weights=start.weights, learnt_from=start.fit.label, labels=False))

    def _spelt_start(self, start: Start | FitStart) -> Any:
        if isinstance(start, Start):
            return spelt(start, Start)
        method = start.fit.method
        canonical = Choice(name=method.name, options=self.canonical(method.name, method.options))
        fit = start.fit.model_copy(update={"method": canonical})
        return start.model_copy(update={"fit": fit}).model_dump(mode="json")

    def _separated(self, name: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], Start | FitStart | None]:
        """Separate a method's own options from its start; shares are neither."""
        import pydantic

        shares = self._shares(name, options)
        options = {option: value for option, value in options.items() if option not in shares}
        own = {option: value for option, value in options.items() if option != START}
        if START not in options or START in self.parameters(name):
            return dict(options), None
        if not {"backbone", "pretraining"} <= self.entry(name).card.reads:
            msg = f"method {name!r} trains no network that could start from weights; expected no option {START!r}"
            raise UsageError(msg)
        start = options[START]
        if not isinstance(start, Mapping):
            raise self._wrong(name, START, start, f"expected a mapping with {', '.join(STATED)}, or with {FIT}")
        kind: type[Start | FitStart] = FitStart if FIT in start else Start
        known = FitStart.model_fields if FIT in start else Start.__dataclass_fields__
        if FIT in start:
            self._expect_fit_alone(name, start)
        else:
            self._expect_stated(name, start)
        for part in start:
            if part not in known:
                raise unknown(f"part of {START!r} of method {name!r}:", part, known)
        try:
            chosen = pydantic.TypeAdapter(kind).validate_python(dict(start))
        except pydantic.ValidationError as error:
            problem = error.errors()[0]
            place = ".".join(map(str, (START, *problem["loc"])))
            raise self._wrong(name, place, problem["input"], problem["msg"]) from error
        if isinstance(chosen, FitStart):
            self._expect_read(name, chosen)
        return own, chosen

    def _shares(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """The option of shares that is there, in one spelling; empty without one."""
        given = {option: options[option] for option in (ALONG, AT) if option in options}
        if ALONG in given and ALONG in self.parameters(name):
            del given[ALONG]
        if not given:
            return {}
        from harness.methods.along import has_shares  # loads torch, which listing does without

        if len(given) > 1:
            msg = f"method {name!r}: expected {ALONG!r} or {AT!r}, got both"
            raise UsageError(msg)
        ((option, value),) = given.items()
        if not has_shares(self.load(name)):
            msg = (
                f"method {name!r} trains no network of which the encoder after a share of the fit could be kept; "
                f"expected no option {option!r}"
            )
            raise UsageError(msg)
        listed = value if option == ALONG else [value]
        if not isinstance(listed, list | tuple) or not listed or not all(map(_is_share, listed)):
            wanted = "shares of the fit, such as [10, 25, 50]," if option == ALONG else "a share of the fit"
            raise self._wrong(name, option, value, f"expected {wanted} in whole per cent from 1 to 99")
        return {option: sorted(set(listed)) if option == ALONG else value}

    def _expect_fit_alone(self, name: str, start: Mapping[str, Any]) -> None:
        beside = [part for part in Start.__dataclass_fields__ if part in start and part not in FitStart.model_fields]
        if beside:
            msg = f"method {name!r}: a start from a fit is no file; leave {', '.join(beside)} out of {START!r}"
            raise UsageError(msg)

    def _expect_read(self, name: str, start: FitStart) -> None:
        fit = start.fit
        reads = self.entry(fit.method.name).card.reads
        if "backbone" not in reads:
            msg = f"method {name!r}: method {fit.method.name!r} fits no network that could be started from"
            raise UsageError(msg)
        for part, value, read in (("pretraining", fit.pretraining, "pretraining"), ("frames", fit.frames, "budget")):
            if value is not None and read not in reads:
                msg = (
                    f"method {name!r}: method {fit.method.name!r} reads no {read}; "
                    f"leave {part!r} of the fit that it starts from out"
                )
                raise UsageError(msg)

    def _kind(self, name: str) -> str:
        """Content of the file that a method starts from."""
        return "vectors" if issubclass(self.load(name), VectorsFile) else "weights"

    def _expect_stated(self, name: str, start: Mapping[str, Any]) -> None:
        kind = self._kind(name)
        wanted = {part: meaning.replace("weights", kind) for part, meaning in STATED.items()}
        if kind == "vectors":
            wanted = {"file": wanted.pop("weights"), **wanted}
        missing = {part: meaning for part, meaning in wanted.items() if start.get(part) in (None, "")}
        if missing:
            stated = ", ".join(f"{part} ({meaning})" for part, meaning in missing.items())
            msg = f"method {name!r}: expected a statement on its {kind}, which lacks {stated}"
            raise UsageError(msg)


def _is_share(value: Any) -> bool:
    return type(value) is int and 1 <= value <= 99
