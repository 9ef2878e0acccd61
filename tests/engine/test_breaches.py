"""Which rule a fault broke that the processor underneath raised.

The oracle is the SDM: the pseudo code and the tables of exceptions of Vol. 2 for each
instruction, Vol. 3A "Protection" and "Paging", written down here once more in the
slowest way: a list of all that is wrong with a state.
"""

from __future__ import annotations

import struct
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import pytest
from conformance.rig import CODE, Rig

from lapis_engine.cpu.registers import CS, RSP, Segment
from lapis_engine.events import ExceptionRaised
from lapis_engine.explain.rules import rule_text, section_of
from lapis_engine.vmm.run import run

if TYPE_CHECKING:
    from collections.abc import Sequence

UD, NM, TS, NP, SS_FAULT, GP, PF = 6, 7, 10, 11, 12, 13, 14
TSS, KERNEL_STACK, USER_STACK = 0x5000, 0x7F000, 0x6F000
HOLE = 1 << 47
GPR = {"rax": 0, "rcx": 1, "rdx": 2, "rbx": 3, "rsp": 4, "rsi": 6, "rdi": 7}


class Bench:
    """A machine that is put back before each instruction."""

    def __init__(self, *, wide: bool = True, cpl: int = 0) -> None:
        self.rig = Rig(wide=wide)
        self.regs = self.rig.vcpu(0).regs
        self.memory = self.rig.machine.vm.memory
        if wide:
            self._open_pages()
        regs = self.regs
        regs.cr4 |= 0x600  # OSFXSR and OSXMMEXCPT
        regs.tr = Segment(0x30, TSS, 0x67, 0x8B00)
        stack = struct.pack("<Q", KERNEL_STACK) if wide else struct.pack(
            "<IH", KERNEL_STACK, 0x10
        )  # fmt: skip
        self.memory.write(TSS + 4, stack)
        self.memory.write(TSS + 0x66, b"\xff\xff")
        for index in range(6):
            segment = regs.segment(index)
            flags = segment.flags & ~0x6000 | cpl << 13
            selector = segment.selector | cpl
            regs.set_segment(index, segment._replace(selector=selector, flags=flags))
        self._context = regs.context.state_bytes()
        self._segments = [regs.segment(index) for index in range(6)]
        self._tables = regs.gdtr, regs.idtr, regs.ldtr, regs.tr

    def _open_pages(self) -> None:
        """Give all pages to the user, too."""
        root = self.regs.cr3 & ~0xFFF
        for at in range(root, root + 6 * 0x1000, 8):
            entry = int.from_bytes(self.memory.read(at, 8), "little")
            if entry & 1:
                self.memory.write(at, (entry | 4).to_bytes(8, "little"))

    def back(self) -> None:
        """Put registers back."""
        regs, vcpu = self.regs, self.rig.vcpu(0)
        regs.context.load_bytes(self._context)
        regs.gdtr, regs.idtr, regs.ldtr, regs.tr = self._tables
        for index, segment in enumerate(self._segments):
            regs.set_segment(index, segment)
        regs.gpr[RSP] = USER_STACK
        vcpu.halted, vcpu.event, self.rig.vm.suspended = False, None, None
        vcpu.nmi_blocked = False

    def fault(self, code: bytes) -> ExceptionRaised | None:
        """Execute one instruction; return the first exception of it."""
        vcpu, since = self.rig.vcpu(0), self.rig.machine.log.next_seq
        self.memory.write(CODE, code.ljust(16, b"\x90"))
        self.regs.rip = CODE
        run(self.rig.vm, vcpu, budget=1)
        for event in self.rig.events(since):
            if isinstance(event, ExceptionRaised):
                return event
        return None


@pytest.fixture(scope="module")
def benches() -> dict[tuple[bool, int], Bench]:
    return {
        (wide, cpl): Bench(wide=wide, cpl=cpl)
        for wide in (True, False)
        for cpl in (0, 3)
    }


