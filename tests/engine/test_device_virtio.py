"""Virtio devices against VIRTIO 1.1, driven as a guest's driver does."""

from __future__ import annotations

import hashlib
import struct
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.ram import Ram, wired
from rigs.virtio_driver import (
    EVENT_IDX,
    INDIRECT,
    IO,
    MODERN,
    MSIX,
    VERSION_1,
    Driver,
)

from lapis_engine.devices.device import InterruptMessage, IntxChanged, Range
from lapis_engine.devices.virtio import block, entropy
from lapis_engine.events import Oddity
from lapis_plugins.testing import Touch, check_device

if TYPE_CHECKING:
    from lapis_engine.devices.device import Device

SECTORS = 40
DISK = b"".join(bytes((number,)) * 512 for number in range(SECTORS))
HEADER, DATA, STATUS = 0x100, 0x4000, 0x180
READ, FILL, FLUSH, GET_ID = 0, 1, 4, 8


def disk(data: bytes = DISK) -> Driver:
    ram = Ram(bytearray(0x2_0000))
    return Driver(wired(block.device(data, 3), ram), ram)


def source(seed: int = 7) -> Driver:
    ram = Ram(bytearray(0x2_0000))
    return Driver(wired(entropy.device(seed, 4), ram), ram)


def ask(
    driver: Driver,
    kind: int,
    sector: int = 0,
    size: int = 512,
    *,
    table: int | None = None,
    old: bool = False,
) -> int:
    """Do one request and return its status."""
    driver.ram.write(HEADER, struct.pack("<IIQ", kind, 0, sector))
    driver.ram.write(STATUS, b"\xee")
    out, into = [(HEADER, 16)], [(STATUS, 1)]
    if size:
        (out if kind == FILL else into).insert(kind == FILL, (DATA, size))
    head = driver.add(out, into, table=table)
    (driver.notify_old if old else driver.notify)()
    driver.wait()
    assert [found for found, _ in driver.taken()] == [head]
    return driver.ram.data[STATUS]


def data(driver: Driver, size: int) -> bytes:
    return bytes(driver.ram.data[DATA : DATA + size])


# Discovery.


def test_the_disk_says_what_it_is() -> None:
    driver = disk()
    assert driver.config(0, 4) == 0x1001_1AF4
    assert driver.config(0x08, 4) == 0x0100_0000  # SCSI class, transitional
    assert driver.config(0x2C, 4) == 0x0002_1AF4
    assert driver.config(0x3D, 1) == 1  # INTA#
    driver = source()
    assert driver.config(0, 4) == 0x1005_1AF4
    assert driver.config(0x2C, 4) == 0x0004_1AF4


def test_capabilities_say_where_the_structures_are() -> None:
    driver = disk()
    assert driver.config(6, 2) & 0x10
    at, found, msix = driver.config(0x34, 1), {}, 0
    while at:
        if driver.config(at, 1) == 0x09:
            kind, bar = driver.config(at + 3, 1), driver.config(at + 4, 1)
            where = driver.config(at + 8, 4), driver.config(at + 12, 4)
            found[kind] = (bar, *where, driver.config(at + 2, 1))
            if kind == 2:
                assert driver.config(at + 16, 4) == 4  # notify_off_multiplier
        elif driver.config(at, 1) == 0x11:
            msix = at
        at = driver.config(at + 1, 1)
    assert found == {
        1: (4, 0x0000, 0x38, 16),
        3: (4, 0x1000, 1, 16),
        4: (4, 0x2000, 0x1000, 16),
        2: (4, 0x3000, 0x1000, 20),
        5: (0, 0, 0, 20),
    }
    assert driver.config(msix + 2, 2) == 1  # two vectors
    assert driver.config(msix + 4, 4) == 1  # table in BAR 1
    assert driver.config(msix + 8, 4) == 0x801


def test_windows_are_where_the_driver_puts_them() -> None:
    driver = disk()
    moves = driver.device.moves
    assert moves is not None
    assert moves.ports(driver.device.state) == ()
    driver.map()
    assert moves.ports(driver.device.state) == (Range(IO, 0x80),)
    assert moves.mmio(driver.device.state) == (
        Range(MSIX, 0x1000), Range(MODERN, 0x4000)
    )  # fmt: skip
    assert driver.get(0x1234, 2) == 0xFFFF
    driver.put(0x1234, 2, 0)


