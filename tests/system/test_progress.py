"""Events of progress, and how a terminal and a log show them."""

from __future__ import annotations

import io
import pickle

import pytest
from rich.console import Console

from harness.system import progress
from harness.system.progress import Advanced, Ended, Said, Started, Terminal


def test_work_sends_events_that_another_process_can_be_handed():
    events = []
    with progress.sent_to(events.append), progress.bar("outer", total=2) as outer:
        outer.advance(note="half")
        with progress.bar("inner", total=1):
            progress.say("a line")
    first, second = events[0].task, events[2].task
    assert first != second
    assert events == [
        Started(first, "outer", 2),
        Advanced(first, 1, "half"),
        Started(second, "inner", 1),
        Said("a line"),
        Ended(second),
        Ended(first),
    ]
    assert pickle.loads(pickle.dumps(events)) == events


def test_a_task_that_raises_ends():
    events = []
    with pytest.raises(KeyError), progress.sent_to(events.append), progress.bar("broken", total=1):
        raise KeyError
    assert [type(event) for event in events] == [Started, Ended]


def shown(events, *, terminal):
    text = io.StringIO()
    show = Terminal(Console(file=text, force_terminal=terminal, width=80))
    for event in events:
        show(event)
    return text.getvalue(), show


EVENTS = [
    Started(1, "fitting", 8),
    *[Advanced(1, 1, f"loss {n}") for n in range(8)],
    Said("a [bold] line"),
    Ended(1),
]


def test_a_log_gets_a_line_at_the_start_and_at_each_quarter():
    text, _ = shown(EVENTS, terminal=False)
    assert text.splitlines() == [
        "fitting ...",
        *(f"fitting {share} % after 0 s loss {n}" for share, n in ((25, 1), (50, 3), (75, 5), (100, 7))),
        "a [bold] line",
    ]


@pytest.mark.parametrize("terminal", [False, True])
def test_text_from_outside_is_one_printable_line(terminal):
    evil = "\x1b]0;title\x07\nJump\udce9 [red]"
    text, _ = shown([Started(1, evil, 4), Advanced(1, 2, evil), Said(evil), Ended(1)], terminal=terminal)
    assert "\x07" not in text
    assert "\x1b]" not in text
    text.encode()
    assert text.count(r"\x1b]0;title\x07 Jump\xe9 [red]") >= 1


def test_a_line_may_be_long_but_not_endless():
    text, _ = shown([Said("x" * 100_000)], terminal=False)
    assert len(text.strip()) == progress.LINE_LIMIT


def test_a_terminal_gets_one_live_display_that_ends_with_the_last_task():
    text, show = shown([EVENTS[0], Started(2, "encoding", 1), *EVENTS[1:], Ended(2)], terminal=True)
    assert "fitting" in text
    assert "encoding" in text
    assert show._live is None
