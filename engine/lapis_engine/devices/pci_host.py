"""PCI configuration mechanism 1: two dwords of ports that lead to every function.

The address register chooses a function of bus 0 and a register of it, of which the data
window is a view. Where there is no function reads are ones and writes are dropped.

Source: PCI Local Bus 3.0 "Configuration Mechanism #1"; Intel 82441FX "CONFADD" and
"CONFDATA". Port 0xCF9, which hides under the address register, is the ISA bridge's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from lapis_engine.copies import clone
from lapis_engine.devices.device import Device, Range, RegisterName
from lapis_engine.devices.pci import (
    BUS,
    CONFIG_ADDRESS,
    CONFIG_ADDRESS_WRITABLE,
    CONFIG_DATA,
    DEVICE,
    ENABLE,
    FUNCTION,
    NAMES,
    REGISTER,
    RESET_CONTROL,
)
from lapis_engine.devices.pci_function import regs as header
from lapis_engine.plain import Plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lapis_engine.devices.device import Signals, Wiring

PORTS: Final = (
    Range(CONFIG_ADDRESS, 1),
    Range(RESET_CONTROL + 1, 2),
    Range(CONFIG_DATA, 4),
)


HEADER: Final = {
    header.VENDOR: "vendor and device id", header.COMMAND: "command and status",
    header.REVISION: "revision and class code",
    header.CACHE_LINE: "cache line, latency, header type",
    **{
        header.BARS + 4 * n: f"base address register {n}"
        for n in range(header.BAR_COUNT)
    },
    header.SUBSYSTEM_VENDOR: "subsystem ids", header.CAPABILITIES: "capabilities",
    header.INTERRUPT_LINE: "interrupt line and pin",
}  # fmt: skip
"""Dwords of a configuration header."""


@dataclass(slots=True)
class PciHostState:
    """Reset values are the defaults."""

    config_address: int = 0
    """CONFADD, 32 bits."""


class PciHostAccess:
    """Guest accesses to the ports, handed on to the functions of the machine."""

    def __init__(self) -> None:
        """Begin without functions; `wire` brings them."""
        self._functions: Mapping[tuple[int, int], Device] = {}

    def wire(self, wiring: Wiring) -> None:
        """Take what functions there are."""
        self._functions = wiring.functions

    def _chosen(self, state: PciHostState) -> Device | None:
        """Return the device whose function the address register names, or None."""
        address = state.config_address
        # Not modelled: buses behind bridges; there is none.
        if not address & ENABLE or BUS.get(address):
            return None
        return self._functions.get((DEVICE.get(address), FUNCTION.get(address)))

    def peek(
        self, state: PciHostState, address: int, size: int, now: int
    ) -> int | None:
        """Return what a read gives, made on a copy of whoever it reaches."""
        device = self._chosen(state)
        if address < CONFIG_DATA or device is None:
            return self.read(state, address, size, now)
        if device.plugin is not None or device.function is None:
            return None
        place = DEVICE.get(state.config_address), FUNCTION.get(state.config_address)
        copy = PciHostAccess()
        copy._functions = {place: replace(device, state=clone(device.state))}
        return copy.read(state, address, size, now)

    def read(self, state: PciHostState, address: int, size: int, now: int) -> int:
        """Read the address register as a dword, or part of the data window."""
        if address == CONFIG_ADDRESS and size == 4:
            return state.config_address
        ones = (1 << 8 * size) - 1
        device = self._chosen(state)
        if address < CONFIG_DATA or device is None or device.function is None:
            return ones
        config, base = device.function.config, REGISTER & state.config_address
        for at, width in _cycles(address, size):
            mask = (1 << 8 * width) - 1
            byte = config.read(device.state, base + at, width, now) & mask
            shift = 8 * (CONFIG_DATA + at - address)
            ones = ones & ~(mask << shift) | byte << shift
        return ones

    def write(
        self, state: PciHostState, address: int, size: int, value: int, now: int
    ) -> Signals:
        """Write the address register as a dword, or part of the data window."""
        if address == CONFIG_ADDRESS and size == 4:
            state.config_address = value & CONFIG_ADDRESS_WRITABLE
            return ()
        device = self._chosen(state)
        if address < CONFIG_DATA or device is None or device.function is None:
            return ()
        config, base = device.function.config, REGISTER & state.config_address
        signals: Signals = ()
        for at, width in _cycles(address, size):
            part = value >> 8 * (CONFIG_DATA + at - address) & (1 << 8 * width) - 1
            signals += config.write(device.state, base + at, width, part, now)
        return signals


def _cycles(address: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield (offset, size) of the aligned parts of an access, within the window."""
    at, end = address - CONFIG_DATA, min(address - CONFIG_DATA + size, 4)
    while at < end:
        width = 4 if at == 0 and end == 4 else 2 if not at % 2 and at + 2 <= end else 1
        yield at, width
        at += width


def plain(state: PciHostState, address: int, size: int, _now: int) -> Plain | None:
    """Return the address register, which stays as it was written."""
    if address != CONFIG_ADDRESS or size != 4:
        return None
    return Plain(state.config_address)


def names(state: PciHostState) -> tuple[RegisterName, ...]:
    """Return what the data window shows: a function, and a dword of it."""
    address = state.config_address
    if not address & ENABLE:
        return ()
    at = address & REGISTER
    where = f"{BUS.get(address):x}:{DEVICE.get(address):02x}"
    name = f"CONFDATA {where}.{FUNCTION.get(address)}+{at:02x}"
    text = HEADER.get(at, "of the function's own")
    return (RegisterName(CONFIG_DATA, 4, name, text),)


def device() -> Device:
    """Return the ports 0xCF8 to 0xCFF but the reset port."""
    access = PciHostAccess()
    return Device(
        "pci-host",
        PciHostState(),
        access,
        PORTS,
        plain=plain,
        wire=access.wire,
        registers=NAMES[1:],
        registers_now=names,
        peek=access.peek,
    )
