"""Time passes between the iterations of a REP on a device, however it is cut.

What the iterations come to in one run is what single steps come to, by the same guest.
"""

from collections.abc import Callable
from itertools import pairwise

import pytest
from rigs.machines import fingerprint, machine

from lapis_engine.cpu.registers import ES, FS, Segment
from lapis_engine.events import TimerFired
from lapis_engine.machine.machine import Machine
from lapis_engine.vmm.costs import FREE, Costs

COUNT = 2000
BEGIN = 14_000
"""ns at which a guest starts, a little before REFRESH toggles."""
FOUND = 0x2_0000
REFRESH = 0x10
"""Port 61H: toggles with each refresh, every 15.085 us (PC/AT)."""


def started(body: str, costs: Costs) -> Machine:
    """ES begins at FOUND, FS is the APIC's page; interrupts are off."""
    m = machine(bytes.fromhex(body + "f4"), costs=costs)
    apic, regs = m.vcpus[0].apic, m.vcpus[0].regs
    regs.set_segment(FS, Segment(0, 0xFEE0_0000, 0xFFFF_FFFF, 0x9300))
    regs.set_segment(ES, Segment(0, FOUND, 0xFFFF_FFFF, 0x9300))
    m.vm.now = BEGIN
    apic.svr, apic.lvt_timer, apic.timer_divide = 0x1FF, 0x2_0040, 0xB
    return m


def insb(costs: Costs) -> Machine:
    """MOV DX, 0x61; MOV CX, COUNT; REP INSB."""
    return started("ba6100 b9" + COUNT.to_bytes(2, "little").hex() + "f36c", costs)


def movsd(costs: Costs) -> Machine:
    """FS:SI is the APIC's current count, and what follows it is reserved."""
    m = started("be9003 b90400 66f364a5 be9003 b90400 66f364a5", costs)
    m.vcpus[0].apic.timer_initial = 1000
    m.vcpus[0].apic.timer_deadline = BEGIN + 7450
    return m


def stosd(costs: Costs) -> Machine:
    """Seven stores to the APIC from 0x380 on: the first starts its timer, 4 ticks."""
    m = started("66b804000000 66bf8003e0fe b90700 6766f3ab b90700 90e2fd", costs)
    m.vcpus[0].regs.set_segment(ES, Segment(0, 0, 0xFFFF_FFFF, 0x9300))
    return m


def outsb(costs: Costs) -> Machine:
    """MOV DX, 0x3f8; MOV CX, 20; REP OUTSB: the line takes its time."""
    return started("baf803 b91400 f36e b96400 90e2fd", costs)


@pytest.mark.parametrize("costs", [FREE, Costs(port=1009, mmio=211)])
@pytest.mark.parametrize("guest", [insb, movsd, stosd, outsb])
@pytest.mark.parametrize("step", [1, 7, 600])
def test_a_cut_within_a_rep_does_not_show(
    guest: Callable[[Costs], Machine], step: int, costs: Costs
) -> None:
    whole, cut = guest(costs), guest(costs)
    whole.run(1_000_000)
    for _ in range(10_000):
        if cut.vcpus[0].halted:
            break
        cut.run(step)
    assert whole.vcpus[0].halted
    assert cut.vcpus[0].halted
    assert cut.now == whole.now
    assert fingerprint(cut) == fingerprint(whole)


@pytest.mark.parametrize("ns", [1, 1 + 1009])
def test_each_iteration_sees_the_time_at_which_it_begins(ns: int) -> None:
    m = insb(Costs(port=ns - 1))
    m.run(1_000_000)
    found = m.read_physical(FOUND, COUNT)
    edges = sum((one ^ other) & REFRESH != 0 for one, other in pairwise(found))
    # 18 ticks of 1.193182 MHz a half period (PC/AT); two MOVs come before.
    half = 18 * 1e9 / 1_193_182
    first = BEGIN + 2
    assert edges == int((first + (COUNT - 1) * ns) / half) - int(first / half) > 0


def test_a_timer_that_an_iteration_starts_fires_in_time() -> None:
    m = stosd(FREE)
    m.run(1_000_000)
    fired = [each.at for each in m.log.last(100) if isinstance(each.event, TimerFired)]
    armed = BEGIN + 3  # two MOVs and MOV CX before it
    period = -(-4 * 10**9 // m.vm.profile.apic_timer_hz)
    assert fired[:2] == [armed + period, armed + 2 * period]
