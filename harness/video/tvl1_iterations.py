"""Primal-dual iterations of TV-L1 flow, for all pixels of a batch at once."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec

import torch
import torch.nn.functional as F
from torch import Tensor

DATA_WEIGHT = 0.15
"""Lambda, weight of the data term for grey levels from 0 to 255."""
COUPLING = 0.3
"""Theta, coupling of the thresholded and the smooth flow, in pixels squared."""
TIME_STEP = 0.25
"""Tau, step of the dual ascent; 1/4 is the largest that is known to converge."""
ITERATIONS = 15
"""Iterations after each warp."""
LIMIT = DATA_WEIGHT * COUPLING
"""Longest step of the thresholding, in lengths of the gradient."""
STEEP = TIME_STEP / COUPLING


class Iterations:
    """Alternation of thresholding and dual ascent.

    The dual variable is kept from call to call.

    A column and a row of zeros follow each picture, and each component of a batch is one line of M pixels. A neighbour
    is then the same line from another pixel on, so that every operator runs through memory from end to end.

    Args:
        flow: (B, 2, H, W) of the level, of which shape, type and device are taken.
    """

    def __init__(self, flow: Tensor) -> None:
        batch, _, height, width = flow.shape
        self._shape = batch, height + 1, width + 1
        self._row = width + 1
        self._pixels = batch * (height + 1) * (width + 1)
        # times theta, of the differences to the right and down (direction, component, M), led by a row of zeros
        self._dual = flow.new_zeros((2, 2, self._row + self._pixels))
        self._flow = flow.new_zeros((2, self._pixels + self._row))
        on_cuda = flow.is_cuda and find_spec("triton") is not None
        self._work = None if on_cuda else _Work(self._flow, self._dual, self._shape)

    def __call__(self, flow: Tensor, slope: Tensor, direction: Tensor, offset: Tensor) -> Tensor:
        """Improve the flow after a warp.

        Args:
            flow: (B, 2, H, W).
            slope: gradient of the warped frame, (B, 2, H, W).
            direction: the gradient over its squared length.
            offset: (B, 1, H, W), what the linearised difference of the frames is at flow 0, over the same.
        """
        self._flow[:, : self._pixels] = self._lines(flow)
        data = self._lines(slope), self._lines(direction), self._lines(offset)
        if self._work is None:
            from harness.video.tvl1_triton import iterate

            with _current(flow.device):  # Triton launches on the current device, wherever the tensors are
                iterate(
                    self._flow,
                    self._dual,
                    *data,
                    self._shape,
                    times=ITERATIONS,
                    limit=LIMIT,
                    steep=STEEP,
                    time_step=TIME_STEP,
                )
        else:
            self._work.iterate(*data)
        planes = self._flow[:, : self._pixels].view(2, *self._shape)
        return planes[..., :-1, :-1].transpose(0, 1).contiguous()

    def _lines(self, planes: Tensor) -> Tensor:
        """Lay out (B, C, H, W) as (C, M)."""
        return F.pad(planes.transpose(0, 1), (0, 1, 0, 1)).view(planes.shape[1], self._pixels)


def _current(device: torch.device) -> AbstractContextManager[object]:
    """Make a GPU the thread's current device; any other changes nothing."""
    current: AbstractContextManager[object] = torch.cuda.device(device) if device.type == "cuda" else nullcontext()
    return current


class _Work:
    """Views of flow and dual variable, and memory for intermediate values.

    For operators of PyTorch.
    """

    def __init__(self, flow: Tensor, dual: Tensor, shape: tuple[int, int, int]) -> None:
        pixels, row = dual.shape[2] - shape[2], shape[2]
        self._flow, self._right, self._below = flow[:, :pixels], flow[:, 1 : pixels + 1], flow[:, row:]
        self._dual = dual[:, :, row:]
        self._left, self._above = dual[0, :, row - 1 : -1], dual[1, :, :pixels]
        self._rise = flow.new_empty((2, 2, pixels))
        across, down = self._rise.view(2, 2, *shape)
        self._edges = across[..., -2:], down[..., -2:, :]  # of the picture, and the zeros after it
        self._step, self._length = flow.new_empty((1, pixels)), flow.new_empty((2, pixels))

    def iterate(self, slope: Tensor, direction: Tensor, offset: Tensor) -> None:
        flow, dual, rise, step, length = self._flow, self._dual, self._rise, self._step, self._length
        for _ in range(ITERATIONS):
            torch.addcmul(offset, direction[:1], flow[:1], out=step)
            step.addcmul_(direction[1:], flow[1:]).clamp_(-LIMIT, LIMIT)
            flow.addcmul_(slope, step, value=-1)
            flow.add_(dual[0]).sub_(self._left).add_(dual[1]).sub_(self._above)
            torch.sub(self._right, flow, out=rise[0])
            torch.sub(self._below, flow, out=rise[1])
            for edge in self._edges:
                edge.zero_()
            torch.mul(rise[0], rise[0], out=length).addcmul_(rise[1], rise[1]).sqrt_().mul_(STEEP).add_(1)
            dual.add_(rise, alpha=TIME_STEP).div_(length)