def test_features_by_both_interfaces() -> None:
    driver = disk()
    driver.map()
    driver.put(MODERN, 4, 0)
    low = driver.get(MODERN + 4, 4)
    driver.put(MODERN, 4, 1)
    assert driver.get(MODERN + 4, 4) == 1  # VERSION_1
    driver.put(MODERN, 4, 2)
    assert driver.get(MODERN + 4, 4) == 0
    # Segments, geometry, block size, flush; any layout, indirect, event index.
    assert low == 1 << 2 | 1 << 4 | 1 << 6 | 1 << 9 | 7 << 27
    assert driver.get(IO, 4) == low


def test_the_configuration_of_the_disk() -> None:
    driver = disk(bytes(512 * 20_000))
    driver.map()
    assert driver.get(MODERN + 0x2000, 8) == 20_000
    assert driver.get(MODERN + 0x200C, 4) == 126
    assert driver.get(MODERN + 0x2010, 2) == 19  # 20000 / (16 * 63)
    assert driver.get(MODERN + 0x2012, 2) == 63 << 8 | 16
    assert driver.get(MODERN + 0x2014, 4) == 512
    assert driver.get(MODERN + 0x2050, 4) == 0
    assert driver.get(IO + 0x14, 4) == 20_000
    driver.config(0x9A, 2, 0x8000)  # with MSI-X it moves
    assert driver.get(IO + 0x18, 4) == 20_000
    assert driver.get(IO + 0x14, 4) == 0xFFFF_FFFF  # two vectors: none


def test_features_that_cannot_be_are_refused() -> None:
    for features in (0, VERSION_1 | 1 << 3, VERSION_1 | 1 << 33):
        driver = disk()
        driver.map()
        driver.put(MODERN + 0x14, 1, 3)
        for half in (0, 1):
            driver.put(MODERN + 8, 4, half)
            driver.put(MODERN + 12, 4, features >> 32 * half & 0xFFFF_FFFF)
        driver.put(MODERN + 0x14, 1, 0x0B)
        assert driver.get(MODERN + 0x14, 1) == 0x03


def test_a_status_of_0_resets_all_but_pci() -> None:
    driver = disk()
    driver.start()
    driver.put(MODERN + 0x16, 2, 5)
    assert driver.get(MODERN + 0x18, 4) == 0  # there is no queue 5
    driver.put(MODERN + 0x14, 1, 0)
    assert driver.get(MODERN + 0x14, 4) == 0
    assert driver.get(MODERN + 0x18, 2) == 128
    assert driver.get(MODERN + 0x1C, 2) == 0
    assert driver.get(MODERN + 0x20, 8) == 0
    assert driver.get(MODERN + 0x12, 2) == 1


def test_a_queue_that_is_enabled_stays_where_it_is() -> None:
    driver = disk()
    driver.start()
    for at, size in ((0x18, 2), (0x20, 4), (0x2C, 4), (0x30, 8)):
        before = driver.get(MODERN + at, size)
        driver.put(MODERN + at, size, 4)
        assert driver.get(MODERN + at, size) == before
    driver.put(MODERN + 0x1C, 2, 0)
    assert driver.get(MODERN + 0x1C, 2) == 1


@pytest.mark.parametrize(
    ("size", "taken"), [(64, 64), (1, 1), (0, 128), (96, 128), (256, 128)]
)
def test_a_queue_size_is_a_power_of_two_that_is_no_greater(
    size: int, taken: int
) -> None:
    driver = disk()
    driver.map()
    driver.put(MODERN + 0x18, 2, size)
    assert driver.get(MODERN + 0x18, 2) == taken


# Requests.


