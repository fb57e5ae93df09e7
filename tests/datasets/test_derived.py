"""What is made of a data set by options: subsets, images, one long video, further labels."""

from __future__ import annotations

import csv

import pytest
import torch

from harness.datasets.split_views import Subset
from harness.datasets.union import UnionSplit
from harness.errors import DataError, UsageError
from harness.execution.plan import coverage
from harness.plugins.kinds import DatasetRegistry
from harness.plugins.manager import Plugins
from harness.video.anonymous import hidden_order

pytestmark = pytest.mark.usefixtures("in_process")


@pytest.fixture(scope="module")
def registry() -> DatasetRegistry:
    return Plugins().datasets


@pytest.fixture
def build(registry, ucf101, place):
    place("ucf101", ucf101)
    return lambda **options: registry.build("ucf101", options)


def ids(split):
    return [video.id for video in split.videos]


def test_without_options_it_is_the_data_set_itself(build):
    assert type(build(fold=2)).__name__ == "UCF101"


def test_subsets_are_nested_and_leave_the_test_split_alone(build):
    whole = build().split("train")
    five, ten = build(subset=5).split("train"), build(subset=10).split("train")
    assert set(ids(five)) < set(ids(ten)) < set(ids(whole))
    assert ids(five) == sorted(ids(five), key=ids(whole).index)
    assert ids(build(subset=5, subset_seed=1).split("train")) != ids(five)
    assert ids(build(subset=5).split("test")) == ids(build().split("test"))
    assert len({whole.manifest, five.manifest, ten.manifest}) == 3
    assert torch.equal(five.read(3), whole.read(ids(whole).index(ids(five)[3])))
    bare = five.unlabelled()
    assert not bare.labelled
    assert torch.equal(bare.read(3), five.read(hidden_order(five.videos)[3]))
    assert not any(video.labels or video.group for video in bare.videos)


def test_a_limit_is_of_the_subset(build):
    subset = build(subset=10).split("train")
    limited = build(subset=10, limit=4).split("train")
    assert len(limited) == 4
    assert set(ids(limited)) < set(ids(subset))
    assert coverage(limited)["listed"] == 10
    assert ids(build(subset=3, limit=4).split("train")) == ids(build(subset=3).split("train"))


def test_images_are_evenly_spaced_frames(build):
    videos, images = build().split("test"), build(images=2).split("test")
    assert len(images) == 2 * len(videos)
    assert torch.equal(torch.cat([images.read(2), images.read(3)]), videos.read(1, [2, 6]))  # of 8
    assert torch.equal(images.read(2, [0, 0], short_side=16), videos.read(1, [2, 2], short_side=16))
    assert {video.frames for video in images.videos} == {1}
    assert images.videos[3].labels == videos.videos[1].labels
    assert images.videos[3].group == videos.videos[1].group
    assert len(set(ids(images))) == len(images)
    assert not any(video.group for video in images.unlabelled().videos)
    with pytest.raises(IndexError, match="frame 0 alone"):
        images.read(0, [1])


def test_all_videos_as_one(build):
    whole, one = build().split("train"), build(joined=True).split("train")
    videos = Subset(whole, hidden_order(whole.videos))
    assert [video.frames for video in one.videos] == [8 * len(videos)]
    wanted = [8 * 3 + 2, 0, 8 * 3 + 2, 7, 8]
    expected = torch.cat(
        [videos.read(3, [2]), videos.read(0, [0]), videos.read(3, [2]), videos.read(0, [7]), videos.read(1, [0])]
    )
    assert torch.equal(one.read(0, wanted), expected)
    assert torch.equal(one.unlabelled().read(0, wanted, short_side=16)[4:], videos.read(1, [0], short_side=16))
    assert not one.videos[0].labels
    assert one.unlabelled().manifest != one.manifest
    assert len(build(joined=True).split("test")) == len(build().split("test"))
    with pytest.raises(IndexError, match="has frames 0 to"):
        one.read(0, [one.videos[0].frames])


