"""Manifests in CSV and JSON, and wrong ones."""

from __future__ import annotations

import csv
import json
import pickle
import shutil

import av
import cv2
import numpy as np
import pytest

from harness.datasets import file_index
from harness.datasets.checking import check
from harness.datasets.derived import Derivation, derive
from harness.datasets.manifest import Manifest
from harness.errors import DataError, UsageError
from harness.execution.plan import coverage
from harness.testing import failures
from harness.video.decode import decode
from harness.video.write import write_video

pytestmark = pytest.mark.usefixtures("in_process")


@pytest.fixture
def rows(footage, tmp_path):
    """Rows of six videos that are there, beside where the manifest will be."""
    rows = []
    for action, files in list(footage.items())[:2]:
        for number, file in enumerate(files[:3]):
            path = f"my videos/{action}, {number}.avi"
            (tmp_path / "my videos").mkdir(exist_ok=True)
            shutil.copy(file, tmp_path / path)
            side = "train" if number < 2 else "test"
            rows.append({"path": path, "split": side, "label": action})
    return rows


@pytest.fixture
def write(tmp_path, place):
    def write(rows, suffix=".csv"):
        file = tmp_path / f"manifest{suffix}"
        if suffix == ".json":
            file.write_text(json.dumps(rows))
        else:
            with file.open("w", encoding="utf-8-sig", newline="") as stream:
                writer = csv.DictWriter(stream, list(dict.fromkeys(key for row in rows for key in row)))
                writer.writeheader()
                writer.writerows(rows)
        place("manifest", file)
        return file

    return write


def with_more(rows):
    """The same with groups and scenes."""
    return [
        {**row, "group": f"{row['split']} {number // 2}", "label:scene": "day" if number else "night"}
        for number, row in enumerate(rows)
    ]


@pytest.mark.parametrize("suffix", [".csv", ".json"])
@pytest.mark.parametrize("more", [False, True])
def test_it_keeps_what_a_data_set_has_to(rows, write, suffix, more):
    write(with_more(rows) if more else rows, suffix)
    assert failures(Manifest()) == {}


def test_csv_and_json_say_the_same(rows, write):
    write(with_more(rows))
    train = Manifest().split("train")
    assert train.classes == {"action": ("Backflip", "Cartwheel"), "scene": ("day", "night")}
    assert [(video.id, dict(video.labels), video.group) for video in train.videos][:3] == [
        ("my videos/Backflip, 0.avi", {"action": 0, "scene": 1}, "train 0"),
        ("my videos/Backflip, 1.avi", {"action": 0, "scene": 0}, "train 0"),
        ("my videos/Cartwheel, 0.avi", {"action": 1, "scene": 0}, "train 1"),
    ]
    write(with_more(rows), ".json")
    data = Manifest()
    assert data.card.labels == ("action", "scene")  # before a split is asked for
    assert data.split("train").manifest == train.manifest
    assert data.card.labels == ("action", "scene")
    write(rows)
    data = Manifest()
    assert data.split("train").manifest != train.manifest
    assert data.card.labels == Manifest.card.labels == ("action",)


@pytest.mark.parametrize("suffix", [".csv", ".json"])
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"path": "/etc/passwd"}, "path '/etc/passwd' should lead straight"),
        ({"path": "../secret.avi"}, "path '../secret.avi' should"),
        ({"path": "a/../../b.avi"}, "should lead straight"),
        ({"path": "a\\..\\b.avi"}, "should lead straight"),
        ({"path": "./a.avi"}, "should lead straight"),
        ({"path": "my videos/Backflip, 0.avi"}, "is in row 1 already"),
        ({"path": ""}, "'path' is missing, or empty"),
        ({"label": ""}, "'label' is missing, or empty"),
        ({"split": "val"}, "split 'val' should be train or test"),
    ],
)
def test_a_row_that_is_wrong(rows, write, suffix, change, problem):
    write([*rows, {"path": "new.avi", "split": "train", "label": "Backflip"} | change], suffix)
    with pytest.raises(DataError, match=rf"manifest{suffix}, row 7: ") as caught:
        Manifest().split("test")
    assert problem in str(caught.value)