@pytest.mark.parametrize(
    ("code", "wide", "cpl", "given", "wanted"),
    [
        # Privilege (SDM Vol. 3A "Privileged Instructions").
        ("f4", True, 3, {}, (GP, 0, "privileged")),
        ("0f06", True, 3, {}, (GP, 0, "privileged")),
        ("0f08", True, 3, {}, (GP, 0, "privileged")),
        ("0f09", False, 3, {}, (GP, 0, "privileged")),
        ("0f20c0", True, 3, {}, (GP, 0, "privileged")),
        ("0f22d8", True, 3, {}, (GP, 0, "privileged")),
        ("0f21c0", True, 3, {}, (GP, 0, "privileged")),
        ("0f32", True, 3, {}, (GP, 0, "privileged")),
        ("0f30", False, 3, {}, (GP, 0, "privileged")),
        ("0f0110", True, 3, {"rax": 0x2000}, (GP, 0, "privileged")),
        ("0f0118", True, 3, {"rax": 0x2000}, (GP, 0, "privileged")),
        ("0f01f0", True, 3, {}, (GP, 0, "privileged")),
        ("0f0138", True, 3, {"rax": 0x2000}, (GP, 0, "privileged")),
        ("0f00d0", True, 3, {}, (GP, 0, "privileged")),
        ("0f00d8", True, 3, {}, (GP, 0, "privileged")),
        ("0f01f8", True, 3, {}, (GP, 0, "privileged")),
        ("fa", True, 3, {}, (GP, 0, "iopl")),
        ("fb", False, 3, {}, (GP, 0, "iopl")),
        ("e4e9", True, 3, {}, (GP, 0, "port-closed")),
        ("ee", False, 3, {"rdx": 0xE9}, (GP, 0, "port-closed")),
        # No instructions (SDM Vol. 3A "Interrupt 6").
        ("0f0b", True, 0, {}, (UD, None, "undefined")),
        ("0fb9c0", True, 0, {}, (UD, None, "undefined")),
        ("f090", True, 0, {}, (UD, None, "lock-prefix")),
        ("f001c0", True, 0, {}, (UD, None, "lock-prefix")),
        ("f08b00", False, 0, {"rax": 0x2000}, (UD, None, "lock-prefix")),
        ("06", True, 0, {}, (UD, None, "opcode-64")),
        ("37", True, 0, {}, (UD, None, "opcode-64")),
        ("9a00000000", True, 0, {}, (UD, None, "opcode-64")),
        ("0f04", True, 0, {}, (UD, None, "opcode")),
        ("fff8", True, 0, {}, (UD, None, "opcode")),
        ("0faa", True, 0, {}, (UD, None, "rsm")),
        ("8ec8", True, 0, {}, (UD, None, "segment-register")),
        ("8ef0", False, 0, {}, (UD, None, "segment-register")),
        ("0f20c8", True, 0, {}, (UD, None, "control-register")),
        ("8dc0", True, 0, {}, (UD, None, "needs-memory")),
        ("ffd8", True, 0, {}, (UD, None, "needs-memory")),
        ("0f01d0", True, 0, {}, (UD, None, "osxsave")),
        ("0f01c8", True, 0, {}, (UD, None, "not-offered")),
        ("0f01c9", True, 0, {}, (UD, None, "not-offered")),
        ("660fae10", True, 0, {"rax": 0x2000}, (UD, None, "not-offered")),
        ("0f2800", True, 0, {"cr4": 0x20, "rax": 0x2000}, (UD, None, "cr4-osfxsr")),
        ("0f28c1", True, 0, {"cr0": 0x8000_0015}, (UD, None, "cr0-em")),
        # Others.
        ("d9e8", True, 0, {"cr0": 0x8000_0019}, (NM, None, "device-ts")),
        ("d9e8", True, 0, {"cr0": 0x8000_0015}, (NM, None, "device-em")),
        ("f7f1", True, 0, {"rcx": 0}, (0, None, "divide")),
        ("66" * 15 + "90", True, 0, {}, (GP, 0, "too-long")),
        ("0f31", True, 3, {"cr4": 0x624}, (GP, 0, "time-stamp")),
        # Operands (SDM Vol. 1 "Canonical Addressing").
        ("8a00", True, 0, {"rax": HOLE}, (GP, 0, "not-canonical")),
        ("8a4500", True, 0, {"rbp": HOLE}, (SS_FAULT, 0, "not-canonical")),
        ("58", True, 0, {"rsp": HOLE}, (SS_FAULT, 0, "not-canonical")),
        ("a4", True, 0, {"rsi": HOLE}, (GP, 0, "not-canonical")),
        ("d7", True, 0, {"rbx": HOLE}, (GP, 0, "not-canonical")),
        ("ffe0", True, 0, {"rax": HOLE}, (GP, 0, "not-canonical")),
        ("0fae00", True, 0, {"rax": 0x2008}, (GP, 0, "unaligned")),
        ("480fc708", True, 0, {"rax": 0x2008}, (GP, 0, "unaligned")),
    ],
)
def test_what_the_manual_says_of_it(
    benches: dict[tuple[bool, int], Bench],
    code: str,
    wide: bool,
    cpl: int,
    given: dict[str, int],
    wanted: tuple[int, int | None, str],
) -> None:
    bench = benches[wide, cpl]
    bench.back()
    for name, value in given.items():
        if name == "rbp":
            bench.regs.gpr[5] = value
        elif name in GPR:
            bench.regs.gpr[GPR[name]] = value
        else:
            setattr(bench.regs, name, value)
    event = bench.fault(bytes.fromhex(code))
    assert event is not None
    assert (event.vector, event.error, event.rule) == wanted
    assert section_of(wanted[2], event.values)
    assert "{" not in rule_text(wanted[2], event.values)


