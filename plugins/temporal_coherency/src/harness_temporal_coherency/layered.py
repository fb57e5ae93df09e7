"""An image network on every frame of a clip, whose inner layers give vectors too."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from harness.backbones.per_frame import PerFrame


class LayeredNetwork(PerFrame):
    """Named layers on top of a feature map; each one's output is a vector, and the last one's is the network's.

    Args:
        feature_map: normalised float images (N, C, H, W) -> (N, c, h, w).
        layers: the first takes the feature map, every other one the vectors (N, length) of the one before it.
    """

    def __init__(self, feature_map: nn.Module, layers: Mapping[str, nn.Module]) -> None:
        pool = nn.Sequential()
        for name, layer in layers.items():
            pool.add_module(name, layer)
        super().__init__(feature_map, pool)

    def until(self, name: str) -> LayeredNetwork:
        """The same network up to the layer `name`, with the same weights.

        Raises:
            KeyError: when there is no such layer.
        """
        layers = dict(self.pool.named_children())
        if name not in layers:
            msg = f"no layer {name!r} among {', '.join(layers)}"
            raise KeyError(msg)
        return LayeredNetwork(self.feature_map, dict(list(layers.items())[: list(layers).index(name) + 1]))
