"""What was done to a machine does the same again, whole or cut anywhere."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from rigs import machines, random_acts

from lapis_engine.cpu.registers import Segment
from lapis_engine.machine.acts import Act
from lapis_engine.replay import capture, entries
from lapis_engine.replay.capture import Position
from lapis_engine.replay.digest import Digester
from lapis_engine.replay.entries import DivergedError, Entry
from lapis_engine.vmm import run_state

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine

ACTS = 60


def _cut(m: Machine, entry: Entry, seed: Random) -> None:
    """Do an entry in pieces."""
    while entry.moves and seed.random() < 0.7:
        here = capture.position(m).retired
        if here >= entry.end.retired:
            break
        goal = seed.randint(here, entry.end.retired)
        entries.advance(m, entry, Position(goal, 0, 0))
        assert capture.position(m).retired <= goal
    entries.perform(m, entry)


@pytest.mark.parametrize("number", range(40))
def test_acts_at_random_come_to_the_same_again_however_they_are_cut(
    number: int,
) -> None:
    seed = Random(number)
    made = random_acts.machine(seed)
    was = random_acts.Recorded(made())
    for _ in range(ACTS):
        random_acts.act(was.machine, seed)
    again = made()
    digester = Digester(again)
    for index, (entry, digest) in enumerate(zip(was.entries, was.digests, strict=True)):
        _cut(again, entry, seed)
        assert digester.digest() == digest, (index, entry)
    assert machines.fingerprint(again) == machines.fingerprint(was.machine)


@pytest.mark.parametrize("reason", ["exit", "halted", "catch", "breakpoint"])
def test_each_way_to_stop_is_come_to_again(reason: str) -> None:
    was = random_acts.Recorded(machines.ap_bringup(2))
    m = was.machine
    if reason == "catch":
        m.catches.add("ipi")
    if reason == "breakpoint":
        m.break_at(dict(m.plan.symbols)["ask"] if m.plan.symbols else 0x1_0000)
    stop = m.run(1_000_000)
    if reason == "halted":
        m.answer(0, 5)
        stop = m.run(1_000_000)
    assert stop.reason == reason
    again = machines.ap_bringup(2)
    for entry in was.entries:
        entries.perform(again, entry)
    assert machines.fingerprint(again) == machines.fingerprint(m)


def test_the_turn_where_what_the_last_instruction_set_off_ends_the_machine() -> None:
    """A delayed NMI arrives there and is a triple fault, as there is no IDT."""

    def made() -> Machine:
        m = machines.machine(b"\xeb\xfe", 2)
        regs = m.vcpus[0].regs
        regs.idtr = Segment(0, 0, 0, 0)
        return m

    was = random_acts.Recorded(made())
    m = was.machine
    m.interfere("delay", to=0, by=30)
    m.send_ipi(0, 0x400)
    assert m.run(100).reason == "suspended"
    assert capture.position(m).retired == 30
    again = made()
    digester = Digester(again)
    for entry, digest in zip(was.entries, was.digests, strict=True):
        entries.perform(again, entry)
        assert digester.digest() == digest


def test_a_stop_at_a_breakpoint_is_no_instruction() -> None:
    """The mode is watched for so many instructions, however often one stops."""
    m = machines.machine(b"\x90\x90\x90\xeb\xfe")
    m.vcpus[0].mode_watch = 5
    m.break_at(0x1_0001)
    assert m.run(10).reason == "breakpoint"
    assert (m.vcpus[0].retired, m.vcpus[0].mode_watch) == (1, 4)


def _second_awake() -> Machine:
    """vCPU 0 sleeps for good, vCPU 1 is about to spin, and it is vCPU 0's turn."""
    m = machines.machine(b"\xeb\xfe", 2)
    begun = m.vcpus[0].regs.context.state_bytes()
    m.vcpus[1].regs.context.load_bytes(begun)
    m.vcpus[0].halted, m.vcpus[1].run_state = True, run_state.RUN
    return m


def test_a_stop_at_once_leaves_the_turn_where_it_moved_it() -> None:
    was = random_acts.Recorded(_second_awake())
    m = was.machine
    m.break_at(m.vcpus[1].regs.linear_rip)
    assert (m.run(100).reason, m.schedule.current) == ("breakpoint", 1)
    assert was.entries[0].start == was.entries[0].end
    again = _second_awake()
    again.break_at(0x1234)
    entries.perform(again, was.entries[0])
    assert again.schedule.current == 1
    assert again.breakpoints == [0x1234]


def test_an_act_that_ends_elsewhere_is_told_with_both_places() -> None:
    m = machines.ap_bringup(2)
    start = capture.position(m)
    wrong = Entry(Act("inject_nmi", {"number": 1}), start, Position(0, 7, 0))
    with pytest.raises(DivergedError) as caught:
        entries.perform(m, wrong)
    assert str(caught.value) == (
        "inject_nmi number=1 ended at instruction 0, event 1, 0 ns and not at "
        "instruction 0, event 7, 0 ns"
    )


def test_a_run_that_did_not_come_so_far_is_told() -> None:
    m = machines.ap_bringup(2)
    start = capture.position(m)
    wrong = Entry(Act("run", {}), start, Position(10_000_000, 62, 9), "exit")
    with pytest.raises(DivergedError, match="ended at instruction 28"):
        entries.perform(m, wrong)


def test_a_step_of_one_that_cannot_run_is_told() -> None:
    m = machines.ap_bringup(2)
    start = capture.position(m)
    wrong = Entry(Act("step", {"number": 1}), start, Position(5, 0, 5), "budget")
    with pytest.raises(DivergedError, match="ended at instruction 0"):
        entries.perform(m, wrong)


def test_a_guest_that_overwrites_its_own_code_counts_each_instruction_once() -> None:
    code = bytes.fromhex("2ec606060090 40 40 ebfe")  # mov byte [cs:6], nop; inc ax
    found = []
    for cuts in ((3,), (1, 1, 1)):
        m = machines.machine(code)
        for cut in cuts:
            m.run(cut)
        found.append((m.vcpus[0].regs.rip, m.vcpus[0].regs.gpr[0]))
    assert found == [(8, 1), (8, 1)]
