"""Backtraces at every instruction of guests of ours, against a shadow of the stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_sessions.session import Session

NARROW = bytes.fromhex(
    "bc0006 31ed e80200 ebfe 55 89e5 e80200 5d c3 55 89e5 cd40 90 5d c3 90 cf"
)
"""mov sp, 0x600; xor bp, bp; call f; jmp $; f: push bp; mov bp, sp; call g; pop bp;
ret; g: push bp; mov bp, sp; int 0x40; nop; pop bp; ret; and for int 0x40: nop; iret."""
MIDDLE = bytes.fromhex(
    "66b81800 8ed0 e802000000 ebfe 55 89e5 e802000000 5d c3 55 89e5 909090 5d c3"
)
"""The same in 32 bits, without int 0x40, behind mov ax, 0x18; mov ss, ax."""
WIDE = bytes.fromhex(
    "e802000000 ebfe 55 4889e5 e802000000 5d c3 55 4889e5 cd40 90 5d c3 90 48cf"
)
"""The same in 64 bits."""
BASE, FREE, IDT = 0x1_0000, 0x20_0000, 0x1_1030


def done(session: Session, line: str) -> Any:
    outcome = session.execute(line)
    assert outcome.ok, outcome.error
    return outcome.result


def narrow(folder: Path) -> Session:
    path = folder / "frames.bin"
    path.write_bytes(NARROW)
    it = open_session(SessionOptions(str(path), cpus=1), discover().extensions)
    done(it, "poke 0x100 1a 00 00 10")
    done(it, "step 2")
    return it


def placed(code: bytes, ran: int) -> Session:
    it = open_session(SessionOptions("ap-bringup", cpus=1), discover().extensions)
    done(it, f"run {ran}")
    done(it, f"write-memory {FREE:#x} {code.hex()}")
    done(it, f"set rip = {FREE:#x} --raw")
    done(it, f"set rsp = {FREE + 0x8000:#x}")
    done(it, "set rbp = 0")
    return it


def middle(_folder: Path) -> Session:
    it = placed(MIDDLE, 20)
    assert done(it, "regs")["mode"] == "protected"
    done(it, "step 2")
    return it


def wide(_folder: Path) -> Session:
    it = placed(WIDE, 20_000)
    assert done(it, "regs")["mode"] == "long"
    handler = FREE + 0x1B
    gate = handler & 0xFFFF | 0x10 << 16 | 0x8E00 << 32 | handler >> 16 << 48
    done(it, f"write-memory {IDT + 16 * 0x40:#x} {gate:#x} --width 8")
    return it


@pytest.mark.parametrize("make", [narrow, middle, wide])
def test_frames_are_those_of_a_shadow_stack_at_every_instruction(
    make: Any, tmp_path: Path
) -> None:
    session = make(tmp_path)
    regs = session.machine.vcpu(0).regs
    shadow: list[tuple[int, int, str]] = []
    """Where each goes on, RSP then, and how it was left."""
    deepest = 0
    while True:
        (line,) = session.machine.disassemble(0, None, 1)
        view = done(session, "bt")
        found = [(x["linear"], x["stack"], x["how"]) for x in view["frames"]]
        here = regs.linear_rip, regs.linear_rsp, "current"
        assert found == [here, *reversed(shadow)], hex(regs.linear_rip)
        assert view["ends"] == "outermost"
        deepest = max(deepest, len(found))
        if line.mnemonic == "jmp":
            break
        if line.mnemonic in {"call", "int"}:
            how = "call" if line.mnemonic == "call" else "interrupt"
            shadow.append((regs.linear_rip + len(line.code), regs.linear_rsp, how))
        elif line.mnemonic in {"ret", "iret", "iretq"}:
            shadow.pop()
        done(session, "step")
    assert deepest == (3 if make is middle else 4)


@pytest.mark.parametrize("make", [narrow, middle, wide])
def test_finish_returns_to_the_caller_live_and_in_the_past(
    make: Any, tmp_path: Path
) -> None:
    session = make(tmp_path)
    done(session, "step")  # into f
    begun = session.timeline.spot.at.retired
    caller = done(session, "bt")["frames"][1]
    stop = done(session, "finish")
    regs = session.machine.vcpu(0).regs
    assert (stop["stop"], regs.linear_rip, regs.linear_rsp) == (
        "arrived", caller["linear"], caller["stack"],
    )  # fmt: skip
    end = session.timeline.spot.at.retired
    done(session, f"goto {begun}")
    done(session, "finish --alone")
    assert session.timeline.spot.at.retired == end
    assert "nobody is known to return to" in session.execute("finish").error


def test_finish_of_a_handler_goes_back_to_what_was_interrupted(tmp_path: Path) -> None:
    session = narrow(tmp_path)
    done(session, f"until {BASE + 0x1A:#x}")
    done(session, "finish")
    assert session.machine.vcpu(0).regs.linear_rip == BASE + 0x17


def test_a_frame_that_leads_to_itself_ends_the_list(tmp_path: Path) -> None:
    session = narrow(tmp_path)
    done(session, f"until {BASE + 0x17:#x}")
    bp = done(session, "print bp")["value"]
    done(session, f"write-memory {bp:#x} {bp:#x} --width 2")
    view = done(session, "bt")
    assert (view["ends"], len(view["frames"])) == ("loop", 1)
    assert "which is not above it" in view["text"]


def test_a_frame_in_no_memory_and_one_that_is_none() -> None:
    session = placed(WIDE, 20_000)
    done(session, "set rbp = 0xffff800000000000")
    view = done(session, "bt")
    assert (view["ends"], len(view["frames"])) == ("unmapped", 1)
    done(session, f"set rbp = {FREE + 0x9000:#x}")
    assert done(session, "bt")["ends"] == "no-return"
    assert done(session, "bt 1")["ends"] == "most"
    assert "0 frames: 1 to 1000" in session.execute("bt 0").error
