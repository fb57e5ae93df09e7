"""Drawing of the data set as video files, once, whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import functools
import hashlib
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import filelock
import numpy as np

from harness.datasets.mocap_actions.places import KINDS
from harness.datasets.mocap_actions.plan import (
    SIZES,
    TESTED,
    VERSION,
    Group,
    Size,
    Spec,
    Version,
    class_names,
    groups,
    tests,
)
from harness.datasets.mocap_actions.scene import clip, scene
from harness.errors import DataError, StoreError, UsageError
from harness.system import files, progress
from harness.system.code import code_hash
from harness.system.processes import CrashedError, HungError, allowed_processors, imap_isolated
from harness.video.write import write_video

NAME = "mocap-actions"
LISTS = "ucfTrainTestlist"
DATA, IDENTITY = "data", "identity.json"
"""In the folder of a drawing that goes on: what is drawn, and of what."""
PATIENCE = 600.0
"""Seconds that a worker may take for one group before it is killed."""
Record = dict[str, Any]


def build(
    folder: Path,
    *,
    size: Size,
    biased: bool,
    version: Version = VERSION,
    seed: int = 0,
    workers: int | None = None,
) -> Path:
    """Draw the data set into `folder`, unless it is there already.

    `folder` then holds `videos/<Class>/v_<Class>_gXX_cYY.avi`, `ucfTrainTestlist/` with the class index and three
    train and test lists, `scenes.csv`, `joints/<Class>/v_<Class>_gXX_cYY.npz` and `manifest.json`. Drawing goes on
    beside it, and it appears when everything is drawn; a second process waits for the first. A drawing that is stopped,
    by `kill -9` too, is gone on with group after group, to the same bytes.

    Args:
        folder: Where; its parent is made if need be.
        size: `mini` or `full`.
        biased: Whether place and clothes tell the action in most groups.
        version: 1 performs the recordings themselves, 2 a take of its own in every group.
        seed: Another seed draws other people, places and clips.
        workers: Processes; as many as there are allowed processors when None.

    Returns:
        `folder`.

    Raises:
        UsageError: `folder` holds something else.
        DataError: The files cannot be written, or a process that draws crashed.
    """
    spec = replace(SIZES[size], version=version)
    return build_spec(folder, spec, biased=biased, seed=seed, workers=workers)


def build_spec(folder: Path, spec: Spec, *, biased: bool, seed: int = 0, workers: int | None = None) -> Path:
    """Draw the data set in any size, see `build`."""
    if complete(folder, spec, biased=biased, seed=seed):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        if complete(folder, spec, biased=biased, seed=seed):
            return folder
        _refuse_foreign(folder)
        with _beside(folder, _identity(spec, biased=biased, seed=seed)) as draft:
            _draw(draft, spec, biased=biased, seed=seed, workers=workers or allowed_processors())
            _swap(draft / DATA, folder)
    return folder


def complete(folder: Path, spec: Spec, *, biased: bool, seed: int = 0) -> bool:
    """Check that `folder` holds what this code draws, every file in its full length."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        videos = manifest.pop("videos")
        if manifest != _identity(spec, biased=biased, seed=seed):
            return False
        return all((folder / video["path"]).stat().st_size == video["bytes"] for video in videos)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def drawing_code() -> str:
    """Hash the code that draws, and the recordings."""
    return code_hash(__name__)


def _identity(spec: Spec, *, biased: bool, seed: int) -> Record:
    size = next((name for name, known in SIZES.items() if replace(known, version=spec.version) == spec), "other")
    return {
        "name": NAME,
        "size": size,
        "biased": biased,
        "seed": seed,
        "spec": asdict(spec),
        "code": drawing_code(),
    }