@pytest.mark.parametrize("column", ["video", "class"])
def test_further_labels(build, tmp_path, column):
    train = build().split("train")
    names = train.classes["action"]
    rows = ids(train) + ids(build().split("test")) if column == "video" else list(names)
    places = {"Backflip": "gym", "Cartwheel": "park", "Crawl": "gym"}
    with (tmp_path / "scenes.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [(column, "label"), *((row, places[next(n for n in names if n in row)]) for row in rows)]
        )
    data = build(labels={"scene": str(tmp_path / "scenes.csv")})
    scenes = data.split("train")
    assert (data.card.labels, build().card.labels) == (("action", "scene"), ("action",))
    assert scenes.classes == {"action": names, "scene": ("gym", "park")}
    expected = [int(places[names[video.labels["action"]]] == "park") for video in train.videos]
    assert [video.labels["scene"] for video in scenes.videos] == expected
    assert scenes.manifest != train.manifest
    assert scenes.unlabelled().manifest == train.unlabelled().manifest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,label\nx,y\n", "`video,label` or `class,label`"),
        ("class,label\nBackflip,gym\n", "no row for class 'Cartwheel'"),
        ("class,label\nBackflip,gym\nBackflip,park\n", "line 3"),
        ("class,label\nBackflip\n", "line 2"),
        ("\udcff", "cannot be read"),
    ],
)
def test_wrong_files_of_labels(build, tmp_path, text, message):
    path = tmp_path / "scenes.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=message):
        build(labels={"scene": str(path)}).split("train")


def test_a_file_of_labels_in_a_home_of_nobody_is_one_line(build):
    with pytest.raises(UsageError, match=r"~nobody-has-this-name/x\.csv: begins with a home folder of nobody"):
        build(labels={"scene": "~nobody-has-this-name/x.csv"}).split("train")


def test_labels_by_class_need_classes(registry, ucf101, place, tmp_path):
    videos = [str(path.relative_to(ucf101)) for path in sorted(ucf101.rglob("*.avi"))[:2]]
    (ucf101 / "sets.csv").write_text("path,split,labels:objects\n" + "".join(f"{name},train,cup\n" for name in videos))
    place("manifest", ucf101 / "sets.csv")
    (tmp_path / "scenes.csv").write_text("class,label\ncup,kitchen\n")
    data = registry.build("manifest", {"labels": {"scene": str(tmp_path / "scenes.csv")}})
    with pytest.raises(DataError, match="need videos of one class each; write `video,label`"):
        data.split("train")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subset": 0}, "subset=0"),
        ({"subset": "5"}, "subset='5'"),
        ({"joined": 3}, "joined=3"),
        ({"subzet": 5}, "did you mean"),
    ],
)
def test_wrong_options(build, options, message):
    with pytest.raises(UsageError, match=message):
        build(**options)


def test_more_videos_than_there_are(build):
    with pytest.raises(UsageError, match="has 45 videos"):
        build(subset=46).split("train")


@pytest.mark.parametrize("options", [{"images": 10}, {"joined": True}, {"images": 2, "joined": True}])
def test_the_share_of_a_copy_is_of_its_videos_whatever_is_made_of_them(build, options):
    split = build(limit=7, **options).split("train")
    whole = len(build().split("train"))
    assert {"videos": 7, "listed": whole}.items() <= coverage(split).items()
    union = UnionSplit("train", [split])
    assert {"videos": 7, "listed": whole}.items() <= coverage(union).items()
    assert "joined" not in options or split.unlabelled().left_out == {}  # paths tell labels


def test_a_limit_is_of_every_split_spread_over_classes_and_says_what_it_left_out(build):
    whole = build()
    for name in ("train", "test"):
        split, before = build(limit=7).split(name), whole.split(name)
        assert len(split) == 7
        labels = [video.labels["action"] for video in split.videos]
        counts = [labels.count(label) for label in range(len(before.classes["action"]))]
        assert max(counts) - min(counts) <= 1
        assert counts == sorted(counts, reverse=True)  # the same classes in each split
        assert set(split.left_out) == {video.id for video in before.videos} - {video.id for video in split.videos}
        assert set(split.left_out.values()) == {"limit"}
        assert coverage(split)["listed"] == len(before)
        more = {video.id for video in build(limit=9).split(name).videos}
        assert more > {video.id for video in split.videos}
        assert len(build(limit=10_000).split(name)) == len(before)
    hidden = build(limit=7).split("train").unlabelled()
    assert len(hidden) == 7
    assert not hidden.labelled
