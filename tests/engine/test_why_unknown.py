"""What rests on what a file did not tell is not said; where it counts, that is said."""

import pytest
from rigs.why_states import described, irq, rig

from lapis_engine.apic import priority
from lapis_engine.machine.machine import Machine
from lapis_engine.why import vcpu as why_vcpu
from lapis_engine.why import vector as why_vector

ALL = ("history", "vcpu0", "vcpu1")


def waiting(number: int = 1, *, served: int = 0, tpr: int = 0) -> Machine:
    """0x31 waits on a vCPU that has not run, with nothing else of it known."""
    m = rig()
    apic = m.vcpus[number].apic
    apic.irr, apic.isr, apic.tpr = 1 << 0x31, served, tpr
    priority.update(apic)
    return m


def rules(m: Machine, vector: int, number: int = 1) -> set[str]:
    return {reason.rule for reason in irq(m, vector, number)}


def test_the_same_machine_is_answered_otherwise_when_all_is_known() -> None:
    assert {"not-running", "if"} <= rules(waiting(), 0x31)
    assert rules(described(waiting(), *ALL), 0x31) == {"unknown"}


def test_registers_that_nobody_knows_make_the_answer_unknown() -> None:
    found = why_vector.irq(described(waiting(), *ALL), 0x31, 1)
    assert found.verdict == "unknown"
    assert found.text == (
        "vector 0x31 is in the IRR of vCPU 1, and nothing that the file has keeps it; "
        "unknown, not in the file: the registers of vCPU 1"
    )


def test_what_is_known_to_block_needs_no_more() -> None:
    found = why_vector.irq(described(waiting(served=1 << 0x35), *ALL), 0x31, 1)
    assert found.verdict == "blocked"
    assert [reason.rule for reason in found.reasons] == ["class"]


@pytest.mark.parametrize(
    ("served", "expected"), [(1 << 0x35, {"class"}), (0, {"unknown"})]
)
def test_without_a_tpr_the_isr_alone_may_block(served: int, expected: set[str]) -> None:
    m = described(waiting(served=served), *ALL, "vcpu1.tpr")
    assert rules(m, 0x31) == expected


def test_a_tpr_that_is_not_in_the_file_does_not_block() -> None:
    assert "class" in rules(described(waiting(tpr=0x40), *ALL), 0x31)
    m = described(waiting(tpr=0x40), *ALL, "vcpu1.tpr")
    found = why_vector.irq(m, 0x31, 1)
    assert (found.verdict, {row.rule for row in found.reasons}) == (
        "unknown",
        {"unknown"},
    )
    assert "the file: TPR, the registers of vCPU 1" in found.text


def test_without_an_irr_nobody_knows_what_is_pending() -> None:
    found = why_vector.irq(described(rig(), *ALL, "vcpu1.irr"), 0x31, 1)
    assert found.verdict == "unknown"
    assert "whether vector 0x31 is pending is not known: the file has no IRR" in (
        found.text
    )


def test_what_the_user_writes_is_known_from_then_on() -> None:
    m = described(rig(), *ALL, "vcpu1.tpr")
    m.write_apic(1, "tpr", 0x40)
    assert "vcpu1.tpr" not in m.vm.unknown
    m.write_register(1, "rflags", 0x202)
    assert why_vector.irq(m, 0x31, 1).verdict == "absent"
    m.vcpus[1].apic.irr = 1 << 0x31
    assert "class" in rules(m, 0x31)


def test_a_vcpu_of_which_only_the_apic_is_known() -> None:
    found = why_vcpu.vcpu(described(rig(), *ALL), 1)
    assert (found.verdict, found.reasons, found.wakes) == ("unknown", (), ())
    assert found.text == "unknown, not in the file: what vCPU 1 does"


def test_no_device_and_no_history_is_spoken_of_that_the_file_has_not() -> None:
    m = described(rig(), *ALL, "ioapic", "8259")
    found = why_vector.irq(m, 0x31, 1)
    assert found.text == (
        "vector 0x31 is neither in the IRR nor in the ISR of vCPU 1: nothing that the "
        "file has names it; unknown, not in the file: who else could send it, what was "
        "sent before"
    )
