"""Everything that the core registers passes the kit that third parties are held to."""

from __future__ import annotations

from harness.plugins import Plugins
from harness.testing import conformance

BUILTIN = Plugins(found=[])


@conformance(
    *(
        registry.build(name)
        for registry in (BUILTIN.methods, BUILTIN.backbones, BUILTIN.evaluators)
        for name in registry
    )
)
def test_builtin(check):
    check()
