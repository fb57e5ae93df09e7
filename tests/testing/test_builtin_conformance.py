"""Everything that the core registers passes the kit that third parties are held to."""

from __future__ import annotations

from harness.plugins.manager import Plugins
from harness.testing import conformance

BUILTIN = Plugins(points=[])
SMALL = {
    "attentive_probe": {"lrs": [1e-3, 1e-2], "weight_decays": [0.01], "steps": 80},
    "few_shot": {"shots": [1, 5, 10]},
    "finetune": {"frames": 2_000, "lrs": [0.1], "mirror": False},
    "mlp_probe": {"width": 64, "lrs": [3e-3, 1e-2], "weight_decays": [0.01], "steps": 80},
    "throughput": {"batch_size": 4, "repeats": 1},
}
"""Options that the few small videos of the kit can carry."""

LACKING = ("pose", "pretrained", "features", "mteb", "multilabel_probe", "ridge_probe")
"""The kit's videos have no joints, sets of classes and targets; no weights, vectors or models come with it.

The evaluators among them pass the kit on data of their own, in tests beside their other ones.
"""


@conformance(
    *(
        registry.build(name, SMALL.get(name, {}))
        for registry in (BUILTIN.methods, BUILTIN.backbones, BUILTIN.evaluators)
        for name in registry
        if name not in LACKING
    )
)
def test_builtin(check):
    check()
