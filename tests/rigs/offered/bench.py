"""One instruction at a time, in any mode, on a machine of any model, and what it does.

The machine is made once; a trial loads a state and runs one instruction. Pages, tables
and descriptors are laid out so that what a supervisor may do finds what it needs.
"""

from __future__ import annotations

import struct
from functools import cache
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lapis_engine.cpu import layout as state
from lapis_engine.cpu.intercepts import Budget, Marked
from lapis_engine.cpu.model.catalog import cpu_named
from lapis_engine.cpu.registers import CS, Segment
from lapis_engine.profiles.catalog import SDM
from lapis_engine.vmm import build, handlers, marked, run_state
from lapis_engine.vmm.vm import Run
from rigs.offered.features import BITS, LEAVES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.memory.physical import Region

CODE, DATA, STACK, GDT, TSS = 0x8000, 0xA000, 0xC000, 0x7000, 0x7800
LOW: Final = 0x1_0000
"""What lies below is laid anew for each, and compared."""
TABLES: Final = 0x1_0000
RAM: Final = 1 << 20
MODES: Final = ("real", "16", "32", "64")
BITS_OF: Final = {"real": 16, "16": 16, "32": 32, "64": 64}
FPU, FPU_END = 0x258, 0x738
"""x87 state, MXCSR and the XMM registers."""
HEAD_BEGIN, HEAD_END = state.Head.segs.offset, state.Head.a20_mask.offset
PADDING: Final = tuple(at - FPU for at in (*range(0x270, 0x2F0, 16), 0x310))
"""Ten-byte registers, each with six bytes of padding behind it."""
SINGLES: Final = (1.5, -2.25, 3.0, 0.125)
FILL_X87: Final = "dbe3 d9eb d9e8 d9ea d9ec"
"""fninit; fldpi; fld1; fldl2e; fldlg2."""
PF: Final = 14
RFLAGS: Final = 16
"""Behind the numbers of the general registers."""
NONE: Final[Mapping[int, int]] = MappingProxyType({})
HLT: Final = b"\xf4"
"""Behind which nothing is translated."""


class State(NamedTuple):
    """With what an instruction starts."""

    gpr: tuple[int, ...]
    rflags: int
    xmm: bytes
    data: bytes
    """What is at `DATA`."""


class Ended(NamedTuple):
    """How an instruction ended."""

    vector: int | None
    """Of the exception, if there was one."""
    error: int | None
    rule: str | None
    length: int
    """Bytes that RIP went on, in the width of the mode."""
    asked: str
    """What it asked of the machine: Inout, Hlt ... or nothing."""
    gpr: tuple[int, ...]
    rflags: int
    system: bytes
    """Segments, tables, control registers."""
    fpu: bytes
    msrs: tuple[int, ...]
    memory: bytes


def _gpr(**given: int) -> tuple[int, ...]:
    names = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"]
    gpr = [0x200 + n for n in range(16)]
    gpr[3], gpr[4], gpr[5] = DATA + 0x80, STACK, STACK + 0x40
    gpr[6], gpr[7] = DATA + 0x200, DATA
    for name, value in given.items():
        gpr[names.index(name)] = value
    return tuple(gpr)


STATES: Final = (
    State(
        _gpr(rax=0x35, rcx=0x10, rdx=0), 2,
        struct.pack("<4f", *SINGLES) * 4 + struct.pack("<2d", *SINGLES[:2]) * 12,
        struct.pack("<HHH10xIIII", 16, 16, 16, 7, 0x3F80_0000, 0x1F80, 9) * 16
        + struct.pack("<Q56x", 3) + bytes(512),
    ),
    State(
        _gpr(rax=0x8000_80F1, rcx=0, rdx=1), 0x8D7, Random(1).randbytes(256),
        struct.pack("<8f", *SINGLES, *SINGLES) * 60 + Random(2).randbytes(0x400),
    ),
)  # fmt: skip
"""Two that have nothing in common: what does something, does it in one of them."""


