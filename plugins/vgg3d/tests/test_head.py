"""The head: sizes, a slow twin, and what it does with the order of frames."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import conv3d, max_pool3d

from harness.errors import UsageError
from harness_vgg3d.head import Head

SHAPE = (3, 7, 4, 5)


def head(kernel=3, **options):
    torch.manual_seed(0)
    options = {"channels": 4, "units": 6, "dropout": 0.5} | options
    return Head(SHAPE, kernel=kernel, **options).eval()


@pytest.fixture
def maps():
    return torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(1))


def test_sizes_are_those_of_the_paper():
    """1,024 numbers a crop, so that 4,096 of C3D and the maximum over crops are 5,120."""
    network = Head((512, 30, 14, 14), channels=128, units=1024, kernel=3, dropout=0.5).to("meta")
    assert network(torch.zeros(2, 512, 30, 14, 14, device="meta")).shape == (2, 1024)
    assert network.layers.fc1.in_features == 128 * 10 * 7 * 7
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(67e6, rel=0.02)


@pytest.mark.parametrize("kernel", [1, 3])
def test_it_is_what_its_layers_say_one_after_the_other(maps, kernel):
    network = head(kernel).double()
    layers, maps = network.layers, maps.double()
    padded = conv3d(maps, layers.convolution.weight, layers.convolution.bias, padding=(kernel // 2, 1, 1))
    pooled = max_pool3d(padded.clamp(min=0), (3, 2, 2))
    assert pooled.shape == (2, 4, 2, 2, 2)
    hidden = (pooled.reshape(2, -1) @ layers.fc1.weight.T + layers.fc1.bias).clamp(min=0)
    expected = (hidden @ layers.fc2.weight.T + layers.fc2.bias).clamp(min=0)
    torch.testing.assert_close(network(maps), expected)


def test_a_convolution_commutes_with_shuffled_frames_for_a_kernel_of_one_alone(maps):
    order = [3, 0, 6, 1, 5, 2, 4]
    one, three = (head(kernel).layers.convolution for kernel in (1, 3))
    torch.testing.assert_close(one(maps[:, :, order]), one(maps)[:, :, order])
    assert (three(maps[:, :, order]) - three(maps)[:, :, order]).abs().max() > 0.1


def test_the_vectors_see_time_with_either_kernel(maps):
    """Fully connected layers behind the convolution have a weight for each time."""
    order = [6, 5, 4, 3, 2, 1, 0]
    for kernel in (1, 3):
        network = head(kernel)
        assert (network(maps[:, :, order]) - network(maps)).abs().max() > 1e-3


def test_frames_that_are_alike_have_no_order():
    still = torch.randn(2, 3, 1, 4, 5, generator=torch.Generator().manual_seed(2)).expand(-1, -1, 7, -1, -1)
    network = head()
    assert torch.equal(network(still[:, :, [3, 0, 6, 1, 5, 2, 4]]), network(still))


def test_a_convolution_of_one_frame_is_one_of_images(maps):
    convolution = head(1).layers.convolution
    image = nn.Conv2d(3, 4, 3, padding=1)
    image.load_state_dict({"weight": convolution.weight[:, :, 0], "bias": convolution.bias})
    for frame in range(SHAPE[1]):
        torch.testing.assert_close(convolution(maps)[:, :, frame], image(maps[:, :, frame]))


def test_a_kernel_that_is_a_delta_in_time_keeps_time(maps):
    convolution = head().layers.convolution
    with torch.no_grad():
        convolution.weight.zero_()
        convolution.bias.zero_()
        convolution.weight[range(3), range(3), 1, 1, 1] = 1
    torch.testing.assert_close(convolution(maps)[:, :3], maps)


def test_every_frame_of_the_kernel_is_learnt(maps):
    network = head().train()
    network.examples(maps).square().sum().backward()
    assert (network.layers.convolution.weight.grad.abs().sum((0, 1, 3, 4)) > 0).all()


def test_gradients_are_right(maps):
    network = head(channels=2, units=3).double()
    assert torch.autograd.gradcheck(network, maps[:1].double().requires_grad_())


def test_a_clip_is_one_example(maps):
    network = head()
    assert torch.equal(network.examples(maps), network(maps)[:, None])


def test_half_of_the_units_are_dropped_in_training_alone(maps):
    network = head()
    still = network(maps)
    assert torch.equal(still, network(maps))
    network.train()
    hidden = []
    network.layers.dropout1.register_forward_hook(lambda module, inputs, output: hidden.append((inputs[0], output)))
    for _ in range(100):
        network(maps)
    before, after = (torch.stack(rows) for rows in zip(*hidden, strict=True))
    assert (after[before > 0] == 0).double().mean() == pytest.approx(0.5, abs=0.06)
    torch.testing.assert_close(after[after > 0], 2 * before[after > 0])


@pytest.mark.parametrize("shape", [(3, 2, 4, 5), (3, 7, 1, 5), (3, 7, 4, 1)])
def test_maps_smaller_than_the_pool_are_refused(shape):
    with pytest.raises(UsageError, match=r"expected maps of at least \(3, 2, 2\) frames, rows and columns, got"):
        Head(shape, channels=4, units=6, kernel=3, dropout=0.0)
