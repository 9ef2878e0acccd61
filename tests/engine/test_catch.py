"""Event breakpoints: the run stops right after the event, and the guest never notices.

ap-bringup on two vCPUs: INIT, SIPI and the IPI 0x31 go from vCPU 0 to vCPU 1.
"""

from typing import Any

import pytest
from rigs.machines import ap_bringup, fingerprint, guest, machine

from lapis_engine.errors import EngineError
from lapis_engine.events import IpiSent, TimerFired, VectorDelivered
from lapis_engine.machine.catches import EVENTS
from lapis_engine.machine.machine import Machine
from lapis_engine.vmm import exits

FAR = 5_000_000
UD2 = b"\x0f\x0b"
STI_HLT = b"\xfb\xf4\xeb\xfc"
"""Sleep for ever, interrupts on."""


def bringup(profile: str = "sdm") -> Machine:
    return ap_bringup(2, profile=profile)


@pytest.mark.parametrize(
    ("event", "conditions", "vcpu", "says"),
    [
        ("ipi", {}, 0, "IPI 0xc4500 (INIT"),
        ("ipi", {"mode": "sipi"}, 0, "IPI 0xc4608 (STARTUP"),
        ("ipi", {"vector": 0x31}, 0, "IPI 0xc4031 (FIXED"),
        ("ipi", {"to": 1, "mode": "fixed"}, 0, "IPI 0xc4031"),
        ("accept", {"vcpu": 1}, 1, "vector 0x31 accepted, edge"),
        ("deliver", {"vector": 0x31}, 1, "vector 0x31 delivered, PPR 0x30"),
        ("eoi", {}, 1, "EOI of vector 0x31, PPR 0x00"),
        ("boot", {}, 1, "INIT from vCPU 0"),
        ("boot", {"mode": "sipi"}, 1, "SIPI 0x08 (start 0x8000) from vCPU 0"),
        ("exit", {}, 0, "exit MMIO: read 4 bytes at 0xd0000000"),
        ("exit", {"code": "MMIO"}, 0, "exit MMIO"),
        ("mode", {}, 0, "real -> protected mode"),
        ("mode", {"vcpu": 1, "mode": "long"}, 1, "compat -> long mode"),
    ],
)  # fmt: skip
def test_the_run_stops_at_the_event(
    event: str, conditions: dict[str, Any], vcpu: int, says: str
) -> None:
    m = bringup()
    m.catches.add(event, **conditions)
    stop = m.run(FAR)
    assert (stop.reason, stop.vcpu) == ("catch", vcpu)
    assert stop.text.startswith(f"catch 1, {event}: {says}")
    assert (stop.exit is not None) == (event == "exit")


@pytest.mark.parametrize(
    ("event", "conditions", "rig", "says"),
    [
        ("timer", {"vector": 0x40}, guest("timer"), "APIC timer fired, vector 0x40"),
        ("msr", {"msr": 0x1B}, guest("timer"), "WRMSR 0x1b = 0xfee00d00"),
        ("mode", {"mode": "x2apic"}, guest("timer"), "APIC xapic -> x2apic"),
        ("exception", {"vector": 6}, machine(UD2), "#UD at 0x0"),
        ("fault", {}, bringup("illumos-pre-13253"), "engine fault: bad pending MMIO"),
        ("lint", {}, guest("lints", 2), "lint eoi-empty-isr"),
    ],
)  # fmt: skip
def test_so_it_does_at_events_of_other_guests(
    event: str, conditions: dict[str, Any], rig: Machine, says: str
) -> None:
    rig.catches.add(event, **conditions)
    stop = rig.run(FAR)
    assert stop.reason == "catch"
    assert stop.text.startswith(f"catch 1, {event}: {says}")


def test_an_interference_is_an_event_too() -> None:
    m = bringup()
    m.interfere("drop", "sipi")
    m.catches.add("interfere", mode="sipi")
    assert m.run(FAR).text.startswith("catch 1, interfere: drop: SIPI 0x08 from vCPU 0")


def test_nothing_is_left_to_happen_and_nothing_is_ahead_of_the_event() -> None:
    m = bringup()
    m.catches.add("ipi", mode="sipi")
    m.run(FAR)
    # The ICR write is complete, the target has its SIPI and has not begun.
    assert m.vcpus[1].run_state == 0x8001
    assert m.vcpus[1].retired == 0
    assert m.vcpus[0].apic.icr & 0xFFFF_FFFF == 0xC_4608
    sent = [it for it in m.log.last(99) if isinstance(it.event, IpiSent)][-1]
    assert m.now - sent.at <= 1


def test_a_machine_that_is_caught_at_every_turn_does_what_it_does_untouched() -> None:
    free, caught = bringup(), bringup()
    for event in EVENTS:
        caught.catches.add(event)
    stops = 0
    while (stop := caught.run(FAR)).reason == "catch" and stop.exit is None:
        stops += 1
    free.run(FAR)
    assert stops > 10
    assert fingerprint(caught) == fingerprint(free)


def test_a_timer_that_fires_while_all_sleep_is_caught_before_the_handler_runs() -> None:
    m = guest("timer")
    m.catches.add("timer")
    stop = m.run(FAR)
    assert (stop.reason, m.vcpu_state(0)) == ("catch", "halted")
    assert isinstance(m.log.last(2)[0].event, TimerFired)
    assert m.read_physical(0x700, 2) == b"\0\0"
    assert m.run(FAR).reason == "halted"
    assert m.read_physical(0x700, 2) == b"\1\0"


