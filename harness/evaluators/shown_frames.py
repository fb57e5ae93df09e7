"""Networks that evaluators show frames of videos."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.values import Inputs

if TYPE_CHECKING:
    from collections.abc import Mapping


def expect_frames(inputs: Inputs | Mapping[str, Inputs], evaluator: str) -> None:
    """Expect inputs of a network that sees frames, and no optical flow.

    Args:
        inputs: of the network.
        evaluator: its name, for the message.

    Raises:
        UsageError: when a stream is of optical flow.
    """
    streams = [inputs] if isinstance(inputs, Inputs) else list(inputs.values())
    if any(stream.kind == "flow" for stream in streams):
        msg = (
            f"evaluator {evaluator!r} shows a network frames, and the encoder's sees optical flow; measure it by "
            "evaluators of its features, such as linear_probe"
        )
        raise UsageError(msg)
