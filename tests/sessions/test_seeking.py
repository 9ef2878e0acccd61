"""Going to where an expression came to hold, against looking at every instruction."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from rigs.counting import counting, done
from rigs.session_files import digest

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.timeline import holding

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lapis_sessions.session import Session

LENGTH = 1200


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return counting(tmp_path)


def rising(session: Session, holds: Callable[[], bool]) -> list[int]:
    """Every instruction count behind which it holds and did not before."""
    found, held = [], holds()
    for count in range(1, LENGTH + 1):
        session.timeline.go(session.timeline.branch.spot_of(count))
        now = holds()
        if now and not held:
            found.append(count)
        held = now
    return found


@pytest.mark.parametrize(
    "text", ["u16(0x500) >= 100", "u16(0x500) == 299", "ax > 7 and ax < 9000"]
)
def test_it_is_found_to_the_instruction(session: Session, text: str) -> None:
    done(session, f"run {LENGTH}")
    here = digest(session)
    wanted = rising(session, lambda: bool(session.value(text)))
    assert len(wanted) == 1
    done(session, "goto end")
    assert digest(session) == here
    assert done(session, f"goto last {text}")["retired"] == wanted[0]
    done(session, "goto 3")
    assert done(session, f"goto first {text}")["retired"] == wanted[0]
    assert done(session, "branches")[0]["name"] == "main"


def test_what_holds_from_the_beginning_is_found_there(session: Session) -> None:
    done(session, "run 10")
    assert done(session, "goto first u16(0x500) < 50")["retired"] == 0


def test_what_never_holds_moves_nothing(session: Session) -> None:
    done(session, "run 500")
    here = digest(session)
    for which, where in (("first", "on this branch"), ("last", "before this")):
        outcome = session.execute(f"goto {which} u8(0xfffffff0) == 1")
        assert not outcome.ok
        assert f"comes to hold nowhere {where}; nothing was moved" in outcome.error
        assert digest(session) == here
    assert "xyz" in session.execute("goto last xyz == 1").error


def test_the_last_of_several_with_more_vcpus() -> None:
    it = open_session(SessionOptions("ipi-ping", cpus=2), discover().extensions)
    done(it, "quantum 20")
    done(it, f"run {LENGTH}")
    text = "vcpu[1].state == 'running'"
    wanted = rising(it, lambda: bool(it.value(text)))
    assert wanted
    done(it, "goto end")
    found = []
    while (outcome := it.execute(f"goto last {text}")).ok:
        found.append(outcome.result["retired"])
    # A vCPU starts between two instructions, and the oracle looks behind the second.
    assert found[::-1] == [count - 1 for count in wanted]
    done(it, "goto end")
    assert done(it, f"goto first {text}")["retired"] == wanted[0] - 1


def test_what_comes_with_an_event_is_found_to_the_instruction_too() -> None:
    it = open_session(SessionOptions("ipi-ping", cpus=2), discover().extensions)
    done(it, "run 120000")
    for wanted in ("last", "first"):
        done(it, "goto end")
        at = done(it, f"goto {wanted} vcpu[1].retired > 3000")["retired"]
        assert done(it, "print vcpu[1].retired")["value"] == 3001
        done(it, f"goto {at - 1}")
        assert done(it, "print vcpu[1].retired")["value"] == 3000


def test_what_holds_as_briefly_as_one_looks_is_found(session: Session) -> None:
    """Of 40,000 instructions one looks behind each fourth, and AX is itself so long."""
    done(session, "run 40000")
    wanted = 4 * 6000 - 3  # AX is counted by the first of each four
    for which in ("first", "last"):
        done(session, "goto end")
        assert done(session, f"goto {which} ax == 6000")["retired"] == wanted
    assert session.machine.vm.longest > 40_000


def test_a_search_looks_no_seldomer_than_it_says(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    monkeypatch.setattr(holding, "LOOKS", 400)
    done(session, "run 40000")

    def holds() -> bool:
        looks.append(session.machine.vcpu(0).retired)
        return False

    assert not holding.first(session.timeline, holds)
    gaps = {after - before for before, after in pairwise(sorted(set(looks)))}
    assert looks[-1] == 40_000
    assert max(gaps) <= 40_000 // 400
    session.timeline.go(session.timeline.branch.end)
    assert session.machine.vm.longest > 40_000


PRINTS = bytes.fromhex("baf803 b041 ee 40 3c5b 75fa ebf6")
"""mov dx, 0x3f8; mov al, 'A'; out dx, al; inc ax; cmp al, 0x5b; jne to the OUT; jmp to
the MOV: the alphabet, again and again."""


def test_what_was_printed_is_found_at_the_character(tmp_path: Path) -> None:
    path = tmp_path / "abc.bin"
    path.write_bytes(PRINTS)
    it = open_session(SessionOptions(str(path), cpus=1), discover().extensions)
    done(it, "run 3000")
    found = []
    for line in (
        "first len(console) >= 40", "last 'XYZABCX' in console",
        "first 'ZABCD' in console", "last len(console) == 300",
    ):  # fmt: skip
        done(it, "goto end")
        outcome = it.execute(f"goto {line}")
        found.append(len(it.machine.consoles["com1"]) if outcome.ok else None)
    assert found == [40, None, 30, 300]
