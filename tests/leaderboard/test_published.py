"""Published numbers: beside runs of the same data and protocol, and nowhere else; never in a rank or a test."""

from __future__ import annotations

import dataclasses
import json
import re

import pydantic
import pytest
from markdown_it import MarkdownIt

from harness.cards import Paper
from harness.leaderboard import with_references
from harness.leaderboard.published import Matcher, as_measured, printed, published_in
from harness.leaderboard.render import board_files, render
from harness.leaderboard.results_file import dump, load_results
from harness.leaderboard.sections import evaluator_sections
from harness.leaderboard.staleness import stale
from harness.leaderboard.table_csv import table_csv
from harness.plugins.manager import Plugins
from harness.store.choices import Choice, WrittenChoice
from harness.suites.references import Reference

PAPER = Paper(title="A [paper]", authors="Somebody", year=2019, venue="CVIU", url="https://x.org/a_(1)?b=1&c=2")
FILES = {"index.html", "table.csv", "results.json"}
FC6 = {"layer": "fc6", "stride": 20}


def reference(method="Lq", value=3.56, std=None, *, options=FC6, evaluator="clustering", data="ucf101", **changes):
    content = {
        "paper": PAPER,
        "table": "Table 2",
        "method": method,
        "value": value,
        "std": std,
        "metric": "conditional_entropy",
        "evaluator": Choice(name=evaluator, options=options),
        "data": Choice(name=data) if isinstance(data, str) else data,
        "pretraining": "UCF101 split 1, no labels",
    }
    return Reference(**{**content, **changes})


@pytest.fixture(scope="module")
def matcher():
    return Matcher(Plugins(points=[]))


@pytest.fixture(scope="module")
def ours(make_plan, make_board, fake):
    """Two rows on layers fc6 and fc7 of UCF101, and k-NN there."""
    row, column, _ = fake
    columns = [
        column("clustering", data="ucf101", options={**FC6, "layer": layer}, of_data={}) for layer in ("fc6", "fc7")
    ]
    columns.append(column("knn", data="ucf101", of_data={"fold": 1}))
    return make_board(make_plan([row("sfa", 0.4), row("quadruplet", 0.5)], columns, (0, 1)))


@pytest.fixture(scope="module")
def published(ours, matcher):
    """The same with three numbers of two tables, in one metric that is shown in bits and one in percent."""
    known = (
        reference("Lq fc6", 3.56, 0.01, note="frames | not stated", backbone="AlexNet"),
        reference("SFA fc6", 3.9, 0.0, note="frames | not stated", backbone="AlexNet", table="Table 1"),
        reference("VGG fc6", 3.0, 0.25, note="its own"),
        reference("k-NN", 51.25, evaluator="knn", options={}, metric="top1"),
        reference("Lq fc8", 1.0, options={**FC6, "layer": "fc8"}),
    )
    return with_references(ours, known, matcher.same)


def test_a_number_stands_in_its_own_column_only(published):
    beside = [[paper.numbers for paper in published_in(published, column)] for column in published.columns]
    methods = [[number.method for numbers in papers for number in numbers] for papers in beside]
    assert methods == [["Lq fc6", "SFA fc6", "VGG fc6"], [], ["k-NN"]]
    assert "Lq fc8" not in dump(published)
    (knn,) = [one for one in published.references if one.method == "k-NN"]
    assert knn.data.options == {"fold": 1}  # named as the board names it


def test_a_note_that_all_numbers_share_is_said_once(published):
    (paper,) = published_in(published, published.columns[0])
    shared, own = "frames | not stated", "its own"
    assert (paper.note, [number.note for number in paper.numbers]) == ("", [shared, shared, own])
    two = dataclasses.replace(published, references=published.references[:2])
    (paper,) = published_in(two, published.columns[0])
    assert (paper.note, [number.note for number in paper.numbers]) == (shared, ["", ""])
    assert [number.table for number in paper.numbers] == ["Table 2", "Table 1"]


def test_values_are_as_printed():
    shown = [
        printed(reference(value=v, std=s)) for v, s in ((3.56, 0.01), (2.0, 0.07), (6.31, 0.0), (75, None), (9.6, None))
    ]
    assert shown == ["3.56 ± 0.01", "2.00 ± 0.07", "6.31 ± 0.00", "75", "9.6"]


