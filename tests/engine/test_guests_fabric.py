"""The interrupt fabric from inside: guests that check it, and what they left behind.

Each guest `tests/guests/fabric-*` holds what it sees against numbers of the SDM and
prints a line a check; here it must print all of them. Beside that the machine's own
events must tell the same story: they come from outside the guest.

Most of the guests agree with QEMU, too; see their first lines, and
`tests/guests/qemu.py`.

Mutants of the engine, all killed: an edge of every source of a pin; no message again
at an EOI, or when a pin is programmed; remote-IRR that holds nothing back, or stays as
an edge, or in LINT0; EOI suppression, NMI blocking, STI's shadow, CR8's bits, the masks
of SVR off ignored; ExtINT behind a vector; class equal to the PPR's let through; the
8259's lines never down, its ISR not blocking; ISA line 0 on pin 0, INTR not on it, nor
on a disabled BSP; a masked timer that fires; a deadline outside its mode, kept when it
is left, or not moved by a new TSC; counts 200 short, periods 500 ns long; an error
twice; ESR never cleared. Survives: a period counted from now, which is when it is due.
"""

import re
from functools import cache
from itertools import pairwise
from typing import TypeVar

import pytest
from rigs.machines import GUESTS, guest, machine

from lapis_engine.events import (
    ApicError,
    ApicModeChanged,
    ExtIntDelivered,
    IoapicEnded,
    IpiSent,
    LvtFired,
    MessageSent,
    MsrAccessed,
    NmiDelivered,
    NmiReceived,
    TimerFired,
    VectorAccepted,
    VectorDelivered,
    VectorEnded,
    VectorRefused,
)
from lapis_engine.machine.machine import Machine
from lapis_engine.machine.stop import Stop
from lapis_engine.vmm import exits

FAR = 5_000_000
E = TypeVar("E")

CPUS = {"logical": 8, "shorthands": 4, "x2apic": 18}
"""How many processors a guest wants, if not one or two."""
PAIRS = {"nmi", "svr", "ioapic", "esr"}

CHECKS = {
    "esr": 34,
    "extint": 33,
    "ioapic": 40,
    "logical": 21,
    "nesting": 23,
    "nmi": 13,
    "shorthands": 16,
    "svr": 28,
    "timer": 46,
    "tpr": 25,
    "x2apic": 74,
}
"""How many checks a guest makes: none may be left out."""

ILLUMOS_CHECKS = CHECKS | {"esr": 30, "ioapic": 36, "timer": 35}
"""Fewer where bhyve has no x2APIC for the guest to enter, no suppression of EOI
broadcasts, no TSC-deadline mode."""

DEPARTURES = {
    # pic_keeps_edges.
    "extint": ("the INTA cycle gives the spurious vector: 0x0, not 0x1",),
    # ipi_lowest_priority: the ICR cannot send it.
    "logical": (
        "lowest priority: the lowest TPR wins: 0x0, not 0x4",
        "lowest priority to all but self: 0x0, not 0x40",
        "what is in service counts as well: 0x60 against 0x70: 0x0, not 0x40",
        "and 0x60 against 0x50: 0x0, not 0x2",
    ),
    # lowest_by_number, messages_of_all_modes.
    "ioapic": (
        "lowest priority: the one with the lower TPR: 0x1, not 0x2",
        "delivery mode NMI is vector 2: 0x0, not 0x1",
    ),
    # illegal_register_sets_esr, receive_illegal_sets_esr, lvt_write_checks_vector,
    # lvt_fire_is_send_error.
    "esr": (
        "written, it shows the illegal register: 0x0, not 0x80",
        "and again, for reading clears nothing: 0x0, not 0x80",
        "a write to such an offset is an error; any value latches: 0x0, not 0x80",
        "two errors are two bits: 0x20, not 0xa0",
        "writing LVT timer with vector 15 is a receive error: 0x0, not 0x40",
        "the timer that fires vector 5 is a receive error: 0x20, not 0x40",
        "so is a message of the IOAPIC with vector 10: 0x0, not 0x40",
        "an error sends the error entry's vector: 0x0, not 0x1",
        "which comes: 0x0, not 0x1",
        "then it does: 0x0, not 0x1",
        "but the ESR has it: 0x0, not 0x80",
        "its own error entry's vector came there: 0x0, not 0x1",
        "its ESR has the error: 0x0, not 0x80",
    ),
}
"""Where today's bhyve differs from the SDM, by the switches of its profile."""