def test_groups_on_both_sides(rows, write):
    write([{**row, "group": "one"} for row in rows])
    with pytest.raises(DataError, match="row 3: group 'one' is in train and in test"):
        Manifest().split("train")


@pytest.mark.parametrize("key", ["frames", "label:", "label:action", "label:Upper Case"])
@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_unknown_columns(rows, write, suffix, key):
    write([{**row, key: "1"} for row in rows], suffix)
    with pytest.raises(DataError, match=f"row 1: unknown column '{key}'; there are path, split, label"):
        Manifest().split("train")


def test_missing_and_uneven_cells(rows, write):
    file = write(rows)
    file.write_text("path,label\na.avi,b\n")
    with pytest.raises(DataError, match=r"path, split, label, each once and without spaces; they are 'path', 'label'"):
        Manifest().split("train")
    file.write_text("path,split,label,label\n")
    with pytest.raises(DataError, match="columns should be"):
        Manifest().split("train")
    file.write_text("path,split,label\na.avi,train\n")
    with pytest.raises(DataError, match="row 1: 2 cells, 3 columns"):
        Manifest().split("train")
    file.write_text("path,split,label\n")
    with pytest.raises(DataError, match="names no videos"):
        Manifest().split("train")
    file.write_text("")
    with pytest.raises(DataError, match="they are none"):
        Manifest().split("train")
    write([row if number else {**row, "label:scene": "a"} for number, row in enumerate(rows)], ".json")
    with pytest.raises(DataError, match="row 2: 'label:scene' is missing, or empty"):
        Manifest().split("train")
    write([{**row, "label:scene": "a"} if number else row for number, row in enumerate(rows)], ".json")
    with pytest.raises(DataError, match="row 2: 'label:scene' is in this row and not in the first"):
        Manifest().split("train")
    write([{**rows[0], "label": 3}], ".json")
    with pytest.raises(DataError, match="row 1: 'label' is not a text, but 3"):
        Manifest().split("train")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"path": "a"}', "should be a list of objects"),
        ("[1]", "row 1: 1 is no object"),
        ("[{]", "cannot be read as JSON"),
        ('[{"path": "a.avi", "path": "b.avi"}]', "an object with a key twice: path, path"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("[]", "names no videos"),
    ],
)
def test_json_that_is_none(write, text, problem):
    write([], ".json").write_text(text)
    with pytest.raises(DataError, match=problem):
        Manifest().split("train")


def test_files_that_are_no_manifest(rows, write, place, tmp_path):
    file = write(rows)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="cannot be read as CSV"):
        Manifest().split("train")
    file.write_text('path,split,label\n"a.avi,train,b')
    with pytest.raises(DataError, match="cannot be read as CSV"):
        Manifest().split("train")
    place("manifest", tmp_path)
    with pytest.raises(DataError, match=r"a manifest is a file named \*\.csv or \*\.json"):
        Manifest().split("train")
    with pytest.raises(UsageError, match="unknown split 'val'"):
        Manifest().split("val")


def test_files_that_cannot_be_used(rows, write, tmp_path):
    write(rows)
    (tmp_path / rows[0]["path"]).unlink()
    with pytest.raises(DataError, match=r"1 of 4 videos of split 'train' cannot be used \(1 missing\)"):
        Manifest().split("train")
    assert len(Manifest(bad="skip").split("train")) == 3
    write([row for row in rows if row["split"] == "train"])
    with pytest.raises(DataError, match=r"\.csv: no row has split 'test'; add some"):
        Manifest().split("test")


