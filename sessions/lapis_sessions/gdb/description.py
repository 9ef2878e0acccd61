"""Target descriptions: the registers of a connection, as gdb reads them in XML.

One is made once for each architecture and kept. Source: GDB manual "Target
Descriptions", "i386 Features".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from lapis_sessions.gdb import apic_registers, processor_registers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.gdb.register import Register

ARCHITECTURES: Final = ("i386:x86-64", "i386", "i8086")
"""By their names in gdb."""

Fields = tuple[tuple[str, int, int, str], ...]
"""Name, first and last bit, and type, which is "" for a single bit."""

BITS: Final[dict[str, tuple[int, Fields]]] = {
    "lapis_eflags": (4, (
        ("CF", 0, 0, ""), ("", 1, 1, ""), ("PF", 2, 2, ""), ("AF", 4, 4, ""),
        ("ZF", 6, 6, ""), ("SF", 7, 7, ""), ("TF", 8, 8, ""), ("IF", 9, 9, ""),
        ("DF", 10, 10, ""), ("OF", 11, 11, ""), ("IOPL", 12, 13, "uint32"),
        ("NT", 14, 14, ""), ("RF", 16, 16, ""), ("VM", 17, 17, ""), ("AC", 18, 18, ""),
        ("VIF", 19, 19, ""), ("VIP", 20, 20, ""), ("ID", 21, 21, ""),
    )),
    "i386_mxcsr": (4, (
        ("IE", 0, 0, ""), ("DE", 1, 1, ""), ("ZE", 2, 2, ""), ("OE", 3, 3, ""),
        ("UE", 4, 4, ""), ("PE", 5, 5, ""), ("DAZ", 6, 6, ""), ("IM", 7, 7, ""),
        ("DM", 8, 8, ""), ("ZM", 9, 9, ""), ("OM", 10, 10, ""), ("UM", 11, 11, ""),
        ("PM", 12, 12, ""), ("FZ", 15, 15, ""),
    )),
    "lapis_cr0": (4, (
        ("PE", 0, 0, ""), ("MP", 1, 1, ""), ("EM", 2, 2, ""), ("TS", 3, 3, ""),
        ("ET", 4, 4, ""), ("NE", 5, 5, ""), ("WP", 16, 16, ""), ("AM", 18, 18, ""),
        ("NW", 29, 29, ""), ("CD", 30, 30, ""), ("PG", 31, 31, ""),
    )),
    "lapis_cr4": (4, (
        ("VME", 0, 0, ""), ("PVI", 1, 1, ""), ("TSD", 2, 2, ""), ("DE", 3, 3, ""),
        ("PSE", 4, 4, ""), ("PAE", 5, 5, ""), ("MCE", 6, 6, ""), ("PGE", 7, 7, ""),
        ("PCE", 8, 8, ""), ("OSFXSR", 9, 9, ""), ("OSXMMEXCPT", 10, 10, ""),
        ("UMIP", 11, 11, ""), ("LA57", 12, 12, ""), ("VMXE", 13, 13, ""),
        ("FSGSBASE", 16, 16, ""), ("PCIDE", 17, 17, ""), ("OSXSAVE", 18, 18, ""),
        ("SMEP", 20, 20, ""), ("SMAP", 21, 21, ""), ("PKE", 22, 22, ""),
    )),
    "lapis_efer": (4, (
        ("SCE", 0, 0, ""), ("LME", 8, 8, ""), ("LMA", 10, 10, ""), ("NXE", 11, 11, ""),
        ("SVME", 12, 12, ""),
    )),
    "lapis_apic_base": (8, (
        ("BSP", 8, 8, ""), ("EXTD", 10, 10, ""), ("EN", 11, 11, ""),
        ("page", 12, 51, "uint64"),
    )),
    "lapis_svr": (4, (
        ("vector", 0, 7, "uint32"), ("enabled", 8, 8, ""), ("focus_off", 9, 9, ""),
        ("eoi_broadcast_off", 12, 12, ""),
    )),
    "lapis_esr": (4, (
        ("send_checksum", 0, 0, ""), ("receive_checksum", 1, 1, ""),
        ("send_accept", 2, 2, ""), ("receive_accept", 3, 3, ""),
        ("redirectable_ipi", 4, 4, ""), ("send_illegal_vector", 5, 5, ""),
        ("receive_illegal_vector", 6, 6, ""), ("illegal_address", 7, 7, ""),
    )),
    "lapis_icr": (8, (
        ("vector", 0, 7, "uint64"), ("delivery", 8, 10, "lapis_delivery"),
        ("logical", 11, 11, ""), ("pending", 12, 12, ""), ("assert", 14, 14, ""),
        ("level", 15, 15, ""), ("shorthand", 18, 19, "lapis_shorthand"),
        ("destination", 32, 63, "uint64"),
    )),
    "lapis_lvt": (4, (
        ("vector", 0, 7, "uint32"), ("delivery", 8, 10, "lapis_delivery"),
        ("pending", 12, 12, ""), ("active_low", 13, 13, ""),
        ("remote_irr", 14, 14, ""), ("level", 15, 15, ""), ("masked", 16, 16, ""),
    )),
    "lapis_lvt_timer": (4, (
        ("vector", 0, 7, "uint32"), ("pending", 12, 12, ""), ("masked", 16, 16, ""),
        ("mode", 17, 18, "lapis_timer_mode"),
    )),
}  # fmt: skip
"""Registers with fields: bytes, and the fields. SDM Vol. 1 "EFLAGS Register", Vol. 3A
"Control Registers", "Local APIC"."""
WORDS: Final[dict[str, tuple[str, ...]]] = {
    "lapis_delivery": (
        "fixed", "lowest_priority", "SMI", "reserved", "NMI", "INIT", "startup",
        "ExtINT",
    ),
    "lapis_shorthand": ("none", "self", "all", "all_but_self"),
    "lapis_timer_mode": ("one_shot", "periodic", "tsc_deadline", "reserved"),
}  # fmt: skip
"""What the values of a field are called, from 0."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a client is told of the registers for as long as it is there."""

    architecture: str
    registers: tuple[Register, ...]
    """By number."""
    xml: bytes
    pc: int
    """Number of the program counter."""
    sp: int
    """Number of the stack pointer."""
    fp: int
    """Number of the frame pointer."""


