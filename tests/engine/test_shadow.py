"""ROM over RAM below 1 MiB: what a guest reads and writes, and going back."""

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from lapis_engine.boot.image import Blob, BootPlan, ProtectedEntry, ResetEntry
from lapis_engine.devices.device import Device, Range, ShadowChanged
from lapis_engine.errors import ConfigError
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_engine.replay import capture
from lapis_engine.replay.digest import Digester
from lapis_engine.shadow import Shadow

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals

PORT = 0x99
RESULTS = 0x500


@dataclass(slots=True)
class Chipset:
    """Bit 0 has writes of 0xE0000 go to RAM, bit 1 reads."""

    bits: int = 0


class Access:
    def read(self, state: Chipset, address: int, size: int, now: int) -> int:
        del address, size, now
        return state.bits

    def write(
        self, state: Chipset, address: int, size: int, value: int, now: int
    ) -> "Signals":
        del address, size, now
        state.bits = value
        return (ShadowChanged(),)


def shadow(state: Chipset) -> tuple[Shadow, ...]:
    reads, writes = bool(state.bits & 2), bool(state.bits & 1)
    return (
        Shadow(0xC_0000, 0x4000, reads_ram=False, writes_ram=writes),
        Shadow(0xE_0000, 0x4000, reads_ram=reads, writes_ram=writes),
        Shadow(0xF_0000, 0x1_0000, reads_ram=False, writes_ram=False),
    )


def look(at: int) -> str:
    """`mov al, [0]` and keep it."""
    return "a00000 26a2" + (RESULTS + at).to_bytes(2, "little").hex()


CODE = bytes.fromhex(
    "b800e0 8ed8 31c0 8ec0"  # mov ax, 0xe000; mov ds, ax; xor ax, ax; mov es, ax
    + look(0)
    + "c60600005a"  # mov byte [0], 0x5a: dropped
    + look(1)
    + "b001 e699 c60600005a"  # writes go to RAM, reads do not
    + look(2)
    + "b003 e699"  # both
    + look(3)
    + "c606000066"
    + look(4)
    + "b002 e699 c606000077"  # reads alone: dropped
    + look(5)
    + "b000 e699"  # as at first
    + look(6)
    + "f4"
)
SEEN = bytes.fromhex("11 11 11 5a 66 66 11")
ROM = (b"\x11" * 0x1_0000 + CODE).ljust(0x1_FFF0, b"\x90") + bytes.fromhex("ea000000f0")


def machine(memory: int = 4 << 20, *, on_reset: str = "stop") -> Machine:
    rom = ROM.ljust(0x2_0000, b"\x90")
    blobs = Blob(0xE_0000, rom), Blob((1 << 32) - len(rom), rom, rom=True)
    device: Any = Device(
        "chipset", Chipset(), Access(), (Range(PORT, 1),), shadow=shadow
    )
    config = MachineConfig(cpus=1, memory=memory, on_reset=on_reset)
    return Machine(config, BootPlan("firmware", blobs, ResetEntry()), [device])


def test_a_guest_sees_the_one_or_the_other() -> None:
    it = machine()
    assert it.run(1000).reason == "halted"
    assert it.vm.memory.read(RESULTS, len(SEEN)) == SEEN


def test_it_comes_to_the_same_from_anywhere_in_between() -> None:
    it = machine()
    kept = [capture.take(it)]
    while it.run(1).reason == "budget":
        kept.append(capture.take(it, kept[-1]))
    end = Digester(it).digest()
    assert len(kept) > 30
    for each in reversed(kept):
        capture.put(it, each)
        it.run(1000)
        assert Digester(it).digest() == end
        assert it.vm.memory.read(RESULTS, len(SEEN)) == SEEN


def test_what_nothing_covers_is_a_hole_for_reads() -> None:
    it = machine()
    memory = it.vm.memory
    assert memory.region(0xC_0000) is None
    assert not memory.write_beneath(0xC_0000, b"x")
    it.vm.devices[0].state.bits = 1
    it.vm.map_anew()
    assert memory.region(0xC_0000) is None
    assert memory.write_beneath(0xC_0000, b"x")
    assert [region.name for region in memory.regions if region.gpa == 0xC_0000] == [
        "RAM"
    ]


@pytest.mark.parametrize("memory", [1, 2, 3072, 3073, 5000])
def test_ram_is_all_there_up_to_3_gib_and_from_4_gib_on(memory: int) -> None:
    it = machine(memory << 20)
    ram = [r for r in it.vm.memory.regions if r.name.startswith("RAM")]
    assert sum(region.size for region in ram) == memory << 20
    assert all(r.end <= 3 << 30 or r.gpa >= 4 << 30 for r in ram)
    it.run(1000)
    assert it.vm.memory.read(RESULTS, len(SEEN)) == SEEN


def test_memory_has_a_limit() -> None:
    with pytest.raises(ConfigError, match="memory"):
        MachineConfig(memory=(64 << 30) + (1 << 20)).check()


@pytest.mark.parametrize("at", [0xE0_0000, 0xFF_0000, 0xFFFF_0000])
def test_a_store_to_rom_behind_a_load_is_dropped(at: int) -> None:
    """Wherever the ROM lies: the load leaves the processor with a way to the page."""
    where = at.to_bytes(4, "little").hex()
    code = bytes.fromhex(
        # mov al, [rom]; mov [0x500], al; mov byte [rom], 0x5a; the first two; hlt
        f"a0{where} a200050000 c605{where}5a a0{where} a201050000 f4"
    )
    gdt = struct.pack("<3Q", 0, 0x00CF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF)
    rom = Blob(at, b"\x11" * 0x1000, rom=True)
    entry = ProtectedEntry(0x9000, 0, 0, 0x8000, 23, 8, 16)
    plan = BootPlan("x", (Blob(0x8000, gdt), Blob(0x9000, code), rom), entry)
    it = Machine(MachineConfig(cpus=1, memory=4 << 20), plan, [])
    it.run(1000)
    assert it.vm.memory.read(RESULTS, 2) == b"\x11\x11"
    assert it.vm.memory.read(at, 1) == b"\x11"
