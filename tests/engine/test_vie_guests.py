"""Guests that copy to and from a device that only the test answers for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rigs.machines import guest

from lapis_engine.vmm import exits

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine

DEVICE = 0xD000_0000
SIZE = 0x2000


class Answering:
    """Answers for `DEVICE` as memory would, until the guest sleeps."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.content = bytearray(SIZE)
        self.log: list[tuple[str, int, int, int]] = []
        self.busy = 0
        """How many reads of the lock at 14H find it taken."""

    def run(self) -> None:
        for _ in range(5000):
            stop = self.machine.run(100_000)
            if stop.reason == "halted":
                return
            assert isinstance(stop.exit, exits.Mmio), stop
            self._serve(stop.exit)
        raise AssertionError("the guest does not come to an end")

    def _serve(self, request: exits.Mmio) -> None:
        at, size = request.gpa - DEVICE, request.bytes
        value = request.data
        if request.read:
            value = int.from_bytes(self.content[at : at + size], "little")
            if at == 0x14 and self.busy:
                self.busy -= 1
                value = 1
        elif value != 1 or at != 0x14:  # what holds the lock lets go of it by itself
            self.content[at : at + size] = value.to_bytes(size, "little")
        self.log.append(("read" if request.read else "write", at, size, value))
        self.machine.answer(0, value)


def test_copies_of_all_sizes_both_ways_arrive_intact() -> None:
    m = guest("vie-memcpy")
    device = Answering(m)
    device.run()
    passes, failed = m.read_physical(0xD000, 2)
    assert (passes, failed) == (8, 0)
    last = bytes((1 + 29 * 7 + 7 * n) & 0xFF for n in range(48))
    assert m.read_physical(0xBFF5, 48) == last
    assert bytes(device.content[0xFE3 : 0xFE3 + 48]) == last
    # By bytes each is a request of its own, in the order of the direction flag.
    forward = [at for kind, at, _, _ in device.log[:48] if kind == "write"]
    assert forward == list(range(0xFE3, 0xFE3 + 48))
    backward = [at for kind, at, _, _ in device.log[96:144] if kind == "write"]
    assert backward == list(range(0xFE3 + 47, 0xFE3 - 1, -1))


def test_a_copy_that_is_answered_wrong_is_noticed_by_the_guest() -> None:
    m = guest("vie-memcpy")
    device = Answering(m)

    class Stuck(bytearray):
        def __setitem__(self, where: object, value: object) -> None:
            pass  # a device that forgets

    device.content = Stuck(SIZE)
    device.run()
    assert tuple(m.read_physical(0xD000, 2)) == (8, 8)


def test_locked_instructions_on_a_register_of_a_device() -> None:
    m = guest("vie-atomics")
    device = Answering(m)
    device.content[0x10] = 0x03
    device.content[0x18] = 0x40
    device.content[0x20:0x28] = bytes(range(1, 9))
    device.busy = 2
    device.run()
    results = [
        int.from_bytes(m.read_physical(0x9000 + 4 * n, 4), "little") for n in range(7)
    ]
    assert results == [0, 1, 3, 0x40, 0x43, 0x0403_0201, 0x0807_0605]
    assert device.content[0x10:0x14] == b"\x12\x01\0\0"
    assert device.content[0x14:0x18] == b"\x55\0\0\0"
    # 77H less one, then negated as a byte: 8AH.
    assert device.content[0x18:0x1C] == b"\x8a\0\0\0"
    assert device.content[0x20:0x28] == bytes(range(1, 9))
    # Read and write of one register, each once, in turn.
    assert device.log[:4] == [
        ("read", 0x10, 4, 3), ("write", 0x10, 4, 0x13),
        ("read", 0x10, 4, 0x13), ("write", 0x10, 4, 0x12),
    ]  # fmt: skip
    lock = [entry for entry in device.log if entry[1] == 0x14]
    # CMPXCHG that fails writes back what it found (SDM Vol. 2A "CMPXCHG").
    assert [kind for kind, *_ in lock] == ["read", "write"] * 3
    assert [value for *_, value in lock] == [1, 1, 1, 1, 0, 0x55]
