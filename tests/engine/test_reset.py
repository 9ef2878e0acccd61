"""A reset starts the machine again, where it does not stop for one.

How a PC is reset: IBM PS/2 Technical Reference "System Control Port A" (port 0x92),
8042 "Pulse Output Port" (0xFE), Intel PIIX4 "RC: Reset Control Register" (0xCF9), and
the triple fault, SDM Vol. 3A "Interrupt 8 - Double Fault Exception (#DF)".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lapis_engine.boot import flat, tables
from lapis_engine.boot.image import Blob, BootPlan
from lapis_engine.devices import cmos, pci, pit, ps2, uart
from lapis_engine.errors import ConfigError
from lapis_engine.events import Rebooted, Suspended
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_engine.replay import capture
from lapis_engine.replay.digest import state_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

MEMORY = 1 << 20
COUNT = 0x600
"""A byte of RAM in which the guest counts its starts."""
STARTS = "fe060006 803e000603 7501 f4"
"""inc byte [COUNT]; cmp byte [COUNT], 3; jne over the hlt."""
WAYS = {
    "port 0x92": "b001 e692",
    "port 0xcf9": "baf90c b006 ee",
    "8042": "b0fe e664",
    "triple fault": "0f011e1006 0f0b",  # lidt [0x610], which is zero; ud2
}


def machine(code: str, on_reset: str = "reboot", cpus: int = 1) -> Machine:
    image = bytes.fromhex(code) + b"\xeb\xfe"
    config = MachineConfig(cpus=cpus, memory=MEMORY, on_reset=on_reset)
    devices = [
        uart.device(), pit.device(), ps2.device(), pci.device(),
        cmos.device(MEMORY, cpus),
    ]  # fmt: skip
    return Machine(config, flat.load(image, memory_bytes=MEMORY), devices)


def reboots(m: Machine) -> Sequence[Rebooted]:
    return [e.event for e in m.log.last(99) if isinstance(e.event, Rebooted)]


@pytest.mark.parametrize("way", WAYS)
def test_each_way_starts_it_again(way: str) -> None:
    m = machine(STARTS + WAYS[way])
    assert m.run(1000).reason == "halted"
    assert m.read_physical(COUNT, 1) == b"\x03"  # RAM is kept
    found = reboots(m)
    assert [e.how for e in found] == [
        "triple-fault" if way == "triple fault" else "reset"
    ] * 2
    assert all(e.vcpu == 0 and e.text for e in found)
    assert not [e for e in m.log.last(99) if isinstance(e.event, Suspended)]


@pytest.mark.parametrize("way", WAYS)
def test_it_stops_by_default(way: str) -> None:
    m = machine(STARTS + WAYS[way], "stop")
    assert MachineConfig().on_reset == "stop"
    assert m.run(1000).reason == "suspended"
    assert m.read_physical(COUNT, 1) == b"\x01"
    assert not reboots(m)


def test_what_is_as_at_power_on_and_what_is_not() -> None:
    """Registers, MSRs, vectors, the 8042, the UART and the image; not the CMOS."""
    dirty = (
        "b00f e670 b00a e671"  # CMOS shutdown code 0x0A
        "b083 bafb03 ee"  # LCR of COM1: DLAB
        "66b977020000 0f32 6633c0 0f30"  # PAT: byte 0 becomes 0
        "d9e8"  # fld1
        "66b811111111 0f23c0"  # DR0
    )
    m = machine("fe060006" + dirty + WAYS["port 0x92"])
    first = dict(state_fields(m))
    m.catches.add("reset")
    assert m.run(1000).reason == "catch"
    after = dict(state_fields(m))
    changed = {
        name
        for name in first.keys() | after.keys()
        if first.get(name) != after.get(name)
    }
    allowed = ("vm.now", "vm.rebooted_at", "events.", "memory", "page", "schedule.")
    left = {n for n in changed if not n.startswith(allowed)}
    kept = {"vcpu0.retired", "vcpu0.tsc_offset"}
    assert {n for n in left if not n.startswith("cmos")} <= kept, left
    assert any(n.startswith("cmos") for n in left)
    assert m.vm.now > 0
    assert m.vcpus[0].tsc_offset == -m.vm.now


def test_the_image_is_put_back() -> None:
    m = machine("2ec606000000" + STARTS + WAYS["port 0x92"])  # mov byte [cs:0], 0
    assert m.run(1000).reason == "halted"
    assert m.read_physical(COUNT, 1) == b"\x03"


@pytest.mark.parametrize("way", WAYS)
def test_one_that_reboots_for_ever_ends_with_its_budget(way: str) -> None:
    m = machine(WAYS[way])
    assert (m.run(200).reason, m.run(200).reason) == ("budget", "budget")
    assert len(reboots(m)) > 20


def test_one_that_reboots_without_an_instruction_stops() -> None:
    """UD2 in protected mode, with no gate in the IDT."""
    blobs = (tables.gdt(), Blob(0x1_0000, bytes.fromhex("0f0b")))
    plan = BootPlan("ud2", blobs, tables.protected_entry(0x1_0000))
    m = Machine(MachineConfig(1, MEMORY, on_reset="reboot"), plan, [])
    assert [m.run(1000).reason for _ in range(2)] == ["suspended"] * 2
    assert len(reboots(m)) == 1


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 17])
@pytest.mark.parametrize("way", WAYS)
def test_a_run_may_be_cut_anywhere(way: str, cut: int) -> None:
    states = []
    for size in (cut, 100):
        m = machine("fe060006" + WAYS[way], cpus=2)
        ran = 0
        while ran < 100:
            ran += m.run(min(size, 100 - ran)).retired
        states.append(state_fields(m))
    assert states[0] == states[1]


def test_a_checkpoint_goes_back_over_it() -> None:
    m = machine(STARTS + WAYS["port 0xcf9"])
    m.run(3)
    before, fields = capture.take(m), state_fields(m)
    assert m.run(1000).reason == "halted"
    after = state_fields(m)
    capture.put(m, before)
    assert state_fields(m) == fields
    assert m.run(1000).reason == "halted"
    assert state_fields(m) == after


def test_an_unknown_choice_is_refused() -> None:
    with pytest.raises(ConfigError, match="'again': stop or reboot is expected"):
        machine("90", "again")
