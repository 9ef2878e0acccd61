"""Which instructions the fuzzer makes: opcodes by group, as in the SDM's opcode map.

A form is what stands between the prefixes and ModRM, and what may be said about it.
Not here: prefixes, addressing and registers (`generate`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Form:
    """One opcode with a memory operand, or one that has it implicitly."""

    name: str
    group: str
    opcode: bytes
    digit: int | None = None
    """ModRM.reg when it is part of the opcode; None leaves it to chance."""
    modrm: bool = True
    imm: int = 0
    """Bytes of immediate; -1 is that of the operand size, at most 4; -2 an address."""
    lock: bool = False
    prefix: int = 0
    """Mandatory prefix 66, F2 or F3, or 0."""
    modes: tuple[int, ...] = (16, 32, 64)
    vex: int | None = None
    """Map and pp of a VEX encoding: map << 2 | pp."""
    plain: bool = False
    """No 66 of its own: it would be another instruction."""


def _alu() -> list[Form]:
    names = ("add", "or", "adc", "sbb", "and", "sub", "xor", "cmp")
    out = []
    for n, name in enumerate(names):
        for low in range(4):
            lock = low < 2 and n != 7
            out.append(Form(name, "alu", bytes((8 * n + low,)), lock=lock))
        out.append(Form(name, "imm", b"\x80", n, imm=1, lock=n != 7))
        out.append(Form(name, "imm", b"\x81", n, imm=-1, lock=n != 7))
        out.append(Form(name, "imm", b"\x83", n, imm=1, lock=n != 7))
        out.append(Form(name, "imm", b"\x82", n, imm=1, modes=(16, 32)))
    return out


def _unary() -> list[Form]:
    out = [
        Form("test", "imm", b"\xf6", 0, imm=1),
        Form("test", "imm", b"\xf7", 0, imm=-1),
    ]
    for n, name in (
        (2, "not"),
        (3, "neg"),
        (4, "mul"),
        (5, "imul"),
        (6, "div"),
        (7, "idiv"),
    ):
        out += [Form(name, "unary", op, n, lock=n < 4) for op in (b"\xf6", b"\xf7")]
    for n, name in ((0, "inc"), (1, "dec")):
        out += [Form(name, "unary", op, n, lock=True) for op in (b"\xfe", b"\xff")]
    out += [Form("test", "alu", b"\x84"), Form("test", "alu", b"\x85")]
    return out


def _shifts() -> list[Form]:
    names = ("rol", "ror", "rcl", "rcr", "shl", "shr", "sal", "sar")
    out = []
    for n, name in enumerate(names):
        out += [Form(name, "shift", bytes((op,)), n, imm=1) for op in (0xC0, 0xC1)]
        out += [Form(name, "shift", bytes((op,)), n) for op in range(0xD0, 0xD4)]
    for op, name in ((0xA4, "shld"), (0xAC, "shrd")):
        out.append(Form(name, "shift", bytes((0x0F, op)), imm=1))
        out.append(Form(name, "shift", bytes((0x0F, op + 1))))
    return out


def _bits() -> list[Form]:
    out = []
    for n, (op, name) in enumerate(
        ((0xA3, "bt"), (0xAB, "bts"), (0xB3, "btr"), (0xBB, "btc"))
    ):
        out.append(Form(name, "bit", bytes((0x0F, op)), lock=n > 0))
        out.append(Form(name, "bit-imm", b"\x0f\xba", 4 + n, imm=1, lock=n > 0))
    out += [Form("bsf", "scan", b"\x0f\xbc"), Form("bsr", "scan", b"\x0f\xbd")]
    out.append(Form("popcnt", "scan", b"\x0f\xb8", prefix=0xF3))
    return out


def _moves() -> list[Form]:
    out = [Form("mov", "mov", bytes((op,))) for op in range(0x88, 0x8C)]
    out += [
        Form("mov", "mov", b"\xc6", 0, imm=1),
        Form("mov", "mov", b"\xc7", 0, imm=-1),
    ]
    out += [
        Form("mov", "moffs", bytes((op,)), modrm=False, imm=-2)
        for op in range(0xA0, 0xA4)
    ]
    for op, name in (
        (0xB6, "movzx"),
        (0xB7, "movzx"),
        (0xBE, "movsx"),
        (0xBF, "movsx"),
    ):
        out.append(Form(name, "mov", bytes((0x0F, op))))
    out.append(Form("movsxd", "mov", b"\x63", modes=(64,)))
    out += [Form("movbe", "mov", bytes((0x0F, 0x38, op))) for op in (0xF0, 0xF1)]
    out.append(Form("movnti", "mov", b"\x0f\xc3", plain=True))
    out.append(Form("mov sreg", "mov", b"\x8c", 3))
    out += [Form("cmov", "mov", bytes((0x0F, op))) for op in range(0x40, 0x50)]
    out += [Form("set", "mov", bytes((0x0F, op))) for op in range(0x90, 0xA0)]
    out.append(Form("xlat", "xlat", b"\xd7", modrm=False))
    return out


def _exchanges() -> list[Form]:
    out = []
    for low in (0, 1):
        out.append(Form("xchg", "exchange", bytes((0x86 + low,)), lock=True))
        out.append(Form("xadd", "exchange", bytes((0x0F, 0xC0 + low)), lock=True))
        out.append(Form("cmpxchg", "exchange", bytes((0x0F, 0xB0 + low)), lock=True))
    out.append(Form("cmpxchg8b", "exchange", b"\x0f\xc7", 1, lock=True, plain=True))
    out.append(Form("imul", "imul", b"\x0f\xaf"))
    out += [Form("imul", "imul", b"\x69", imm=-1), Form("imul", "imul", b"\x6b", imm=1)]
    return out


def _strings() -> list[Form]:
    names = {0xA4: "movs", 0xA6: "cmps", 0xAA: "stos", 0xAC: "lods", 0xAE: "scas"}
    return [
        Form(name, "string", bytes((op + low,)), modrm=False)
        for op, name in names.items()
        for low in (0, 1)
    ]


def _stack() -> list[Form]:
    out = [Form("push", "stackmem", b"\xff", 6), Form("pop", "stackmem", b"\x8f", 0)]
    out += [Form("call", "stackmem", b"\xff", 2), Form("jmp", "stackmem", b"\xff", 4)]
    single = {0x50: "push", 0x53: "push", 0x58: "pop", 0x5B: "pop", 0x9C: "pushf"}
    single |= {0xC3: "ret", 0xC9: "leave", 0x06: "push es", 0x60: "pusha", 0x61: "popa"}
    for op, name in single.items():
        modes = (16, 32) if op in {0x06, 0x60, 0x61} else (16, 32, 64)
        out.append(Form(name, "stack", bytes((op,)), modrm=False, modes=modes))
    out.append(Form("push imm", "stack", b"\x6a", modrm=False, imm=1))
    out.append(Form("push imm", "stack", b"\x68", modrm=False, imm=-1))
    return out


def _segments() -> list[Form]:
    """Loads of segment registers; there is no GDT, so only null selectors pass."""
    out = [Form("mov to sreg", "segment", b"\x8e", digit) for digit in (0, 2, 3, 4, 5)]
    out += [Form("lds", "segment", bytes((op,)), modes=(16, 32)) for op in (0xC4, 0xC5)]
    out += [Form("lss", "segment", bytes((0x0F, op))) for op in (0xB2, 0xB4, 0xB5)]
    return out


def _sse() -> list[Form]:
    rows = (
        (0x10, (0, 0x66, 0xF2, 0xF3)), (0x11, (0, 0x66, 0xF2, 0xF3)),
        (0x12, (0, 0x66)), (0x13, (0, 0x66)), (0x16, (0, 0x66)), (0x17, (0, 0x66)),
        (0x28, (0, 0x66)), (0x29, (0, 0x66)), (0x2B, (0, 0x66)),
        (0x2A, (0xF2, 0xF3)), (0x2D, (0xF2, 0xF3)), (0x2E, (0, 0x66)),
        (0x6E, (0, 0x66)), (0x7E, (0, 0x66, 0xF3)), (0xD6, (0x66,)),
        (0x6F, (0, 0x66, 0xF3)), (0x7F, (0, 0x66, 0xF3)), (0xE7, (0, 0x66)),
        (0xF0, (0xF2,)), (0x58, (0, 0x66, 0xF2, 0xF3)), (0xEF, (0, 0x66)),
        (0xD4, (0, 0x66)), (0x54, (0, 0x66)), (0x60, (0, 0x66)),
    )  # fmt: skip
    return [
        Form(f"sse {op:02x}", "sse", bytes((0x0F, op)), prefix=prefix, plain=True)
        for op, prefixes in rows
        for prefix in prefixes
    ] + [
        Form("pinsrw", "sse", b"\x0f\xc4", prefix=0x66, imm=1, plain=True),
        Form("pextrb", "sse", b"\x0f\x3a\x14", prefix=0x66, imm=1, plain=True),
        Form("pextrd", "sse", b"\x0f\x3a\x16", prefix=0x66, imm=1, plain=True),
        Form("movntdqa", "sse", b"\x0f\x38\x2a", prefix=0x66, plain=True),
        Form("ldmxcsr", "sse", b"\x0f\xae", 2, plain=True),
        Form("stmxcsr", "sse", b"\x0f\xae", 3, plain=True),
    ]


def _avx() -> list[Form]:
    """Moves of 128 bits, which are all that the processor underneath has of AVX."""
    rows = (
        (0x10, (0, 1)), (0x11, (0, 1)), (0x28, (0, 1)), (0x29, (0, 1)), (0x2B, (0, 1)),
        (0x6E, (1,)), (0x7E, (1, 2)), (0x6F, (1, 2)), (0x7F, (1, 2)), (0xD6, (1,)),
        (0xE7, (1,)), (0xF0, (3,)),
    )  # fmt: skip
    return [
        Form(f"avx {op:02x}", "avx", bytes((op,)), vex=1 << 2 | pp, modes=(32, 64))
        for op, prefixes in rows
        for pp in prefixes
    ]


def _x87() -> list[Form]:
    rows = {
        0xD8: (0, 1, 3), 0xD9: (0, 2, 3, 5, 7), 0xDA: (0,), 0xDB: (0, 1, 2, 3, 5, 7),
        0xDC: (0,), 0xDD: (0, 1, 2, 3, 7), 0xDE: (0,), 0xDF: (0, 1, 2, 3, 5, 7),
    }  # fmt: skip
    return [
        Form(f"x87 {op:02x}/{digit}", "x87", bytes((op,)), digit)
        for op, digits in rows.items()
        for digit in digits
    ]


def _bmi() -> list[Form]:
    modes = (32, 64)
    out = [
        Form("andn", "bmi", b"\xf2", vex=2 << 2, modes=modes),
        Form("bextr", "bmi", b"\xf7", vex=2 << 2, modes=modes),
        Form("bzhi", "bmi", b"\xf5", vex=2 << 2, modes=modes),
        Form("pdep", "bmi", b"\xf5", vex=2 << 2 | 3, modes=modes),
        Form("pext", "bmi", b"\xf5", vex=2 << 2 | 2, modes=modes),
        Form("mulx", "bmi", b"\xf6", vex=2 << 2 | 3, modes=modes),
        Form("rorx", "bmi", b"\xf0", vex=3 << 2 | 3, imm=1, modes=modes),
    ]
    names = ("shlx", "sarx", "shrx")
    out += [
        Form(name, "bmi", b"\xf7", vex=2 << 2 | n + 1, modes=modes)
        for n, name in enumerate(names)
    ]
    out += [Form("bls", "bmi", b"\xf3", n, vex=2 << 2, modes=modes) for n in (1, 2, 3)]
    return out


MEMORY = (
    _alu() + _unary() + _shifts() + _bits() + _moves() + _exchanges() + _stack()
    + _segments()
    + _sse()
    + _avx() + _x87() + _bmi()
)  # fmt: skip
"""Forms with one memory operand."""
STRINGS = _strings()
PORTS = [
    Form(name, "ins", bytes((op + low,)), modrm=False)
    for op, name in ((0x6C, "ins"), (0x6E, "outs"))
    for low in (0, 1)
] + [
    Form(name, "in", bytes((op + low,)), modrm=False, imm=0 if op & 8 else 1)
    for op, name in ((0xE4, "in"), (0xE6, "out"), (0xEC, "in"), (0xEE, "out"))
    for low in (0, 1)
]