@cache
def run(name: str, profile: str = "sdm") -> tuple[Machine, Stop]:
    """A guest that has run to its end."""
    m = guest(f"fabric-{name}", cpus_of(name), profile=profile)
    return m, m.run(FAR)


def cpus_of(name: str) -> int:
    return CPUS.get(name, 2 if name in PAIRS else 1)


def verdicts(m: Machine) -> tuple[list[int], list[str]]:
    """The numbers of the checks that a guest printed, and the failures in words."""
    numbers, failures = [], []
    for line in m.consoles["com1"].decode().splitlines():
        found = re.fullmatch(r"(ok|FAIL) (\d+) (.+)", line)
        assert found, line
        numbers.append(int(found[2]))
        if found[1] == "FAIL":
            failures.append(found[3])
    return numbers, failures


def assert_prints(
    m: Machine, stop: Stop, checks: int, failures: tuple[str, ...]
) -> None:
    assert isinstance(stop.exit, exits.SuspendedExit), stop
    assert verdicts(m) == (list(range(1, checks + 1)), list(failures))
    # QEMU's isa-debug-exit: 2 * value + 1.
    assert (stop.exit.how, stop.exit.status) == ("poweroff", 2 * len(failures) + 1)


@pytest.mark.parametrize("name", CHECKS)
def test_the_guest_finds_what_the_sdm_says(name: str) -> None:
    m, stop = run(name)
    assert_prints(m, stop, CHECKS[name], ())


@pytest.mark.parametrize("name", [name for name in CHECKS if name != "x2apic"])
def test_the_guest_finds_bhyve_where_it_departs(name: str) -> None:
    m, stop = run(name, "illumos")
    assert_prints(m, stop, ILLUMOS_CHECKS[name], DEPARTURES.get(name, ()))


@pytest.mark.parametrize("quantum", [1, 37])
@pytest.mark.parametrize("name", [name for name in CHECKS if cpus_of(name) > 1])
def test_no_verdict_hangs_on_how_the_vcpus_take_turns(name: str, quantum: int) -> None:
    code = (GUESTS / f"fabric-{name}.bin").read_bytes()
    m = machine(code, cpus_of(name), quantum=quantum)
    assert_prints(m, m.run(FAR), CHECKS[name], ())


def test_every_guest_is_run() -> None:
    assert {path.stem for path in GUESTS.glob("fabric-*.asm")} == {
        f"fabric-{name}" for name in [*CHECKS, "lines"]
    }


def test_a_guest_says_what_it_did_not_find() -> None:
    # Nesting, with the class of 0x5F raised above that of 0x52 by one byte of code:
    # "self 0x5F" becomes "self 0x6F", which has no handler.
    code = (GUESTS / "fabric-nesting.bin").read_bytes()
    stores = [at.start() for at in re.finditer(b"\xc7\x83\0\3\0\0\x5f\x40\4\0", code)]
    assert len(stores) == 1
    at = stores[0] + 6
    m = machine(code[:at] + b"\x6f" + code[at + 1 :])
    stop = m.run(FAR)
    assert isinstance(stop.exit, exits.SuspendedExit)
    assert stop.exit.status > 1
    assert m.consoles["com1"].startswith(b"STRAY vector 0x6f at 0x1")


# Lines that are moved from outside.


def count(m: Machine, vector: int) -> int:
    """How often vCPU 0 had a vector, as the guest counts: COUNTS of its own page."""
    return m.read_physical(0x2_0000 + vector, 1)[0]


@pytest.mark.parametrize("profile", ["sdm", "illumos", "freebsd"])
def test_pins_count_their_sources(profile: str) -> None:
    m = guest("fabric-lines", profile=profile)
    assert m.run(FAR).reason == "halted"

    # An edge is the first source's: two sources, one less, one more, none, one.
    for asserted, edges in (
        *((True, 1), (True, 1), (False, 1), (True, 1)),
        *((False, 1), (False, 1), (True, 2)),
    ):
        m.set_pin(10, asserted=asserted)
        assert (m.run(FAR).reason, count(m, 0x41)) == ("halted", edges)

    # A level lasts as long as the last source.
    m.set_pin(9, asserted=True)
    m.set_pin(9, asserted=True)
    for _ in range(2):
        before = count(m, 0x52)
        assert m.run(500).reason == "budget"
        assert count(m, 0x52) > before + 1
        m.set_pin(9, asserted=False)
    assert m.run(FAR).reason == "halted"
    after = count(m, 0x52)
    assert m.run(FAR).reason == "halted"
    assert count(m, 0x52) == after < 0xFF

    m.pulse_lint(0)
    assert (m.run(FAR).reason, count(m, 0x55)) == ("halted", 1)
    m.pulse_lint(1)
    assert (m.run(FAR).reason, count(m, 2)) == ("halted", 1)
    m.send_msi(0xFEE0_0000, 0x61)
    m.send_msi(0xFEE0_0000, 0x71)
    assert m.run(FAR).reason == "halted"
    m.send_msi(0xFEE0_0000, 0x53)
    assert_prints(m, m.run(FAR), 8, ())


