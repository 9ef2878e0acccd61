"""Next, until, and steps with others: where they come to, live and along the past."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rigs.session_files import digest

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_sessions.session import Session

CODE = bytes.fromhex(
    "bc0006 bf0007 bb0300 e80b00 40 b90500 f3aa cd40 42 ebef 4b 7403 e8faff c3 cf"
)
"""00 mov sp, 0x600; 03 mov di, 0x700; 06 mov bx, 3; 09 call 17; 0c inc ax;
0d mov cx, 5; 10 rep stosb; 12 int 0x40; 14 inc dx; 15 jmp 06;
17 dec bx; 18 jz 1d; 1a call 17; 1d ret; 1e iret: the way of int 0x40."""
BASE = 0x1_0000
PATH = (0x03, 0x06, 0x09, 0x0C, 0x0D, 0x10, 0x12, 0x14, 0x15, 0x06, 0x09, 0x0C)
"""Where one comes to by `next`, from 00 on."""


@pytest.fixture
def session(tmp_path: Path) -> Session:
    path = tmp_path / "calls.bin"
    path.write_bytes(CODE)
    it = open_session(SessionOptions(str(path), cpus=1), discover().extensions)
    done(it, "poke 0x100 1e 00 00 10")
    return it


def done(session: Session, line: str) -> Any:
    outcome = session.execute(line)
    assert outcome.ok, outcome.error
    return outcome.result


def at(session: Session) -> int:
    return session.machine.vcpu(0).regs.rip


@pytest.mark.parametrize("tail", ["", " --alone"])
def test_next_goes_over_calls_interrupts_and_repetitions(
    session: Session, tail: str
) -> None:
    begun = session.timeline.spot.at.retired
    digests = []
    for place in PATH:
        stop = done(session, f"next{tail}")
        is_over = place in {0x0C, 0x12, 0x14}
        assert (at(session), stop["stop"]) == (
            place, "arrived" if is_over else "budget",
        )  # fmt: skip
        digests.append(digest(session))
    assert done(session, "stops") == []
    done(session, f"goto {begun}")
    for place, here in zip(PATH, digests, strict=True):
        done(session, f"next{tail}")
        assert (at(session), digest(session)) == (place, here)
    assert [each["name"] for each in done(session, "branches")] == ["main"]


def test_next_stops_at_a_stop_of_the_users_within(session: Session) -> None:
    done(session, f"break {BASE + 0x1D:#x}")
    done(session, "commands 1 print bx")
    done(session, f"until {BASE + 0x09:#x}")
    stop = done(session, "next")
    assert (stop["stop"], at(session)) == ("breakpoint", 0x1D)
    assert [each["result"]["value"] for each in stop["commands"]] == [0]
    done(session, "delete")
    assert done(session, f"until {BASE + 0x0C:#x}")["stop"] == "arrived"


def test_a_recursive_call_is_left_in_its_own_frame(session: Session) -> None:
    done(session, f"until {BASE + 0x1A:#x}")
    assert done(session, "print bx")["value"] == 2
    stop = done(session, "next")
    assert (stop["stop"], at(session), stop["retired"]) == ("arrived", 0x1D, 8)
    assert (done(session, "print bx")["value"], done(session, "print sp")["value"]) == (
        0, 0x5FE,
    )  # fmt: skip


def test_until_goes_round_to_where_it_stands(session: Session) -> None:
    done(session, f"until {BASE + 0x0C:#x}")
    assert done(session, "print ax")["value"] == 0
    done(session, f"until {BASE + 0x0C:#x}")
    assert done(session, "print ax")["value"] == 1
    assert session.execute("until 0x12345678901234567890").ok is False


def test_what_never_comes_ends_with_the_limit(session: Session) -> None:
    session.limit = 5000
    stop = done(session, f"until {BASE + 0x1F:#x}")
    assert (stop["stop"], stop["retired"]) == ("budget", 5000)
    assert done(session, "stops") == []


@pytest.mark.parametrize("number", [0, 1])
def test_a_step_with_others_is_a_run_that_ends_there(number: int) -> None:
    found, plain = (
        open_session(SessionOptions("ipi-ping", cpus=2), discover().extensions)
        for _ in range(2)
    )
    for each in (found, plain):
        done(each, "quantum 50")
        done(each, "run 3000")
    vcpu = found.machine.vcpu(number)
    before = [it.retired for it in found.machine.vcpus]
    begun = found.timeline.spot.at.retired
    done(found, f"vcpu {number}")
    for count in (1, 7, 400):
        wanted = vcpu.retired + count
        done(found, f"step {count} --with-others")
        assert vcpu.retired == wanted
    after = [it.retired for it in found.machine.vcpus]
    assert all(x > y for x, y in zip(after, before, strict=True))
    done(plain, f"vcpu {number}")
    done(plain, f"run {sum(after) - sum(before)}")
    assert digest(found) == digest(plain)
    here = digest(found)
    done(found, f"goto {begun}")
    done(found, "step 408 --with-others")
    assert (vcpu.retired - before[number], digest(found)) == (408, here)


def test_what_is_displayed_is_shown_at_every_stop(session: Session) -> None:
    assert "display" not in done(session, "step")
    assert session.execute("display").text == "nothing is displayed"
    done(session, "display --format hex sp")
    done(session, "display u8(0xfffffff0)")
    assert not session.execute("display nothing_of_that_name").ok
    for line in ("step 2", "next", f"until {BASE + 0x12:#x}", "run 3", "play"):
        stop = session.execute(line)
        first, second = stop.result["display"]
        value = session.machine.vcpu(0).regs.gpr[4]
        assert (first["number"], first["expression"]) == (1, "sp")
        assert first["shown"] == f"{value:#x}"
        assert "u8" in second["shown"]
        assert f"1: sp = {value:#x}" in stop.text
    done(session, "undisplay 1")
    assert [row["number"] for row in done(session, "display")] == [2]
    assert "there is no display 1; there are: 2" in session.execute("undisplay 1").error
    done(session, "undisplay")
    assert "display" not in done(session, "step")
