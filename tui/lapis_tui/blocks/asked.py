"""What a request is about, by name, and what may be typed to answer it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic.regs import REGISTERS
from lapis_engine.units import PAGE
from lapis_sessions.errors import CommandError
from lapis_sessions.text import numerals

if TYPE_CHECKING:
    from collections.abc import Mapping

LAPIC_AT: Final = 0xFEE0_0000
X2APIC: Final = range(0x800, 0x840)
MMIO: Final = (
    (range(0xFEC0_0000, 0xFEC0_0004), "IOAPIC index"),
    (range(0xFEC0_0010, 0xFEC0_0014), "IOAPIC data"),
    (range(0xFEC0_0000, 0xFEC0_1000), "IOAPIC"),
    (range(0xFED0_0000, 0xFED0_0008), "HPET capabilities"),
    (range(0xFED0_0010, 0xFED0_0018), "HPET configuration"),
    (range(0xFED0_0020, 0xFED0_0028), "HPET status"),
    (range(0xFED0_00F0, 0xFED0_00F8), "HPET counter"),
    (range(0xFED0_0000, 0xFED0_0400), "HPET"),
)
"""Where a PC has them; the first that holds the address."""
PORTS: Final = (
    (range(0x20, 0x21), "8259 master command"), (range(0x21, 0x22), "8259 master mask"),
    (range(0x40, 0x43), "8254 counter"), (range(0x43, 0x44), "8254 control"),
    (range(0x60, 0x61), "keyboard data"), (range(0x61, 0x62), "port B"),
    (range(0x64, 0x65), "keyboard status"), (range(0x70, 0x71), "RTC index"),
    (range(0x71, 0x72), "RTC data"), (range(0x80, 0x81), "POST code"),
    (range(0x92, 0x93), "port A"), (range(0xA0, 0xA1), "8259 slave command"),
    (range(0xA1, 0xA2), "8259 slave mask"), (range(0x2F8, 0x300), "UART COM2"),
    (range(0x3F8, 0x400), "UART COM1"), (range(0x4D0, 0x4D2), "8259 ELCR"),
    (range(0xCF8, 0xCFC), "PCI config address"),
    (range(0xCFC, 0xD00), "PCI config data"),
)  # fmt: skip
MSRS: Final[Mapping[int, str]] = {
    0x10: "TSC", 0x1B: "APIC_BASE", 0xFE: "MTRRCAP", 0x174: "SYSENTER_CS",
    0x175: "SYSENTER_ESP", 0x176: "SYSENTER_EIP", 0x1A0: "MISC_ENABLE", 0x277: "PAT",
    0x6E0: "TSC_DEADLINE", 0xC000_0080: "EFER", 0xC000_0081: "STAR",
    0xC000_0082: "LSTAR", 0xC000_0084: "FMASK", 0xC000_0100: "FS_BASE",
    0xC000_0101: "GS_BASE", 0xC000_0102: "KERNEL_GS_BASE", 0xC000_0103: "TSC_AUX",
}  # fmt: skip
NUMBERS: Final = "0x1234, 1234, 0b1010, -1, 'A'"
"""What may be typed."""


def name_of(kind: str, address: int) -> str:
    """Return what a PC has at an address of a `kind` of request, or nothing."""
    if kind == "msr":
        if address in X2APIC:
            return f"x2APIC {_register((address - X2APIC.start) * 16)}".strip()
        return MSRS.get(address, "")
    if kind == "inout":
        return next((name for at, name in PORTS if address in at), "")
    if LAPIC_AT <= address < LAPIC_AT + PAGE:
        return f"LAPIC {_register((address - LAPIC_AT) & ~0xF)}".strip()
    return next((name for at, name in MMIO if address in at), "")


def _register(offset: int) -> str:
    """Name the register of a local APIC at an offset in its page."""
    register = REGISTERS.get(offset)
    return "" if register is None else register.name.upper().replace("_", " ")


def entered(text: str, size: int) -> int | str:
    """Read the answer to a read of `size` bytes; a string says why it is none.

    A negative number is taken in as many bits as there are, a character between
    quotes as its code.

    >>> entered("-1", 2), entered("'A'", 1), entered("0x100", 1)
    (65535, 65, '0x100 is too wide: 1 byte, 0xff at most')
    """
    text = text.strip()
    bits = 8 * size
    if len(text) == len("'A'") and text[0] == text[-1] == "'" and text.isascii():
        return ord(text[1])
    is_negative = text.startswith("-")
    try:
        value = numerals.number(text[1:] if is_negative else text, "answer")
    except CommandError:
        return f"{numerals.shown(text)} is not a number: {NUMBERS}"
    if value > (1 << bits - 1 if is_negative else (1 << bits) - 1):
        plural = "s" if size > 1 else ""
        most = f"-{1 << bits - 1:#x}" if is_negative else f"{(1 << bits) - 1:#x}"
        return f"{text} is too wide: {size} byte{plural}, {most} at most"
    return -value & (1 << bits) - 1 if is_negative else value