def test_a_read_and_a_write() -> None:
    driver = disk()
    driver.start()
    assert ask(driver, READ, 3, 1024) == 0
    assert data(driver, 1024) == b"\3" * 512 + b"\4" * 512
    driver.ram.write(DATA, b"x" * 512)
    assert ask(driver, FILL, 4) == 0
    assert ask(driver, READ, 3, 1536) == 0
    assert data(driver, 1536) == b"\3" * 512 + b"x" * 512 + b"\5" * 512
    assert driver.device.state.overlay.keys() == {0}


def test_a_request_is_served_5_us_after_it_was_notified_and_its_length_is_told() -> (
    None
):
    driver = disk()
    driver.start()
    driver.ram.write(HEADER, struct.pack("<IIQ", READ, 0, 0))
    driver.add([(HEADER, 16)], [(DATA, 512), (STATUS, 1)])
    driver.wait()
    assert driver.taken() == []
    driver.notify()
    driver.wait(4_999)
    assert driver.taken() == []
    driver.wait(1)
    assert driver.taken() == [(0, 513)]


def test_the_framing_is_free() -> None:
    driver = disk()
    driver.start()
    driver.ram.write(HEADER, struct.pack("<IIQ", READ, 0, 1))
    driver.add(
        [(HEADER, 4), (HEADER + 4, 12)],
        [(DATA, 100), (DATA + 0x400, 412 + 1)],
    )
    driver.notify()
    driver.wait()
    assert driver.taken() == [(0, 513)]
    assert data(driver, 100) == b"\1" * 100
    assert driver.ram.data[DATA + 0x400 : DATA + 0x400 + 414] == (b"\1" * 412 + b"\0\0")


def test_other_requests() -> None:
    driver = disk()
    driver.start()
    assert ask(driver, FLUSH, size=0) == 0
    assert ask(driver, GET_ID, size=20) == 0
    assert data(driver, 20) == b"lapis-disk" + bytes(10)
    assert ask(driver, 11) == 2
    assert driver.said() != []


@pytest.mark.parametrize(
    ("kind", "sector", "size"),
    [
        (READ, SECTORS, 512), (FILL, SECTORS - 1, 1024), (READ, 1 << 63, 512),
        (READ, 0, 100), (FILL, 0, 511), (READ, (1 << 64) - 1, 1024),
    ],
)  # fmt: skip
def test_what_the_disk_has_not_got_is_an_error(
    kind: int, sector: int, size: int
) -> None:
    driver = disk()
    driver.start()
    assert ask(driver, kind, sector, size) == 1
    ((oddity, *_),) = driver.said()
    assert isinstance(oddity, Oddity)
    assert ask(driver, READ) == 0


@pytest.mark.parametrize("kind", [READ, FILL])
@pytest.mark.parametrize("buffer", [(0x1_FF00, 512), (1 << 40, 512), (0, 1 << 31)])
def test_a_buffer_that_is_not_all_memory_is_an_error(
    kind: int, buffer: tuple[int, int]
) -> None:
    driver = disk(bytes(512 << 14))
    driver.start()
    driver.ram.write(HEADER, struct.pack("<IIQ", kind, 0, 0))
    out, into = [(HEADER, 16)], [(STATUS, 1)]
    (out if kind == FILL else into).insert(kind == FILL, buffer)
    driver.add(out, into)
    driver.notify()
    driver.wait()
    assert driver.taken() == [(0, 1)]
    assert driver.ram.data[STATUS] == 1
    assert driver.get(MODERN + 0x14, 1) == 0x0F


def test_indirect_descriptors() -> None:
    driver = disk()
    driver.start(VERSION_1 | INDIRECT)
    assert ask(driver, READ, 9, 1024, table=0x8000) == 0
    assert data(driver, 1024) == b"\x09" * 512 + b"\x0a" * 512


def test_many_requests_at_once_come_back_in_order() -> None:
    driver = disk()
    driver.start()
    heads = []
    for number in range(16):
        place = 0x200 + 16 * number
        driver.ram.write(place, struct.pack("<IIQ", READ, 0, number))
        into = [(DATA + 512 * number, 512), (0x400 + number, 1)]
        heads.append(driver.add([(place, 16)], into))
    driver.notify()
    driver.wait()
    assert driver.taken() == [(head, 513) for head in heads]
    assert data(driver, 512 * 16) == DISK[: 512 * 16]


