"""Rules that drop, delay or duplicate IPIs: what arrives, when, and that it repeats.

ap-bringup sends one INIT, one SIPI (0x08) and one fixed IPI (0x31), each to all but
self, and waits for its APs without end.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.machines import ap_bringup, fingerprint, machine

from lapis_engine.apic import icr as apic_icr
from lapis_engine.errors import EngineError
from lapis_engine.events import Interfered, SipiReceived, VectorAccepted
from lapis_engine.machine.machine import Machine
from lapis_engine.replay import capture
from lapis_engine.vmm import clock, fabric, interference

FAR = 200_000
CLI_HLT = b"\xfa\xf4"
SECOND_SIPI = 0x0100_0000_0000_4608
"""To APIC id 1, page 8."""
WAITS, RUNS, NEVER = 0x1, 0x3, 0x0
"""Run-states: INIT; RUN with INIT; HALT."""


def events(m: Machine, kind: type) -> list[Any]:
    return [(it.at, it.event) for it in m.log.last(9999) if isinstance(it.event, kind)]


def run_states(m: Machine) -> list[int]:
    return [vcpu.run_state for vcpu in m.vcpus]


def test_a_dropped_sipi_leaves_its_target_waiting_and_the_next_one_starts_it() -> None:
    m = ap_bringup(3)
    m.interfere("drop", "sipi", to=1)
    assert m.run(FAR).reason == "budget"
    assert run_states(m) == [0x2, WAITS, RUNS]
    assert m.vcpu_state(1) == "wait-for-sipi"
    [(at, seen)] = events(m, Interfered)
    assert (seen.vcpu, seen.action, seen.mode, seen.sender) == (1, "drop", "sipi", 0)
    assert [e.vcpu for _, e in events(m, SipiReceived)] == [2]
    assert at < m.now
    m.send_ipi(0, SECOND_SIPI)
    assert m.run(FAR).reason == "exit"
    assert run_states(m) == [0x2, RUNS, RUNS]
    assert m.vcpus[1].regs.mode == "long"


def test_what_is_dropped_is_the_nth_and_no_other() -> None:
    m = machine(CLI_HLT, 2)
    m.interfere("drop", "fixed", nth=2)
    m.vcpus[1].apic.svr = 0x1FF
    for vector in (0x41, 0x42, 0x43):
        m.send_ipi(0, 0x0100_0000_0000_4000 | vector)
    assert [e.vector for _, e in events(m, VectorAccepted)] == [0x41, 0x43]


def test_every_ipi_that_matches_is_dropped_until_the_rule_is_gone() -> None:
    m = ap_bringup(2)
    rule = m.interfere("drop", "sipi", nth=0)
    m.run(FAR)
    for _ in range(3):
        m.send_ipi(0, SECOND_SIPI)
    assert (rule.seen, rule.done) == (4, 4)
    m.clear_interference(rule.number)
    m.send_ipi(0, SECOND_SIPI)
    assert m.run(FAR).reason == "exit"


def test_copies_of_a_broadcast_are_counted_by_ascending_target() -> None:
    m = ap_bringup(4)
    m.interfere("drop", "sipi", nth=2)
    m.run(FAR)
    assert run_states(m) == [0x2, RUNS, WAITS, RUNS]


@pytest.mark.parametrize(
    ("conditions", "dropped"),
    [({"vector": 0x42}, [0x42]), ({"sender": 1}, [0x43]), ({"to": 0}, [0x43]),
     ({"mode": "nmi"}, []), ({"to": 1, "vector": 0x43}, []),
     ({"to": 1, "sender": 0}, [0x41, 0x42])],
)  # fmt: skip
def test_a_rule_matches_when_all_its_conditions_hold(
    conditions: dict[str, Any], dropped: list[int]
) -> None:
    m = machine(CLI_HLT, 2)
    for vcpu in m.vcpus:
        vcpu.apic.svr = 0x1FF
    m.interfere("drop", nth=0, **conditions)
    for sender, vector in ((0, 0x41), (0, 0x42), (1, 0x43)):
        m.send_ipi(sender, (1 - sender) << 56 | 0x4000 | vector)
    taken = [e.vector for _, e in events(m, VectorAccepted)]
    assert taken == [v for v in (0x41, 0x42, 0x43) if v not in dropped]


def test_of_two_rules_the_first_acts_and_both_count() -> None:
    m = ap_bringup(2)
    first = m.interfere("drop", "sipi")
    second = m.interfere("duplicate", "sipi", nth=1)
    m.run(FAR)
    assert [(r.number, r.seen, r.done) for r in (first, second)] == [
        (1, 1, 1), (2, 1, 0),
    ]  # fmt: skip
    assert run_states(m) == [0x2, WAITS]


CONDITION = st.none() | st.integers(0, 2)
RULE = st.tuples(
    st.sampled_from(["drop", "duplicate"]), CONDITION, CONDITION, st.integers(0, 3)
)  # action, to, sender, nth
COPY = st.tuples(st.integers(0, 2), st.integers(0, 2))  # sender, target


@given(st.lists(RULE, max_size=4), st.lists(COPY, max_size=12))
def test_what_arrives_is_what_a_count_by_hand_says(
    rules: list[tuple[str, int | None, int | None, int]], sent: list[tuple[int, int]]
) -> None:
    state = interference.InterferenceState()
    for action, to, sender, nth in rules:
        rule = interference.Rule(0, action, to=to, sender=sender, nth=nth)
        interference.add(state, rule, 3)
    for place, (sender, target) in enumerate(sent):
        ipi = apic_icr.decode(target << 56 | 0x4041, x2apic=False, sender=sender)
        count, event = interference.copies(state, ipi, target, "x", 0)
        does = "pass"
        for action, to, of, nth in reversed(rules):
            fitting = [
                (s, t)
                for s, t in sent[: place + 1]
                if to in {None, t} and of in {None, s}
            ]
            mine = to in {None, target} and of in {None, sender}
            if mine and nth in {0, len(fitting)}:
                does = action
        assert count == {"pass": 1, "drop": 0, "duplicate": 2}[does]
        assert (event is None) == (does == "pass")


def test_a_duplicate_arrives_twice() -> None:
    m = ap_bringup(2)
    m.interfere("duplicate", "fixed", vector=0x31)
    m.interfere("duplicate", "sipi")
    assert m.run(FAR).reason == "exit"
    assert [e.vcpu for _, e in events(m, VectorAccepted)] == [1, 1]
    assert [str(e.latched) for _, e in events(m, SipiReceived)] == [
        "None", "an earlier SIPI starts it",
    ]  # fmt: skip


def test_a_delayed_ipi_arrives_so_many_ns_after_it_was_sent() -> None:
    m = ap_bringup(3)
    m.interfere("delay", "sipi", to=1, by=12_345)
    assert m.run(FAR).reason == "exit"
    [(sent, _)] = events(m, Interfered)
    arrived = {e.vcpu: at for at, e in events(m, SipiReceived)}
    assert arrived == {1: sent + 12_345, 2: sent}


def test_a_delayed_ipi_wakes_a_machine_that_sleeps_for_good() -> None:
    m = machine(CLI_HLT, 2)
    m.vm.memory.write(0x8000, CLI_HLT)
    assert m.run(FAR).reason == "halted"
    slept = m.now
    m.interfere("delay", "sipi", by=1_000_000)
    m.send_ipi(0, 0x0100_0000_0000_4500)
    m.send_ipi(0, SECOND_SIPI)
    assert len(m.vm.interference.held) == 1
    assert m.run(FAR).reason == "halted"
    assert m.vm.interference.held == []
    assert (run_states(m)[1], m.vcpus[1].retired) == (RUNS, 2)
    assert m.now == slept + 1_000_000 + 2


def test_delayed_ipis_arrive_by_their_moment_and_then_as_sent() -> None:
    m = machine(CLI_HLT, 2)
    m.vcpus[1].apic.svr = 0x1FF
    for vector, by in ((0x41, 900), (0x42, 300), (0x43, 900)):
        m.interfere("delay", "fixed", vector=vector, by=by)
    for vector in (0x41, 0x42, 0x43):
        m.send_ipi(0, 0x0100_0000_0000_4000 | vector)
    clock.pass_time(m.vm, 899)
    assert [e.vector for _, e in events(m, VectorAccepted)] == [0x42]
    clock.pass_time(m.vm, 900)
    assert [e.vector for _, e in events(m, VectorAccepted)] == [0x42, 0x41, 0x43]
    for vector, by in ((0x51, 20), (0x52, 10)):
        m.interfere("delay", "fixed", vector=vector, by=by)
        m.send_ipi(0, 0x0100_0000_0000_4000 | vector)
    clock.pass_time(m.vm, 1000)
    assert [e.vector for _, e in events(m, VectorAccepted)][3:] == [0x52, 0x51]


@pytest.mark.parametrize(
    "profile", ["sdm", "illumos", "freebsd", "freebsd-13.1-compat"]
)
def test_profiles_start_a_processor_by_a_delayed_sipi_too(profile: str) -> None:
    m = machine(CLI_HLT, 2, profile=profile)
    m.vm.memory.write(0x8000, CLI_HLT)
    m.vcpus[1].active = True
    rule = m.interfere("delay", "sipi", by=5_000)
    for icr in (0x0100_0000_0000_4500, SECOND_SIPI):
        # As if vCPU 0 wrote its ICR within vm_run.
        fabric.send(m.vm, apic_icr.decode(icr, x2apic=False, sender=0), "normal")
        m.run(100 if icr != SECOND_SIPI else FAR)
    assert rule.done == 1
    assert m.vcpus[1].retired == 2


def test_the_spinup_exit_of_a_delayed_sipi_reaches_userspace() -> None:
    m = machine(CLI_HLT, 2, profile="illumos-pre-12960")
    m.vm.memory.write(0x8000, CLI_HLT)
    m.interfere("delay", "sipi", by=5_000)
    m.send_ipi(0, 0x0100_0000_0000_4500)
    m.send_ipi(0, SECOND_SIPI)
    m.run(FAR)
    assert (run_states(m)[1], m.vcpus[1].retired) == (RUNS, 2)


def with_rules() -> Machine:
    m = ap_bringup(4)
    m.interfere("delay", "sipi", to=3, by=7_777)
    m.interfere("drop", "init", to=2)
    m.interfere("duplicate", "fixed", nth=0)
    return m


def test_the_same_rules_give_the_same_history_however_the_run_is_sliced() -> None:
    whole, again, sliced = with_rules(), with_rules(), with_rules()
    whole.run(FAR)
    again.run(FAR)
    left = FAR
    while left:
        left -= sliced.run(min(left, 777)).retired
    assert fingerprint(whole) == fingerprint(again) == fingerprint(sliced)
    assert len(events(whole, Interfered)) == 2


def test_a_checkpoint_holds_the_rules_and_what_is_on_its_way() -> None:
    m = with_rules()
    m.run(30_000)
    assert len(m.vm.interference.held) == 1
    kept = capture.take(m)
    m.run(FAR)
    first = fingerprint(m)
    m.clear_interference()
    capture.put(m, kept)
    assert [rule.seen for rule in m.vm.interference.rules] == [1, 1, 0]
    m.run(FAR)
    assert fingerprint(m) == first


@pytest.mark.parametrize(
    ("arguments", "says"),
    [({"action": "lose"}, "there is no 'lose': drop, delay, duplicate"),
     ({"action": "drop", "mode": "x"}, "there is no delivery mode 'x'"),
     ({"action": "drop", "to": 2}, "to vCPU 2: they are 0 to 1"),
     ({"action": "drop", "sender": 9}, "from vCPU 9: they are 0 to 1"),
     ({"action": "drop", "vector": 256}, "vector 0x100: vectors are 8 bits"),
     ({"action": "drop", "nth": -1}, "number -1 of the IPIs"),
     ({"action": "drop", "by": 5}, "only a delay takes a time"),
     ({"action": "delay"}, "a delay of 0 ns: from 1 to"),
     ({"action": "delay", "by": 10**16}, "a delay of 10000000000000000 ns")],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_changes_nothing(
    arguments: dict[str, Any], says: str
) -> None:
    m = machine(CLI_HLT, 2)
    with pytest.raises(EngineError, match=says):
        m.interfere(**arguments)
    assert m.vm.interference.rules == []
    assert m.interfere("drop").number == 1


def test_a_rule_that_is_not_there_cannot_be_cleared() -> None:
    m = machine(CLI_HLT, 2)
    m.interfere("drop")
    with pytest.raises(EngineError, match="there is no rule 2; there are: 1"):
        m.clear_interference(2)
    m.clear_interference()
    assert m.vm.interference.rules == []
