"""Which instructions a model does not have, by their bytes.

The processor underneath has those of one model, its own: what another leaves out must
not run, and random numbers, counters and XCR0 are the engine's business in any case.
Encodings are those of SDM Vol. 2 "Instruction Set Reference".
"""

from __future__ import annotations

from collections import defaultdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from lapis_engine.cpu.marked import Kind, Offer, Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lapis_engine.cpu.model.record import CpuModel

ONE: Final = 1
TWO: Final = 2
THREE_38: Final = 0x38
THREE_3A: Final = 0x3A
"""Maps of opcodes: one byte, 0F, 0F 38, 0F 3A."""


class Encoding(NamedTuple):
    """Opcodes of one map that share what else tells them."""

    table: int
    opcodes: Iterable[int]
    prefixes: tuple[int, ...] | None = None
    """66, F2, F3 that select them, 0 for none of these; None for any."""
    reg: tuple[int, ...] | None = None
    """ModRM.reg."""
    form: Literal["memory", "register"] | None = None
    rm: int | None = None
    """ModRM.rm."""
    rex_w: bool = False
    """With REX.W alone."""
    only_64: bool = False
    kind: Kind = Kind.NOT_OFFERED


NP: Final = (0,)
P66: Final = (0x66,)
F2: Final = (0xF2,)
F3: Final = (0xF3,)
ANY: Final = tuple(range(8))
"""Whatever ModRM.reg is."""

ALWAYS: Final = (
    Encoding(TWO, (0xC7,), reg=(6, 7), form="register"),  # RDRAND RDSEED
    Encoding(TWO, (0x2B,), (0xF2, 0xF3)),  # MOVNTSD MOVNTSS of SSE4A
    Encoding(TWO, (0x78, 0x79)),  # EXTRQ INSERTQ of SSE4A; VMREAD VMWRITE
    Encoding(ONE, (0x8F,), reg=tuple(range(1, 8))),  # XOP: no POP, as underneath
    # INCSSP, TPAUSE, UMWAIT, UMONITOR: no fences, which take no prefix.
    Encoding(TWO, (0xAE,), (0x66, 0xF2, 0xF3), (5, 6, 7), "register"),
    # No prefix: FXSAVE FXRSTOR LDMXCSR STMXCSR MOVNTI; no F2 or F3: MOVQ.
    Encoding(TWO, (0xAE,), (0x66, 0xF2, 0xF3), (0, 1, 2, 3), "memory"),
    Encoding(TWO, (0xC3,), (0x66, 0xF2, 0xF3)),
    Encoding(TWO, (0xD6,), (0xF2, 0xF3), ANY, "memory"),
    # No memory: MOVMSKPS, and shifts by an immediate.
    Encoding(TWO, (0x50, 0x71, 0x72, 0x73), reg=ANY, form="memory"),
    # Memory alone: MOVLPD MOVHPD MOVBE.
    Encoding(TWO, (0x12, 0x16), P66, ANY, "register"),
    Encoding(THREE_38, (0xF0, 0xF1), (0, 0x66), ANY, "register"),
    Encoding(ONE, (0xC6, 0xC7), reg=(7,), form="register"),  # XABORT XBEGIN
    Encoding(TWO, (0x20, 0x22), reg=(1, 5, 6, 7)),  # CR1 CR5 CR6 CR7, and CR9 to CR15
    Encoding(TWO, (0x33,), kind=Kind.RDPMC),
    Encoding(TWO, (0x01,), reg=(2,), form="register", rm=1, kind=Kind.XSETBV),
)
"""What no model leaves to the processor."""
REPAIRED: Final = (
    Encoding(TWO, (0x18,), reg=(0, 1, 2, 3), form="register", kind=Kind.HINT),
    Encoding(ONE, (0xC8,), kind=Kind.FRAME),
    Encoding(TWO, (0xB1,), None, ANY, "register", only_64=True, kind=Kind.EXCHANGE),
    Encoding(ONE, (0xDB, 0xDD, 0xDF), None, (1,), "memory", kind=Kind.TO_INTEGER),
    Encoding(ONE, (0xDF,), None, (6,), "memory", kind=Kind.TO_INTEGER),  # FBSTP
)
"""What every model has, and the processor underneath does not do quite right."""
ENCODINGS: Final[Mapping[str, tuple[Encoding, ...]]] = MappingProxyType(
    {
        "SSE3": (
            Encoding(TWO, (0xD0, 0x7C, 0x7D), (0x66, 0xF2)),
            Encoding(TWO, (0xF0,), F2),
            Encoding(TWO, (0x12,), (0xF2, 0xF3)),
            Encoding(TWO, (0x16,), F3),
            Encoding(ONE, (0xDB, 0xDD, 0xDF), reg=(1,), form="memory"),  # FISTTP
        ),
        "SSSE3": (
            Encoding(THREE_38, (*range(0xC), 0x1C, 0x1D, 0x1E)),
            Encoding(THREE_3A, (0xF,)),
        ),
        "SSE4_1": (
            Encoding(
                THREE_38,
                (
                    0x10, 0x14, 0x15, 0x17, *range(0x20, 0x26), *range(0x28, 0x2C),
                    *range(0x30, 0x36), *range(0x38, 0x42),
                ),
            ),
            Encoding(
                THREE_3A,
                (
                    *range(0x8, 0xF), *range(0x14, 0x18), 0x20, 0x21, 0x22,
                    0x40, 0x41, 0x42,
                ),
            ),
        ),
        "SSE4_2": (
            Encoding(THREE_38, (0x37,)),
            Encoding(THREE_3A, range(0x60, 0x64)),
            Encoding(THREE_38, (0xF0, 0xF1), F2),  # CRC32
        ),
        "MOVBE": (Encoding(THREE_38, (0xF0, 0xF1), (0, 0x66)),),
        "AES": (Encoding(THREE_38, range(0xDB, 0xE0)), Encoding(THREE_3A, (0xDF,))),
        "PCLMULQDQ": (Encoding(THREE_3A, (0x44,)),),
        "POPCNT": (Encoding(TWO, (0xB8,), F3),),
        "CX16": (Encoding(TWO, (0xC7,), reg=(1,), form="memory", rex_w=True),),
        "LAHF64": (Encoding(ONE, (0x9E, 0x9F), only_64=True),),
        "RDTSCP": (Encoding(TWO, (0x01,), reg=(7,), form="register", rm=1),),
        "BMI1": (Encoding(TWO, (0xBC,), F3, kind=Kind.SCAN),),
        "ABM": (Encoding(TWO, (0xBD,), F3, kind=Kind.SCAN),),
    }
)  # fmt: skip
"""Feature -> what is #UD without it, where the processor underneath has it; TZCNT and
LZCNT are BSF and BSR then. What CR4 switches is not here, for CR4 is the model's."""


