"""Threads: a vCPU each, under the name of its run-state, with why it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape, quoteattr

from lapis_sessions.text.visible import visible

if TYPE_CHECKING:
    from lapis_sessions.session import Session

NAMES: Final = {"wait-for-sipi": "wait-for-SIPI"}
"""Run-states that gdb's user is shown by other names than commands give."""


def name(session: Session, number: int) -> str:
    """Return the run-state of a vCPU."""
    state = session.machine.vcpu_state(number)
    return NAMES.get(state, state)


def extra(session: Session, number: int) -> str:
    """Return which vCPU it is, its mode, and why it would not run now."""
    machine = session.machine
    regs = machine.vcpu(number).regs
    why = machine.why_not_runnable(number)
    head = f"vCPU {number}, {regs.mode} mode"
    if why is None:
        return f"{head}, {ready(session, number)}"
    waiting = [each for each in machine.pending() if each.vcpu == number]
    text = f"{why.text} ({waiting[0].text})" if waiting else why.text
    return visible(f"{head}: {text}")


def ready(session: Session, number: int) -> str:
    """Say that a vCPU can run, which its run-state may not tell before its turn."""
    if session.machine.vcpu_state(number) == "running":
        return "can run"
    return "what it waits for has come, and it runs at its turn"


def listing(session: Session) -> bytes:
    """Return the document of `qXfer:threads:read`."""
    rows = [
        f'<thread id="{n + 1:x}" core="{n}" name={quoteattr(name(session, n))}>'
        f"{escape(extra(session, n))}</thread>"
        for n in range(len(session.machine.vcpus))
    ]
    body = "\n".join(['<?xml version="1.0"?>', "<threads>", *rows, "</threads>", ""])
    return body.encode()