def test_spaces_are_named_exactly(rows, write):
    file = write(rows)
    file.write_text("path, split, label\na.avi, train, b\n")
    with pytest.raises(DataError, match=r"without spaces; they are 'path', ' split', ' label'"):
        Manifest().split("train")
    for suffix in (".csv", ".json"):
        write([rows[0], {**rows[1], "label": "Backflip "}], suffix)
        with pytest.raises(DataError, match=r"row 2: 'label' is 'Backflip ', with spaces around it"):
            Manifest().split("train")


def test_a_class_of_test_that_train_lacks(rows, write):
    write([*rows[:3], {**rows[5], "label": "Swim"}])
    with pytest.raises(DataError, match="row 4: no row of train has the label 'Swim'; add one, or remove this"):
        Manifest().split("test")
    write([{**row, "split": "test"} for row in rows])  # nothing is learnt here
    assert len(Manifest().split("test")) == len(rows)


def test_a_group_in_two_spellings_is_one(rows, write):
    for number, name in ((0, "caf\u00e9"), (2, "cafe\u0301")):
        rows[number] = {**rows[number], "group": name}
    for row in rows:
        row.setdefault("group", row["path"])
    write(rows)
    with pytest.raises(DataError, match="row 3: group 'caf\u00e9' is in train and in test"):
        Manifest().split("train")


def test_accents_are_the_same_however_they_are_written(rows, write):
    write([{**row, "label": ("e\u0301", "\u00e9")[row["split"] == "test"]} for row in rows], ".json")
    assert Manifest().split("test").classes == {"action": ("\u00e9",)}


def parts(rows, seconds):
    """Each file as a part of `seconds`."""
    return [{**row, "start": seconds[0], "end": seconds[1]} for row in rows]


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_parts_of_files_keep_what_a_data_set_has_to(rows, write, suffix):
    write(parts(rows, ("0.08", "0.56")), suffix)
    assert failures(Manifest()) == {}


def test_a_part_of_a_file_is_a_video(rows, write):
    write(rows)
    whole = Manifest().split("train")
    fps, frames = whole.videos[0].fps, whole.videos[0].frames
    middle, rest = [{"start": "0.16", "end": "0.4"}, {"start": "0.4", "end": f"{frames / fps:.9f}"}]
    write([*(row | middle for row in rows), rows[0] | rest, {**rows[1], "start": "", "end": ""}])
    split = Manifest().split("train")
    assert [video.id for video in split.videos[:2]] == [f"{rows[0]['path']} 0.16-0.4", f"{rows[1]['path']} 0.16-0.4"]
    first, last = round(0.16 * fps), round(0.4 * fps)
    assert [video.frames for video in split.videos] == [last - first] * 4 + [frames - last, frames]
    assert [video.group for video in split.videos[-2:]] == [rows[0]["path"], ""]
    expected = whole.read(0)
    for position, start, end in ((0, first, last), (4, last, frames)):
        assert split.read(position).equal(expected[start:end])
        assert split.read(position, [2, 0], short_side=32).equal(whole.read(0, [start + 2, start], short_side=32))
        hidden = split.unlabelled()
        same = next(i for i, video in enumerate(hidden.videos) if video.content == split.videos[position].content)
        assert hidden.read(same, [1]).equal(expected[start + 1 : start + 2])
        assert hidden.videos[same].frames == end - start
    with pytest.raises(IndexError, match=f"has frames 0 to {last - first - 1}"):
        split.read(0, [last - first])
    flow = split.flow(0, [1], short_side=32)
    assert flow.equal(whole.flow(0, [first + 1], short_side=32))
    contents = {video.content for video in split.videos}
    assert len(contents) == 6
    assert split.manifest != whole.manifest


def test_check_looks_at_the_whole_files_of_parts(rows, write):
    write(parts(rows, ("0.08", "0.56")))
    report = check(Manifest())
    assert report.splits["train"].changed == {}
    assert report.leaking == {}


