"""answer, trap, vie, requests and mem --touch, line by line, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying
from lapis_sessions.session import Session

if TYPE_CHECKING:
    from pathlib import Path

Open = Callable[..., Session]
Do = Callable[[Session, str], Any]
Refuse = Callable[[Session, str], str]

HPET = 0xFED0_0000
IOAPIC = 0xFEC0_0000
BEYOND = 1 << 56 | 0xFEE0_0900
"""APICBASE with a bit above any physical address."""


@pytest.fixture
def waiting(opened: Open, done: Do) -> Session:
    """ap-bringup in its one request: a read of 4 bytes at 0xD0000000."""
    session = opened(cpus=2)
    assert done(session, "run 5000000")["exit"]["code"] == "MMIO"
    return session


def state(session: Session) -> object:
    machine = session.machine
    regs = machine.vcpu(0).regs.context.state_bytes()
    return regs, repr(machine.vcpu(0).vie), machine.log.next_seq, machine.pending()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("answer", ("value of 4 bytes", "read of 4 bytes at 0xd0000000")),
        ("answer 0x100000000", ("does not fit in 4 bytes", "at 0xd0000000")),
        ("answer 1 1", ("vCPU 1 has no pending request",)),
        ("answer 1 --rule 'any = 1'", ("takes the place",)),
        ("answer fault", ("needs FAULT",)),
        ("answer fault nmi", ("'nmi'",)),
        ("answer fault ud 0", ("#UD is none",)),
        ("answer fault gp 0x100000000", ("32 bits",)),
        ("answer fault gp --address 1", ("only #PF",)),
        ("answer device", ("no device there", "at 0xd0000000")),
        ("answer device 7", ("no vCPU 7",)),
        ("discard 1", ("vCPU 1 has no pending request",)),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_and_moves_nothing(
    waiting: Session, refused: Refuse, line: str, words: tuple[str, ...]
) -> None:
    before = state(waiting)
    error = refused(waiting, line)
    assert all(word in error for word in words), error
    assert state(waiting) == before


def test_a_fault_goes_to_the_guest_with_rip_on_the_instruction(
    waiting: Session, done: Do
) -> None:
    rip = done(waiting, "regs 0")["rip"]
    view = done(waiting, "answer fault gp")
    assert (view["fault"], view["gpa"]) == ("gp", 0xD000_0000)
    assert done(waiting, "pending") == []
    events = [e for e in done(waiting, "events 50 --all") if e["kind"] == "exception"]
    assert (events[-1]["vector"], events[-1]["error"]) == (13, 0)
    assert events[-1]["rip"] == rip


@pytest.mark.parametrize(
    ("line", "error", "cr2"),
    [
        ("answer fault pf", 0, 0xD000_0000),
        ("answer fault pf 3", 3, 0xD000_0000),
        ("answer fault pf 0x10 --address 0x1234", 0x10, 0x1234),
    ],
)
def test_a_page_fault_has_its_address(
    waiting: Session, done: Do, line: str, error: int, cr2: int
) -> None:
    done(waiting, line)
    events = [e for e in done(waiting, "events 50 --all") if e["kind"] == "exception"]
    assert [events[-1][name] for name in ("vector", "error", "cr2")] == [14, error, cr2]


def test_vie_shows_what_waits_and_what_would_be_taken(
    waiting: Session, done: Do
) -> None:
    before = state(waiting)
    view = done(waiting, "vie")
    assert list(view) == [
        "vcpu", "rip", "status", "bits", "bytes", "text", "gpa", "slots", "request",
        "commands",
    ]  # fmt: skip
    assert json.loads(json.dumps(view)) == view
    assert view["status"] == 0x73  # bits 0, 1, 4, 5, 6
    assert view["bits"] == ["INIT", "MMIO", "INST_FETCH", "INST_DECODE", "PENDING_MMIO"]
    assert view["bytes"].startswith("a1000000d000000000")
    assert view["slots"]["read"] == {
        "state": "pending", "gpa": 0xD000_0000, "bytes": 4, "data": 0,
    }  # fmt: skip
    assert [slot["state"] for slot in view["slots"].values()] == [
        "pending", "none", "none", "none",
    ]  # fmt: skip
    taken = {each["command"]: each["accepted"] for each in view["commands"]}
    assert taken == {
        "VEC_DEFAULT": True,
        "VEC_DISCARD_INSTR": True,
        "VEC_FULFILL_MMIO": True,
        "VEC_FULFILL_INOUT": False,
        "FULFILL_MSR": False,
        "INJECT_FAULT": True,
        "VEC_FLAG_EXIT_CONSISTENT": True,
    }
    values = [each["value"] for each in view["commands"]]
    assert values == [0, 1, 2, 3, None, None, 0x8000_0000]
    why = {each["command"]: each["why"] for each in view["commands"]}
    assert "bytes=4 gpa=0xd0000000" in why["VEC_FULFILL_MMIO"]
    assert "no port request" in why["VEC_FULFILL_INOUT"]
    assert state(waiting) == before


def test_vie_of_a_vcpu_without_an_instruction(waiting: Session, done: Do) -> None:
    view = done(waiting, "vie 1")
    assert (view["status"], view["bits"], view["request"]) == (0, [], None)
    taken = [each["command"] for each in view["commands"] if each["accepted"]]
    assert taken == ["VEC_DEFAULT", "VEC_DISCARD_INSTR", "VEC_FLAG_EXIT_CONSISTENT"]


def test_a_suspended_machine_takes_no_answer(opened: Open, done: Do) -> None:
    session = opened("tests/guests/triple-fault.bin", cpus=1)
    assert done(session, "run 1000")["stop"] == "suspended"
    commands = done(session, "vie")["commands"]
    assert [each["accepted"] for each in commands] == [True] + [False] * 5 + [True]
    assert "suspended" in commands[2]["why"]


def test_requests_say_who_answered(waiting: Session, done: Do) -> None:
    waits = done(waiting, "requests")
    assert [(row["seq"], row["by"], row["gpa"]) for row in waits] == [
        (None, "", 0xD000_0000)
    ]
    done(waiting, "discard")
    done(waiting, "run 1000")
    done(waiting, "answer fault ud")
    rows = done(waiting, "requests")
    assert [(r["by"], r["command"], r["kind"], r["value"]) for r in rows] == [
        ("user", "DISCARD_INSTR", "mmio", None),
        ("user", "INJECT_FAULT", "mmio", None),
    ]
    assert list(rows[0]) == [
        "seq", "at", "vcpu", "kind", "read", "gpa", "bytes", "data", "by", "command",
        "value", "text",
    ]  # fmt: skip
    assert done(waiting, "requests 1") == rows[1:]


def test_requests_go_back_in_time_with_the_machine(waiting: Session, done: Do) -> None:
    spot = waiting.timeline.spot
    done(waiting, "answer 5")
    end = waiting.timeline.spot
    assert done(waiting, "requests")[0]["value"] == 5
    waiting.timeline.go(spot)
    assert [row["seq"] for row in done(waiting, "requests")] == [None]
    waiting.timeline.go(end)
    assert done(waiting, "requests")[0]["value"] == 5


# Traps.


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("trap mmio 0x1000", "RAM is at 0x0"),
        ("trap mmio 0xfffffff0/4", "ROM"),
        ("trap mmio 0xd0000000/0", "at least 1"),
        ("trap port 0x10000", "ends by 0xffff"),
        ("trap port 0xffff/2", "ends by 0xffff"),
        ("trap msr 0x100000000", "ends by 0xffffffff"),
        ("trap cpuid 1", "cpuid"),
        ("trap mmio here", "'here'"),
        ("trap mmio", "needs RANGE"),
        ("untrap 3", "there are: none"),
        ("untrap x", "untrap: number 'x' is not a number"),
        ("untrap", "needs NUMBER"),
    ],
)
def test_a_trap_that_cannot_be_is_refused(
    opened: Open, refused: Refuse, line: str, word: str
) -> None:
    session = opened()
    if "ROM" in word:
        session.machine.vm.memory.add(0xFFFF_F000, 0x1000, "ROM", rom=True)
    assert word in refused(session, line)
    assert session.machine.log.next_seq == 0


def test_traps_are_listed_with_who_serves_them(
    opened: Open, done: Do, refused: Refuse
) -> None:
    session = opened()
    done(session, f"trap mmio {HPET:#x}/0x400")
    done(session, "trap port 0x40/4")
    done(session, "trap msr 0x1b")
    rows = done(session, "traps")
    assert [(r["number"], r["space"], r["first"], r["size"]) for r in rows] == [
        (1, "mmio", HPET, 0x400), (2, "port", 0x40, 4), (3, "msr", 0x1B, 1),
    ]  # fmt: skip
    assert [row["serves"] for row in rows] == ["", "pit", "local APIC"]
    assert "overlaps trap 2" in refused(session, "trap port 0x43/8")
    assert [row["number"] for row in done(session, "untrap 2")] == [1, 3]
    assert done(session, "untrap all") == []


def test_traps_are_put_back_when_going_back(opened: Open, done: Do) -> None:
    session = opened()
    done(session, "run 100")
    spot = session.timeline.spot
    done(session, "trap port 0x40/4")
    end = session.timeline.spot
    session.timeline.go(spot)
    assert done(session, "traps") == []
    session.timeline.go(end)
    assert [row["first"] for row in done(session, "traps")] == [0x40]


def test_the_profile_may_keep_the_lapic(opened: Open, refused: Refuse) -> None:
    session = opened(profile="illumos")
    error = refused(session, "trap mmio 0xfee00000/0x1000")
    assert "lapic_trappable" in error
    assert "illumos" in error


def test_a_trapped_msr_is_asked_for(opened: Open, done: Do, tmp_path: Path) -> None:
    path = tmp_path / "msr.bin"  # mov ecx, 0x1b; rdmsr; wrmsr; hlt
    path.write_bytes(bytes.fromhex("66b91b0000000f320f30f4"))
    session = opened(str(path), cpus=1)
    done(session, "trap msr 0x1b")
    stop = done(session, "run 100")
    assert (stop["exit"]["code"], stop["exit"]["msr"]) == ("RDMSR", 0x1B)
    assert done(session, "pending") == [
        {"vcpu": 0, "kind": "msr", "read": True, "msr": 0x1B, "bytes": 8, "data": 0}
    ]
    assert done(session, "answer 0x1000000fee00900")["value"] == BEYOND
    stop = done(session, "run 100")
    assert (stop["exit"]["code"], stop["exit"]["value"]) == ("WRMSR", BEYOND)
    assert done(session, "answer device")["value"] == BEYOND
    assert done(session, "pending") == []
    # Bit 56 is reserved: as the engine itself would have it, that is #GP.
    event = session.machine.vcpu(0).event
    assert event is not None
    assert (event.vector, event.error) == (13, 0)
    assert [row["by"] for row in done(session, "requests")] == ["user", "device"]


# Looking.


def test_mem_never_touches_a_device(opened: Open, refused: Refuse) -> None:
    session = opened()
    before = session.machine.log.next_seq
    for line in ("mem 0xfec00010 4", "x 0xfee00300 4", "mem 0xfec00010 4 --physical"):
        assert "no RAM or ROM" in refused(session, line)
    assert session.machine.log.next_seq == before


def test_mem_touch_reads_the_device_and_says_so(opened: Open, done: Do) -> None:
    session = opened()
    done(session, f"kernemu write {IOAPIC:#x} 4 1")
    view = done(session, f"mem {IOAPIC + 0x10:#x} 4 --touch --physical")
    assert view == {
        "address": IOAPIC + 0x10,
        "bytes": "20001700",
        "touched": [
            {
                "gpa": IOAPIC + 0x10, "bytes": 4, "value": 0x0017_0020,
                "device": "ioapic",
            }
        ],
    }  # fmt: skip  # VERSION: 24 pins, 0x20
    text = session.execute(f"mem {IOAPIC + 0x10:#x} 4 --touch --physical").text
    assert "touched ioapic: 4 bytes at 0xfec00010 = 0x170020" in text
    last = done(session, "events 1 --all")[0]
    assert (last["kind"], last["write"], last["gpa"]) == ("kernemu", False, 0xFEC0_0010)


def test_mem_touch_of_memory_touches_nothing(opened: Open, done: Do) -> None:
    session = opened()
    view = done(session, "mem 0x10000 6 --touch --physical")
    assert view["touched"] == []
    assert view["bytes"] == done(session, "mem 0x10000 6 --physical")["bytes"]
    assert session.machine.log.next_seq == 0


def test_mem_touch_goes_past_traps_and_is_an_act(opened: Open, done: Do) -> None:
    session = opened()
    done(session, "trap mmio 0xfec00000/0x20")
    view = done(session, "mem 0xfec00000 4 --touch --physical")
    assert len(view["touched"]) == 1
    assert session.timeline.branch.entries[-1].act.verb == "touch"


def test_mem_is_read_only_but_for_touch_which_is_recorded(
    opened: Open, done: Do, tmp_path: Path
) -> None:
    session = opened()
    calls = {
        line: session.registry.parse(line, session).effect
        for line in ("mem 0", "mem 0 4 --physical", "mem 0 4 --touch", "vcpus", "run")
    }
    assert list(calls.values()) == [
        "read-only", "read-only", "mutating", "read-only", "time-moving",
    ]  # fmt: skip
    assert session.registry.named("mem").effect == "mutating"
    path = str(tmp_path / "touched.lapis")
    done(session, f"record start {path}")
    done(session, "run 100")
    done(session, "goto 50")
    done(session, "mem 0x10000 4")
    assert len(done(session, "branches")) == 1
    # ESR is as it was last written: reading it by the bus moves nothing else.
    done(session, f"mem {IOAPIC:#x} 4 --touch --physical")
    assert len(done(session, "branches")) == 2
    done(session, "record stop")
    recording = reader.read(path)
    assert recording.branches[1].acts[-1].verb == "touch"
    replay = replaying.session_of(recording, session.extensions)
    assert replaying.verify(replay, recording).divergence is None


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("mem 0xd0000000 4 --touch --physical", "neither memory nor a device"),
        ("mem 0xfec00000 0x1001 --touch", "1 to 4096"),
        ("mem 0xfec00000 0 --touch", "must be 1"),
    ],
)
def test_mem_touch_refuses_what_nobody_serves(
    opened: Open, refused: Refuse, line: str, word: str
) -> None:
    session = opened()
    assert word in refused(session, line)
    assert session.machine.log.next_seq == 0
