"""The registers that a client is told of: what each is read from and written by.

RIP is given as a linear address: gdb takes its program counter for one, and knows no
base of CS. What stands in the register is `ip`, beside `cs` and `cs_base`. A write of
RIP is of a linear address, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lapis_engine.apic import state as apic_state
from lapis_engine.apic import timer as apic_timer
from lapis_engine.apic.regs import LVTS
from lapis_engine.units import MASK32

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu

GPRS: Final = ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp")
"""In the order of gdb's 64-bit description."""
OLD_GPRS: Final = ("ax", "cx", "dx", "bx", "sp", "bp", "si", "di")
"""In the order of its 32-bit one, which is that of their numbers."""
SEGMENTS: Final = ("cs", "ss", "ds", "es", "fs", "gs")
ENCODED: Final = ("es", "cs", "ss", "ds", "fs", "gs")
"""In the order of their numbers."""
ST: Final = 8
FLOATING: Final = (
    "fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop",
)  # fmt: skip
EMPTY_TAG: Final = 3
"""Of two bits of FTW (SDM Vol. 1 "x87 FPU Tag Word"); for the others 0 is given."""
VECTORS: Final = ("irr", "isr", "tmr")
FS_BASE: Final = 0xC000_0100
GS_BASE: Final = 0xC000_0101
KERNEL_GS_BASE: Final = 0xC000_0102
EFER: Final = 0xC000_0080


class Owner(NamedTuple):
    """Whose registers are looked at."""

    machine: Machine
    vcpu: Vcpu


Read = Callable[[Owner], int]
Write = Callable[["Machine", int, int], None]
"""Told the machine, the number of the vCPU and the value; raises `LapisError`."""


