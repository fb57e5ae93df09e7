"""The site: numbers as boards record them, one protocol a group, hostile text that stays text, whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import posixpath
from urllib.parse import unquote

import pytest

from harness.cards import MethodCard, Paper
from harness.errors import DataError, UsageError
from harness.leaderboard.render import FILES
from harness.leaderboard.results_file import dump, load_results
from harness.leaderboard.site import Site, earlier_boards, find_board, load_boards, publish_site
from harness.leaderboard.site.changes import compare
from harness.leaderboard.site.numbers import LABELS, NO_PAPER, numbers_table
from harness.leaderboard.site.pages import method_file, method_page
from harness.leaderboard.site.recorded import load_recorded

from .parsed import Page, sha

PAPER = Paper(title="Slow features", authors="A", year=2002, venue="NC", url="https://example.org/sfa")
CARDS = {"sfa": MethodCard(name="sfa", summary="Slow <b>.", paper=PAPER, deviations=("fewer frames",))}


def stored(board, folder, png):
    """A board's folder, without the seconds that its plots take."""
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / name).write_text(f"{name} of {folder.name}")
    (folder / "results.json").write_text(dump(board), encoding="utf-8")
    (folder / "picture-1.png").write_bytes(png)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory, board, small_board, hostile_board, labelled_board, png):
    home = tmp_path_factory.mktemp("boards")
    boards = {"big": board, "small": small_board, "a # b": hostile_board, "labelled": labelled_board}
    for name, one in boards.items():
        stored(one, home / name, png)
    return home


@pytest.fixture(scope="module")
def boards(home):
    return load_boards([home / name for name in ("big", "small", "a # b", "labelled")])


