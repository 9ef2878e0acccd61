"""The buttons of a machine, its keyboard and its screen; going back over a reset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rigs import recordings

from lapis_engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lapis_sessions.session import Session

    Opened = Callable[..., Session]
    Done = Callable[[Session, str], Any]
    Refused = Callable[[Session, str], str]

COUNTER = bytes.fromhex("40 ebfd")
"""again: INC AX; JMP again."""


@pytest.fixture
def counter(tmp_path: Path) -> str:
    path = tmp_path / "counter.bin"
    path.write_bytes(COUNTER)
    return str(path)


def kinds(rows: list[dict[str, Any]]) -> list[str]:
    return [row["kind"] for row in rows]


def test_the_reset_button_starts_a_machine_again(
    opened: Opened, done: Done, counter: str
) -> None:
    session = opened(counter, cpus=2, memory="1M", on_reset="reboot")
    done(session, "run 1000")
    rows = done(session, "machine reset")
    assert kinds(rows) == ["reset"]
    assert "the reset button" in rows[0]["text"]
    assert done(session, "regs")["rip"] == 0
    assert done(session, "regs")["rax"] == 0
    assert done(session, "run 1000")["retired"] == 1000
    done(session, "machine reset")  # and at once once more
    done(session, "machine reset")
    assert done(session, "run 10")["retired"] == 10


def test_where_a_reset_stops_the_machine_it_stops_for_good(
    opened: Opened, done: Done, refused: Refused, counter: str
) -> None:
    session = opened(counter, cpus=1, memory="1M")
    done(session, "machine reset")
    assert done(session, "run")["stop"] == "suspended"
    assert "the machine is suspended" in refused(session, "machine reset")


def test_backwards_over_a_reset(
    opened: Opened, done: Done, counter: str, tmp_path: Path
) -> None:
    session = opened(counter, cpus=1, memory="1M", on_reset="reboot")
    done(session, "run 1001")
    before = done(session, "regs")
    done(session, "machine reset")
    done(session, "run 3")
    after = done(session, "regs")
    done(session, "reverse-step 3")
    assert done(session, "regs")["rax"] == 0
    done(session, "reverse-step")
    assert done(session, "where")["retired"] == 1000
    done(session, "goto 1001")
    assert done(session, "regs") == before
    done(session, "goto end")
    assert done(session, "regs") == after
    done(session, "catch reset")
    done(session, "reverse-continue")
    assert done(session, "where")["retired"] == 1001
    path = tmp_path / "x.lapis"
    lines = ("run 1001", "machine reset", "run 3", "machine reset", "run 9")
    recordings.record(path, lines, counter, cpus=1, on_reset="reboot")
    assert recordings.verify(path).divergence is None


def test_a_guest_that_resets_itself_is_gone_back_over(
    opened: Opened, done: Done, tmp_path: Path
) -> None:
    # IN 0x71 of CMOS; a first start writes 1 there and resets by the 8042.
    code = bytes.fromhex(
        "b050 e670 e471 3c01 740a b050 e670 b001 e671 b0fe e664 40 ebfd"
    )
    path = tmp_path / "resets.bin"
    path.write_bytes(code)
    session = opened(str(path), cpus=1, memory="1M", on_reset="reboot")
    done(session, "run 200")
    here = done(session, "where")["retired"]
    (row,) = [row for row in done(session, "events 50") if row["kind"] == "reset"]
    done(session, f"goto #{row['seq']}")
    at = done(session, "where")["retired"]
    assert done(session, "regs")["rip"] == 0
    done(session, "reverse-step")
    assert done(session, "where")["retired"] == at - 1
    assert done(session, "regs")["rax"] & 0xFF == 0xFE
    done(session, "goto end")
    assert done(session, "where")["retired"] == here


def test_the_nmi_button_is_lint1_of_everybody(
    opened: Opened, done: Done, counter: str
) -> None:
    session = opened(counter, cpus=2, memory="1M")
    rows = done(session, "machine nmi")
    assert kinds(rows) == ["lvt", "nmi"] * 2
    assert all(vcpu.nmi_pending for vcpu in session.machine.vcpus)


def test_a_processor_that_is_unplugged_waits_for_sipi(
    opened: Opened, done: Done, refused: Refused
) -> None:
    session = opened("ap-bringup", cpus=2)
    done(session, "run 5000000")
    assert done(session, "vcpus")[1]["state"] != "wait-for-sipi"
    done(session, "machine unplug 1")
    done(session, "answer 0x1234")
    done(session, "run 5000000")
    assert done(session, "vcpus")[1]["state"] == "wait-for-sipi"
    assert "vCPU 0 is the BSP" in refused(session, "machine unplug 0")
    assert "there is no vCPU 7" in refused(session, "machine unplug 7")


def test_the_power_button_sets_its_status_and_raises_the_sci(
    opened: Opened, done: Done, refused: Refused, counter: str, tmp_path: Path
) -> None:
    # ACPI 6.4 "PM1 Event Grouping": PWRBTN_STS and PWRBTN_EN are bit 8 of PM1a_EVT.
    session = opened(counter, cpus=1, machine="pc", memory="1M")
    state = next(
        device.state
        for device in session.machine.vm.devices
        if hasattr(device.state, "sci")
    )
    done(session, "machine power-button")
    assert state.status == 1 << 8
    state.status, state.enable, state.control = 0, 1 << 8, 1
    rows = done(session, "machine power-button")
    assert any("9 asserted" in row["text"] for row in rows)  # the SCI is IRQ 9
    bare = opened(counter, cpus=1, memory="1M")
    assert "no power button: a pc has one" in refused(bare, "machine power-button")
    path = tmp_path / "x.lapis"
    lines = ("run 100", "machine power-button", "type --keyboard ab", "run 1000")
    recordings.record(path, lines, counter, cpus=1, machine="pc")
    assert recordings.verify(path).divergence is None


# Keyboard and screen of a pc.


def test_keys_are_typed_in_codes_of_set_2(
    opened: Opened, done: Done, counter: str
) -> None:
    session = opened(counter, cpus=1, machine="pc", memory="1M")
    view = done(session, r"type --keyboard 'aB\n'")
    assert (view["port"], view["bytes"]) == ("keyboard", 3)
    state = next(d.state for d in session.machine.vm.devices if d.name == "i8042")
    # Make and break codes of set 2: A; left shift, B; Enter (IBM PS/2 "Keyboard").
    wanted = "1c f01c 12 32 f032 f012 5a f05a"
    held = b"" if state.output is None else bytes.fromhex("1c")
    assert held + state.keyboard.codes == bytes.fromhex(wanted)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("type --keyboard 'ä'", "no key of a US keyboard types"),
        ("type --keyboard x --port com1", "--keyboard and --port exclude each other"),
    ],
)
def test_what_no_keyboard_types_is_refused(
    opened: Opened, refused: Refused, counter: str, line: str, sentence: str
) -> None:
    session = opened(counter, cpus=1, machine="pc", memory="1M")
    assert sentence in refused(session, line)


@pytest.mark.parametrize("codes", ["", "1", "zz", "1e" * 5000])
def test_odd_scan_codes_are_refused(opened: Opened, codes: str) -> None:
    machine = opened("ap-bringup", cpus=1, machine="pc", memory="1M").machine
    with pytest.raises(EngineError):
        machine.move_keys(codes)


def test_a_bare_machine_has_neither(
    opened: Opened, refused: Refused, counter: str
) -> None:
    session = opened(counter, cpus=1, memory="1M")
    assert "has no keyboard: a pc has one" in refused(session, "type --keyboard x")
    assert "no display adapter" in refused(session, "console vga")


def test_the_screen_shows_what_lies_in_its_memory(
    opened: Opened, done: Done, tmp_path: Path
) -> None:
    # MOV AX, 0xB800; MOV ES, AX; MOV DWORD ES:[0], 'H'|7|'i'|7; the same at row 1.
    code = bytes.fromhex("b800b8 8ec0 2666c7060000 48076907 2666c706a000 31073207 f4")
    path = tmp_path / "screen.bin"
    path.write_bytes(code)
    session = opened(str(path), cpus=1, machine="pc", memory="4M")
    done(session, "run 100")
    assert done(session, "console vga") == "Hi\n12"
