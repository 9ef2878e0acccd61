"""The registers of a processor that a client is told of.

RIP is given as a linear address: gdb takes its program counter for one, and knows no
base of CS. What stands in the register is `ip`, beside `cs` and `cs_base`. A write of
RIP is of a linear address, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lapis_engine.units import MASK32
from lapis_sessions.gdb.refusal import BAD_PACKET, PacketError
from lapis_sessions.gdb.register import (
    Owner,
    Read,
    Register,
    by_msr,
    by_name,
    record_of,
)

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine

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
HIGHEST_CLASS: Final = 0xF
"""Of priority, in CR8."""
FS_BASE: Final = 0xC000_0100
GS_BASE: Final = 0xC000_0101
KERNEL_GS_BASE: Final = 0xC000_0102
EFER: Final = 0xC000_0080


def _attribute(name: str) -> Read:
    return lambda owner: int(getattr(owner.vcpu.regs, name))


def _gpr(number: int) -> Read:
    return lambda owner: owner.vcpu.regs.gpr[number]


def _write_pc(machine: Machine, number: int, value: int) -> None:
    regs = machine.vcpu(number).regs
    is_long = regs.code_bits == 64
    base = 0 if is_long else regs.base(ENCODED.index("cs"))
    offset = value if is_long else (value - base) & MASK32
    limit = regs.segment(ENCODED.index("cs")).limit
    if not is_long and offset > limit:
        why = f"CS begins at {base:#x} and ends {limit:#x} behind that"
        raise PacketError(
            BAD_PACKET, f"{value:#x} is not within CS: {why}", in_words=True
        )
    machine.write_register(number, "rip", offset)


def _write_cr8(machine: Machine, number: int, value: int) -> None:
    """Write the class of the TPR (SDM Vol. 3A "Task Priority in IA-32e Mode")."""
    if value > HIGHEST_CLASS:
        why = f"cr8 {value:#x}: 0x0 to {HIGHEST_CLASS:#x} is expected"
        raise PacketError(BAD_PACKET, why, in_words=True)
    machine.write_apic(number, "tpr", value << 4)


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
            write=by_name(f"r{name}"),
        )
        for name in names
    ]  # fmt: skip
    if wide:
        out += [
            Register(f"r{n}", 64, _gpr(n), "int64", write=by_name(f"r{n}"))
            for n in range(8, 16)
        ]
    pc = _attribute("linear_rip")
    out += [
        Register(f"{letter}ip", bits, pc, "code_ptr", write=_write_pc),
        Register(
            "eflags", 32, _attribute("rflags"), "lapis_eflags",
            write=by_name("rflags"),
        ),
    ]  # fmt: skip
    return out + [
        Register(name, 32, _selector(name), "int32", write=by_name(name))
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


def bases(*, wide: bool) -> tuple[Register, ...]:
    """Return `org.gnu.gdb.i386.segments`, which are for 64 bits."""
    if not wide:
        return ()
    return (
        Register("fs_base", 64, _base("fs"), "int64", write=by_msr(FS_BASE)),
        Register("gs_base", 64, _base("gs"), "int64", write=by_msr(GS_BASE)),
    )


def _table(name: str, part: str) -> Read:
    return lambda owner: int(getattr(getattr(owner.vcpu.regs, name), part))


def _msr(msr: int) -> Read:
    return lambda owner: int(owner.vcpu.regs.context.msrs[msr].value)


def system(*, wide: bool) -> tuple[Register, ...]:
    """Return `org.lapis.system`: control registers, and a record of the rest."""
    bits = 64 if wide else 32
    return (
        Register("k_gs_base", 64, _msr(KERNEL_GS_BASE), write=by_msr(KERNEL_GS_BASE)),
        Register("cr0", 32, _attribute("cr0"), "lapis_cr0", write=by_name("cr0")),
        Register("cr2", bits, _attribute("cr2"), write=by_name("cr2")),
        Register("cr3", bits, _attribute("cr3"), write=by_name("cr3")),
        Register("cr4", 32, _attribute("cr4"), "lapis_cr4", write=by_name("cr4")),
        Register("cr8", bits, lambda owner: owner.vcpu.apic.tpr >> 4, write=_write_cr8),
        Register("efer", 32, _attribute("efer"), "lapis_efer", write=by_msr(EFER)),
        Register("ip", 64, _attribute("rip"), write=by_name("rip")),
        Register("cs_base", 64, _base("cs")),
        Register("code_bits", 32, _attribute("code_bits")),
        record_of("system", _hidden()),
    )


def _hidden() -> tuple[Register, ...]:
    """Return what has no name in gdb, the widest first."""
    tables = ("gdtr", "idtr", "tr", "ldtr")
    return (
        *(
            Register(f"dr{n}", 64, _debug(n), "uint64", write=by_name(f"dr{n}"))
            for n in (0, 1, 2, 3, 6, 7)
        ),
        *(Register(f"{n}_base", 64, _base(n), "uint64") for n in SEGMENTS),
        *(Register(f"{n}_base", 64, _table(n, "base"), "uint64") for n in tables),
        *(Register(f"{n}_limit", 32, _limit(n), "uint32") for n in SEGMENTS),
        *(Register(f"{n}_limit", 32, _table(n, "limit"), "uint32") for n in tables),
        *(
            Register(n, 32, _table(n, "selector"), "uint32", write=by_name(n))
            for n in ("tr", "ldtr")
        ),
        Register("cpl", 32, _attribute("cpl"), "uint32"),
        Register("interrupt_shadow", 32, _attribute("shadow"), "uint32"),
    )


def _debug(number: int) -> Read:
    return lambda owner: int(owner.vcpu.regs.dr[number])


def _limit(name: str) -> Read:
    number = ENCODED.index(name)
    return lambda owner: owner.vcpu.regs.segment(number).limit
