"""Text in pictures: Latin, Greek, Cyrillic, Devanagari, Chinese, Japanese, Korean."""

from __future__ import annotations

import functools
import unicodedata
from importlib.resources import files
from itertools import groupby

from PIL import ImageDraw, ImageFont

from harness.system.text import printable

FONTS = (
    ("fontpkg_noto_sans", "files/NotoSans[wdth,wght].ttf"),
    ("noto_cjk_sans_jp_regular", "NotoSansCJKjp-Regular.otf"),
)
"""Packages and files, in the order in which a character is looked for."""
LIMIT = 60
"""Characters of a line, so that a long name makes no wide picture."""
LEADING = 1.35
"""Height of a line, in sizes of the text."""
_NOBODYS = "\U0010ffff"
"""A character that no font has."""


class Lettering:
    r"""Text of one size, each character in the first font that has it.

    One that none has is spelt out: `\u0639`.

    Args:
        size: of the text, in pixels.
    """

    def __init__(self, size: float) -> None:
        self.size = size

    def width(self, line: str) -> float:
        """Width of a line in pixels."""
        return sum(_font(place, self.size).getlength(part) for place, part in runs(line))

    def write(
        self,
        draw: ImageDraw.ImageDraw,
        place: tuple[float, float],
        text: str,
        *,
        fill: str | tuple[int, int, int] = "black",
        right: bool = False,
    ) -> None:
        """Draw lines whose left edge, or right one, and middle are at a place.

        Args:
            draw: the picture.
            place: x and y in pixels.
            text: its lines are separated by newlines.
            fill: colour.
            right: whether lines end at x rather than begin there.
        """
        lines = text.split("\n")
        x, middle = place
        baseline = middle + self.size * (0.36 - LEADING * (len(lines) - 1) / 2)  # capitals are 0.72 high
        for line in lines:
            left = x - self.width(line) if right else x
            for font_place, part in runs(line):
                font = _font(font_place, self.size)
                draw.text((left, baseline), part, fill=fill, font=font, anchor="ls")
                left += font.getlength(part)
            baseline += LEADING * self.size


def runs(line: str) -> list[tuple[int, str]]:
    r"""Split a line into parts of one font each.

    >>> runs("Jump 跑步 far"), runs("x\u0639")
    ([(0, 'Jump '), (1, '跑步'), (0, ' far')], [(0, 'x\\u0639')])
    """
    shown = unicodedata.normalize("NFC", printable(line, LIMIT))
    placed = [place for char in shown for place in _placed(char)]
    return [(place, "".join(char for _, char in part)) for place, part in groupby(placed, key=lambda one: one[0])]


@functools.lru_cache(maxsize=4096)
def _placed(char: str) -> tuple[tuple[int, str], ...]:
    """Number of the font that has a character; its code in the first where none has."""
    for place in range(len(FONTS)):
        if bytes(_font(place, 16).getmask(char)) != _missing(place):
            return ((place, char),)
    return tuple((0, digit) for digit in char.encode("ascii", "backslashreplace").decode())


@functools.cache
def _missing(place: int) -> bytes:
    return bytes(_font(place, 16).getmask(_NOBODYS))


@functools.lru_cache(maxsize=64)
def _font(place: int, size: float) -> ImageFont.FreeTypeFont:
    package, file = FONTS[place]
    return ImageFont.truetype(str(files(package).joinpath(file)), size)
