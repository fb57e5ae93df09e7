"""Colours by the matrix and the range that a file names, against the standards' own coefficients."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange

from harness.video.decode import decode

MATRICES = {
    1: (0.2126, 0.0722),  # BT.709
    4: (0.30, 0.11),  # FCC
    5: (0.299, 0.114),  # BT.470 BG
    6: (0.299, 0.114),  # SMPTE 170M
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020
}
"""Weights of red and blue in the luma, by the number in H.264."""
COLOURS = [(200, 40, 40), (40, 180, 60), (50, 60, 210), (230, 220, 40), (128, 128, 128), (20, 20, 20)]


def to_yuv(rgb, matrix, full):
    """Luma and chroma of one colour."""
    red, blue = MATRICES[matrix]
    r, g, b = (value / 255 for value in rgb)
    luma = red * r + (1 - red - blue) * g + blue * b
    chroma = (b - luma) / (2 * (1 - blue)), (r - luma) / (2 * (1 - red))
    if full:
        return [round(255 * luma), *(round(128 + 255 * value) for value in chroma)]
    return [round(16 + 219 * luma), *(round(128 + 224 * value) for value in chroma)]


@pytest.mark.parametrize("short_side", [None, 24])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", MATRICES)
def test_colours(tmp_path, matrix, full, short_side):
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        options = {"qp": "0"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = ColorRange.JPEG if full else ColorRange.MPEG
        for number, colour in enumerate(COLOURS):
            frame = av.VideoFrame(64, 48, "yuv420p")
            for plane, value in zip(frame.planes, to_yuv(colour, matrix, full), strict=True):
                plane.update(bytes([value]) * plane.buffer_size)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            frame.colorspace, frame.color_range = matrix, stream.codec_context.color_range
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.colorspace == matrix
    found = decode(path, short_side=short_side)
    centre = found[:, found.shape[1] // 2, found.shape[2] // 2].astype(int)
    assert np.abs(centre - np.array(COLOURS)).max() <= 4
