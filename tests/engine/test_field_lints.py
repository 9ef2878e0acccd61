"""Lints from the field: for each a guest that is found, and one that nearly is.

The guest is `field-lints`; the test tells it which of its parts to do. They come in
pairs there, in the order of `PAIRS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from rigs.machines import guest

from lapis_engine.devices.device import ExtIntChanged
from lapis_engine.events import ExtIntDelivered, Linted
from lapis_engine.lints.catalog import LINTS
from lapis_engine.lints.lint import SEVERITIES
from lapis_engine.replay import capture, digest
from lapis_engine.vmm import fabric

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine

CHOICE = 0xD0F0
LIMIT = 60_000_000


class Pair(NamedTuple):
    """What is found in the first of two parts of the guest, and not in the second."""

    lint: str
    vcpu: int
    says: str
    values: tuple[tuple[str, int], ...] = ()


PAIRS = (
    Pair("init-level-clear", 0, "INIT with the level bit (14) clear, ICR 0x1000",
         (("icr", 0x0100_0000_0000_0500),)),
    Pair("sipi-level-clear", 0, "SIPI with the level bit (14) clear, ICR 0x1000",
         (("icr", 0x0100_0000_0000_0608),)),
    Pair("trampoline-changed", 1, "starts at 0x8000, where 1 bytes of code from 0x8001",
         (("page", 0x8000), ("changed", 1), ("first", 0x8001))),
    Pair("runs-zeros", 1, "starts at 0x8000 in 64 bytes of zeros",
         (("page", 0x8000), ("zeros", 64))),
    Pair("runs-zeros", 0, "runs zeros, which are add [rax], al: exception 14 at 0x8000",
         (("at", 0x8000),)),
    Pair("icr-busy", 0, "since the write 2 instructions before",
         (("icr", 0x44042), ("instructions", 2))),
    Pair("self-by-id", 0, "vector 0x41 to itself by APIC id 0x0",
         (("icr", 0x4041), ("id", 0))),
    Pair("logical-id-shared", 0, "logical ids of vCPU 0 (0x01) and vCPU 1 (0x01)",
         (("id", 1), ("other", 1), ("its", 1))),
    Pair("x2apic-msr", 0, "RDMSR of MSR 0x802 is #GP(0): the APIC is in xapic mode",
         (("msr", 0x802), ("value", 0))),
    Pair("low-vector", 0, "an IPI has vector 0x0f, which no APIC accepts",
         (("vector", 15),)),
    Pair("low-vector", 0, "LVT TIMER has vector 0x0f", (("vector", 15),)),
    Pair("shared-vector", 0, "vector 0x41 is that of timer and of ipi",
         (("vector", 0x41),)),
    Pair("cli-hlt", 0, "with IF clear, and its timer is armed, vector 0x41"),
    Pair("edge-no-eoi", 0, "edge vector 0x41 in service at a HLT", (("vector", 0x41),)),
    Pair("edge-no-eoi", 0, "edge vector 0x41 in service for 11 ms, no EOI, and 0x41",
         (("vector", 0x41),)),
    Pair("eoi-early", 0, "EOI of vector 0x43 while IOAPIC pin 4 is still held",
         (("pin", 4), ("vector", 0x43))),
    Pair("edge-lost", 0, "IOAPIC pin 4 is edge-triggered, was raised while it was",
         (("pin", 4), ("vector", 0x43))),
    Pair("timer-dropped", 0, "LVT TIMER, written after the count 0x186a0, drops it",
         (("count", 100_000), ("lvt", 0x40041))),
    Pair("timer-dropped", 0, "IA32_TSC_DEADLINE 0x7fffffff is dropped",
         (("deadline", 0x7FFF_FFFF),)),
    Pair("calibration-interrupted", 0, "1 interrupts (of vectors 0x42) within a count",
         (("interrupts", 1),)),
    Pair("calibration-interrupted", 0, "3 interrupts (of vectors 0x41, 0x42)",
         (("interrupts", 3),)),
    Pair("shared-tss", 1, "has the TSS at 0xe800 that vCPU 0 has, too",
         (("tss", 0xE800), ("other", 0))),
    Pair("ist-reuse", 0, "on the IST stack whose top is 0x2f000"),
    Pair("timer-dropped", 0, "fires in periodic mode by a count that was written in",
         (("lvt", 0x20041), ("count", 1000))),
    Pair("edge-no-eoi", 0, "0x41 in service though its handler is over, no EOI,",
         (("vector", 0x41),)),
    Pair("cli-hlt", 0, "with IF clear, and the 8259 asks for it"),
    Pair("timer-dropped", 0, "initial count 0xbb8 is ignored: LVT TIMER is in TSC-",
         (("count", 3000), ("lvt", 0x40041))),
)  # fmt: skip
BEFORE = frozenset(
    {
        "eoi-empty-isr", "sipi-ignored", "icr-reserved-bits", "ipi-absent",
        "level-no-eoi", "empty-trampoline", "bsp-spins", "isrvec",
    }
)  # fmt: skip
"""Those that `test_lints` tries."""
EACH = [pytest.param(n, pair, id=f"{n}-{pair.lint}") for n, pair in enumerate(PAIRS)]


def machine(choice: int) -> Machine:
    m = guest("field-lints", 2)
    m.vm.memory.write(CHOICE, bytes([choice]))
    if PAIRS[choice // 2].lint == "trampoline-changed":
        m.interfere("delay", "sipi", by=200_000)
    return m


def ran(choice: int) -> Machine:
    m = machine(choice)
    m.run(LIMIT)
    return m


def told(m: Machine, lint: str) -> list[Linted]:
    events = [it.event for it in m.log.last(99_999)]
    return [it for it in events if isinstance(it, Linted) and it.name == lint]


@pytest.mark.parametrize(("number", "pair"), EACH)
def test_what_a_lint_is_for_is_found_and_said(number: int, pair: Pair) -> None:
    m = ran(2 * number)
    first, *_ = told(m, pair.lint)
    assert first.vcpu == pair.vcpu
    assert pair.says in first.text
    for each in pair.values:
        assert each in first.values


@pytest.mark.parametrize(("number", "pair"), EACH)
def test_what_nearly_is_that_is_not(number: int, pair: Pair) -> None:
    m = ran(2 * number + 1)
    assert told(m, pair.lint) == []
    assert m.lints.count(pair.lint) == 0
    assert m.vcpus[0].retired > 500  # it came to what it was to do


def test_every_lint_is_tried_has_a_page_and_a_severity() -> None:
    assert {pair.lint for pair in PAIRS} | BEFORE == LINTS.keys()
    for lint in LINTS.values():
        assert lint.severity in SEVERITIES
        assert lint.page is not None
        for part in (lint.page.what, lint.page.why, lint.page.where, lint.page.fix):
            assert part.endswith("."), (lint.name, part)
            assert "  " not in part, (lint.name, part)


def test_a_vector_for_who_sleeps_with_if_clear_is_found_when_it_comes() -> None:
    m = ran(2 * [pair.lint for pair in PAIRS].index("cli-hlt") + 1)
    m.send_ipi(1, 0x4042)
    (only,) = told(m, "cli-hlt")
    assert "vector 0x42 comes from ipi of the user" in only.text


def test_so_is_intr_of_the_8259() -> None:
    m = ran(2 * [pair.lint for pair in PAIRS].index("cli-hlt") + 1)
    m.vcpus[0].extint_pending = True
    fabric.signal(m.vm, (ExtIntChanged(asserted=True),), -1)
    assert told(m, "cli-hlt") == []  # it never took one, as memtest86+ never does
    fabric.signal(m.vm, (ExtIntChanged(asserted=False),), -1)
    m.vm.note(ExtIntDelivered(0, 0x60))
    fabric.signal(m.vm, (ExtIntChanged(asserted=True),), -1)
    (only,) = told(m, "cli-hlt")
    assert (only.vcpu, "the 8259 asks for it" in only.text) == (0, True)
    fabric.signal(m.vm, (ExtIntChanged(asserted=False),), -1)
    assert m.lints.count("cli-hlt") == 1


def test_an_ipi_that_is_still_on_its_way_makes_the_icr_busy() -> None:
    m = machine(2 * [pair.lint for pair in PAIRS].index("icr-busy") + 1)
    m.interfere("delay", "fixed", by=1_000_000)
    m.run(LIMIT)
    assert "the one to vCPU 0 is still on its way" in told(m, "icr-busy")[0].text


def test_a_finding_has_its_place() -> None:
    m = ran(0)
    (only,) = told(m, "init-level-clear")
    assert only.about is not None
    ipi = m.log.between(only.about, only.about + 1)[0]
    assert ipi.event.kind == "ipi"
    assert (only.ran, only.place) == (0, f"RIP {only.rip:#x}")
    (seen,) = m.lints.state.told.values()
    assert (seen.seq, seen.at, seen.rip) == (only.about, ipi.at, only.rip)
    assert seen.text == only.text


def test_where_it_was_told_goes_back_in_time_and_is_in_no_hash() -> None:
    m = machine(0)
    kept = capture.take(m)
    m.run(LIMIT)
    before = digest.Digester(m).digest()
    told_then = dict(m.lints.state.told)
    m.lints.state.told.clear()
    assert digest.Digester(m).digest() == before
    capture.put(m, kept)
    assert m.lints.state.told == {}
    m.run(LIMIT)
    assert m.lints.state.told == told_then


@pytest.mark.parametrize("number", [2, 5, 11, 16])
def test_findings_are_the_same_however_a_run_is_sliced(number: int) -> None:
    whole, sliced = ran(2 * number), machine(2 * number)
    done = 0
    for size in (1, 777, 12_345, LIMIT):
        sliced.run(min(size, LIMIT - done))
        done += size
    assert sliced.lints.state == whole.lints.state
