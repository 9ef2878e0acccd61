"""The flash against the data sheet of Intel's StrataFlash (J3) and JEDEC JESD68."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.ram import Ram, wired

from lapis_engine.boot.image import Blob, BootPlan, ProtectedEntry
from lapis_engine.devices import flash, pci
from lapis_engine.devices.device import Device, Range, ShadowChanged, Signals
from lapis_engine.errors import ConfigError
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_engine.replay import capture
from lapis_engine.replay.digest import Digester
from lapis_plugins.testing import Touch, check_device

SIZE = 0x1_0000
BASE = 0xFFFF_0000
CHANGED = (ShadowChanged(),)


def chip() -> tuple[Device, Ram]:
    rom = Ram(bytearray(), bytearray(i % 251 for i in range(SIZE)), BASE)
    return wired(flash.device(SIZE), rom), rom


def read(device: Device, offset: int, size: int = 1) -> int:
    return device.access.read(device.state, BASE + offset, size, 0)


def write(device: Device, offset: int, *values: int) -> list[Signals]:
    return [device.access.write(device.state, BASE + offset, 1, v, 0) for v in values]


def is_hidden(device: Device) -> bool:
    assert device.hides is not None
    hidden = device.hides(device.state)
    assert hidden in ((), (Range(BASE, SIZE),))
    return bool(hidden)


def test_in_array_mode_it_is_memory() -> None:
    device, _ = chip()
    assert not is_hidden(device)
    assert read(device, 3) == 3
    assert read(device, 252, 4) == 0x0403_0201


def test_other_modes_hide_the_memory_and_the_array_command_shows_it() -> None:
    device, _ = chip()
    assert write(device, 0, 0x70) == [CHANGED]
    assert is_hidden(device)
    assert write(device, 0, 0x90, 0x98) == [(), ()]
    assert write(device, 0, 0xFF) == [CHANGED]
    assert not is_hidden(device)


def test_the_query_says_what_it_is() -> None:
    device, _ = chip()
    write(device, 0x55, 0x98)
    assert bytes(read(device, at) for at in range(0x10, 0x13)) == b"QRY"
    assert read(device, 0x13, 2) == 0x0001  # Intel extended command set
    assert read(device, 0x15, 2) == 0x0031
    assert bytes(read(device, 0x31 + at) for at in range(3)) == b"PRI"
    assert read(device, 0x27) == 16  # 2 to the 16 bytes
    assert read(device, 0x28, 2) == 0  # 8 bits
    assert read(device, 0x2A, 2) == 8  # a buffer of 256
    assert read(device, 0x2C) == 1  # erase blocks of one size
    assert read(device, 0x2D, 2) == 15  # blocks, less one
    assert read(device, 0x2F, 2) == 16  # of 16 * 256 bytes
    assert read(device, 0) == 0
    assert read(device, 0x110) == ord("Q")
    assert read(device, 0xF0) == 0


def test_it_identifies_itself() -> None:
    device, _ = chip()
    write(device, 0, 0x90)
    assert [read(device, at) for at in (0, 1, 2, 3)] == [0x89, 0x18, 0, 0]
    assert read(device, 0x5000, 2) == 0x1889


def test_what_ovmf_asks_of_it() -> None:
    """`QemuFlashDetected`: RAM, ROM and flash differ in what 0x50 and 0x70 do."""
    device, _ = chip()
    at, original = 0x90, 0x90
    write(device, at, 0x50)
    assert read(device, at) == original
    write(device, at, 0x70)
    assert read(device, at) == 0x00
    write(device, at, 0xFF)
    assert read(device, at) == original


@pytest.mark.parametrize("command", [0x40, 0x10])
def test_programming_a_byte_clears_bits_and_sets_none(command: int) -> None:
    device, rom = chip()
    assert write(device, 0x0F, command, 0xF5) == [CHANGED, ()]
    assert read(device, 0) == 0x80  # the status, wherever
    assert rom.rom[0x0F] == 0x05
    assert is_hidden(device)
    write(device, 0x0F, 0xFF)
    assert read(device, 0x0F) == 0x05


def test_erasing_sets_a_block_of_4_kib() -> None:
    device, rom = chip()
    before = bytes(rom.rom)
    write(device, 0x2345, 0x20, 0xD0)
    assert read(device, 0x2345) == 0x80
    assert rom.rom == before[:0x2000] + b"\xff" * 0x1000 + before[0x3000:]
    write(device, 0x2FFF, 0x40, 0x12)
    assert rom.rom[0x2FFF] == 0x12


@pytest.mark.parametrize("bad", [0xFF, 0x20, 0x00])
def test_an_erase_without_its_confirmation_is_a_sequence_error(bad: int) -> None:
    device, rom = chip()
    before = bytes(rom.rom)
    write(device, 0, 0x20, bad)
    assert read(device, 0) == 0xB0
    assert rom.rom == before
    write(device, 0, 0x40, 0x00)
    assert read(device, 0) == 0xB0  # errors stay
    write(device, 0, 0x50, 0x70)
    assert read(device, 0) == 0


def test_a_buffered_program_takes_count_bytes_and_confirmation() -> None:
    device, rom = chip()
    write(device, 0x100, 0xE8)
    assert read(device, 0x100) == 0x80
    write(device, 0x100, 2)
    for at, value in ((0x10F, 0x01), (0x110, 0xFF), (0x120, 0x0F)):
        write(device, at, value)
    assert rom.rom[0x10F] == 0x10F % 251
    write(device, 0x100, 0xD0)
    assert read(device, 0) == 0x80
    assert (rom.rom[0x10F], rom.rom[0x110], rom.rom[0x120]) == (0, 0x15, 0x05)


@pytest.mark.parametrize(
    ("second", "confirm", "status"), [(0x201, 0xD0, 0x90), (0x101, 0xFF, 0xB0)]
)
def test_a_buffered_program_beyond_its_page_or_unconfirmed_fails(
    second: int, confirm: int, status: int
) -> None:
    device, rom = chip()
    before = bytes(rom.rom)
    write(device, 0x100, 0xE8, 1)
    write(device, 0x100, 0)
    write(device, second, 0)
    write(device, 0x100, confirm)
    assert read(device, 0) == status
    assert rom.rom == before


def test_wide_accesses_come_as_bytes() -> None:
    device, rom = chip()
    assert device.access.write(device.state, BASE + 0x1000, 2, 0xD020, 0) == CHANGED
    assert rom.rom[0x1000:0x2000] == b"\xff" * 0x1000
    assert read(device, 0, 4) == 0x8080_8080


def test_a_write_beyond_its_end_is_dropped() -> None:
    device, rom = chip()
    before = bytes(rom.rom)
    device.access.write(device.state, BASE + SIZE - 1, 8, 0x0040_0040_0040_0040, 0)
    assert rom.rom[:-1] == before[:-1]
    assert read(device, 0) & 0x90 == 0x90


@pytest.mark.parametrize("size", [0, -4096, 100, 4097])
def test_a_flash_has_whole_blocks(size: int) -> None:
    with pytest.raises(ConfigError, match="4 KiB"):
        flash.device(size)


# Against a slow model.


@dataclass
class SlowFlash:
    """The same by a history of writes that is read anew each time."""

    data: list[int]
    writes: list[tuple[int, int]] = field(default_factory=list)
    status: int = 0
    shows: str = "array"

    def write(self, at: int, value: int) -> None:
        self.writes.append((at, value))
        first = self.writes[0][1]
        if first in (0x40, 0x10) and len(self.writes) == 2:
            self.data[at] &= value
            self.end(0)
        elif first == 0x20 and len(self.writes) == 2:
            if value == 0xD0:
                for each in range(len(self.data)):
                    if each // 4096 == at // 4096:
                        self.data[each] = 255
            self.end(0 if value == 0xD0 else 0x30)
        elif first == 0x60 and len(self.writes) == 2:
            self.end(0 if value in (0xD0, 1) else 0x30)
        elif first == 0xE8 and len(self.writes) > 2:
            self.buffered()
        elif len(self.writes) == 1:
            self.begin(first)

    def buffered(self) -> None:
        body = self.writes[2:]
        if len(body) <= self.writes[1][1] + 1:
            return
        *body, (_, confirm) = body
        if confirm != 0xD0:
            self.end(0x30)
        elif len({at >> 8 for at, _ in body}) > 1:
            self.end(0x10)
        else:
            for at, value in body:
                self.data[at] &= value
            self.end(0)

    def begin(self, command: int) -> None:
        self.shows = "status"
        if command == 0xE8:
            self.status |= 0x80
        if command in (0x10, 0x20, 0x40, 0x60, 0xE8):
            return
        self.writes.clear()
        if command == 0x50:
            self.status = 0
        self.shows = {0x70: "status", 0x90: "id", 0x98: "query"}.get(command, "array")

    def end(self, errors: int) -> None:
        self.writes.clear()
        self.status |= 0x80 | errors


VALUES = st.one_of(
    st.sampled_from((0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0x90, 0x98, 0xE8, 0xFF)),
    st.sampled_from((0xD0, 0xD0, 0x00, 0x01, 0x02)),
    st.integers(0, 255),
)
PLACES = st.one_of(st.integers(0x100, 0x103), st.integers(0, SIZE - 1))


@given(st.lists(st.tuples(PLACES, VALUES), max_size=60))
@settings(max_examples=200, deadline=None)
def test_it_does_what_one_does_that_looks_at_the_whole_sequence(
    writes: list[tuple[int, int]],
) -> None:
    device, rom = chip()
    slow = SlowFlash(list(rom.rom))
    for at, value in writes:
        write(device, at, value)
        slow.write(at, value)
        assert is_hidden(device) == (slow.shows != "array")
        if slow.shows == "status":
            assert read(device, at) == slow.status
        elif slow.shows == "array":
            assert read(device, at) == slow.data[at]
    assert list(rom.rom) == slow.data


def test_it_is_saved_and_put_back_in_the_middle_of_its_work() -> None:
    sequence = [
        (0x100, 0xE8), (0x100, 1), (0x100, 0x12), (0x180, 0x34), (0x100, 0xD0),
        (0x100, 0x20), (0x100, 0xD0), (0, 0x98), (0, 0xFF), (0, 0x40), (0, 0x55),
        (0, 0x70), (0, 0xE8), (0, 3), (1, 1), (2, 2),
    ]  # fmt: skip
    for cut in range(len(sequence)):
        touches = [
            touch
            for at, value in sequence[cut:] + sequence[:cut]
            for touch in (Touch(BASE + at, 1, value), Touch(BASE + 0x10, 1))
        ]
        check_device(lambda: flash.device(SIZE), touches)
    check_device(lambda: chip()[0])


# On a machine.

GDT = bytes(8) + bytes.fromhex("ffff0000009bcf00 ffff00000093cf00")
PROGRAM = bytes.fromhex(
    "be0000ffff bf00050000"  # mov esi, the flash; mov edi, the results
    "8a4610 aa"  # what is at 0x10
    "c60698 8a4610 aa"  # query: Q
    "c606ff 8a06 aa"  # array: what is at 0
    "c6461040 c646105a 8a06 aa"  # program it: the status
    "c606ff 8a4610 aa"  # what is at 0x10 now
    "c6860010000020 c68600100000d0 c606ff 8a8600100000 aa"  # erase block 1
    "fe0500060000 803d0006000002 7501 f4"  # inc byte [0x600]; halt the second time
    "66baf90c b006 ee ebfe"  # reset
)


def machine() -> Machine:
    plan = BootPlan(
        "test",
        (Blob(0x800, GDT), Blob(0x1000, PROGRAM), Blob(BASE, b"\x3c" * SIZE, rom=True)),
        ProtectedEntry(0x1000, 0, 0, 0x800, len(GDT) - 1, 8, 16),
    )
    config = MachineConfig(cpus=1, memory=1 << 20, on_reset="reboot", flash=SIZE)
    return Machine(config, plan, [flash.device(SIZE), pci.device()])


def test_a_guest_programs_it_and_it_keeps_that_over_a_reset() -> None:
    m = machine()
    first = bytes((0x3C, ord("Q"), 0x3C, 0x80, 0x18, 0xFF))
    assert m.run(24).reason == "budget"
    assert m.read_physical(0x500, 6) == first
    assert m.run(1000).reason == "halted"
    assert m.read_physical(0x500, 6) == bytes((0x18, ord("Q"), 0x3C, 0x80, 0x18, 0xFF))
    assert m.read_physical(BASE + 0xFFF, 2) == b"\x3c\xff"


def test_a_checkpoint_holds_its_mode_and_what_is_in_it() -> None:
    m = machine()
    for _ in range(40):
        m.run(1)
        kept, before = capture.take(m), Digester(m).fields()
        m.run(5)
        after = Digester(m).fields()
        capture.put(m, kept)
        assert Digester(m).fields() == before
        m.run(5)
        assert Digester(m).fields() == after
        capture.put(m, kept)
    assert m.run(1000).reason == "halted"
    assert m.read_physical(0x500, 6) == bytes((0x18, ord("Q"), 0x3C, 0x80, 0x18, 0xFF))