def test_an_average_over_folds_stands_beside_the_same_average_alone(matcher):
    theirs = reference(data=Choice(name="ucf101", options={"fold": [1, 2, 3]}))
    evaluator = Choice(name="clustering", options=FC6)
    folds = [[1, 2, 3], [1, 2], 1]
    same = [matcher.same(theirs, evaluator, Choice(name="ucf101", options={"fold": fold})) for fold in folds]
    assert same == [True, False, False]


def changed(board, make_board, edit):
    """The board of the same plan with each run edited."""
    return make_board([cell.model_copy(update={"run": edit(cell.run)}) for cell in board.planned])


@pytest.mark.parametrize(
    "update",
    [
        {"status": "failed", "reason": "odd", "scores": (), "predictions": None},
        {"key": "0" * 20},
        {"coverage": {"test": {"videos": 9, "listed": 10}}},
    ],
    ids=["failed", "stale", "part of the data"],
)
def test_without_a_run_that_is_done_on_all_data_nothing_is_shown(ours, make_board, matcher, update):
    def edit(run):
        if "coverage" in update:
            return run.model_copy(update={"protocol": {**run.protocol, **update}})
        return run.model_copy(update=update)

    known = [reference()]
    assert with_references(ours, known, matcher.same).references
    assert with_references(changed(ours, make_board, edit), known, matcher.same).references == ()


def test_one_run_on_all_data_is_enough(ours, make_board, matcher):
    def edit(run):
        part = {**run.protocol, "coverage": {"test": {"videos": 9, "listed": 10}}}
        return run.model_copy(update={"protocol": part}) if run.identity.method.name == "sfa" else run

    assert with_references(changed(ours, make_board, edit), [reference()], matcher.same).references


@pytest.mark.parametrize("metric", ["nmi", "pcp"])
def test_a_metric_that_no_run_has_is_not_shown(ours, matcher, metric):
    assert with_references(ours, [reference(metric=metric)], matcher.same).references == ()


def test_ranks_intervals_tests_and_tables_do_not_change(ours, published):
    assert dataclasses.replace(published, references=()) == ours
    assert table_csv(published) == table_csv(ours)
    before, after = board_files(ours), board_files(published)
    assert before.keys() == after.keys()
    same = {name for name in before if before[name] == after[name]}
    assert set(before) - same == {"README.md", "index.html", "results.json"}
    assert json.loads(before["results.json"]).keys() ^ json.loads(after["results.json"]).keys() == {"references"}


def test_a_board_without_references_has_no_word_of_them(board):
    written = board_files(board)
    assert b'"references"' not in written["results.json"]
    assert not any(b"Published numbers" in written[name] for name in ("README.md", "index.html"))


def test_the_readme_says_where_each_number_is_from(published):
    readme = board_files(published)["README.md"].decode()
    clustering, knn = readme.split("#### Published numbers")[1:]
    assert "not runs of this harness" in clustering
    assert "From [A \\[paper\\]](<https://x.org/a_(1)?b=1&amp;c=2>) (Somebody; CVIU 2019)." in clustering
    assert (
        "| Lq fc6<br>frames \\| not stated | 3.56 ± 0.01 | AlexNet | UCF101 split 1, no labels | Table 2 |"
        in clustering
    )
    assert "| k-NN | 51.25 |" in knn
    assert "Top-1 accuracy, %" in knn
    links = [
        child for token in MarkdownIt().parse(readme) for child in token.children or () if child.type == "link_open"
    ]
    assert {link.attrs["href"] for link in links} - FILES == {PAPER.url}


def test_the_page_says_the_same(published):
    page = board_files(published)["index.html"].decode()
    assert page.count("<h4>Published numbers</h4>") == 2
    assert '<a href="https://x.org/a_(1)?b=1&amp;c=2">A [paper]</a>' in page
    cells = re.findall(r'<tr><th scope="row" class="who">([^<]+).*?</th><td class="number">([^<]+)</td>', page)
    assert [cell for cell in cells if cell[0][0] in "Vk"] == [("VGG fc6", "3.00 ± 0.25"), ("k-NN", "51.25")]


def test_a_column_with_nothing_else_to_show_has_a_section_for_them(ours, published):
    assert evaluator_sections(ours) == []
    assert [section.column.heading for section in evaluator_sections(published)] == [
        "clustering(layer=fc6, stride=20) · ucf101",
        "knn · ucf101(fold=1)",
    ]


def test_results_bring_them_back_without_any_plugin(published, tmp_path):
    render(published, tmp_path)
    assert stale(tmp_path) == ()
    assert load_results(tmp_path / "results.json").references == published.references


