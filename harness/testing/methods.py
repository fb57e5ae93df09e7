"""Conformance checks of methods: of the fit here, of the encoder in `encoders`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.cards import Read
from harness.testing import encoders
from harness.testing.cards import check_card
from harness.testing.checking import TOLERANCE, distance, expect
from harness.testing.fits import FRAMES, MethodSubject, check_fit
from harness.testing.hidden_labels import check_order, check_unlabelled, check_whole_videos
from harness.testing.traces import expect_no_traces, traces


def check_seed(subject: MethodSubject) -> None:
    """Equal seeds give equal vectors, whatever the global random state.

    So do other seeds and budgets where the card says that they are not read.
    """
    subject.requires(encoders.check_repeatable)
    if not subject.tested.card.supervised:
        subject.requires(check_unlabelled)
    second = subject.again.encoder.encode(subject.batch())
    difference = distance(second, subject.vectors)
    parts: tuple[Read, ...] = ("budget", "seed")
    others = " and ".join(part for part in parts if not subject.reads(part))
    remedy = "draw everything random from session.budget.seed, and keep nothing of a fit in the method"
    expect(
        difference <= TOLERANCE,
        expected=f"two fits with another {others}, which the card does not read, to give equal vectors"
        if others
        else "two fits with seed 0 to give equal vectors",
        got=f"a difference of {difference:.1%}",
        remedy=f"add what the fit depends on to `reads` of the card; {remedy}" if others else remedy,
    )


def check_budget(subject: MethodSubject) -> None:
    """Fitting takes no more training frames than the budget grants.

    Counted are the frames that pass forward through the network while gradients are recorded; one that is shown twice
    counts twice, one that is read ahead or kept in a cache does not count. The pass during which the budget ends may be
    finished. A method that trains no network is held by the frames it reads, and may finish its video.
    """
    subject.requires(check_fit)
    shown, batch = subject.fitted.frames_shown, subject.fitted.largest_batch
    if shown:
        expect(
            shown <= FRAMES + batch,
            expected=f"at most {FRAMES} frames shown to the network (and the rest of a batch of {batch})",
            got=shown,
            remedy="stop when session.budget.frames are used up, not after so many epochs",
        )
        return
    longest = max(video.frames for video in subject.train.videos)
    expect(
        subject.fitted.frames_read <= FRAMES + longest,
        expected=f"at most {FRAMES} frames read (and the rest of a video of {longest}) by a method without a network",
        got=subject.fitted.frames_read,
        remedy="learn from as many videos as session.budget.frames allows",
    )


def check_traces(subject: MethodSubject) -> None:
    """Fitting and encoding print nothing to stdout and change no global state."""
    subject.requires(check_fit)
    expect_no_traces(subject.fitted.left, "fitting")
    subject.requires(encoders.check_repeatable)
    with traces() as left:
        subject.encoder.encode(subject.batch())
    expect_no_traces(left, "encoding")


def checks(subject: MethodSubject) -> list[Callable[[Any], None]]:
    """List the checks of a method with this card."""
    supervised = subject.tested.card.supervised
    return [
        check_card,
        check_fit,
        *([] if supervised else [check_unlabelled]),
        check_budget,
        check_traces,
        *encoders.CHECKS,
        check_whole_videos,
        check_seed,
        *([] if supervised else [check_order]),
    ]
