"""Every timer of a machine: what it counts, when it is next due, and where that goes.

The 8254, the RTC, the HPET, the timer of power management, each local APIC's, and what
a device of a plug-in waits for. Counts and times follow from virtual time (8254 "Mode
Definitions"; MC146818A "Interrupts"; IA-PC HPET 1.0a; SDM Vol. 3A "APIC Timer").
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from lapis_engine import explain
from lapis_engine.apic import timer as apic_timer
from lapis_engine.apic.regs import LVT_MASKED, LVT_VECTOR
from lapis_engine.cause import Cause
from lapis_engine.devices.hpet import counter as hpet_counter
from lapis_engine.devices.hpet import lines as hpet_lines
from lapis_engine.devices.hpet import regs as hpet_regs
from lapis_engine.devices.hpet.state import HpetState
from lapis_engine.devices.hpet.timer import NEVER
from lapis_engine.devices.piix4_pm import regs as pm_regs
from lapis_engine.devices.piix4_pm import timer as pm_timer
from lapis_engine.devices.piix4_pm.state import Piix4PmState
from lapis_engine.devices.pit import counter as pit_counter
from lapis_engine.devices.pit.state import PitState
from lapis_engine.devices.pmtimer import HZ as PM_HZ
from lapis_engine.devices.pmtimer import WIDTH as PM_WIDTH
from lapis_engine.devices.pmtimer import PmTimerState
from lapis_engine.devices.rtc import clock as rtc_clock
from lapis_engine.devices.rtc import regs as rtc_regs
from lapis_engine.devices.rtc.state import RtcState
from lapis_engine.units import MASK32, NS
from lapis_sessions.plain import LEFT_OUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lapis_engine.devices.device import Device
    from lapis_engine.devices.hpet.state import ComparatorState
    from lapis_engine.devices.pit.state import ChannelState
    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu

PIT_MODES: Final = (
    "terminal count", "one-shot", "rate generator", "square wave", "software strobe",
    "hardware strobe",
)  # fmt: skip
"""Of the 8254, by number."""
STOPPED: Final = Cause("stopped", "it is stopped")
MASKED: Final = Cause("masked", "its LVT entry is masked")
OFF: Final = Cause("off", "its interrupt is not enabled")


@dataclass(frozen=True, slots=True)
class TimerWay:
    """Where the interrupt of a timer goes."""

    text: str
    """In words; nothing where it has none."""
    isa: int | None = None
    """ISA line."""
    pin: int | None = None
    """Input of the IOAPIC."""
    vcpu: int | None = None
    """vCPU whose own it is."""


NOWHERE: Final = TimerWay("nowhere")


@dataclass(frozen=True, slots=True)
class TimerRow:
    """One timer."""

    name: str
    mode: str
    """In words."""
    raw: int
    """What it is set to, as a register of its own has it."""
    count: int | None
    """What the guest would read now; None where there is nothing to read."""
    reload: int | None
    """What it starts again from, or is compared with."""
    next: int | None
    """ns of virtual time of what it does next; None: nothing is to come."""
    to: TimerWay
    waits: Cause | None
    """Why nothing is to come, or none of it is heard."""
    now: int = field(metadata=LEFT_OUT)
    """When it was looked at, ns of virtual time."""

    @property
    def left(self) -> int | None:
        """Return the ns that are left until then."""
        return None if self.next is None else max(self.next - self.now, 0)


def of(machine: Machine) -> tuple[TimerRow, ...]:
    """Return all timers: devices in the order of the machine, then the APICs."""
    out: list[TimerRow] = []
    for device in machine.vm.devices:
        known = next((k for k in KNOWN if isinstance(device.state, k)), None)
        if known is not None:
            out += KNOWN[known](machine, device.state)
        elif device.timer is not None:
            out.append(_other(device, machine.now))
    return (*out, *(_lapic(machine, vcpu) for vcpu in machine.vcpus))


def _other(device: Device, now: int) -> TimerRow:
    """Return what a device waits for that keeps no clock of the guest's."""
    assert device.timer is not None, "it was asked for"
    at = device.timer.deadline(device.state)
    waits = Cause("idle", "it waits for nothing") if at is None else None
    to = TimerWay("")
    return TimerRow(device.name, "its own work", 0, None, None, at, to, waits, now)


# The 8254.


def _pit(machine: Machine, state: PitState) -> Iterator[TimerRow]:
    for number, channel in enumerate(state.channels):
        yield _channel(machine, number, channel)


