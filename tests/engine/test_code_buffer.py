"""A guest that rewrites its own code costs no more than one that does not.

What is translated is dropped when there is too much of it, in the midst of a run; the
guest sees nothing of that.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rigs import machines

from lapis_engine.cpu import restart
from lapis_engine.replay.digest import Digester

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.machine.machine import Machine

REWRITER = bytes.fromhex(
    "b80010 8ed8"  # mov ax, 0x1000; mov ds, ax
    "ff060d00"  # again: inc word [what]
    "eb00 90"
    "bb0000"  # mov bx, what
    "ebf4"  # jmp again
)
"""Five instructions a round, of which one changes the fourth."""
OWN_BLOCK = bytes.fromhex(
    "b80010 8ed8"
    "ff060a00"  # again: inc word [what], in the block that it is in
    "bb0000"  # mov bx, what - at 9
    "f7e3 01c1 11d1"  # mul bx; add cx, ax; adc cx, dx
    "ebf1"  # jmp again
)


def _rounds(code: bytes, quantum: int) -> Machine:
    m = machines.machine(code, quantum=quantum)
    for count in (1, 2, 7, 500, 1_013):
        m.run(count)
        m.step(0, 3)
    return m


CASES: dict[str, Callable[[], Machine]] = {
    "rewrites another block": lambda: _rounds(REWRITER, 1_000),
    "rewrites its own block": lambda: _rounds(OWN_BLOCK, 37),
    "bring-up": lambda: _ran(machines.ap_bringup(3), 20_000),
    "bring-up, short turns": lambda: _ran(machines.ap_bringup(2, quantum=11), 6_000),
    "nesting": lambda: _ran(machines.machine(_shipped("nesting"), 2), 6_000),
    "REP to the APIC": lambda: _ran(machines.machine(_shipped("rep-lapic")), 6_000),
}


def _shipped(name: str) -> bytes:
    return machines.AP_BRINGUP.with_name(f"{name}.bin").read_bytes()


def _ran(m: Machine, count: int) -> Machine:
    m.run(count // 3)
    m.break_only_at([m.vcpus[0].regs.linear_rip])
    m.run(count // 3)
    m.break_only_at([])
    m.run(count // 3)
    return m


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("most", [1, 13, 90])
def test_dropping_translations_changes_nothing_that_the_guest_sees(
    case: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = CASES[case]()
    monkeypatch.setattr(restart, "MOST", most)
    dropped = CASES[case]()
    assert machines.fingerprint(dropped) == machines.fingerprint(plain)
    assert Digester(dropped).digest() == Digester(plain).digest()


def test_a_watch_counts_the_same_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    def told() -> list[int]:
        m, found = machines.machine(REWRITER), list[int]()

        def written(number: int, _access: object) -> bool:
            found.append(number)
            return False

        m.vm.core.watch([(machines.BASE + 0xD, 2)], (), written)
        m.vm.core.run(m.vcpus[0].regs, 100)
        return found

    plain = told()
    assert plain == list(range(3, 100, 5))
    monkeypatch.setattr(restart, "MOST", 1)
    assert told() == plain


RESIDENT = """
import sys
from pathlib import Path
from lapis_engine.cpu import restart
from rigs import machines
restart.MOST = int(sys.argv[2])
m = machines.machine(bytes.fromhex(sys.argv[1]), quantum=1_000_000)
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
m.run(10_000)
before = resident()
m.run(600_000)
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts pages by /proc")
def test_what_is_translated_is_given_up_while_the_guest_runs() -> None:
    """600,000 instructions translate 120,000 blocks, which are 65 MB if kept."""
    grown = [
        int(
            subprocess.run(
                [sys.executable, "-c", RESIDENT, REWRITER.hex(), str(most)],
                cwd=Path(__file__).parents[1],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for most in (40_000, 10_000_000)
    ]
    assert grown[0] < 16 << 20
    assert grown[1] > 32 << 20, "else this would prove nothing"
    assert restart.MOST * 250 < 128 << 20
