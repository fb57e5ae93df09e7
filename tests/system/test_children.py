"""Functions called in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from harness.errors import UsageError
from harness.system import children, progress
from harness.system.children import Child, DiedError, Limits


def call(work, *arguments, **settings):
    """The one answer of a child."""
    with Child(work, *arguments, **settings) as child:
        return child.only_answer()


def answers(link, number):
    link.send(
        (number + 1, torch.get_num_threads(), os.environ.get("TOLD"), str(Path.cwd()), os.environ["OMP_NUM_THREADS"])
    )


def echoes(link):
    with progress.bar("echoing", total=2) as bar:
        while True:
            try:
                link.send(link.receive())
            except EOFError:
                return
            bar.advance()


def raises_ours(link):
    msg = "no such thing"
    raise UsageError(msg)


def raises(link):
    msg = "a fault"
    raise RuntimeError(msg)


def kills_itself(link):
    os.kill(os.getpid(), signal.SIGKILL)


def prints(link):
    sys.stdout.write("\x1b[2J\x1b[31mred\x1b[0m\n")
    os.write(1, b"raw\n")
    os.write(2, b"caf\xe9 without an end")
    link.send(None)


def has_a_child(link):
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    link.send(process.pid)
    time.sleep(600)


def leaves_a_child(link):
    link.send(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid)


DAEMON = """
import os, subprocess, sys
if os.fork() == 0:
    os.setsid()
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    print(subprocess.Popen(command, start_new_session=True).pid, flush=True)
"""


def leaves_a_daemon(link):
    with subprocess.Popen([sys.executable, "-c", DAEMON], stdout=subprocess.PIPE) as process:
        link.send(int(process.stdout.readline()))


def sleeps(link):
    link.send(os.getpid())
    time.sleep(600)


def swells(link):
    hoard = [bytearray(b"x" * 10**9)]
    time.sleep(600)
    del hoard


def reports(link):
    with progress.bar("reporting", total=10**9) as bar:
        for _ in range(600):
            bar.advance()
            time.sleep(0.1)


def draws_a_bar(link):
    for number in range(400):
        os.write(2, b"\r" + b"#" * 1000 + str(number).encode())
    os.write(2, b"\n")
    link.send(None)


class Deaf:
    def write(self, text):
        pass


def spoils_its_output(link, stream):
    sys.stdout.write("said before\n")
    sys.stderr.close()
    sys.stdout = stream
    msg = "no such thing"
    raise UsageError(msg)


def gone(pid):
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_a_child_gets_values_folder_environment_and_threads(tmp_path, monkeypatch):
    monkeypatch.setenv("TOLD", "yes")
    monkeypatch.chdir(tmp_path)
    assert call(answers, 1, threads=1) == (2, 1, "yes", str(tmp_path), "1")


@pytest.mark.parametrize("stream", [None, Deaf()])
def test_what_the_work_did_to_its_output_hides_no_outcome(stream, capfd):
    with pytest.raises(UsageError, match="no such thing"):
        call(spoils_its_output, stream)
    assert "said before" in capfd.readouterr().err


def test_a_conversation_and_its_progress():
    events = []
    with progress.sent_to(events.append), Child(echoes) as child:
        for word in ("one", "two"):
            child.send(word)
            assert child.answer() == word
    assert [type(event).__name__ for event in events] == ["Started", "Advanced", "Ended"]
    assert len({event.task for event in events}) == 1


def test_errors_of_the_harness_keep_their_class_and_others_their_traceback():
    with pytest.raises(UsageError, match=r"^no such thing$"):
        call(raises_ours)
    with pytest.raises(RuntimeError, match=r"(?s)in raises.*RuntimeError: a fault"):
        call(raises)


def test_a_death_is_told_with_its_signal_or_its_limit():
    with pytest.raises(DiedError, match=r"ended by signal 9, SIGKILL, as the system ends processes when memory"):
        call(kills_itself)
    with pytest.raises(DiedError, match=r"ended after .* hours, its limit") as error:
        call(sleeps, limits=Limits(hours=0.1 / 3600))
    assert error.value.status == "failed"
    with pytest.raises(DiedError, match=r"ended after .* hours, its limit"):
        call(reports, limits=Limits(hours=1 / 3600))
    with pytest.raises(DiedError, match=r"GiB of resident memory; its limit is 0.9") as error:
        call(swells, limits=Limits(memory_gb=0.9))
    assert error.value.status == "oom"


@pytest.mark.parametrize("relayed", [False, True])
def test_what_it_prints_is_told_without_escapes(capfd, monkeypatch, relayed):
    monkeypatch.setattr(children, "RELAYED", relayed)
    said = []
    with progress.sent_to(lambda event: said.append(event.text)):
        call(prints)
    assert sorted(said) == ["caf\ufffd without an end", "raw", "red"]
    assert capfd.readouterr() == ("", "")


def test_a_bar_that_is_drawn_again_and_again_is_one_line():
    said = []
    with progress.sent_to(lambda event: said.append(event.text)), Child(draws_a_bar) as child:
        child.only_answer()
        assert len(child._line) <= 2**16
    (line,) = said
    assert line.endswith("399")
    assert len(line) < 1100


def test_its_own_children_end_with_it():
    with Child(has_a_child) as child:
        pid = child.answer()
        assert not gone_at_once(pid)
    assert gone(pid)
    assert gone(call(leaves_a_child))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere a process keeps no orphans")
def test_a_daemon_that_it_started_ends_with_it():
    assert gone(call(leaves_a_daemon))


def gone_at_once(pid):
    return not psutil.pid_exists(pid)


PARENT = (
    "import os, signal, sys\n"
    "from tests_of_children import sleeps\n"
    "from harness.system.children import Child\n"
    "child = Child(sleeps)\n"
    "print(child.answer(), flush=True)\n"
    "os.kill(os.getpid(), signal.SIGKILL)\n"
)


def test_it_ends_with_its_parent_and_needs_no_guard_of_a_script(tmp_path):
    (tmp_path / "tests_of_children.py").write_text(
        "import os, time\ndef sleeps(link):\n    link.send(os.getpid())\n    time.sleep(600)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(PARENT)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert gone(int(done.stdout))
