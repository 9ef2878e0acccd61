"""Random programs, counted by blocks, by instruction, and run one at a time.

All that reacts to an exit is drawn beforehand, so that every way is given the same.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from campaign import soup

from lapis_engine.cpu import blocks
from lapis_engine.cpu.core import Core
from lapis_engine.cpu.intercepts import Budget
from lapis_engine.cpu.registers import CS, Segment
from lapis_engine.memory.physical import PhysicalMemory

if TYPE_CHECKING:
    from lapis_engine.cpu.registers import Registers

CODE: Final = soup.BASE
STACK: Final = 0x8800
TABLES: Final = 0x2_0000
OTHER_CODE: Final = 0x3_0000
"""What the second address space has where the first has its code."""
SIZE: Final = 0x4_0000
BUDGETS: Final = (1, 2, 3, 5, 8, 13, 40, 100, 300)
LONG: Final = (1_000, 10_000, 100_000)
"""Budgets of a few rounds: most end long before, of the others some are loops."""
INTERRUPTED: Final = 0.2
"""How many programs have an INT of any vector somewhere."""
STEPS: Final = 1_000
PIECE: Final = 997
"""Steps of a round, and instructions of each piece that it goes on in: a loop over its
own code is translated anew for each step."""
ALIAS: Final = 0x3_F000
"""Where the first page of code is writable and not executable."""
ALIASED: Final = 0.3
ROUNDS: Final = 12
NX: Final = 1 << 63
HLT: Final = b"\xf4"
"""What stands behind a program: a long block of anything else is slow to step."""


@dataclass(frozen=True, slots=True)
class Round:
    """One run of a program."""

    space: int
    """Which vCPU runs."""
    budget: int
    window: bool = False
    go: int = 0
    """Where it goes on after an exit: bytes from the start of the code."""


@dataclass(frozen=True, slots=True)
class Program:
    """What all ways are given."""

    bits: int
    code: bytes
    other: bytes
    values: tuple[int, ...]
    rounds: tuple[Round, ...]


def program(seed: int) -> Program:
    """Make one."""
    rng = Random(f"ways {seed}")
    bits = rng.choice((16, 32, 64))
    size = rng.choice((20, 60, 200))
    code, other = soup.soup(rng, bits, size), soup.soup(rng, bits, size)
    if rng.random() < 0.3:  # it crosses into another page
        code = b"\x90" * (0x1000 - rng.randrange(40)) + code
    more = Random(f"more ways {seed}")
    if more.random() < INTERRUPTED:
        at = more.randrange(max(len(code) - 1, 1))
        vector = more.choice((more.randrange(256), more.randrange(32)))
        code = code[:at] + bytes((0xCD, vector)) + code[at + 2 :]
    if bits == 64 and more.random() < ALIASED:
        for _ in range(4):
            code = _write(code, more)
    values = tuple(
        rng.choice((0, 1, 0x80, 0x7FFF_FFFF, rng.getrandbits(32), CODE + size, 0x8000))
        for _ in range(16)
    )
    rounds = tuple(
        Round(
            rng.randrange(2) if bits == 64 else 0,
            _budget(rng.choice(BUDGETS), more),
            rng.random() < 0.15,
            rng.randrange(len(code)) if rng.random() < 0.9 else 0,
        )
        for _ in range(ROUNDS)
    )
    return Program(bits, code, other, values, rounds)


def _write(code: bytes, rng: Random) -> bytes:
    """Put MOV BYTE [ALIAS + n], imm8 somewhere."""
    at = rng.randrange(len(code))
    place = struct.pack("<I", ALIAS + rng.randrange(len(code)) % 0x1000)
    value = rng.choice((0x90, 0xF8, 0xF9, rng.randrange(256)))
    text = b"\xc6\x04\x25" + place + bytes((value,))
    return code[:at] + text + code[at + len(text) :]


def _budget(usual: int, rng: Random) -> int:
    return rng.choice(LONG) if rng.random() < 0.02 else usual


class Way:
    """A processor with memory, which runs programs in one way."""

    def __init__(self, kind: str) -> None:
        """Open it: "blocks", "count" or "steps", which are by blocks, too."""
        library = None if kind == "count" else blocks.find()
        assert not isinstance(library, str), library
        self._core = Core(library)
        self._steps = kind == "steps"
        self._memory = PhysicalMemory()
        self._region = self._memory.add(0, SIZE, "RAM")
        self._core.map(self._region)
        self._memory.on_write = self._core.forget_code

    def run(self, given: Program) -> list[tuple[Any, ...]]:
        """Return what each round came to."""
        vcpus = self._begin(given)
        found = []
        for each in given.rounds:
            regs = vcpus[each.space]
            event, retired = self._run(regs, each)
            found.append((event, retired, *self._state(regs)))
            if event != Budget():
                regs.rip = (CODE if given.bits > 16 else 0) + each.go
                regs.gpr[4], regs.shadow = STACK, False
        return found

    def _run(self, regs: Registers, each: Round) -> tuple[Any, int]:
        if not self._steps:
            event: Any = self._core.run(regs, each.budget, window=each.window)
            return event, self._core.retired
        retired = 0
        while True:
            most = 1 if retired < STEPS else min(PIECE, each.budget - retired)
            event = self._core.run(regs, most, window=each.window)
            retired += self._core.retired
            if event != Budget() or retired == each.budget:
                return event, retired

    def _state(self, regs: Registers) -> tuple[Any, ...]:
        memory, vectors = bytes(self._region.host[:]), regs.context.vector_bytes()
        return regs.rip, regs.rflags, tuple(regs.gpr), memory, vectors

    def _begin(self, given: Program) -> list[Registers]:
        self._memory.write(0, bytes(SIZE))
        for at, code in ((CODE, given.code), (OTHER_CODE, given.other)):
            self._memory.write(at, code.ljust(0x2000, HLT))
        count = 2 if given.bits == 64 else 1
        return [self._vcpu(given, space) for space in range(count)]

    def _vcpu(self, given: Program, space: int) -> Registers:
        regs = self._core.new_registers()
        cs, ds = {
            16: (
                Segment(CODE >> 4, CODE, 0xFFFF, 0x9B00),
                Segment(0, 0, 0xFFFF, 0x9300),
            ),
            32: (Segment(8, 0, 0xFFFF_FFFF, 0xCF_9B00), FLAT),
            64: (Segment(8, 0, 0xFFFF_FFFF, 0xAF_9B00), FLAT),
        }[given.bits]
        for index in range(6):
            regs.set_segment(index, ds)
        regs.set_segment(CS, cs)
        if given.bits == 64:
            regs.cr4, regs.cr3, regs.efer = 0x620, self._tables(space), 0xD00
        regs.cr0 = {16: 0x6000_0010, 32: 0x6000_0011, 64: 0xE000_0011}[given.bits]
        regs.rflags, regs.rip = 2, 0 if given.bits == 16 else CODE
        for index in range(16 if given.bits == 64 else 8):
            regs.gpr[index] = given.values[index]
        regs.gpr[4] = STACK
        return regs

    def _tables(self, space: int) -> int:
        """Map all of the memory but a page, and the APIC, in 4-level tables."""
        base = TABLES + space * 0x4000

        def put(table: int, index: int, value: int) -> None:
            at = base + 0x1000 * table + 8 * index
            self._memory.write(at, value.to_bytes(8, "little"))

        put(0, 0, base + 0x1000 | 7)
        put(1, 0, base + 0x2000 | 7)
        put(1, 3, base + 0x2000 | 7)
        put(2, 0, base + 0x3000 | 7)
        put(2, 0xFEE0_0000 >> 21 & 511, 0xFEE0_0000 | 0x87)
        for page in range(SIZE >> 12):
            put(3, page, page << 12 | 7)
        put(3, CODE + 0x2000 >> 12, 0)
        put(3, ALIAS >> 12, CODE | 7 | NX)
        if space:
            put(3, CODE >> 12, OTHER_CODE | 7)
        return base


FLAT: Final = Segment(0x10, 0, 0xFFFF_FFFF, 0xCF_9300)


class Difference(NamedTuple):
    """Where a program came to different ends."""

    text: str
    is_known: bool
    """A write that begins before a block and ends in it (`cpu.restart`)."""


class Ways:
    """All three of them."""

    def __init__(self) -> None:
        """Open them."""
        self._ways = {kind: Way(kind) for kind in ("blocks", "count", "steps")}

    def differences(self, seed: int) -> list[Difference]:
        """Return where a program came to different ends."""
        given = program(seed)
        ends = {kind: way.run(given) for kind, way in self._ways.items()}
        found = []
        for kind in ("count", "steps"):
            for number, (one, two) in enumerate(
                zip(ends["blocks"], ends[kind], strict=True)
            ):
                if one != two:
                    text = (
                        f"seed {seed}, round {number}: {_told(given, kind, one, two)}"
                    )
                    found.append(Difference(text, self._is_known(given, number, kind)))
                    break
        return found

    def _is_known(self, given: Program, number: int, kind: str) -> bool:
        """Tell whether the first instruction that differs does so by one write.

        What the write was made from may have become flags and, of XADD, a register.
        """
        one, two = self._first(given, number, kind)
        registers = sum(a != b for a, b in zip(one[4], two[4], strict=True))
        if one[:3] != two[:3] or registers > 1:
            return False
        places = [at for at in range(SIZE) if one[5][at] != two[5][at]]
        return bool(places) and places[-1] - places[0] < 8

    def _first(
        self, given: Program, number: int, kind: str
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Return how a round ends behind the first instruction that differs."""
        least, most = 1, given.rounds[number].budget
        while True:
            budget = (least + most) // 2
            rounds = list(given.rounds[: number + 1])
            rounds[-1] = replace(rounds[-1], budget=budget)
            cut = replace(given, rounds=tuple(rounds))
            ends = [self._ways[each].run(cut)[-1] for each in ("blocks", kind)]
            if least == most:
                return ends[0], ends[1]
            least, most = (least, budget) if ends[0] != ends[1] else (budget + 1, most)


def _told(given: Program, kind: str, one: Any, two: Any) -> str:
    names = ("event", "retired", "rip", "rflags", "gpr", "memory", "vectors")
    parts = [
        f"{name} {_short(a)} and {_short(b)}"
        for name, a, b in zip(names, one, two, strict=True)
        if a != b
    ]
    return f"{given.bits} bits: blocks and {kind}: {'; '.join(parts)}"


def _short(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{hash(value):x}"
    return hex(value) if isinstance(value, int) else str(value)