def test_more_than_16_mib_wait_for_the_next_time() -> None:
    ram = Ram(bytearray(0x2_0000 + (12 << 20)))
    driver = Driver(wired(block.device(bytes(12 << 20), 3), ram), ram)
    driver.start()
    driver.ram.write(HEADER, struct.pack("<IIQ", READ, 0, 0))
    for _ in range(3):
        driver.add([(HEADER, 16)], [(0x2_0000, 12 << 20), (STATUS, 1)])
    driver.notify()
    driver.wait(5_000)
    assert len(driver.taken()) == 2
    driver.wait(5_000)
    assert len(driver.taken()) == 1


def test_the_ring_goes_on_beyond_its_end_and_16_bits() -> None:
    driver = disk()
    driver.size = 8
    driver.start()
    driver.device.state.queues[0].taken = driver.device.state.queues[0].used = 0xFFFE
    driver.added = driver.seen = 0xFFFE
    struct.pack_into("<H", driver.ram.data, driver.available + 2, 0xFFFE)
    struct.pack_into("<H", driver.ram.data, driver.used + 2, 0xFFFE)
    for number in range(20):
        assert ask(driver, READ, number) == 0
        assert data(driver, 1) == bytes((number,))


# The interface of before 1.0.


def test_an_old_driver_reads_and_writes() -> None:
    driver = disk()
    driver.start_old()
    assert driver.size == 128
    assert driver.get(IO + 8, 4) == 0x10
    assert driver.get(IO + 0x12, 1) == 7
    assert ask(driver, READ, 2, old=True) == 0
    assert data(driver, 512) == b"\2" * 512
    assert ask(driver, FILL, 7, old=True) == 0
    assert ask(driver, READ, 7, table=0x8000, old=True) == 0
    assert data(driver, 512) == b"\2" * 512
    assert driver.get(IO + 0x13, 1) == 1
    driver.put(IO + 8, 4, 0)  # the queue is gone
    driver.add([(HEADER, 16)], [(STATUS, 1)])
    driver.notify_old()
    driver.wait()
    assert driver.taken() == []


def test_a_driver_that_notifies_too_early_is_served_when_it_is_ready() -> None:
    driver = disk()
    driver.start()
    driver.config(0x04, 2, 0x0003)  # no bus master
    driver.ram.write(HEADER, struct.pack("<IIQ", READ, 0, 0))
    driver.add([(HEADER, 16)], [(DATA, 512), (STATUS, 1)])
    driver.notify()
    driver.wait()
    assert driver.taken() == []
    driver.config(0x04, 2, 0x0007)
    driver.wait()
    assert driver.taken() == [(0, 513)]


def test_an_old_driver_finds_one_queue_and_none_besides() -> None:
    driver = disk()
    driver.map()
    driver.put(IO + 0x0E, 2, 1)
    assert driver.get(IO + 0x0C, 2) == 0
    driver.put(IO + 8, 4, 5)
    assert driver.get(IO + 8, 4) == 0
    driver.put(IO + 0x10, 2, 1)
    assert driver.device.state.kicked == 0
    driver.config(0x9A, 2, 0x8000)
    driver.put(IO + 0x0E, 2, 0)
    driver.put(IO + 0x14, 2, 1)
    driver.put(IO + 0x16, 2, 0)
    assert driver.get(IO + 0x14, 4) == 1
    driver.put(IO + 4, 4, 0xFFFF_FFFF)  # more than is offered
    assert driver.get(IO + 4, 4) == driver.get(IO, 4)


# Interrupts.

UP, DOWN = (IntxChanged(3, 1, asserted=True),), (IntxChanged(3, 1, asserted=False),)


def test_the_pin_is_up_until_isr_is_read() -> None:
    driver = disk()
    driver.start()
    ask(driver, READ)
    assert driver.said() == [UP]
    assert driver.config(6, 2) & 8
    ask(driver, READ)
    assert driver.said() == []
    assert driver.get(MODERN + 0x1000, 1) == 1
    assert driver.get(MODERN + 0x1000, 1) == 0
    driver.wait(1)
    assert driver.said() == [DOWN]
    assert not driver.config(6, 2) & 8


