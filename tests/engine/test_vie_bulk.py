"""REP MOVS and STOS on a device of the engine, many iterations at a time.

The engine's device is in the first page of the hole; a log stands before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from rigs.vie_rig import DATA, HOLE, Rig, read, write

from lapis_engine.cpu.registers import ES, Segment
from lapis_engine.vie.world import HandlerRefused
from lapis_engine.vmm import exits, handlers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.vmm.bus import Bus

PAGE = 0x1000
DF = 1 << 10


class Log:
    """Serves `HOLE` up to `end`; refuses or stops the loop where it is told to."""

    def __init__(self, rig: Rig, end: int = HOLE + PAGE) -> None:
        self.rig, self.end = rig, end
        self.seen: list[tuple[str, int, int, int]] = []
        self.refuse_at = self.kick_at = -1
        rig.vm.buses[0] = cast("Bus", self)

    def _look(self, gpa: int) -> bool:
        if gpa == self.refuse_at:
            raise HandlerRefused("no")
        if gpa == self.kick_at:
            self.rig.vm.attention.kick = True
        return HOLE <= gpa < self.end

    def read(self, gpa: int, size: int) -> int | None:
        if not self._look(gpa):
            return None
        self.seen.append(("read", gpa, size, 0))
        return (gpa & 0xFF) * 0x0101_0101_0101_0101 & (1 << 8 * size) - 1

    def write(self, gpa: int, size: int, value: int) -> bool:
        if not self._look(gpa):
            return False
        self.seen.append(("write", gpa, size, value))
        return True


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    """The machine is shared: give it its own bus back, and no kick."""
    rig = Rig("90", served=True)
    bus = rig.vm.buses[0]
    yield
    rig.vm.buses[0], rig.vm.attention.kick = bus, False


def rep(code: str, bits: int = 64, *, rflags: int = 2, **gpr: int) -> Rig:
    return Rig(
        code, bits, served=True, budget=100_000, rflags=rflags, pages=None, **gpr
    )


@pytest.mark.parametrize(
    ("code", "size"), [("f3a4", 1), ("66f3a5", 2), ("f3a5", 4), ("f348a5", 8)]
)
def test_every_element_reaches_the_device_once_and_in_order(
    code: str, size: int
) -> None:
    rig = rep(code, rsi=DATA + 8, rdi=HOLE + 16, rcx=5)
    log = Log(rig)
    rig.store(DATA + 8, bytes(range(40)))
    assert rig.run() is None
    assert log.seen == [
        ("write", HOLE + 16 + n * size, size, int.from_bytes(
            bytes(range(n * size, n * size + size)), "little"
        ))
        for n in range(5)
    ]  # fmt: skip
    assert (rig.gpr[1], rig.gpr[6], rig.gpr[7]) == (
        0, DATA + 8 + 5 * size, HOLE + 16 + 5 * size,
    )  # fmt: skip
    assert rig.done


def test_backwards_the_last_element_comes_first() -> None:
    rig = rep("f3a5", rsi=DATA + 12, rdi=HOLE + 20, rcx=4, rflags=2 | DF)
    log = Log(rig)
    rig.store(DATA, b"".join(bytes([n] * 4) for n in range(1, 5)))
    assert rig.run() is None
    assert [(gpa, value & 0xFF) for _, gpa, _, value in log.seen] == [
        (HOLE + 20, 4), (HOLE + 16, 3), (HOLE + 12, 2), (HOLE + 8, 1),
    ]  # fmt: skip
    assert (rig.gpr[6], rig.gpr[7]) == (DATA - 4, HOLE + 4)


@pytest.mark.parametrize("df", [0, DF])
def test_what_the_device_gives_lands_in_memory(df: int) -> None:
    start = 0 if not df else 3
    rig = rep("f3a4", rsi=HOLE + 0x20 + start, rdi=DATA + start, rcx=4, rflags=2 | df)
    log = Log(rig)
    rig.store(DATA - 1, b"\xee" * 6)
    assert rig.run() is None
    assert rig.memory(DATA - 1, 6) == b"\xee\x20\x21\x22\x23\xee"
    order = [gpa - HOLE for _, gpa, _, _ in log.seen]
    assert order == [0x20, 0x21, 0x22, 0x23][:: -1 if df else 1]


def test_stos_repeats_the_accumulator() -> None:
    rig = rep("f366ab", rax=0x1_BEEF, rdi=HOLE, rcx=3)
    log = Log(rig)
    assert rig.run() is None
    assert log.seen == [("write", HOLE + 2 * n, 2, 0xBEEF) for n in range(3)]


def test_from_the_device_into_the_users_page_the_first_of_it_is_asked() -> None:
    rig = rep("f3a4", rsi=DATA, rdi=HOLE + PAGE - 2, rcx=4)
    log = Log(rig)
    rig.store(DATA, b"abcd")
    assert rig.run() == write(HOLE + PAGE, 1, ord("c"))
    assert (len(log.seen), rig.gpr[1]) == (2, 2)
    assert rig.answer() == write(HOLE + PAGE + 1, 1, ord("d"))
    assert rig.answer() is None
    assert (len(log.seen), rig.gpr[1]) == (2, 0)


def test_a_device_that_ends_in_the_page_gives_the_rest_to_the_user() -> None:
    rig = rep("f3a4", rsi=HOLE, rdi=DATA, rcx=4)
    log = Log(rig, end=HOLE + 2)
    assert rig.run() == read(HOLE + 2, 1)
    assert rig.memory(DATA, 2) == b"\0\1"
    assert (len(log.seen), rig.gpr[1]) == (2, 2)


def test_a_refusal_comes_after_what_was_done_before_it() -> None:
    rig = rep("f3a4", rsi=DATA, rdi=HOLE, rcx=4)
    log = Log(rig)
    log.refuse_at = HOLE + 2
    out = rig.run()
    assert isinstance(out, exits.InstEmul)
    assert (len(log.seen), rig.gpr[1], rig.gpr[7]) == (2, 2, HOLE + 2)


def test_the_loop_looks_around_when_an_element_asks_for_it() -> None:
    rig = rep("f3a4", rsi=DATA, rdi=HOLE, rcx=4)
    log = Log(rig)
    log.kick_at = HOLE + 1
    hw = rig.vm.core.run(rig.regs, 1)
    assert handlers.handle(rig.world.run, hw) is None
    assert (len(log.seen), rig.gpr[1], rig.regs.rip) == (2, 2, rig.case.rip)


def test_the_budget_is_kept() -> None:
    rig = Rig("f3aa", served=True, budget=3, rdi=HOLE, rcx=10)
    log = Log(rig)
    hw = rig.vm.core.run(rig.regs, 1)
    handlers.handle(rig.world.run, hw)
    assert (len(log.seen), rig.gpr[1]) == (3, 7)


def test_16_bit_indexes_wrap_and_leave_the_rest_alone() -> None:
    # rep stosb with a 16-bit count and index, in real mode.
    rig = rep("f3aa", 16, rcx=0xAAAA_0004, rdi=0xBBBB_0FFE, rax=0x5A)
    rig.regs.set_segment(ES, Segment(0x1600, HOLE - 0xFFE, 0xFFFF, 0x9300))
    log = Log(rig)
    rig.run()
    assert [gpa - HOLE for _, gpa, _, _ in log.seen] == [0, 1, 2, 3]
    assert (rig.gpr[1], rig.gpr[7]) == (0xAAAA_0000, 0xBBBB_1002)


def test_copies_of_memory_alone_are_left_to_the_processor() -> None:
    # The last two of four elements leave the device behind them, page by page.
    rig = rep("f3a4", rsi=DATA, rdi=HOLE - 2, rcx=4)
    log = Log(rig)
    rig.store(DATA, b"wxyz")
    assert rig.run() is None
    assert rig.memory(HOLE - 2, 2) == b"wx"
    assert [value for *_, value in log.seen] == [ord("y"), ord("z")]


def test_page_tables_are_marked_once_for_the_whole_run() -> None:
    rig = rep("f3a4", rsi=DATA, rdi=HOLE, rcx=4)
    Log(rig)
    rig.run()
    entries = [rig.memory(0x1_C000 + 8 * (16 + n), 1)[0] for n in (2, 6)]
    assert entries == [0x27, 0x67]


def test_a_single_element_before_the_users_is_done_once() -> None:
    rig = rep("f3aa", rdi=HOLE, rcx=3)
    log = Log(rig, end=HOLE + 1)
    assert rig.run() == write(HOLE + 1, 1, 0)
    assert (len(log.seen), rig.gpr[1], rig.gpr[7]) == (1, 2, HOLE + 1)


def test_an_index_that_wraps_in_the_middle_of_a_page_goes_back_to_the_start() -> None:
    rig = rep("f3aa", 16, rcx=4, rdi=0xFFFE, rax=0x5A)
    base = HOLE + 0x800 - 0xFFFE
    rig.regs.set_segment(ES, Segment(0, base, 0xFFFF, 0x9300))
    log = Log(rig)
    rig.store(base, b"\0\0\0")
    rig.run()
    assert [gpa - HOLE for _, gpa, _, _ in log.seen] == [0x800, 0x801]
    assert rig.memory(base, 3) == b"\x5a\x5a\0"
    assert (rig.gpr[1], rig.gpr[7]) == (0, 2)


def test_ports_in_a_row_stop_as_well() -> None:
    rig = rep("f36e", rsi=DATA, rdx=0x60, rcx=5)  # rep outsb
    seen: list[int] = []

    class Port:
        def port_out(self, _port: int, _size: int, value: int) -> bool:
            seen.append(value)
            rig.vm.attention.kick = len(seen) == 2
            return True

    rig.vm.buses[0] = cast("Bus", Port())
    rig.store(DATA, b"abcde")
    hw = rig.vm.core.run(rig.regs, 1)
    assert handlers.handle(rig.world.run, hw) is None
    assert (bytes(seen), rig.gpr[1], rig.regs.rip) == (b"ab", 3, rig.case.rip)
