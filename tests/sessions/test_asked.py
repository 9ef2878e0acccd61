"""What is known of a request that waits: each kind, with what the manual says of it."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import TYPE_CHECKING

import pytest
from rigs import recordings
from rigs.asking import CODE, asking
from rigs.screens import bringup

from lapis_engine.machine.requests import PendingRequest
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying
from lapis_sessions.views import asked as asked_view
from lapis_sessions.views import snapshot
from lapis_sessions.views.wanted import Wanted

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_sessions.session import Session
    from lapis_sessions.views.asked import AskedView

LAPIC = "trap mmio 0xfee00000/0x1000"
NOTHING = ("nothing but RIP, which goes on behind it",)
FLAGS = "flags CF PF AF ZF SF OF"


def requests(session: Session) -> asked_view.Requests:
    assert snapshot.take(session).requests is None
    found = snapshot.take(session, Wanted(requests=True)).requests
    assert found is not None
    return found


def one(session: Session) -> AskedView:
    (view,) = requests(session).asked
    return view


def request(kind: str, way: str, address: int, size: int, data: int = 0) -> object:
    return PendingRequest(0, kind, way == "read", address, size, data)


CASES = [
    # mov eax, [svr]: reset value 0xFF (SDM "Local APIC State After Power-Up")
    ("a1f000e0fe", [LAPIC], request("mmio", "read", 0xFEE000F0, 4),
     "local APIC SVR", 0xFF, None, ("eax = the answer: all 32 bits",)),
    # mov dword [svr], 0x1ff
    ("c705f000e0fe ff010000", [LAPIC], request("mmio", "write", 0xFEE000F0, 4, 0x1FF),
     "local APIC SVR", 0xFF, "enabled, spurious vector 0xff", NOTHING),
    # mov dword [lvt lint0], 0x8700
    ("c7055003e0fe 00870000", [LAPIC],
     request("mmio", "write", 0xFEE00350, 4, 0x8700), "local APIC LVT LINT0", 0x700,
     "ExtINT vector 0x00, level, not masked, timer one-shot", NOTHING),
    # movzx eax, byte [ioapic window], at index 0
    ("0fb6051000c0fe", ["trap mmio 0xfec00000/0x1000"],
     request("mmio", "read", 0xFEC00010, 1), "ioapic IOAPICID", 0, None,
     ("eax = the answer, zero-extended: all 32 bits",)),
    # mov al, [nobody]
    ("a0000000d0", [], request("mmio", "read", 0xD0000000, 1), None, None, None,
     ("eax = the answer: low 8 bits, the rest stays",)),
    # in al, 0x60; in ax, dx of nobody
    ("e461", ["trap port 0x61"], request("inout", "read", 0x61, 1), "pit NMISC", 0,
     None, ("eax = the answer: low 8 bits, the rest stays",)),
    ("66ba9909 66ed", [], request("inout", "read", 0x999, 2), None, None, None,
     ("eax = the answer: low 16 bits, the rest stays",)),
    # mov al, 0x2a; out 0x21, al
    ("b02a e621", ["trap port 0x21"], request("inout", "write", 0x21, 1, 0x2A),
     "pic master IMR", 0xF8, None, NOTHING),
    # mov dx, 0x999; mov edi, 0x20000; mov ecx, 3; rep insb
    ("66ba9909 bf00000200 b903000000 f36c", [], request("inout", "read", 0x999, 1),
     None, None, None,
     ("1 byte at 0x20000, where edi points", "edi + 1, ecx 0x3 -> 0x2")),
    # mov ecx, 0x1b; rdmsr
    ("b91b000000 0f32", ["trap msr 0x1b"], request("msr", "read", 0x1B, 8),
     "local APIC IA32_APIC_BASE", 0xFEE00900, None, ("edx:eax = the answer",)),
    # mov ecx, 0x1b; mov eax, 0xfee00d00; xor edx, edx; wrmsr
    ("b91b000000 b8000de0fe 31d2 0f30", ["trap msr 0x1b"],
     request("msr", "write", 0x1B, 8, 0xFEE00D00), "local APIC IA32_APIC_BASE",
     0xFEE00900, "x2APIC, BSP, page at 0xfee00000", NOTHING),
    # cmp dword [nobody], 5; cmp eax, [irr0]
    ("833d000000d005", [], request("mmio", "read", 0xD0000000, 4), None, None, None,
     (f"{FLAGS}; no register",)),
    ("3b050002e0fe", [LAPIC], request("mmio", "read", 0xFEE00200, 4),
     "local APIC IRR0", 0, None, (f"{FLAGS}; no register",)),
    # push dword [nobody]; esp is 0x90000
    ("ff35000000d0", [], request("mmio", "read", 0xD0000000, 4), None, None, None,
     ("4 bytes on the stack at 0x8fffc; rSP - 4",)),
    # an addition to memory, by mov's register
    ("0105000000d0", [], request("mmio", "read", 0xD0000000, 4), None, None, None,
     ("4 bytes are written back there, which asks again", FLAGS)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "lines", "asked", "place", "own", "decoded", "changes"), CASES
)
def test_what_is_known_of_each_kind_of_request(
    code: str,
    lines: list[str],
    asked: PendingRequest,
    place: str | None,
    own: int | None,
    decoded: str | None,
    changes: tuple[str, ...],
) -> None:
    session = asking(code, *lines, machine="pc")
    view = one(session)
    assert view.request == asked
    named = [view.place.device, view.place.register]
    assert " ".join(each for each in named if each) == (place or "")
    assert (view.own, view.decoded, view.changes) == (own, decoded, changes)
    assert view.code[0].linear >= CODE
    assert view.since is not None
    assert view.before == ()


@pytest.mark.parametrize(
    ("code", "lines", "decoded"),
    [
        # the upper half of pin 2 and then the lower one
        (("c7050000c0fe15000000 c7051000c0fe00000003 c7050000c0fe14000000"
         "c7051000c0fe31000000"), ["trap mmio 0xfec00010/4", "run 20", "answer device",
                                  "run 20"],
         "FIXED vector 0x31, edge, active high, not masked, to APIC id 0x3"),
        # the destination and then the command
        ("c7051003e0fe00000002 c7050003e0fe31400000", ["trap mmio 0xfee00300/4"],
         "FIXED vector 0x31, physical, assert, edge, to APIC id 0x2"),
    ],
)  # fmt: skip
def test_half_of_a_register_is_explained_with_the_other_half(
    code: str, lines: list[str], decoded: str
) -> None:
    assert one(asking(code, *lines, machine="pc")).decoded == decoded


def test_in_long_mode_the_upper_half_is_zeroed() -> None:
    session = bringup()
    session.execute("run")
    view = one(session)
    assert view.changes == ("rax = the answer: low 32 bits, upper half zeroed",)
    assert view.place.device is None
    session.execute("answer 0x1234")
    assert session.machine.vcpu(0).regs.gpr[0] == 0x1234


@pytest.mark.parametrize(
    ("code", "answer", "registers", "memory"),
    [
        ("b8ffffffff a0000000d0", 0x12, {"eax": 0xFFFFFF12}, {}),
        ("ff35000000d0", 0x1234, {"esp": 0x8FFFC}, {0x8FFFC: 0x1234}),
        ("66ba9909 bf00000200 b903000000 f36c", 0x55,
         {"edi": 0x20001, "ecx": 2}, {0x20000: 0x55}),
        ("f9 833d000000d005", 5, {"eflags": 0x46}, {}),  # ZF PF, CF is cleared
    ],
)  # fmt: skip
def test_an_answer_does_change_what_was_said(
    code: str, answer: int, registers: dict[str, int], memory: dict[int, int]
) -> None:
    session = asking(code)
    session.execute(f"answer {answer}")
    regs = session.machine.vcpu(0).regs
    numbers = {"eax": 0, "ecx": 1, "esp": 4, "edi": 7}
    for name, value in registers.items():
        if name == "eflags":
            assert regs.rflags & 0x8D7 == value
        else:
            assert regs.gpr[numbers[name]] & 0xFFFFFFFF == value
    for at, value in memory.items():
        assert session.machine.read_physical(at, 2) == value.to_bytes(2, "little")


def test_which_entry_commands_are_accepted_and_why_not() -> None:
    view = one(asking("ec"))
    found = {each.command: (each.accepted, each.why) for each in view.commands}
    assert found["VEC_FULFILL_INOUT"][0]
    assert found["VEC_FULFILL_MMIO"] == (False, "EINVAL: no MMIO request is pending")
    assert found["INJECT_FAULT"][0]


def test_since_when_it_waits_however_often_it_is_told() -> None:
    session = asking("9090 a1000000d0")
    first = one(session).since
    assert first is not None
    for _ in range(3):
        session.execute("run 10")
    again = one(session).since
    assert again is not None
    assert (again.seq, again.at, again.event.kind) == (first.seq, first.at, "exit")


def test_where_an_instruction_goes_on_to_ask_it_waits_since_the_answer() -> None:
    # an addition to memory at a device
    session = asking("b801000000 0105000000d0")
    session.execute("answer 0x41")
    view = one(session)
    assert view.request == request("mmio", "write", 0xD0000000, 4, 0x42)
    assert view.since is not None
    assert view.since.event.kind == "answer"
    assert view.changes == (FLAGS,)


def test_of_a_repeated_instruction_each_answer_is_told() -> None:
    session = asking("66ba9909 bf00000200 b903000000 f36c")
    for line in ("answer 1", "run", "answer 2", "run"):
        session.execute(line)
    view = one(session)
    assert [(row.answer.value, row.answer.by) for row in view.before] == [
        (2, "user"), (1, "user"),
    ]  # fmt: skip
    assert view.changes[1] == "edi + 1, ecx 0x1 -> 0x0"


def test_who_answered_before_at_the_same_place() -> None:
    # again: mov eax, [nobody]; mov eax, [ioapic select]; jmp again
    code = "a1000000d0 a10000c0fe ebf4"
    session = asking(code, "trap mmio 0xfec00000/0x1000")
    for line in (
        "answer 1", "run", "answer device", "run",
        "rule add 'mmio 0xd0000000 = once 3'", "run",
    ):  # fmt: skip
        session.execute(line)
    past = requests(session).settled
    told = [(row.answer.address, row.answer.by, row.answer.value) for row in past]
    assert told == [
        (0xD0000000, "user", 1), (0xFEC00000, "device", 0), (0xD0000000, "rule 1", 3),
    ]  # fmt: skip
    assert [row.place.device for row in past] == [None, "ioapic", None]
    assert all(row.asked < row.seq for row in past)


def test_looking_changes_nothing() -> None:
    session = asking("a1f000e0fe", LAPIC, machine="pc")

    def state() -> list[str]:
        devices = [repr(each.state) for each in session.machine.vm.devices]
        return [*devices, *(repr(v.apic) + repr(v.vie) for v in session.machine.vcpus)]

    before, number = state(), session.machine.log.next_seq
    for _ in range(3):
        requests(session)
    assert state() == before
    assert session.machine.log.next_seq == number


def test_the_record_is_frozen() -> None:
    view = one(asking("ec"))
    with pytest.raises(FrozenInstanceError):
        view.own = 1  # type: ignore[misc] # that is what is tested


def test_what_is_discarded_is_in_the_history() -> None:
    session = asking("a1000000d0")
    session.execute("discard")
    picture = requests(session)
    assert not picture.asked
    assert picture.settled[-1].answer.command == "DISCARD_INSTR"


def test_the_rules_are_told() -> None:
    session = asking("ec")
    session.execute("rule add 'mmio 0xd0000000 = cycle 1,2'")
    (rule,) = requests(session).rules
    assert (rule.number, rule.how, rule.state) == (1, "cycle", "on")


def test_what_came_with_a_recording_was_not_answered_here(tmp_path: Path) -> None:
    file = tmp_path / "answered.lapis"
    lines = ("run", "answer 0x1234", "run 10")
    recordings.record(file, lines, cpus=2)
    session = replaying.session_of(reader.read(str(file)), recordings.extensions())
    assert session.execute("play").ok
    assert [row.is_replayed for row in requests(session).settled] == [True]
    assert session.execute("goto act 1").ok
    assert session.execute("answer 0x99").ok
    (row,) = requests(session).settled
    assert (row.answer.value, row.is_replayed) == (0x99, False)


def test_what_was_recorded_before_a_fork_still_came_with_it(tmp_path: Path) -> None:
    file = tmp_path / "answered.lapis"
    recordings.record(file, ("run", "answer 0x1234", "run 10"), cpus=2)
    session = replaying.session_of(reader.read(str(file)), recordings.extensions())
    session.execute("play")
    session.execute("fork")
    session.execute("run 5")
    assert [row.is_replayed for row in requests(session).settled] == [True]


SET = (
    "b811111111 b922222222 ba33333333 bb44444444 bd55555555 be00100200 bf00000200fc f8"
)
"""eax, ecx, edx, ebx, ebp, esi, edi; DF and CF are clear."""
NAMES = ("eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi")
STATUS = {"CF": 0, "PF": 2, "AF": 4, "ZF": 6, "SF": 7, "OF": 11}
DEVICE = "000000d0"
READS = [
    "8b05", "8a25", "668b0d", "0fb61d", "0fb70d", "0fbe15", "0305", "2b0d", "3305",
    "2315", "0b1d", "3b05", "3a05", "3905", "3805", "8505", "8405", "1305", "1b05",
    "ff35", "0faf05", "0fbc05", "0fbd0d", "f30fb805", "f725", "f72d", "0fa305",
    "0fab05", "0fb305", "0fbb05", "0f4405", "0f4505", "8b25", "8605", "870d", "0105",
    "0905", "1105", "1905", "2105", "2905", "3105", "ff05", "ff0d", "f715", "f71d",
    "d125", "d12d", "d13d", "d105", "d10d", "d115", "d11d", "d325", "d305", "0fc105",
    "0fb10d", "0fa50d", "0fad0d", "0fc70d", "c105",
    "0fba25", "6905", "6b05", "f705", "8105", "833d", "802d", "f605",
    "f62d", "f625", "660fc105", "668705", "660105",
]  # fmt: skip
MORE = {
    "f705": "01000000",
    "833d": "05",
    "8105": "01020304",
    "802d": "05",
    "f605": "80",
    "6b05": "03",
    "6905": "03000000",
    "c105": "03",
    "0fba25": "03",
}
"""Immediate operands."""


@pytest.mark.parametrize("code", READS)
def test_nothing_else_changes_than_what_was_said(code: str) -> None:
    """The processor is the oracle: registers and status flags, before and after."""
    session = asking(SET + code + DEVICE + MORE.get(code, ""))
    vcpu = session.machine.vcpu(0)
    view = one(session)
    said = " ".join(view.changes)
    before, flags = list(vcpu.regs.gpr), vcpu.regs.rflags
    session.execute(f"answer {0x5A5A5A5A & (1 << 8 * view.request.bytes) - 1:#x}")
    while session.machine.pending():  # the writes of one that reads and writes
        session.execute("answer")
    after, moved = list(vcpu.regs.gpr), vcpu.regs.rflags ^ flags
    changed = {
        name
        for name, old, new in zip(NAMES, before, after, strict=False)
        if old != new and name != "esp"
    }
    told = {name for name in NAMES if name in said and name != "esp"}
    assert changed <= told, (view.changes, changed)
    assert not told or changed or " if " in said, view.changes
    assert ("rSP" in said or "esp" in said) == (before[4] != after[4])
    for flag, bit in STATUS.items():
        if moved >> bit & 1:
            assert flag in said, (flag, view.changes)


def test_what_the_device_would_say_is_explained() -> None:
    view = one(asking("a1f000e0fe", LAPIC))
    assert view.own_decoded == "disabled by software, spurious vector 0xff"
    assert one(asking("a1000000d0")).own_decoded is None