def offer(model: CpuModel) -> Offer:
    """Return the table of what the processor must not carry out under a model."""
    rows: defaultdict[tuple[int, int], list[Row]] = defaultdict(list)
    missing = [name for name in ENCODINGS if not model.offers(name)]
    found = [
        *ALWAYS,
        *(each for name in missing for each in ENCODINGS[name]),
        *REPAIRED,
    ]
    for each in found:
        row = Row(
            each.kind, each.prefixes, each.reg, each.form, each.rm, each.rex_w,
            each.only_64,
        )  # fmt: skip
        for opcode in each.opcodes:
            rows[each.table, opcode].append(row)
    vex = {
        key: VEX_REPAIRED.get(key)
        for name in ("BMI1", "BMI2")
        if model.offers(name)
        for key in VEX_ENCODINGS[name]
    }
    first = frozenset(opcode for table, opcode in rows if table == ONE)
    return Offer(
        {key: tuple(several) for key, several in rows.items()},
        first | VEX_PREFIXES,
        vex,
    )


VEX_PREFIXES: Final = frozenset({0xC4, 0xC5})
VEX_ENCODINGS: Final[Mapping[str, frozenset[tuple[int, int, int]]]] = MappingProxyType(
    {
        "BMI1": frozenset({(2, 0xF2, 0), (2, 0xF3, 0), (2, 0xF7, 0)}),
        "BMI2": frozenset(
            {
                (2, 0xF5, 0), (2, 0xF5, 2), (2, 0xF5, 3), (2, 0xF6, 3), (2, 0xF7, 1),
                (2, 0xF7, 2), (2, 0xF7, 3), (3, 0xF0, 3),
            }
        ),
    }
)  # fmt: skip
"""Feature -> map, opcode and pp behind the three-byte VEX prefix."""
VEX_REPAIRED: Final[Mapping[tuple[int, int, int], Kind]] = MappingProxyType(
    dict.fromkeys(((2, 0xF3, 0), (2, 0xF5, 0), (2, 0xF5, 3)), Kind.BMI)
)
"""BLSR, BLSMSK and BLSI; BZHI; PDEP."""
