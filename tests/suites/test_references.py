"""References: files that are only data, and numbers that are of exactly one data set and protocol."""

from __future__ import annotations

import pytest

from harness.cards import Paper
from harness.errors import PluginError
from harness.store.choices import Choice
from harness.suites.references import parse
from harness.system import plain_yaml

FILE = {
    "paper": {"title": "A paper", "authors": "Somebody", "year": 2019, "venue": "CVIU", "url": "https://x.org/a(1)"},
    "groups": [
        {
            "table": "Table 2",
            "evaluator": {"name": "clustering", "algorithm": "spectral"},
            "data": "ucf101",
            "metric": "conditional_entropy",
            "pretraining": "UCF101 split 1, no labels",
            "backbone": "AlexNet",
            "note": "shared",
            "numbers": [
                {"method": "Lq", "value": 3.39, "std": 0.01},
                {"method": "VGG", "value": 3, "pretraining": "100K videos", "backbone": "", "note": "own"},
            ],
        }
    ],
}


def parsed(content):
    return parse(plain_yaml.dump(content), "file x")


def test_what_a_line_says_itself_holds_instead_of_what_its_group_says():
    first, second = parsed(FILE)
    assert first.paper == second.paper == Paper(**FILE["paper"])
    assert (first.table, first.value, first.std) == ("Table 2", 3.39, 0.01)
    assert first.evaluator == Choice(name="clustering", options={"algorithm": "spectral"})
    assert first.data == Choice(name="ucf101")
    assert (first.pretraining, first.backbone, first.note) == ("UCF101 split 1, no labels", "AlexNet", "shared")
    assert (second.pretraining, second.backbone, second.note) == ("100K videos", "", "own")
    assert (second.value, second.std) == (3.0, None)


def broken(*path, value=None):
    """FILE with the value at `path` changed, or taken away."""
    content = plain_yaml.parse(plain_yaml.dump(FILE))
    inner = content
    for step in path[:-1]:
        inner = inner[step]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return content


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ("paper", "file x: the file: "),
        (broken("more", value=1), "more: Extra"),
        (broken("paper"), "paper: Field required"),
        (broken("paper", "yaer", value=2019), "paper: .*did you mean 'year'"),
        (broken("paper", "year"), "paper.*year"),
        (broken("paper", "url", value="javascript:alert(1)"), "not one of http or https"),
        (broken("paper", "url", value="https://x.org/> [a](b)"), "not one of http or https"),
        (broken("groups", value=[]), "groups: "),
        (broken("groups", 0, "metrics", value="top1"), r"groups\.0\.metrics: Extra"),
        (broken("groups", 0, "metric"), r"groups\.0\.metric: Field required"),
        (broken("groups", 0, "pretraining", value=""), r"groups\.0\.pretraining: "),
        (broken("groups", 0, "evaluator", value=["knn"]), r"groups\.0\.evaluator: .*registered name"),
        (broken("groups", 0, "numbers", value=[]), r"groups\.0\.numbers: "),
        (broken("groups", 0, "numbers", 0, "value", value="3.39 +- 0.01"), r"numbers\.0\.value: "),
        (broken("groups", 0, "numbers", 0, "value", value=True), r"numbers\.0\.value: "),
        (broken("groups", 0, "numbers", 0, "value", value=float("nan")), "line 12: expected a finite number"),
        (broken("groups", 0, "numbers", 0, "std", value=-0.1), r"numbers\.0\.std: "),
        (broken("groups", 0, "numbers", 0, "metric", value="nmi"), r"numbers\.0\.metric: Extra"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(content, where):
    with pytest.raises(PluginError, match=where) as caught:
        parsed(content)
    assert str(caught.value).startswith("file x: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["{", "a: b: c", "!!python/object/apply:os.system ['true']", "\x00"])
def test_only_plain_yaml_is_read(text):
    with pytest.raises(PluginError, match="file x: not plain YAML data"):
        parse(text, "file x")