class Bench:
    """One vCPU of a model."""

    def __init__(self, model: str) -> None:
        self.vm = build.make(1, SDM, (), lambda *_: None, cpu=cpu_named(model, "none"))
        self.memory = self.vm.memory
        self.region: Region = self.memory.add(0, RAM, "RAM")
        self.vm.core.map(self.region)
        self.memory.on_write = self.vm.core.forget_code
        self.vcpu = self.vm.vcpus[0]
        self.vcpu.run_state = run_state.RUN
        for at, value in (
            (0, TABLES + 0x1003), (0x1000, TABLES + 0x2003),
            *((0x2000 + 8 * n, n << 21 | 0x83) for n in range(4)),
        ):  # fmt: skip
            self.memory.write(TABLES + at, value.to_bytes(8, "little"))
        self._pristine = self.vcpu.regs.context.state_bytes()
        self._states = {
            (mode, state): self._prepared(mode, state)
            for mode in MODES
            for state in STATES
        }
        self.offered = self._cpuid()

    def run(
        self, code: bytes, mode: str, given: State, other: Mapping[int, int] = NONE
    ) -> Ended:
        """Run one instruction; `other` has general registers by number, and RFLAGS."""
        vcpu, regs = self.vcpu, self.vcpu.regs
        regs.context.load_bytes(self._states[mode, given])
        for register, value in other.items():
            if register == RFLAGS:
                regs.rflags = value
            else:
                regs.gpr[register] = value
        self._lay(mode, given, code)
        return self._ended(vcpu, regs)

    def before(self, mode: str, given: State) -> Ended:
        """Return the state that an instruction starts with."""
        self.vcpu.regs.context.load_bytes(self._states[mode, given])
        self._lay(mode, given, b"\x90")
        return self._taken(None, None, None, "")

    def _ended(self, vcpu: Any, regs: Any) -> Ended:
        run = Run(self.vm, vcpu, 1)
        vcpu.event, vcpu.halted = None, False
        vcpu.vie.reset()
        begun = regs.rip
        out = None
        for _ in range(4):
            out = handlers.handle(run, self.vm.core.run(regs, 1))
            if out is not None or vcpu.event is not None or vcpu.halted:
                break
            if regs.rip != begun or self.vm.core.retired:
                break
        asked = type(out).__name__ if out is not None else "Hlt" * vcpu.halted
        event = vcpu.event
        if event is not None and event.vector == PF and regs.rip != begun:
            event = None  # of the next instruction's fetch
        self.vm.suspended = self.vm.panic = self.vm.exit_due = None
        if event is None:
            return self._taken(None, None, None, asked)
        rule = getattr(event, "rule", None)
        return self._taken(event.vector, event.error, rule, asked)

    def _taken(
        self, vector: int | None, error: int | None, rule: Any, asked: str
    ) -> Ended:
        regs = self.vcpu.regs
        raw = regs.context.state_bytes()
        fpu = bytearray(raw[FPU:FPU_END])
        for at in PADDING:
            fpu[at + 10 : at + 16] = bytes(6)
        return Ended(
            vector, error, rule and str(rule), regs.rip - CODE, asked,
            tuple(regs.gpr), regs.rflags, raw[HEAD_BEGIN:HEAD_END], bytes(fpu),
            tuple(each.value for each in regs.context.msrs.values()),
            bytes(self.region.host[:LOW]),
        )  # fmt: skip

    def _lay(self, mode: str, given: State, code: bytes) -> None:
        """Write the low memory; no code is ever translated but from its own page."""
        self.region.host[:LOW] = _low(mode, given)
        self.memory.write(CODE, code.ljust(32, HLT))

    def _prepared(self, mode: str, given: State) -> bytes:
        """Return the raw state of a mode with all registers as `given`."""
        self.vcpu.regs.context.load_bytes(self._pristine)
        self._enter("64")
        self.vcpu.regs.rflags = 2
        self._lay("64", given, bytes.fromhex(FILL_X87))
        for _ in FILL_X87.split():
            event = self.vm.core.run(self.vcpu.regs, 1)
            if isinstance(event, Marked):
                marked.carry_out(Run(self.vm, self.vcpu), event)
            else:
                assert isinstance(event, Budget), event
        raw = bytearray(self.vcpu.regs.context.state_bytes())
        for n in range(16):
            at = state.XMM + n * state.XMM_SLOT
            raw[at : at + 16] = given.xmm[16 * n : 16 * n + 16]
        raw[state.XMM - 8 : state.XMM - 4] = (0x1F80).to_bytes(4, "little")
        regs = self.vcpu.regs
        regs.context.load_bytes(bytes(raw))
        self._enter(mode)
        for n, value in enumerate(given.gpr):
            regs.gpr[n] = value
        regs.rip, regs.rflags = CODE, given.rflags
        return regs.context.state_bytes()

    def _enter(self, mode: str) -> None:
        """Set control registers and segments."""
        regs, model = self.vcpu.regs, self.vm.cpu.model
        bits = 1 << 5 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 16 | 1 << 18
        pae = 0 if mode == "64" else 1 << 5
        regs.cr3, regs.efer = TABLES, 0x501 if mode == "64" else 1
        regs.cr4 = bits & model.cr4 & ~pae
        regs.xcr0 = model.xcr0 | 1
        regs.cr0 = {"real": 0x10, "64": 0x8000_0031}.get(mode, 0x11)
        real, big = mode == "real", mode in {"32", "64"}
        flags = 0xCF_9300 if big else 0x9300
        limit = 0xFFFF_FFFF if big else 0xFFFF
        for index in range(6):
            regs.set_segment(index, Segment(0 if real else 0x10, 0, limit, flags))
        code = {"64": 0xAF_9B00, "32": 0xCF_9B00}.get(mode, 0x9B00)
        regs.set_segment(CS, Segment(0 if real else 8, 0, limit, code))
        regs.gdtr, regs.idtr = Segment(0, GDT, 0x7F, 0), Segment(0, 0, 0, 0)
        regs.ldtr = Segment(0, 0, 0, 0)
        regs.tr = Segment(0x18, TSS, 0x67, 0x8B00)
        regs.rip = CODE

    def _cpuid(self) -> frozenset[str]:
        """Return the features that CPUID itself tells of."""
        told = {}
        for leaf, sub in LEAVES:
            gpr = (leaf, sub, *STATES[0].gpr[2:])
            self.vcpu.regs.context.load_bytes(self._states["64", STATES[0]])
            self._lay("64", STATES[0], b"\x0f\xa2")
            for n, value in enumerate(gpr):
                self.vcpu.regs.gpr[n] = value
            ended = self._ended(self.vcpu, self.vcpu.regs)
            eax, ecx, edx, ebx = ended.gpr[:4]
            told[leaf, sub] = (eax, ebx, ecx, edx)
        return frozenset(
            name
            for name, (leaf, register, bit) in BITS.items()
            if told[leaf][register] >> bit & 1
        )


def _descriptor(flags: int, limit: int = 0xF_FFFF, base: int = 0) -> bytes:
    low = (limit & 0xFFFF) | (base & 0xFF_FFFF) << 16
    high = flags >> 8 & 0xF0FF | (limit >> 16 & 0xF) << 8 | (base >> 24) << 16
    return (low | high << 40).to_bytes(8, "little")


@cache
def _low(mode: str, given: State) -> bytes:
    image = bytearray(LOW)
    code = {"64": 0xAF_9B00, "32": 0xCF_9B00}.get(mode, 0x9B00)
    data = 0xCF_9300 if mode in {"32", "64"} else 0x9300
    table = bytes(8) + _descriptor(code) + _descriptor(data)
    table += _descriptor(0x8900, 0x67, TSS) + bytes(8)
    image[GDT : GDT + len(table)] = table
    image[DATA : DATA + len(given.data)] = given.data
    # A frame whatever the width: offset 8, selector 8, flags 8.
    frame = (8).to_bytes(8 if mode == "64" else 2, "little")
    image[STACK : STACK + 0x200] = frame * (0x200 // len(frame))
    return bytes(image)
