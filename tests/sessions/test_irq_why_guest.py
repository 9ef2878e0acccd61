"""`irq why` asked at planted faults of a guest, and at the same without them.

What each scene of `irq-why.asm` must be told as is in the SDM, Vol. 3A: "APIC Timer",
"TSC-Deadline Mode", "EOI Register", "Task and Processor Priorities"; in the 82093AA
"I/O Redirection Table Registers"; in the 8259A "Interrupt Sequence".
"""

from collections.abc import Iterator
from typing import Any

import pytest
from rigs.machines import GUESTS

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions

GUEST = GUESTS / "irq-why.bin"
TIMER, LINE, BELOW, SPURIOUS = 0x40, 0x52, 0x62, 0x37
SCENES = (
    (
        TIMER,
        "timer-count-ignored",
        (
            "the initial count 0xbb8, written at RIP 0x104f2 at 4,422 ns, was "
            "ignored, as LVT "
            "timer (0x40040) was in TSC-deadline mode, where IA32_TSC_DEADLINE "
            "(MSR 0x6e0)"
        ),
    ),
    (
        TIMER,
        "timer-count-ignored",
        "the mode has changed since (LVT timer 0x20040, written at RIP 0x10500",
    ),
    (TIMER, "timer", "periodic, count 0xf0000000, divided by 2"),
    (
        TIMER,
        "timer-disarmed",
        (
            "LVT timer 0x40040, written at RIP 0x1051c at 4,431 ns, changed its "
            "mode into "
            "TSC-deadline, which disarms it"
        ),
    ),
    (TIMER, "timer", "TSC-deadline, armed by IA32_TSC_DEADLINE (MSR 0x6e0)"),
    (
        TIMER,
        "timer-deadline-ignored",
        (
            "IA32_TSC_DEADLINE (MSR 0x6e0) 0x7fffffffff05, written at RIP "
            "0x1054e at 4,442 "
            "ns, was ignored, as LVT timer (0x40) was not in TSC-deadline mode"
        ),
    ),
    (
        TIMER,
        "timer-expired",
        (
            "it fired at 4,645 ns; one-shot: only a write of the "
            "initial count starts it again"
        ),
    ),
    (
        TIMER,
        "fired-in-vain",
        "LVT timer fired in vain at 4,979 ns: it was masked (bit 16)",
    ),
    (
        LINE,
        "edge-lost",
        (
            "it rose at 5,094 ns while it was masked: an edge on a masked "
            "pin is lost; it was unmasked only after that"
        ),
    ),
    (LINE, "delivered", "it was delivered once at 5,119 ns, and its EOI came"),
    (
        LINE,
        "eoi-as-edge",
        (
            "the EOI at 5,230 ns was handled as edge (TMR bit 0), so it was not "
            "told to the "
            "IOAPIC, and the remote IRR of pin 4 stays set: an edge with the "
            "same vector, ipi "
            "of vCPU 0, cleared the TMR bit at 5,192 ns"
        ),
    ),
    (
        LINE,
        "delivered",
        (
            "it was delivered 4 times, the last at 5,273 ns, and its EOI "
            "came at 5,298 ns, as level"
        ),
    ),
    (
        BELOW,
        "no-eoi",
        (
            "0x61 is in service: class 6 is not above class 6; vector 0x61 "
            "was delivered at 5,319 ns, and no EOI has come since"
        ),
    ),
    (BELOW, "delivered", "it was delivered once at 5,354 ns"),
    (BELOW, "if", "RFLAGS is 0x46: IF (bit 9) is 0"),
    (SPURIOUS, "pic-spurious", "spurious as the 8259 has nothing to serve"),
    (
        SPURIOUS,
        "pic-spurious",
        ("IRQ 7 of the 8259 pair was spurious at 5,430 ns: its line had not risen"),
    ),
)
"""Vector, the rule that must be told, and the words of the first sentence; in the order
of the guest, which writes their numbers from 1 to a port that nobody serves."""


@pytest.fixture(scope="module")
def told() -> list[tuple[dict[str, Any], str]]:
    """What is told of each scene: as data, and as text."""
    return list(_asked())


def _asked() -> Iterator[tuple[dict[str, Any], str]]:
    options = SessionOptions(str(GUEST), cpus=1)
    session = open_session(options, discover().extensions)
    for number, (vector, _, _) in enumerate(SCENES, start=1):
        assert session.execute("run 1000000").text.count("port 0x99") == 1
        (request,) = session.machine.pending()
        assert request.data == number
        if number == 16:
            lint = session.execute("irq lint 0").text
            assert "INTA will give vector 0x37: it is the spurious IRQ 7" in lint
        outcome = session.execute(f"irq why {vector:#x} 0 --all")
        brief = session.execute(f"irq why {vector:#x}").text
        assert len(brief.splitlines()) <= 1 + 3 + 1
        assert brief.splitlines()[0] == outcome.text.splitlines()[0]
        yield outcome.to_dict()["result"], brief
        session.execute("answer")
    assert "poweroff" in session.execute("run 1000000").text
    session.close()


@pytest.mark.parametrize("number", range(len(SCENES)))
def test_the_first_sentence_names_the_cause_and_nothing_else_does(
    told: list[tuple[dict[str, Any], str]], number: int
) -> None:
    vector, rule, words = SCENES[number]
    answer, brief = told[number]
    assert answer["vector"] == vector
    assert words in brief.splitlines()[0]
    assert rule in [reason["rule"] for reason in answer["reasons"]]


def test_a_cause_that_was_cured_is_told_no_more(
    told: list[tuple[dict[str, Any], str]],
) -> None:
    """Each sound scene comes after one with a fault, and has none of its rules."""
    faults = {
        "timer-count-ignored", "timer-disarmed", "timer-deadline-ignored",
        "fired-in-vain", "edge-lost", "eoi-as-edge", "no-eoi", "if", "remote-irr",
    }  # fmt: skip
    for (answer, _), (_, rule, _) in zip(told, SCENES, strict=True):
        rules = {reason["rule"] for reason in answer["reasons"]}
        if rule in {"timer", "delivered"}:
            assert not rules & faults, answer
        elif rule in faults - {"if"}:
            assert rules & faults <= {rule, "remote-irr", "if"}


def test_the_answer_is_the_same_after_going_back() -> None:
    """The writes are no state, and yet are what they were there."""
    session = open_session(SessionOptions(str(GUEST), cpus=1), discover().extensions)
    there: dict[int, str] = {}
    for _ in range(8):
        session.execute("run 1000000")
        at = sum(vcpu.retired for vcpu in session.machine.vcpus)
        there[at] = session.execute("irq why 0x40 --all").text
        session.execute("answer")
    for at in sorted(there, key=lambda at: at % 7):
        assert session.execute(f"goto {at}").ok
        assert session.execute("irq why 0x40 --all").text == there[at]
    assert len(set(there.values())) == 8
    session.close()
