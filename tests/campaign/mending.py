"""Programs of random bytes that go on running: each exception mends a byte of them.

The guest is `tests/guests/mending.asm`, which says how. Here is what is round it: the
tables, the registers of every vCPU in one of four modes, and who runs it for so long.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from rigs.machines import GUESTS

from lapis_engine.boot import flat
from lapis_engine.cpu.registers import CS, SS, Segment
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_engine.replay import capture
from lapis_engine.vmm import run_state

if TYPE_CHECKING:
    from random import Random

    from lapis_engine.cpu.registers import Registers

MEMORY: Final = 1 << 20
BODY, STACK = 0x8000, 0x7800
"""What the body may reach is below `SYSTEM`; it has pages of a user there."""
SYSTEM: Final = 0x1_0000
TABLES, IDT, TSS, HANDLERS, PARAMETERS, STACKS = (
    0x1_0000, 0x1_9000, 0x1_A000, 0x1_B000, 0x1_C000, 0x2_0000,
)  # fmt: skip
END: Final = 0x3_0000
INT3: Final = b"\xcc"
"""What there is outside of the body: who comes there begins it anew."""
PART, ENTRY = 0x100, 0x10
WITH_ERROR: Final = frozenset((8, 10, 11, 12, 13, 14, 17))
"""Vectors (SDM Vol. 3A "Exception and Interrupt Reference")."""
TICK: Final = 20_000
"""Instructions of a vCPU to the first NMI; each eighth of what ran, to the next."""
EVENTS: Final = 300
RARE: Final = 10_000
"""A program with more events than `EVENTS`, and one for so many instructions, does not
come to run freely, and is given up: each takes as long as some 10,000 instructions."""


class Kind(NamedTuple):
    """What the body runs as."""

    bits: int
    cpl: int
    is_real: bool = False

    @property
    def selectors(self) -> tuple[int, int]:
        """Of its code and data."""
        if self.is_real:
            return 0, 0
        return 0x08 | self.cpl, 0x10 | self.cpl


KINDS: Final = (
    Kind(64, 3), Kind(32, 3), Kind(16, 3), Kind(16, 0, is_real=True),
    Kind(64, 0), Kind(32, 0),
)  # fmt: skip
CODE_FLAGS: Final = {64: 0xAF_9B00, 32: 0xCF_9B00, 16: 0x00_9B00}
DATA_FLAGS: Final = {64: 0xCF_9300, 32: 0xCF_9300, 16: 0x8F_9300}


class Trial(NamedTuple):
    """What a program is and how it is run."""

    kind: Kind
    cpus: int
    quantum: int
    body: bytes
    """As many as a power of 2."""
    registers: tuple[int, ...]
    seed: int
    most: int
    """Instructions of all vCPUs."""
    writes_itself: bool
    """Its pages may be written; if not, only the handlers do, in ring 0."""


def trial(rng: Random) -> Trial:
    """Make one."""
    size = rng.choice((32, 64, 64, 128, 256, 1024))
    near = tuple(rng.choice((0x4000, rng.randrange(0x7000))) for _ in range(6))
    kind, writes_itself = rng.choice(KINDS), rng.random() < 0.1
    # What is written is translated again and again.
    is_slow = kind.is_real or writes_itself
    most = rng.choice((1_000_000,) if is_slow else (1_000_000, 60_000_000, 60_000_000))
    return Trial(
        kind, rng.choice((1, 4)), rng.choice((1000, 10_000, 50_000)),
        rng.randbytes(size), (*near, *(rng.getrandbits(16) for _ in range(10))),
        rng.getrandbits(32), most, writes_itself,
    )  # fmt: skip


class World:
    """A machine for one program of a kind after the other."""

    def __init__(self, kind: Kind, cpus: int) -> None:
        """Set it up, and remember it."""
        config = MachineConfig(cpus=cpus, memory=MEMORY, float_ports=True)
        plan = flat.load((GUESTS / "mending.bin").read_bytes(), HANDLERS,
                         memory_bytes=MEMORY)  # fmt: skip
        self.kind = kind
        self.machine = Machine(config, plan, [])
        self._tables()
        for number, vcpu in enumerate(self.machine.vcpus):
            vcpu.run_state = run_state.RUN
            _enter(vcpu.regs, kind, number)
            vcpu.mode = vcpu.regs.mode
        self.begin = capture.take(self.machine)

    def _tables(self) -> None:
        write, kind = self.machine.vm.memory.write, self.kind
        write(0, INT3 * SYSTEM)
        if kind.is_real:
            write(END, INT3 * (MEMORY - END))
            entry = struct.pack("<HH", 2 * PART + ENTRY, HANDLERS >> 4)
            write(IDT, entry * 256)
            return
        write(IDT, b"".join(_gate(kind, vector) for vector in range(256)))
        write(STACKS - 0x1000, _descriptors(kind))
        _pages(self.machine, long=kind.bits == 64)
        for number in range(len(self.machine.vcpus)):
            stack = STACKS + 0x1000 * (number + 1)
            words = (0, stack, 0 if kind.bits == 64 else 0x18, 0)
            write(TSS + 0x100 * number, struct.pack("<4I", *words))
            write(TSS + 0x100 * number + 0x66, b"\xff\xff")

    def _protect(self, *, writable: bool) -> None:
        """Let the user write the page of the body, or not."""
        levels, size = (3, 8) if self.kind.bits == 64 else (1, 4)
        at = TABLES + 0x1000 * levels + size * (BODY >> 12)
        row = BODY | (7 if writable else 5)
        self.machine.vm.memory.write(at, row.to_bytes(size, "little"))

    def run(self, trial: Trial) -> int:
        """Run a program, an NMI now and then; return how many instructions it was."""
        machine = self.machine
        self.start(trial)
        first, ran, events = self.begin.at.seq, 0, 0
        while ran < trial.most and events < EVENTS + ran // RARE:
            tick = max(TICK * len(machine.vcpus), ran // 8)
            stop = machine.run(min(trial.most - ran, tick))
            ran += stop.retired
            events = machine.log.next_seq - first
            if stop.reason not in {"budget", "halted"}:
                break
            for vcpu in machine.vcpus:
                machine.inject_nmi(vcpu.id)
        return ran

    def start(self, trial: Trial) -> None:
        """Put the machine back, with another program in it."""
        machine = self.machine
        capture.put(machine, self.begin)
        machine.schedule.quantum = trial.quantum
        write = machine.vm.memory.write
        write(BODY, trial.body + _back(self.kind, len(trial.body)))
        if not self.kind.is_real:
            self._protect(writable=trial.writes_itself)
        code, data = self.kind.selectors
        size = len(trial.body)
        words = (trial.seed, size, size - 1, code, data)
        write(PARAMETERS, struct.pack("<5Q", *words))
        for vcpu in machine.vcpus:
            for n, value in enumerate(trial.registers):
                vcpu.regs.gpr[n] = value
            vcpu.regs.gpr[4] = STACK


@cache
def world(kind: Kind, cpus: int) -> World:
    """The one of this process."""
    return World(kind, cpus)


def _back(kind: Kind, size: int) -> bytes:
    """Return NOPs, in which any instruction ends, and a jump to the begin."""
    nops = b"\x90" * 16
    length = 3 if kind.bits == 16 else 5
    by = -(size + len(nops) + length)
    return nops + b"\xe9" + by.to_bytes(length - 1, "little", signed=True)


def _gate(kind: Kind, vector: int) -> bytes:
    has_error = vector in WITH_ERROR
    at = HANDLERS + (0 if kind.bits == 64 else PART) + (0 if has_error else ENTRY)
    # A software interrupt has no error code, and so cannot be let in there.
    dpl = 3 if vector % 2 and not has_error else 0
    rest = bytes(8) if kind.bits == 64 else b""
    flags = 0x8E00 | dpl << 13
    return struct.pack("<HHHH", at & 0xFFFF, 0x20, flags, at >> 16) + rest


def _descriptors(kind: Kind) -> bytes:
    """0, code and data of the body; data and code of the handlers."""
    limit = 0xFFFF_FFFF if kind.bits != 16 else 0xFFFF
    wide = CODE_FLAGS[64 if kind.bits == 64 else 32]
    rows = (
        (0, 0),
        (limit, CODE_FLAGS[kind.bits] | kind.cpl << 13),
        (0xFFFF_FFFF, DATA_FLAGS[kind.bits] | kind.cpl << 13),
        (0xFFFF_FFFF, 0xCF_9300),
        (0xFFFF_FFFF, wide),
    )
    return b"".join(
        struct.pack("<HHI", (bound >> 12 if flags >> 23 & 1 else bound) & 0xFFFF, 0,
                    flags | (0xF_0000 if flags >> 23 & 1 else 0))
        for bound, flags in rows
    )  # fmt: skip


def _pages(machine: Machine, *, long: bool) -> None:
    """Map what is below `END` to itself, for the user what is below `SYSTEM`."""
    write = machine.vm.memory.write
    form, levels = ("<Q", 3) if long else ("<I", 1)
    for level in range(levels):
        at = TABLES + 0x1000 * level
        write(at, struct.pack(form, at + 0x1000 | 7))
    table = TABLES + 0x1000 * levels
    rows = (at | (7 if at < SYSTEM else 3) for at in range(0, END, 0x1000))
    write(table, b"".join(struct.pack(form, row) for row in rows))


def _enter(regs: Registers, kind: Kind, number: int) -> None:
    code, data = kind.selectors
    regs.rip, regs.rflags = BODY, 0x202
    if kind.is_real:
        for index in range(6):
            regs.set_segment(index, Segment(0, 0, 0xFFFF, 0x9300))
        regs.set_segment(CS, Segment(0, 0, 0xFFFF, 0x9B00))
        regs.idtr = Segment(0, IDT, 0x3FF, 0)
        return
    limit = 0xFFFF_FFFF if kind.bits != 16 else 0xFFFF
    regs.cr3 = TABLES
    regs.cr4 = 0x620 if kind.bits == 64 else 0x600
    if kind.bits == 64:
        regs.efer = 0x500
    regs.cr0 = 0x8000_0033
    dpl = kind.cpl << 13
    for index in range(6):
        flags = DATA_FLAGS[kind.bits] | dpl
        regs.set_segment(index, Segment(data, 0, 0xFFFF_FFFF, flags))
    regs.set_segment(SS, Segment(data, 0, 0xFFFF_FFFF, DATA_FLAGS[kind.bits] | dpl))
    regs.set_segment(CS, Segment(code, 0, limit, CODE_FLAGS[kind.bits] | dpl))
    regs.gdtr = Segment(0, STACKS - 0x1000, 5 * 8 - 1, 0)
    regs.idtr = Segment(0, IDT, (16 if kind.bits == 64 else 8) * 256 - 1, 0)
    regs.tr = Segment(0x28, TSS + 0x100 * number, 0x67, 0x8B00)
