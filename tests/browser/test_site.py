"""A site of boards in a browser: filters by mouse and keyboard, narrow screens, names that stay text, links."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from harness.leaderboard.site.pages import method_file
from harness.system.text import one_line
from tests.leaderboard.conftest import HOSTILE

from .reach import faults, focused, sideways, tab_through, tab_to, visible_controls

PAGES = {
    "index": "index.html",
    "method": "methods/sfa.html",
    "hostile": f"methods/{method_file(HOSTILE)}",
    "changes": "changes.html",
}
FACETS = {
    "method": "sfa",
    "measured by": "knn: Top-1 accuracy",
    "measured on": "mocap-actions-unbiased(size=mini)",
    "labels": "read by the method",
    "paper": "Slow features",
}
"""A value of each filter; all but one fit rows of one data set to learn from."""


def shown(page):
    """Rows of the table of numbers that are drawn."""
    return page.locator("#board tbody tr:not(.heading):visible")


def counted(page):
    """Rows that fit, and all, as the page says."""
    return tuple(map(int, re.findall(r"\d+", page.locator("#count").text_content())))


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_open_without_network_and_break_no_rule_of_accessibility(site, visit, name, scheme):
    page = visit(site / PAGES[name], color_scheme=scheme)
    assert page.locator("h1").count() == 1
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")
    assert faults(page) == []


@pytest.mark.parametrize("title", FACETS)
def test_a_filter_leaves_the_rows_that_fit(site, visit, title):
    page = visit(site / "index.html")
    before = counted(page)
    page.get_by_role("combobox", name=title, exact=True).select_option(label=FACETS[title])
    fits, of = counted(page)
    assert 0 < fits < of == before[0]
    assert shown(page).count() == fits
    texts = page.locator("#board tbody:has(tr:not(.heading):visible)").all_text_contents()
    word = {"labels": "a reference, not ranked", "paper": "sfa"}.get(title, FACETS[title].partition(":")[0])
    assert all(word in text for text in texts)
    page.get_by_role("button", name="Show all").click()
    assert counted(page) == before


def test_filters_narrow_each_other_and_the_address_brings_them_back(site, visit):
    page = visit(site / "index.html")
    page.get_by_role("combobox", name="method", exact=True).select_option(label="sfa")
    several, _ = counted(page)
    page.get_by_role("searchbox", name="Search all rows").fill("knn mocap-actions(size=mini)")
    fewer, _ = counted(page)
    assert 0 < fewer < several
    again = visit(site / "index.html")
    again.goto(page.url)
    assert counted(again) == counted(page)
    assert again.get_by_role("combobox", name="method", exact=True).locator("option:checked").text_content() == "sfa"


def test_all_filters_work_by_keyboard_alone(site, visit):
    page = visit(site / "index.html")
    tab_to(page, "#filter")
    page.keyboard.type("clustering")
    assert 0 < counted(page)[0] < counted(page)[1]
    searched = counted(page)
    tab_to(page, "#facets select")
    page.keyboard.press("ArrowDown")
    assert 0 < counted(page)[0] < searched[0]
    tab_to(page, "#reset")
    page.keyboard.press("Space")
    assert counted(page)[0] == counted(page)[1]
    assert focused(page)["id"] == "reset"
    tab_to(page, "th[data-key=value] button")
    page.keyboard.press("Enter")
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    tab_to(page, "#board a.open")
    page.keyboard.press("Enter")
    page.wait_for_url("**/methods/*.html")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [1280, 360])
def test_the_tab_key_reaches_all_controls_in_their_order_and_one_sees_where_it_is(site, visit, name, width):
    page = visit(site / PAGES[name], width=width)
    stops = tab_through(page)
    assert [stop for stop in stops if not (stop["seen"] and stop["outlined"])] == []
    places = [stop["place"] for stop in stops]
    assert places == sorted(places)
    assert set(visible_controls(page)) <= set(places)


@pytest.mark.parametrize("name", PAGES)
def test_a_narrow_screen_shows_all_of_a_page_without_scrolling_it_sideways(site, visit, name):
    page = visit(site / PAGES[name], width=360)
    assert sideways(page) <= 0
    for control in page.locator(".filters :is(input, select, button):visible").all():
        box = control.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
        assert box["height"] >= 24
    assert faults(page) == []


@pytest.mark.parametrize("name", ["index", "hostile"])
def test_a_pinned_name_leaves_room_for_numbers(site, visit, name):
    page = visit(site / PAGES[name], width=360)
    widths = page.locator("#board .who:visible").evaluate_all("all => all.map(one => one.offsetWidth)")
    assert max(widths) <= page.locator(".scroll:has(#board)").evaluate("one => one.clientWidth") / 2


@pytest.mark.parametrize("name", ["index", "hostile"])
def test_names_that_would_act_show_as_text(site, visit, name):
    page = visit(site / PAGES[name])  # a dialog, or a picture asked for, would be a fault
    name = " ".join(one_line(HOSTILE).split())
    assert name in " ".join(page.locator("body").text_content().split())
    assert page.locator("#board :is(img, script)").count() == 0


def test_hostile_values_can_be_chosen(site, visit):
    page = visit(site / "index.html")
    select = page.get_by_role("combobox", name="method", exact=True)
    [value] = [one for one in select.locator("option").all_text_contents() if "alert(1)" in one]
    select.select_option(label=value)
    chosen = counted(page)
    assert 0 < chosen[0] < chosen[1]
    page.reload()
    assert counted(page) == chosen


def test_a_method_has_every_metric_of_all_boards(site, visit):
    page = visit(site / "methods" / "sfa.html")
    assert counted(page)[0] == shown(page).count()
    boards = {unquote(link.get_attribute("href")) for link in shown(page).locator("td.of a").all()}
    assert boards == {"../boards/many/index.html", "../boards/a # b/index.html"}


def test_changes_name_what_moved_came_and_went(site, visit):
    page = visit(site / "index.html")
    page.get_by_role("link", name="changes").click()
    assert {"Changed", "Appeared"} <= set(page.locator("h2").all_text_contents())
    row = page.locator("section:has(#changed) tbody tr").first
    assert re.search(r"sfa.*[+-]\d", row.text_content().replace("\n", " "))


def test_all_links_lead_to_a_page_with_a_heading(site, visit):
    page, seen, waiting = visit(site / "index.html"), set(), [(site / "index.html").as_uri()]
    while waiting:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        path = Path(unquote(urlsplit(address).path))
        assert path.is_relative_to(site)
        assert path.is_file()
        if path.suffix == ".html" and "boards" not in path.relative_to(site).parts:
            page.goto(address)
            assert page.locator("h1").text_content().strip()
            waiting += page.locator("a[href]").evaluate_all("all => all.map(one => one.href.split('#')[0])")
    assert len(seen) > len(PAGES)


def test_tables_stand_without_scripts(site, visit):
    page = visit(site / "index.html", java_script_enabled=False)
    assert shown(page).count() > 20
    assert not page.locator(".filters").is_visible()


def test_the_column_of_seeds_sorts_by_their_number(site, visit):
    page = visit(site / "methods/sfa.html")
    numbers = "[...document.querySelectorAll('#board tbody')].map((body) => [...body.querySelectorAll('td.seeds')])"
    page.evaluate(f"{numbers}.forEach((cells) => cells.forEach((cell, n) => (cell.dataset.sort = [2, 10, 3][n % 3])))")
    page.locator("th[data-key=seeds] button").click()
    for group in page.evaluate(f"{numbers}.map((cells) => cells.map((cell) => Number(cell.dataset.sort)))"):
        assert group == sorted(group, reverse=True)