@pytest.mark.parametrize(
    ("seconds", "problem"),
    [
        (("1", "0.5"), "the start first, or both be empty"),
        (("1", ""), "the start first, or both be empty"),
        (("-1", "1"), "the start first, or both be empty"),
        (("0", "nan"), "the start first, or both be empty"),
        (("0.5", "900"), "0.5 to 900 s is no part of it; it has"),
        (("0.3", "0.3001"), "is no part of it"),
    ],
)
def test_a_part_that_is_none(rows, write, seconds, problem):
    write(parts(rows, seconds))
    with pytest.raises(DataError, match=problem):
        Manifest().split("train")


def test_seconds_may_have_as_many_digits_as_programs_write(rows, write):
    write(parts(rows, ("0.16", str(0.1 + 0.2))))
    assert Manifest().split("train").videos[0].id.endswith(" 0.16-0.30000000000000004")


def test_a_part_of_a_file_whose_rate_varies(rows, write, tmp_path, monkeypatch):
    """20 frames of the first second are followed by 5 of the next, so that the average rate tells no frame."""
    with av.open(str(tmp_path / "varies.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=1000)
        stream.width, stream.height, stream.bit_rate = 64, 48, 8_000_000
        for time in (*range(0, 1000, 50), *range(1000, 2000, 200)):
            picture = np.full((48, 64, 3), time // 8, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = time
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    rows[0]["path"] = "varies.mp4"
    write(rows)
    assert Manifest().split("train").videos[0].frames == 25
    for start, end, times in (
        (0, 1, range(0, 1000, 50)),
        (1, 1.82, range(1000, 2000, 200)),  # the last frame is shown for a millisecond
        (0.49, 1.21, range(500, 1050, 50)),
    ):
        write([rows[0] | {"start": str(start), "end": str(end)}, *rows[1:]])
        split = Manifest().split("train")
        assert split.videos[0].frames == len(times)
        read = split.read(0, range(len(times))).float().mean((1, 2, 3))
        np.testing.assert_allclose(read, [time // 8 for time in times], atol=3.1)
    monkeypatch.setattr("harness.datasets.listed_files.frame_times", lambda path, total: None)
    with pytest.raises(
        DataError, match=r"0\.49 to 1\.21 s names no frames of it: its rate varies.* at a constant rate"
    ):
        Manifest().split("train")
    monkeypatch.undo()
    write([rows[0] | {"start": "1", "end": "2.5"}, *rows[1:]])
    with pytest.raises(DataError, match=r"1 to 2\.5 s is no part of it"):
        Manifest().split("train")


def test_a_part_of_a_file_whose_last_frame_is_held(rows, write, tmp_path):
    """Neither the rate that the file says nor a record that an older release made of it are believed."""
    film = np.stack([np.full((48, 64, 3), 2 * number, np.uint8) for number in range(100)])
    write_video(tmp_path / "film.mp4", film, 25)
    with av.open(str(tmp_path / "film.mp4")) as old, av.open(str(tmp_path / "held.mp4"), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        packets = [packet for packet in old.demux(video=0) if packet.dts is not None]
        packets[-1].duration = round(6 / packets[-1].time_base)
        for packet in packets:
            packet.stream = stream
            new.mux(packet)
    rows[0]["path"] = "held.mp4"
    whole = decode(tmp_path / "held.mp4")
    write([rows[0] | {"start": "1", "end": "2"}, *rows[1:]])
    assert np.array_equal(Manifest().split("train").read(0), whole[25:50])
    (index,) = file_index.paths.index().iterdir()
    older = [json.loads(line) | {"remarks": []} for line in index.read_text().splitlines()]
    assert all(row.pop("timed") for row in older)
    index.write_text("".join(json.dumps(row) + "\n" for row in older))
    assert np.array_equal(Manifest().split("train").read(0), whole[25:50])
    assert len(index.read_text().splitlines()) == len(older) + 1  # of the part alone, and once
    Manifest().split("train")
    assert len(index.read_text().splitlines()) == len(older) + 1


def test_each_part_of_a_file_that_cannot_be_used_is_left_out(rows, write, tmp_path):
    (tmp_path / "bad.avi").write_bytes(b"no video")
    bad = [rows[0] | {"path": "bad.avi", "start": f"{n / 10}", "end": f"{(n + 1) / 10}"} for n in range(9)]
    write([*bad, *({**row, "start": "", "end": ""} for row in rows)])
    split = Manifest(bad="skip").split("train")
    assert len(split.left_out) == 9
    assert "bad.avi: bad.avi 0.1-0.2" in split.left_out
    assert coverage(split) | {"left_out": ""} == {
        "videos": len(split),
        "listed": len(split) + 9,
        "reasons": {"not-video": 9},
        "left_out": "",
    }


def test_parts_of_a_file_on_both_sides(rows, write):
    other = {**rows[0], "split": "test", "start": "0", "end": "0.08"}
    write([*parts(rows, ("0.08", "0.56")), other])
    with pytest.raises(DataError, match=r"row 7: group 'my videos/.* is in train and in test"):
        Manifest().split("train")
    write([*parts(rows, ("0.08", "0.56")), {**other, "group": "another"}])
    assert len(Manifest().split("test")) == 3
    write([*parts(rows, ("0.08", "0.56")), parts(rows[:1], ("0.08", "0.56"))[0]])
    with pytest.raises(DataError, match=r"row 7: '.* 0\.08-0\.56' is in row 1 already"):
        Manifest().split("train")


@pytest.mark.parametrize(
    ("train", "test", "apart"),
    [
        (("", ""), ("0", "0.08"), False),
        (("0.08", "0.56"), ("", ""), False),
        (("0.08", "0.4"), ("0.32", "0.56"), False),
        (("0.08", "0.4"), ("0.4", "0.56"), True),
    ],
)
def test_no_second_of_a_file_is_in_both_splits(rows, write, train, test, apart):
    pair = [
        {**rows[0], "group": "a", "start": train[0], "end": train[1]},
        {**rows[0], "split": "test", "group": "b", "start": test[0], "end": test[1]},
    ]
    write(pair + [{**row, "group": row["path"], "start": "", "end": ""} for row in rows[1:]])
    if apart:
        assert len(Manifest().split("train")) == 4
    else:
        with pytest.raises(DataError, match=r"row [12]: it has seconds of row [12], which is in t"):
            Manifest().split("train")


def test_seconds_are_numbers_however_they_are_written(rows, write):
    write([*parts(rows, ("0.08", "0.56")), {**rows[0], "start": "0.080", "end": "0.560"}])
    with pytest.raises(DataError, match=r"row 7: .* is in row 1 already"):
        Manifest().split("train")


def test_an_unlabelled_split_tells_nothing_of_the_files_of_its_parts(rows, write, home):
    seconds = [("0", "0.2"), ("0.2", "0.4"), ("0.4", "0.6")]
    write([*({**rows[0], "start": a, "end": b} for a, b in seconds), *rows[1:]])
    split = Manifest().split("train")
    hidden = split.unlabelled()
    with pytest.raises(ValueError, match="does not tell"):
        hidden.file_content(0)
    told = repr(hidden).encode() + pickle.dumps(hidden)
    assert split.file_content(0).encode() not in told
    assert rows[0]["path"].encode() not in told
    again = pickle.loads(pickle.dumps(hidden))
    assert all(again.read(i).equal(hidden.read(i)) for i in range(len(hidden)))
    last = split.videos[0].frames - 1
    with pytest.raises(IndexError, match=f"is of frames 0 to {last - 1}, asked for {last} to {last}"):
        split.flow(0, [last], short_side=32)
    with pytest.raises(IndexError, match="asked for -1"):
        split.flow(1, [-1], short_side=32)


def with_sets(rows, *, as_json=False):
    """The same without `label`, with objects and an age."""
    sets = [[], ["cup", "bag"], ["bag"], ["cup"], ["box", "cup"], []]
    return [
        {
            **{key: row[key] for key in ("path", "split")},
            "labels:objects": one if as_json else ";".join(one),
            "target:age": 0.5 * number - 1 if as_json else str(0.5 * number - 1),
        }
        for number, (row, one) in enumerate(zip(rows, sets, strict=True))
    ]


def test_sets_of_classes_and_targets(rows, write):
    write(with_sets(rows))
    data = Manifest()
    assert failures(data) == {}
    assert (data.card.labels, data.card.multilabels, data.card.targets) == ((), ("objects",), ("age",))
    train, test = (data.split(name) for name in ("train", "test"))
    assert (train.classes, train.multilabel_classes) == ({}, {"objects": ("bag", "box", "cup")})
    assert [(video.multilabels["objects"], video.targets["age"]) for video in (*train.videos, *test.videos)] == [
        ((), -1.0),
        ((0, 2), -0.5),
        ((2,), 0.5),
        ((1, 2), 1.0),
        ((0,), 0.0),
        ((), 1.5),
    ]
    write(with_sets(rows, as_json=True), ".json")
    assert Manifest().split("train").manifest == train.manifest
    write([{**row, "label": "any"} for row in with_sets(rows)])
    assert Manifest().split("train").classes == {"action": ("any",)}


def test_a_limit_takes_sets_of_all_classes_in_turn(rows, write):
    write([{**row, "labels:objects": "cup" if number < 3 else "bag"} for number, row in enumerate(with_sets(rows))])
    limited = derive(Manifest(), Derivation(limit=2)).split("train")
    assert [video.multilabels["objects"] for video in limited.videos] == [(1,), (0,)]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"labels:objects": "cup; bag"}, "'labels:objects' is 'cup; bag', with a name that is empty or has spaces"),
        ({"labels:objects": "cup;"}, "'labels:objects' is 'cup;', with a name that is empty"),
        ({"labels:objects": "cup;cup"}, "'labels:objects' is 'cup;cup', with a name twice"),
        ({"labels:objects": "caf\u00e9;cafe\u0301"}, "with a name twice"),
        ({"target:age": "old"}, "'target:age' is 'old', and should be a finite number"),
        ({"target:age": "nan"}, "'target:age' is 'nan', and should be a finite number"),
        ({"target:age": "1e999"}, "'target:age' is '1e999', and should be a finite number"),
        ({"target:age": ""}, "'target:age' is missing, or empty"),
    ],
)
def test_sets_and_targets_that_are_wrong(rows, write, change, problem):
    write([row | (change if number == 4 else {}) for number, row in enumerate(with_sets(rows))])
    with pytest.raises(DataError, match=r"manifest\.csv, row 5: ") as caught:
        Manifest().split("test")
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"labels:objects": "cup"}, "'labels:objects' should be a list of texts that are not empty and without ';'"),
        ({"labels:objects": ["a;b"]}, "'labels:objects' should be a list of texts"),
        ({"labels:objects": [1]}, "and is [1]; correct the manifest"),
        ({"labels:objects": [""]}, "'labels:objects' should be a list of texts"),
        ({"target:age": "1"}, "'target:age' should be a number, and is '1'"),
        ({"target:age": True}, "'target:age' should be a number, and is True"),
        ({"target:age": float("inf")}, "'target:age' is 'inf', and should be a finite number"),
    ],
)
def test_sets_and_targets_of_json_that_are_wrong(rows, write, change, problem):
    whole = with_sets(rows, as_json=True)
    write([row | (change if number == 2 else {}) for number, row in enumerate(whole)], ".json")
    with pytest.raises(DataError, match=r"manifest\.json, row 3: ") as caught:
        Manifest().split("test")
    assert problem in str(caught.value)


