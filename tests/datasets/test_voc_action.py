"""VOC's actions on a small devkit of drawn pictures, and wrong devkits."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from harness.datasets.voc_action import (
    ACTIONS_2010,
    ACTIONS_2012,
    Person,
    VOCAction2010,
    VOCAction2012,
    person_box,
    read_people,
)
from harness.errors import DataError, UsageError
from harness.testing import failures
from harness.values import Box

pytestmark = pytest.mark.usefixtures("in_process")

WIDTH, HEIGHT = 48, 32
IMAGES = {"train": 12, "val": 8}


@pytest.fixture(params=[2012])
def devkit(request, tmp_path):
    """`VOCdevkit/VOC<year>`: in image i person 1 does action i modulo their number, person 3 the next; 2 is a horse.

    Of the third image person 1 does two actions and person 3 none of them.
    """
    year = request.param
    actions = ACTIONS_2012 if year == 2012 else ACTIONS_2010
    folder = tmp_path / "VOCdevkit" / f"VOC{year}"
    for part in ("JPEGImages", "Annotations", "ImageSets/Action"):
        (folder / part).mkdir(parents=True)
    random = np.random.default_rng(0)
    for side, count in IMAGES.items():
        lines = {action: [] for action in actions}
        for i in range(count):
            image = f"{year}_{side}{i:03d}"
            pixels = random.integers(0, 256, (4, 6, 3)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
            Image.fromarray(pixels).save(folder / "JPEGImages" / f"{image}.jpg", quality=95, subsampling=0)
            (folder / "Annotations" / f"{image}.xml").write_text(annotation(i))
            for position, does in ((1, {i}), (3, {i + 1})):
                if i == 2:
                    does = {0, 1} if position == 1 else set()
                for number, action in enumerate(actions):
                    flag = 1 if number in {one % len(actions) for one in does} else -1
                    lines[action].append(f"{image}  {position} {flag:2d}")
        for action, rows in lines.items():
            (folder / "ImageSets" / "Action" / f"{action}_{side}.txt").write_text("\n".join(rows) + "\n")
    return folder


def annotation(i):
    def person(xmin, ymin, xmax, ymax):
        box = f"<ymin>{ymin}</ymin><xmin>{xmin}</xmin><xmax>{xmax}</xmax><ymax>{ymax}</ymax>"
        return f"<object><name>person</name><actions><jumping>1</jumping></actions><bndbox>{box}</bndbox></object>"

    horse = "<object><name>horse</name></object>"
    people = person(1, 1, 9 + i, 16), person("20.6", "3.2", WIDTH, HEIGHT)
    return f"<annotation>\n<folder>VOC</folder>{people[0]}{horse}{people[1]}</annotation>\n"


@pytest.fixture
def all_of_it(devkit, place):
    place("voc-action2012", devkit)
    return VOCAction2012(images_per_class=None, test_images=None)


@pytest.mark.parametrize("inside", ["", "VOCdevkit", "VOCdevkit/VOC2012"])
def test_it_keeps_what_a_data_set_has_to(devkit, tmp_path, place, inside):
    place("voc-action2012", tmp_path / inside)
    assert failures(VOCAction2012(images_per_class=1, test_images=9)) == {}


@pytest.mark.parametrize("devkit", [2010], indirect=True)
def test_2010_has_no_jumping(devkit, place):
    place("voc-action2010", devkit)
    data = VOCAction2010(images_per_class=1)
    assert failures(data) == {}
    assert len(data.split("train")) == 9
    assert data.split("test").classes == {"action": ACTIONS_2010}


def test_2012_is_not_taken_for_2010(devkit, place):
    place("voc-action2010", devkit)
    with pytest.raises(DataError, match="'jumping', so it is not VOC2010"):
        VOCAction2010().split("train")


def test_people_boxes_and_labels(all_of_it):
    split = all_of_it.split("train")
    assert len(split) == 2 * 12 - 2  # without the one who does two things and the one who does none
    videos = {video.id: video for video in split.videos}
    assert list(videos)[:5] == [f"2012_train{name}" for name in ("000_1", "000_3", "001_1", "001_3", "003_1")]
    first, second = videos["2012_train004_1"], videos["2012_train004_3"]
    assert (first.box, second.box) == (Box(0, 0, 13, 16), Box(20, 2, WIDTH, HEIGHT))
    assert split.classes["action"][first.labels["action"]] == "ridingbike"
    assert split.classes["action"][second.labels["action"]] == "ridinghorse"
    assert first.group == second.group == "2012_train004"
    assert first.path == second.path == all_of_it.folder / "JPEGImages" / "2012_train004.jpg"
    picture = np.asarray(Image.open(first.path)).astype(int)
    read = split.read(list(videos).index("2012_train004_3"))[0].numpy()
    assert read.shape == (HEIGHT - 2, WIDTH - 20, 3)
    assert np.abs(read - picture[2:, 20:]).mean() < 3  # two decoders


def test_no_image_on_two_sides(devkit, all_of_it):
    for path in (devkit / "ImageSets" / "Action").glob("*_val.txt"):
        path.write_text(path.read_text() + "2012_train005 1 -1\n")
    assert len(all_of_it.split("test")) == 14  # that person does nothing there
    path = devkit / "ImageSets" / "Action" / "walking_val.txt"
    path.write_text(path.read_text().replace("2012_train005 1 -1", "2012_train005 1 1"))
    with pytest.raises(DataError, match="'2012_train005' is in train and in val"):
        all_of_it.split("test")


class TestDraws:
    def ids(self, name, **options):
        return {video.id for video in VOCAction2012(**options).split(name).videos}

    @pytest.fixture(autouse=True)
    def _placed(self, devkit, place):
        place("voc-action2012", devkit)

    def test_training_people_are_nested_balanced_and_seeded(self):
        one = self.ids("train", images_per_class=1)
        labels = VOCAction2012(images_per_class=1).split("train").videos
        assert sorted(video.labels["action"] for video in labels) == list(range(10))
        assert self.ids("train", images_per_class=1) == one < self.ids("train", images_per_class=None)
        drawn = {frozenset(self.ids("train", images_per_class=1, draw=draw)) for draw in range(5)}
        assert len(drawn) > 1

    def test_test_people_are_nested_and_do_not_depend_on_train(self):
        nine = self.ids("test", test_images=9)
        assert len(nine) == 9
        assert self.ids("test", test_images=9, images_per_class=None) == nine
        assert self.ids("test", test_images=5) < nine < self.ids("test", test_images=14)
        assert len({frozenset(self.ids("test", test_images=5, draw=draw)) for draw in range(5)}) > 1

    def test_more_than_there_are(self):
        with pytest.raises(UsageError, match=r"2000 people in val were asked for, there are 14; .*`test_images: null`"):
            VOCAction2012().split("test")
        with pytest.raises(UsageError, match=r"5 people of class 'jumping' in train were asked for, there are 3"):
            VOCAction2012().split("train")

    @pytest.mark.parametrize("options", [{"images_per_class": 0}, {"test_images": 0}, {"draw": -1}])
    def test_numbers_that_make_no_sense(self, options):
        with pytest.raises(UsageError, match=f"{next(iter(options))} must be at least"):
            VOCAction2012(**options)


class TestLists:
    @pytest.fixture
    def write(self, tmp_path):
        folder = tmp_path / "ImageSets" / "Action"
        folder.mkdir(parents=True)

        def write(**lists):
            for action, text in lists.items():
                (folder / f"{action}_train.txt").write_text(text)
            return read_people(tmp_path, "train", tuple(lists))

        return write

    def test_exactly_one_action(self, write):
        found = write(
            running="a 1 1\na 2 -1\nb 1 1\nb 2 -1\nc 1 1\n", walking="a 1 -1\na 2 1\nb 1 1\nb 2 -1\nc 1 0\n\n"
        )
        assert found == [Person("a", 1, 0), Person("a", 2, 1)]

    @pytest.mark.parametrize(
        ("running", "walking", "message"),
        [
            ("a 1 1\n", "a 1\n", r"walking_train.txt, line 1: 'a 1' should be"),
            ("a 0 1\n", "a 1 -1\n", r"running_train.txt, line 1: 'a 0 1' should be"),
            ("../a 1 1\n", "", r"line 1: '\.\./a 1 1' should be"),
            ("a 1 1\na 1 1\n", "", r"line 2: object 1 of image 'a' is named twice"),
            ("a 1 1\n", "a 1 -1\nb 1 1\n", r"line 2: object 1 of image 'b' is named but not in the list of 'running'"),
            ("a 1 1\nb 2 1\n", "a 1 -1\n", r"walking_train.txt: lacks object 2 of image 'b'"),
        ],
    )
    def test_wrong_lists(self, write, running, walking, message):
        with pytest.raises(DataError, match=message):
            write(running=running, walking=walking)


BOMB = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;">]>
<annotation><object><name>&lol2;</name></object></annotation>"""


