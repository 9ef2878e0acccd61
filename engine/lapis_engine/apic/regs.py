"""Registers and fields of the local APIC, in the order of the SDM.

SDM Vol. 3A "Local APIC Register Address Map", "x2APIC Register Address Space".
"""

from __future__ import annotations

from typing import Final, NamedTuple

from lapis_engine.bits import bit, bits

# APICBASE, MSR 0x1B ("Local APIC Status and Location", "x2APIC Mode").
BASE_ADDRESS: Final = bits(51, 12)
BASE_EN: Final = bit(11)
BASE_EXTD: Final = bit(10)
BASE_BSP: Final = bit(8)

# Interrupt command register ("Interrupt Command Register (ICR)").
ICR_VECTOR: Final = bits(7, 0)
ICR_MODE: Final = bits(10, 8)
ICR_LOGICAL: Final = bit(11)
ICR_BUSY: Final = bit(12)
ICR_ASSERT: Final = bit(14)
ICR_LEVEL: Final = bit(15)
ICR_SHORTHAND: Final = bits(19, 18)
ICR_DEST_XAPIC: Final = bits(63, 56)
ICR_DEST_X2APIC: Final = bits(63, 32)
MODES: Final = (
    "fixed", "lowest", "smi", "remote-read", "nmi", "init", "sipi", "reserved",
)  # fmt: skip
VECTORED: Final = frozenset({"fixed", "lowest"})
"""Modes whose vector names a handler."""
BOOT: Final = frozenset({"init", "sipi"})
"""Modes that reset and start a processor."""
SHORTHANDS: Final = ("none", "self", "all", "all-but-self")

# Local vector table ("Local Vector Table").
LVT_VECTOR: Final = bits(7, 0)
LVT_MODE: Final = bits(10, 8)
LVT_BUSY: Final = bit(12)
LVT_POLARITY: Final = bit(13)
LVT_REMOTE_IRR: Final = bit(14)
LVT_LEVEL: Final = bit(15)
LVT_MASKED: Final = bit(16)
LVT_TIMER_MODE: Final = bits(18, 17)
LVT_RESET: Final = 0x1_0000
TIMER_ONE_SHOT: Final = 0
TIMER_PERIODIC: Final = 1
TIMER_TSC_DEADLINE: Final = 2

# Spurious-interrupt vector register ("Spurious Interrupt").
SVR_VECTOR: Final = bits(7, 0)
SVR_ENABLED: Final = bit(8)
SVR_FOCUS_OFF: Final = bit(9)
SVR_EOI_SUPPRESSED: Final = bit(12)

# Error status register ("Error Handling").
ESR_SEND_ILLEGAL: Final = bit(5)
ESR_RECEIVE_ILLEGAL: Final = bit(6)
ESR_ILLEGAL_REGISTER: Final = bit(7)

VERSION_MAX_LVT: Final = bits(23, 16)
VERSION_EOI_SUPPRESSION: Final = bit(24)
CMCI_INDEX: Final = 6
"""LVT index of CMCI, which is there when the version register counts so far."""
X2APIC_LEGACY: Final = {"id": "rw", "apr": "r", "rrd": "r", "ldr": "rw", "dfr": "rw"}
"""Access by MSR under profile switch x2apic_legacy_registers; writes have no effect."""
UNFLAGGED: Final = frozenset({"apr", "rrd"})
"""Read-only registers that set no ESR bit when written ("Local APIC Register Address
Map", note 1)."""
LDR_ID: Final = bits(31, 24)
DFR_MODEL: Final = bits(31, 28)
DIVIDE: Final = (bits(1, 0), bit(3))
"""Divide configuration: value bits 1:0 and 3; 0 is by 2, 0b111 by 1."""


class Register(NamedTuple):
    """One register of the page."""

    offset: int
    """Bytes from the start of the page; its MSR is 0x800 + offset / 16."""
    name: str
    xapic: str
    """Access by MMIO: "r", "w", "rw"."""
    x2apic: str
    """Access by MSR; empty where the MSR does not exist."""
    writable: int
    """Bits that a write can set."""


_VECTOR_AND_MASK: Final = LVT_VECTOR | LVT_MASKED
_MODE_TOO: Final = _VECTOR_AND_MASK | LVT_MODE
_LINT: Final = _MODE_TOO | LVT_POLARITY | LVT_LEVEL

_SINGLE: Final = (
    Register(0x020, "id", "rw", "r", 0xFF00_0000),
    Register(0x030, "version", "r", "r", 0),
    Register(0x080, "tpr", "rw", "rw", 0xFF),
    Register(0x090, "apr", "r", "", 0),
    Register(0x0A0, "ppr", "r", "r", 0),
    Register(0x0B0, "eoi", "w", "w", 0xFFFF_FFFF),
    Register(0x0C0, "rrd", "r", "", 0),
    Register(0x0D0, "ldr", "rw", "r", LDR_ID),
    Register(0x0E0, "dfr", "rw", "", DFR_MODEL),
    Register(0x0F0, "svr", "rw", "rw", 0x1000 | 0x3FF),  # 12, 9:0
    Register(0x280, "esr", "rw", "rw", 0xFFFF_FFFF),
    Register(0x2F0, "lvt_cmci", "rw", "rw", _MODE_TOO),
    Register(0x300, "icr", "rw", "rw", 0x000C_CFFF),
    Register(0x310, "icr_high", "rw", "", 0xFF00_0000),
    Register(0x320, "lvt_timer", "rw", "rw", _VECTOR_AND_MASK | LVT_TIMER_MODE),
    Register(0x330, "lvt_thermal", "rw", "rw", _MODE_TOO),
    Register(0x340, "lvt_perf", "rw", "rw", _MODE_TOO),
    Register(0x350, "lvt_lint0", "rw", "rw", _LINT),
    Register(0x360, "lvt_lint1", "rw", "rw", _LINT),
    Register(0x370, "lvt_error", "rw", "rw", _VECTOR_AND_MASK),
    Register(0x380, "timer_initial", "rw", "rw", 0xFFFF_FFFF),
    Register(0x390, "timer_current", "r", "r", 0),
    Register(0x3E0, "timer_divide", "rw", "rw", DIVIDE[0] | DIVIDE[1]),
    Register(0x3F0, "self_ipi", "", "w", 0xFF),
)
_BANKS: Final = tuple(
    Register(base + 0x10 * n, f"{name}{n}", "r", "r", 0)
    for name, base in (("isr", 0x100), ("tmr", 0x180), ("irr", 0x200))
    for n in range(8)
)
REGISTERS: Final = {r.offset: r for r in sorted(_SINGLE + _BANKS)}
"""Offset -> register, ascending."""
LVTS: Final = (
    "lvt_cmci", "lvt_timer", "lvt_thermal", "lvt_perf",
    "lvt_lint0", "lvt_lint1", "lvt_error",
)  # fmt: skip
"""Names of the LVT registers, which are also fields of the state."""
