"""TPR and EOI written by the user as a vCPU would: consequences, and what is refused.

Expectations are SDM Vol. 3A "Task and Processor Priorities", "Interaction of Interrupt
Priorities and CR8" and "Signaling Interrupt Servicing Completion".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rigs import machines

from lapis_engine.apic import access
from lapis_engine.errors import EngineError
from lapis_engine.events import MsrAccessed, VectorEnded

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine

EN, EXTD = 1 << 11, 1 << 10


def machine(mode: str) -> Machine:
    """Return a machine whose vCPU 0 has an APIC in `mode`."""
    m = machines.ap_bringup(2)
    apic = m.vcpu(0).apic
    apic.apicbase &= ~(EN | EXTD)
    apic.apicbase |= {"disabled": 0, "xapic": EN, "x2apic": EN | EXTD}[mode]
    return m


@pytest.mark.parametrize("mode", ["xapic", "x2apic"])
@pytest.mark.parametrize("value", [0x00, 0x2F, 0x31, 0x52, 0x60, 0xFF])
def test_a_tpr_makes_the_ppr_and_cr8(mode: str, value: int) -> None:
    m = machine(mode)
    apic = m.vcpu(0).apic
    apic.isr = 1 << 0x52
    m.write_apic(0, "tpr", value)
    assert apic.tpr == value
    assert apic.ppr == (value if value // 16 >= 5 else 0x50)
    assert access.read_cr8(apic) == value // 16


@pytest.mark.parametrize("mode", ["xapic", "x2apic"])
def test_an_eoi_ends_the_highest_in_service(mode: str) -> None:
    m = machine(mode)
    apic = m.vcpu(0).apic
    apic.isr = 1 << 0x31 | 1 << 0x71
    m.write_apic(0, "eoi", 0)
    assert apic.isr == 1 << 0x31
    assert apic.ppr == 0x30
    ended = [e.event for e in m.log.since(0) if isinstance(e.event, VectorEnded)]
    assert ended == [VectorEnded(0, 0x71, False, 0x30)]
    m.write_apic(0, "eoi", 0)
    m.write_apic(0, "eoi", 0)  # with nothing in service it ends nothing
    assert apic.isr == 0


def test_in_x2apic_mode_the_history_tells_the_wrmsr() -> None:
    m = machine("x2apic")
    m.write_apic(0, "tpr", 0x20)
    assert m.log.last(1)[0].event == MsrAccessed(0, 0x808, True, 0x20, False)


@pytest.mark.parametrize(
    ("mode", "register", "value", "words"),
    [
        ("disabled", "tpr", 0, "disabled by APICBASE"),
        ("disabled", "eoi", 0, "disabled by APICBASE"),
        (
            "xapic",
            "tpr",
            0x100,
            "TPR has the bits 0xff, the others are reserved: 0x100",
        ),
        (
            "x2apic",
            "tpr",
            0x1FF,
            "TPR has the bits 0xff, the others are reserved: 0x1ff",
        ),
        ("xapic", "tpr", -1, "reserved"),
        ("x2apic", "eoi", 1, "EOI takes 0 only: 0x1"),
        ("xapic", "ppr", 0, "APIC register ppr is not written in xapic mode"),
        ("xapic", "nothing", 0, "the APIC has no register"),
    ],
)
def test_what_is_refused_changes_nothing(
    mode: str, register: str, value: int, words: str
) -> None:
    m = machine(mode)
    with pytest.raises(EngineError, match=words):
        m.write_apic(0, register, value)
    assert m.vcpu(0).apic.tpr == 0
    assert m.log.next_seq == 0