class TestAnnotations:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (BOMB.encode(), "declares a document type or entities"),
            (BOMB.replace("<?xml version", "<?xml encoding='UTF-16' version").encode("utf-16"), "cannot be read"),
            (BOMB.encode("utf-16-le"), "is no XML"),
            (b"<annotation>" + b" " * 2**20, "more than 1048576 bytes"),
            (b"<annotation><object>", "is no XML"),
            (b"<annotation/>", "has 0 objects, but the lists name number 1"),
            (annotation(0).replace("<xmin>1<", "<xmin>inf<").encode(), "has no box of whole pixels"),
            (annotation(0).replace("<xmin>1<", "<xmin>99<").encode(), "has no box of whole pixels"),
            (annotation(0).replace("<xmin>1</xmin>", "").encode(), "has no box of whole pixels"),
            (annotation(0).replace(">person<", ">dog<", 1).encode(), "object 1 is 'dog', not a person"),
        ],
    )
    def test_wrong_files(self, tmp_path, content, message):
        path = tmp_path / "a.xml"
        path.write_bytes(content)
        with pytest.raises(DataError, match=f"a.xml: .*{message}"):
            person_box(path, 1)

    def test_a_good_one(self, tmp_path):
        path = tmp_path / "a.xml"
        path.write_text(annotation(1))
        assert person_box(path, 1) == Box(0, 0, 10, 16)
        with pytest.raises(DataError, match="not a person"):
            person_box(path, 2)

    def test_one_that_is_not_there(self, devkit, all_of_it):
        (devkit / "Annotations" / "2012_train000.xml").unlink()
        with pytest.raises(DataError, match=r"2012_train000\.xml: cannot be read"):
            all_of_it.split("train")


def test_missing_images(devkit, all_of_it):
    (devkit / "JPEGImages" / "2012_train000.jpg").unlink()
    with pytest.raises(DataError, match="cannot be used"):
        all_of_it.split("train")
    assert len(VOCAction2012(None, None, bad="skip").split("train")) == 20


def test_no_lists_at_all(tmp_path, place):
    place("voc-action2012", tmp_path)
    with pytest.raises(DataError, match=r"no ImageSets/Action/ in .* or in VOC2012 below it"):
        VOCAction2012().split("train")


def test_an_unknown_split(all_of_it):
    with pytest.raises(UsageError, match="unknown split 'val'"):
        all_of_it.split("val")
