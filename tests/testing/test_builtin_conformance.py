"""Everything that the core registers passes the kit that third parties are held to."""

from __future__ import annotations

from harness.plugins.manager import Plugins
from harness.testing import conformance

BUILTIN = Plugins(points=[])
SMALL = {
    "attentive_probe": {"lrs": [1e-3, 1e-2], "weight_decays": [0.01], "steps": 80},
    "few_shot": {"shots": [1, 5, 10]},
    "finetune": {"frames": 2_000, "lrs": [0.1], "mirror": False},
    "throughput": {"batch_size": 4, "repeats": 1},
}
"""Options that the few small videos of the kit can carry."""


@conformance(
    *(
        registry.build(name, SMALL.get(name, {}))
        for registry in (BUILTIN.methods, BUILTIN.backbones, BUILTIN.evaluators)
        for name in registry
        if name not in ("pose", "pretrained")  # the kit's videos have no joints, and no file of weights comes with it
    )
)
def test_builtin(check):
    check()
