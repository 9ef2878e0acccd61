"""Instructions that programs are made of, and which flags each leaves undefined.

The flags are those of the "Flags Affected" of the instruction in SDM Vol. 2, summed up
in Vol. 1 Appendix A "EFLAGS Cross-Reference". Written from there, and not from what any
processor does.
"""

from __future__ import annotations

from typing import Final, NamedTuple

CF, PF, AF, ZF, SF, OF = 1, 4, 0x10, 0x40, 0x80, 0x800
ALL: Final = CF | PF | AF | ZF | SF | OF


class Row(NamedTuple):
    """An instruction by its opcode."""

    name: str
    opcode: str
    """Hex, without mandatory prefix."""
    form: str
    """rm_r, r_rm, rm, rm_i (imm8 or as wide as the operand, at most 32), rm_i8, rm_1,
    rm_cl, r, a_i, none; x_x, x_x_i8, x_r, r_x, x_m."""
    digit: int = -1
    """ModRM.reg, where that is part of the opcode."""
    sizes: str = "wdq"
    """b for a byte, or w, d and q."""
    undefined: int = 0
    defines: int = 0
    """Flags that it sets whatever its operands are."""
    reads: bool = False
    """It reads flags that may be undefined before it."""
    prefix: str = ""
    lockable: bool = False
    feature: str = ""
    """Which the processor must have, by the name that the kernel gives it."""


def _alu() -> list[Row]:
    found = []
    names = ("ADD", "OR", "ADC", "SBB", "AND", "SUB", "XOR", "CMP")
    for n, name in enumerate(names):
        logic = name in {"OR", "AND", "XOR"}
        undefined, defines = (AF, ALL & ~AF) if logic else (0, ALL)
        reads, lock = name in {"ADC", "SBB"}, name != "CMP"
        rows = [
            Row(name, f"{8 * n:02x}", "rm_r", sizes="b", lockable=lock),
            Row(name, f"{8 * n + 1:02x}", "rm_r", lockable=lock),
            Row(name, f"{8 * n + 2:02x}", "r_rm", sizes="b"),
            Row(name, f"{8 * n + 3:02x}", "r_rm"),
            Row(name, f"{8 * n + 4:02x}", "a_i", sizes="b"),
            Row(name, f"{8 * n + 5:02x}", "a_i"),
            Row(name, "80", "rm_i8", n, "b", lockable=lock),
            Row(name, "81", "rm_i", n, lockable=lock),
            Row(name, "83", "rm_i8", n, lockable=lock),
        ]
        found += [
            row._replace(undefined=undefined, defines=defines, reads=reads)
            for row in rows
        ]
    return found


def _shifts() -> list[Row]:
    """OF is defined for a count of 1 only; CF of SHL and SHR only up to the width."""
    found = []
    names = ("ROL", "ROR", "RCL", "RCR", "SHL", "SHR", "SAL", "SAR")
    for n, name in enumerate(names):
        rotates = n < 4
        one = 0 if rotates else AF
        many = OF if rotates else AF | OF
        reads = name in {"RCL", "RCR"}
        for sizes, codes in (("b", ("c0", "d0", "d2")), ("wdq", ("c1", "d1", "d3"))):
            # A count of up to 31 may be more than 8 or 16.
            wide = many | (CF if name in {"SHL", "SHR", "SAL"} else 0)
            found += [
                Row(name, codes[0], "rm_i8", n, sizes, wide, reads=reads),
                Row(name, codes[1], "rm", n, sizes, one, reads=reads),
                Row(name, codes[2], "rm", n, sizes, wide, reads=reads),
            ]
    return found