def test_a_kind_of_label_has_one_column(rows, write):
    write([{**row, "label:objects": "cup", "labels:objects": "cup"} for row in rows])
    with pytest.raises(DataError, match="row 1: 'objects' has two columns; a kind of label or a target has one"):
        Manifest().split("train")
    write([{**row, "labels:action": "cup"} for row in rows])
    with pytest.raises(DataError, match="row 1: 'action' has two columns"):
        Manifest().split("train")
    lacking = with_sets(rows, as_json=True)
    del lacking[3]["labels:objects"]
    write(lacking, ".json")
    with pytest.raises(DataError, match="row 4: 'labels:objects' is missing"):
        Manifest().split("train")


@pytest.fixture
def frame_rows(rows, tmp_path):
    """The same videos as folders of frames."""
    for number, row in enumerate(rows):
        folder = tmp_path / "frames" / str(number)
        folder.mkdir(parents=True)
        for frame, picture in enumerate(decode(tmp_path / row["path"], range(8))):
            (folder / f"img_{frame:05d}.png").write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
        row["path"] = f"frames/{number}"
    return rows


def test_folders_of_frames_keep_what_a_data_set_has_to(frame_rows, write):
    write(frame_rows)
    assert failures(Manifest(fps=10)) == {}


def test_folders_of_frames_have_the_rate_that_is_said(frame_rows, write, tmp_path):
    write(frame_rows)
    split = Manifest(fps=10).split("train")
    assert {(video.id, video.frames, video.fps) for video in split.videos} == {
        (f"frames/{number}", 8, 10.0) for number in (0, 1, 3, 4)
    }
    assert np.array_equal(split.read(0, [3, 7]).numpy(), decode(tmp_path / "frames" / "0", [3, 7]))
    assert split.manifest != Manifest(fps=12.5).split("train").manifest
    assert len(split.unlabelled().read(0)) == 8


