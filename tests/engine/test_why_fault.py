"""`why fault`: which rule kept an event from its handler, up to a shutdown.

The rules are those of SDM Vol. 3A "Exception and Interrupt Handling" and "Conditions
for Generating a Double Fault".
"""

import struct

import pytest
from conformance.rig import CODE, IDT, STACKS, Rig

from lapis_engine.cpu.registers import RSP, SS, Segment
from lapis_engine.errors import EngineError
from lapis_engine.vmm.run import run
from lapis_engine.why import fault as why

UD2, INT_21, HLT = b"\x0f\x0b", b"\xcd\x21", b"\xf4"
LONG = {"wide": True}
FLAT = {"wide": False}


def faulted(rig: Rig, code: bytes, back: int = 1) -> why.FaultAnswer:
    """Execute one instruction at CODE, and ask."""
    vcpu = rig.vcpu(0)
    rig.machine.vm.memory.write(CODE, code)
    vcpu.regs.rip, vcpu.halted = CODE, False
    run(rig.vm, vcpu, budget=1)
    return why.fault(rig.machine, 0, back)


def gate(rig: Rig, vector: int, **changed: int) -> None:
    """Write a gate anew: 8E10h 64-bit code, but for what is `changed`."""
    long = bool(rig.vcpu(0).regs.efer & 0x400)
    given = {"selector": rig.vcpu(0).regs.selector(1), "flags": 0x8E00, "offset": CODE}
    given.update(changed)
    offset = given["offset"]
    raw = struct.pack(
        "<HHHH", offset & 0xFFFF, given["selector"], given["flags"],
        offset >> 16 & 0xFFFF,
    )  # fmt: skip
    raw += struct.pack("<Q", offset >> 32) if long else b""
    rig.machine.vm.memory.write(IDT + len(raw) * vector, raw)


@pytest.mark.parametrize("wide", [True, False])
def test_no_idt_ends_in_a_shutdown_and_each_fault_of_the_chain_has_its_rule(
    wide: bool,
) -> None:
    rig = Rig(wide=wide)
    rig.vcpu(0).regs.idtr = Segment(0, IDT, 0, 0)
    found = faulted(rig, UD2)
    assert found.is_shutdown
    assert [(link.name, link.rule, link.during) for link in found.chain[1:]] == [
        ("#GP", "gate-limit", "#UD"), ("#GP", "gate-limit", "#GP"),
        ("#DF", "double", None), ("#GP", "gate-limit", "#DF"),
    ]  # fmt: skip
    assert [link.error for link in found.chain] == [
        None, 6 * 8 + 3, 13 * 8 + 3, 0, 8 * 8 + 3,
    ]  # fmt: skip
    assert "the IDT limit is 0x0" in found.text
    assert found.text.endswith("so a shutdown")
    assert why.shutdown(rig.machine) == found


def test_a_machine_that_runs_has_no_shutdown_to_tell_of() -> None:
    rig = Rig()
    faulted(rig, UD2)
    assert why.shutdown(rig.machine) is None


@pytest.mark.parametrize(
    ("wide", "changed", "vector", "error", "rule"),
    [
        (True, {"flags": 0x0E00}, 11, 0x10A, "gate-absent"),
        (True, {"flags": 0x8500}, 13, 0x10A, "gate-type"),
        (True, {"flags": 0x8C00}, 13, 0x10A, "gate-type"),
        (True, {"selector": 0}, 13, 0, "handler-null"),
        (True, {"selector": 0x1000}, 13, 0x1000, "descriptor-limit"),
        (True, {"selector": 0x0C}, 13, 0x0C, "no-ldt"),
        (True, {"selector": 0x08}, 13, 0x08, "handler-64"),
        (True, {"selector": 0x10}, 13, 0x10, "handler-type"),
        (True, {"offset": 1 << 47}, 13, 0, "handler-rip"),
        (False, {"flags": 0x0E00}, 11, 0x10A, "gate-absent"),
        (False, {"flags": 0x8000}, 13, 0x10A, "gate-type"),
        (False, {"selector": 3}, 13, 0, "handler-null"),
    ],
)  # fmt: skip
def test_what_keeps_int_21_from_its_handler(
    wide: bool, changed: dict[str, int], vector: int, error: int, rule: str
) -> None:
    rig = Rig(wide=wide)
    rig.vcpu(0).regs.ldtr = Segment(0, 0, 0, 0)
    gate(rig, 0x21, **changed)
    found = faulted(rig, INT_21)
    first, second = found.chain
    assert (first.name, first.delivered) == ("INT 0x21", False)
    assert (second.vector, second.error, second.rule) == (vector, error, rule)
    assert second.delivered
    assert second.section is not None


def test_a_stack_without_room_is_told_with_its_limit() -> None:
    rig = Rig(wide=False)
    rig.vcpu(0).regs.set_segment(SS, Segment(0x18, 0, 0xFFF, 0xC09300))
    rig.vcpu(0).regs.gpr[RSP] = 0x1004
    found = faulted(rig, INT_21)
    assert [link.rule for link in found.chain[1:3]] == ["stack-limit"] * 2
    assert found.chain[1].values == (0x18, 0x1004, 12, 0xFFF)


def test_a_page_fault_tells_the_walk_while_it_is_the_same() -> None:
    rig = Rig()
    beyond = 0x7F12_3456_7000
    rig.vcpu(0).regs.gpr[0] = beyond
    found = faulted(rig, b"\x88\x00")  # mov [rax], al
    assert found.page is not None
    assert (found.page.linear, found.page.access.write) == (beyond, True)
    assert found.chain[0].cr2 == beyond
    assert found.page.refusal is not None
    assert found.page.refusal.text in found.text


def test_faults_are_counted_back_and_what_is_not_there_is_refused() -> None:
    rig = Rig()
    with pytest.raises(EngineError, match="no fault"):
        why.fault(rig.machine, 0)
    faulted(rig, UD2)
    rig.vcpu(0).regs.gpr[RSP] = STACKS
    faulted(rig, b"\x0f\x0b\x90")
    assert why.fault(rig.machine, 0, 2).seq < why.fault(rig.machine, 0, 1).seq
    with pytest.raises(EngineError, match="2 faults"):
        why.fault(rig.machine, 0, 3)
    seq = why.fault(rig.machine, 0, 2).seq
    assert why.at_event(rig.machine, seq) == why.fault(rig.machine, 0, 2)
    with pytest.raises(EngineError, match="no fault"):
        why.at_event(rig.machine, 1_000_000)


def test_an_interrupt_that_cannot_be_delivered_is_named() -> None:
    rig = Rig()
    rig.vcpu(0).regs.idtr = Segment(0, IDT, 0xFF, 0)
    vcpu = rig.vcpu(0)
    vcpu.nmi_pending = True
    gate(rig, 2, flags=0x0E00)
    found = faulted(rig, HLT)
    assert found.chain[0].during == "the NMI"
    assert (found.chain[0].vector, found.chain[0].rule) == (11, "gate-absent")
