"""Whether the code that a SIPI started a vCPU at was there.

SDM Vol. 3A "MP Initialization Protocol Algorithm": a SIPI names a page below 1 MiB, and
nothing keeps the sender from changing it before the processor gets there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.errors import UnmappedError
from lapis_engine.explain.moments import moment
from lapis_engine.lints import startup_code
from lapis_engine.why.reason import Reason, allows, blocks

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine
    from lapis_engine.machine.start_pages import SipiPage, Started
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.why.causes.fates import Fates

ENTRY: Final = 16
"""Bytes that an instruction has at the most: what a vCPU runs first is in them."""
VIDEO: Final = range(0xA_0000, 0xC_0000)
FILLINGS: Final = frozenset({0x00, 0xFF})
"""What memory is that nobody wrote to."""


def start(machine: Machine, it: Vcpu, known: Fates) -> Reason | None:
    """Return what is wrong with where it was started, or None."""
    if known.started is None:
        return None
    seen = machine.starts.of(known.started)
    if seen is None:
        return None
    named = seen.named
    sipi = f"SIPI {seen.start >> 12:#04x}"
    if named is not None and _is_of(machine, named):
        changed = _changed(it, seen, named)
        if changed is not None:
            return changed
        sipi = f"{sipi} at {moment(named.sent.at)} from vCPU {named.sent.event.vcpu}"
    values = {"start": seen.start, "at": known.started.at}
    what = _nothing(seen)
    if what is None:
        return None
    text = f"{sipi} started it at {seen.start:#x}, where there is {what}, and no code"
    is_zero = seen.page[:ENTRY] == bytes(ENTRY) and seen.start not in VIDEO
    rule = "zero-page" if is_zero else "no-code"
    return Reason(rule, text, values, blocks=True)


def is_nothing(machine: Machine, known: Fates) -> bool:
    """Tell whether there was no code at all: it cannot be that it runs as it should."""
    seen = None if known.started is None else machine.starts.of(known.started)
    return seen is not None and _nothing(seen) is not None


def _is_of(machine: Machine, named: SipiPage) -> bool:
    """Tell whether a SIPI that was seen is in this history, and not on a branch."""
    seq = named.sent.seq
    return machine.log.between(seq, seq + 1) in ([], [named.sent])


def _changed(it: Vcpu, seen: Started, named: SipiPage) -> Reason | None:
    before, now = named.page, seen.page
    if before == now or len(before) != len(now):
        return None
    code = startup_code.reached(before, seen.start)
    count = sum(before[at] != now[at] for at in code)
    if not count:
        return None
    sent, at = named.sent, seen.started.at
    what = _nothing(seen)
    tail = "" if what is None else f", and there is {what} now"
    text = (
        f"the code at {seen.start:#x} has changed since SIPI {seen.start >> 12:#04x} "
        f"was sent at {moment(sent.at)} by vCPU {sent.event.vcpu}: {count} bytes of "
        f"code were overwritten before vCPU {it.id} started there at {moment(at)}{tail}"
    )
    return blocks(
        "trampoline-changed", text, start=seen.start, bytes=count, sent=sent.at, at=at
    )


def _nothing(seen: Started) -> str | None:
    """Return what a page holds in place of code, or None."""
    first = seen.page[:ENTRY]
    if seen.start in VIDEO:
        return "the memory of the display (vectors 0xa0 to 0xbf are reserved)"
    if not first:
        return "no memory"
    if first == bytes(ENTRY):
        return "nothing but zeros (00 00 is add [bx+si], al)"
    if len(set(seen.page)) == 1:
        return f"nothing but bytes {first[0]:#04x}"
    if not seen.start:
        return "the vector table of real mode (a SIPI can name no page above 1 MiB)"
    return None


def away(machine: Machine, it: Vcpu) -> Reason | None:
    """Return that it runs where no code is, or None."""
    rip = it.regs.linear_rip
    try:
        code = machine.read_memory(it.id, rip, ENTRY)
    except UnmappedError:
        return None
    if len(set(code)) != 1 or code[0] not in FILLINGS:
        return None
    what = "zeros (00 00 is an ADD)" if not code[0] else f"bytes {code[0]:#04x}"
    text = f"it runs away: at {rip:#x} there are {what}, and no code"
    return allows("runs-away", text, rip=rip, byte=code[0])
