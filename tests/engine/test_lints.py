"""Lints: each finds what it is for, once a place, and nothing in a clean guest.

The guest `lints` does in turn what a guest should not; its source says what.
"""

from collections.abc import Callable

import pytest
from rigs.machines import GUESTS, ap_bringup, fingerprint, guest, machine

from lapis_engine.errors import EngineError
from lapis_engine.events import Halted, Linted
from lapis_engine.lints.catalog import LINTS
from lapis_engine.machine.machine import Machine
from lapis_engine.replay import capture
from lapis_engine.vmm import clock

FAR = 100_000
MS = 1_000_000
SPIN = b"\xeb\xfe"
CLI_HLT = b"\xfa\xf4"


def found(m: Machine) -> list[tuple[str, int]]:
    """(name, vCPU) of the findings, in order."""
    events = [it.event for it in m.log.last(99_999)]
    return [(e.name, e.vcpu) for e in events if isinstance(e, Linted)]


def said(m: Machine) -> list[str]:
    return [it.event.text for it in m.log.last(99_999) if isinstance(it.event, Linted)]


def sinner() -> Machine:
    """The guest `lints` until it sleeps with its level interrupt in service."""
    m = guest("lints", 2)
    assert m.run(FAR).reason == "halted"
    m.set_pin(4, asserted=True)
    assert m.run(FAR).reason == "halted"
    return m


def test_a_guest_that_does_everything_wrong_has_a_finding_for_each() -> None:
    assert found(sinner()) == [
        ("eoi-empty-isr", 0),
        ("icr-reserved-bits", 0),
        ("ipi-absent", 0),
        ("icr-busy", 0),
        ("icr-busy", 0),
        ("sipi-ignored", 1),
        ("icr-busy", 0),
        ("empty-trampoline", 1),
        ("sipi-ignored", 1),
        ("icr-busy", 0),
        ("level-no-eoi", 0),
    ]


def test_a_finding_is_told_once_a_place_and_counted_always() -> None:
    m = sinner()
    assert m.lints.count("eoi-empty-isr") == 3
    assert m.lints.count("sipi-ignored") == 2
    assert [name for name, _ in found(m)].count("eoi-empty-isr") == 1


def test_places_are_told_apart_up_to_a_thousand_and_counted_beyond() -> None:
    m = machine(SPIN)
    for destination in range(9, 14):
        for vector in range(16, 256):
            m.send_ipi(0, destination << 56 | 0x4000 | vector)
    assert len(found(m)) == 1000
    assert m.lints.count("ipi-absent") == 5 * 240
    assert m.lints.state.found["ipi-absent", -1, "elsewhere"] == 200


def test_a_finding_says_what_where() -> None:
    texts = [text for text in said(sinner()) if "delivery status" not in text]
    assert texts[0].startswith("EOI with nothing in service, by RIP 0x100")
    assert texts[1].startswith("ICR 0x46035 has reserved bits 0x2000 set, by RIP")
    assert "to APIC id 0x9): no APIC has that destination, by RIP" in texts[2]
    assert texts[3] == "SIPI 0x41 from vCPU 0: no INIT came before it"
    assert texts[4] == "started at 0x40000, and the page there is all zero"
    assert texts[5] == "SIPI 0x40 from vCPU 0: the vCPU already runs"
    assert texts[6] == "halts with level vector 0x61 in service and no EOI"


@pytest.mark.parametrize("profile", ["sdm", "illumos"])
def test_a_clean_guest_has_no_finding(profile: str) -> None:
    m = ap_bringup(4, profile=profile)
    m.run(5_000_000)
    m.answer(0, 1)
    assert m.run(5_000_000).reason == "halted"
    assert (found(m), m.lints.state.found) == ([], {})


def test_a_broadcast_that_finds_nobody_is_no_absent_destination() -> None:
    m = ap_bringup(1)
    m.run(5_000_000)
    assert found(m) == []


def test_the_bsp_is_found_to_spin_after_16_looks_and_once() -> None:
    m = ap_bringup(2)
    m.interfere("drop", "sipi")
    # INIT at 12,381 ns, then 16 looks, 1,000,003 ns apart.
    m.run(12_381 + 16 * 1_000_003 - 1)
    assert found(m) == []
    m.run(1)
    assert found(m) == [("bsp-spins", 0)]
    m.run(20 * MS)
    assert found(m) == [("bsp-spins", 0)]


def test_a_bsp_that_works_or_sleeps_does_not_spin() -> None:
    # dec ecx; jnz: a loop of its own for half a millisecond, then the next page
    step = b"\x66\xb9" + (200_000).to_bytes(4, "little") + b"\x66\x49\x75\xfc"
    busy = b"".join(step.ljust(1024, b"\x90") for _ in range(48))
    m = machine(busy + CLI_HLT, 2)
    m.send_ipi(0, 0x0100_0000_0000_4500)
    m.run(30 * MS)
    assert (m.vcpus[0].retired > 15 * MS, found(m)) == (True, [])
    asleep = guest("timer", 2)
    asleep.send_ipi(0, 0x0100_0000_0000_4500)
    asleep.run(FAR)
    assert found(asleep) == []


