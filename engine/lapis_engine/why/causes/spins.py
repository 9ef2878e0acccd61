"""What a vCPU that runs in one place waits for: a lock, a flag, a port, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.cpu import spinning
from lapis_engine.cpu.registers import EFER_LMA, GPR_NAMES, SEGMENT_NAMES
from lapis_engine.errors import UnmappedError
from lapis_engine.units import MASK32, MASK64
from lapis_engine.why.reason import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.cpu.registers import Registers
    from lapis_engine.cpu.spinning import Polled, SpinLoop
    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu

    Place = Callable[[int], str]
    """Puts a linear address into words, with the name of what is there."""

READ: Final = 192
"""Bytes of code that are looked at, half of them before RIP."""
SIZES: Final = {1: "byte", 2: "word", 4: "dword", 8: "qword"}
SMALL: Final = 0xFFFF
REGISTERS: Final = {
    **{name: (number, MASK64) for number, name in enumerate(GPR_NAMES)},
    **{f"e{name[1:]}": (n, MASK32) for n, name in enumerate(GPR_NAMES[:8])},
    **{name[1:]: (number, SMALL) for number, name in enumerate(GPR_NAMES[:8])},
    **{f"{name}d": (n, MASK32) for n, name in enumerate(GPR_NAMES) if n >= 8},
}
"""By the names of address registers: number, and what of it counts."""


class Spinning(NamedTuple):
    """What a vCPU spins on."""

    reason: Reason
    waits: bool
    """Another one can end it by a write to memory."""


def spins(machine: Machine, it: Vcpu, place: Place) -> Spinning | None:
    """Return what it spins on, or None where it does not, or that is not sure."""
    found = _loop(machine, it)
    if found is None:
        return None
    where = place(found.first)
    values = {"first": found.first, "last": found.last, "rflags": it.regs.rflags}
    masked = not it.regs.interrupts and not found.opens
    if found.watched:
        off = ", with IF=0" if masked else ""
        return _watching(machine, it, found.watched[0], f"{where}{off}", values)
    if found.ports:
        text = f"it spins at {where} and polls port {found.ports[0]}"
        return Spinning(_fact("polls", text, values), waits=False)
    text = f"it spins at {where} and looks at nothing: {_ends(found, masked=masked)}"
    return Spinning(_fact("endless", text, values), waits=False)


def _ends(found: SpinLoop, *, masked: bool) -> str:
    """Say what ends a loop that looks at nothing."""
    if found.shut is not None and not found.opens:
        return (
            f"CLI is in the shadow of the STI at {found.shut:#x}, so that no interrupt "
            f"gets in: only NMI or INIT ends it"
        )
    if found.opens:
        return "it lets interrupts in, and only an interrupt, NMI or INIT ends it"
    flag, ends = (0, "NMI or INIT") if masked else (1, "an interrupt, NMI or INIT")
    return f"with IF={flag} only {ends} ends it"


def _watching(
    machine: Machine, it: Vcpu, watched: Polled, where: str, values: dict[str, int]
) -> Spinning:
    linear = _linear(it.regs, watched)
    size = SIZES.get(watched.size, f"{watched.size} bytes")
    gpa = it.linear.peek(linear)
    is_ram = gpa is not None and machine.vm.memory.region(gpa) is not None
    values = {**values, "address": linear, "bytes": watched.size}
    now = ""
    if is_ram:
        values["value"] = _read(machine, it, linear, watched.size)
        now = f", which is {values['value']:#x}"
    if watched.is_lock:
        text = f"it spins at {where}: it waits for the lock at {linear:#x}{now}"
        return Spinning(_fact("spins-lock", text, values), waits=is_ram)
    text = f"it spins at {where}: it waits for the {size} at {linear:#x}{now}"
    text += f", to change ({watched.text})"
    return Spinning(_fact("spins", text, values), waits=is_ram)


def _fact(rule: str, text: str, values: dict[str, int]) -> Reason:
    return Reason(rule, text, values, blocks=False)


def _loop(machine: Machine, it: Vcpu) -> SpinLoop | None:
    rip = it.regs.linear_rip
    for before in (READ // 2, rip % (READ // 2), 0):
        begin = max(rip - before, 0)
        try:
            code = machine.read_memory(it.id, begin, rip - begin + READ // 2)
        except UnmappedError:
            continue
        return spinning.spin(code, begin, rip, it.regs.code_bits)
    return None


def _linear(regs: Registers, watched: Polled) -> int:
    """Return the linear address of an operand as the registers are now."""
    offset, narrow = watched.displacement, MASK64
    for name, scale in ((watched.base, 1), (watched.scaled, watched.scale)):
        if name in REGISTERS:
            number, mask = REGISTERS[name]
            offset, narrow = offset + (regs.gpr[number] & mask) * scale, mask
    if not watched.base and not watched.scaled:
        narrow = {16: SMALL, 32: MASK32}.get(regs.code_bits, MASK64)
    flat = regs.code_bits == 64 and watched.segment not in {"fs", "gs"}
    base = 0 if flat else regs.base(SEGMENT_NAMES.index(watched.segment))
    top = MASK64 if regs.efer & EFER_LMA else MASK32
    return (base + (offset & narrow)) & top


def _read(machine: Machine, it: Vcpu, linear: int, size: int) -> int:
    try:
        return int.from_bytes(machine.read_memory(it.id, linear, size), "little")
    except UnmappedError:
        return 0