def _channel(machine: Machine, number: int, channel: ChannelState) -> TimerRow:
    edge = pit_counter.next_edge(channel)
    at = None if edge is None else pit_counter.time_of(edge)
    waits = None
    if not channel.reload:
        waits = Cause("no-count", "no count has been written to it")
    elif channel.frozen is not None or not channel.gate:
        waits = Cause("gate", "its GATE is low")
    elif edge is None:
        waits = Cause("done", "OUT rises no more")
    if number and at is not None and at <= machine.now:
        # Nobody takes note of the edges of OUT but of channel 0.
        at = _following(channel, machine.now)
    to = {0: _line_route(machine, 0), 2: TimerWay("port 0x61, speaker")}
    return TimerRow(
        name=f"pit channel {number}",
        mode=f"{channel.mode} {PIT_MODES[channel.mode]}",
        raw=channel.access << 4 | channel.mode << 1,
        count=pit_counter.count(channel, machine.now) if channel.reload else None,
        reload=channel.reload or None,
        next=at,
        to=to.get(number, NOWHERE),
        waits=waits,
        now=machine.now,
    )


def _following(channel: ChannelState, now: int) -> int | None:
    """Return the next edge of a periodic channel whose edges nobody takes note of."""
    if channel.mode not in pit_counter.PERIODIC:
        return None
    done = (pit_counter.tick_at(now) - channel.started) // channel.reload
    return pit_counter.time_of(channel.started + (done + 1) * channel.reload)


def _line_route(machine: Machine, irq: int) -> TimerWay:
    """Return where the line of the 8254 or of the RTC goes."""
    hpet = machine.vm.hpet
    state = None if hpet is None else hpet.state
    if isinstance(state, HpetState) and hpet_lines.is_displacing(state):
        return TimerWay("nowhere: the HPET has its line")
    return _isa(irq)


def _isa(irq: int, name: str = "") -> TimerWay:
    return TimerWay(f"{name}ISA line {irq}", isa=irq)


# The RTC.


def _rtc(machine: Machine, state: RtcState) -> Iterator[TimerRow]:
    for name, flag in (
        ("periodic", rtc_regs.PF), ("alarm", rtc_regs.AF), ("update", rtc_regs.UF),
    ):  # fmt: skip
        yield _rtc_flag(machine, state, name, flag)


def _rtc_flag(machine: Machine, state: RtcState, name: str, flag: int) -> TimerRow:
    # What has happened since the clock was looked at is over.
    looked = replace(state, seen=max(state.seen, machine.now))
    at = rtc_clock.following(looked, flag)
    waits = None
    if not state.enables & flag:
        waits = OFF
    elif state.flags & flag:
        waits = Cause("flag", "C has it already, and is not read")
    elif at is None:
        waits = STOPPED
    period = rtc_regs.RATES[rtc_regs.RATE.get(state.status_a)]
    mode = {"update": "each second", "alarm": _alarm(state)}.get(name)
    if mode is None:
        mode = "no rate" if period is None else f"{rtc_regs.HZ // period} Hz"
    to = _line_route(machine, rtc_regs.IRQ)
    raw = state.status_a << 8 | state.status_b | state.enables
    return TimerRow(f"rtc {name}", mode, raw, None, None, at, to, waits, machine.now)


def _alarm(state: RtcState) -> str:
    """Return the cells of the alarm as they are written, hours first."""
    cells = [state.ram[cell] for cell in reversed(rtc_regs.ALARM)]
    shown = ["**" if cell >= rtc_regs.ANY else f"{cell:02x}" for cell in cells]
    return f"at {':'.join(shown)}"


# The HPET.


def _hpet(machine: Machine, state: HpetState) -> Iterator[TimerRow]:
    count = hpet_counter.count(state, machine.now)
    runs = bool(state.config & hpet_regs.ENABLE)
    mode = f"{NS // hpet_regs.TICK:,} Hz" if runs else "halted"
    waits = None if runs else Cause("halted", "the HPET is not enabled")
    yield TimerRow(
        "hpet counter", mode, state.config, count, None, None, TimerWay(""), waits,
        machine.now,
    )  # fmt: skip
    for number, timer in enumerate(state.timers):
        yield _comparator(machine, state, number, timer)


