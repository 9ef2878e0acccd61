"""A checkpoint holds all of a machine; its digest is the same everywhere."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from random import Random
from typing import TYPE_CHECKING

import pytest
from rigs import machines, random_acts

from lapis_engine.replay import capture, pages, parts
from lapis_engine.replay.digest import Digester
from lapis_engine.units import PAGE
from lapis_engine.vmm.vcpu import Vcpu

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_engine.machine.machine import Machine

CORE = {
    # The processor library and what lies around it.
    "_uc", "_bare", "_flat", "_pristine", "_stale", "_vmcb", "_counter", "_control",
    "_marks", "_reader", "_is_closed",
    # The ways to count: no run shows which one it is.
    "_mapped", "_counted", "_blocks", "_way",
    # Mean nothing between two runs.
    "_loaded", "_before", "_told", "_skip", "retired",
    # Of the configuration.
    "_is_strict", "_is_usual",
    # Known from what has happened since the last act: `capture.put` has it forgotten.
    "answers",
    # The debugger's.
    "_stops",
    # Follows from the debug registers: `arm_guest` is asked at each entry.
    "_guest",
}  # fmt: skip
LOG = {"_clock", "_events", "next_seq", "observers", "observers_of"}
MACHINE = {
    "config", "plan", "log", "vm", "schedule", "points", "watches", "catches", "lints",
    "before_act", "on_act", "on_turn", "_goal",
    # What was seen of the pages that SIPIs name: told by `why`, and no state.
    "starts",
}  # fmt: skip


def test_every_attribute_is_a_part_or_known_to_be_elsewhere() -> None:
    """One that is new must be thought of: is it state?"""
    m = machines.ap_bringup(1)
    if not hasattr(m.vm, "__dict__"):
        pytest.skip("what is compiled does not tell its attributes")
    assert set(vars(m.vm)) == {*parts.VM, *parts.VM_ELSEWHERE}
    assert not set(parts.VM) & set(parts.VM_ELSEWHERE)
    assert set(vars(m.schedule)) == {*parts.SCHEDULE, "_vm"}
    assert set(vars(m.vm.core)) == CORE
    assert set(vars(m.log)) == LOG
    assert set(vars(m)) == MACHINE
    assert {field.name for field in fields(Vcpu)} >= set(parts.VCPU_ELSEWHERE)


def test_every_device_that_has_state_is_a_part() -> None:
    m = machines.ap_bringup(1)
    named = {part.name for part in parts.parts(m)}
    with_state = {d.name for d in m.vm.devices if d.state is not None}
    assert with_state <= named
    assert {"vcpu0", "vcpu0.apic", "vcpu0.vie", "vm", "schedule", "events"} <= named


def _busy(number: int, acts: int = 25) -> tuple[Machine, Random]:
    seed = Random(number)
    m = random_acts.machine(seed)()
    for _ in range(acts):
        random_acts.act(m, seed)
    m.break_only_at([])
    m.catches.remove()
    for vcpu in m.vcpus:
        vcpu.stopped_at = None  # the debugger's, which no checkpoint holds
    return m, seed


@pytest.mark.parametrize("number", range(100, 112))
def test_what_is_put_back_is_what_was_taken_and_goes_on_alike(number: int) -> None:
    m, seed = _busy(number)
    digester = Digester(m)
    kept, before = capture.take(m), digester.digest()
    futures = []
    for _ in range(2):
        again = Random(number)
        for _ in range(20):
            random_acts.act(m, again)
        m.break_only_at([])
        m.catches.remove()
        futures.append((digester.digest(), machines.fingerprint(m)))
        capture.put(m, kept)
        assert digester.digest() == before
    assert futures[0] == futures[1]
    assert capture.position(m) == kept.at
    assert seed.random() < 1


def test_a_checkpoint_is_not_touched_by_what_comes_after() -> None:
    m, _ = _busy(7)
    kept = capture.take(m)
    shown = repr((kept.parts, kept.registers))
    for number in range(30):
        random_acts.act(m, Random(number))
    assert repr((kept.parts, kept.registers)) == shown


def test_pages_that_did_not_change_are_shared() -> None:
    m = machines.ap_bringup(1)
    first = capture.take(m)
    m.vm.memory.write(0x20_0123, b"x")
    second = capture.take(m, first)
    (blocks,), (other,) = first.pages.regions, second.pages.regions
    differing = [n for n, block in enumerate(other) if block is not blocks[n]]
    assert differing == [0x20_0000 // PAGE // pages.MANY]
    (number,) = differing
    changed = [
        index
        for index, page in enumerate(other[number])
        if page is not blocks[number][index]
    ]
    assert changed == [0]
    assert capture.take(m, second).pages.regions[0] is other


def test_a_page_that_is_zero_again_is_the_zero_page() -> None:
    m = machines.ap_bringup(1)
    m.vm.memory.write(0x20_0000, b"x")
    full = capture.take(m)
    m.vm.memory.write(0x20_0000, b"\0")
    assert capture.take(m, full).pages.regions[0][8][0] is pages.ZERO


def test_memory_is_put_back_where_the_guest_had_code() -> None:
    """Translations of what was overwritten are dropped."""
    m = machines.machine(b"\x40\xeb\xfd")  # inc ax; jmp $-1
    kept = capture.take(m)
    m.run(10)
    m.vm.memory.write(0x1_0000, b"\x48")  # dec ax
    m.run(10)
    capture.put(m, kept)
    m.run(10)
    assert m.vcpus[0].regs.gpr[0] == 5


def test_the_first_field_that_differs_can_be_named() -> None:
    m, other = machines.ap_bringup(2), machines.ap_bringup(2)
    other.vcpus[1].apic.tpr = 0x20
    other.vm.memory.write(0x30_0000, b"\x01")
    one, two = Digester(m).fields(), Digester(other).fields()
    assert {name for name in one if one[name] != two[name]} == set()
    assert set(two) - set(one) == {"memory 0x300000", "vcpu1.apic.tpr"}
    assert two["vcpu1.apic.tpr"] == "0x20"
    assert Digester(m).digest() != Digester(other).digest()


def test_hashing_by_and_by_gives_what_hashing_anew_gives() -> None:
    m = machines.ap_bringup(2)
    digester = Digester(m)
    for _ in range(20):
        m.run(2000)
        assert digester.digest() == Digester(m).digest()
        assert digester.fields() == Digester(m).fields()


DIGEST = """
import sys
sys.path[:0] = {paths!r}
from random import Random
from rigs import random_acts
from lapis_engine.replay.digest import Digester
for number in range(200, 206):
    seed = Random(number)
    m = random_acts.machine(seed)()
    for _ in range(25):
        random_acts.act(m, seed)
    print(Digester(m).digest())
"""


def test_a_digest_is_the_same_in_every_process_and_working_directory(
    tmp_path: Path,
) -> None:
    """Nothing of the host is in it: no address, no order of a hash."""
    code = DIGEST.format(paths=[str(machines.ROOT / "tests")])
    found = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=where,
            env={"PYTHONHASHSEED": salt},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for where, salt in ((tmp_path, "1"), ("/", "2"))
    ]
    assert found[0] == found[1]
    assert len(set(found[0].split())) == 6