# What the machine saw.


def story(m: Machine, kind: type[E], vcpu: int | None = None) -> list[E]:
    """The events of one kind, oldest first, of one vCPU or of all."""
    found: list[E] = []
    for logged in m.log.last(m.log.next_seq):
        event = logged.event
        if isinstance(event, kind) and vcpu in {None, logged.event.vcpu}:
            found.append(event)
    assert found, f"no {kind.__name__}"
    return found


def reached(m: Machine) -> dict[int, tuple[int, ...]]:
    """Whom the last fixed or lowest-priority IPI with each vector reached."""
    return {
        sent.icr & 0xFF: sent.targets
        for sent in story(m, IpiSent)
        if sent.mode in {"fixed", "lowest"}
    }


def test_nesting_is_three_deep_and_ends_from_the_inside() -> None:
    m, _ = run("nesting")
    open_now: list[int] = []
    deepest: list[int] = []
    order = []
    for logged in m.log.last(m.log.next_seq):
        match logged.event:
            case VectorDelivered(vector=vector):
                assert all(vector >> 4 > below >> 4 for below in open_now)
                open_now.append(vector)
                order.append(vector)
                deepest = max(deepest, list(open_now), key=len)
            case VectorEnded(vector=vector):
                assert open_now.pop() == vector
            case _:
                pass
    assert order == [0x31, 0x52, 0x71, 0x5F, 0x31, 0x52, 0x52]
    assert deepest == [0x31, 0x52, 0x71]
    assert open_now == []


def test_shorthands_reach_whom_they_name() -> None:
    m, _ = run("shorthands")
    found = reached(m)
    assert [found[vector] for vector in range(0x40, 0x48)] == [
        (2,),
        (0,),
        (0, 1, 2, 3),
        (1, 2, 3),
        (0, 1, 2, 3),
        (0,),
        (),
        (0, 1, 3),
    ]
    invalid = [s for s in story(m, IpiSent, 0) if s.mode in {"nmi", "init"}]
    dropped = [s.icr & 0xFFFFFFFF for s in invalid if s.dropped]
    assert dropped == [0x44400, 0x84400, 0x44500, 0x84500, 0xC8500]


def test_logical_destinations_reach_whom_they_name() -> None:
    m, _ = run("logical")
    found = reached(m)
    assert {vector: found[vector] for vector in found if 0x40 <= vector < 0x50} == {
        0x40: (),
        0x41: (2,),
        0x42: (0, 2, 5, 7),
        0x43: (0, 1, 2, 3, 4, 5, 6, 7),
        0x44: (),
        0x45: (3, 4),
        0x48: (0, 2),
        0x49: (5, 7),
        0x4A: (0, 1, 2, 3),
        0x4B: (),
        0x4C: (0, 1, 2, 3, 4, 5, 6, 7),
        0x4D: (1, 5),
    }
    assert [found[vector] for vector in (0x88, 0x89, 0x8A, 0x8B)] == [
        (2,),
        (6,),
        (6,),
        (1,),
    ]


def test_x2apic_reaches_by_wide_ids_and_clusters() -> None:
    m, _ = run("x2apic")
    found = reached(m)
    everyone = tuple(range(18))
    assert [found[vector] for vector in range(0x40, 0x4A)] == [
        (17,),
        (),
        everyone,
        (0, 4, 5, 6, 7, 15),
        (16, 17),
        (17,),
        (),
        everyone,
        everyone[1:],
        everyone,
    ]
    moves = [
        (c.vcpu, c.before, c.after) for c in story(m, ApicModeChanged) if c.vcpu == 0
    ]
    assert moves == [
        (0, "xapic", "x2apic"),
        (0, "x2apic", "disabled"),
        (0, "disabled", "xapic"),
    ]
    wide = {c.vcpu for c in story(m, ApicModeChanged) if c.after == "x2apic"}
    assert wide == set(everyone)