@pytest.mark.parametrize(
    ("code", "name"),
    [("0f00c0", "SLDT"), ("0f00d8", "LTR"), ("0f02c0", "LAR"), ("63c0", "ARPL")],
)
def test_what_is_not_for_real_mode(code: str, name: str) -> None:
    bench = Bench(wide=False)
    bench.back()
    bench.regs.cr0 &= ~1
    for index in range(6):
        bench.regs.set_segment(index, Segment(0, 0, 0xFFFF, 0x9300))
    bench.regs.set_segment(CS, Segment(CODE >> 4, CODE, 0xFFFF, 0x9B00))
    bench.regs.idtr = Segment(0, 0, 0x3FF, 0)
    vcpu, since = bench.rig.vcpu(0), bench.rig.machine.log.next_seq
    bench.memory.write(CODE, bytes.fromhex(code))
    bench.regs.rip = 0
    run(bench.rig.vm, vcpu, budget=1)
    (event,) = (
        event for event in bench.rig.events(since) if isinstance(event, ExceptionRaised)
    )
    assert (event.vector, event.rule) == (UD, "needs-protected")
    assert name in rule_text("needs-protected", event.values)


# Descriptors: a slow model of what is wrong with one.


class Wrong(NamedTuple):
    """One thing that is wrong with a load, in the order in which it is looked for."""

    vector: int
    error: int
    rule: str


def load_ss(selector: int, raw: int | None, cpl: int, *, is_64: bool) -> list[Wrong]:
    """SDM Vol. 2A "MOV": IF SS is loaded."""
    if selector & ~3 == 0:
        if is_64 and cpl < 3:
            return [] if selector & 3 == cpl else [Wrong(GP, 0, "null-ss-rpl")]
        return [Wrong(GP, 0, "null-ss")]
    if raw is None:
        return [Wrong(GP, selector & ~3, "descriptor-limit")]
    kind, dpl, present = raw >> 40 & 0x1F, raw >> 45 & 3, raw >> 47 & 1
    found = []
    if selector & 3 != cpl or dpl != cpl:
        found.append(Wrong(GP, selector & ~3, "ss-privilege"))
    if kind & 0x1A != 0x12:
        found.append(Wrong(GP, selector & ~3, "ss-type"))
    if not present:
        found.append(Wrong(SS_FAULT, selector & ~3, "segment-absent"))
    return found


def load_ds(selector: int, raw: int | None, cpl: int) -> list[Wrong]:
    """SDM Vol. 2A "MOV": IF DS, ES, FS or GS is loaded."""
    if selector & ~3 == 0:
        return []
    if raw is None:
        return [Wrong(GP, selector & ~3, "descriptor-limit")]
    kind, dpl, present = raw >> 40 & 0x1F, raw >> 45 & 3, raw >> 47 & 1
    found = []
    is_code = kind & 0x18 == 0x18
    if not kind & 0x10 or (is_code and not kind & 2):
        found.append(Wrong(GP, selector & ~3, "data-type"))
    is_conforming = is_code and kind & 4
    if not is_conforming and (selector & 3 > dpl or cpl > dpl):
        found.append(Wrong(GP, selector & ~3, "data-privilege"))
    if not present:
        found.append(Wrong(NP, selector & ~3, "segment-absent"))
    return found


