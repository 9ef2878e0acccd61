"""`was` and `changed`, against what was printed while the machine stood there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rigs.counting import counting, done
from rigs.session_files import digest

from lapis_plugins.host import discover
from lapis_sessions import past as past_of
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_sessions.session import Session


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """AX and the word at 0x500 are counted up by each four instructions."""
    return counting(tmp_path)


def value(session: Session, text: str) -> Any:
    return done(session, f"print {text}")["value"]


def refused(session: Session, line: str) -> str:
    outcome = session.execute(line)
    assert not outcome.ok
    return outcome.error


@pytest.mark.parametrize("text", ["ax", "u16(0x500)", "rip", "retired", "mode", "now"])
def test_it_is_what_was_printed_before_the_machine_moved(
    session: Session, text: str
) -> None:
    seen = []
    for line in ("run 40", "step 3", "run 1000", "reverse-step", "goto 7"):
        seen.append(value(session, text))
        done(session, line)
        here = digest(session)
        assert value(session, f"was({text})") == seen[-1]
        is_other = value(session, text) != seen[-1]
        assert value(session, f"changed({text})") is is_other
        done(session, "where")  # which moves nothing
        assert value(session, f"was({text})") == seen[-1]
        assert digest(session) == here


def test_a_point_with_a_name_is_gone_to_and_back(session: Session) -> None:
    done(session, "run 41")
    done(session, "checkpoint here")
    there = value(session, "[ax, u16(0x500)]")
    done(session, "run 1000")
    here = digest(session)
    assert value(session, "was([ax, u16(0x500)], 'here')") == there
    assert value(session, "changed(ax, 'here'), changed(mode, 'here')") == [True, False]
    assert value(session, "was(ax, 'start')") == 0
    assert digest(session) == here
    done(session, "goto here")
    assert value(session, "changed(ax, 'here')") is False
    done(session, "goto end")
    done(session, "checkpoint here")  # the name is another point's now
    assert value(session, "changed(ax, 'here')") is False


def test_a_condition_asks_of_where_the_run_began(session: Session) -> None:
    start = session.machine.vcpu(0).regs.linear_rip
    done(session, "run 38")
    began = value(session, "ax")
    done(session, f"break {start + 1:#x} if ax >= was(ax) + 5 and changed(ax, 'start')")
    assert done(session, "run 1000")["stop"] == "breakpoint"
    assert value(session, "ax") == began + 5
    assert done(session, "run 1000")["stop"] == "breakpoint"
    assert value(session, "ax") == began + 10
    assert session.notices == []


def test_a_watch_and_a_catch_ask_too(session: Session) -> None:
    done(session, "run 40")
    done(session, "watch u16(0x500) if u16(0x500) == was(u16(0x500)) + 3")
    assert done(session, "run 1000")["stop"] == "watchpoint"
    assert value(session, "u16(0x500)") == 13
    it = open_session(SessionOptions("ap-bringup", cpus=2), discover().extensions)
    done(it, "catch ipi if retired > was(retired) + 100")
    stop = done(it, "run 100000")
    assert (stop["stop"], value(it, "retired") > 100) == ("catch", True)


def test_a_display_shows_what_changed_at_each_stop(session: Session) -> None:
    done(session, "display changed(ax), was(ax)")
    rows = []
    for line in ("step", "step", "step 3"):
        stop = done(session, line)
        rows.append(stop["display"][0]["shown"])
    assert rows == ["[true, 0]", "[false, 1]", "[true, 1]"]


def test_a_search_asks_of_where_it_began(session: Session) -> None:
    done(session, "run 403")
    now = value(session, "ax")
    done(session, "goto last not changed(ax)")
    assert value(session, "ax") == now
    done(session, "reverse-step")
    assert value(session, "ax") == now - 1
    done(session, "goto end")
    done(session, "goto first ax == was(ax) - 50")
    assert value(session, "ax") == now - 50


def test_each_vcpu_has_its_own() -> None:
    it = open_session(SessionOptions("ipi-ping", cpus=2), discover().extensions)
    done(it, "run 5000")
    before = [value(it, f"vcpu[{n}].retired") for n in (0, 1)]
    done(it, "run 5000")
    for number in (0, 1):
        done(it, f"vcpu {number}")
        assert value(it, f"was(vcpu[{number}].retired)") == before[number]


def test_a_breakpoint_that_is_stood_at_is_still_passed(session: Session) -> None:
    start = session.machine.vcpu(0).regs.linear_rip
    done(session, f"break {start + 1:#x}")
    done(session, "run 100")
    assert value(session, "was(ax)") == 0  # which goes there and back
    assert done(session, "run 100")["retired"] == 4


def test_it_is_asked_of_branches_that_were_left(session: Session) -> None:
    done(session, "run 400")
    there = value(session, "ax")
    done(session, "goto 40")
    done(session, "set r9 = 5")
    done(session, "run 4")
    assert value(session, "was(r9)") == 5
    done(session, "branch main")
    assert value(session, "ax") == there
    assert value(session, "was(r9)") == 5


def test_too_far_is_a_sentence_and_a_name_helps(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_of, "SHORT", 500)
    done(session, "run 501")
    why = "the machine moved by 501 instructions, and 500 are gone back: name a point"
    assert why in refused(session, "print was(ax)")
    assert value(session, "was(ax, 'start')") == 0


def test_what_is_typed_moves_nothing(session: Session) -> None:
    done(session, "run 100")
    travels = session.timeline.travels
    with session.past.staying():
        assert "is not known" in refused(session, "print was(ax)")
    assert session.timeline.travels == travels


def test_nothing_is_looked_at_when_nothing_asks(session: Session) -> None:
    done(session, "display was(ax)")
    assert session.past._at_line
    done(session, "undisplay")
    done(session, "step")
    assert not session.past._at_line


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("print was()", "was takes an expression, and maybe a point, not 0"),
        ("print changed(1, 'a', 2)", "maybe a point, not 3"),
        ("print was(was(ax))", "was is asked of the present only"),
        ("print was(ax, 5)", "the name of a point stands between quotes"),
        ("print was(ax, 'nix')", "there is no point 'nix'; there are: start"),
        ("print was(nix)", "there is no 'nix'"),
        ("print was(apic)", "it is no number, text or list that is kept"),
        ("print was(u8(0xfffffff0))", "it had no value then"),
        ("break 0 if was(ax, 'nix')", "there is no point 'nix'"),
        ("catch any if was(event.vector)", "there is no 'event'"),
        ("rule add 'any = was(ax)'", "there is no function 'was'"),
    ],
)
def test_what_cannot_be_is_a_sentence(session: Session, line: str, words: str) -> None:
    done(session, "run 10")
    here = digest(session)
    assert words in refused(session, line)
    assert digest(session) == here
    assert done(session, "stops") == []
