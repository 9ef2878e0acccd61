"""Programs of a user do on the engine what they do on the processor of this host."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from rigs.native_cpu import host, layout, programs, trial
from rigs.native_cpu.engine import Bench
from rigs.native_cpu.instructions import ALL
from rigs.offered import judge, native, undefined

if TYPE_CHECKING:
    from pathlib import Path

WHY_NOT = host.why_not()
LEAST_32, LEAST_64 = 1 << 31, 1 << 63
AT = layout.DATA + 0x100


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


@pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or "")
def test_20000_programs_come_to_what_the_host_comes_to(
    bench: Bench, tmp_path: Path
) -> None:
    random = Random(20_000)
    has = trial.features()
    batch = [programs.program(random, has) for _ in range(20_000)]
    harness = host.build(tmp_path)
    found = [each for each in trial.compare(harness, bench, batch) if not each.kind]
    assert found == []


def given(code: str, xmm: bytes = bytes(256), **registers: int) -> layout.Given:
    """Every register but RSP points to data, unless it is named."""
    gpr = [AT] * 16
    gpr[4] = layout.STACK + 0x800
    for name, value in registers.items():
        gpr[("rax", "rcx", "rdx").index(name)] = value
    return layout.Given(bytes.fromhex(code), 0, tuple(gpr), 2, xmm)


@pytest.mark.parametrize(
    ("code", "length"),
    [
        ("660f3a61c100", LEAST_32), ("660f3a60c101", LEAST_32),
        ("66480f3a61c100", LEAST_64), ("66480f3a60c100", LEAST_32),
        ("66480f3a61c100", 1 << 32), ("660f3a61c100", 16),
    ],
)  # fmt: skip
def test_a_length_beyond_bounds_is_all_of_the_string(
    bench: Bench, code: str, length: int
) -> None:
    """SDM Vol. 1 "Explicit Length": saturated; it once ended the whole process."""
    xmm = bytes(range(1, 17)) + b"\x10" * 16 + bytes(224)
    ended = bench.run(given(code, xmm, rax=length, rdx=length))
    assert (ended.gpr[0], ended.gpr[2]) == (length, length)
    full = bench.run(given(code, xmm, rax=16, rdx=16))
    assert (ended.gpr[1], ended.xmm, ended.rflags) == (
        full.gpr[1], full.xmm, full.rflags
    )  # fmt: skip


def test_the_last_character_is_found(bench: Bench) -> None:
    """PCMPESTRI, equal any, of 16 bytes each: 10h is the last one of XMM0's."""
    xmm = b"\x10" * 16 + bytes(range(1, 17)) + bytes(224)
    ended = bench.run(given("660f3a61c100", xmm, rax=LEAST_32, rdx=LEAST_32))
    assert ended.gpr[1] == 15


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("660f3801c0", [3, 7, 11, 15, 3, 7, 11, 15]),  # PHADDW: 1+2, 3+4, ...
        ("660f3805c0", [0xFFFF] * 8),  # PHSUBW: 1-2, 3-4, ...
    ],
)
def test_horizontal_sums_of_a_register_and_itself(
    bench: Bench, code: str, words: list[int]
) -> None:
    xmm = b"".join(n.to_bytes(2, "little") for n in range(1, 9)) + bytes(240)
    ended = bench.run(given(code, xmm))
    found = [int.from_bytes(ended.xmm[at : at + 2], "little") for at in range(0, 16, 2)]
    assert found == words


@pytest.mark.parametrize("code", ["e000", "e100", "e002b100"])
@pytest.mark.parametrize("count", [1, 2])
def test_loope_and_loopne_leave_the_flags(bench: Bench, code: str, count: int) -> None:
    """CMP of 0 and 1 before it: CF, PF, AF and SF (SDM Vol. 2A "LOOP/LOOPcc")."""
    ended = bench.run(given("31c0 3c01" + code, rcx=count))
    assert ended.rflags & ALL == 0x95


def test_lock_neg_has_the_flags_of_its_result(bench: Bench) -> None:
    """MOV of 1, LOCK NEG: FFh, so CF, PF, AF and SF."""
    ended = bench.run(given("c60301 f0f61b"))
    assert ended.rflags & ALL == 0x95
    ended = bench.run(given("48c70300000000 f048f71b"))
    assert ended.rflags & ALL == 0x44


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("0118", 6), ("8b18", 4), ("8918", 6), ("3918", 4), ("d120", 6), ("f710", 6),
        ("0fab18", 6), ("0fa418 01", 6), ("f720", 4), ("833801", 4), ("830001", 6),
    ],
)  # fmt: skip
def test_what_is_read_to_be_written_faults_as_a_write(
    bench: Bench, code: str, error: int
) -> None:
    """U and, for all that write, W (SDM Vol. 3A "Page-Fault Exceptions")."""
    ended = bench.run(given(code, rax=layout.DATA - 0x1000))
    assert (ended.vector, ended.error) == (14, error)


@pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or "")
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("66f30f58c1", undefined.BOTH), ("66f20f54c1", undefined.BOTH),
        ("f6c904", undefined.ALIAS), ("0f54c1", None), ("f6c104", None),
        ("660fae07", None), ("0f18c1", None), ("c4e269f3c9", None),
    ],
)  # fmt: skip
def test_what_is_said_of_prefixes_and_forms(
    bench: Bench, tmp_path: Path, code: str, kind: str | None
) -> None:
    """A departure that is cured leaves the list; ADDSS for ADDPD is no #UD at all."""
    offered = judge.bench("lapis").offered
    some = [bytes.fromhex(code) + bytes(8)]
    found = list(undefined.differing(host.build(tmp_path), bench, some, offered))
    expected = [] if kind is None or code == "66f30f58c1" else [kind]
    assert [each.kind for each in found] == expected


@pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or "")
def test_fldcw_keeps_what_is_reserved(bench: Bench, tmp_path: Path) -> None:
    """SDM Vol. 1 "x87 FPU Control Word": bits 13 to 15 and 7 are reserved."""
    program = given("66c707ffff d92f d93f 668b07")
    theirs = host.run(host.build(tmp_path), [program])[0].gpr[0] & 0xFFFF
    assert (theirs, bench.run(program).gpr[0] & 0xFFFF) == (0x1F7F, 0xFFFF)
    assert native.RESERVED in native.KNOWN


@pytest.mark.parametrize("code", ["fa", "fb", "f4", "0f06", "0f08"])
def test_what_has_no_operand_is_gp_whatever_follows(bench: Bench, code: str) -> None:
    """CLI and its like at CPL 3, before what reads as [rsp + 4 rax], far away."""
    ended = bench.run(given(code + "44849fffffffff", rax=1 << 60))
    assert (ended.vector, ended.error, ended.rip) == (13, 0, layout.CODE)
    ended = bench.run(given("44849c84ffffffff", rax=1 << 60))
    assert (ended.vector, ended.error, ended.rip) == (12, 0, layout.CODE)
