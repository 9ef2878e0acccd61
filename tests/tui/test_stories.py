"""What a user came for, from the first key to the last, in a real terminal.

Keys are typed in bursts, ahead of the screen; screens are read as text. What is
expected is what the guests' sources and the scenarios say, not how a pane shows it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from rigs.terminals import ENTER, ESCAPE, TAB, ProgramInTerminal

from lapis_sessions.gallery import catalog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Open = Callable[..., ProgramInTerminal]

SIZES = [(80, 25), (200, 60)]
KNOWN = catalog.within(catalog.home())
CLEAR = "\x15"
"""Ctrl-U: what was typed in a field is gone."""


@pytest.fixture(params=SIZES, ids=["80x25", "200x60"])
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Return what opens the program in a terminal of one of the sizes."""

    def open_(*arguments: str) -> ProgramInTerminal:
        it = ProgramInTerminal(*arguments, size=request.param, state=tmp_path)
        it.until("stopped")
        return it

    return open_


def _row(it: ProgramInTerminal, *texts: str) -> bool:
    """Tell whether one row has all of `texts`, in this order."""
    wanted = re.compile(".*".join(map(re.escape, texts)))
    return any(wanted.search(row) for row in it.rows)


def _rows(it: ProgramInTerminal, *rows: tuple[str, ...]) -> None:
    """Wait until there is a row for each of `rows`."""
    it.until_so(lambda: all(_row(it, *each) for each in rows), rows)


def _focused(it: ProgramInTerminal) -> str | None:
    """Return the pane with the focus, which a heavy line above it shows."""
    titles = re.findall(r"━(\w+)", it.text)
    return titles[0] if len(titles) == 1 else None  # two while a frame is drawn


def _focus(it: ProgramInTerminal, pane: str) -> None:
    """Press Tab until a pane has the focus."""
    for _ in range(12):
        it.until_so(lambda: _focused(it) is not None, "a pane in focus")
        before = _focused(it)
        if before == pane:
            return
        it.keys(TAB)
        others = {None, before}
        it.until_so(lambda: _focused(it) not in others, others)  # noqa: B023 - asked at once
    pytest.fail(f"no pane {pane}:\n{it.text}")


def test_an_ap_comes_up(terminal: Open) -> None:
    """INIT to all but itself, a SIPI with page 8, and vector 0x31."""
    with terminal("ap-bringup") as it:
        it.keys("3bibsbmbhbfc")
        _rows(
            it,
            ("c4500", "INIT"),
            ("c4608", "SIPI 08"),
            ("start 0x8000",),
            ("c4031", "31"),
            ("vCPU 1", "✓ INIT", "✓ SIPI 08", "✓ long 64", "✓ first interrupt 31"),
            ("vCPU 0", "✓ long 64"),
        )


def test_a_request_is_answered_wrongly_and_then_rightly(terminal: Open) -> None:
    with terminal("ap-bringup") as it:
        it.keys("ca0x123456789", ENTER)
        _rows(it, ("0x123456789", "4 bytes"), ("TYPING",), ("pending 1",))
        assert sum("0x123456789" in row for row in it.rows) > 1  # in the field, too
        it.keys(CLEAR, "zz", ENTER)
        _rows(it, ("zz", "not a number"), ("TYPING",), ("pending 1",))
        it.keys(CLEAR, "0x1234", ENTER, "s")
        _rows(it, ("rax 0000000000001234",), ("r14*0000000000001234",), ("pending 0",))
        it.keys("c:console", ENTER)
        _rows(it, ("device says 0x1234",))


def test_what_is_injected_nests_three_deep(terminal: Open) -> None:
    """`nesting` halts; 0x31 sets its handlers off, each of which lets the next in."""
    with terminal("nesting", "--cpus", "1") as it:
        it.keys("c:break high", ENTER, "i", TAB, CLEAR, "0x31", ENTER, "c2")
        _rows(it, ("PPR 70",), ("71  ISR",), ("52  ISR",), ("31  ISR",))
        it.keys("c")
        it.until_so(lambda: _row(it, "PPR 00") and not _row(it, "  ISR"), "no ISR")


def test_back_over_an_eoi_to_its_cause(terminal: Open) -> None:
    with terminal("nesting", "--cpus", "1") as it:
        it.keys("c:last-change apic 0 isr", ENTER, "S2")
        _rows(it, ("PPR 30",), ("31  ISR",), ("to the end of main",))
        it.keys(ENTER)
        _rows(it, ("0x31", "in service and waits for its EOI"))
        it.keys(ESCAPE)
        it.until("priority")
        it.keys("1")
        # `low_end` writes the EOI register of the APIC.
        _rows(it, ("100f2", "mov"), ("retired",))
        it.keys("s2")
        _rows(it, ("PPR 00",), ("to the end of main",))


def test_a_scenario_ends_as_verify_says(terminal: Open) -> None:
    command = [sys.executable, "-m", "lapis_tui", "replay", "illumos-12936", "--verify"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    digest = re.search(r"digest (\w+)$", told.strip())
    assert digest is not None
    with terminal("replay", "illumos-12936") as it:
        it.keys("cccccc:digest", ENTER)
        it.until(digest[1])


def test_a_branch_and_back_to_the_other(terminal: Open) -> None:
    with terminal("ap-bringup") as it:
        it.keys("ca0x1234", ENTER, "c")
        _rows(it, ("r14*0000000000001234",), ("lapis", "main", "pending 0"))
        it.keys(":goto act 1", ENTER, "F")
        _rows(it, ("lapis", "branch-1", "pending 1"))
        it.keys("a0x55", ENTER, "c")
        _rows(it, ("r14*0000000000000055",), ("lapis", "branch-1", "pending 0"))
        it.keys(":branch main", ENTER)
        _rows(it, ("r14", "0000000000001234"), ("lapis", " main "))
        it.keys(":branch branch-1", ENTER)
        _rows(it, ("r14", "0000000000000055"), ("lapis", "branch-1"))


def test_a_lesson(terminal: Open) -> None:
    first, second = catalog.find("priority-inversion", KNOWN).tapes[0].points[:2]
    assert (first.answer, second.answer) == ("no", "no")
    with terminal("replay", "priority-inversion") as it:
        it.keys("7")
        _focus(it, "notes")
        it.keys("]yno", ENTER)
        it.until("was accepted", "1 of 1 right", "= no")
        it.keys("]yyes", ENTER)
        it.until("1 of 2 right", "low enough", "= no")
