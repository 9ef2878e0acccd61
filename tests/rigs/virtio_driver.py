"""A small guest driver for virtio devices, as VIRTIO 1.1 and PCI 3.0 have it.

It drives registers of a device without a machine. The numbers are those of the
specifications; nothing is taken from the device.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lapis_engine.devices.device import Device, Signals
    from rigs.ram import Ram

IO, MSIX, MODERN = 0xC000, 0xFEB0_0000, 0x8_0000_0000
"""Where the driver puts the windows."""
INDIRECT, EVENT_IDX, VERSION_1 = 1 << 28, 1 << 29, 1 << 32
NEXT, WRITE, TABLE = 1, 2, 4
Buffers = list[tuple[int, int]]
"""(Address, bytes)."""


@dataclass
class Driver:
    """Drives one device with one queue; its rings are in RAM from `rings` on."""

    device: Device
    ram: Ram
    rings: int = 0x1_0000
    size: int = 128
    now: int = 0
    features: int = 0
    added: int = 0
    seen: int = 0
    heads: list[int] = field(default_factory=list)
    """Heads of the requests that are out."""
    heard: list[Signals] = field(default_factory=list)

    # Registers.

    def config(self, register: int, size: int, value: int | None = None) -> int:
        function = self.device.function
        assert function is not None
        if value is None:
            return function.config.read(self.device.state, register, size, self.now)
        self._hear(
            function.config.write(self.device.state, register, size, value, self.now)
        )
        return 0

    def get(self, address: int, size: int) -> int:
        return self.device.access.read(self.device.state, address, size, self.now)

    def put(self, address: int, size: int, value: int) -> None:
        self._hear(
            self.device.access.write(self.device.state, address, size, value, self.now)
        )

    def _hear(self, signals: Signals) -> None:
        if signals:
            self.heard.append(signals)

    def said(self) -> list[Signals]:
        """What the device has said since this was last asked."""
        found, self.heard = self.heard, []
        return found

    def wait(self, ns: int = 20_000) -> None:
        """Let time pass, and the device act when it is due."""
        timer, end = self.device.timer, self.now + ns
        assert timer is not None
        for _ in range(1000):
            due = timer.deadline(self.device.state)
            if due is None or due > end:
                break
            self.now = due
            self._hear(timer.advance(self.device.state, due))
            later = timer.deadline(self.device.state)
            assert later is None or later > due
        self.now = end

    # Setting up.

    def map(self) -> None:
        """Put the windows somewhere, and switch the function on."""
        self.config(0x10, 4, IO)
        self.config(0x14, 4, MSIX)
        self.config(0x20, 4, MODERN & 0xFFFF_FFFF)
        self.config(0x24, 4, MODERN >> 32)
        self.config(0x04, 2, 0x0007)

    def start(self, features: int = VERSION_1) -> None:
        """Initialize as "Device Initialization" says, by the structures of 1.0."""
        self.map()
        self.put(MODERN + 0x14, 1, 0)
        assert self.get(MODERN + 0x14, 1) == 0
        self.put(MODERN + 0x14, 1, 1)
        self.put(MODERN + 0x14, 1, 3)
        self.features = features
        for half in (0, 1):
            self.put(MODERN + 0x08, 4, half)
            self.put(MODERN + 0x0C, 4, features >> 32 * half & 0xFFFF_FFFF)
        self.put(MODERN + 0x14, 1, 0x0B)
        assert self.get(MODERN + 0x14, 1) == 0x0B
        self.put(MODERN + 0x16, 2, 0)
        self.put(MODERN + 0x18, 2, self.size)
        for at, ring in ((0x20, 0), (0x28, 0x1000), (0x30, 0x2000)):
            self.put(MODERN + at, 4, self.rings + ring)
            self.put(MODERN + at + 4, 4, 0)
        self._clear(self.rings, self.rings + 0x1000, self.rings + 0x2000)
        self.put(MODERN + 0x1C, 2, 1)
        self.put(MODERN + 0x14, 1, 0x0F)

    def start_old(self) -> None:
        """Initialize as before 1.0, by the I/O window."""
        self.map()
        self.put(IO + 0x12, 1, 0)
        self.put(IO + 0x12, 1, 1)
        self.put(IO + 0x12, 1, 3)
        offered = self.get(IO, 4)
        self.features = offered & INDIRECT
        self.put(IO + 4, 4, self.features)
        self.put(IO + 0x0E, 2, 0)
        self.size = self.get(IO + 0x0C, 2)
        self.put(IO + 8, 4, self.rings >> 12)
        available = self.rings + 16 * self.size
        self._clear(self.rings, available, self.rings + 0x1000)
        assert available + 6 + 2 * self.size <= self.rings + 0x1000
        self.put(IO + 0x12, 1, 7)

    def _clear(self, desc: int, available: int, used: int) -> None:
        self.desc, self.available, self.used = desc, available, used
        self.ram.data[self.rings : self.rings + 0x3000] = bytes(0x3000)
        self.added = self.seen = 0
        self.heads.clear()

    # Requests.

    def add(self, out: Buffers, into: Buffers, *, table: int | None = None) -> int:
        """Make a request available; with `table` by an indirect descriptor."""
        chain = [(*each, 0) for each in out] + [(*each, WRITE) for each in into]
        head = self.free()
        if table is None:
            numbers = [(head + each) % self.size for each in range(len(chain))]
            place = self.desc
        else:
            numbers, place = list(range(len(chain))), table
            self.describe(self.desc, head, table, 16 * len(chain), TABLE, 0)
        for number, (address, size, flags), follower in zip(
            numbers, chain, [*numbers[1:], None], strict=True
        ):
            more = 0 if follower is None else NEXT
            self.describe(place, number, address, size, flags | more, follower or 0)
        self.offer(head)
        return head

    def free(self) -> int:
        """A place in the table; requests that are out have up to eight each."""
        return 8 * self.added % self.size

    def describe(
        self, table: int, number: int, address: int, size: int, flags: int, after: int
    ) -> None:
        raw = struct.pack("<QIHH", address, size, flags, after)
        assert self.ram.write(table + 16 * number, raw)

    def offer(self, head: int) -> None:
        at = self.available + 4 + 2 * (self.added % self.size)
        assert self.ram.write(at, struct.pack("<H", head & 0xFFFF))
        self.added = (self.added + 1) & 0xFFFF
        assert self.ram.write(self.available + 2, struct.pack("<H", self.added))
        self.heads.append(head)

    def notify(self) -> None:
        self.put(MODERN + 0x3000, 2, 0)

    def notify_old(self) -> None:
        self.put(IO + 0x10, 2, 0)

    def taken(self) -> list[tuple[int, int]]:
        """What has been given back since this was last asked: (head, bytes)."""
        (index,) = struct.unpack_from("<H", self.ram.data, self.used + 2)
        found = []
        while self.seen != index:
            at = self.used + 4 + 8 * (self.seen % self.size)
            head, size = struct.unpack_from("<II", self.ram.data, at)
            found.append((head, size))
            self.heads.remove(head)
            self.seen = (self.seen + 1) & 0xFFFF
        return found
