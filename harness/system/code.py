"""Hashes of the code that makes a number, so that changed code makes a new key.

A hash covers the module of a class and all that this imports, anywhere in a file, with the packages' `__init__`. Code
is compared without docstrings, comments, annotations and imports for type checkers. Files beside a module that are
named in it count; in plugins all data files of a package do, and all of its modules where one imports by name. In the
core only those rooms count that make numbers. What the core depends on is provenance and does not count; other
installed packages count by their version.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata, util
from pathlib import Path
from zipimport import zipimporter

from harness.errors import PluginError
from harness.system.source import Source, read_source

CORE = "harness"
MEASURING = (
    "harness.backbones",
    "harness.bridges.models",
    "harness.cards",
    "harness.datasets",
    "harness.encoders",
    "harness.evaluators",
    "harness.execution.sources",
    "harness.execution.stored_encoders",
    "harness.execution.units",
    "harness.functional",
    "harness.interfaces",
    "harness.methods",
    "harness.profiling",
    "harness.store.features",
    "harness.system.seeding",
    "harness.training",
    "harness.values",
    "harness.video",
)
"""Rooms and modules of the core that make numbers."""
SILENT = (
    "harness",
    "harness.__main__",
    "harness.api",
    "harness.backbones.cards",
    "harness.bridges",
    "harness.cli",
    "harness.datasets.cards",
    "harness.datasets.locations",
    "harness.embeddings",
    "harness.errors",
    "harness.evaluation",
    "harness.evaluators.cards",
    "harness.execution",
    "harness.export",
    "harness.gate",
    "harness.leaderboard",
    "harness.methods.cards",
    "harness.pictures",
    "harness.plugins",
    "harness.store",
    "harness.suites",
    "harness.system",
    "harness.testing",
)
"""Rooms that plan, store, tell and show, and cards.

Of two names that fit a module the longer one counts.
"""

_PROSE = frozenset({".md", ".pyi", ".rst", ".swo", ".swp", ".typed"})
"""Suffixes of files that compute nothing."""
_NOTICES = frozenset({"AUTHORS", "COPYING", "LICENCE", "LICENSE", "Makefile", "NOTICE", "README"})
"""Names of files without suffix that compute nothing."""
_TELLS = (("methods", "evaluators"), ("paper", "groups"), ("claims",))
"""Keys of YAML files that compute nothing: suites, published numbers, claims."""


def code_hash(*targets: type | str) -> str:
    """Hash the code of classes, or of modules by their dotted names.

    >>> code_hash("harness.values") == code_hash("harness.values")
    True
    """
    return _closure_hash(frozenset(one if isinstance(one, str) else one.__module__ for one in targets))


@functools.cache
def module_hash(module: str) -> str:
    """Hash the code of one module, and nothing that it imports.

    >>> module_hash("harness.values") == module_hash("harness.values")
    True
    """
    path = _file(module)
    return _digest({module: b"" if path is None else read_source(path).code})


def read_core() -> None:
    """Read what hashes need of the core's files, for processes that are forked later.

    There only a file that was edited since is read again.
    """
    for module, path in _modules(CORE).items():
        if makes_numbers(module):
            read_source(path)
    _core_needs()


def makes_numbers(module: str) -> bool:
    """Tell whether a module of the core makes numbers.

    >>> [makes_numbers(f"harness.{name}") for name in ("video.decode", "store.runs", "store.features")]
    [True, False, True]
    """
    parents = [module.rsplit(".", count)[0] for count in range(module.count(".") + 1)]
    return next((name in MEASURING for name in parents if name in MEASURING or name in SILENT), False)


@functools.cache
def _closure_hash(modules: frozenset[str]) -> str:
    own = {name for module in modules for name in _distributed_with(_top(module))}
    parts: dict[str, bytes] = dict.fromkeys(modules, b"")
    seen: set[str] = set()
    packages: set[str] = set()
    waiting = sorted(modules)
    while waiting:
        module = waiting.pop()
        top = _top(module)
        if module in seen or not _counts(module):
            continue
        seen.add(module)
        if top not in own and (version := _installed(top)):
            parts[top] = version.encode()
            continue
        if "." in module:
            waiting.append(module.rpartition(".")[0])
        if (path := _file(module)) is None:
            continue
        source = read_source(path)
        parts[module] = source.code
        parts |= {f"{module}: {file.name}": file.read_bytes() for file in _beside(path, source)}
        imports = set(_imported(source, module if path.name == "__init__.py" else module.rpartition(".")[0]))
        if top == CORE:
            imports = {name for name in imports if _top(name) == CORE}
        else:
            if top not in packages:
                packages.add(top)
                parts |= {f"{top}/{name}": data.read_bytes() for name, data in _data(top).items()}
            if source.by_name:
                imports |= {*_modules(top), *(name for name in source.strings if _file(name))}
        waiting += imports
    return _digest(parts)


def _counts(module: str) -> bool:
    top = _top(module)
    if top == CORE:
        return makes_numbers(module)
    return top not in sys.stdlib_module_names and not set(_distributions().get(top, ())) & _core_needs()


def _digest(parts: Mapping[str, bytes]) -> str:
    sha = hashlib.sha256()
    for name, content in sorted(parts.items()):
        sha.update(f"{name} {len(content)} ".encode() + content)
    return sha.hexdigest()[:20]


def _top(module: str) -> str:
    return module.partition(".")[0]


@functools.cache
def _file(module: str) -> Path | None:
    """Locate a module's source file without importing it.

    None for an attribute, or without source.
    """
    top, *rest = module.split(".")
    try:
        spec = util.find_spec(top)
    except (ImportError, ValueError):
        spec = None
    if spec is not None and isinstance(spec.loader, zipimporter):
        msg = f"module {module!r} lies in a zip file, where keys cannot read its code; install it unpacked"
        raise PluginError(msg)
    if spec is None:
        loaded = getattr(sys.modules.get(module), "__file__", None) or ""
        return Path(loaded) if loaded.endswith(".py") else None
    if not rest:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    for location in spec.submodule_search_locations or ():
        path = Path(location).joinpath(*rest)
        for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
            if file.is_file():
                return file
    return None


@functools.cache
def _modules(package: str) -> Mapping[str, Path]:
    """Modules of a package by name, its own first."""
    path = _file(package)
    if path is None or path.name != "__init__.py":
        return {} if path is None else {package: path}
    names = {file: file.relative_to(path.parent).with_suffix("").parts for file in sorted(path.parent.rglob("*.py"))}
    return {
        ".".join([package, *(parts[:-1] if parts[-1] == "__init__" else parts)]): file for file, parts in names.items()
    }


@functools.cache
def _data(package: str) -> Mapping[str, Path]:
    """Files of a package that may enter a result, by their place in it."""
    path = _file(package)
    if path is None or path.name != "__init__.py":
        return {}
    files = [file for file in sorted(path.parent.rglob("*")) if file.is_file() and "__pycache__" not in file.parts]
    places = {file.relative_to(path.parent): file for file in files if _enters(file)}
    return {
        place.as_posix(): file for place, file in places.items() if not any(p.startswith(".") for p in place.parts[:-1])
    }


def _enters(file: Path) -> bool:
    if file.suffix == ".py" or _is_prose(file):
        return False
    if file.suffix not in {".yaml", ".yml"}:
        return True
    keys = re.findall(r"^(\w+):", file.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    return not any(set(telling) <= set(keys) for telling in _TELLS)


def _is_prose(file: Path) -> bool:
    """Tell whether a file is for people, tools or editors."""
    if not file.suffix:
        return file.name in _NOTICES or file.name.startswith(".")
    return file.suffix in _PROSE or file.name.endswith("~")


def _beside(path: Path, source: Source) -> list[Path]:
    """Data files in a module's folder that its code names."""
    files = [path.parent / name for name in sorted(source.strings) if Path(name).suffix != ".py"]
    return [file for file in files if file.is_file() and not _is_prose(file)]


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    """Distributions by the top-level names of their packages."""
    # `metadata.packages_distributions` differs between versions of Python, and ends at a half-deleted distribution.
    found: dict[str, list[str]] = {}
    for one in metadata.distributions():
        try:
            name = one.metadata["Name"]
        except (OSError, KeyError, TypeError):
            name = ""
        if name:
            for top in (one.read_text("top_level.txt") or "").split() or _tops(one):
                found.setdefault(top, []).append(name)
    return found