@dataclass(frozen=True, slots=True)
class Register:
    """One register as gdb knows it."""

    name: str
    bits: int
    read: Read
    kind: str = ""
    """Its type in a description, or what gdb has for its size."""
    group: str = ""
    """Of `info registers`; "" is up to gdb."""
    write: Write | None = None
    """None where it cannot be written."""

    @property
    def size(self) -> int:
        """Bytes."""
        return self.bits // 8

    def bytes(self, owner: Owner) -> bytes:
        """Return its value as it stands in a packet."""
        value = self.read(owner) & ((1 << self.bits) - 1)
        return value.to_bytes(self.bits // 8, "little")


def _by_name(name: str) -> Write:
    return lambda machine, number, value: machine.write_register(number, name, value)


def _by_msr(msr: int) -> Write:
    return lambda machine, number, value: machine.write_msr(number, msr, value)


def _by_apic(name: str) -> Write:
    return lambda machine, number, value: machine.write_apic(number, name, value)


def _attribute(name: str) -> Read:
    return lambda owner: int(getattr(owner.vcpu.regs, name))


def _gpr(number: int) -> Read:
    return lambda owner: owner.vcpu.regs.gpr[number]


def _write_pc(machine: Machine, number: int, value: int) -> None:
    regs = machine.vcpu(number).regs
    is_long = regs.code_bits == 64
    base = 0 if is_long else regs.base(ENCODED.index("cs"))
    offset = value - base
    machine.write_register(number, "rip", offset if is_long else offset & MASK32)


def _selector(name: str) -> Read:
    number = ENCODED.index(name)
    return lambda owner: owner.vcpu.regs.selector(number)


def _base(name: str) -> Read:
    number = ENCODED.index(name)
    return lambda owner: owner.vcpu.regs.base(number)


def _general(*, wide: bool) -> list[Register]:
    bits, letter = (64, "r") if wide else (32, "e")
    names = GPRS if wide else OLD_GPRS
    out = [
        Register(
            f"{letter}{name}", bits, _gpr(OLD_GPRS.index(name)),
            "data_ptr" if name in {"bp", "sp"} else f"int{bits}",
            write=_by_name(f"r{name}"),
        )
        for name in names
    ]  # fmt: skip
    if wide:
        out += [
            Register(f"r{n}", 64, _gpr(n), "int64", write=_by_name(f"r{n}"))
            for n in range(8, 16)
        ]
    pc = _attribute("linear_rip")
    out += [
        Register(f"{letter}ip", bits, pc, "code_ptr", write=_write_pc),
        Register(
            "eflags", 32, _attribute("rflags"), "lapis_eflags",
            write=_by_name("rflags"),
        ),
    ]  # fmt: skip
    return out + [
        Register(name, 32, _selector(name), "int32", write=_by_name(name))
        for name in SEGMENTS
    ]


def _x87(owner: Owner) -> Any:
    return owner.vcpu.regs.context.x87


def _st(number: int) -> Read:
    def read(owner: Owner) -> int:
        unit = _x87(owner)
        slot = unit.slots[(unit.top + number) % ST]
        return int(slot.significand | slot.upper << 64)

    return read


def _floating(name: str) -> Read:
    def status(owner: Owner) -> int:
        unit = _x87(owner)
        return int(unit.fsw | (unit.top % ST) << 11)

    def tags(owner: Owner) -> int:
        empty = _x87(owner).empty
        return sum(EMPTY_TAG << 2 * n for n in range(ST) if empty[n])

    fields = {
        "fctrl": "fcw", "fiseg": "fcs", "fioff": "fip", "foseg": "fds",
        "fooff": "fdp", "fop": "fop",
    }  # fmt: skip
    if name == "fstat":
        return status
    if name == "ftag":
        return tags
    return lambda owner: int(getattr(_x87(owner), fields[name]))


def core(*, wide: bool) -> tuple[Register, ...]:
    """Return `org.gnu.gdb.i386.core` of 64 bits, or of 32."""
    return (
        *_general(wide=wide),
        *(Register(f"st{n}", 80, _st(n), "i387_ext") for n in range(ST)),
        *(Register(n, 32, _floating(n), "int", "float") for n in FLOATING),
    )


def _xmm(number: int) -> Read:
    def read(owner: Owner) -> int:
        low, high = owner.vcpu.regs.context.xmm(number)
        return int(low | high << 64)

    return read


def sse(*, wide: bool) -> tuple[Register, ...]:
    """Return `org.gnu.gdb.i386.sse`."""
    count = 16 if wide else 8
    return (
        *(Register(f"xmm{n}", 128, _xmm(n), "vec128") for n in range(count)),
        Register(
            "mxcsr", 32, lambda owner: int(owner.vcpu.regs.context.floats.mxcsr),
            "i386_mxcsr", "vector",
        ),
    )  # fmt: skip


def segment_bases() -> tuple[Register, ...]:
    """Return `org.gnu.gdb.i386.segments`."""
    return (
        Register("fs_base", 64, _base("fs"), "int64", write=_by_msr(FS_BASE)),
        Register("gs_base", 64, _base("gs"), "int64", write=_by_msr(GS_BASE)),
    )


def _table(name: str, part: str) -> Read:
    return lambda owner: int(getattr(getattr(owner.vcpu.regs, name), part))


def _msr(msr: int) -> Read:
    return lambda owner: int(owner.vcpu.regs.context.msrs[msr].value)


def system(*, wide: bool) -> tuple[Register, ...]:
    """Return what a processor has besides: control registers, hidden parts, tables."""
    bits = 64 if wide else 32
    ours = [
        Register("k_gs_base", 64, _msr(KERNEL_GS_BASE), write=_by_msr(KERNEL_GS_BASE)),
        Register("cr0", bits, _attribute("cr0"), "lapis_cr0", write=_by_name("cr0")),
        Register("cr2", bits, _attribute("cr2"), write=_by_name("cr2")),
        Register("cr3", bits, _attribute("cr3"), write=_by_name("cr3")),
        Register("cr4", bits, _attribute("cr4"), "lapis_cr4", write=_by_name("cr4")),
        Register("cr8", bits, lambda owner: owner.vcpu.apic.tpr >> 4),
        Register(
            "efer", bits, _attribute("efer"), "lapis_efer", write=_by_msr(EFER)
        ),
        Register("ip", 64, _attribute("rip"), write=_by_name("rip")),
        Register("cpl", 8, _attribute("cpl"), group="system"),
        Register("code_bits", 8, _attribute("code_bits"), group="system"),
    ]  # fmt: skip
    ours += [
        Register(f"{name}_base", 64, _base(name), group="system")
        for name in ("cs", "ss", "ds", "es") + (() if wide else ("fs", "gs"))
    ]
    for name in ("gdtr", "idtr", "tr", "ldtr"):
        if name in {"tr", "ldtr"}:
            ours.append(Register(name, 16, _table(name, "selector"), group="system"))
        ours += [
            Register(f"{name}_base", 64, _table(name, "base"), group="system"),
            Register(f"{name}_limit", 32, _table(name, "limit"), group="system"),
        ]
    ours += [
        Register(
            f"dr{n}", bits, lambda owner, n=n: int(owner.vcpu.regs.dr[n]),  # type: ignore[misc]
            group="system", write=_by_name(f"dr{n}"),
        )
        for n in (0, 1, 2, 3, 6, 7)
    ]  # fmt: skip
    return tuple(ours)


def _of_apic(name: str) -> Read:
    return lambda owner: int(getattr(owner.vcpu.apic, name))


def _highest(name: str) -> Read:
    return lambda owner: int(getattr(owner.vcpu.apic, name)).bit_length() - 1


def apic() -> tuple[Register, ...]:
    """Return the local APIC, in a group of its own."""

    def one(name: str, bits: int, read: Read, kind: str = "", by: str = "") -> Register:
        write = _by_apic(by) if by else None
        return Register(f"apic_{name}", bits, read, kind, "apic", write)

    vectors = [one(name, 256, _of_apic(name), "lapis_vectors") for name in VECTORS]
    highest = [
        one(f"{name}_highest", 32, _highest(name), "int32") for name in ("irr", "isr")
    ]
    lvts = [
        one(
            name, 32, _of_apic(name),
            "lapis_lvt_timer" if name == "lvt_timer" else "lapis_lvt", name,
        )
        for name in LVTS
    ]  # fmt: skip
    return (
        *vectors,
        *highest,
        one("tpr", 32, _of_apic("tpr"), by="tpr"),
        one("ppr", 32, _of_apic("ppr")),
        one("id", 32, lambda owner: apic_state.apic_id(owner.vcpu.apic)),
        one("base", 64, _of_apic("apicbase"), "lapis_apic_base"),
        one("ldr", 32, lambda owner: apic_state.logical_id(owner.vcpu.apic), by="ldr"),
        one("dfr", 32, _of_apic("dfr"), by="dfr"),
        one("svr", 32, _of_apic("svr"), "lapis_svr", "svr"),
        one("esr", 32, _of_apic("esr"), "lapis_esr"),
        one("icr", 64, _of_apic("icr"), "lapis_icr"),
        *lvts,
        one("timer_initial", 32, _of_apic("timer_initial")),
        one("timer_current", 32, _timer),
        one("timer_divide", 32, lambda owner: apic_timer.divisor(owner.vcpu.apic)),
        one("tsc_deadline", 64, _of_apic("tsc_deadline")),
    )  # fmt: skip


def _timer(owner: Owner) -> int:
    machine, profile = owner.machine, owner.machine.config.profile
    return apic_timer.current_count(owner.vcpu.apic, machine.now, profile)
