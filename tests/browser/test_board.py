"""A board's page in a browser: details of a row, filter, plots, narrow screens, names that stay text."""

from __future__ import annotations

import pytest

from harness.system.text import one_line
from tests.leaderboard.conftest import HOSTILE

from .reach import faults, focused, sideways, tab_through, tab_to, visible_controls

BOARDS = {"many": "many", "hostile": "a # b"}


@pytest.fixture
def opened(site, visit):
    """Opens the page of a board, once all plots are drawn."""

    def opened(name, **options):
        page = visit(site / "boards" / BOARDS[name] / "index.html", **options)
        page.wait_for_function("[...document.querySelectorAll('.figure')].every(one => one.querySelector('svg'))")
        return page

    return opened


@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_pages_open_without_network_and_break_no_rule_of_accessibility(opened, name, scheme, width):
    page = opened(name, color_scheme=scheme, width=width)
    assert sideways(page) <= 0
    assert faults(page) == []
    page.locator("#board .open").first.click()
    assert sideways(page) <= 0
    assert page.locator("#details").evaluate("one => one.scrollWidth - one.clientWidth") <= 0
    assert faults(page) == []


@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize("width", [1280, 360])
def test_the_tab_key_reaches_all_controls_in_their_order_and_one_sees_where_it_is(opened, name, width):
    page = opened(name, width=width)
    stops = tab_through(page)
    assert [stop for stop in stops if not (stop["seen"] and stop["outlined"])] == []
    places = [stop["place"] for stop in stops]
    assert places == sorted(places)
    assert set(visible_controls(page)) <= set(places)


def test_a_pinned_name_leaves_room_for_numbers(opened):
    page = opened("many", width=360)
    for table in page.locator(".scroll:has(.who)").all():
        widths = table.locator(".who").evaluate_all("all => all.map(one => one.offsetWidth)")
        assert max(widths) <= table.evaluate("one => one.clientWidth") / 2


def test_rows_are_filtered_and_sorted_by_keyboard(opened):
    page = opened("many")
    tab_to(page, "#filter")
    page.keyboard.type("midlevel clusters")
    rows = page.locator("#board tbody tr:not(.heading):visible")
    assert rows.count() == 1
    assert page.get_by_role("status").text_content() == "1 of 8 rows"
    page.get_by_role("searchbox", name="Filter rows").fill("")
    tab_to(page, "th[data-key='0'] button")
    page.keyboard.press("Enter")
    values = [float(one) for one in rows.locator("td:nth-child(4) .mean").all_text_contents()]
    ranked = page.locator("#board tbody").first.locator("tr:not(.heading)").count()
    assert values[:ranked] == sorted(values[:ranked], reverse=True)


def test_details_of_a_row_open_and_close_by_keyboard(opened):
    page = opened("many", width=360)
    tab_to(page, "#board .open")
    name = focused(page)["text"]
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name=name)
    assert dialog.is_visible()
    tab_to(page, "#details summary")
    tab_to(page, "#details details:not([open]) > summary")
    page.keyboard.press("Enter")
    assert page.locator("#details details[open]").count() == 2
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert focused(page)["text"] == name


def test_names_that_would_act_show_as_text(opened):
    page = opened("hostile")
    name = " ".join(one_line(HOSTILE).split())
    assert page.title() == name
    page.locator("#board .open").first.click()
    assert name in " ".join(page.locator("#details").text_content().split())
    assert page.locator("#board :is(img, script), #details :is(img, script)").count() == 0


def test_copies_are_what_lies_beside(opened):
    page = opened("many")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy as CSV").click()
    page.get_by_role("button", name="copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("method,")
    assert "midlevel_softmax" in copied
