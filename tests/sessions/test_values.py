"""`print` and `set`: two hundred expressions, and every kind of place to write."""

from __future__ import annotations

import random
from contextlib import suppress
from time import process_time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.session_files import digest

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.text.expressions import ExpressionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_sessions.session import Session

RAX, RBX, RSP = 0x1122_3344_5566_7788, 0xFFFF_FFFF_8000_0001, 0x10_1000
BEGUN = (
    "run 25000",
    f"set rax = {RAX:#x}",
    f"set rbx = {RBX:#x}",
    "set rcx = 3",
    "set r9 = 0x1ff80",
    "set vcpu[1].rdx = 0xabcd",
    "set flags.cf = 1",
    "set dr0 = 0x7c00",
    "set u64(0x12000) = 0x8877665544332211",
    "set u64(rsp) = 0xfffffffffffffff0",
    "set u64(rsp+8) = 0x12000",
    "set apic[0].tpr = 0x45",
    "set apic.lvt.error = 0xfe",
    "set apic[1].svr = 0x1f0",
)
"""In 64-bit code, with paging one to one."""

ARITHMETIC = (
    "1 + 2 * 3",
    "(1 + 2) * 3",
    "2 ** 10",
    "2 ** 3 ** 2",
    "-2 ** 2",
    "7 // 2",
    "-7 // 2",
    "7 % 3",
    "-7 % 3",
    "1 << 40",
    "0xff00 >> 4",
    "0b1011 & 0b0110",
    "5 | 8",
    "6 ^ 3",
    "~0",
    "~5 & 0xff",
    "1 << 2 + 3",
    "0x10 - 0x0f",
    "10 - 3 - 2",
    "100 // 7 // 2",
    "1 < 2",
    "1 < 2 < 3",
    "1 < 3 < 2",
    "3 == 3",
    "3 != 3",
    "4 >= 4 > 3",
    "not 0",
    "not 3",
    "1 and 2",
    "0 and 2",
    "0 or 5",
    "3 or 5",
    "not 1 or 2",
    "1 if 0 else 2",
    "1 if 3 > 2 else 2",
    "abs(-5)",
    "max(1, 9, 3)",
    "min([4, 2, 8])",
    "sum([1, 2, 3])",
    "len([1, 2, 3])",
    "sorted([3, 1, 2])",
    "2 in [1, 2]",
    "2 not in [1, 2]",
    "'a' in 'cat'",
    "'a' == \"a\"",
    "[1, 2] == [1, 2]",
    "[1, 2][1]",
    "len('abc')",
    "1_000 + 0x1_0",
    "0o17",
    "(3, 4)[0]",
    "-1 & 0xffffffff",
    "1 + (2 if 1 else 3)",
    "5 & 3 == 1",
    "1 == 1 and 2 == 2",
    "not (1 and 0)",
    "7 & ~2",
    "3 * -2",
    "+4",
    "--4",
    "1 << 63",
    "(1 << 64) - 1",
    "2 ** 64 // 3",
    "0x7fffffffffffffff + 1",
    "12 ^ 10 | 1",
    "max([1]) + min(2, 3)",
    "len(sorted([1, 1]))",
    "'' or 'x'",
    "None == None",
    "1 != 2 != 1",
)
"""Python means the same by these: it is the oracle."""