def _unary() -> list[Row]:
    found = []
    for sizes, f6, fe in (("b", "f6", "fe"), ("wdq", "f7", "ff")):
        multiply = SF | ZF | AF | PF
        found += [
            Row(
                "TEST", f6, "rm_i8" if sizes == "b" else "rm_i", 0, sizes, AF, ALL & ~AF
            ),
            Row("NOT", f6, "rm", 2, sizes, lockable=True),
            Row("NEG", f6, "rm", 3, sizes, 0, ALL, lockable=True),
            Row("MUL", f6, "rm", 4, sizes, multiply, CF | OF),
            Row("IMUL", f6, "rm", 5, sizes, multiply, CF | OF),
            Row("DIV", f6, "rm", 6, sizes, ALL),
            Row("IDIV", f6, "rm", 7, sizes, ALL),
            Row("INC", fe, "rm", 0, sizes, 0, ALL & ~CF, lockable=True),
            Row("DEC", fe, "rm", 1, sizes, 0, ALL & ~CF, lockable=True),
        ]
    return found


def _bits() -> list[Row]:
    bits = OF | SF | AF | PF  # ZF is unaffected
    found = [
        Row("BT", "0fa3", "rm_r", undefined=bits, defines=CF),
        Row("BT", "0fba", "rm_i8", 4, undefined=bits, defines=CF),
    ]
    for n, name in ((5, "BTS"), (6, "BTR"), (7, "BTC")):
        opcode = f"0f{0x83 + 8 * n:02x}"
        # Of memory and a register: anywhere, and so not here.
        found += [
            Row(name, opcode, "reg_r", undefined=bits, defines=CF),
            Row(name, "0fba", "rm_i8", n, undefined=bits, defines=CF, lockable=True),
        ]
    found[0] = found[0]._replace(form="reg_r")
    scan = CF | OF | SF | AF | PF
    found += [
        Row("BSF", "0fbc", "r_rm", undefined=scan, defines=ZF),
        Row("BSR", "0fbd", "r_rm", undefined=scan, defines=ZF),
        Row("POPCNT", "0fb8", "r_rm", defines=ALL, prefix="f3", feature="popcnt"),
        Row("SHLD", "0fa4", "rm_r_i8", sizes="dq", undefined=AF | OF),
        Row("SHRD", "0fac", "rm_r_i8", sizes="dq", undefined=AF | OF),
        Row("SHLD", "0fa5", "rm_r", sizes="dq", undefined=AF | OF),
        Row("SHRD", "0fad", "rm_r", sizes="dq", undefined=AF | OF),
    ]
    return found


