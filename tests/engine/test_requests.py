"""Requests and the ways to settle them, at the level of the machine."""

from __future__ import annotations

import pytest
from conformance.rig import CODE, Rig
from rigs import machines

from lapis_engine.errors import EngineError, EntryError
from lapis_engine.events import Answered
from lapis_engine.replay import capture
from lapis_engine.vmm import exits

DEVICE = 0xD000_0000
IOAPIC = 0xFEC0_0000
PM_TIMER = 0x408
XCHG = bytes.fromhex("8702")  # xchg [rdx], eax: not in bhyve's table


def test_an_instruction_without_emulation_is_discarded_or_faulted_only() -> None:
    rig = Rig(profile="illumos")
    machine = rig.machine
    rig.vcpu(0).regs.gpr[2] = DEVICE
    assert isinstance(rig.execute(0, XCHG, 1).exit, exits.InstEmul)
    (request,) = machine.pending()
    assert (request.kind, request.bytes) == ("inst-emul", 15)
    with pytest.raises(EntryError, match="no value to answer with"):
        machine.answer(0, 1)
    with pytest.raises(EntryError, match="no device there"):
        machine.answer_by_device(0)
    assert machine.pending() == [request]
    machine.answer_fault(0, "ud")
    assert machine.pending() == []
    told = machine.log.last(2)
    assert [type(each.event).__name__ for each in told] == [
        "Answered", "ExceptionRaised",
    ]  # fmt: skip


def test_a_device_that_refuses_leaves_the_request() -> None:
    """bhyve's PM timer takes 4 bytes at once and nothing else."""
    rig = Rig(profile="illumos")
    machine = rig.machine
    machine.trap("port", PM_TIMER, 4)
    done, _ = rig.port_in(0, PM_TIMER, 1)
    assert done.exit == exits.Inout(PM_TIMER, 1, True, 0)
    before = machine.pending()
    with pytest.raises(EntryError, match=f"refused.*IN from port {PM_TIMER:#x}"):
        machine.answer_by_device(0)
    assert machine.pending() == before
    machine.answer(0, 0x5A)
    assert rig.vcpu(0).regs.gpr[0] & 0xFF == 0x5A


def test_both_halves_of_an_instruction_can_be_the_devices() -> None:
    rig = Rig()
    machine = rig.machine
    machine.kernemu_write(0, IOAPIC, 4, 0x10)  # IOREGSEL
    machine.trap("mmio", IOAPIC, 0x20)
    rig.vcpu(0).regs.gpr[2] = IOAPIC
    out = rig.execute(0, bytes.fromhex("830a02"), 1).exit  # or dword [rdx], 2
    assert out == exits.Mmio(IOAPIC, 4, True, 0)
    assert machine.answer_by_device(0) == 0x10
    (request,) = machine.pending()
    assert (request.read, request.data) == (False, 0x12)
    assert machine.kernemu_read(0, IOAPIC, 4) == 0x10
    assert machine.answer_by_device(0, by="rule 3, device") == 0x12
    assert machine.pending() == []
    assert machine.kernemu_read(0, IOAPIC, 4) == 0x12
    answered = [e.event for e in machine.log.last(99) if isinstance(e.event, Answered)]
    assert [(e.by, e.read, e.value) for e in answered] == [
        ("device", True, 0x10), ("rule 3, device", False, None),
    ]  # fmt: skip


def test_a_trap_of_the_apic_page_is_this_vcpus_own_page_to_the_device() -> None:
    rig = Rig(cpus=2)
    rig.bring_up(1)
    machine = rig.machine
    machine.trap("mmio", 0xFEE0_0000, 0x1000)
    rig.store(1, 0xFEE0_0080, 0x40)
    machine.answer_by_device(1)
    assert [rig.vcpu(n).apic.tpr for n in (0, 1)] == [0, 0x40]


