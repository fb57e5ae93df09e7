"""Resized and cut frames that every peer gives: 112 x 112 from the middle."""

from __future__ import annotations

import cv2

SIDE, WIDE = 112, 149
"""Of the clip, and the width that 320 x 240 pixels have at that height."""
CENTRE = slice((WIDE - SIDE) // 2, (WIDE - SIDE) // 2 + SIDE)


def small(frame):
    """(240, 320, 3) resized by the mean of the area, and its centre cut out."""
    return cv2.resize(frame, (WIDE, SIDE), interpolation=cv2.INTER_AREA)[:, CENTRE]