REGISTERS: tuple[tuple[str, Any], ...] = (
    ("rax", RAX),
    ("$rax", RAX),
    ("RAX", RAX),
    ("eax", 0x5566_7788),
    ("ax", 0x7788),
    ("ah", 0x77),
    ("al", 0x88),
    ("rbx", RBX),
    ("ebx", 0x8000_0001),
    ("bl", 1),
    ("bh", 0),
    ("rcx", 3),
    ("cl", 3),
    ("r9", 0x1FF80),
    ("r9d", 0x1FF80),
    ("r9w", 0xFF80),
    ("r9b", 0x80),
    ("rsp", RSP),
    ("esp", RSP),
    ("sp", 0x1000),
    ("spl", 0),
    ("rax + rcx", RAX + 3),
    ("rax & 0xff", 0x88),
    ("rax >> 32", 0x1122_3344),
    ("rcx << 4", 0x30),
    ("rax > rbx", False),
    ("rbx // rcx", RBX // 3),
    ("rax == vcpu[0].rax", True),
    ("vcpu[1].rdx", 0xABCD),
    ("vcpu[1].dl", 0xCD),
    ("vcpu[1].DH", 0xAB),
    ("vcpu[0].rcx + vcpu[1].rdx", 0xABD0),
    ("dr0", 0x7C00),
    ("mode", "long"),
    ("cpl", 0),
    ("vcpu[1].mode", "real"),
    ("vcpu[0].mode", "long"),
    ("vcpu.rcx", 3),
    ("flags.cf", 1),
    ("rflags.CF", 1),
    ("eflags.if", 0),
    ("flags.iopl", 0),
    ("rflags & 1", 1),
    ("cr0.pe", 1),
    ("cr0.pg", 1),
    ("cr0.wp", 0),
    ("cr4.pae", 1),
    ("efer.lme", 1),
    ("efer.lma", 1),
    ("efer.nxe", 0),
    ("vcpu[1].cr0.pe", 0),
    ("vcpu[1].cr0", 0x6000_0010),
    ("vcpu[1].rip", 0xFFF0),
    ("vcpu[1].pc", 0xFFFF_FFF0),
    ("vcpu[1].cs", 0xF000),
    ("vcpu[1].cs.base", 0xFFFF_0000),
    ("vcpu[1].cs.limit", 0xFFFF),
    ("vcpu[1].ds", 0),
    ("vcpu[1].gdtr.limit", 0xFFFF),
    ("cs.rpl", 0),
    ("xcr0", 1),
    ("vcpu[1].state", "wait-for-sipi"),
    ("vcpu[0].state", "running"),
    ("vcpu[0].id", 0),
    ("vcpu[1].retired", 0),
    ("vcpu[0].retired", 25_000),
    ("retired", 25_000),
    ("running", [0]),
    ("halted", []),
    ("waiting", []),
    ("len(vcpu)", 2),
    ("vcpu[0].cs == cs", True),
    ("dr6", 0xFFFF_0FF0),
    ("dr7", 0x400),
    ("rip == pc", True),
)

MEMORY: tuple[tuple[str, Any], ...] = (
    ("u8(0x12000)", 0x11),
    ("u16(0x12000)", 0x2211),
    ("u32(0x12000)", 0x4433_2211),
    ("u64(0x12000)", 0x8877_6655_4433_2211),
    ("u8(0x12007)", 0x88),
    ("s8(0x12007)", -0x78),
    ("s8(0x12000)", 0x11),
    ("s16(0x12006)", 0x8877 - 0x1_0000),
    ("s32(0x12004)", 0x8877_6655 - (1 << 32)),
    ("u64(rsp)", (1 << 64) - 16),
    ("s64(rsp)", -16),
    ("[rsp]", (1 << 64) - 16),
    ("[rsp+8]", 0x12000),
    ("[[rsp+8]]", 0x8877_6655_4433_2211),
    ("u8([rsp+8])", 0x11),
    ("u8([rsp+8] + 1)", 0x22),
    ("u32(phys(0x12000))", 0x4433_2211),
    ("[rsp+8] == 0x12000", True),
    ("0x12000 == [rsp+8]", True),
    ("[rsp+8] + 1", 0x12001),
    ("u16(1200:0)", 0x2211),
    ("u8(0x12000) == 0x11 and u8(0x12001) == 0x22", True),
    ("u32(0x12000) & 0xff", 0x11),
    ("u8(start)", 0xFA),
    ("u8('start')", 0xFA),
    ("u8(start + 1)", 0xFC),
    ("start", 0x10000),
    ("sym('start') == start", True),
    ("near(start + 1)", "start+0x1"),
    ("near(start)", "start"),
    ("max(u8(0x12000), u8(0x12001))", 0x22),
    ("at(rsp + 8)", 0x12000),
    ("rsp in [0x101000]", True),
    ("[1] == running", False),
    ("[0] == running", True),
    ("running == [0]", True),
)

FABRIC: tuple[tuple[str, Any], ...] = (
    ("apic.tpr", 0x45),
    ("apic[0].tpr", 0x45),
    ("apic[1].tpr", 0),
    ("apic.ppr", 0x45),
    ("vcpu[0].apic.tpr", 0x45),
    ("apic[1].svr", 0x1F0),
    ("apic[1].svr.spurious_vector", 0xF0),
    ("apic[0].irr", []),
    ("0x31 in apic[1].irr", False),
    ("len(apic.isr)", 0),
    ("apic.lvt.error", 0xFE),
    ("apic.lvt.error.vector", 0xFE),
    ("apic.lvt.error.mask", 0),
    ("apic.lvt.timer.mask", 1),
    ("apic.mode", "xapic"),
    ("apic[1].id", 1),
    ("apic.icr", 0xC4500),
    ("apic.icr.shorthand", 3),
    ("apic.icr.delivery_mode", 5),
    ("apic[0].apicbase.bsp", 1),
    ("apic[1].apicbase.bsp", 0),
    ("apic.timer.initial", 0),
    ("apic.timer.deadline", None),
    ("ioapic.pin[2].mask", 1),
    ("ioapic.pin[2].vector", 0),
    ("len(ioapic.pin)", 24),
    ("ioapic.id", 0),
    ("pic.master.imr", 0),
    ("pic.slave.isr", 0),
    ("msr[0x1b]", 0xFEE0_0900),
    ("msr[0xc0000080] == efer", True),
    ("vcpu[1].msr[0x1b]", 0xFEE0_0800),
    ("lints", []),
    ("console", ""),
    ("now > 0", True),
    ("pit.channels[0].reload", 0),
)
"""APIC ids, bases and reset values are the SDM's, pins and versions the 82093AA's."""


@pytest.fixture(scope="module")
def looked_at() -> Session:
    return begun()


def begun() -> Session:
    session = open_session(SessionOptions("ap-bringup", cpus=2), discover().extensions)
    for line in BEGUN:
        outcome = session.execute(line)
        assert outcome.ok, outcome.text
    return session


def test_there_are_two_hundred() -> None:
    count = len(ARITHMETIC) + len(REGISTERS) + len(MEMORY) + len(FABRIC)
    assert count >= 200


@pytest.mark.parametrize("text", ARITHMETIC)
def test_arithmetic_is_pythons(looked_at: Session, text: str) -> None:
    expected = eval(text, {"__builtins__": {}}, PYTHONS)
    expected = list(expected) if isinstance(expected, tuple) else expected
    assert looked_at.value(text) == expected


PYTHONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "max": max,
    "min": min,
    "sum": sum,
    "len": len,
    "sorted": sorted,
}