def test_the_pin_can_be_switched_off() -> None:
    driver = disk()
    driver.start()
    driver.config(0x04, 2, 0x0407)
    ask(driver, READ)
    assert driver.said() == []
    assert driver.config(6, 2) & 8
    driver.config(0x04, 2, 0x0007)
    assert driver.said() == [UP]
    driver.put(MODERN + 0x14, 1, 0)
    assert driver.said() == [DOWN]


def test_a_driver_that_wants_no_interrupt_gets_none() -> None:
    driver = disk()
    driver.start()
    driver.ram.write(driver.available, b"\1\0")
    ask(driver, READ)
    assert driver.said() == []


def test_the_event_index_says_when() -> None:
    driver = disk()
    driver.start(VERSION_1 | EVENT_IDX)
    used_event, avail_event = driver.available + 4 + 256, driver.used + 4 + 1024
    driver.ram.write(used_event, struct.pack("<H", 2))
    heard = []
    for number in range(4):
        ask(driver, READ)
        heard.append(bool(driver.said()))
        assert driver.ram.data[avail_event] == number + 1
        driver.get(MODERN + 0x1000, 1)
        driver.wait()
        driver.said()
    assert heard == [False, False, True, False]


def messages(driver: Driver, vectors: int = 2) -> None:
    """Set MSI-X up: vector n is interrupt 0x40 + n of APIC 5."""
    for vector in range(vectors):
        driver.put(MSIX + 16 * vector, 4, 0xFEE0_5000)
        driver.put(MSIX + 16 * vector + 4, 4, 0)
        driver.put(MSIX + 16 * vector + 8, 4, 0x40 + vector)
        driver.put(MSIX + 16 * vector + 12, 4, 0)
    driver.config(0x9A, 2, 0x8000)
    driver.put(MODERN + 0x10, 2, 0)
    driver.put(MODERN + 0x1A, 2, 1)
    assert driver.get(MODERN + 0x10, 2) == 0
    assert driver.get(MODERN + 0x1A, 2) == 1


MESSAGE = (
    InterruptMessage(
        "virtio-blk vector 1", 5, logical=False, mode="fixed", vector=0x41, level=False
    ),
)


def test_a_message_takes_the_place_of_the_pin() -> None:
    driver = disk()
    driver.start()
    messages(driver)
    ask(driver, READ)
    assert driver.said() == [MESSAGE]
    assert driver.get(MODERN + 0x1000, 1) == 0


@pytest.mark.parametrize("by_function", [False, True])
def test_what_is_masked_is_pending_and_sent_later(by_function: bool) -> None:
    driver = disk()
    driver.start()
    messages(driver)
    if by_function:
        driver.config(0x9A, 2, 0xC000)
    else:
        driver.put(MSIX + 28, 4, 1)
    ask(driver, READ)
    ask(driver, READ)
    assert driver.said() == []
    assert driver.get(MSIX + 0x800, 8) == 2
    if by_function:
        driver.config(0x9A, 2, 0x8000)
    else:
        driver.put(MSIX + 28, 4, 0)
    assert driver.said() == [MESSAGE]
    assert driver.get(MSIX + 0x800, 8) == 0


def test_vectors_that_are_not_there_are_not_taken() -> None:
    driver = disk()
    driver.start()
    messages(driver)
    driver.put(MODERN + 0x1A, 2, 2)
    assert driver.get(MODERN + 0x1A, 2) == 0xFFFF
    ask(driver, READ)
    assert driver.said() == []


def test_a_message_to_nowhere_is_an_oddity() -> None:
    driver = disk()
    driver.start()
    messages(driver)
    driver.put(MSIX + 16, 4, 0x1000)
    ask(driver, READ)
    ((oddity,),) = driver.said()
    assert isinstance(oddity, Oddity)


