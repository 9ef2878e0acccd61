"""Stop replies: why the machine stands, in gdb's words and in ours.

Source: GDB manual "Stop Reply Packets".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_sessions.gdb import description, threads
from lapis_sessions.gdb.conversation import FAULT, TRAP
from lapis_sessions.gdb.marks import KINDS, WATCHES
from lapis_sessions.gdb.register import Owner
from lapis_sessions.gdb.script import IN_GDB
from lapis_sessions.text.visible import printed

if TYPE_CHECKING:
    from lapis_engine.machine.stop import Stop
    from lapis_sessions.gdb.conversation import Conversation

HINT: Final = (
    "vCPU {} is in {}-bit code, which gdb takes for 64-bit code: `monitor x/10i $pc` "
    "shows it, and so does x/10i after `source {}`"
)
SIGNALS: Final = {"fault": FAULT}
"""By the reason of a stop; all others are SIGTRAP."""
STEPPED: Final = "stepped"
"""Reason of a stop: the step that was asked for was done."""
LONG: Final = 64
"""Bits of code that gdb shows as it is."""
WIDE: Final = description.ARCHITECTURES[0]


def reply(
    talk: Conversation, number: int, signal: int = TRAP, reason: str = ""
) -> bytes:
    """Return the stop reply about a vCPU; `reason` is `watch:8000;` or such.

    The thread is selected by that: gdb takes it for such, and does not say so
    (`record_currthread`).
    """
    talk.general = talk.stopped = number
    return standing(talk, number, signal, reason)


def standing(talk: Conversation, number: int, signal: int, reason: str = "") -> bytes:
    """Return a stop reply that selects nobody.

    The registers that gdb asks for at every stop come with it.
    """
    owner = Owner(talk.session.machine, talk.session.machine.vcpu(number))
    it = talk.description
    sent = "".join(
        f"{index:02x}:{it.registers[index].fetch(owner).hex()};"
        for index in (it.fp, it.sp, it.pc)
    )
    head = f"T{signal:02x}thread:{number + 1:x};core:{number:x};"
    if talk.is_lldb:
        head += f"name:{threads.name(talk.session, number)};"
    return f"{head}{reason}{sent}".encode()


def exception(talk: Conversation, text: str) -> str:
    """Return what lldb is told of a stop that it has no word for, else nothing."""
    if not text or not talk.is_lldb:
        return ""
    return f"reason:exception;description:{text.encode().hex()};"


def reason_of(talk: Conversation, stop: Stop) -> str:
    """Return what gdb is told of a stop at one of its breakpoints or watchpoints."""
    mark = talk.marks.of(stop.point)
    if mark is not None and mark.type in WATCHES:
        return f"{WATCHES[mark.type][1]}:{mark.address:x};"
    if stop.reason == "breakpoint":
        return break_reason(talk, stop.vcpu)
    return ""


def break_reason(talk: Conversation, number: int) -> str:
    """Return what gdb is told of a vCPU that stands at a breakpoint of its own."""
    linear = talk.session.machine.vcpu(number).regs.linear_rip
    mark = talk.marks.at(linear)
    word = KINDS[mark.type] if mark is not None else ""
    return f"{word}:;" if word in talk.knows_reasons else ""


def hint(talk: Conversation, number: int) -> None:
    """Say once how code is shown that gdb shows wrongly."""
    bits = talk.session.machine.vcpu(number).regs.code_bits
    if (
        talk.knows_modes
        or talk.is_lldb
        or bits == LONG
        or talk.description.architecture != WIDE
    ):
        return
    talk.knows_modes = True
    talk.owed.append(HINT.format(number, bits, IN_GDB))


def words(talk: Conversation, stop: Stop) -> str:
    """Say what gdb has no word for, or nothing."""
    mark = talk.marks.of(stop.point)
    if mark is not None or stop.reason in {"budget", STEPPED}:
        return ""
    if stop.reason == "halted":
        return f"stopped (halted): {stop.text}"
    text = f"stopped ({stop.reason}) on vCPU {stop.vcpu}: {stop.text}"
    if any(each.vcpu == stop.vcpu for each in talk.session.machine.pending()):
        text += "; `monitor answer VALUE` answers"
    return printed(text)
