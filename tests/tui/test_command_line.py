"""The command line: a wrong line stays in its field, with what is wrong below it."""

from __future__ import annotations

import asyncio

from rigs.screens import NAMES, Driver, bringup, drive, spin
from textual.events import Key

from lapis_tui.panes.command import CommandInput


def field(it: Driver) -> CommandInput:
    found = it.app.focused
    assert isinstance(found, CommandInput)
    return found


def test_a_wrong_line_stays_with_its_cursor_until_it_is_right() -> None:
    async def play(it: Driver) -> None:
        await it.command("stpe 3")
        assert field(it).value == "stpe 3"
        assert field(it).cursor_position == 6
        assert it.rows[-2] == " :stpe 3"
        assert it.rows[-1].startswith(" ! there is no command 'stpe'; did you mean")
        assert "usage: step [COUNT]" in it.rows[-1]
        assert (it.view.now.now, it.view.vcpu.retired) == (0, 0)
        await it.press("home", "right", "right", "right", "right", "backspace")
        await it.press("backspace", "e", "p", "enter")
        assert it.view.vcpu.retired == 3
        assert it.app.focused is not None
        assert it.app.focused.id == "vcpus"
        assert "!" not in it.rows[-1]

    drive(bringup(), play)


def test_a_wrong_argument_is_told_with_the_usage_and_left_by_escape() -> None:
    async def play(it: Driver) -> None:
        await it.command("step lots")
        assert field(it).value == "step lots"
        assert "'lots' is not a number" in it.text
        assert "usage: step [COUNT]" in it.text
        await it.press("escape")
        assert it.app.focused is not None
        assert it.app.focused.id == "vcpus"
        assert "'lots' is not a number" in it.rows[-2]
        assert "step" in it.rows[-1]  # the keys are back
        await it.press(":")
        assert field(it).value == ""
        assert "not a number" not in it.rows[-1]

    drive(bringup(), play)


def test_a_long_complaint_takes_the_rows_that_it_needs_and_gives_them_back() -> None:
    async def play(it: Driver) -> None:
        before = it.rows
        await it.command("explain nothing")
        rows = it.rows
        at = rows.index(" :explain nothing")
        assert rows[at + 1].startswith(" ! explain: what 'nothing' is not one of")
        assert "usage: explain WHAT" in " ".join(row.strip() for row in rows[at:])
        assert len(rows) == len(before) == 25
        await it.press("escape")
        assert it.rows[-1] == before[-1]

    drive(bringup(), play, (80, 25))


def test_what_is_typed_ahead_of_a_wrong_line_does_nothing_behind_it() -> None:
    async def play(it: Driver) -> None:
        for key in (*":stpe", "enter", "s", "q"):
            name = NAMES.get(key, "colon" if key == ":" else key)
            it.app.post_message(Key(name, key if len(key) == 1 else None))
        arrived = asyncio.Event()
        it.app.call_later(arrived.set)
        await it.until(lambda: arrived.is_set() and it.app.idle)
        assert field(it).value == "stpesq"
        assert it.view.vcpu.retired == 0
        assert not it.app._exit

    drive(bringup(), play)


def test_a_command_that_runs_long_closes_the_field() -> None:
    async def play(it: Driver) -> None:
        await it.pilot.press(":")
        await it.type("run")
        it.key("enter")
        await it.until(lambda: it.view.running)
        await it.until(lambda: it.app.focused is not None)
        assert it.app.focused is not None
        assert it.app.focused.id == "vcpus"
        it.key("ctrl+c")
        await it.until(lambda: it.app.idle)

    drive(spin(), play)


def test_a_line_that_would_leave_the_branch_is_asked_for_without_a_field() -> None:
    async def play(it: Driver) -> None:
        await it.command("step 3")
        await it.press("home")
        await it.command("quantum 500")
        assert "leave main?" in it.text
        await it.press("n")
        assert "nothing was done" in it.text
        assert it.app.focused is not None
        assert it.app.focused.id == "vcpus"

    drive(bringup(), play)


def test_a_line_that_is_refused_for_no_fault_of_its_own_closes_the_field() -> None:
    session = bringup()
    assert session.execute("step 3").ok
    assert session.execute("goto start").ok
    session.read_only = True

    async def play(it: Driver) -> None:
        await it.command("nmi 0")
        assert "fork goes on from here" in it.rows[-2]
        await it.press("F")
        assert it.view.now.branch == "branch-1"

    drive(session, play)


def test_names_are_completed_while_nobody_is_at_work() -> None:
    async def play(it: Driver) -> None:
        complete = it.app.main._complete
        assert "print apic.lvt.timer" in complete("print apic.lvt.ti")
        it.key("c")
        await it.until(lambda: it.view.running)
        assert complete("print apic.lvt.ti") == []
        assert "vcpus" in complete("vcpu")
        it.key("ctrl+c")
        await it.until(lambda: it.app.idle)
        assert "print rax" in complete("print ra")

    drive(spin(), play)