def test_a_timer_that_wakes_nobody_is_caught() -> None:
    m = machine(STI_HLT)
    m.run(10)
    m.kernemu_write(0, 0xFEE0_00F0, 4, 0x1FF)
    m.kernemu_write(0, 0xFEE0_0320, 4, 0x1_0040)  # LVT timer, masked
    m.kernemu_write(0, 0xFEE0_03E0, 4, 0xB)
    m.kernemu_write(0, 0xFEE0_0380, 4, 1000)
    m.catches.add("timer")
    stop = m.run(10)
    assert stop.text == "catch 1, timer: APIC timer fired, vector 0x40, masked"
    assert m.run(10).reason == "halted"


def test_a_step_stops_too() -> None:
    m = bringup()
    m.catches.add("ipi", mode="init")
    stop = m.step(0, 100_000)
    assert (stop.reason, stop.vcpu) == ("catch", 0)
    assert stop.retired == m.vcpus[0].retired < 100_000


def test_the_catch_is_told_where_a_step_ends_in_hlt() -> None:
    m = bringup()
    m.catches.add("boot", vcpu=1)
    m.run(FAR)
    stop = m.run(FAR)
    assert "INIT taken" in stop.text
    m.run(FAR)
    m.catches.remove()
    m.catches.add("mode", mode="long")
    stop = m.step(1, 100)
    assert (stop.reason, stop.retired < 100) == ("catch", True)


def test_what_the_user_does_between_two_runs_stops_nothing() -> None:
    m = bringup()
    m.run(1000)
    m.catches.add("ipi", once=True)
    m.send_ipi(0, 0x0100_0000_0000_4500)
    stop = m.run(1000)
    assert (stop.reason, stop.retired) == ("budget", 1000)
    assert m.catches.items[0].hits == 0


def test_nor_is_it_told_at_a_later_stop() -> None:
    m = bringup()
    m.catches.add("ipi", mode="nmi")
    m.send_ipi(0, 0x0100_0000_0000_4400)
    assert m.run(FAR).reason == "exit"
    m = bringup()
    m.catches.add("ipi", mode="nmi")
    m.send_ipi(0, 0x0100_0000_0000_4400)
    m.break_at(0x1_0002)
    assert m.step(0, 10).reason == "breakpoint"


def test_a_catch_for_once_is_gone_after_its_stop() -> None:
    m = bringup()
    m.catches.add("boot", once=True)
    assert m.run(FAR).text.startswith("catch 1, boot")
    assert m.catches.items == []
    assert m.run(FAR).reason == "exit"


def test_stops_are_counted_and_numbers_not_used_again() -> None:
    m = bringup()
    first, second = m.catches.add("eoi"), m.catches.add("deliver")
    assert m.run(FAR).text.startswith("catch 2, deliver")
    assert m.run(FAR).text.startswith("catch 1, eoi")
    assert (first.hits, second.hits) == (1, 1)
    m.catches.remove(2)
    assert m.catches.add("ipi").number == 3
    assert [catch.number for catch in m.catches.items] == [1, 3]


def test_events_of_one_instruction_are_one_stop() -> None:
    m = ap_bringup(4)
    m.catches.add("boot")
    stop = m.run(FAR)
    # INIT to three: each has "INIT" and "INIT pending".
    assert stop.text == "catch 1, boot: INIT from vCPU 0 (and 5 more at once)"
    assert "INIT taken" in m.run(FAR).text


def test_an_exit_that_is_caught_keeps_its_record() -> None:
    m = bringup()
    m.catches.add("exit")
    stop = m.run(FAR)
    assert stop.exit == exits.Mmio(0xD000_0000, 4, read=True, data=0)
    m.answer(0, 7)
    assert m.run(FAR).reason == "halted"


def test_conditions_that_do_not_hold_stop_nothing() -> None:
    m = bringup()
    m.catches.add("deliver", vcpu=0)
    m.catches.add("ipi", to=0)
    m.catches.add("exit", code="INST_EMUL")
    assert m.run(FAR).reason == "exit"
    assert any(isinstance(it.event, VectorDelivered) for it in m.log.last(99))


def test_without_catches_the_history_has_nobody_more_to_tell() -> None:
    m = bringup()
    before = len(m.log.observers)
    m.catches.add("ipi")
    m.catches.add("eoi")
    assert len(m.log.observers) == before + 1
    m.catches.remove(1)
    m.catches.remove(2)
    assert len(m.log.observers) == before


@pytest.mark.parametrize(
    ("event", "conditions", "says"),
    [("ipis", {}, "there is no event 'ipis': ipi, accept"),
     ("msr", {"vector": 3}, "catch msr has no vector; these have: accept"),
     ("eoi", {"to": 1}, "catch eoi has no to; these have: ipi"),
     ("ipi", {"vector": 0x131}, "vector 0x131: vectors are 8 bits"),
     ("ipi", {"mode": "long"}, "ipi has no mode 'long': fixed"),
     ("mode", {"mode": "sipi"}, "mode has no mode 'sipi': real"),
     ("exit", {"code": "MIMO"}, "there is no exit 'MIMO': BOGUS")],
)  # fmt: skip
def test_what_can_never_be_is_refused(
    event: str, conditions: dict[str, Any], says: str
) -> None:
    m = bringup()
    with pytest.raises(EngineError, match=says):
        m.catches.add(event, **conditions)
    assert m.catches.items == []


def test_a_catch_that_is_not_there_cannot_be_removed() -> None:
    m = bringup()
    with pytest.raises(EngineError, match="there is no catch 1; there are: none"):
        m.catches.remove(1)
