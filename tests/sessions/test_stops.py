"""Breakpoints with conditions and commands, watchpoints, in a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rigs import machines
from rigs.counting import counting, done
from rigs.session_files import digest

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_sessions.session import Session


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return counting(tmp_path)


def refused(session: Session, line: str) -> str:
    outcome = session.execute(line)
    assert not outcome.ok
    return outcome.error


def test_a_condition_is_an_expression_of_the_vcpu_that_stands_there(
    session: Session,
) -> None:
    at = done(session, "regs")["rip"]
    start = session.machine.vcpu(0).regs.linear_rip
    assert at is not None
    done(session, f"break {start + 1:#x} if ax == 20 and u16(0x500) == 19")
    stop = done(session, "run 100000")
    assert (stop["stop"], done(session, "print ax")["value"]) == ("breakpoint", 20)
    (row,) = done(session, "stops")
    assert (row["kind"], row["hits"], row["condition"]) == (
        "break", 1, "ax == 20 and u16(0x500) == 19",
    )  # fmt: skip


def test_a_condition_without_a_value_stops_and_is_told(session: Session) -> None:
    start = session.machine.vcpu(0).regs.linear_rip
    done(session, f"break {start + 1:#x} if u8(0xfffffff0) == 1")
    assert done(session, "run 100")["stop"] == "breakpoint"
    assert "a condition of a breakpoint: " in session.notices[-1]


def test_commands_are_done_at_each_stop(session: Session) -> None:
    start = session.machine.vcpu(0).regs.linear_rip
    done(session, f"tbreak {start + 5:#x}")
    done(session, "commands 1 print ax; print u16(0x500)")
    stop = done(session, "run 100")
    values = [each["result"]["value"] for each in stop["commands"]]
    assert values == [1, 1]
    assert done(session, "stops") == []
    done(session, f"break {start + 5:#x} --skip 2")
    done(session, "commands 2 print ax; continue")
    stop = done(session, "run 39")
    values = [each["result"]["value"] for each in stop["commands"]]
    assert (values, stop["stop"]) == (list(range(4, 4 + len(values))), "budget")
    assert len(values) > 3


def test_what_commands_say_has_its_rows(session: Session) -> None:
    done(session, "run 100")
    done(session, "break pc")
    done(session, "commands 1 print 5; registers")
    rows = session.execute("run 1000").text.splitlines()
    assert rows[2:4] == ["> print 5", "5"]
    assert rows[4] == "> registers"
    assert rows[5].startswith("vCPU 0")


def test_a_register_that_is_set_at_a_breakpoint_does_not_stop_there_again(
    session: Session,
) -> None:
    done(session, "run 100")
    at = done(session, "print pc")["value"]
    done(session, f"break {at:#x}")
    assert done(session, "run 1000")["stop"] == "breakpoint"
    done(session, "set r9 = 5")
    assert done(session, "step 1")["retired"] == 1
    done(session, "commands 1 set r9 = 6; continue")
    assert done(session, "run 1000")["retired"] == 1000
    assert done(session, "print r9")["value"] == 6
    done(session, "commands 1 where")
    assert done(session, "run 1000")["stop"] == "breakpoint"
    done(session, "set rip = rip")  # as if it had come there anew
    assert done(session, "run 10")["retired"] == 0


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("watch 0x500 2", "watch 1, write of 2 bytes at 0x500: 0x0 -> 0x1"),
        ("watch u16(0x500)", "watch 1, write of 2 bytes at 0x500: 0x0 -> 0x1"),
        ("watch u16(0x500) --change",
         "watch 1, change of 2 bytes at 0x500: 0x0 -> 0x1"),
        ("watch 0x500 --physical", "watch 1, write of 4 bytes at 0x500: 0x0 -> 0x1"),
        ("rwatch u16(0x500)", "watch 1, read of 2 bytes at 0x500: 0x0 -> 0x1"),
        ("awatch u16(0x500+0)", "watch 1, access of 2 bytes at 0x500: 0x0 -> 0x1"),
        ("watch u16(0x500) if u16(0x500) == 7",
         "watch 1, write of 2 bytes at 0x500: 0x6 -> 0x7"),
        ("watch u16(0x500) --skip 4", "watch 1, write of 2 bytes at 0x500: 0x4 -> 0x5"),
    ],
)  # fmt: skip
def test_a_watch_tells_old_and_new(session: Session, line: str, text: str) -> None:
    done(session, line)
    stop = done(session, "run 1000")
    assert (stop["stop"], stop["text"]) == ("watchpoint", text)


def test_one_goes_back_to_a_write_and_forward_to_it_again(session: Session) -> None:
    done(session, "watch u16(0x500) if u16(0x500) == 5")
    done(session, "run 1000")
    here = digest(session)
    assert done(session, "print u16(0x500)")["value"] == 5
    done(session, "delete")
    done(session, "run 100")
    done(session, "watch u16(0x500) if u16(0x500) == 5")
    done(session, "reverse-continue")
    assert (digest(session), done(session, "print u16(0x500)")["value"]) == (here, 5)
    done(session, "goto 0")
    assert done(session, "run 1000")["stop"] == "watchpoint"
    assert digest(session) == here


def test_what_stops_the_user_is_in_no_recording(
    session: Session, tmp_path: Path
) -> None:
    path = tmp_path / "one.lapis"
    done(session, f"record start {path}")
    done(session, "watch u16(0x500)")
    start = session.machine.vcpu(0).regs.linear_rip
    done(session, f"break {start + 1:#x} if ax == 9")
    for _ in range(5):
        done(session, "run 1000")
    done(session, "record stop")
    again = open_session(
        SessionOptions(str(tmp_path / "count.bin"), cpus=1), discover().extensions
    )
    reasons = {act["stop"] for act in done(session, "acts")["acts"]}
    assert reasons <= {"catch", "breakpoint"}
    assert done(again, "stops") == []


def test_one_is_switched_off_counted_down_and_taken_away(session: Session) -> None:
    start = session.machine.vcpu(0).regs.linear_rip
    done(session, f"break {start + 1:#x}")
    done(session, "watch u16(0x500)")
    done(session, "disable 1")
    assert done(session, "run 10")["stop"] == "watchpoint"
    done(session, "disable 2")
    assert done(session, "run 10")["stop"] == "budget"
    done(session, "enable 1")
    done(session, "ignore 1 1")
    done(session, "condition 1 if ax > 3")
    done(session, "run 100")
    assert [row["hits"] for row in done(session, "stops")] == [2, 1]
    done(session, "condition 1")
    assert "condition" not in done(session, "stops")[0]
    done(session, "delete 2")
    assert [row["number"] for row in done(session, "stops")] == [1]
    done(session, f"delete {start + 1:#x}")
    assert done(session, "stops") == []


def test_a_physical_breakpoint_is_met_forward_and_backward() -> None:
    """The guest calls 0x11123 by two addresses; EBX counts, also what was met."""
    guest = str(machines.GUESTS / "aliases.bin")
    session = open_session(SessionOptions(guest, cpus=1), discover().extensions)
    (row,) = done(session, "break --physical 0x11123 if ebx < 4")
    assert (row["what"], row["kind"]) == ("0x11123 physical", "break")
    live = []
    while done(session, "run 20000")["stop"] == "breakpoint":
        live.append((done(session, "print ebx")["value"], digest(session)))
    assert [count for count, _ in live] == [0, 1, 2, 3]
    back = []
    while done(session, "reverse-continue").get("text") != "the beginning":
        back.append((done(session, "print ebx")["value"], digest(session)))
    assert back == live[::-1]
    along = []
    while done(session, "run 20000")["stop"] == "breakpoint":
        along.append((done(session, "print ebx")["value"], digest(session)))
    assert along == live
    done(session, "delete 0x11123")
    assert done(session, "stops") == []
    assert "no RAM or ROM" in refused(session, "break --physical 0xfee00000")
    done(session, "tbreak --physical")
    assert done(session, "stops")[0]["once"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("break 0 if nothing == 1", "there is no 'nothing'"),
        ("break 0 if ax ==", "it ends too soon"),
        ("break 0 --vcpu 5", "there is no vCPU 5"),
        ("rwatch", "rwatch needs ADDRESS"),
        ("watch 'ax == 1'", "is no address"),
        ("watch 0xfee00000", "no RAM or ROM"),
        ("watch 0x500 5000", "write of 5000 bytes: 1 to 4096"),
        ("watch 0x500 0", "write of 0 bytes: 1 to 4096"),
        ("enable 7", "there is no breakpoint or watchpoint 7; there are: none"),
        ("delete 7", "there is no breakpoint at 0x7"),
        ("commands 1 print ax", "there is no breakpoint or watchpoint 1"),
    ],
)
def test_what_cannot_be_is_a_sentence(session: Session, line: str, words: str) -> None:
    assert words in refused(session, line)
    assert done(session, "stops") == []