@pytest.mark.parametrize(("text", "expected"), REGISTERS + MEMORY + FABRIC)
def test_names_stand_for_what_is_there(
    looked_at: Session, text: str, expected: object
) -> None:
    assert looked_at.value(text) == expected
    assert looked_at.execute(f"print {text}").ok


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("print nothere", "there is no 'nothere'"),
        ("print vcpu[7].rip", "there is no vCPU 7; they are 0 to 1"),
        ("print apic[1].irx", "there is no .irx; there are: vcpu, id, mode"),
        ("print vcpu[0].raxx", "there is no .raxx; did you mean .rax?"),
        ("print 5 + apic.irr", "apic.irr: only integers are computed with"),
        ("print u32(1 << 60)", "the address is not canonical"),
        ("print u32('nothere')", "there is no symbol 'nothere'"),
        ("print msr[0x12345]", "there is no such MSR"),
        ("print ioapic.pin[99]", "there is no [99]; they are 0 to 23"),
        ("print", "print needs EXPRESSION"),
        ("print --format what 1", "format 'what' is not one of hex"),
        ("mem nothere", "neither a number nor a known symbol"),
        ("mem rsp+", "it ends too soon"),
    ],
)
def test_what_is_wrong_is_named(looked_at: Session, line: str, words: str) -> None:
    outcome = looked_at.execute(line)
    assert not outcome.ok
    assert words in outcome.error


