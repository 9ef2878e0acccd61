"""An IOAPIC and an 8259 pair that were saved elsewhere, put into a machine.

Saved state is plain data that JSON can hold, with these keys, none of which must be
there:

ioapic: version, id ([27:24] in place), select, count (how many pins there are), and
    pins: a list of [number, entry, asserted].
8259: master and slave, each with irr, imr, isr, elcr, base, lowest; a base of null is
    one that is not known, and such a chip requests nothing.
unknown: names of what is not known of the machine. vcpu1: registers and run-state of
    that processor; vcpu1.tpr: a register of its APIC; ioapic.pin4: the entry of a pin;
    ioapic.lines: which pins are asserted; ioapic, 8259: there may be one or not;
    history: what was sent before.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from lapis_engine.devices.ioapic import regs
from lapis_engine.devices.ioapic.state import PinState
from lapis_engine.devices.pic import priority as pic_priority
from lapis_engine.devices.pic.regs import VECTOR_BASE
from lapis_engine.saved.lapic import RecordError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.devices.ioapic.state import IoapicState
    from lapis_engine.devices.pic.state import ChipState, PicState
    from lapis_engine.vmm.vm import Vm

IOAPIC: Final = "ioapic"
LINES: Final = "ioapic.lines"
PIC: Final = "8259"
HISTORY: Final = "history"
KEYS: Final = frozenset({IOAPIC, PIC, "unknown"})
MOST_PINS: Final = 240
"""IOAPICVER has 8 bits for the last pin; 240 is what an IOWIN index reaches."""
MOST_NAMES: Final = 4096
NAME: Final = re.compile(r"[a-z0-9_.]{1,40}")
CHIP: Final = ("irr", "imr", "isr", "elcr", "base", "lowest")


def import_system(vm: Vm, saved: Mapping[str, Any]) -> None:
    """Put the saved state into the devices of `vm`, which must be there.

    Raises `RecordError` naming field and reason, and changes nothing then.
    """
    if not isinstance(saved, dict):
        raise RecordError("saved state", "BAD_VALUE", "it must be an object of parts")
    for key in saved:
        if key not in KEYS:
            raise RecordError(shown(key), "UNKNOWN", "saved state has no such part")
    names = _names(saved.get("unknown", list(vm.unknown)))
    ioapic, chips = saved.get(IOAPIC), saved.get(PIC)
    if ioapic is not None:
        _check_ioapic(ioapic, vm.ioapic)
    if chips is not None:
        _check_pic(chips, vm.pic)
    vm.unknown = names
    if ioapic is not None and vm.ioapic is not None:
        _put_ioapic(vm.ioapic, ioapic)
    if chips is not None and vm.pic is not None:
        _put_pic(vm.pic, chips)
    vm.timers.moved = vm.attention.kick = True


def learned(vm: Vm, vcpu: int, register: str) -> None:
    """Take the register of an APIC off what is not known: the user has written it."""
    if vm.unknown:
        gone = f"vcpu{vcpu}.{register}"
        vm.unknown = tuple(name for name in vm.unknown if name != gone)


def _names(given: object) -> tuple[str, ...]:
    if not isinstance(given, list) or len(given) > MOST_NAMES:
        why = f"it must be a list of at most {MOST_NAMES} names"
        raise RecordError("unknown", "BAD_VALUE", why)
    for name in given:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise RecordError("unknown", "BAD_VALUE", f"{shown(name)} is no name")
    return tuple(sorted(set(given)))


def _number(where: str, value: object, most: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most:
        return value
    raise RecordError(where, "BAD_VALUE", f"{repr(value)[:40]} is not 0 to {most:#x}")


def _check_ioapic(part: object, state: IoapicState | None) -> None:
    if state is None:
        raise RecordError(IOAPIC, "ABSENT", "the machine has no IOAPIC")
    if not isinstance(part, dict):
        raise RecordError(IOAPIC, "BAD_VALUE", "it must be an object of fields")
    for name, most in (
        ("version", 0xFF), ("id", regs.ID_BITS), ("select", 0xFF),
        ("count", MOST_PINS),
    ):  # fmt: skip
        _number(f"{IOAPIC}.{name}", part.get(name), most)
    rows = part.get("pins")
    if not isinstance(rows, list):
        raise RecordError(f"{IOAPIC}.pins", "BAD_VALUE", "it must be a list")
    seen = set()
    for row in rows:
        if not isinstance(row, list) or len(row) != 3:
            raise RecordError(f"{IOAPIC}.pins", "BAD_VALUE", "three numbers for each")
        number = _number(f"{IOAPIC}.pins", row[0], part["count"] - 1)
        _number(f"{IOAPIC}.pins[{number}]", row[1], (1 << 64) - 1)
        _number(f"{IOAPIC}.pins[{number}]", row[2], 1)
        if number in seen:
            raise RecordError(f"{IOAPIC}.pins", "BAD_VALUE", f"pin {number} is twice")
        seen.add(number)


def _put_ioapic(state: IoapicState, part: Mapping[str, Any]) -> None:
    state.version, state.id = part["version"], part["id"]
    state.select = part["select"]
    pins = [PinState(int(regs.MASKED)) for _ in range(part["count"])]
    for number, entry, asserted in part["pins"]:
        # Delivery status is never set here: messages go out at once.
        pins[number] = PinState(entry & ~regs.BUSY, asserted)
    state.pins = tuple(pins)


def _check_pic(part: object, state: PicState | None) -> None:
    if state is None:
        raise RecordError(PIC, "ABSENT", "the machine has no 8259 pair")
    if not isinstance(part, dict) or set(part) != {"master", "slave"}:
        raise RecordError(PIC, "BAD_VALUE", "it must have master and slave")
    for which, chip in part.items():
        if not isinstance(chip, dict):
            raise RecordError(f"{PIC}.{which}", "BAD_VALUE", "it must be an object")
        for name in CHIP:
            value = chip.get(name)
            if name == "base" and value is None:
                continue
            _number(f"{PIC}.{which}.{name}", value, 7 if name == "lowest" else 0xFF)


def _put_pic(state: PicState, part: Mapping[str, Any]) -> None:
    _put_chip(state.master, part["master"])
    _put_chip(state.slave, part["slave"])
    state.settle_at = None
    state.intr = pic_priority.pending(state)


def _put_chip(chip: ChipState, saved: Mapping[str, Any]) -> None:
    """Put one chip; a level that is requested is a line that somebody holds."""
    irr, elcr = saved["irr"], saved["elcr"]
    chip.ready, chip.expected = saved["base"] is not None, ()
    chip.base = (saved["base"] or 0) & VECTOR_BASE
    chip.imr, chip.isr, chip.elcr = saved["imr"], saved["isr"], elcr
    chip.lowest = saved["lowest"]
    chip.edges, chip.lines = irr & ~elcr, irr & elcr
    chip.counts = tuple(chip.lines >> n & 1 for n in range(8))
    chip.gone = chip.poll = chip.read_isr = False
