"""Templates, scripts and policy that pages without network share."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

import jinja2

from harness.system.text import one_line

LATER = ".scripted-page .later { display: none; }\n"
"""Style of rows that `later.js` draws when a reader comes to them."""


def templates() -> jinja2.Environment:
    """Make the environment of the pages: all that is put in is escaped, on one line."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("harness.leaderboard"),
        autoescape=True,
        finalize=_finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "allow_nan": False}
    return environment


def source(environment: jinja2.Environment, name: str) -> str:
    """Read a style or a script that lies among the templates."""
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def policy(styles: Sequence[str], scripts: Sequence[str]) -> str:
    """Content security policy: only these styles and scripts work, nothing is loaded."""

    def hashes(sources: Sequence[str]) -> str:
        digests = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in sources]
        return " ".join(f"'sha256-{digest}'" for digest in digests)

    return (
        f"default-src 'none'; script-src {hashes(scripts)}; style-src {hashes(styles)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _finalize(value: Any) -> Any:
    """Remove what reorders text on screen; markup is the page's own."""
    return one_line(value) if type(value) is str else value