@lru_cache(maxsize=len(ARCHITECTURES))
def of(architecture: str) -> Description:
    """Return the description of one of `ARCHITECTURES`."""
    wide = architecture == ARCHITECTURES[0]
    features = {
        "org.gnu.gdb.i386.core": processor_registers.core(wide=wide),
        "org.gnu.gdb.i386.sse": processor_registers.sse(wide=wide),
        "org.gnu.gdb.i386.segments": processor_registers.bases(wide=wide),
        "org.lapis.system": processor_registers.system(wide=wide),
        "org.lapis.apic": apic_registers.apic(),
    }
    every = tuple(each for found in features.values() for each in found)
    names = [each.name for each in every]
    letter = "r" if wide else "e"
    return Description(
        architecture, every, _xml(architecture, features),
        names.index(f"{letter}ip"), names.index(f"{letter}sp"),
        names.index(f"{letter}bp"),
    )  # fmt: skip


def _xml(architecture: str, features: dict[str, tuple[Register, ...]]) -> bytes:
    out = [
        '<?xml version="1.0"?>', '<!DOCTYPE target SYSTEM "gdb-target.dtd">',
        '<target version="1.0">', f"<architecture>{architecture}</architecture>",
    ]  # fmt: skip
    for name, rows in features.items():
        if not rows:
            continue
        out.append(f'<feature name="{name}">')
        out += _types({part.kind for row in rows for part in (*row.parts, row)})
        out += [line for row in rows if row.parts for line in _record(row)]
        out += map(_row, rows)
        out.append("</feature>")
    return "\n".join([*out, "</target>", ""]).encode()


def _record(register: Register) -> list[str]:
    """Return the types of a record: its parts, and a vector of one."""
    kind = register.kind
    return [
        f'<struct id="{kind}_parts">',
        *(f'<field name="{p.name}" type="{p.kind}"/>' for p in register.parts),
        "</struct>",
        f'<vector id="{kind}" type="{kind}_parts" count="1"/>',
    ]


def _row(register: Register) -> str:
    kind = f' type="{register.kind}"' if register.kind else ""
    group = f' group="{register.group}"' if register.group else ""
    return f'<reg name="{register.name}" bitsize="{register.bits}"{kind}{group}/>'


def _types(kinds: set[str]) -> list[str]:
    """Return the types of a feature, those of fields before what has them."""
    out: list[str] = []
    used = {f[3] for kind in kinds if kind in BITS for f in BITS[kind][1]}
    for name, words in WORDS.items():
        if name in used:
            rows = [f'<evalue name="{w}" value="{n}"/>' for n, w in enumerate(words)]
            out += [f'<enum id="{name}" size="4">', *rows, "</enum>"]
    if "lapis_vectors" in kinds:
        out.append('<vector id="lapis_vectors" type="uint32" count="8"/>')
    if "vec128" in kinds:
        out += _vec128()
    for name in sorted(kinds & set(BITS)):
        size, fields = BITS[name]
        out += [f'<flags id="{name}" size="{size}">', *map(_field, fields), "</flags>"]
    return out


def _field(field: tuple[str, int, int, str]) -> str:
    name, first, last, kind = field
    typed = f' type="{kind}"' if kind else ""
    return f'<field name="{name}" start="{first}" end="{last}"{typed}/>'


def _vec128() -> list[str]:
    """Return an XMM register by what may be in it, named as in gdb's own."""
    parts: Sequence[tuple[str, str, int]] = (
        ("v4_float", "ieee_single", 4), ("v2_double", "ieee_double", 2),
        ("v16_int8", "int8", 16), ("v8_int16", "int16", 8), ("v4_int32", "int32", 4),
        ("v2_int64", "int64", 2),
    )  # fmt: skip
    return [
        *(f'<vector id="{n}_t" type="{kind}" count="{c}"/>' for n, kind, c in parts),
        '<union id="vec128">',
        *(f'<field name="{n}" type="{n}_t"/>' for n, _, _ in parts),
        '<field name="uint128" type="uint128"/>',
        "</union>",
    ]
