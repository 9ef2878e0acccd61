"""Host bridge of the i440FX, function 0:0.0: what there is of it is the PAM registers.

They say for each piece of 0xC0000 to 0xFFFFF whether it is read from and written to RAM
or the ROM on the other side of the bridge. Memory is not timed, sized or corrected.

Source: Intel 82441FX PMC "Register Description".
"""
# ruff: noqa: ARG002 - the signatures are those of `Access`

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.bits import bit, bits
from lapis_engine.devices.device import Device, Function, ShadowChanged
from lapis_engine.devices.pci_function import regs
from lapis_engine.devices.pci_function.header import HeaderFunction
from lapis_engine.devices.pci_function.ids import INTEL, RED_HAT, VIRTUAL_MACHINE
from lapis_engine.devices.pci_function.layout import ConfigRegister, make
from lapis_engine.shadow import Shadow
from lapis_engine.units import MASK32

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals

SLOT: Final = 0
PAM: Final = 0x59
"""PAM0 to PAM6, two pieces each but the first."""
PAM_COUNT: Final = 7
HIGH_READ: Final = bit(4)
"""PAM: the higher piece is read from RAM."""
HIGH_WRITE: Final = bit(5)
LOW_READ: Final = bit(0)
LOW_WRITE: Final = bit(1)
PAM_WRITABLE: Final = HIGH_READ | HIGH_WRITE | LOW_READ | LOW_WRITE
PAM0_WRITABLE: Final = HIGH_READ | HIGH_WRITE
PAM0_FIRST: Final = 0xF_0000
"""The higher piece of PAM0."""
PAM0_SIZE: Final = 0x1_0000
EXPANSION: Final = 0xC_0000
"""Where the pieces of PAM1 to PAM6 begin."""
PIECE: Final = 0x4000

SMRAM: Final = 0x72
SMRAM_OPEN: Final = bit(6)
"""SMRAM: the memory at 0xA0000 is there for everybody."""
SMRAM_CLOSED: Final = bit(5)
SMRAM_LOCK: Final = bit(4)
"""SMRAM: it is closed and stays so; the other bits are read-only from now on."""
SMRAM_RESET: Final = 0x02
"""SMRAM after reset: its segment is 0xA0000, [2:0], which cannot be changed."""

HEADER: Final = make(
    INTEL,
    0x1237,
    class_code=0x06_0000,
    revision=2,
    subsystem_vendor=RED_HAT,
    subsystem=VIRTUAL_MACHINE,
    command=0x0006,  # a bus master and memory, always
    command_writable=bit(8) | bit(6),
    status=0x0280,  # medium DEVSEL#, fast back-to-back
    registers=(
        ConfigRegister(regs.LATENCY, 1, 0, bits(7, 3)),
        # Kept, for a BIOS to find what it has written.
        ConfigRegister(0x50, 4, 0, MASK32),  # PMCCFG, DETURBO, DBC
        ConfigRegister(0x54, 4, 0, MASK32),  # AXC, DRT, DRAMC
        ConfigRegister(0x58, 1, 0, 0xFF),  # DRAMT
        ConfigRegister(PAM, 1, 0, PAM0_WRITABLE),
        *(ConfigRegister(PAM + n, 1, 0, PAM_WRITABLE) for n in range(1, PAM_COUNT)),
        ConfigRegister(0x60, 4, 0, MASK32),  # DRB
        ConfigRegister(0x64, 4, 0, MASK32),
        ConfigRegister(0x68, 1, 0, 0xFF),  # FDHC
        ConfigRegister(0x70, 2, 0, 0xFFFF),  # MTT, CLT
        ConfigRegister(SMRAM, 1, SMRAM_RESET, bits(6, 3)),
        ConfigRegister(0x90, 1, 0, 0xFF),  # ERRCMD
        # Not modelled: the reset by the turbo register, TRC.
        ConfigRegister(0x93, 1, 0, bits(1, 0)),
    ),
)


@dataclass(slots=True)
class I440fxState:
    """Reset values are the defaults."""

    config: bytes = HEADER.reset
    """Configuration space, 256 bytes."""


class I440fxConfig(HeaderFunction):
    """The registers, of which PAM and the lock of SMRAM do something."""

    def write(
        self, state: I440fxState, register: int, size: int, value: int, now: int
    ) -> Signals:
        """Write registers; tell when the pieces are otherwise."""
        before = state.config
        super().write(state, register, size, value, now)
        state.config = _locked(before, state.config)
        changed = before[PAM : PAM + PAM_COUNT] != state.config[PAM : PAM + PAM_COUNT]
        return (ShadowChanged(),) if changed else ()


def _locked(before: bytes, after: bytes) -> bytes:
    """Return `after` with SMRAM as its lock lets it be ("SMRAM Register")."""
    smram = after[SMRAM]
    if before[SMRAM] & SMRAM_LOCK:
        smram = before[SMRAM] & ~SMRAM_CLOSED | smram & SMRAM_CLOSED
    elif smram & SMRAM_LOCK:
        smram &= ~SMRAM_OPEN
    # Not modelled: the memory behind it, which only SMM is for.
    return after[:SMRAM] + bytes((smram,)) + after[SMRAM + 1 :]


def shadow(state: I440fxState) -> tuple[Shadow, ...]:
    """Return the 13 pieces from 0xC0000 to 0xFFFFF, ascending, as PAM has them."""
    found: list[Shadow] = []
    for number in range(1, PAM_COUNT):
        pam, low = state.config[PAM + number], EXPANSION + 2 * PIECE * (number - 1)
        reads, writes = bool(pam & LOW_READ), bool(pam & LOW_WRITE)
        found += [
            Shadow(low, PIECE, reads_ram=reads, writes_ram=writes),
            _high(low + PIECE, PIECE, pam),
        ]
    return (*found, _high(PAM0_FIRST, PAM0_SIZE, state.config[PAM]))


def _high(first: int, size: int, pam: int) -> Shadow:
    reads, writes = bool(pam & HIGH_READ), bool(pam & HIGH_WRITE)
    return Shadow(first, size, reads_ram=reads, writes_ram=writes)


def opened() -> bytes:
    """Return configuration space with RAM everywhere, for who brings no firmware."""
    config = HEADER.reset
    for number in range(PAM_COUNT):
        config = HEADER.write(config, PAM + number, 1, 0xFF)
    return config


class _NoPorts:
    """It is reached by its configuration space alone."""

    def read(self, state: I440fxState, address: int, size: int, now: int) -> int:
        """Answer all ones."""
        return (1 << 8 * size) - 1

    def write(
        self,
        state: I440fxState,
        address: int,
        size: int,
        value: int,
        now: int,
    ) -> Signals:
        """Do nothing."""
        return ()


def device(*, set_up: bool = False) -> Device:
    """Return the host bridge; with `set_up` all of memory is RAM from the start."""
    return Device(
        "i440fx",
        I440fxState(opened()) if set_up else I440fxState(),
        _NoPorts(),
        function=Function(SLOT, 0, I440fxConfig(HEADER)),
        shadow=shadow,
    )