def _moves() -> list[Row]:
    found = [
        Row("MOV", "88", "rm_r", sizes="b"), Row("MOV", "89", "rm_r"),
        Row("MOV", "8a", "r_rm", sizes="b"), Row("MOV", "8b", "r_rm"),
        Row("MOV", "c6", "rm_i8", 0, "b"), Row("MOV", "c7", "rm_i", 0),
        Row("XCHG", "86", "rm_r", sizes="b", lockable=True),
        Row("XCHG", "87", "rm_r", lockable=True),
        Row("XADD", "0fc0", "rm_r", sizes="b", defines=ALL, lockable=True),
        Row("XADD", "0fc1", "rm_r", defines=ALL, lockable=True),
        Row("CMPXCHG", "0fb0", "rm_r", sizes="b", defines=ALL, lockable=True),
        Row("CMPXCHG", "0fb1", "rm_r", sizes="wq", defines=ALL, lockable=True),
        Row("CMPXCHG", "0fb1", "m_r", sizes="d", defines=ALL, lockable=True),
        Row("CMPXCHG8B", "0fc7", "m", 1, "d", lockable=True),
        Row("TEST", "84", "rm_r", sizes="b", undefined=AF, defines=ALL & ~AF),
        Row("TEST", "85", "rm_r", undefined=AF, defines=ALL & ~AF),
        Row("IMUL", "0faf", "r_rm", undefined=SF | ZF | AF | PF, defines=CF | OF),
        Row("IMUL", "6b", "r_rm_i8", undefined=SF | ZF | AF | PF, defines=CF | OF),
        Row("IMUL", "69", "r_rm_i", undefined=SF | ZF | AF | PF, defines=CF | OF),
        Row("MOVZX", "0fb6", "r_rm"), Row("MOVZX", "0fb7", "r_rm"),
        Row("MOVSX", "0fbe", "r_rm"), Row("MOVSX", "0fbf", "r_rm"),
        Row("MOVSXD", "63", "r_rm", sizes="dq"), Row("LEA", "8d", "r_m"),
        Row("BSWAP", "0fc8", "r", sizes="dq"), Row("MOVNTI", "0fc3", "m_r", sizes="dq"),
        Row("MOVBE", "0f38f0", "r_m", feature="movbe"),
        Row("MOVBE", "0f38f1", "m_r", feature="movbe"),
        Row("ADCX", "0f38f6", "r_rm", sizes="dq", prefix="66", feature="adx",
            defines=CF, reads=True),
        Row("ADOX", "0f38f6", "r_rm", sizes="dq", prefix="f3", feature="adx",
            defines=OF, reads=True),
        Row("CBW", "98", "none"), Row("CWD", "99", "none"),
        Row("PUSH", "50", "r", sizes="wq"), Row("POP", "58", "r", sizes="wq"),
        Row("PUSH", "ff", "rm", 6, "wq"), Row("POP", "8f", "rm", 0, "wq"),
        Row("PUSHF", "9c", "none", sizes="wq", reads=True),
        Row("SAHF", "9e", "none", sizes="d", defines=ALL & ~OF, feature="lahf_lm"),
        Row("LAHF", "9f", "none", sizes="d", reads=True, feature="lahf_lm"),
        Row("CLC", "f8", "none", sizes="d", defines=CF),
        Row("STC", "f9", "none", sizes="d", defines=CF),
        Row("CMC", "f5", "none", sizes="d", reads=True),
        Row("CLD", "fc", "none", sizes="d"), Row("STD", "fd", "none", sizes="d"),
        Row("XLAT", "d7", "none", sizes="d"), Row("UD2", "0f0b", "none", sizes="d"),
        Row("INT3", "cc", "none", sizes="d"), Row("CLI", "fa", "none", sizes="d"),
        Row("MOV CR0", "0f20c0", "none", sizes="d"),
        Row("CRC32", "0f38f1", "r_rm", prefix="f2", sizes="dq", feature="sse4_2"),
    ]  # fmt: skip
    for condition in range(16):
        found += [
            Row("CMOV", f"0f{0x40 + condition:02x}", "r_rm", reads=True),
            Row("SET", f"0f{0x90 + condition:02x}", "rm", 0, "b", reads=True),
        ]
    return found


EVERY, TWO, WIDE = ("", "66", "f3", "f2"), ("", "66"), ("66",)
PACKED: Final = (*range(0x60, 0x6E), *range(0x74, 0x77), *range(0xD1, 0xD6),
                 *range(0xD8, 0xE6), *range(0xE8, 0xF0), *range(0xF1, 0xF7),
                 *range(0xF8, 0xFF))  # fmt: skip
"""Behind 0F: what SSE2 has of MMX."""
SSSE3: Final = (*range(12), 0x1C, 0x1D, 0x1E)
SSE4: Final = (*range(0x20, 0x26), 0x28, 0x29, 0x2B, *range(0x30, 0x36),
               *range(0x38, 0x42), 0x10, 0x14, 0x15)  # fmt: skip
