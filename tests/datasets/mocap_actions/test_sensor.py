"""Light and sensor: exposure, gamma, noise that moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.datasets.mocap_actions.sensor import MARGIN, sensor

GREY = np.full((48, 64, 3), 128, np.uint8)


@pytest.fixture
def plain():
    """A sensor of four frames that changes nothing."""
    seconds = np.arange(4) / 12
    drawn = sensor(np.random.default_rng(0), seconds=seconds, width=64, height=48)
    return replace(drawn, gains=np.ones((4, 3)), gamma=1.0, softness=0.0, noise=np.zeros_like(drawn.noise))


def test_a_plain_sensor_records_the_image(plain):
    assert (plain.expose(0, GREY) == GREY).all()


def test_gains_and_gamma_change_the_light(plain):
    tinted = replace(plain, gains=np.array([[0.5, 1.0, 1.5]] * 4)).expose(0, GREY)
    assert tinted[0, 0].tolist() == [64, 128, 192]
    darker = replace(plain, gamma=2.0).expose(0, GREY)
    assert darker[0, 0, 0] == round(255 * (128 / 255) ** 2)


def test_a_frame_gets_its_own_part_of_the_noise(plain):
    noise = np.arange((48 + MARGIN) * (64 + MARGIN), dtype=np.int16).reshape(48 + MARGIN, 64 + MARGIN, 1) % 50
    noisy = replace(plain, noise=noise.repeat(3, 2), shifts=np.array([[0, 0], [1, 2], [0, 0], [MARGIN, MARGIN]]))
    first, second, third, fourth = (noisy.expose(frame, GREY) for frame in range(4))
    assert (first == third).all()
    assert (first[1:, 2:] == second[:-1, :-2]).all()
    assert fourth.shape == GREY.shape


def test_light_drifts_a_little_and_alike_for_equal_seeds():
    seconds = np.arange(50) / 12
    one, same = (sensor(np.random.default_rng(3), seconds=seconds, width=64, height=48) for _ in range(2))
    assert (one.gains == same.gains).all()
    assert 0 < np.abs(np.diff(one.gains, axis=0)).max() < 0.3