def fired(m: Machine) -> list[int]:
    """When the timer of vCPU 0 fired, ns."""
    events = m.log.last(m.log.next_seq)
    return [logged.at for logged in events if isinstance(logged.event, TimerFired)]


def test_ten_periods_are_exact() -> None:
    m, _ = run("timer")
    times = fired(m)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps.count(10_000) >= 9


def test_the_timer_fires_at_its_tsc_deadline() -> None:
    m, _ = run("timer")
    times = set(fired(m))
    deadlines = [
        w.value
        for w in story(m, MsrAccessed)
        if w.msr == 0x6E0 and w.write and not w.fault
    ]
    # Ten were written, in order: met; past; replaced; met; undone twice, by 0 and by
    # leaving the mode; ignored; met though masked; and one that a new TSC brought
    # nearer. The TSC of a machine that nobody has set is its time in ns.
    met = [deadline in times for deadline in deadlines if deadline]
    assert met == [True, False, False, True, False, False, False, True, False]
    assert deadlines.count(0) == 1


def test_illumos_counts_128_mebihertz() -> None:
    m, _ = run("timer", "illumos")
    counted, taken = (
        int.from_bytes(m.read_physical(at, 8), "little") for at in (0xD088, 0xD090)
    )
    assert counted * 10**9 / taken == pytest.approx(2**27, rel=1e-4)


def test_a_level_is_sent_again_until_its_line_is_down() -> None:
    m, _ = run("ioapic")
    pin = [e for e in story(m, IoapicEnded) if e.pin == 4]
    assert [e.again for e in pin[:3]] == [True, True, False]
    levels = [s for s in story(m, MessageSent) if s.level]
    assert {s.source for s in levels} == {"ioapic pin 4"}
    assert len([e for e in story(m, VectorEnded) if e.level]) == len(levels)
    edges = [s for s in story(m, MessageSent) if s.vector == 0x41 and s.mode == "fixed"]
    assert [s.targets for s in edges] == [(0,), (0,), (0, 1), (0, 1), ()]


def test_extint_passes_the_apic_by() -> None:
    m, _ = run("extint")
    vectors = {e.vector for e in story(m, ExtIntDelivered)}
    assert vectors == {0x70, 0x74, 0x77}
    accepted = {e.vector for e in story(m, VectorAccepted)}
    assert accepted == {0x41, 0x55}
    assert [e.mode for e in story(m, LvtFired)] == ["fixed", "fixed", "nmi"]


def test_nmis_that_wait_are_one() -> None:
    m, _ = run("nmi")
    received = len(story(m, NmiReceived, 0))
    delivered = len(story(m, NmiDelivered, 0))
    # One alone; one and two that wait; one and one in it; one and one after it.
    assert (received, delivered) == (1 + 3 + 2 + 2, 1 + 2 + 2 + 2)


def test_cr8_lets_the_higher_class_through_first() -> None:
    m, _ = run("tpr")
    delivered = [(d.vector, d.ppr) for d in story(m, VectorDelivered)]
    assert delivered[:3] == [(0x61, 0x60), (0x5F, 0x50), (0x5F, 0x50)]
    assert [vector for vector, _ in delivered].count(0x70) >= 200


def test_an_apic_that_svr_has_switched_off_refuses() -> None:
    m, _ = run("svr")
    refused = [(r.vcpu, r.vector) for r in story(m, VectorRefused)]
    assert refused == [(0, 0x41), (0, 0x41), (1, 0x41), (1, 0x50)]
    assert len(story(m, NmiDelivered, 0)) == 1
    assert len(story(m, NmiDelivered, 1)) == 1


def test_errors_are_found_in_the_order_of_their_making() -> None:
    m, _ = run("esr")
    register, received, sent = 7, 6, 5
    assert [e.bit for e in story(m, ApicError, 0)] == [
        *(register, register),
        *(sent, sent, register),
        # LVT timer written twice, fired once; the IOAPIC's message.
        *(received, received, received, received),
        *(register, register, sent, register),
        *(sent, sent),
    ]
    assert [e.bit for e in story(m, ApicError, 1)] == [register]
    # The last four but the one under the mask, and the two in x2APIC mode.
    assert [e.vector for e in story(m, LvtFired, 0)] == [0x45] * 5
