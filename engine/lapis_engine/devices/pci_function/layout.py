"""A configuration space put together from its parts: ids, windows, capabilities.

Sources: PCI Local Bus 3.0 "Device Identification" to "Capabilities List".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.devices.pci_function import regs
from lapis_engine.devices.pci_function.header import Header

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lapis_engine.devices.pci_function.bar import Bar


@dataclass(frozen=True, slots=True)
class ConfigRegister:
    """A register of the function's own, or one of the header that differs."""

    at: int
    """Offset in configuration space."""
    size: int
    """Bytes."""
    value: int = 0
    """After reset."""
    writable: int = 0
    """Bits that are stored as written."""
    clears: int = 0
    """Bits that a 1 written to them clears."""


@dataclass(frozen=True, slots=True)
class Capability:
    """A piece of the list that begins at register 0x34."""

    at: int
    """Offset in configuration space, a multiple of 4 from 0x40."""
    id: int
    body: bytes
    """What follows id and pointer, after reset."""
    writable: bytes = b""
    """Bits of the body that are stored as written; missing bytes are read-only."""


def make(  # noqa: PLR0913 - a header has that many fields
    vendor: int,
    device: int,
    *,
    class_code: int,
    revision: int = 0,
    subsystem_vendor: int = 0,
    subsystem: int = 0,
    multifunction: bool = False,
    pin: int = 0,
    status: int = 0,
    command: int = 0,
    command_writable: int = int(regs.COMMAND_WRITABLE),
    bars: Iterable[Bar] = (),
    capabilities: Iterable[Capability] = (),
    registers: Iterable[ConfigRegister] = (),
) -> Header:
    """Return what a function's configuration space is like.

    `class_code` has three bytes, the base class on top: 0x06_0000 is a host bridge;
    `pin` is 0 for none, 1 for INTA# to 4 for INTD#, and with one the interrupt line
    register can be written; `multifunction` says that there are functions beside 0.
    `status` and `command` are as after reset, the former without its bit for
    capabilities, and `command_writable` the latter's bits that can be written. Of
    `registers` later ones go over earlier ones, and over what the others say.

    Raises `ValueError` when two base address registers, or two capabilities, want one
    place.
    """
    windows, chain = tuple(bars), tuple(capabilities)
    _check(
        [range(bar.at, bar.at + bar.width) for bar in windows]
        + [range(each.at, each.at + 2 + len(each.body)) for each in chain]
    )
    status |= regs.STATUS_CAPABILITIES if chain else 0
    own = [
        ConfigRegister(regs.VENDOR, 2, vendor),
        ConfigRegister(regs.DEVICE, 2, device),
        ConfigRegister(regs.COMMAND, 2, command, command_writable),
        ConfigRegister(regs.STATUS, 2, status),
        ConfigRegister(regs.REVISION, 1, revision),
        ConfigRegister(regs.CLASS, 3, class_code),
        ConfigRegister(regs.HEADER_TYPE, 1, regs.MULTIFUNCTION if multifunction else 0),
        ConfigRegister(regs.SUBSYSTEM_VENDOR, 2, subsystem_vendor),
        ConfigRegister(regs.SUBSYSTEM, 2, subsystem),
        ConfigRegister(regs.CAPABILITIES, 1, chain[0].at if chain else 0),
        ConfigRegister(regs.INTERRUPT_LINE, 1, 0, 0xFF if pin else 0),
        ConfigRegister(regs.INTERRUPT_PIN, 1, pin),
    ]
    own += [
        ConfigRegister(bar.at, bar.width, bar.fixed, bar.writable) for bar in windows
    ]
    return _build([*own, *_chained(chain), *registers], windows)


def _check(taken: list[range]) -> None:
    seen: set[int] = set()
    for each in taken:
        if not seen.isdisjoint(each) or each.stop > regs.SIZE:
            raise ValueError(f"configuration space has no room at {each.start:#x}")
        seen.update(each)


def _chained(chain: tuple[Capability, ...]) -> list[ConfigRegister]:
    """Return the capabilities as registers, each with its pointer to the next."""
    found: list[ConfigRegister] = []
    for number, each in enumerate(chain):
        if each.at % 4 or each.at < regs.OWN:
            raise ValueError(f"no capability can be at {each.at:#x}")
        follower = chain[number + 1].at if number + 1 < len(chain) else 0
        head = each.id | follower << 8
        body = int.from_bytes(each.body, "little")
        writable = int.from_bytes(each.writable[: len(each.body)], "little")
        size = 2 + len(each.body)
        found.append(ConfigRegister(each.at, size, head | body << 16, writable << 16))
    return found


def _build(registers: Iterable[ConfigRegister], bars: tuple[Bar, ...]) -> Header:
    planes = bytearray(regs.SIZE), bytearray(regs.SIZE), bytearray(regs.SIZE)
    for each in registers:
        for plane, bits in zip(
            planes, (each.value, each.writable, each.clears), strict=True
        ):
            plane[each.at : each.at + each.size] = bits.to_bytes(each.size, "little")
    reset, writable, clears = (bytes(plane) for plane in planes)
    return Header(reset, writable, clears, bars)