"""Behind 0F 38."""
TABLE: Final = (
    ("0f51 0f58 0f59 0f5c 0f5d 0f5e 0f5f 0f10 0f11 0f5a", EVERY, "x_x", ""),
    ("0fc2", EVERY, "x_x_cmp", ""),
    ("0f28 0f54 0f55 0f56 0f57 0f14 0f15", TWO, "x_x", ""),
    ("0f29 0f2b 0f13 0f17 0f12 0f16", TWO, "x_m", ""),
    ("0f12 0f16", ("",), "x_reg", ""),
    ("0fc6", TWO, "x_x_i8", ""),
    ("0f6f 0f7f", ("66", "f3"), "x_x", ""),
    ("0fe7", WIDE, "x_m", ""),
    ("0f7e", ("f3",), "x_x", ""),
    ("0fd6", WIDE, "x_x", ""),
    ("0f70", ("66", "f3", "f2"), "x_x_i8", ""),
    ("0f5b", ("", "66", "f3"), "x_x", ""),
    ("0fe6", ("66", "f3", "f2"), "x_x", ""),
    (" ".join(f"0f{n:02x}" for n in PACKED), WIDE, "x_x", ""),
    ("0f7c 0f7d 0fd0", ("66", "f2"), "x_x", "pni"),
    ("0ff0", ("f2",), "x_m", "pni"),
    ("0f12 0f16", ("f3",), "x_x", "pni"),
    ("0f12", ("f2",), "x_x", "pni"),
    (" ".join(f"0f38{n:02x}" for n in SSSE3), WIDE, "x_x", "ssse3"),
    ("0f3a0f", WIDE, "x_x_i8", "ssse3"),
    (" ".join(f"0f38{n:02x}" for n in SSE4), WIDE, "x_x", "sse4_1"),
    ("0f3a08 0f3a09 0f3a0a 0f3a0b", WIDE, "x_x_round", "sse4_1"),
    ("0f3a0c 0f3a0d 0f3a0e 0f3a40 0f3a41 0f3a42 0f3a21", WIDE, "x_x_i8", "sse4_1"),
    ("0f3837", WIDE, "x_x", "sse4_2"),
    ("0f38db 0f38dc 0f38dd 0f38de 0f38df", WIDE, "x_x", "aes"),
    ("0f3adf", WIDE, "x_x_i8", "aes"),
    ("0f3a44", WIDE, "x_x_i8", "pclmulqdq"),
)
"""Opcodes, mandatory prefixes, form and feature."""


def _sse() -> list[Row]:
    found = [
        Row("SSE", code, form, sizes="d", prefix=prefix, feature=feature)
        for codes, prefixes, form, feature in TABLE
        for code in codes.split()
        for prefix in prefixes
    ]
    groups = {"0f71": (2, 4, 6), "0f72": (2, 4, 6), "0f73": (2, 3, 6, 7)}
    found += [
        Row("SSE", code, "xr_i8", digit, "d", prefix="66")
        for code, digits in groups.items()
        for digit in digits
    ]
    found += [
        Row("COMIS", code, "x_x", sizes="d", prefix=prefix, defines=ALL)
        for code in ("0f2e", "0f2f")
        for prefix in TWO
    ]
    found += [
        Row("PCMPSTR", code, "x_x_i8", sizes=sizes, prefix="66", defines=ALL,
            feature="sse4_2")
        for code, sizes in (("0f3a60", "dq"), ("0f3a61", "dq"), ("0f3a62", "d"),
                            ("0f3a63", "d"))
    ]  # fmt: skip
    for prefix in ("f3", "f2"):
        found += [
            Row("CVT", "0f2a", "x_rm", sizes="dq", prefix=prefix),
            Row("CVT", "0f2c", "r_x", sizes="dq", prefix=prefix),
            Row("CVT", "0f2d", "r_x", sizes="dq", prefix=prefix),
        ]
    found += [
        Row("MOVD", "0f6e", "x_rm", sizes="dq", prefix="66"),
        Row("MOVD", "0f7e", "rm_x", sizes="dq", prefix="66"),
        Row("PMOVMSKB", "0fd7", "r_xr", sizes="d", prefix="66"),
        Row("MOVMSKPS", "0f50", "r_xr", sizes="d"),
        Row("MOVMSKPD", "0f50", "r_xr", sizes="d", prefix="66"),
        Row("PINSRW", "0fc4", "x_rm_i8", sizes="d", prefix="66"),
        Row("PEXTRW", "0fc5", "r_xr_i8", sizes="d", prefix="66"),
        Row("PTEST", "0f3817", "x_x", sizes="d", prefix="66", defines=ALL,
            feature="sse4_1"),
    ]  # fmt: skip
    return found


ROWS: Final = (*_alu(), *_shifts(), *_unary(), *_bits(), *_moves(), *_sse())
STRINGS: Final = ("a4", "a5", "a6", "a7", "aa", "ab", "ac", "ad", "ae", "af")
COMPARING: Final = frozenset({"a6", "a7", "ae", "af"})