def _comparator(
    machine: Machine, state: HpetState, number: int, timer: ComparatorState
) -> TimerRow:
    config = timer.config
    words = [
        "periodic" if config & hpet_regs.PERIODIC else "one-shot",
        "32 bits" if config & hpet_regs.IS_32 else "64 bits",
        "level" if config & hpet_regs.LEVEL else "edge",
    ]
    ticks = hpet_counter.elapsed(state, machine.now)
    at = None
    waits = None
    if not state.config & hpet_regs.ENABLE:
        waits = Cause("halted", "the HPET is not enabled")
    elif not config & hpet_regs.INTERRUPTS:
        waits = OFF
    else:
        start = (state.count + ticks) & hpet_counter.mask(timer)
        left = hpet_counter.distance(timer, start)
        at = state.at + (ticks + left) * hpet_regs.TICK
        if at >= NEVER:
            at, waits = None, Cause("never", "its match is more than 36 years away")
    return TimerRow(
        name=f"hpet timer {number}",
        mode=", ".join(words),
        raw=config,
        count=None,
        reload=hpet_counter.accumulated(timer, state.count, ticks),
        next=at,
        to=_hpet_route(state, number, timer),
        waits=waits,
        now=machine.now,
    )


def _hpet_route(state: HpetState, number: int, timer: ComparatorState) -> TimerWay:
    if timer.config & hpet_regs.FSB:
        address, data = timer.fsb >> 32, timer.fsb & MASK32
        return TimerWay(f"message {address:#x}, data {data:#x}")
    where = hpet_lines.destination(state, number)
    if where is None:
        chosen = hpet_regs.ROUTE.get(timer.config)
        return TimerWay(f"nowhere: it has no input {chosen}")
    pin, is_isa = where
    return _isa(pin) if is_isa else TimerWay(f"ioapic pin {pin}", pin=pin)


# Power management.


def _pm(machine: Machine, state: Piix4PmState) -> Iterator[TimerRow]:
    count = pm_timer.count(machine.now) & pm_regs.WIDTH
    is_on = state.control & pm_regs.SCI_ENABLE and state.enable & pm_regs.TIMER_OVERFLOW
    waits = None if is_on else OFF
    if is_on and state.status & pm_regs.TIMER_OVERFLOW:
        waits = Cause("flag", "its status is set already, and nobody clears it")
    yield TimerRow(
        "acpi pm timer", f"{PM_HZ:,} Hz, 24 bits", state.enable, count, None,
        pm_timer.next_change(machine.now), _isa(pm_regs.SCI, "SCI, "), waits,
        machine.now,
    )  # fmt: skip


def _pm_plain(machine: Machine, state: PmTimerState) -> Iterator[TimerRow]:
    count = (machine.now - state.base) * PM_HZ // NS & PM_WIDTH
    waits = Cause("no-interrupt", "it has none")
    yield TimerRow(
        "acpi pm timer", f"{PM_HZ:,} Hz, 32 bits", 0, count, None, None, NOWHERE,
        waits, machine.now,
    )  # fmt: skip


# The local APICs.


def _lapic(machine: Machine, vcpu: Vcpu) -> TimerRow:
    apic, profile = vcpu.apic, machine.config.profile
    is_deadline = apic_timer.is_tsc_deadline(apic, profile)
    mode = explain.TIMER_MODES[apic.lvt_timer >> 17 & 3]
    if not is_deadline:
        mode = f"{mode} /{apic_timer.divisor(apic)}"
    at = apic_timer.deadline(apic)
    waits = STOPPED if at is None else MASKED if apic.lvt_timer & LVT_MASKED else None
    count = apic_timer.current_count(apic, machine.now, profile)
    return TimerRow(
        name=f"lapic {vcpu.id}",
        mode=mode,
        raw=apic.lvt_timer,
        count=None if is_deadline else count,
        reload=apic.tsc_deadline if is_deadline else apic.timer_initial,
        next=at,
        to=TimerWay(
            f"vector {apic.lvt_timer & LVT_VECTOR:#04x} of vCPU {vcpu.id}", vcpu=vcpu.id
        ),
        waits=waits,
        now=machine.now,
    )


KNOWN: Final[dict[type, Callable[[Machine, Any], Iterator[TimerRow]]]] = {
    PitState: _pit, RtcState: _rtc, HpetState: _hpet, Piix4PmState: _pm,
    PmTimerState: _pm_plain,
}  # fmt: skip
"""Devices that keep clocks of the guest's, by their state."""


def text(rows: tuple[TimerRow, ...]) -> str:
    """Return the timers, one line each."""
    return "\n".join(line(row) for row in rows)


def line(row: TimerRow) -> str:
    """Return one timer on a line."""
    out = [f"{row.name:<14}  {row.mode}"]
    if row.count is not None:
        out.append(f"count {row.count:#x}")
    if row.reload is not None:
        out.append(f"from {row.reload:#x}")
    if row.next is not None:
        out.append(f"next at {row.next:,} ns, in {row.left:,} ns")
    if row.to.text:
        out.append(f"to {row.to.text}")
    if row.waits is not None:
        out.append(f"({row.waits.code}: {row.waits})")
    return "  ".join(out)