def test_a_bsp_that_naps_does_not_spin() -> None:
    m = machine(b"\xf4" + SPIN[:1] + b"\xfd", 2)  # hlt; jmp: woken by each NMI
    m.vm.memory.write(0x8, b"\x00\x06\x00\x00")
    m.vm.memory.write(0x600, b"\xcf")  # iret
    m.send_ipi(0, 0x0100_0000_0000_4500)
    for _ in range(20):
        m.inject_nmi(0)
        assert m.run(100).reason == "halted"
        clock.pass_time(m.vm, m.now + 1_000_003)
    assert (m.vcpus[0].retired > 40, found(m)) == (True, [])


def test_another_init_begins_the_count_anew() -> None:
    m = machine(SPIN, 2)
    for _ in range(3):
        m.send_ipi(0, 0x0100_0000_0000_4500)
        m.run(10 * MS)
    assert found(m) == []


def test_a_level_vector_is_the_matter_of_the_processor_that_serves_it() -> None:
    m = machine((GUESTS / "lints.bin").read_bytes(), 2)
    m.catches.add("deliver", vector=0x61)
    m.run(FAR)
    m.set_pin(4, asserted=True)
    assert m.run(FAR).reason == "catch"
    m.vm.note(Halted(1, interrupts=True))
    assert ("level-no-eoi", 0) not in found(m)
    m.vm.note(Halted(0, interrupts=True))
    assert found(m)[-1] == ("level-no-eoi", 0)


def test_a_level_vector_that_is_ended_is_no_finding() -> None:
    m = machine((GUESTS / "lints.bin").read_bytes(), 2)
    m.set_lint("level-no-eoi", on=False)
    m.run(FAR)
    m.set_lint("level-no-eoi", on=True)
    m.catches.add("deliver", vector=0x61)
    m.set_pin(4, asserted=True)
    m.run(FAR)
    m.set_pin(4, asserted=False)
    m.kernemu_write(0, 0xFEE0_00B0, 4, 0)
    m.run(20 * MS)
    clock.pass_time(m.vm, m.now + 20 * MS)
    assert ("level-no-eoi", 0) not in found(m)


def test_a_wait_of_10_ms_between_init_and_sipi_is_what_the_manual_wants() -> None:
    m = machine(SPIN, 2)
    m.vm.memory.write(0x8000, CLI_HLT)
    m.send_ipi(0, 0x0100_0000_0000_4500)
    m.run(10 * MS)
    m.send_ipi(0, 0x0100_0000_0000_4608)
    m.run(30 * MS)
    assert found(m) == []


def test_a_handler_that_never_ends_a_level_interrupt_is_found_after_10_ms() -> None:
    code = (GUESTS / "lints.bin").read_bytes()
    ends = b"\x48\xcf\xc7\x83\xb0\0\0\0"  # iretq; mov dword [rbx + EOI], ...
    assert code.count(ends) == 1
    m = machine(code.replace(ends, SPIN + ends[2:]), 2)
    m.run(FAR)
    m.set_pin(4, asserted=True)
    m.run(9 * MS)
    assert ("level-no-eoi", 0) not in found(m)
    m.run(3 * MS)
    assert found(m)[-1] == ("level-no-eoi", 0)


def test_reserved_bits_in_an_x2apic_icr_are_found_beside_the_fault() -> None:
    code = bytes.fromhex(
        "66b91b000000 66b8000de0fe 6631d2 0f30"  # APICBASE: x2APIC
        "66b930080000 66b840200400 6631d2 0f30"  # ICR: self, vector 0x40, bit 13
    )
    m = machine(code + SPIN)
    m.run(50)
    assert found(m)[0] == ("icr-reserved-bits", 0)


@pytest.mark.parametrize(
    ("profile", "says"),
    [("freebsd", "SIPI from vCPU 0: it is not in startup_cpus"),
     ("illumos-pre-12960", "SIPI: boot state is not BS_SIPI")],
)  # fmt: skip
def test_an_ignored_sipi_is_found_in_every_profile(profile: str, says: str) -> None:
    m = machine(SPIN, 2, profile=profile)
    m.vm.startup_cpus = 0
    m.vcpus[1].active = True
    m.send_ipi(0, 0x0100_0000_0000_4608)
    assert said(m) == [says]


# Switches.


def test_a_lint_that_is_off_finds_nothing() -> None:
    for off in LINTS:
        m = guest("lints", 2)
        m.set_lint(off, on=False)
        m.run(FAR)
        m.set_pin(4, asserted=True)
        m.run(FAR)
        names = {name for name, _ in found(m)}
        assert off not in names
        assert names == {name for name, _ in found(sinner())} - {off}


