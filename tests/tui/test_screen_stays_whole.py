"""Whatever guests, files and plug-ins do, the screen in a real terminal stays whole.

Whole is: the bars are at their places, nothing reached the terminal that it would obey,
and the keys still do what they are for; then it ends, and the terminal is as it was.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from rigs import hostile, plugin_files
from rigs.screens import GUESTS
from rigs.terminals import CTRL_C, ENTER, ESCAPE, TAB, ProgramInTerminal

from lapis_tui.layouts import LAYOUTS

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (80, 25)
OBEYED = (
    b"\x1b]0;", b"\x1b]2;", b"\x1b]52;", b"\x1bc", b"\x1b[6n", b"\x1b[c",
    b"\x1b[8;1;1t", b"\x1bP+q", b"\xc2\x9b", b"\x9b31", b"\xe2\x80\xae",
)  # fmt: skip
"""What a terminal would obey and no program of ours sends."""
SAID = {
    "boom": ("is disabled", "no luck"),
    "hang": ("is disabled", "took longer"),
    "evil": (r"\x07\x1b[2J", "…"),
}
"""What is on the screen of a pane of a plug-in."""
LEAVE = "\x1d"
"""Ctrl-], out of the guest's terminal."""
EVIL_PANE = """
def evil(_snapshot, _size):
    return [[(EVIL, "warn"), (EVIL * 9, "")]] * 200


offer("lapis_panes", [Pane("it", EVIL, (EVIL,), {render})])
"""


def _check_whole(it: ProgramInTerminal) -> None:
    """Give a command, and see it done between the bars; nothing raw was written."""
    it.keys(ESCAPE, ":quantum", ENTER)
    it.until_so(
        lambda: (
            "lapis" in it.rows[0]
            and any("quantum 10" in row for row in it.rows[-3:])
            and "step" in it.rows[-1]
        ),
        "the bars, and a command that is done",
    )
    for sequence in OBEYED:
        at = it.raw.find(sequence)
        assert at < 0, (sequence, bytes(it.raw[at - 80 : at + 80]))
    # A bell ends the one string that Textual sends: the shape of the pointer.
    assert it.raw.count(b"\x07") == it.raw.count(b"\x1b]22;")


def _check_end(it: ProgramInTerminal) -> None:
    it.keys(":q!", ENTER)
    assert it.ended() == 0
    assert it.raw.rfind(b"\x1b[?1049l") > it.raw.rfind(b"\x1b[?1049h")


def _look_round(it: ProgramInTerminal) -> None:
    """Go to every pane of every layout and read what it shows."""
    for layout in LAYOUTS:
        it.keys(layout.key)
        it.until_so(lambda: layout.name in it.rows[-1], layout.name)  # noqa: B023 - asked at once
        it.keys(LEAVE if layout.key == "8" else TAB * 4)


def test_a_guest_that_prints_what_a_terminal_obeys(tmp_path: Path) -> None:
    arguments = (str(GUESTS / "evil-text.bin"), "--machine", "pc")
    with ProgramInTerminal(*arguments, size=SIZE, state=tmp_path) as it:
        it.until("stopped")
        it.keys("c")
        it.until("halted")
        it.keys("8")
        it.until("before", "[red]markup[/red]", "after")
        it.keys("\x1b[6;5~")  # Ctrl-PgDn
        it.until("screen vga", "before", "[red]markup[/red][@click=app.quit]click[/]")
        it.keys("1:console", ENTER)
        it.until("before", r"\x1b]0;OWNED", "after")
        _check_whole(it)
        _check_end(it)


def test_a_recording_whose_every_text_is_evil(tmp_path: Path) -> None:
    path = hostile.recording(tmp_path)
    with ProgramInTerminal("replay", str(path), size=SIZE, state=tmp_path) as it:
        it.until("stopped")
        _look_round(it)
        for line in ("notes --answers", "branches", "acts", "checkpoints", "symbols"):
            it.keys("c:", line, ENTER, ESCAPE)
        it.keys("1:branches", ENTER, "M")
        it.until(r"e\x1b]0;OWNED")
        _check_whole(it)
        _check_end(it)


def test_as_many_vcpus_as_there_may_be(tmp_path: Path) -> None:
    with ProgramInTerminal(
        "ap-bringup", "--cpus", "32", size=SIZE, state=tmp_path
    ) as it:
        it.until("stopped")
        it.keys("c")
        it.until("pending 1")
        _look_round(it)
        it.keys("3", "p")
        it.until("vCPU 31")
        it.keys("a0x1234", ENTER, "c")
        it.until("pending 0", "halted")
        it.resize((200, 60))
        _look_round(it)
        _check_whole(it)
        _check_end(it)


def test_a_flood_of_events_is_looked_at_and_broken_off(tmp_path: Path) -> None:
    """`ipi-ping` does nothing but send, accept, deliver and end an interrupt."""
    with ProgramInTerminal(
        "ipi-ping", "--cpus", "2", size=(200, 60), state=tmp_path
    ) as it:
        it.until("stopped")
        it.keys("c")
        it.until("running", "Ctrl-C")
        for key in "2371":
            name = next(each.name for each in LAYOUTS if each.key == key)
            it.keys(key)
            it.until_so(lambda: name in it.rows[-1].split(), name)  # noqa: B023 - asked at once
        it.until_so(lambda: _events(it) > 30_000, "30,000 events")
        it.keys(CTRL_C)
        it.until("broken off", "stopped")
        _check_whole(it)
        _check_end(it)


def _events(it: ProgramInTerminal) -> int:
    """Read the count of events in the header."""
    words = it.rows[0].replace(",", "").split()
    after = words[words.index("events") + 1] if "events" in words[:-1] else "0"
    return int(after) if after.isdigit() else 0


@pytest.mark.parametrize("seed", [1, 2])
def test_a_storm_of_sizes_while_the_guest_runs(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    spin = str(GUESTS / "spin.bin")
    with ProgramInTerminal(spin, "--cpus", "1", size=SIZE, state=tmp_path) as it:
        it.until("stopped")
        it.keys("c")
        it.until("running")
        for number in range(100):
            it.resize((draw.randint(20, 300), draw.randint(5, 100)))
            if number % 10 == 9:  # some are drawn, others pass while a frame is
                seen = len(it.raw)
                it.until_so(lambda: len(it.raw) > seen, "a frame")  # noqa: B023 - asked at once
            if number % 25 == 24:
                it.keys("1237"[number // 25])
        it.resize(SIZE)
        it.keys(CTRL_C)
        it.until("broken off", "stopped")
        _check_whole(it)
        assert all(len(row) <= SIZE[0] for row in it.rows)
        _check_end(it)


@pytest.mark.parametrize("render", ["boom", "hang", "evil"])
def test_a_pane_of_a_plugin(tmp_path: Path, render: str) -> None:
    body = f"EVIL = {hostile.EVIL!r}\n{EVIL_PANE.format(render=render)}"
    path = plugin_files.plugin(tmp_path, body)
    with ProgramInTerminal(
        "ap-bringup", "--plugin", path, size=SIZE, state=tmp_path
    ) as it:
        it.until("stopped")
        it.keys("99")
        it.until(r"━e\x1b]0;OWNED")  # its title
        it.until(*SAID[render])
        it.keys("c")
        it.until("pending 1")
        _check_whole(it)
        _check_end(it)
