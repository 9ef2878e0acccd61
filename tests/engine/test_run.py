"""`vm_run` as a function: what comes back, and what stays on the machine."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import pytest
from conformance.rig import CODE, Rig
from rigs.machines import machine

from lapis_engine.cpu.registers import CS, Registers, Segment
from lapis_engine.errors import EntryError
from lapis_engine.events import Halted
from lapis_engine.vmm import clock, exits
from lapis_engine.vmm.entry import DiscardInstr, FulfillMmio
from lapis_engine.vmm.run import run

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine

LOOP = bytes.fromhex("ebfe")
PAUSE_LOOP = bytes.fromhex("f390 ebfc")
HLT = b"\xf4"
DEVICE_READ = bytes.fromhex("a1 000000d000000000".replace(" ", ""))
"""mov eax, [0xd0000000], with a 64-bit address."""


def rig_at(code: bytes) -> Rig:
    rig = Rig()
    rig.vm.memory.write(CODE, code)
    rig.vcpu(0).regs.rip = CODE
    return rig


def test_it_comes_back_when_the_budget_is_used_up() -> None:
    rig = rig_at(LOOP)
    done = run(rig.vm, rig.vcpu(0), budget=7)
    assert (done.exit, done.ran, done.yielded) == (exits.BOGUS, 7, False)
    assert (rig.vm.now, rig.vcpu(0).retired) == (7, 7)


@pytest.mark.parametrize(("pause_yields", "ran"), [(True, 1), (False, 6)])
def test_a_pause_gives_the_turn_away_only_where_it_is_to(
    pause_yields: bool,
    ran: int,
) -> None:
    rig = rig_at(PAUSE_LOOP)
    done = run(rig.vm, rig.vcpu(0), budget=6, pause_yields=pause_yields)
    assert (done.ran, done.yielded) == (ran, pause_yields)


def test_a_run_leaves_nothing_of_itself_behind() -> None:
    rig = rig_at(LOOP)
    names = [field.name for field in fields(rig.vm)]
    kept = {name: getattr(rig.vm, name) for name in names}
    run(rig.vm, rig.vcpu(0), budget=5)
    changed = {name for name in names if getattr(rig.vm, name) != kept[name]}
    assert changed == {"now"}


def test_observers_see_which_vcpu_is_in_it() -> None:
    rig = rig_at(HLT)
    seen: list[int | None] = []
    rig.machine.log.observers_of = {Halted: (lambda _: seen.append(rig.vm.entered),)}
    assert isinstance(run(rig.vm, rig.vcpu(0), budget=2).exit, exits.Hlt)
    assert (seen, rig.vm.entered) == ([0], None)


def test_a_refused_command_has_not_entered() -> None:
    rig = rig_at(DEVICE_READ)
    done = run(rig.vm, rig.vcpu(0), budget=2)
    assert done.exit == exits.Mmio(0xD000_0000, 4, True, 0)
    with pytest.raises(EntryError):
        run(rig.vm, rig.vcpu(0), FulfillMmio(0xD000_0004, 4, True, 1), 0)
    assert rig.vm.entered is None
    rig.vcpu(0).active = False
    with pytest.raises(EntryError, match="not active"):
        run(rig.vm, rig.vcpu(0), DiscardInstr(), 0)


def test_who_answers_is_told_by_the_event() -> None:
    rig = rig_at(DEVICE_READ)
    run(rig.vm, rig.vcpu(0), budget=2)
    run(rig.vm, rig.vcpu(0), FulfillMmio(0xD000_0000, 4, True, 9), 0, by="rule 7")
    (told,) = [e for e in rig.events(0) if type(e).__name__ == "Answered"]
    assert getattr(told, "by") == "rule 7"  # noqa: B009


def test_a_kick_ends_the_run_and_is_told() -> None:
    rig = rig_at(LOOP)
    rig.vm.on_watch, rig.vm.watch_at = rig.machine.vm.attention.ask_stop, 20
    done = run(rig.vm, rig.vcpu(0), budget=1000)
    assert (done.ran, done.exit, done.kicked) == (20, exits.BOGUS, False)
    rig.vm.watch_at = None
    rig.vcpu(0).apic.timer_deadline = 50
    rig.vm.timers.moved = True
    assert clock.deadline(rig.vm) == 50
    done = run(rig.vm, rig.vcpu(0), budget=1000)
    assert (done.ran, done.kicked) == (30, True)


@pytest.mark.parametrize(
    ("code", "length"),
    [
        ("0fa2", 2), ("0f31", 2), ("0f32", 2), ("f4", 1), ("0f21c0", 3),
        ("0f20c0", 3), ("0f22d8", 3), ("0f05", 0), ("8ed0", 2), ("f00fabd1", 0),
    ],
)  # fmt: skip
def test_code_that_is_unmapped_under_itself_is_run_by_the_tlb(
    code: str, length: int
) -> None:
    """The page tables do not lead to it any more; nothing of ours may need them."""
    regs, m = _paged(wipe(7) + bytes.fromhex(code))
    assert m.run(1).retired == 1
    m.run(1)
    faulted = m.vm.suspended is not None or m.vcpus[0].event is not None
    assert faulted or regs.rip == PLACE + len(wipe(7)) + length


def test_what_the_tlb_lets_through_and_the_tables_do_not_is_a_fault() -> None:
    """The processor stores by its TLB what the engine puts right by the tables."""
    touches, stores = bytes.fromhex("a300810000"), bytes.fromhex("0fae0500810000")
    regs, m = _paged(touches + wipe(8) + stores)  # mov [8100], eax; ...; fxsave [8100]
    regs.cr4 |= 0x200
    assert m.run(2).retired == 2
    m.run(1)
    assert m.vm.suspended is not None or m.vcpus[0].event is not None


TABLES, PLACE = 0x2_0000, 0x7000


def wipe(page: int) -> bytes:
    """MOV of 0 to the entry of a page."""
    return b"\xc7\x05" + (TABLES + 0x1000 + 4 * page).to_bytes(4, "little") + bytes(4)


def _paged(code: bytes) -> tuple[Registers, Machine]:
    """A machine in 32-bit code with paging, on `code` in page 7."""
    m = machine(b"\xf4")
    memory, regs = m.vm.memory, m.vcpus[0].regs
    memory.write(PLACE, code + b"\x90" * 20)
    memory.write(TABLES, (TABLES + 0x1003).to_bytes(4, "little"))
    for page in range(0x40):
        entry = page << 12 | 3
        memory.write(TABLES + 0x1000 + 4 * page, entry.to_bytes(4, "little"))
    for index in range(6):
        regs.set_segment(index, Segment(0x10, 0, 0xFFFF_FFFF, 0xCF_9300))
    regs.set_segment(CS, Segment(8, 0, 0xFFFF_FFFF, 0xCF_9B00))
    regs.cr3, regs.cr0, regs.rip = TABLES, 0x8000_0011, PLACE
    regs.gpr[1], regs.gpr[4] = 0x10, 0x9000
    return regs, m
