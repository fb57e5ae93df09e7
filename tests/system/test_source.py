"""Reading of modules."""

from __future__ import annotations

import ast
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from harness.system import source


def test_threads_parse_one_after_the_other(tmp_path, monkeypatch):
    """CPython 3.11 may end several at once in a SystemError."""
    parse, inside, alone = ast.parse, threading.Lock(), []

    def slow(code):
        first = inside.acquire(blocking=False)
        alone.append(first)
        time.sleep(0.02)
        if first:
            inside.release()
        return parse(code)

    monkeypatch.setattr(ast, "parse", slow)
    paths = [tmp_path / f"{number}.py" for number in range(6)]
    for number, path in enumerate(paths):
        path.write_text(f"value = {number}\n")
    with ThreadPoolExecutor(6) as pool:
        codes = {one.code for one in pool.map(source.read_source, paths)}
    assert len(codes) == 6
    assert alone == [True] * 6


def test_a_file_that_is_edited_is_read_again(tmp_path):
    file = tmp_path / "edited.py"
    file.write_text("A = 1\n")
    before = source.read_source(file)
    assert source.read_source(file) is before
    file.write_text("A = 1 + 1\n")
    assert source.read_source(file).code != before.code