def test_an_address_that_begins_with_a_number_may_be_an_expression(
    looked_at: Session,
) -> None:
    for line in ("mem 0x11fff+1 8", "mem 0x12000+rcx-3 8"):
        assert looked_at.execute(line).result["bytes"] == "1122334455667788", line
    assert "is not a number" in looked_at.execute("mem 12zz 8").error


def test_the_wrong_part_is_marked_under_the_line(looked_at: Session) -> None:
    text = looked_at.execute("print 5 + apic.irr").text
    assert text.splitlines()[1:] == ["  5 + apic.irr", "      ^^^^^^^^"]


def test_what_is_printed_is_told_in_words(looked_at: Session) -> None:
    text = looked_at.execute("print apic.icr").text.splitlines()
    head = "INIT, physical, assert, edge, all excluding self"
    assert text[0] == f"0xc4500 (804,096)  icr: {head}"
    assert "     10:8  delivery mode              0x5  INIT" in text
    assert looked_at.execute("print start+1").text == "0x10001 (65,537)  start+0x1"
    assert looked_at.execute("print --format bin 10").text == "0b1010"
    assert looked_at.execute("p flags.cf == 1").text == "true"
    result = looked_at.execute("print rflags").result
    assert (result["type"], result["what"]) == ("number", "rflags")
    assert {"name": "CF", "bits": "0", "value": 1, "meaning": "carry"} in result[
        "fields"
    ]


WRITTEN: tuple[tuple[str, str, Any], ...] = (
    ("rax = 5", "rax", 5),
    ("eax = -1", "rax", 0xFFFF_FFFF),
    ("ax = 0x1234", "rax", RAX & ~0xFFFF | 0x1234),
    ("ah = 1", "rax", RAX & ~0xFF00 | 0x100),
    ("r9b = 1", "r9", 0x1FF01),
    ("vcpu[1].rip = 0x100", "vcpu[1].rip", 0x100),
    ("flags.if = 1", "flags.if", 1),
    ("vcpu[1].rflags.df = 1", "vcpu[1].flags.df", 1),
    ("cr0.wp = 1", "cr0.wp", 1),
    ("cr2 = 0xffff800000000000", "cr2", 0xFFFF_8000_0000_0000),
    ("dr7 = 0", "dr7", 0x400),
    ("msr[0xc0000082] = 0x1000", "msr[0xc0000082]", 0x1000),
    ("efer.nxe = 1", "efer.nxe", 1),
    ("vcpu[1].msr[0x1b] = 0xfee00c00", "apic[1].mode", "x2apic"),
    ("apic[0].tpr = 0x20", "apic.ppr", 0x20),
    ("apic.lvt.timer = 0x20031", "apic.lvt.timer.vector", 0x31),
    ("vcpu[1].apic.svr = 0x1ff", "apic[1].svr", 0x1FF),
    ("u8(0x12000) = 0xff", "u32(0x12000)", 0x4433_22FF),
    ("u32(phys(0x13000)) = rcx", "u32(0x13000)", 3),
    ("[rsp+8] = rax", "u64(rsp+8)", RAX),
    ("ds = 0", "ds", 0),
    ("vcpu[1].ds = 0x1000", "vcpu[1].ds.base", 0x1_0000),
    ("cs.base = 0x100 --raw", "cs.base", 0x100),
    ("gdtr.limit = 7", "gdtr.limit", 7),
)


