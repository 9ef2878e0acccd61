"""Guest accesses to the 8259A pair: command words, registers, polls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices import bytewise
from lapis_engine.devices.device import Refused
from lapis_engine.devices.pic import regs
from lapis_engine.devices.pic.priority import (
    accept,
    end,
    pending,
    requests,
    settle,
)

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.pic.state import ChipState, PicState


def read(state: PicState, address: int, size: int, now: int) -> int:
    """Read IRR, ISR, IMR or ELCR; in poll mode acknowledge instead."""
    if state.modes_checked and size != 1:
        return -1
    value = bytewise.read(_read, regs.PORTS, state, address, size, now)
    if pending(state) != state.intr:
        state.settle_at = now + 1
    return value


def write(state: PicState, address: int, size: int, value: int, now: int) -> Signals:
    """Take a command word or ELCR."""
    why = _refusal(state, address, size, value) if state.modes_checked else None
    if why is not None:
        return (Refused(why),)
    written = bytewise.write(_write, regs.PORTS, state, address, size, value, now)
    return written + settle(state)


def _refusal(state: PicState, address: int, size: int, value: int) -> str | None:
    """Say why bhyve's pair does not do a write, or return None.

    bhyve `vatpic_master_handler`, `vatpic_icw1`, `vatpic_icw4`.
    """
    if size != 1:
        return f"the 8259 takes one byte at a time, not {size}"
    if address >= regs.ELCR:
        return None
    if address & regs.A0:
        if _chip(state, address).expected[:1] == (4,) and not value & regs.UPM:
            return f"the 8259 knows 8086 mode only, and ICW4 {value:#04x} says MCS-80"
        return None
    # Differs from bhyve: a refused ICW1 changes nothing; there it has begun to reset.
    if value & regs.ICW1 and value & regs.SNGL:
        return f"the 8259 is one of a pair, and ICW1 {value:#04x} asks for a single one"
    if value & regs.ICW1 and not value & regs.IC4:
        return f"the 8259 needs ICW4, and ICW1 {value:#04x} has none follow"
    return None


def _chip(state: PicState, port: int) -> ChipState:
    first = port in (regs.MASTER, regs.MASTER + 1, regs.ELCR)
    return state.master if first else state.slave


def _read(state: PicState, port: int, now: int) -> int:  # noqa: ARG001 - the shape that `bytewise` calls
    chip = _chip(state, port)
    if port >= regs.ELCR:
        return chip.elcr
    if chip.poll:
        chip.poll = False
        irq = accept(state, chip)
        return 0 if irq is None else regs.POLL_REQUEST | irq
    if port & regs.A0:
        return chip.imr
    return chip.isr if chip.read_isr else requests(chip)


def _write(state: PicState, port: int, value: int, now: int) -> Signals:  # noqa: ARG001 - the shape that `bytewise` calls
    chip = _chip(state, port)
    if port >= regs.ELCR:
        chip.elcr = value & regs.ELCR_WRITABLE[port - regs.ELCR]
    elif port & regs.A0:
        _initialise(chip, value)
    elif value & regs.ICW1:
        _start(chip, value)
    elif value & regs.OCW3:
        _ocw3(chip, value)
    else:
        _ocw2(chip, value)
    return ()


def _start(chip: ChipState, value: int) -> None:
    """Take ICW1: forget all but the inputs and ELCR, and expect ICW2."""
    chip.ready = chip.gone = False
    chip.edges = chip.isr = chip.imr = 0
    chip.lowest = 7
    chip.auto_eoi = chip.nested = chip.rotating = False
    chip.special_mask = chip.read_isr = chip.poll = False
    chip.level_triggered = bool(value & regs.LTIM)
    # Not modelled: a single chip; SNGL only leaves out ICW3.
    icw3 = () if value & regs.SNGL else (3,)
    icw4 = (4,) if value & regs.IC4 else ()
    chip.expected = (2, *icw3, *icw4)


def _initialise(chip: ChipState, value: int) -> None:
    """Take the initialisation word that is expected, else OCW1."""
    if not chip.expected:
        chip.imr = value
        return
    word, chip.expected = chip.expected[0], chip.expected[1:]
    if word == 2:
        chip.base = value & regs.VECTOR_BASE
    elif word == 4:
        # Not modelled: MCS-80 mode and buffered mode.
        chip.auto_eoi = bool(value & regs.AEOI)
        chip.nested = bool(value & regs.SFNM)
    # Not modelled: ICW3; the cascade is wired to input 2.
    chip.ready = not chip.expected


def _ocw2(chip: ChipState, value: int) -> None:
    """End interrupts and rotate priorities (8259A "Operation Command Word 2")."""
    rotate = bool(value & regs.R)
    level = regs.LEVEL.get(value) if value & regs.SL else None
    if value & regs.EOI:
        end(chip, level, rotate=rotate)
    elif level is None:
        chip.rotating = rotate
    elif rotate:
        chip.lowest = level


def _ocw3(chip: ChipState, value: int) -> None:
    """Choose what is read, and special mask mode."""
    if value & regs.ESMM:
        chip.special_mask = bool(value & regs.SMM)
    if value & regs.RR:
        chip.read_isr = bool(value & regs.RIS)
    chip.poll = bool(value & regs.P)
