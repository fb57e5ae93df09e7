"""Autoencoders of descriptors and of grey volumes, whose codes are clustered."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from harness_dense_trajectories import rows as row_blocks

DESCRIPTOR = 396
"""Length of a descriptor: HOG 96, HOF 108, MBH 2 x 96."""
VOLUME = (12, 16, 16)
"""Frames, height and width of a grey volume."""


class Autoencoder(nn.Module):
    """Encoder with the decoder that it is trained with.

    The mean of the training samples is subtracted before the encoder, and no part of the reconstruction.

    Args:
        encoder: input less mean (N, *shape) -> what the decoder takes.
        decoder: what the encoder gives -> (N, *shape).
        shape: of one input.
        dim: length of a code.
        top: what the encoder gives -> codes (N, dim).
        scale: factor of the samples' values.
        centred: subtract each sample's own mean from it, so that a volume's brightness is no part of its code.

    Source: Hou, Wu, Chen, Luo and Jia, "Unsupervised deep learning of mid-level video representation for action
    recognition", AAAI 2018, "Pre-training".
    """

    mean: Tensor
    """(*shape), 0 until it is set."""

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        *,
        shape: tuple[int, ...],
        dim: int,
        top: nn.Module | None = None,
        scale: float = 1.0,
        centred: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.top = nn.Identity() if top is None else top
        self.dim = dim
        self.scale = scale
        self.centred = centred
        self.register_buffer("mean", torch.zeros(shape))

    def prepared(self, rows: Tensor) -> Tensor:
        """Scaled samples less their mean, (N, *shape) floating-point.

        Raises:
            ValueError: when the rows are no samples of this network.
        """
        expected = self.mean.shape[-3:]  # without the channel
        if rows.shape[1:] != expected:
            msg = f"expected samples (N, {', '.join(map(str, expected))}), got {tuple(rows.shape)}"
            raise ValueError(msg)
        x = rows.to(self.mean.dtype).reshape(-1, *self.mean.shape) * self.scale
        if self.centred:
            x = x - x.flatten(1).mean(1).view(-1, *[1] * self.mean.ndim)
        return x - self.mean

    def encode(self, rows: Tensor) -> Tensor:
        """Codes (N, dim) of samples."""
        codes: Tensor = self.top(self.encoder(self.prepared(rows)))
        return codes

    def reconstruct(self, rows: Tensor) -> Tensor:
        """Decode the encoded samples, (N, *shape), without their mean."""
        decoded: Tensor = self.decoder(self.encoder(self.prepared(rows)))
        return decoded

    @torch.no_grad()
    def codes(self, samples: Tensor) -> Tensor:
        """Codes (N, dim) of many samples, in evaluation mode and without gradient."""
        self.eval()
        codes = self.mean.new_empty(len(samples), self.dim)
        start = 0
        for block in self.blocks(samples):
            codes[start : start + len(block)] = self.encode(block)
            start += len(block)
        return codes

    @torch.no_grad()
    def set_mean(self, samples: Tensor) -> None:
        """Take up the mean of the samples (N, ...)."""
        self.mean.zero_()
        total = torch.zeros_like(self.mean, dtype=torch.float64)
        for block in self.blocks(samples):
            total += self.prepared(block).double().sum(0)
        self.mean.copy_(total / len(samples))

    @torch.no_grad()
    def standardise(self, samples: Tensor) -> None:
        """Give the codes of the samples mean 0, and deviation 1 on average.

        The encoder's last layer is scaled and its bias shifted, nothing else: relations of distances stay. The average
        is the root of the mean variance over the code's numbers. Numbers that share a bias, those of one filter, have
        mean 0 together. The decoder is still one of the former codes.

        Raises:
            ValueError: when all codes are equal.
        """
        last = [layer for layer in self.encoder.modules() if isinstance(layer, nn.Linear | nn.Conv3d)][-1]
        assert last.bias is not None
        total = torch.zeros(self.dim, dtype=torch.float64, device=self.mean.device)
        squares = torch.zeros_like(total)
        for block in self.blocks(samples):
            codes = self.encode(block).double()
            total += codes.sum(0)
            squares += codes.square().sum(0)
        mean = total / len(samples)
        deviation = (squares / len(samples) - mean.square()).mean().clamp_min(0).sqrt()
        if not deviation > 1e-6 * (squares.mean() / len(samples)).sqrt():
            msg = f"expected samples of different codes to standardise by, got {len(samples)} of equal ones"
            raise ValueError(msg)
        shared = mean.reshape(len(last.bias), -1).mean(1)
        last.weight.copy_(last.weight.double() / deviation)
        last.bias.copy_((last.bias.double() - shared) / deviation)

    def blocks(self, samples: Tensor) -> Iterator[Tensor]:
        """Cut samples (N, ...) into blocks of rows that fit memory."""
        # By the input; layers have up to 16 times as many numbers, so that a block of volumes takes some 20 MB.
        for rows in row_blocks.blocks(len(samples), 4 * self.mean.numel(), samples.device):
            yield samples[rows]


class Interleave(nn.Module):
    """Interleaved channels of a map, (N, 8, T, H, W) -> (N, 1, 2T, 2H, 2W).

    Source: Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel convolutional
    neural network", CVPR 2016, eq. 4, in three dimensions.

    >>> Interleave()(torch.arange(8.0).view(1, 8, 1, 1, 1)).flatten().tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Interleave a map."""
        count, _, frames, height, width = x.shape
        parts = x.reshape(count, 2, 2, 2, frames, height, width).permute(0, 4, 1, 5, 2, 6, 3)
        return parts.reshape(count, 1, 2 * frames, 2 * height, 2 * width)


def descriptor_autoencoder(dim: int = DESCRIPTOR) -> Autoencoder:
    """Fully connected autoencoder of descriptors (N, dim) float32, codes of 198.

    Weights depend on torch's seed.

    Source: Hou et al. 2018, fig. 3. The order of the layers' sizes, and a decoder that mirrors the encoder, are
    inferred.

    >>> descriptor_autoencoder().encode(torch.zeros(2, 396)).shape
    torch.Size([2, 198])
    """
    sizes = (dim, 1000, 256, 198)
    encoder, decoder = _linear(*sizes), _linear(*sizes[::-1])
    return Autoencoder(encoder, decoder, shape=(dim,), dim=sizes[-1])


def volume_autoencoder() -> Autoencoder:
    """Convolutional autoencoder of grey volumes (N, 12, 16, 16) uint8, codes of 512.

    The decoder starts from the map before the pooling that makes the code. Its last convolution gives 2 x 2 x 2 pixels
    at each place: repeating pixels before a convolution of 3 x 5 x 5 to one channel is a special case of it, and five
    times as slow on a CPU. Weights depend on torch's seed.

    Source: Hou et al. 2018, fig. 4. The first convolution, sizes of pooling and the length of the code are given;
    other layers are inferred from them.

    >>> volume_autoencoder().encode(torch.zeros(2, 12, 16, 16, dtype=torch.uint8)).shape
    torch.Size([2, 512])
    """
    encoder = nn.Sequential(
        nn.Conv3d(1, 16, (3, 5, 5), padding="same"),
        nn.ReLU(),
        nn.MaxPool3d(2),
        nn.Conv3d(16, 32, 3, padding="same"),
        nn.ReLU(),
        nn.MaxPool3d(2),
        nn.Conv3d(32, 128, 3, padding=(0, 1, 1)),
    )
    decoder = nn.Sequential(
        nn.Upsample(size=(3, 4, 4)),
        nn.Conv3d(128, 32, 3, padding="same"),
        nn.ReLU(),
        nn.Upsample(size=(6, 8, 8)),
        nn.Conv3d(32, 16, 3, padding="same"),
        nn.ReLU(),
        nn.Conv3d(16, 8, 3, padding="same"),
        Interleave(),
    )
    top = nn.Sequential(nn.MaxPool3d((1, 2, 2)), nn.Flatten())
    return Autoencoder(encoder, decoder, shape=(1, *VOLUME), dim=512, top=top, scale=1 / 255, centred=True)


def _linear(*sizes: int) -> nn.Sequential:
    """Linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for wide, narrow in itertools.pairwise(sizes):
        layers += [nn.Linear(wide, narrow), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