def test_after_power_on_vectors_are_masked_and_small_writes_are_dropped() -> None:
    driver = disk()
    driver.map()
    assert driver.get(MSIX + 12, 4) == driver.get(MSIX + 28, 4) == 1
    for at, size in ((0, 1), (2, 4), (0x20, 4), (0x800, 8)):
        driver.put(MSIX + at, size, 0x55)
    assert driver.get(MSIX, 8) == 0
    assert driver.get(MSIX + 0x800, 8) == 0


def test_a_function_that_is_no_bus_master_sends_no_message() -> None:
    driver = disk()
    driver.start()
    messages(driver)
    driver.put(MSIX + 28, 4, 1)
    ask(driver, READ)
    driver.config(0x04, 2, 0x0003)
    driver.put(MSIX + 28, 4, 0)
    assert driver.said() == []
    driver.config(0x04, 2, 0x0007)
    assert driver.said() == [MESSAGE]


def test_windows_are_reached_through_configuration_space() -> None:
    driver = disk()
    at = 0x84
    for bar, offset, length, value in ((4, 0x2000, 4, SECTORS), (0, 0x14, 4, SECTORS)):
        driver.config(at + 4, 1, bar)
        driver.config(at + 8, 4, offset)
        driver.config(at + 12, 4, length)
        assert driver.config(at + 16, 4) == value
    driver.config(at + 8, 4, 0x12)
    driver.config(at + 12, 4, 1)
    driver.config(at + 16, 4, 0x03)
    assert driver.device.state.status == 3
    assert driver.config(at + 16, 1) == 3
    for bar, offset, length in ((2, 0, 4), (0, 0x80, 4), (4, 0x4000, 1), (4, 1, 2)):
        driver.config(at + 4, 1, bar)
        driver.config(at + 8, 4, offset)
        driver.config(at + 12, 4, length)
        driver.config(at + 16, 4, 0x0102_0304)
        assert driver.config(at + 16, 4) == 0x0102_0304  # as it was written


# What no driver does.


def broken(driver: Driver) -> str:
    """Notify, and return why the device needs a reset."""
    driver.notify()
    driver.wait()
    assert driver.get(MODERN + 0x14, 1) == 0x4F
    (signals,) = driver.said()
    assert signals[1:] == UP
    assert driver.get(MODERN + 0x1000, 1) == 2
    (oddity,) = signals[:1]
    assert isinstance(oddity, Oddity)
    driver.wait(1)
    driver.said()
    driver.notify()
    driver.wait()
    assert driver.said() == []
    driver.put(MODERN + 0x14, 1, 0x0F)
    assert driver.get(MODERN + 0x14, 1) == 0x4F
    driver.start(driver.features)
    assert ask(driver, READ, 1) == 0
    return oddity.text


def test_a_chain_in_a_circle() -> None:
    driver = disk()
    driver.start()
    driver.describe(driver.desc, 0, HEADER, 16, 1, 1)
    driver.describe(driver.desc, 1, HEADER, 16, 1, 0)
    driver.offer(0)
    assert "loop" in broken(driver)


def test_descriptors_that_are_not_there() -> None:
    for head, after in ((128, 0), (0xFFFF, 0), (0, 200)):
        driver = disk()
        driver.start()
        driver.describe(driver.desc, 0, HEADER, 16, 1, after)
        driver.offer(head)
        assert "of 128" in broken(driver)


def test_more_requests_than_the_queue_holds() -> None:
    driver = disk()
    driver.start()
    driver.ram.write(driver.available + 2, struct.pack("<H", 129))
    assert "129 requests" in broken(driver)


def test_rings_where_no_memory_is() -> None:
    for ring in ("desc", "driver", "device"):
        driver = disk()
        driver.start()
        setattr(driver.device.state.queues[0], ring, (1 << 64) - 8)
        driver.ram.write(HEADER, struct.pack("<IIQ", FLUSH, 0, 0))
        driver.add([(HEADER, 16)], [(STATUS, 1)])
        broken(driver)


def test_a_request_without_header_or_status_or_with_neither_in_memory() -> None:
    for out, into in (
        ([(HEADER, 15)], [(STATUS, 1)]),
        ([(HEADER, 16)], []),
        ([(1 << 50, 16)], [(STATUS, 1)]),
        ([(HEADER, 16)], [(1 << 50, 1)]),
    ):
        driver = disk()
        driver.start()
        driver.add(out, into)
        broken(driver)


