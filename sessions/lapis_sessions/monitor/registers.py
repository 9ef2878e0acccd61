"""The text of QEMU's monitor command `info registers` (`x86_cpu_dump_state`).

It has the hidden parts of segments, x87 and SSE, and no MSR but EFER.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from lapis_engine.boot.machine_state import ProcessorState
from lapis_sessions.monitor.channel import MonitorError

if TYPE_CHECKING:
    from collections.abc import Mapping

NARROW: Final = (
    "EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI",
)  # fmt: skip
WIDE: Final = (
    "RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
    *(f"R{number}" for number in range(8, 16)),
)  # fmt: skip
SEGMENTS: Final[Mapping[str, str]] = {
    **{name.upper(): name for name in ("es", "cs", "ss", "ds", "fs", "gs", "tr")},
    "LDT": "ldtr",
}
DEBUG: Final = (0, 1, 2, 3, 6, 7)
FLOATS: Final = ("FCW", "FSW", "FTW", "MXCSR")
HEAD: Final = re.compile(r"^CPU#(\d{1,6})\s*$", re.MULTILINE)
VALUE: Final = r"(?<!\S){} *=([0-9a-fA-F]{{1,16}})(?!\S)"
WIDTHS: Final[Mapping[str, frozenset[int]]] = MappingProxyType({
    **dict.fromkeys(("A20", "SMM", "HLT", "II"), frozenset({1})),
    **dict.fromkeys(("FCW", "FSW"), frozenset({4})),
    "FTW": frozenset({2}),
})  # fmt: skip
"""Digits of a value, where they are not 8 or 16."""
WORD: Final = frozenset({8, 16})
SEGMENT: Final = (
    r"^{} *=([0-9a-fA-F]{{4}}) ([0-9a-fA-F]{{8,16}}) ([0-9a-fA-F]{{8}}) "
    r"([0-9a-fA-F]{{8}})(?!\S)"
)
TABLE: Final = r"^{}= *([0-9a-fA-F]{{8,16}}) ([0-9a-fA-F]{{8}})(?!\S)"
X87: Final = re.compile(r"(?<!\S)FPR([0-7])=([0-9a-fA-F]{16}) ([0-9a-fA-F]{4})(?!\S)")
VECTOR: Final = re.compile(
    r"(?<!\S)([XYZ])MM(\d\d)=([0-9a-fA-F]{16}(?: ?[0-9a-fA-F]{16}){1,7})(?!\S)"
)
WORDS: Final = {"X": 2, "Y": 4, "Z": 8}
"""Words of 64 bits, the highest first."""
RESET_VECTOR: Final = (0xFFF0, 0xFFFF_0000)
"""RIP and the base of CS where a processor is that waits for a SIPI."""


def read(text: str, number: int) -> tuple[ProcessorState, tuple[str, ...]]:
    """Understand the registers of processor `number`; return remarks, too.

    Raises `MonitorError` naming what is missing or wrong.
    """
    heads = [int(each) for each in HEAD.findall(text)]
    if heads not in ([], [number]):
        raise _bad(number, f"it is of processor {heads[0]}")
    is_wide = re.search(r"(?<!\S)RAX=", text) is not None
    names = WIDE if is_wide else NARROW
    gpr = [_value(text, name, number) for name in names]
    flags = {name: _value(text, name, number) for name in ("A20", "SMM", "HLT", "II")}
    for name, value in flags.items():
        if value > 1:
            raise _bad(number, f"{name} is {value:#x}, and is 0 or 1")
    if flags["SMM"] or not flags["A20"]:
        what = "is in SMM" if flags["SMM"] else "has A20 closed"
        raise MonitorError(f"vCPU {number} {what}, which there is not here")
    segments = {
        field: _row(SEGMENT, text, name, number) for name, field in SEGMENTS.items()
    }
    rip = _value(text, "RIP" if is_wide else "EIP", number)
    xmm, remarks = _vectors(text, number, 16 if is_wide else 8)
    # TCG has it halted and KVM has not; nobody else of them is there.
    waits = number > 0 and (rip, segments["cs"][1]) == RESET_VECTOR
    fcw, fsw, ftw, mxcsr = (_value(text, name, number) for name in FLOATS)
    state = ProcessorState(
        gpr=(*gpr, *(0,) * (16 - len(gpr))),
        rip=rip,
        rflags=_value(text, "RFL" if is_wide else "EFL", number) | 2,
        cr0=_value(text, "CR0", number),
        cr2=_value(text, "CR2", number),
        cr3=_value(text, "CR3", number),
        cr4=_value(text, "CR4", number),
        efer=_value(text, "EFER", number),
        gdtr=_row(TABLE, text, "GDT", number),
        idtr=_row(TABLE, text, "IDT", number),
        es=segments["es"],
        cs=segments["cs"],
        ss=segments["ss"],
        ds=segments["ds"],
        fs=segments["fs"],
        gs=segments["gs"],
        tr=segments["tr"],
        ldtr=segments["ldtr"],
        dr=tuple(_value(text, f"DR{each}", number) for each in DEBUG),
        fcw=fcw,
        fsw=fsw,
        ftw=ftw,
        mxcsr=mxcsr,
        x87=_x87(text, number),
        xmm=xmm,
        shadow=flags["II"],
        halted=flags["HLT"],
        waits=int(waits),
    )
    return state, remarks


def _value(text: str, name: str, number: int) -> int:
    found = re.findall(VALUE.format(name), text)
    if len(found) != 1:
        raise _bad(number, f"{name} is there {len(found)} times")
    if len(found[0]) not in WIDTHS.get(name, WORD):
        raise _bad(number, f"{name} has {len(found[0])} digits")
    return int(found[0], 16)


def _row(pattern: str, text: str, name: str, number: int) -> tuple[int, ...]:
    found = re.findall(pattern.format(name), text, re.MULTILINE)
    if len(found) != 1:
        raise _bad(number, f"{name} is there {len(found)} times")
    return tuple(int(each, 16) for each in found[0])


def _x87(text: str, number: int) -> tuple[int, ...]:
    found = {
        int(index): int(upper, 16) << 64 | int(significand, 16)
        for index, significand, upper in X87.findall(text)
    }
    if len(found) != 8:
        raise _bad(number, f"of FPR0 to FPR7 there are {len(found)}")
    return tuple(found[index] for index in range(8))


def _vectors(
    text: str, number: int, count: int
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return XMM0 to XMM15, of which `count` are there, and what of them is not."""
    found: dict[int, int] = {}
    upper = False
    for kind, index, digits in VECTOR.findall(text):
        value = digits.replace(" ", "")
        if len(value) != 16 * WORDS[kind]:
            raise _bad(number, f"{kind}MM{index} has {len(value)} digits")
        found[int(index)] = int(value[-32:], 16)
        upper |= int(value[:-32] or "0", 16) != 0
    if sorted(found) != list(range(count)):
        raise _bad(number, f"XMM0 to XMM{count - 1} are not all there")
    said = []
    if upper:
        said.append(f"vCPU {number}: what is above bit 127 of a YMM or ZMM register")
    if count < 16:
        said.append(f"vCPU {number}: XMM8 to XMM15, which are not told in this mode")
    return tuple(found.get(index, 0) for index in range(16)), tuple(said)


def _bad(number: int, why: str) -> MonitorError:
    return MonitorError(f"info registers of vCPU {number} cannot be read: {why}")