@pytest.mark.parametrize(("assignment", "read", "expected"), WRITTEN)
def test_what_is_set_is_there_and_going_back_undoes_it(
    assignment: str, read: str, expected: object
) -> None:
    session = begun()
    before, was = digest(session), session.value(read)
    acts = session.timeline.made
    outcome = session.execute(f"set {assignment}")
    assert outcome.ok, outcome.error
    assert session.value(read) == expected
    assert session.timeline.made == acts + 1
    after = digest(session)
    assert session.execute("goto 25000").ok
    assert session.execute(f"goto act {acts}").ok
    assert (digest(session), session.value(read)) == (before, was)
    assert session.execute("goto end").ok
    assert (digest(session), session.value(read)) == (after, expected)


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("rax = 1 << 64", "does not fit in rax, which has 64 bits"),
        ("al = 256", "does not fit in al, which has 8 bits"),
        ("flags.if = 2", "does not fit in flags.if, which has 1 bits"),
        ("rax == 5", "is not TARGET = VALUE"),
        ("rax =", "is not TARGET = VALUE"),
        ("raxx = 5", "there is no register 'raxx'; did you mean rax?"),
        ("flags.iff = 1", "rflags has no bit 'iff'; did you mean if?"),
        ("apic.tprr = 1", "the APIC has no register 'tprr'; did you mean tpr?"),
        ("apic.ppr = 1", "APIC register ppr is not written in xapic mode"),
        ("apic.eoi = 1", "EOI takes 0 only"),
        ("apic.svr = 0x8000", "the others are reserved"),
        ("rip = 1 << 50", "it is not canonical"),
        ("cr0 = 0", "paging cannot end in 64-bit code"),
        ("cr0.pe = 0", "PG, paging, needs PE"),
        ("cr4 = 0", "long mode needs PAE"),
        ("rflags = 8", "bits 0x8 are reserved"),
        ("flags.vm = 1", "VM changes by IRET and task switches alone"),
        ("cs = 8", "cs is loaded by a far transfer alone"),
        ("cs.limit = 8", "comes from a descriptor"),
        ("ds = 0x7770", "beyond the limit of its table"),
        ("tr = 8", "tr is loaded by LTR alone"),
        ("dr6 = 1 << 32", "bits 63:32 are reserved"),
        ("xcr0 = 0", "bit 0, x87, always"),
        ("msr[0x1b] = 1", "a reserved bit"),
        ("msr[0x12345] = 1", "there is no such MSR"),
        ("efer.lme = 0", "LME cannot change while paging is on"),
        ("u32(1 << 60) = 1", "the address is not canonical"),
        ("u32(0xfee00000) = 1", "is no memory: it is served by local APIC"),
        ("u32(rcx = 1", "is no place: a ) is missing"),
        ("5 = 5", "is no place that can be written"),
        ("rax = 'a'", "comes to no number"),
        ("vcpu[9].rax = 1", "there is no vCPU 9"),
        ("vcpu[1].rax.x = 1", "there is no register 'rax.x'"),
    ],
)
def test_what_is_refused_changes_nothing(assignment: str, words: str) -> None:
    session = begun()
    before, acts = digest(session), session.timeline.made
    outcome = session.execute(f"set {assignment}")
    assert not outcome.ok
    assert words in outcome.error
    assert (digest(session), session.timeline.made) == (before, acts)


WORDS = (
    "rax",
    "$rbx",
    "vcpu[0]",
    "vcpu[1].rip",
    "apic",
    "apic[0].irr",
    ".isr",
    "[rsp]",
    "u32(",
    "phys(",
    "msr[",
    "0x1b",
    "]",
    ")",
    "(",
    "+",
    "-",
    "*",
    "//",
    "%",
    "**",
    "<<",
    ">>",
    "&",
    "|",
    "^",
    "~",
    "not",
    "and",
    "or",
    "in",
    "==",
    "<",
    "if",
    "else",
    ",",
    "'a'",
    "start",
    "console",
    "pit",
    "ioapic.pin",
    "[2]",
    ".x",
    "1",
    "255",
    "1 << 200",
    "len(",
    "sum(",
    "flags.if",
    "cr0",
    "f000:fff0",
    "None",
    "=",
    "!",
    "&&",
    "\x00",
    "é",
    "__class__",
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join))
def test_no_expression_does_anything_but_have_a_value_or_not(text: str) -> None:
    bounded(OPENED[0], text)


def bounded(session: Session, text: str) -> None:
    begun = process_time()
    with suppress(ExpressionError):
        assert not callable(session.value(text))
    assert process_time() - begun < 0.05 * 10  # ten times, for a slow machine


OPENED = [begun()]


def test_random_expressions_come_to_an_end() -> None:
    rng = random.Random(1)
    session = begun()
    before = digest(session)
    for _ in range(5_000):
        bounded(session, "".join(rng.choices(WORDS, k=rng.randrange(1, 12))))
    assert digest(session) == before
