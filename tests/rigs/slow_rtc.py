"""An MC146818 that counts every 8192th of a second, the fastest of its rates."""

from __future__ import annotations

from fractions import Fraction

STEP = Fraction(10**9, 8192)
"""ns."""
LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class SlowRtc:
    """The clock is eight numbers that carry; flags are set as they come."""

    def __init__(self) -> None:
        self.rate, self.held = 6, False
        self.binary = False
        self.hours_24 = True
        self.enables = 0
        self.alarm = [0, 0, 0]
        self.flags = 0
        self.steps = 0
        """Since the divider was let go, or power came."""
        self.begun = Fraction(0)
        self.clock = [0, 0, 0, 7, 1, 1, 2000]
        """Seconds, minutes, hours, day of the week, day, month, year."""

    def until(self, now: int) -> None:
        while not self.held and self.begun + (self.steps + 1) * STEP <= now:
            self.steps += 1
            if self.rate and self.steps % self.period() == 0:
                self.flags |= 0x40
            if self.steps % 8192 == 0:
                self.second()

    def period(self) -> int:
        """In steps; rates 1 and 2 are those of 8 and 9."""
        return 1 << ({1: 8, 2: 9}.get(self.rate, self.rate) - 3)

    def second(self) -> None:
        self.flags |= 0x10
        clock = self.clock
        clock[0] += 1
        for which, most in ((0, 60), (1, 60), (2, 24)):
            if clock[which] < most:
                break
            clock[which] = 0
            if which < 2:
                clock[which + 1] += 1
            else:
                self.day()
        shown = [self.shown(0), self.shown(1), self.shown(2)]
        if all(a >= 0xC0 or a == s for a, s in zip(self.alarm, shown, strict=True)):
            self.flags |= 0x20

    def day(self) -> None:
        clock = self.clock
        clock[3] = clock[3] % 7 + 1
        clock[4] += 1
        year = clock[6]
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        length = 29 if leap and clock[5] == 2 else LENGTHS[clock[5] - 1]
        if clock[4] > length:
            clock[4] = 1
            clock[5] += 1
        if clock[5] > 12:
            clock[5] = 1
            clock[6] += 1

    def let_go(self, now: int) -> None:
        """The divider begins half a second before an update."""
        if self.held:
            self.begun, self.steps = now - 4096 * STEP, 4096
        self.held = False

    def coded(self, value: int) -> int:
        return value if self.binary else int(str(value), 16)

    def shown(self, which: int) -> int:
        """The cell of a part of the clock; 7 is the century."""
        if which == 3:
            return self.clock[3]
        if which == 2 and not self.hours_24:
            hour = self.clock[2]
            return self.coded(hour % 12 or 12) + (0x80 if hour >= 12 else 0)
        if which >= 6:
            return self.coded(self.clock[6] % 100 if which == 6 else
                              self.clock[6] // 100)  # fmt: skip
        return self.coded(self.clock[which])

    def updating(self, now: int) -> bool:
        left = self.begun + (self.steps // 8192 + 1) * 8192 * STEP - now
        return not self.held and left <= 244_000 + 1_984_000

    def take_flags(self) -> int:
        flags, self.flags = self.flags, 0
        return flags | (0x80 if flags & self.enables else 0)
