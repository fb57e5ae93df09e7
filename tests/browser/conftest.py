"""Pages in Chromium, which has no network: what a page asks for, and every error it reports, fails its test."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from harness.cards import MethodCard, Paper
from harness.leaderboard.page import page
from harness.leaderboard.render import FILES, specifications
from harness.leaderboard.results_file import dump
from harness.leaderboard.site import Site, load_boards, publish_site
from tests.leaderboard.conftest import (
    COLUMNS,
    HOSTILE,
    ROWS,
    FakeColumn,
    FakeRow,
    board_of,
    change,
    picture,
    plan,
    with_hostile_names,
)

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
LONG = FakeRow("midlevel_softmax", 0.33, options={"clusters": 32, "network": "volumes", "pretraining_epochs": 3})
SLOW = Paper(title="Slow features", authors="A", year=2002, venue="NC", url="https://example.org/sfa")
METHODS = {"sfa": MethodCard(name="sfa", summary="Slow <b>.", paper=SLOW, deviations=("fewer frames",))}


def missing(said):
    """Skip, but not in the environment that is there for these tests."""
    (pytest.fail if os.environ.get("TOX_ENV_NAME") == "browser" else pytest.skip)(said)


def executable(playwright):
    """A browser that the library fetched, else one of the system."""
    own = Path(playwright.chromium.executable_path)
    found = str(own) if own.is_file() else next(filter(None, map(shutil.which, BROWSERS)), None)
    return found or missing("no Chromium: install it, or `playwright install chromium`")


@pytest.fixture(scope="session")
def library():
    """What drives browsers; without it no board is made either."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("a group of its own: pip install --group browser")
    return sync_playwright


@pytest.fixture(scope="module")
def chromium(library):
    """A browser for a file's tests; its event loop would be in the way of other files'."""
    with library() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(playwright))
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium):
    """Opens a file, offline; afterwards nothing may have been asked for or complained of."""
    faults, contexts = [], []

    def visit(path, *, width=1280, **options):
        context = chromium.new_context(viewport={"width": width, "height": 800}, offline=True, **options)
        contexts.append(context)
        opened = context.new_page()
        opened.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        opened.on("pageerror", lambda error: faults.append(str(error)))
        opened.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
        opened.on("request", lambda asked: None if _own(asked.url) else faults.append(asked.url))
        opened.goto(Path(path).as_uri())
        return opened

    yield visit
    for context in contexts:
        context.close()
    assert faults == []


def _own(url):
    return url.startswith("data:") or (url.startswith("file:") and url.partition("#")[0].endswith(".html"))


def page_of(board):
    """A board's page; scripts draw its plots, so that none is needed beside."""
    specification, own = specifications(board)
    return page(board, specification, picture(), own)


def stored(board, folder):
    """A board's folder whose page is a real one."""
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / name).write_text(name)
    (folder / "results.json").write_text(dump(board), encoding="utf-8")
    (folder / "index.html").write_text(page_of(board), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def many(library):
    """Eight rows, some with long names, in five columns."""
    columns = (*COLUMNS, FakeColumn("pose"))
    planned = plan((*ROWS, LONG, FakeRow("both", 0.5, backbone="small_2d")), columns, (0, 1))
    return board_of(change(planned, "frame_order", "pose", run=None, not_applicable="no feature map"))


@pytest.fixture(scope="session")
def site(many, tmp_path_factory):
    """A site of a plain and a hostile board, with an earlier version of the first."""
    home = tmp_path_factory.mktemp("boards")
    texts = dict.fromkeys(("title", "summary", "suite", "suite_hash", "command"), HOSTILE)
    hostile = board_of(with_hostile_names(), caption=HOSTILE, **texts)
    earlier = board_of(plan((FakeRow("sfa", 0.3, options={"dim": 64}), *ROWS[2:]), COLUMNS, (0, 1)))
    boards = load_boards([stored(many, home / "many"), stored(hostile, home / "a # b")])
    before = load_boards([stored(earlier, home / "earlier" / "many")])
    publish_site(Site(boards, METHODS, before), home / "site")
    return home / "site"
