"""Text in pictures: every character in a font that has it, or spelt out, never a box."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from harness.pictures.lettering import FONTS, LIMIT, Lettering, _font, _missing, runs
from harness.pictures.sheet import sheet


def drawn(text, **options):
    picture = Image.new("L", (400, 80), 255)
    Lettering(20).write(ImageDraw.Draw(picture), (200, 40), text, **options)
    return np.asarray(picture) < 128


@pytest.mark.parametrize("text", ["äÖßéŁğΩЖ½×–…→“ạ", "跑步漢字かなカナ한국어", "Jump 跑 ä", "a\u0308", "नमस्ते"])
def test_letters_of_many_scripts_are_drawn_in_a_font_that_has_them(text):
    for place, part in runs(text):
        assert "\\u" not in part
        for char in part:
            assert bytes(_font(place, 16).getmask(char)) != _missing(place)
    assert {place for place, _ in runs(text)} <= set(range(len(FONTS)))


def test_what_no_font_has_is_spelt_out():
    assert runs("x\U0001f3c3y") == [(0, r"x\U0001f3c3y")]
    assert runs("\u0639") == [(0, r"\u0639")]


def test_text_from_outside_stays_on_its_line():
    assert runs("a\nb\x1b[31m\udce9") == [(0, r"a b\x1b[31m\xe9")]
    assert len(runs("x" * 20_000)[0][1]) == LIMIT
    assert runs("") == []


def test_lines_stand_around_their_place():
    left, right = drawn("HHH"), drawn("HHH", right=True)
    assert not left[:, :199].any()
    assert not right[:, 201:].any()
    assert left.sum() == pytest.approx(right.sum(), rel=0.1)
    one, three = (np.flatnonzero(drawn(text).any(1)) for text in ("HHH", "HHH\nHHH\nHHH"))
    assert abs(one.mean() - 40) < 2
    assert abs(three.mean() - 40) < 2
    assert not drawn("").any()


def test_a_long_name_makes_no_wide_sheet():
    frame = np.zeros((10, 10, 3), np.uint8)
    names = "x" * 20_000, "x" * LIMIT
    widths = [Image.open(io.BytesIO(sheet([(name, [frame])], 80))).width for name in names]
    assert widths[0] == pytest.approx(widths[1], abs=20)
    assert widths[0] < 1000
