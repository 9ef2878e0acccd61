"""What `lapis explore --bound` finds is what preemptions anywhere come to.

A slow model preempts between any two instructions, and compares memory at the ends: for
guests in which only shared memory and IPIs matter there is no other outcome. Beside
that, guests whose bug needs so many preemptions and no fewer.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from rigs.assembling import NASM, assemble

from lapis_plugins.host import discover
from lapis_plugins.workers import ExtensionsOf
from lapis_sessions.exploring import exploration, pool, systematic
from lapis_sessions.exploring.searching import Searcher
from lapis_sessions.exploring.systematic import Coverage, Search
from lapis_sessions.exploring.work import Job
from lapis_sessions.origin import SessionOptions
from lapis_sessions.platforms import origin_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lapis_engine.machine.machine import Machine
    from lapis_sessions.exploring.forks import Fork, Searched

pytestmark = pytest.mark.skipif(NASM is None, reason="nasm is not installed")

GUESTS: Final = Path(__file__).parents[1] / "guests"
FIRST, END = 0x700, 0x7F0
"""Where the guests leave what they came to."""
BEGIN: Final = """
        org 0x10000
bits 16
%macro  wrmsr_to 2                      ; MSR, value
        mov ecx, %1
        mov eax, %2
        xor edx, edx
        wrmsr
%endmacro
%macro  send 2                          ; APIC, low half of the ICR
        mov edx, %1
        mov eax, %2
        mov ecx, 0x830
        wrmsr
%endmacro
%macro  handle 2                        ; vector, handler
        mov word [%1 * 4], %2 - start
        mov word [%1 * 4 + 2], cs
%endmacro
start:  cli
        cld
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x6000
        mov byte [0x8000], 0xEA         ; where the AP starts: jmp 0x1000:begun
        mov word [0x8001], begun - start
        mov word [0x8003], cs
        wrmsr_to 0x1B, 0xFEE00D00       ; x2APIC
        wrmsr_to 0x80F, 0x1FF
"""
START_AP: Final = """
        wrmsr_to 0x830, 0x000CC500
        wrmsr_to 0x830, 0x000C4608
        jmp bsp
begun:  xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x5000
        wrmsr_to 0x1B, 0xFEE00C00
        wrmsr_to 0x80F, 0x1FF