def test_a_number_put_in_by_hand_beside_another_protocol_is_not_shown(published, tmp_path):
    render(published, tmp_path)
    path = tmp_path / "results.json"
    content = json.loads(path.read_text())
    content["references"][0]["evaluator"]["options"]["layer"] = "fc8"
    path.write_text(json.dumps(content))
    assert load_results(path).references == published.references[1:]
    assert "results.json" in stale(tmp_path)


def test_hostile_texts_stay_text(ours, hostile):
    words = {"method": hostile, "table": hostile, "pretraining": hostile, "backbone": hostile, "note": hostile}
    paper = Paper(title=hostile, authors=hostile, year=2019, venue=hostile)
    column = ours.columns[0]
    one = reference(paper=paper, **words).model_copy(update={"evaluator": column.evaluator, "data": column.data})
    written = board_files(with_references(ours, [one], as_measured))
    page, readme = written["index.html"].decode(), written["README.md"].decode()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "\u202e" not in page
    tokens = MarkdownIt("commonmark").enable("table").parse(readme)
    inline = [child for token in tokens for child in token.children or ()]
    assert "html_block" not in {token.type for token in tokens}
    assert {child.content for child in inline if child.type == "html_inline"} == {"<br>"}
    assert {child.attrs["href"] for child in inline if child.type == "link_open"} == FILES


def match(matcher, theirs, ours):
    """Match a reference of `theirs` with `ours`, both (evaluator, data), and the other way round."""
    choice = pydantic.TypeAdapter(WrittenChoice).validate_python
    pairs = [tuple(map(choice, pair)) for pair in (theirs, ours)]
    answers = set()
    for (evaluator, data), other in (pairs, pairs[::-1]):
        answers.add(matcher.same(reference().model_copy(update={"evaluator": evaluator, "data": data}), *other))
    (answer,) = answers
    return answer


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (("clustering", "ucf101"), ("clustering", "ucf101")),
        (("clustering", "ucf101"), ({"name": "clustering", "algorithm": "kmeans", "repeats": 10}, "ucf101")),
        (("clustering", {"name": "ucf101", "fold": 1}), ("clustering", "ucf101")),
        (("clustering", {"name": "ucf101", "subset_seed": 0}), ("clustering", {"name": "ucf101", "joined": False})),
        (("finetune", "cifar10"), ({"name": "finetune", "lrs": [3e-4, 1e-3, 3e-3]}, "cifar10")),
        (("finetune", "cifar10"), ({"name": "finetune", "lrs": ["3e-4", "1e-3", "3e-3"]}, "cifar10")),
        (("clustering", "ucf101"), ({"name": "clustering", "layer": None}, "ucf101")),
        (({"name": "clustering", "layer": "fc6"}, "ucf101"), ({"layer": "fc6", "name": "clustering"}, "ucf101")),
    ],
)
def test_a_default_is_the_same_written_or_not(matcher, theirs, ours):
    assert match(matcher, theirs, ours)


@pytest.mark.parametrize(
    "ours",
    [
        ("knn", "ucf101"),
        ("clustering", "hmdb51"),
        ({"name": "clustering", "algorithm": "spectral"}, "ucf101"),
        ({"name": "clustering", "repeats": 5}, "ucf101"),
        ({"name": "clustering", "layer": "fc6"}, "ucf101"),
        ("clustering", {"name": "ucf101", "fold": 2}),
        ("clustering", {"name": "ucf101", "subset": 100}),
        ("clustering", {"name": "ucf101", "images": 5}),
        ("clustering", {"name": "ucf101", "labels": {"action": "other.csv"}}),
    ],
)
def test_another_option_is_another_protocol_or_other_data(matcher, ours):
    assert not match(matcher, ("clustering", "ucf101"), ours)


def test_two_layers_are_two_protocols(matcher):
    layers = [({"name": "clustering", "layer": layer}, "ucf101") for layer in ("fc6", "fc7")]
    assert not match(matcher, *layers)


def test_an_option_of_the_wrong_type_is_said_once_and_never_shown(matcher, capsys):
    ours = (Choice(name="clustering"), Choice(name="ucf101"))
    wrong = reference(options={"repeats": "many"})
    assert not matcher.same(wrong, *ours)
    assert not matcher.same(wrong, *ours)
    said = capsys.readouterr().err
    assert said.count("option repeats='many'") == 1
    assert said.count("\n") == 1