def _refuse_foreign(folder: Path) -> None:
    """Refuse a `folder` that is not absent, empty, or an earlier drawing to replace."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        if json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["name"] == NAME:
            return
    msg = f"{folder}: holds something that is no drawing of {NAME}; name another folder, or move it away"
    raise UsageError(msg)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time work on `folder`; its end, however it comes, unlocks."""
    lock = filelock.FileLock(folder.parent / f".{folder.name}.lock")
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        progress.say(f"{folder}: waiting for another process that is drawing it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _beside(folder: Path, identity: Record) -> Iterator[Path]:
    """Make a folder beside `folder` for the drawing, gone once it is done.

    Where a drawing of the same identity was stopped, this is its folder with what it had drawn.

    Raises:
        StoreError: The disk is full, or files cannot be written there.
    """
    draft = folder.parent / f".{folder.name}.drawing"
    try:
        if not _goes_on(draft, identity):
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            files.write_json(draft / IDENTITY, identity)
        yield draft
    except OSError as error:
        msg = (
            f"{folder}: cannot be drawn ({error.strerror or error}); make room there, or set HARNESS_HOME elsewhere; "
            "drawing goes on from here"
        )
        raise StoreError(msg) from error
    shutil.rmtree(draft, ignore_errors=True)


def _goes_on(draft: Path, identity: Record) -> bool:
    try:
        return bool(json.loads((draft / IDENTITY).read_text(encoding="utf-8")) == identity)
    except (OSError, ValueError):
        return False


def _swap(drawn: Path, folder: Path) -> None:
    if folder.exists():
        outdated = folder.parent / f".{folder.name}.outdated"
        shutil.rmtree(outdated, ignore_errors=True)
        folder.rename(outdated)
        drawn.rename(folder)
        shutil.rmtree(outdated, ignore_errors=True)
    else:
        drawn.rename(folder)


def _draw(draft: Path, spec: Spec, *, biased: bool, seed: int, workers: int) -> None:
    planned = list(groups(spec, biased=biased, seed=seed))
    data = draft / DATA
    for half in data.rglob(".*.tmp"):  # of a process that was killed while it wrote a file
        half.unlink()
    kept = {group: records for group in planned if (records := _kept(draft, group))}
    todo = [group for group in planned if group not in kept]
    videos: list[Record] = [record for records in kept.values() for record in records]
    variant = NAME if biased else f"{NAME}-unbiased"
    with progress.bar(f"drawing {variant}", total=len(planned) * spec.clips) as bar:
        bar.advance(len(videos))
        for records in _drawn(draft, todo, spec, seed, min(workers, len(todo))):
            videos += records
            bar.advance(len(records))
    videos.sort(key=lambda record: record["path"])
    _write_lists(data, videos)
    _write_scenes(data, videos, planned)
    files.write_json(data / "manifest.json", {**_identity(spec, biased=biased, seed=seed), "videos": videos})


def _kept(draft: Path, group: Group) -> list[Record]:
    """Records of a group that an earlier process drew whole; none where it did not."""
    try:
        records: list[Record] = json.loads(_records_file(draft, group).read_text(encoding="utf-8"))
        whole = all(_whole(draft / DATA, record) for record in records)
    except (OSError, ValueError):
        return []
    return records if whole else []


def _whole(data: Path, record: Record) -> bool:
    video, size = str(record["path"]), int(record["bytes"])
    joints = video.replace("videos/", "joints/").replace(".avi", ".npz")
    return (data / video).stat().st_size == size and (data / joints).stat().st_size > 0


def _records_file(draft: Path, group: Group) -> Path:
    return draft / "groups" / f"{group.class_name}_g{group.number:02d}.json"


def _drawn(draft: Path, planned: list[Group], spec: Spec, seed: int, workers: int) -> Iterator[list[Record]]:
    """Draw the groups; yields each one's records in order, as soon as they are there."""
    if workers <= 1:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(0)
        try:
            for group in planned:
                yield draw_group(draft, group, spec, seed)
        finally:
            cv2.setNumThreads(threads)
        return
    work = functools.partial(draw_group, draft, spec=spec, seed=seed)
    for _, outcome in imap_isolated(work, planned, timeout=PATIENCE, workers=workers):
        if isinstance(outcome, CrashedError | HungError):
            msg = f"{draft.parent}: {outcome} while drawing, perhaps for want of memory; run it again, and it goes on"
            raise DataError(msg) from outcome
        if isinstance(outcome, Exception):
            raise outcome
        yield outcome


def draw_group(draft: Path, group: Group, spec: Spec, seed: int) -> list[Record]:
    """Draw and write all clips of a group with their joints; returns the records.

    The file of the records is written last, and says that the others are whole.
    """
    where = scene(group, spec, seed)
    records = []
    for number in range(1, spec.clips + 1):
        drawn, video = clip(where, number, spec, seed), group.video(number)
        path = draft / DATA / "videos" / f"{video}.avi"
        write_video(path, drawn.frames, spec.fps)
        joints = io.BytesIO()
        np.savez_compressed(joints, joints=drawn.joints, visible=drawn.visible)
        target = draft / DATA / "joints" / f"{video}.npz"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(joints.getvalue())
        content = path.read_bytes()
        records.append(
            {
                "path": f"videos/{video}.avi",
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "frames": spec.frames,
                "fps": spec.fps,
                "width": spec.width,
                "height": spec.height,
                "class": group.class_name,
                "group": f"g{group.number:02d}",
                "tested_by": list(tests(group.number)),
            }
        )
    files.write_json(_records_file(draft, group), records)
    return records


def _write_lists(data: Path, videos: list[Record]) -> None:
    """Write `classInd.txt`, and `trainlist0N.txt` and `testlist0N.txt` of each split."""
    folder = data / LISTS
    present = {video["class"] for video in videos}
    numbers = {name: number for number, name in enumerate(class_names(), start=1) if name in present}
    listed = [(video["path"].removeprefix("videos/"), video) for video in videos]
    files.write_text(folder / "classInd.txt", "".join(f"{number} {name}\n" for name, number in numbers.items()))
    for split in range(1, len(TESTED) + 1):
        train = [f"{path} {numbers[video['class']]}\n" for path, video in listed if split not in video["tested_by"]]
        test = [f"{path}\n" for path, video in listed if split in video["tested_by"]]
        files.write_text(folder / f"trainlist{split:02d}.txt", "".join(train))
        files.write_text(folder / f"testlist{split:02d}.txt", "".join(test))


def _write_scenes(data: Path, videos: list[Record], planned: list[Group]) -> None:
    kinds = {(group.class_name, f"g{group.number:02d}"): group.kind for group in planned}
    order = list(KINDS)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["video", "scene", "index"])
    for video in videos:
        kind = kinds[video["class"], video["group"]]
        table.writerow([video["path"].removeprefix("videos/").removesuffix(".avi"), kind, order.index(kind)])
    files.write_text(data / "scenes.csv", text.getvalue())