"""


def job(folder: Path, bsp: str, ap: str, before: str = "", **more: Any) -> Job:
    source = folder / "guest.asm"
    parts = (BEGIN, before, START_AP, ap, "bsp:", bsp)
    rows = [line.strip() for part in parts for line in part.splitlines()]
    source.write_text("\n".join(rows).replace(" / ", "\n") + "\n", "utf-8")
    guest = folder / "guest.bin"
    guest.write_bytes(assemble(source)[0])
    options = SessionOptions(str(guest), cpus=2, memory="16M")
    origin = origin_of(options, discover().extensions)
    return Job(origin, ExtensionsOf(), 1, (), limit=100_000, **more)


def result(machine: Machine) -> bytes:
    return machine.vm.memory.peek(FIRST, END - FIRST)


class _Here:
    """Runs schedules here, and keeps what memory came to."""

    def __init__(self, searcher: Searcher) -> None:
        self.searcher, self.came = searcher, set[bytes]()

    def stopped(self) -> bool:
        return False

    def forget(self) -> None:
        pass

    def each(
        self, _what: object, wanted: tuple[Job, frozenset[int]], wave: Sequence[Fork]
    ) -> Iterator[Searched]:
        for fork in wave:
            searched = self.searcher.run(fork, wanted[1])
            if searched.outcome is not None:
                self.came.add(result(self.searcher.driver.machine))
            yield searched


def searched(wanted: Job, bound: int) -> set[bytes]:
    """Return what the search comes to, which is to be complete."""
    searcher = Searcher(wanted)
    here = _Here(searcher)
    search = Search(wanted, here, Coverage(bound))  # type: ignore[arg-type]
    search.run()
    searcher.close()
    assert search.coverage.complete
    return here.came


def anywhere(wanted: Job, bound: int) -> set[bytes]:
    """Return what at most so many preemptions come to, each before any instruction.

    Who is back where he was hands over as well: for a lock that is no preemption.
    """
    searcher = Searcher(wanted)
    searcher._lead_in(bool)
    driver, machine = searcher.driver, searcher.driver.machine
    came: set[bytes] = set()
    best: dict[tuple[object, int], int] = {}

    def state() -> object:
        each = [
            (it.run_state, it.halted, it.apic.irr, it.apic.isr, it.regs.linear_rip,
             it.regs.shadow, tuple(it.regs.gpr), it.regs.rflags)
            for it in machine.vcpus
        ]  # fmt: skip
        return machine.vm.memory.peek(0, 0x9000), tuple(each)

    waiting = [(driver.mark(), driver.awake()[0], bound)]
    while waiting:
        mark, vcpu, left = waiting.pop()
        driver.back(mark)
        passed: set[object] = set()
        while best.get((here := state(), vcpu), -1) < left or here in passed:
            best[here, vcpu] = left
            others = [it for it in driver.awake() if it != vcpu]
            is_over = here in passed or not driver.is_awake(vcpu)
            passed.add(here)
            if is_over and not others:
                came.add(result(machine))
            cost = 0 if is_over else 1
            waiting += [
                (driver.mark(), it, left - cost)
                for it in others
                if best.get((here, it), -1) < left - cost
            ]
            if is_over:
                break
            driver.turn(vcpu, 1)
    searcher.close()
    return came


def locked(name: str, take: str, give: str) -> str:
    return f"{name}: {take} / mov bx, [0x704] / inc bx / mov [0x704], bx / {give} / hlt"


def peterson(me: int) -> str:
    other = 1 - me
    take = f"""mov byte [{0x700 + me}], 1
        mov byte [0x702], {other}
    .l: cmp byte [{0x700 + other}], 0
        je .in
        cmp byte [0x702], {other}
        je .l
    .in: pause"""
    return locked(f"p{me}", take, f"mov byte [{0x700 + me}], 0")


TICKET: Final = (
    "mov ax, 1 / lock xadd [0x700], ax / .l: pause / cmp ax, [0x702] / jne .l"
)
KINDS: Final = {
    "xadd": (
        "mov ax, 1 / lock xadd [0x700], ax / mov [0x702], ax / hlt",
        "mov ax, 4 / lock xadd [0x700], ax / mov bx, [0x700] / mov [0x706], bx / hlt",
    ),
    "cmpxchg": (
        ("xor ax, ax / mov bx, 1 / lock cmpxchg [0x700], bx / mov [0x702], ax / "
        "mov word [0x700], 9 / hlt"),
        "xor ax, ax / mov bx, 2 / lock cmpxchg [0x700], bx / mov [0x704], ax / hlt",
    ),
    "a string": (
        "mov si, 0x700 / mov di, 0x710 / mov cx, 4 / rep movsb / hlt",
        "mov dword [0x700], 0x14131211 / mov dword [0x710], 0x77777777 / hlt",
    ),
    "across a page": (
        ("mov eax, [0xFFE] / mov [0x700], eax / mov eax, [0xFFD] / mov [0x704], eax / "
        "mov dword [0xFFF], 0x55667788 / hlt"),
        ("mov byte [0x1000], 1 / mov byte [0x1001], 2 / mov ax, [0x1001] / "
        "mov [0x710], ax / hlt"),
    ),
    "parts of a word": (
        "mov dword [0x700], 0x01010101 / mov byte [0x702], 5 / hlt",
        "mov ax, [0x701] / mov [0x710], ax / mov al, [0x703] / mov [0x712], al / hlt",
    ),
    "a stack": (
        "mov sp, 0x740 / push word 1 / pop ax / mov [0x700], ax / hlt",
        "mov sp, 0x740 / push word 2 / pop ax / mov [0x702], ax / hlt",
    ),
    "a far return": (
        ("mov sp, 0x740 / push cs / push word .x - start / retf / "
        ".x: mov word [0x700], 1 / hlt / .y: mov word [0x702], 2 / hlt"),
        "mov word [0x73C], bsp.y - start / hlt",
    ),
    "shared in some schedules only": (
        ("mov word [0x700], 1 / mov word [0x700], 0 / mov word [0x702], 9 / "
        "mov ax, [0x704] / mov [0x706], ax / hlt"),
        ("cmp word [0x700], 1 / jne .n / mov ax, [0x702] / mov word [0x704], 3 / "
        "mov [0x708], ax / mov word [0x704], 4 / .n: hlt"),
    ),
    "an IPI to oneself": (
        ("sti / send 0, 0x44041 / mov word [0x700], 1 / cli / hlt / handler: "
        "mov ax, [0x704] / mov [0x702], ax / wrmsr_to 0x80B, 0 / iret"),
        "mov word [0x704], 1 / mov ax, [0x700] / mov [0x706], ax / hlt",
    ),
    "an IPI": (
        ("send 1, 0x4041 / mov word [0x700], 1 / mov word [0x700], 2 / hlt / handler: "
        "mov ax, [0x700] / mov [0x702], ax / wrmsr_to 0x80B, 0 / iret"),
        "sti / mov word [0x704], 1 / hlt / mov word [0x706], 1 / cli / hlt",
    ),
    "a ticket lock": (
        locked("t0", TICKET, "inc word [0x702]"),
        locked("t1", TICKET, "inc word [0x702]"),
    ),
    "Peterson's lock": (peterson(0), peterson(1)),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_else_comes_about_with_preemptions_anywhere(
    kind: str, tmp_path: Path
) -> None:
    bsp, ap = KINDS[kind]
    before = "handle 0x41, handler" if "handler" in bsp else ""
    wanted = job(tmp_path, bsp, ap, before)
    found = searched(wanted, 2)
    assert found == anywhere(wanted, 2)
    assert len(found) > 1 or "lock" in kind


# Each with what it takes until 1 is at 0x7F0.

READY: Final = ".w: cmp byte [0x702], 1 / jne .w / "
BEATS: Final = (
    READY + "mov byte [0x700], 0 / cmp byte [0x700], 1 / jne .n / mov byte [0x7F0], 1 "
    "/ .n: mov byte [0x701], 1 / hlt",
    "mov byte [0x702], 1 / .l: mov byte [0x700], 1 / cmp byte [0x701], 0 / je .l / hlt",
)
"""Who waits for the byte at 0x701 writes to 0x700 meanwhile, and does not look."""
BLINKS: Final = (
    READY + "mov al, [0x700] / mov bl, [0x700] / mov byte [0x701], 1 / sub al, bl / "
    "cmp al, 1 / jne .n / mov byte [0x7F0], 1 / .n: hlt",
    (
        "mov byte [0x702], 1 / .l: mov byte [0x700], 0 / mov byte [0x700], 1 / "
        "cmp byte [0x701], 0 / je .l / hlt"
    ),
)
"""Who waits has 0 and 1 at 0x700 in turn, and another can see 1 and then 0."""


@pytest.mark.parametrize(("guest", "takes"), [(BEATS, 1), (BLINKS, 2)])
def test_what_a_vcpu_that_spins_stores_meanwhile_is_seen(
    guest: tuple[str, str], takes: int, tmp_path: Path
) -> None:
    wanted = job(tmp_path, *guest, until="stop and u8(0x7F0) == 1")
    for bound in (takes - 1, takes):
        with pool.processes(1, bool) as workers:
            outcomes, coverage = systematic.explore(
                wanted, bound, workers, enough=exploration.never
            )
        assert coverage.complete
        is_met = any(group.outcome.met for group in outcomes.groups.values())
        assert is_met == (bound == takes)


PIC: Final = """handle 8, tick
        mov al, 0x11
        out 0x20, al
        mov al, 8
        out 0x21, al
        mov al, 4
        out 0x21, al
        mov al, 1
        out 0x21, al
        mov al, 0xFE
        out 0x21, al
        wrmsr_to 0x835, 0x700           ; LINT0 is ExtINT"""
ONE_TICK: Final = (
    "mov al, 0x30 / out 0x43, al / mov al, 0x20 / out 0x40, al / mov al, 0 / "
    "out 0x40, al / sti / .l: cmp byte [0x701], 0 / je .l / cli / hlt / "
    "tick: mov byte [0x701], 1 / iret"
)


def test_a_tick_of_a_device_is_for_who_spins(tmp_path: Path) -> None:
    busy = "mov ecx, 3000 / .b: dec ecx / jnz .b / hlt"
    with pool.processes(1, bool) as workers:
        outcomes, coverage = systematic.explore(
            job(tmp_path, ONE_TICK, busy, PIC), 1, workers
        )
    assert coverage.complete
    assert {group.outcome.stop for group in outcomes.groups.values()} == {"halted"}