@pytest.fixture(scope="module")
def site(boards, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    publish_site(Site(boards, CARDS, boards[:1]), folder)
    return folder


@pytest.fixture(scope="module")
def pages(site):
    paths = [path for path in site.rglob("*.html") if "boards" not in path.parts]
    return {path.relative_to(site).as_posix(): Page(path.read_text(encoding="utf-8")) for path in paths}


@pytest.mark.parametrize("name", ["board", "troubled_board", "curved_board", "labelled_board"])
def test_recorded_numbers_are_those_that_the_board_computes(name, request, tmp_path, png):
    board = request.getfixturevalue(name)
    recorded = load_recorded(stored(board, tmp_path / "one", png))
    wanted = [
        (standing.row.method, column.heading, one.metric.id, one.interval, one.chance, len(one.values))
        for division in board.divisions
        for standing in division.standings
        for column in board.columns
        for one in standing.row.cell(column).metrics
        if one.interval
    ]
    several = len({column.data.label for column in board.columns}) > 1
    got = [
        (
            number.row.identity.method.label,
            number.cell.evaluator.label + (f" · {number.cell.data.label}" if several else ""),
            number.metric.id,
            number.interval,
            number.chance,
            len(number.seeds),
        )
        for number in recorded.numbers
    ]
    assert got == wanted
    assert [row.labelled for row in recorded.rows] == [
        standing.row.labelled for division in board.divisions for standing in division.standings
    ]


def test_folds_are_one_number(folds, make_board, tmp_path, png):
    board = make_board(folds)
    recorded = load_recorded(stored(board, tmp_path / "folds", png))
    got = {number.row.identity.method.name: number for number in recorded.numbers}
    for row in board.rows:
        number, cell = got[row.method], row.cells[0]
        assert number.interval == cell.interval
        assert dict(number.seeds) == pytest.approx(dict(cell.primary.values))
        assert len(number.keys) == 9


def test_a_seed_that_a_fold_lacks_is_none_of_the_mean(folds, make_board, tmp_path, png):
    """A fold without a seed, and one of an earlier version of the code, whose runs are all it has."""

    def changed(cell):
        fold, seed = cell.identity.data.options["fold"], cell.identity.seed
        lacking = {"run": None} if (fold, seed) == (3, 2) else {}
        return cell.model_copy(update={"key": "0" * 20} if fold == 1 else lacking)

    board = make_board([changed(cell) for cell in folds])
    recorded = load_recorded(stored(board, tmp_path / "folds", png))
    got = {number.row.identity.method.name: number for number in recorded.numbers}
    for row in board.rows:
        number, cell = got[row.method], row.cells[0]
        assert dict(number.seeds) == pytest.approx(dict(cell.primary.values))
        assert sorted(dict(number.seeds)) == [0, 1]
        assert len(number.keys) == 8


def test_the_index_has_the_ranking_number_of_every_cell(pages, boards):
    rows = [row for row in pages["index.html"].rows if len(row) == 6][1:]
    assert len(rows) == sum(number.primary for board in boards for number in board.numbers)
    first = next(row for row in rows if row[0].startswith("quadruplet"))
    number = next(
        one
        for one in boards[0].numbers
        if (one.row.identity.method.name, one.cell.evaluator.name) == ("quadruplet", "clustering")
    )
    interval = number.interval
    assert " ".join(first[1].split()) == f"{interval.mean:.2f} {interval.low:.2f}–{interval.high:.2f}"
    assert "big · rank 1 (1–2) of 5" in " ".join(first[5].split())


def test_only_one_protocol_stands_under_a_heading(boards):
    table = numbers_table([(board, number) for board in boards for number in board.numbers], {})
    for group in table.groups:
        assert {entry.number.protocol for entry in group.entries} == {group.first.protocol}
        assert {entry.number.metric.id for entry in group.entries} == {group.first.metric.id}
    together = {frozenset(entry.board.name for entry in group.entries) for group in table.groups}
    assert frozenset({"big", "small", "labelled"}) in together, "the same protocol on several boards is one group"


def test_groups_of_one_heading_say_in_what_they_differ(make_plan, make_board, fake, tmp_path, png):
    row, column, _ = fake
    networks = [make_plan([row("sfa", 0.4, backbone=name)], [column("knn")]) for name in ("small_2d", "small_3d")]
    found = [
        load_recorded(stored(make_board(planned), tmp_path / str(place), png)) for place, planned in enumerate(networks)
    ]
    table = numbers_table([(board, number) for board in found for number in board.numbers], {})
    assert {group.differences for group in table.groups} == {"view.frames 1", "view.frames 16"}


def test_rows_carry_what_they_are_filtered_by(boards):
    table = numbers_table([(board, number) for board in boards for number in board.numbers], CARDS)
    for group in table.groups:
        for entry in group.entries:
            codes = [code.split(",") for code in entry.codes.split()]
            value = {
                facet["key"]: [facet["values"][int(code)] for code in own]
                for facet, own in zip(table.facets, codes, strict=True)
            }
            row = entry.number.row
            assert value["labels"] == [LABELS[entry.kind]]
            assert value["paper"] == ["Slow features" if row.identity.method.name == "sfa" else NO_PAPER]
            assert value["measure"][0].startswith(f"{entry.number.cell.evaluator.name}: ")
    assert set(table.facets[4]["values"]) == set(LABELS.values())


def test_a_row_of_others_is_found_by_its_parts(boards):
    board = boards[1]
    parts = [{"name": name, "options": {}} for name in ("sfa", "quadruplet")]
    number = board.numbers[0]
    both = {"name": "both", "options": {"of": parts, "by": "vectors"}}
    identity = number.row.identity.model_copy(update={"method": type(number.row.identity.method)(**both)})
    row = dataclasses.replace(number.row, identity=identity)
    table = numbers_table([(board, dataclasses.replace(number, row=row))], CARDS)
    assert table.facets[0]["values"] == ["both", "sfa", "quadruplet"]
    assert table.facets[5]["values"] == ["Slow features"]
    assert table.groups[0].entries[0].codes == "0,1,2 0 0 0 0 0"


def test_a_method_has_every_metric_its_seeds_and_its_card(pages, boards):
    page = pages["methods/sfa.html"]
    text = " ".join("".join(page.text).split())
    rows = [row for row in page.rows if len(row) == 6][1:]
    own = [one for board in boards for one in board.numbers if one.row.identity.method.name == "sfa"]
    assert len(rows) == len(own)
    assert "Slow <b>." in text
    assert "fewer frames" in text
    assert "Slow features. A; NC 2002. https://example.org/sfa" in text
    assert any("0: " in row[3] and "4: " in row[3] for row in rows)


def test_hostile_text_shows_as_text(site, pages, hostile):
    name = method_file(hostile)
    assert name != f"{hostile}.html"
    assert (site / "methods" / name).is_file()
    for page in pages.values():
        assert {tag for tag, _ in page.tags}.isdisjoint({"img", "iframe", "object", "embed", "link", "base", "form"})
        assert sum(tag == "script" for tag, _ in page.tags) == 3
    shown = "".join(pages[f"methods/{name}"].text)
    assert "<script>alert(1)</script>" in shown
    assert "\u202e" not in shown
    source = (site / "index.html").read_text(encoding="utf-8")
    assert "<" not in source.split('id="island">')[1].split("</script>")[0]


def test_short_names_are_files_as_they_are_and_others_never_clash_with_them():
    assert method_file("index") == "index.html"
    odd = method_file("</script><b>")
    assert odd.startswith("_script-b-")
    assert odd != method_file("</script>.<b>")


def test_only_the_pages_own_scripts_and_styles_may_work(pages):
    for page in pages.values():
        runnable = [text for attributes, text in page.scripts if attributes.get("type") != "application/json"]
        assert page.policy["script-src"].split() == [sha(text) for text in runnable]
        assert page.policy["style-src"].split() == [sha(text) for _, text in page.styles]
        assert page.policy["default-src"] == "'none'"
        assert not any(
            attribute.startswith("on") or attribute in {"src", "style"}
            for _, attributes in page.tags
            for attribute in attributes
        )


def test_links_lead_to_files_of_the_site_and_nowhere_else(site, pages):
    seen = set()
    for place, page in pages.items():
        ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
        for _, attributes in page.tags:
            if "href" in attributes:
                target, _, anchor = attributes["href"].partition("#")
                if target:
                    path = posixpath.normpath(posixpath.join(posixpath.dirname(place), unquote(target)))
                    assert (site / path).is_file(), attributes["href"]
                    seen.add(path)
                else:
                    assert anchor in ids
    assert {"index.html", "changes.html", "boards/a # b/index.html", "methods/sfa.html"} <= seen


def test_boards_are_copied_whole(site, home):
    for folder in home.iterdir():
        copy = site / "boards" / folder.name
        assert {path.name: path.read_bytes() for path in copy.iterdir()} == {
            path.name: path.read_bytes() for path in folder.iterdir()
        }
    assert load_results(site / "boards" / "small" / "results.json").suite == "quickstart"


def test_many_rows_wait_until_they_are_looked_at(pages, boards):
    rows = [attributes for tag, attributes in pages["methods/sfa.html"].tags if "data-is" in attributes]
    assert not any("later" in attributes["class"] for attributes in rows)
    many = [(boards[0], number) for number in boards[0].numbers] * 9
    drawn = [entry.later for group in numbers_table(many, {}).groups for entry in group.entries]
    assert drawn == [False] * 100 + [True] * (len(many) - 100)


def changed(folder, out, change):
    """A copy of a board whose results were changed."""
    content = json.loads((folder / "results.json").read_text())
    change(content)
    for path in folder.iterdir():
        out.mkdir(parents=True, exist_ok=True)
        (out / path.name).write_bytes(path.read_bytes())
    (out / "results.json").write_text(json.dumps(content))
    return out


def test_changes_tell_what_moved_and_how_far(home, tmp_path):
    def change(content):
        first, second = content["table"][0]["cells"]
        for name in ("mean", "low", "high"):
            first["interval"][name] -= 0.2
        second["interval"]["mean"] += 1e-12
        content["table"][1]["cells"][0]["interval"]["mean"] += 0.001
        content["table"][1]["cells"][1]["interval"] = None
        for cell in content["planned"]:
            if cell["identity"]["evaluator"]["name"] == "clustering":
                cell["run"]["key"] = "0" * 20

    after = load_boards([home / "small"])
    before = load_boards([changed(home / "small", tmp_path / "small", change)])
    changes = compare(before, after)
    assert [(one.difference, one.verdict, one.rekeyed) for one in changes.changed] == [
        ("+20.0", "beyond", False),
        ("-0.1", "within", False),
    ]
    assert [number.metric.id for _, number in changes.appeared] == ["conditional_entropy"]
    assert [(board.name, count) for board, count in changes.rekeyed] == [("small", 1)]
    assert (changes.disappeared, changes.kept) == ((), 0)
    assert [number.metric.id for _, number in compare(after, before).disappeared] == ["conditional_entropy"]


def test_boards_come_and_go(boards):
    changes = compare(boards[:2], boards[1:3])
    assert [board.name for board in changes.boards_appeared] == ["a # b"]
    assert [board.name for board in changes.boards_disappeared] == ["big"]
    assert changes.kept == len(boards[1].numbers)


def test_an_earlier_version_is_a_site_or_a_folder_of_boards(site, home, tmp_path):
    names = ["a # b", "big", "labelled", "small"]
    assert [board.name for board in earlier_boards(site)] == names
    assert [board.name for board in earlier_boards(home)] == names
    with pytest.raises(UsageError, match="expected a site, or a folder of boards"):
        earlier_boards(tmp_path)


def test_a_site_written_again_loses_what_it_had_more_and_keeps_files_of_others(boards, tmp_path):
    folder = tmp_path / "site"
    publish_site(Site(boards[:2], CARDS, boards[:1]), folder)
    (folder / "CNAME").write_text("example.org")
    written = publish_site(Site(boards[1:2], {}), folder)
    there = {path for path in folder.rglob("*") if path.is_file()}
    assert there == {*written, folder / "CNAME"}
    assert not (folder / "methods" / "quadruplet.html").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_folders_of_others_are_left_alone(boards, tmp_path):
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "mine.py").write_text("mine")
    with pytest.raises(UsageError, match="new or empty folder"):
        publish_site(Site(boards[1:2], {}), tmp_path)
    (tmp_path / "site.json").write_text("[]")
    with pytest.raises(UsageError, match="not the list of a site's files"):
        publish_site(Site(boards[1:2], {}), tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["mine.py", "site.json"]


def test_a_board_without_its_page_leaves_nothing_behind(home, tmp_path):
    board = changed(home / "small", tmp_path / "small", lambda content: None)
    (board / "index.html").unlink()
    with pytest.raises(DataError, match=r"index\.html is missing; `harness leaderboard"):
        publish_site(Site(load_boards([board]), {}), tmp_path / "site")
    assert [path.name for path in tmp_path.iterdir()] == ["small"]


def test_two_boards_of_one_name_and_unknown_ones_are_errors(home, tmp_path):
    other = changed(home / "small", tmp_path / "Small", lambda content: None)
    with pytest.raises(UsageError, match="would be one folder in the site"):
        load_boards([home / "small", other])
    assert find_board("small", home) == home / "small"
    assert find_board(other, home) == other
    with pytest.raises(UsageError, match=r"unknown board 'small'; .*nowhere/ has none: `harness run SUITE` writes one"):
        find_board("small", home / "nowhere")
    with pytest.raises(UsageError, match=r"unknown board 'smal'; did you mean 'small'\?"):
        find_board("smal", home)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda content: content.update(format=2), "its format is 2, this version of video-harness reads 1"),
        (lambda content: content["table"][0].pop("cells"), "not the results of a board"),
        (lambda content: content["table"][0].update(method="another"), "not the results of a board"),
        (lambda content: content["table"][0].update(cells=[]), "not the results of a board"),
        (lambda content: content["evaluators"].pop("knn"), "not the results of a board"),
    ],
)
def test_results_that_cannot_be_read_are_one_line(home, tmp_path, damage, said):
    board = changed(home / "small", tmp_path / "small", damage)
    with pytest.raises(DataError, match=said) as caught:
        load_boards([board])
    assert str(board / "results.json") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["boards/mynotes.txt", "methods/sub/y"])
def test_files_of_others_in_folders_of_the_site_are_named_and_kept(boards, tmp_path, name):
    folder = tmp_path / "site"
    publish_site(Site(boards[:2], CARDS), folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("mine")
    with pytest.raises(UsageError, match="no file of the site, and would be lost"):
        publish_site(Site(boards[:2], CARDS), folder)
    assert (folder / name).read_text() == "mine"


def test_parts_have_links_where_they_have_pages(boards):
    board = boards[1]
    parts = [{"name": name, "options": {}} for name in ("sfa", "elsewhere")]
    number = board.numbers[0]
    both = type(number.row.identity.method)(name="both", options={"of": parts, "by": "vectors"})
    row = dataclasses.replace(number.row, identity=number.row.identity.model_copy(update={"method": both}))
    page = method_page("both", [dataclasses.replace(board, rows=(row, *board.rows))], {})
    assert 'Made of <a href="../methods/sfa.html">sfa</a>, elsewhere.' in page