def test_what_is_read_comes_before_what_is_written() -> None:
    driver = disk()
    driver.start()
    driver.describe(driver.desc, 0, STATUS, 1, 3, 1)
    driver.describe(driver.desc, 1, HEADER, 16, 0, 0)
    driver.offer(0)
    broken(driver)


@pytest.mark.parametrize(
    ("features", "size", "flags", "inner"),
    [
        (0, 32, 4, 0), (INDIRECT, 32, 5, 0), (INDIRECT, 30, 4, 0),
        (INDIRECT, 0, 4, 0), (INDIRECT, 32, 4, 4),
    ],
)  # fmt: skip
def test_indirect_tables_that_cannot_be(
    features: int, size: int, flags: int, inner: int
) -> None:
    driver = disk()
    driver.start(VERSION_1 | features)
    driver.describe(driver.desc, 0, 0x8000, size, flags, 0)
    driver.describe(0x8000, 0, HEADER, 16, inner or 1, 1)
    driver.describe(0x8000, 1, STATUS, 1, 2, 0)
    driver.offer(0)
    broken(driver)


def test_a_table_of_more_descriptors_than_a_queue_may_have() -> None:
    driver = disk()
    driver.start(VERSION_1 | INDIRECT)
    for number in range(200):
        driver.describe(0x8000, number, HEADER, 1, 1, number + 1)
    driver.describe(driver.desc, 0, 0x8000, 16 * 201, 4, 0)
    driver.offer(0)
    assert "more than 128" in broken(driver)


# Random numbers.


def numbers(driver: Driver, size: int) -> bytes:
    driver.add([], [(DATA, size)])
    driver.notify()
    driver.wait()
    ((_, given),) = driver.taken()
    return data(driver, given)


def test_random_numbers_follow_from_the_seed() -> None:
    driver, same, other = source(), source(), source(8)
    for each in (driver, same, other):
        each.start()
    first = numbers(driver, 200)
    assert len(first) == 200
    wanted = b"".join(
        hashlib.blake2b(bytes((n,)) + bytes(15), key=b"\7" + bytes(7)).digest()
        for n in range(5)
    )
    assert first == wanted[:200]
    assert numbers(driver, 8) == wanted[256:264]
    assert numbers(same, 200) == first
    assert numbers(other, 200) != first


def test_a_large_buffer_is_not_filled_and_one_elsewhere_is_an_oddity() -> None:
    ram = Ram(bytearray(0x4_0000))
    driver = Driver(wired(entropy.device(1, 4), ram), ram)
    driver.start()
    driver.add([], [(0x2_0000, 0x1_8000)])
    driver.add([], [(1 << 40, 16)])
    driver.add([(HEADER, 4)], [])
    driver.notify()
    driver.wait()
    assert [size for _, size in driver.taken()] == [0x1_0000, 0, 0]
    assert isinstance(driver.said()[0][0], Oddity)


# Against a slow model.

REQUESTS = st.lists(
    st.tuples(
        st.sampled_from((READ, FILL)),
        st.integers(0, SECTORS + 1),
        st.lists(st.integers(0, 2000), min_size=1, max_size=4),
        st.integers(0, 3),
        st.booleans(),
        st.integers(1, 255),
    ),
    max_size=12,
)


