"""This machine, divided."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.execution import workplaces as module
from harness.execution.workplaces import workplaces


@pytest.fixture
def divided(monkeypatch, tmp_path):
    """Divide a machine of 8 processors and some memory."""

    def divided(*, memory=64, **options):
        monkeypatch.setattr(module, "allowed_processors", lambda: 8)
        monkeypatch.setattr(module, "_free_memory", lambda: memory * 2**30)
        monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
        return workplaces(store=tmp_path, locations={}, **{"device": "cpu", **options})

    return divided


def test_as_many_as_processors_and_memory_allow(divided):
    assert [(place.threads, place.processors) for place in divided()] == [(1, 1)] * 8
    assert [(place.threads, place.processors) for place in divided(threads=3)] == [(3, 4)] * 2
    assert len(divided(memory=7)) == 3
    assert len(divided(memory=0)) == 1
    assert [place.processors for place in divided(jobs=2)] == [4, 4]


def test_one_on_each_gpu(divided):
    assert [(place.device, place.processors) for place in divided(device="cuda")] == [("cuda:0", 4), ("cuda:1", 4)]
    assert [place.device for place in divided(device="cuda:1")] == ["cuda:1"]
    assert [place.device for place in divided(device="cuda", jobs=3)] == ["cuda:0", "cuda:1", "cuda:0"]


def test_a_run_that_torchrun_started_several_times_is_refused(divided, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="start it once, with --jobs for several GPUs, or --dask"):
        divided()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"jobs": 0}, "--jobs 0: expected at least 1"),
        ({"jobs": 5, "threads": 2}, "--jobs 5 with 2 threads each needs 10 processors; 8 are allowed"),
    ],
)
def test_more_than_there_is(divided, options, message):
    with pytest.raises(UsageError, match=message):
        divided(**options)


def test_threads_are_as_the_suite_says_or_refused(divided):
    assert [place.threads for place in divided(threads=8)] == [8]
    with pytest.raises(UsageError, match=r"threads: 9, .* 8 processors are allowed; .*--set threads=8"):
        divided(threads=9)


def test_other_machines_are_not_judged_by_this_one(divided):
    (place,) = divided(threads=9, jobs=20, device="cuda", elsewhere=True)
    assert (place.threads, place.processors, place.device) == (9, None, "cuda")
    assert divided(workers=3, elsewhere=True)[0].processors == 3
    with pytest.raises(UsageError, match="--jobs 0"):
        divided(jobs=0, elsewhere=True)


def test_workers_are_the_same_for_every_place(tmp_path):
    places = workplaces(store=tmp_path, device="cpu", jobs=1, workers=7)
    assert [place.processors for place in places] == [7]
    with pytest.raises(UsageError, match="--workers 0: expected at least 1"):
        workplaces(store=tmp_path, device="cpu", workers=0)
