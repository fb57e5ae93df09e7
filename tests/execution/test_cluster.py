"""Units as tasks of a Dask cluster: the same runs, whatever happens to workers and scheduler."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from ruamel.yaml import YAML

from harness import api
from harness.errors import UsageError
from harness.execution import cluster as cluster_module
from harness.execution import workplaces
from harness.execution.cluster import ClusterExecutor, Scheduler, device_of_workers, own_device
from harness.execution.units import Workplace
from harness.store.runs import Store
from harness.system import paths

distributed = pytest.importorskip("distributed")

SUITE = (
    "name: toy\ntitle: Toy\nframes: 512\nmethods: [{method}, random_init]\nbackbones: [small_2d]\n"
    "pretraining: [blobs]\nevaluators: [{{name: knn, k: 5}}]\nseeds: [0]\n"
    "composites: [{{name: both, of: [{method}, random_init]}}]\n"
)


@pytest.fixture
def suite(toy, tmp_path):
    """Write a suite of two methods and both joined."""

    def suite(method):
        path = tmp_path / f"{method}.yaml"
        path.write_text(SUITE.format(method=method))
        return path

    return suite


class Cluster:
    """A scheduler and workers, each a process of its own."""

    def __init__(self, stack, file):
        self._stack = stack
        arguments = ("--host", "127.0.0.1", "--port", "0", "--dashboard-address", ":0", "--scheduler-file", str(file))
        self.scheduler = self._start("dask_scheduler", *arguments)
        deadline = time.monotonic() + 90
        while not file.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        self.address = json.loads(file.read_text())["address"]
        self.workers = []

    def _start(self, command, *arguments):
        module = f"distributed.cli.{command}"
        process = subprocess.Popen([sys.executable, "-m", module, *arguments], stderr=subprocess.DEVNULL)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    def add_worker(self):
        worker = self._start("dask_worker", self.address, "--no-nanny", "--dashboard-address", ":0", "--nthreads", "1")
        self.workers.append(worker)
        return worker


@pytest.fixture
def cluster(tmp_path):
    """Start a scheduler; workers are added by the test."""
    with contextlib.ExitStack() as stack:
        yield Cluster(stack, tmp_path / "scheduler.json")


def without_time(run):
    content = run.model_dump(mode="json")
    for name in ("evaluation_seconds", "finished"):
        del content["provenance"][name]
    return content


def test_results_are_those_of_one_machine(suite, cluster, toy, tmp_path):
    for _ in range(2):
        cluster.add_worker()
    there = api.run(suite("counted"), dask=cluster.address, device="auto", store=Store(tmp_path / "there"))
    here = api.run(suite("counted"), store=Store(tmp_path / "here"))
    assert [run.status for run in there.runs] == ["done"] * 3
    runs = {run.key: without_time(run) for run in here.runs}
    for run in there.runs:
        content = without_time(run)
        content["provenance"]["processors"] = runs[run.key]["provenance"]["processors"]
        assert content == runs[run.key]
    assert toy.read_text().splitlines() == ["counted 0"] * 2
    assert api.run(suite("counted"), dask=cluster.address, store=Store(tmp_path / "there")).runs == there.runs
    assert toy.read_text().splitlines() == ["counted 0"] * 2


def test_a_worker_that_is_killed_in_a_fit_loses_nothing(suite, cluster, toy):
    first = cluster.add_worker()
    code = (
        "from harness import api\n"
        f"runs = api.run({str(suite('slow'))!r}, dask={cluster.address!r}).runs\n"
        "assert [run.status for run in runs] == ['done'] * 3\n"
    )
    command = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 90
    while "slow 0" not in toy.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    children = psutil.Process(first.pid).children(recursive=True)
    first.send_signal(signal.SIGKILL)
    cluster.add_worker()
    assert command.wait(timeout=120) == 0
    assert toy.read_text().splitlines().count("slow 0") == 2  # the toy keeps no checkpoint
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)


def test_a_scheduler_that_goes_away_is_one_line_and_the_command_goes_on(suite, cluster, toy):
    cluster.add_worker()
    code = (
        "import sys\nfrom harness import api\nfrom harness.errors import HarnessError\n"
        f"try:\n    api.run({str(suite('slow'))!r}, dask={cluster.address!r})\n"
        "except HarnessError as error:\n    print(error)\n"
    )
    command = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 90
    while "slow 0" not in toy.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    cluster.scheduler.kill()
    said, _ = command.communicate(timeout=120)
    assert said.strip() == f"scheduler {cluster.address} is gone; the same command goes on with what is stored"
    assert [run.status for run in api.run(suite("slow")).runs] == ["done"] * 3


def test_no_scheduler_is_a_usage_error(suite, monkeypatch):
    monkeypatch.setattr("harness.execution.cluster.CONNECTING", "1s")
    with pytest.raises(UsageError, match=r"--dask tcp://127.0.0.1:1: no scheduler answers there"):
        api.run(suite("counted"), dask="tcp://127.0.0.1:1")
    with pytest.raises(UsageError, match=r"--dask here: expected `local`, or the address of a scheduler as in tcp://"):
        api.run(suite("counted"), dask="here")


@pytest.mark.parametrize(("resources", "taken"), [({}, False), ({"GPU": 0.5}, False), ({"GPU": 1.0}, True)])
def test_a_worker_without_a_gpu_is_a_usage_error(home, resources, taken):
    workers = {"one": {"resources": {}}, "two": {"resources": resources}}
    client = SimpleNamespace(scheduler_info=lambda n_workers: {"workers": workers})
    executor = ClusterExecutor("tcp://host:8786", Workplace(store=paths.store(), device="cuda"))
    expected = (
        contextlib.nullcontext() if taken else pytest.raises(UsageError, match=r"no worker of .* has GPU=1; .* GPU=1`$")
    )
    with expected:
        assert executor._needs(client) == {"GPU": 1.0}


@pytest.mark.parametrize(("resources", "device"), [({"GPU": 1}, "cuda"), ({}, "cpu")])
def test_the_device_is_a_gpu_where_a_worker_has_one(resources, device):
    with distributed.LocalCluster(n_workers=1, processes=False, resources=resources, dashboard_address=":0") as cluster:
        assert device_of_workers(cluster.scheduler_address) == device


def test_workers_of_this_machine_have_a_device_each():
    with distributed.LocalCluster(n_workers=2, processes=False, dashboard_address=":0") as cluster:
        names = sorted(worker.name for worker in cluster.workers.values())
    assert names == [0, 1]
    assert [own_device("cuda", ["cuda:0", "cuda:1"], name) for name in names] == ["cuda:0", "cuda:1"]


def test_a_fault_of_the_work_is_not_one_of_the_scheduler(tmp_path, monkeypatch):
    class Failed:
        status = "error"

        def result(self):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("distributed.as_completed", lambda tasks: tasks)
    executor = ClusterExecutor("tcp://127.0.0.1:1", Workplace(store=tmp_path))
    with pytest.raises(OSError, match="No space left"):
        executor._wait({Failed(): None}, None)


def test_a_cluster_of_this_machine(suite):
    assert [run.status for run in api.run(suite("counted"), dask="local", jobs=1).runs] == ["done"] * 3


def test_a_cluster_of_this_machine_has_a_worker_for_as_many_processors_as_a_suite_has_threads(suite, monkeypatch):
    counts = []

    @contextlib.contextmanager
    def scheduler(address, *, jobs, device):
        counts.append(jobs)
        yield Scheduler("tcp://127.0.0.1:1", counts.append)

    monkeypatch.setattr(cluster_module, "scheduler", scheduler)
    monkeypatch.setattr(workplaces, "allowed_processors", lambda: 2)
    monkeypatch.setattr(workplaces, "_free_memory", lambda: 2**40)
    monkeypatch.setattr(ClusterExecutor, "execute", lambda self, *arguments, **options: None)
    path = suite("counted")
    path.write_text(f"{path.read_text()}threads: 2\n")
    api.run(path, dask="local")
    assert counts == [2, 1]


EXAMPLES = Path(__file__).parents[2] / "examples" / "cluster"


def test_the_job_script_for_slurm_computes_a_suite(suite, tmp_path, monkeypatch):
    """With the machine itself as the allocation, of which `srun` starts the one worker."""
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "srun").write_text('#!/bin/bash\nexec "$@"\n')
    (commands / "srun").chmod(0o755)
    path = os.pathsep.join([str(commands), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "HARNESS_DEVICE": "cpu", "HARNESS_BOARD": str(tmp_path / "board")}
    command = ["bash", EXAMPLES / "slurm.sh", suite("counted")]
    with (tmp_path / "out").open("w") as out:
        job = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            assert job.wait(timeout=200) == 0, (tmp_path / "out").read_text()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(job.pid, signal.SIGKILL)
    assert "both" in (tmp_path / "board" / "README.md").read_text()
    assert not list((paths.home()).glob("scheduler-*"))


def test_the_manifest_for_kubernetes_starts_a_scheduler_and_workers_that_know_it():
    service, scheduler, worker = YAML(typ="safe", pure=True).load_all((EXAMPLES / "kubernetes.yaml").read_text())
    assert [one["kind"] for one in (service, scheduler, worker)] == ["Service", "Deployment", "Deployment"]
    assert service["spec"]["selector"] == scheduler["spec"]["template"]["metadata"]["labels"]
    (container,) = worker["spec"]["template"]["spec"]["containers"]
    (port,) = service["spec"]["ports"]
    assert container["command"][2] == f"tcp://{service['metadata']['name']}:{port['port']}"
    assert {"name": "HARNESS_HOME", "value": container["volumeMounts"][0]["mountPath"]} in container["env"]