@given(REQUESTS, st.booleans())
@settings(max_examples=100, deadline=None)
def test_it_does_what_an_array_of_bytes_does(
    requests: list[tuple[int, int, list[int], int, bool, int]], old: bool
) -> None:
    """In any framing, by either interface; sizes are rounded to sectors at the end."""
    driver, wanted = disk(), bytearray(DISK)
    (driver.start_old if old else lambda: driver.start(VERSION_1 | INDIRECT))()
    for kind, sector, cuts, off, indirect, fill in requests:
        size = sum(cuts)
        if off:  # most are whole sectors
            cuts[-1] += -size % 512
            size = sum(cuts)
        driver.ram.data[DATA : DATA + size] = bytes((fill,)) * size
        pieces = [
            (DATA + sum(cuts[:number]), cut) for number, cut in enumerate(cuts) if cut
        ]
        driver.ram.write(HEADER, struct.pack("<IIQ", kind, 0, sector))
        driver.ram.write(STATUS, b"\xee")
        out, into = [(HEADER, 16)], [(STATUS, 1)]
        if kind == FILL:
            out += pieces
        else:
            into[:0] = pieces
        driver.add(out, into, table=0x8000 if indirect else None)
        (driver.notify_old if old else driver.notify)()
        driver.wait()
        ((_, written),) = driver.taken()
        first, end = 512 * sector, 512 * sector + size
        if size % 512 or end > len(wanted):
            assert driver.ram.data[STATUS] == 1
            assert written == 1
        elif kind == FILL:
            wanted[first:end] = bytes((fill,)) * size
            assert driver.ram.data[STATUS] == 0
        else:
            assert driver.ram.data[STATUS] == 0
            assert data(driver, size) == wanted[first:end]
            assert written == size + 1
    driver.start()
    assert ask(driver, READ, 0, 512 * SECTORS) == 0
    assert data(driver, 512 * SECTORS) == wanted


PLACES = st.one_of(
    st.integers(0, 0x40).map(lambda at: MODERN + at),
    st.sampled_from((0x1000, 0x2000, 0x3000, 0x3004)).map(lambda at: MODERN + at),
    st.integers(0, 0x30).map(lambda at: MSIX + at),
    st.just(MSIX + 0x800),
    st.integers(0, 0x1F).map(lambda at: IO + at),
    st.integers(0, 0xFF),
)
SMALL = st.one_of(
    st.integers(0, 0x0F), st.integers(0, 0x1_FFFF), st.integers(0, 2**64 - 1)
)
DEEDS = st.lists(
    st.tuples(PLACES, st.sampled_from((1, 2, 4, 8)), SMALL, st.integers(0, 9_000)),
    max_size=60,
)


@given(DEEDS, st.binary(max_size=64), st.booleans())
@settings(max_examples=150, deadline=None)
def test_nothing_that_is_written_brings_it_down(
    deeds: list[tuple[int, int, int, int]], junk: bytes, random: bool
) -> None:
    """Addresses below 0x100 are registers of PCI; rings are full of junk."""
    driver = source() if random else disk()
    driver.start(VERSION_1 | INDIRECT)
    for place, size, value, ns in deeds:
        masked = value & ((1 << 8 * size) - 1)
        if junk:
            driver.ram.write(driver.rings + value % 0x2800, junk)
        if place < 0x100:
            driver.config(place & ~3, min(size, 4), masked & 0xFFFF_FFFF)
            assert 0 <= driver.config(place & ~3, 4) < 1 << 32
        else:
            driver.put(place, size, masked)
            assert 0 <= driver.get(place, size) < 1 << 8 * size
        driver.wait(ns)
    assert len(driver.device.state.config) == 256
    assert len(driver.device.state.table) == 32


def test_it_is_saved_and_put_back_in_the_middle_of_its_work() -> None:
    def make(*, random: bool, messaged: bool) -> Device:
        driver = source() if random else disk()
        driver.start()
        if messaged:
            messages(driver)
        driver.ram.write(HEADER, struct.pack("<IIQ", FILL, 0, 3))
        for number in range(60):
            place = HEADER if number % 2 else 0x140
            driver.add([(place, 16), (DATA, 1024)], [(DATA, 512), (STATUS, 1)])
        driver.ram.write(driver.available + 2, b"\2\0")
        return driver.device

    touches = [
        Touch(MODERN + 0x3000, 2, 0), Touch(MODERN + 0x1000, 1),
        Touch(MSIX + 28, 4, 1), Touch(MODERN + 0x3000, 2, 0), Touch(IO + 0x13, 1),
        Touch(MSIX + 0x800, 4), Touch(MSIX + 28, 4, 0), Touch(MODERN + 0x14, 4),
    ]  # fmt: skip
    for random in (False, True):
        for messaged in (False, True):
            check_device(partial(make, random=random, messaged=messaged), touches)
    check_device(lambda: disk().device)