def jump(
    selector: int, raw: int | None, offset: int, cpl: int, *, is_long: bool
) -> list[Wrong]:
    """SDM Vol. 2A "JMP": of a far one to a code segment, no gate and no task."""
    if selector & ~3 == 0:
        return [Wrong(GP, 0, "cs-null")]
    error = selector & ~3
    if raw is None:
        return [Wrong(GP, error, "descriptor-limit")]
    kind, dpl, present = raw >> 40 & 0x1F, raw >> 45 & 3, raw >> 47 & 1
    is_l, is_d = raw >> 53 & 1, raw >> 54 & 1
    if kind & 0x18 != 0x18:
        return [Wrong(GP, error, "cs-type")]
    found = []
    if is_long and is_l and is_d:
        found.append(Wrong(GP, error, "code-l-and-d"))
    if (dpl > cpl) if kind & 4 else (selector & 3 > cpl or dpl != cpl):
        found.append(Wrong(GP, error, "cs-privilege"))
    if not present:
        found.append(Wrong(NP, error, "segment-absent"))
    limit = raw & 0xFFFF | raw >> 32 & 0xF_0000
    limit = limit << 12 | 0xFFF if raw >> 55 & 1 else limit
    if not (is_long and is_l) and offset > limit:
        found.append(Wrong(GP, 0, "code-limit"))
    return found


def judged(event: ExceptionRaised | None, wrong: Sequence[Wrong]) -> None:
    """The rule that is told is one that is broken, with its vector and error code."""
    if not wrong:
        assert event is None, event
        return
    assert event is not None, wrong
    assert event.rule is not None, (event, wrong)
    told = Wrong(event.vector, event.error or 0, str(event.rule))
    assert told in wrong, (told, wrong)


def corrupted(random: Random) -> int:
    """A descriptor of a segment, that is right or has something wrong with it."""
    kind = random.choice([0x12, 0x13, 0x10, 0x16, 0x18, 0x1A, 0x1E, 0x1F, 0, 2])
    dpl, present = random.choice([0, 0, 3, 3, 1]), random.choice([1, 1, 1, 0])
    high = (
        kind << 8 | dpl << 13 | present << 15 | random.choice([0xCF, 0x4F, 0xAF]) << 16
    )
    return high << 32 | 0xFFFF


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("cpl", [0, 3])
def test_2000_loads_of_corrupted_descriptors(
    benches: dict[tuple[bool, int], Bench], wide: bool, cpl: int
) -> None:
    random, bench = Random(9 * wide + cpl), benches[wide, cpl]
    gdt = bench.regs.gdtr
    for _ in range(500):
        bench.back()
        raw: int | None = corrupted(random)
        index = random.choice([4, 4, 4, 4, 0, 40])
        selector = index << 3 | random.choice([0, 0, 1, 3, 3])
        bench.regs.gdtr = gdt._replace(limit=0x27)
        bench.memory.write(gdt.base + 0x20, (raw or 0).to_bytes(8, "little"))
        raw = raw if index == 4 else None
        bench.regs.gpr[0] = selector
        if random.random() < 0.5:
            event = bench.fault(b"\x8e\xd0")
            judged(event, load_ss(selector, raw, cpl, is_64=wide))
        else:
            event = bench.fault(b"\x8e\xd8")
            judged(event, load_ds(selector, raw, cpl))


@pytest.mark.parametrize("cpl", [0, 3])
@pytest.mark.parametrize("wide", [True, False])
def test_far_jumps_to_corrupted_descriptors(
    benches: dict[tuple[bool, int], Bench], wide: bool, cpl: int
) -> None:
    random, bench = Random(5 * wide + cpl), benches[wide, cpl]
    gdt = bench.regs.gdtr
    for _ in range(500):
        bench.back()
        raw: int | None = corrupted(random) | 8 << 40
        if random.random() < 0.2:
            raw = (raw or 0) & ~(1 << 55)  # a limit of 1 MiB, below the target
        index = random.choice([4, 4, 4, 4, 4, 0, 40])
        selector = index << 3 | random.choice([0, 0, 1, 3, 3])
        bench.regs.gdtr = gdt._replace(limit=0x27)
        bench.memory.write(gdt.base + 0x20, (raw or 0).to_bytes(8, "little"))
        raw = raw if index == 4 else None
        offset = random.choice([CODE + 0x100, 0x20_0000])
        bench.memory.write(0x2000, struct.pack("<IH", offset, selector))
        bench.regs.gpr[0] = 0x2000
        event = bench.fault(b"\xff\x28")  # jmp far [rax]
        kind = 0 if raw is None else raw >> 40 & 0x1F
        if raw is not None and not kind & 0x10:
            continue  # gates and tasks have rules of their own
        judged(event, jump(selector, raw, offset, cpl, is_long=wide))


# Pages.