def _tops(distribution: metadata.Distribution) -> set[str]:
    """Names of the packages and modules that are among the files of a distribution."""
    files = distribution.files or ()
    modules = [
        file.parts[0] if len(file.parts) > 1 else name
        for file in files
        if file.suffix != ".pyc" and (name := inspect.getmodulename(file.name))
    ]
    return {top for top in modules if top.isidentifier()}


def _distributed_with(top: str) -> set[str]:
    """Names of packages that come in one distribution."""
    if top == CORE:
        return {CORE}
    mine = set(_distributions().get(top, ()))
    return {top} | {other for other, names in _distributions().items() if mine & set(names)}


@functools.cache
def _core_needs() -> frozenset[str]:
    """Distributions that the core depends on, with its extras."""
    needed: set[str] = set()
    waiting = ["video-harness"]
    while waiting:
        name = waiting.pop()
        try:
            requirements = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        if name != "video-harness":
            requirements = [one for one in requirements if "extra ==" not in one]
        names = {_normal(re.split(r"[^\w.-]", one, maxsplit=1)[0]) for one in requirements}
        waiting += sorted(names - needed)
        needed |= names
    return frozenset(name for names in _distributions().values() for name in names if _normal(name) in needed)


def _normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _installed(top: str) -> str:
    """Names and versions of an installed package; empty for one that is worked on."""
    installed = []
    for name in sorted(set(_distributions().get(top, ()))):
        distribution = metadata.distribution(name)
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
        edited = origin.get("dir_info", {}).get("editable", False)
        # Without a record it is a folder of metadata beside sources, which Python finds where it starts in theirs.
        if distribution.read_text("RECORD") and not edited:
            installed.append(f"{name} {distribution.version}")
    return ", ".join(installed)


def _imported(source: Source, package: str) -> Iterator[str]:
    """Modules that a source imports, and attributes that may be modules."""
    for level, module, name in source.imports:
        parents = package.split(".")
        base = ".".join([*parents[: len(parents) - level + 1], module]).rstrip(".") if level else module
        if base != CORE:
            yield from [base, f"{base}.{name}"] if name else [base]
        elif name:
            yield from [f"{CORE}.{name}", *_offered().get(name, ())]
        else:
            yield from (origin for origins in _offered().values() for origin in origins)


@functools.cache
def _offered() -> Mapping[str, list[str]]:
    """Modules that the names of the core's facade come from, late ones too."""
    path = _file(CORE)
    tree = ast.parse(path.read_text(encoding="utf-8")) if path else ast.Module([], [])
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    return {alias.name: [f"{node.module}"] for node in nodes for alias in node.names}
