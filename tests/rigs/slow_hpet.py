"""An HPET that counts every tick, straight from the specification."""

from __future__ import annotations

from lapis_engine.devices.device import (
    GsiChanged,
    InterruptMessage,
    LineChanged,
    Signals,
)
from lapis_engine.events import Oddity

ROUTES = (2, 8, 16, 17, 18, 19, 20, 21, 22, 23)
MODES = ("fixed", "lowest", "smi", "reserved", "nmi", "init", "reserved", "extint")


class SlowTimer:
    def __init__(self) -> None:
        self.level = self.enabled = self.periodic = self.value_set = False
        self.narrow = self.fsb = False
        self.route = 0
        self.comparator = 2**64 - 1
        self.period = 0
        self.message = 0


class SlowHpet:
    """Registers are attributes, lines a set; nothing is computed ahead."""

    def __init__(self) -> None:
        self.enabled = self.legacy = False
        self.counter = 0
        self.status = [False] * 3
        self.timers = [SlowTimer() for _ in range(3)]
        self.up: set[tuple[bool, int, int]] = set()

    def tick(self) -> Signals:
        if not self.enabled:
            return ()
        out: Signals = ()
        self.counter = (self.counter + 1) % 2**64
        for number, timer in enumerate(self.timers):
            modulus = 2**32 if timer.narrow else 2**64
            if self.counter % modulus != timer.comparator % modulus:
                continue
            if timer.periodic:
                timer.comparator = (timer.comparator + timer.period) % modulus
            out += self.fire(number)
        return out

    def fire(self, number: int) -> Signals:
        timer = self.timers[number]
        if timer.level:
            self.status[number] = True
        if not timer.enabled:
            return ()
        if timer.fsb:
            address, data = divmod(timer.message, 2**32)
            if address // 2**20 != 0xFEE or (data >> 15 & 1 and not data >> 14 & 1):
                text = (
                    f"{address:#x} is not an address of messages: they are 0xfeexxxxx"
                )
                if address // 2**20 == 0xFEE:
                    text = f"data {data:#x} is a level de-assert, which no APIC takes"
                return (Oddity(-1, "HPET message", f"hpet timer {number}: {text}"),)
            mode = MODES[data >> 8 & 7]
            return (
                InterruptMessage(
                    f"hpet timer {number}", address >> 12 & 0xFF,
                    logical=bool(address & 4), mode=mode, vector=data & 0xFF,
                    level=bool(data & 0x8000) and mode in ("fixed", "lowest"),
                ),
            )  # fmt: skip
        if timer.level:
            return self.settle()
        where = self.where(number)
        if where is None:
            return ()
        return self.moved(*where, up=True), self.moved(*where, up=False)

    def where(self, number: int) -> tuple[bool, int] | None:
        if self.legacy and number < 2:
            return True, (0, 8)[number]
        route = self.timers[number].route
        return (False, route) if route in ROUTES else None

    def moved(self, isa: bool, pin: int, *, up: bool) -> LineChanged | GsiChanged:
        if isa:
            return LineChanged(pin, up, is_final=True)
        return GsiChanged(pin, up)

    def settle(self) -> Signals:
        wanted = set()
        for number, timer in enumerate(self.timers):
            where = self.where(number)
            is_up = (
                self.enabled and timer.enabled and timer.level and not timer.fsb
                and self.status[number]
            )  # fmt: skip
            if is_up and where is not None:
                wanted.add((*where, number))
        gone, new = self.up - wanted, wanted - self.up
        self.up = wanted
        return (
            *(self.moved(isa, pin, up=False) for isa, pin, _ in gone),
            *(self.moved(isa, pin, up=True) for isa, pin, _ in new),
        )

    def write(self, offset: int, value: int, size: int) -> Signals:
        if size == 8:
            first = self.halved(offset, value % 2**32, both=True)
            self.high(offset + 4, value >> 32, of_both=first)
        elif offset % 8:
            self.high(offset, value, of_both=None)
        else:
            self.halved(offset, value, both=False)
        return self.settle()

    def halved(self, offset: int, value: int, *, both: bool) -> bool:
        """Write a low half; returns whether it set the accumulator."""
        if offset == 0x10:
            self.enabled, self.legacy = bool(value & 1), bool(value & 2)
        elif offset == 0x20:
            for number in range(3):
                if value >> number & 1:
                    self.status[number] = False
        elif offset == 0xF0 and not self.enabled:
            self.counter = self.counter >> 32 << 32 | value
        elif offset >= 0x100:
            return self.low_of_timer(offset, value, both=both)
        return False

    def low_of_timer(self, offset: int, value: int, *, both: bool) -> bool:
        timer = self.timers[(offset - 0x100) // 0x20]
        register = offset % 0x20
        if register == 0:
            timer.level, timer.enabled = bool(value & 2), bool(value & 4)
            timer.periodic, timer.value_set = bool(value & 8), bool(value & 0x40)
            timer.narrow, timer.fsb = bool(value & 0x100), bool(value & 0x4000)
            if value >> 9 & 31 in ROUTES:
                timer.route = value >> 9 & 31
            if timer.narrow:
                timer.comparator %= 2**32
        elif register == 8:
            sets = not timer.periodic or timer.value_set
            if sets:
                timer.comparator = timer.comparator >> 32 << 32 | value
            if timer.periodic:
                timer.period = timer.period >> 32 << 32 | value
            self.narrowed(timer)
            timer.value_set = False
            return sets and both
        elif register == 0x10:
            timer.message = timer.message >> 32 << 32 | value
        return False

    def high(self, offset: int, value: int, *, of_both: bool | None) -> None:
        if offset == 0xF4 and not self.enabled:
            self.counter = self.counter % 2**32 | value << 32
        if offset < 0x100:
            return
        timer = self.timers[(offset - 0x100) // 0x20]
        if offset % 0x20 == 0x14:
            timer.message = timer.message % 2**32 | value << 32
        if offset % 0x20 != 0xC:
            return
        sets = not timer.periodic or timer.value_set if of_both is None else of_both
        if sets:
            timer.comparator = timer.comparator % 2**32 | value << 32
        if timer.periodic:
            timer.period = timer.period % 2**32 | value << 32
        self.narrowed(timer)
        timer.value_set = False

    def narrowed(self, timer: SlowTimer) -> None:
        if timer.narrow:
            timer.comparator %= 2**32
            timer.period %= 2**32

    def read(self, offset: int) -> int:
        """Return a dword."""
        value = self.quad(offset // 8 * 8)
        return value >> 32 if offset % 8 else value % 2**32

    def quad(self, offset: int) -> int:
        if offset == 0x10:
            return self.enabled + 2 * self.legacy
        if offset == 0x20:
            return sum(1 << n for n in range(3) if self.status[n])
        if offset == 0xF0:
            return self.counter
        timer = self.timers[(offset - 0x100) // 0x20]
        if offset % 0x20 == 8:
            return timer.comparator
        if offset % 0x20 == 0x10:
            return timer.message
        bits = (
            timer.level << 1 | timer.enabled << 2 | timer.periodic << 3
            | timer.value_set << 6 | timer.narrow << 8 | timer.route << 9
            | timer.fsb << 14
        )  # fmt: skip
        return bits | 0x8030 | sum(1 << 32 + route for route in ROUTES)