def test_the_engine_answers_for_an_msr_with_its_value_or_its_fault() -> None:
    rig = Rig()
    machine = rig.machine
    machine.trap("msr", 0x1B)
    machine.trap("msr", 0x7FF)
    rig.rdmsr(0, 0x1B)
    assert machine.answer_by_device(0) == 0xFEE0_0900
    gpr = rig.vcpu(0).regs.gpr
    assert (gpr[0], gpr[2]) == (0xFEE0_0900, 0)
    rig.rdmsr(0, 0x7FF)
    assert machine.answer_by_device(0) == 0
    event = rig.vcpu(0).event
    assert event is not None
    assert (event.vector, event.error) == (13, 0)
    answered = [e.event for e in machine.log.last(99) if isinstance(e.event, Answered)]
    assert [(e.command, e.value) for e in answered] == [
        ("FULFILL_MSR", 0xFEE0_0900), ("INJECT_FAULT", None),
    ]  # fmt: skip


def test_a_device_may_suspend_the_machine_with_its_answer() -> None:
    """Port 0xF4 is the one that ends a test: status 0x31 is 2 * 0x18 + 1."""
    machine = machines.machine(
        bytes.fromhex("b018e6f4f4")
    )  # mov al, 0x18; out 0xf4, al
    machine.trap("port", 0xF4)
    assert machine.run(100).reason == "exit"
    assert machine.answer_by_device(0) == 0x18
    assert machine.pending() == []
    assert machine.run(100).reason == "suspended"
    assert machine.vcpus[0].regs.rip == 4


def test_init_waits_for_what_is_pending_as_vm_loop_checks_has_it() -> None:
    rig = Rig(cpus=2)
    rig.bring_up(1)
    machine = rig.machine
    machine.trap("msr", 0x10)
    done, _ = rig.rdmsr(1, 0x10)
    assert done.exit == exits.Rdmsr(0x10)
    machine.send_ipi(0, 0xC4500)
    assert rig.enter(1, 1) == exits.Rdmsr(0x10)
    machine.discard(1)
    assert isinstance(rig.enter(1, 1), exits.RunState)
    assert machine.pending() == []


@pytest.mark.parametrize(
    ("space", "first", "size", "word"),
    [
        ("mmio", 0, 1, "RAM"),
        ("mmio", -1, 1, "at least 1"),
        ("mmio", DEVICE, -4, "at least 1"),
        ("mmio", 1 << 48, 1, "ends by"),
        ("memory", 0, 1, "no space"),
    ],
)
def test_a_trap_that_cannot_be_changes_nothing(
    space: str, first: int, size: int, word: str
) -> None:
    machine = Rig().machine
    with pytest.raises(EngineError, match=word):
        machine.trap(space, first, size)
    assert machine.vm.traps.next_number == 1


def test_an_untrapped_request_still_waits() -> None:
    rig = Rig()
    machine = rig.machine
    machine.trap("port", 0x40, 4)
    rig.port_in(0, 0x40, 1)
    machine.untrap(1)
    assert machine.pending_on(0).address == 0x40
    machine.answer(0, 7)
    assert machine.pending() == []


def test_an_answer_says_who_gave_it() -> None:
    rig = Rig()
    rig.load(0, DEVICE)
    rig.machine.answer(0, 5, by="rule 1")
    assert rig.machine.log.last(1)[0].event == Answered(
        0, "FULFILL_MMIO", f"4 bytes at {DEVICE:#x} = 0x5", "rule 1", "mmio", True,
        DEVICE, 4, 0, 5,
    )  # fmt: skip
    assert rig.vm.entered is None


REP_TO_APIC = bytes.fromhex("f3a4")  # rep movsb
APIC_PAGE = 0xFEE0_0000


@pytest.mark.parametrize("restored", [False, True])
def test_a_device_answers_for_one_iteration_whatever_ran_before(
    restored: bool,
) -> None:
    rig = Rig()
    machine, regs = rig.machine, rig.vcpu(0).regs
    machine.trap("mmio", APIC_PAGE, 1)
    regs.gpr[1], regs.gpr[6], regs.gpr[7] = 16, 0x2_0000, APIC_PAGE
    machine.vm.memory.write(CODE, REP_TO_APIC)
    regs.rip = CODE
    assert machine.run(1_000_000).exit == exits.Mmio(APIC_PAGE, 1, False, 0)
    if restored:
        other = Rig().machine
        capture.put(other, capture.take(machine))
        machine = other
    machine.answer_by_device(0)
    vcpu = machine.vcpus[0]
    assert (vcpu.regs.gpr[1], vcpu.regs.rip) == (15, CODE)