def test_all_are_switched_together() -> None:
    m = guest("lints", 2)
    m.set_lint("all", on=False)
    m.run(FAR)
    m.set_lint("all", on=True)
    assert (found(m), m.lints.state.off) == ([], ())
    m.kernemu_write(0, 0xFEE0_00B0, 4, 0)
    assert found(m) == [("eoi-empty-isr", 0)]


def test_what_the_users_hand_does_is_found_and_said_to_be_so() -> None:
    m = machine(SPIN)
    m.kernemu_write(0, 0xFEE0_00B0, 4, 0)
    assert said(m) == ["EOI with nothing in service, by the user's hand"]


def test_a_lint_that_there_is_not_cannot_be_switched() -> None:
    m = machine(SPIN)
    with pytest.raises(EngineError, match="there is no lint 'eoi': all, eoi-empty-isr"):
        m.set_lint("eoi", on=False)


# The guest never notices.


def without_lints(m: Machine) -> tuple[object, ...]:
    registers, ram, events, now, consoles = fingerprint(m)
    assert isinstance(events, tuple)
    told = [it.event for it in events if not isinstance(it.event, Linted)]
    return registers, ram, told, now, consoles


def spinning() -> Machine:
    m = ap_bringup(3)
    m.interfere("drop", "sipi", to=1)
    return m


@pytest.mark.parametrize("make", [lambda: guest("lints", 2), spinning])
def test_the_guest_runs_the_same_with_and_without(make: Callable[[], Machine]) -> None:
    on, off = make(), make()
    off.set_lint("all", on=False)
    on.run(18 * MS)
    off.run(18 * MS)
    assert found(on)
    assert without_lints(on) == without_lints(off)


def test_findings_do_not_depend_on_how_a_run_is_sliced() -> None:
    whole, sliced = spinning(), spinning()
    whole.run(18 * MS)
    for size in (333_333, 10_000_000, 1, 7_666_666):
        sliced.run(size)
    assert fingerprint(whole) == fingerprint(sliced)
    assert found(whole) == [("bsp-spins", 0)]


def test_a_checkpoint_holds_what_the_lints_remember() -> None:
    m = spinning()
    m.run(10 * MS)
    kept = capture.take(m)
    m.run(8 * MS)
    first = fingerprint(m)
    capture.put(m, kept)
    assert m.lints.state.found == {}
    m.run(8 * MS)
    assert fingerprint(m) == first


# isrvec.


def stack(m: Machine) -> tuple[int, ...] | None:
    return m.vcpus[0].apic.isrvec_view


def test_the_checker_follows_nesting_and_never_gives_the_ppr() -> None:
    m = machine((GUESTS / "lints.bin").read_bytes())
    m.set_isrvec(on=True)
    apic = m.vcpus[0].apic
    assert (apic.isrvec, stack(m)) == (None, ())
    m.run(FAR)
    assert stack(m) == ()
    m.set_pin(4, asserted=True)
    m.run(FAR)
    assert (apic.isr, stack(m), apic.ppr) == (1 << 0x61, (0x61,), 0x60)
    apic.isr = 0  # as an import would
    m.kernemu_write(0, 0xFEE0_0080, 4, 0x20)
    assert (stack(m), apic.ppr) == ((0x61,), 0x20)


def test_an_isr_that_is_not_the_stack_is_a_finding_and_no_fault() -> None:
    m = machine((GUESTS / "lints.bin").read_bytes())
    m.run(FAR)
    m.set_isrvec(on=True)
    m.vcpus[0].apic.isr |= 1 << 0x22  # as an import would
    m.set_pin(4, asserted=True)
    assert m.run(FAR).reason == "halted"
    assert found(m)[-2:] == [("isrvec", 0), ("level-no-eoi", 0)]
    assert m.vm.panic is None
    assert said(m)[-2] == (
        "ISR and isrvec_stk out of sync (isrvec_stk 0x61; ISR 0x22 0x61)"
    )


def test_the_checker_starts_in_agreement_and_an_init_empties_it() -> None:
    m = sinner()
    apic = m.vcpus[0].apic
    m.set_isrvec(on=True)
    assert stack(m) == (0x61,)
    m.send_ipi(0, 0x0000_0000_0000_4500)
    m.run(10)
    assert (apic.isr, stack(m)) == (0, ())
    m.set_isrvec(on=False)
    assert stack(m) is None


def test_where_the_stack_gives_the_ppr_it_cannot_be_switched_off() -> None:
    m = machine(SPIN, profile="illumos-pre-12936")
    m.set_isrvec(on=True)
    assert (m.vcpus[0].apic.isrvec, stack(m)) == ((), None)
    with pytest.raises(EngineError, match="isrvec stays on: in profile"):
        m.set_isrvec(on=False)