def walk(entries: Sequence[int], *, write: bool, cpl: int, wp: bool) -> list[str]:
    """SDM Vol. 3A "Page-Fault Exceptions": all that the entries forbid."""
    reached: list[int] = []
    for entry in entries:
        reached.append(entry)
        if not entry & 1:
            return ["page-absent"]
        if entry & (1 << 51):
            return ["page-reserved"]
    found = []
    if cpl == 3 and not all(entry & 4 for entry in reached):
        found.append("page-supervisor")
    if write and (cpl == 3 or wp) and not all(entry & 2 for entry in reached):
        found.append("page-read-only")
    return found


@pytest.mark.parametrize("cpl", [0, 3])
def test_1000_accesses_by_corrupted_page_tables(
    benches: dict[tuple[bool, int], Bench], cpl: int
) -> None:
    random, bench = Random(cpl), benches[True, cpl]
    tables = (0x30000, 0x31000, 0x32000, 0x33000)
    linear = 5 << 39 | 3 << 30 | 7 << 21 | 9 << 12
    places = (
        (bench.regs.cr3 & ~0xFFF) + 8 * 5, 0x30000 + 8 * 3, 0x31000 + 8 * 7,
        0x32000 + 8 * 9,
    )  # fmt: skip
    for _ in range(500):
        bench.back()
        entries = [table & ~random.choice([0] * 5 + [1, 2, 4]) | 7 for table in tables]
        entries = [
            entry & ~random.choice([0] * 6 + [1, 2, 4])
            | random.choice([0] * 12 + [1 << 51])
            for entry in entries
        ]
        for at, entry in zip(places, entries, strict=True):
            bench.memory.write(at, entry.to_bytes(8, "little"))
        bench.regs.cr0 = bench.regs.cr0 & ~(1 << 16) | random.choice([0, 1 << 16])
        write, wp = random.random() < 0.5, bool(bench.regs.cr0 >> 16 & 1)
        bench.regs.gpr[0] = linear
        bench.regs.context.flush = True
        event = bench.fault(b"\x88\x08" if write else b"\x8a\x08")
        wrong = walk(entries, write=write, cpl=cpl, wp=wp)
        assert (event is None) == (not wrong), (event, wrong)
        if event is not None:
            assert (event.vector, event.cr2) == (PF, linear)
            assert str(event.rule) in wrong


# Any instruction.

NOT_KNOWN = frozenset({(UD, "c2")})
"""CMPPS of a predicate above 7, which the processor underneath refuses, and the manual
does not: the kinds of faults of which no rule is known."""


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("cpl", [0, 3])
def test_of_random_instructions_hardly_a_fault_has_no_rule(
    wide: bool, cpl: int
) -> None:
    random, bench = Random(f"{wide} {cpl}"), Bench(wide=wide, cpl=cpl)
    faults, unknown = 0, set()
    values = (0x2000, 0x2008, 0x10, 3, HOLE, 0x3_0000, 0)
    for number in range(1000):
        bench.back()
        for register in range(16):
            if register != RSP:
                bench.regs.gpr[register] = random.choice(values)
        first = random.choice([b"\x0f", b"\xf0", b"\x66", b"\x0f\x38", b"", b"", b""])
        code = first + random.randbytes(12)
        event = bench.fault(code)
        if event is not None and not event.software:
            faults += 1
            if event.rule is None:
                opcode = code.lstrip(b"\x66\xf0\x0f\x40\x48")[:1].hex()
                unknown.add((event.vector, opcode))
        vm, vcpu = bench.rig.vm, bench.rig.vcpu(0)
        if vm.suspended or vm.panic or vcpu.vie.status or not number % 200:
            bench = Bench(wide=wide, cpl=cpl)
    assert faults > 300
    assert unknown <= NOT_KNOWN


def test_nothing_is_touched_by_the_search() -> None:
    """No A bit is set in a descriptor beyond what the fault itself did."""
    bench = Bench()
    bench.back()
    gdt = bench.regs.gdtr
    raw = 0x00CF_1200_0000_FFFF  # data that is not present, A clear
    bench.memory.write(gdt.base + 0x10, raw.to_bytes(8, "little"))
    bench.regs.gpr[0] = 0x10
    event = bench.fault(b"\x8e\xd8")
    assert event is not None
    assert (event.vector, event.error, event.rule) == (NP, 0x10, "segment-absent")
    assert bench.memory.read(gdt.base + 0x10, 8) == raw.to_bytes(8, "little")
