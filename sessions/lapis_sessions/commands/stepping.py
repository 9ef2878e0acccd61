"""Commands that go on to a place in the code of one vCPU: next, until, finish.

Everyone runs meanwhile, as the schedule has it, unless the others are to stand still.
In the past they go along what was done there. What stops the user otherwise stops them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lapis_engine.machine.points import Point
from lapis_sessions.commands import running
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.views import frames
from lapis_sessions.views import machine as views

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_sessions.session import Session
    from lapis_sessions.views.frames import BacktraceView
    from lapis_sessions.views.machine import StopView

ARRIVED: Final = "arrived"
"""Reason of a stop: the vCPU is where it was to come."""
OURS: Final = 0
"""Number of the breakpoint that is there while we go: the user's begin with 1."""
OVER: Final = ("call", "lcall", "int", "rep", "syscall", "vmcall")
"""What the mnemonics of instructions begin with that are stepped over as a whole."""
USUAL: Final = 64
MOST_FRAMES: Final = 1000
ALONE: Final = Argument("alone", "flag", option=True)


def next_(session: Session, bound: Bound) -> StopView:
    """Step, but over a CALL, an INT or a repeated string instruction as a whole."""
    machine, number = session.machine, session.selected
    here = next(iter(machine.disassemble(number, None, 1)), None)
    if here is None or not here.mnemonic.startswith(OVER):
        alone = "alone" in bound
        stop = session.step() if alone else session.step_among()
        return running.told(session, stop)
    level, behind = machine.vcpu(number).regs.linear_rsp, here.linear + len(here.code)

    def is_back(vcpu: int) -> bool:
        return machine.vcpu(vcpu).regs.linear_rsp >= level

    return _go(session, bound, behind, is_back)


def until(session: Session, bound: Bound) -> StopView:
    """Go on until the selected vCPU comes to an address."""
    return _go(session, bound, bound.number("address"), lambda _vcpu: True)


def finish(session: Session, bound: Bound) -> StopView:
    """Go on until the present function returns, or the interrupt is handled."""
    view = frames.of(session, session.selected, 2)
    if len(view.frames) < 2:
        raise CommandError(f"finish: nobody is known to return to: {view.text}")
    machine, caller = session.machine, view.frames[1]

    def is_back(vcpu: int) -> bool:
        return machine.vcpu(vcpu).regs.linear_rsp >= caller.stack

    return _go(session, bound, caller.linear, is_back)


def backtrace(session: Session, bound: Bound) -> BacktraceView:
    """Return who called whom."""
    count = bound.number("count", USUAL)
    if not 1 <= count <= MOST_FRAMES:
        raise CommandError(f"backtrace: {count} frames: 1 to {MOST_FRAMES}")
    return frames.of(session, bound.number("vcpu", session.selected), count)


def _go(
    session: Session, bound: Bound, linear: int, holds: Callable[[int], bool]
) -> StopView:
    """Go on until the selected vCPU comes to an address and `holds` is true there."""
    machine, number = session.machine, session.selected
    begun = machine.vcpu(number).retired

    def when(vcpu: int) -> bool:
        return machine.vcpu(vcpu).retired > begun and holds(vcpu)

    # Behind those of the user's, which are to be told of where both stop.
    goal = Point(OURS, linear, vcpu=number, when=when)
    machine.points.put([*machine.points.items, goal])
    try:
        stop = session.step(session.limit) if "alone" in bound else session.run()
    finally:
        machine.points.put(it for it in machine.points.items if it is not goal)
    if stop.point == OURS:
        stop = replace(stop, reason=ARRIVED, text=f"at {linear:#x}", exit=None)
    return running.told(session, stop)


COMMANDS = (
    Command(
        "next",
        "step the selected vCPU, but over CALL, INT and repeated string instructions "
        "as a whole; everyone runs meanwhile, unless it is --alone; in the past along "
        "what was done there",
        "time-moving", next_, views.stop_text, (ALONE,), ("n", "ni", "nexti"),
    ),
    Command(
        "until",
        "go on until the selected vCPU comes to ADDRESS; everyone runs meanwhile, "
        "unless it is --alone; in the past along what was done there",
        "time-moving", until, views.stop_text,
        (Argument("address", "address", required=True), ALONE), ("advance",),
    ),
    Command(
        "finish",
        "go on until the present function returns to who called it, or to what was "
        "interrupted, as `backtrace` has it; everyone runs meanwhile, unless it is "
        "--alone",
        "time-moving", finish, views.stop_text, (ALONE,), ("fin", "gu"),
    ),
    Command(
        "backtrace",
        "show who called whom, COUNT (64) frames: calls and interrupts, by call frame "
        "information of loaded symbols or by frame pointers, and why there is no more",
        "read-only", backtrace, frames.text,
        (Argument("count", "count"), Argument("vcpu", "vcpu", option=True)),
        ("bt", "k", "info stack"),
    ),
)  # fmt: skip