def test_parts_of_folders_of_frames(frame_rows, write, tmp_path):
    frame_rows[0] |= {"start": "0.2", "end": "0.6"}
    write(frame_rows, ".json")
    split = Manifest(fps=10).split("train")
    assert (split.videos[0].frames, split.videos[0].id) == (4, "frames/0 0.2-0.6")
    assert np.array_equal(split.read(0).numpy(), decode(tmp_path / "frames" / "0", range(2, 6)))


def test_folders_of_frames_need_a_rate(frame_rows, write):
    write(frame_rows)
    with pytest.raises(DataError, match="is a folder of frames, which tell no rate; say `fps`") as refused:
        Manifest().split("train")
    assert refused.value.reason == "folder"
    for fps in (0, -1, float("nan"), float("inf"), True, "30"):
        with pytest.raises(UsageError, match="fps must be above 0"):
            Manifest(fps=fps)


def test_a_frame_of_a_video_is_not_in_the_other_split(frame_rows, write):
    write([*frame_rows, {**frame_rows[0], "path": "frames/0/img_00001.png", "split": "test"}])
    with pytest.raises(DataError, match=r"row 7: 'frames/0/img_00001\.png' is a frame of 'frames/0', which is in"):
        Manifest(fps=10).split("train")


def test_a_folder_with_a_bad_frame_is_left_out(frame_rows, write, tmp_path):
    (tmp_path / "frames" / "1" / "img_00005.png").unlink()
    write(frame_rows)
    with pytest.raises(DataError, match=r"img_00005\.png: is missing"):
        Manifest(fps=10).split("train")
    assert Manifest(fps=10, bad="skip").split("train").left_out == {"frames/1": "frames"}


def test_a_folder_of_frames_does_not_lie_elsewhere(frame_rows, write, tmp_path, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "frames"
    shutil.move(tmp_path / "frames" / "0", elsewhere)
    (tmp_path / "frames" / "0").symlink_to(elsewhere)
    write(frame_rows)
    with pytest.raises(DataError, match=r"frames/0: a symbolic link that leads out of"):
        Manifest(fps=10).split("train")


def test_an_image_that_is_overwritten_is_another_video(frame_rows, write, tmp_path):
    write(frame_rows)
    before = Manifest(fps=10).split("train").videos[0].content
    shutil.copy(tmp_path / "frames" / "1" / "img_00002.png", tmp_path / "frames" / "0" / "img_00002.png")
    assert Manifest(fps=10).split("train").videos[0].content != before
