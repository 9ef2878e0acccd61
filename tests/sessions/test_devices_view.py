"""The devices that interrupt, as they are shown: numbers of their data sheets.

Intel 82093AA "I/O Redirection Table Registers", 8259A "Initialization Command Words"
and "Interrupt Sequence", 8254 "Mode Definitions", MC146818A "Interrupts", IA-PC HPET
1.0a, PCI 3.0 "MSI Capability Structure". Registers are written as numbers here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from lapis_engine.devices.device import (
    Device,
    Function,
    GsiChanged,
    IntxChanged,
    LineChanged,
)
from lapis_engine.devices.ioapic import pins
from lapis_engine.devices.ioapic.state import IoapicState, PinState
from lapis_engine.devices.pci import PciAccess
from lapis_engine.devices.pci_function.header import HeaderFunction
from lapis_engine.devices.pci_function.layout import Capability, make
from lapis_engine.replay import capture
from lapis_engine.vmm import bus, clock, fabric
from lapis_plugins.devices import guarded
from lapis_plugins.guard import Guard
from lapis_plugins.host import discover
from lapis_plugins.plugin import Plugin
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.views import devices, ioapic, messages, pic, snapshot, timers
from lapis_sessions.views.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_sessions.session import Session
    from lapis_sessions.views.ioapic import PinView
    from lapis_sessions.views.messages import MessageRow
    from lapis_sessions.views.timers import TimerRow

SELECT, WINDOW = 0xFEC0_0000, 0xFEC0_0010
HPET = 0xFED0_0000
MASKED, LEVEL, REMOTE_IRR, LOGICAL = 1 << 16, 1 << 15, 1 << 14, 1 << 11
SECOND = 1_000_000_000


class Board:
    """A PC whose processors stand, and hands on its bus and its pins."""

    def __init__(self, session: Session) -> None:
        self.session, self.machine = session, session.machine
        self.vm = session.machine.vm
        self.bus = bus.untrapped(self.vm, self.vm.vcpus[0], "normal")
        for vcpu in self.vm.vcpus:
            vcpu.apic.svr = 0x1FF

    def mmio(self, gpa: int, value: int, size: int = 4) -> None:
        assert self.bus.write(gpa, size, value)

    def out(self, port: int, *values: int) -> None:
        for value in values:
            assert self.bus.port_out(port, 1, value)

    def route(self, pin: int, low: int, high: int = 0) -> None:
        self.mmio(SELECT, 0x11 + 2 * pin)
        self.mmio(WINDOW, high)
        self.mmio(SELECT, 0x10 + 2 * pin)
        self.mmio(WINDOW, low)

    def pin(self, number: int) -> PinView:
        view = ioapic.of(self.machine)
        assert view is not None
        return view.pins[number]

    def timer(self, name: str) -> TimerRow:
        return next(row for row in timers.of(self.machine) if row.name == name)

    def message(self, name: str) -> MessageRow:
        return next(row for row in messages.of(self.machine) if row.name == name)

    def move(self, pin: int, *levels: bool) -> None:
        assert self.vm.ioapic is not None
        for level in levels:
            fabric.signal(self.vm, pins.set_pin(self.vm.ioapic, pin, level), -1)

    def line(self, irq: int, *levels: bool) -> None:
        for level in levels:
            fabric.line(self.vm, irq, -1, asserted=level)

    def tell(self, pin: int) -> str:
        return ioapic.detail_text(ioapic.detail(self.machine, self.pin(pin)))

    def do(self, line: str) -> str:
        outcome = self.session.execute(line)
        assert outcome.ok, outcome.text
        return outcome.text


@pytest.fixture
def it() -> Iterator[Board]:
    options = SessionOptions("ap-bringup", cpus=3, machine="pc")
    session = open_session(options, discover().extensions)
    yield Board(session)
    session.close()


def rules(reasons: Any) -> list[str]:
    return [each.rule for each in reasons]


# The IOAPIC.


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0x0_0041, 0x0100_0000, ("fixed", 0x41, False, False, False, "APIC id 0x1")),
        (0x1_A152, 0x0200_0000, ("lowest", 0x52, True, True, True, "APIC id 0x2")),
        (0x1_0863, 0x4000_0000, ("fixed", 0x63, False, False, True, "logical id 0x40")),
        (0x1_0700, 0, ("extint", 0, False, False, True, "APIC id 0x0")),
        (0x0_8400, 0, ("nmi", 0, False, False, False, "APIC id 0x0")),
    ],
)  # fmt: skip
def test_an_entry_is_taken_apart(it: Board, low: int, high: int, said: Any) -> None:
    it.route(10, low, high)
    pin = it.pin(10)
    assert pin.entry == high << 32 | low
    assert said == (
        pin.mode, pin.vector, pin.level, pin.active_low, pin.masked, pin.destination
    )  # fmt: skip
    assert not pin.busy


def test_whom_a_pin_reaches_follows_the_ids_of_now(it: Board) -> None:
    it.route(10, 0x41, 0x0100_0000)
    assert it.pin(10).reaches == (1,)
    it.route(10, 0x41, 0xFF00_0000)
    assert it.pin(10).reaches == (0, 1, 2)
    it.route(10, LOGICAL | 0x41, 0x0600_0000)
    assert it.pin(10).reaches == ()
    for number, vcpu in enumerate(it.vm.vcpus):
        vcpu.apic.ldr = 1 << number << 24
    assert it.pin(10).reaches == (1, 2)
    it.route(10, LOGICAL | 1 << 8 | 0x41, 0x0600_0000)
    assert it.pin(10).reaches == (1,)
    it.vm.vcpus[1].apic.tpr = it.vm.vcpus[1].apic.ppr = 0x50
    assert it.pin(10).reaches == (2,)
    it.vm.vcpus[2].apic.id = 9
    it.route(10, 0x41, 0x0900_0000)
    assert it.pin(10).reaches == (2,)


def test_a_level_waits_for_its_eoi(it: Board) -> None:
    it.route(10, LEVEL | 0x52)
    assert rules(it.pin(10).reasons) == ["line"]
    it.move(10, True)
    pin = it.pin(10)
    assert (pin.asserted, pin.remote_irr, pin.entry) == (1, True, 0xC052)
    assert rules(pin.reasons) == ["remote-irr"]
    assert "no EOI has come back" in pin.reasons[0].text
    it.vm.vcpus[0].apic.isr, it.vm.vcpus[0].apic.irr = 1 << 0x52, 0
    it.move(10, False)
    assert it.pin(10).remote_irr
    it.mmio(0xFEE0_00B0, 0)
    pin = it.pin(10)
    assert (pin.asserted, pin.remote_irr) == (0, False)
    assert rules(pin.reasons) == ["line"]


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (MASKED | 0x41, 0, ["ioapic-mask", "line"]),
        (0x41, 0x0700_0000, ["line", "destination"]),
        (LOGICAL | 0x41, 0x4000_0000, ["line", "destination"]),
        (0x0F, 0, ["line", "illegal-vector"]),
        (0x200, 0, ["line", "not-implemented"]),
        (MASKED | LEVEL | 0x0F, 0x0900_0000,
         ["ioapic-mask", "line", "destination", "illegal-vector"]),
    ],
)  # fmt: skip
def test_what_stands_in_the_way(it: Board, low: int, high: int, said: Any) -> None:
    it.route(10, low, high)
    assert rules(it.pin(10).reasons) == said


def test_it_says_what_no_apic_answers_and_who_refuses(it: Board) -> None:
    it.route(10, LOGICAL | 0x41, 0x4000_0000)
    told = {each.rule: each.text for each in it.pin(10).reasons}
    assert told["destination"] == "no APIC answers logical id 0x40"
    it.vm.vcpus[1].apic.svr = 0xFF
    it.route(10, 0x41, 0x0100_0000)
    told = {each.rule: each.text for each in it.pin(10).reasons}
    assert told["svr"] == "vCPU 1 refuses it: bit 8 of the SVR is 0"


def test_those_who_refuse_are_one_reason(it: Board) -> None:
    for vcpu in it.vm.vcpus[1:]:
        vcpu.apic.svr = 0xFF
    it.route(10, 0x41, 0xFF00_0000)
    reasons = it.pin(10).reasons
    assert rules(reasons) == ["line", "svr"]
    assert reasons[1].text == "vCPU 1, vCPU 2 refuse it: bit 8 of the SVR is 0"


def test_an_edge_that_is_up_sends_no_more(it: Board) -> None:
    it.route(10, 0x41)
    it.move(10, True)
    assert rules(it.pin(10).reasons) == ["edge"]


def test_how_often_a_pin_rose(it: Board) -> None:
    it.move(10, True, True, False, False, True, False)
    it.move(9, True, False)
    assert ioapic.rises(it.machine.log.since(0)) == {10: 2, 9: 1}
    assert "rose twice" in it.tell(10)


def test_who_holds_a_pin(it: Board) -> None:
    it.out(0x3F9, 0x02)  # IER: the transmitter is empty
    it.out(0x2F9, 0x02)
    assert it.pin(4).holders == ("com1",)
    assert it.pin(3).holders == ("com2",)
    it.move(4, True)
    assert (it.pin(4).asserted, it.pin(4).holders) == (2, ("com1",))
    assert "held by 2: com1, others" in it.tell(4)
    it.out(0x3F9, 0)
    assert (it.pin(4).asserted, it.pin(4).holders) == (1, ())


def test_a_function_on_pci_holds_the_line_that_its_pin_is_led_to(it: Board) -> None:
    rng = next(each for each in it.vm.devices if each.name == "virtio-rng")
    rng.state.intx = True
    fabric.signal(it.vm, (IntxChanged(4, 1, asserted=True),), -1)
    held = [(pin, it.pin(pin).holders) for pin in range(24) if it.pin(pin).holders]
    assert len(held) == 1
    ((number, names),) = held
    assert it.pin(number).asserted == 1
    assert names[0].startswith("virtio-rng by PIRQ")


def test_every_holder_is_counted_by_its_line(it: Board) -> None:
    """What devices say that they hold is what the lines have counted of them."""
    it.out(0x70, 0x0B)
    it.out(0x71, 0x42)  # RTC: periodic interrupts
    it.out(0x3F9, 0x02)
    it.mmio(HPET + 0x010, 1)
    it.mmio(HPET + 0x100, 20 << 9 | 1 << 1 | 1 << 2)  # level, to input 20
    it.mmio(HPET + 0x108, 50, 8)
    clock.pass_time(it.vm, 2_000_000)
    view = ioapic.of(it.machine)
    assert view is not None
    named = {pin.pin: pin.holders for pin in view.pins if pin.holders}
    assert named[8] == ("rtc",)
    assert named[20] == ("hpet",)
    assert {n: len(names) for n, names in named.items() if n} == {
        pin.pin: pin.asserted for pin in view.pins if pin.asserted and pin.pin
    }


def test_with_legacy_replacement_the_rtc_holds_nothing(it: Board) -> None:
    it.out(0x70, 0x0B)
    it.out(0x71, 0x42)
    it.mmio(HPET + 0x010, 3)  # ENABLE_CNF, LEG_RT_CNF
    clock.pass_time(it.vm, 2_000_000)
    assert it.pin(8).asserted == 0
    assert it.pin(8).holders == ()
    assert it.timer("rtc periodic").to.text == "nowhere: the HPET has its line"


def test_240_pins(it: Board) -> None:
    it.vm.ioapic = IoapicState(0x20, tuple(PinState(0x1_0000) for _ in range(240)))
    view = ioapic.of(it.machine)
    assert view is not None
    assert len(view.pins) == 240
    assert "239" in ioapic.text(view)


# The 8259s.


def initialise(it: Board, icw4: int = 1) -> None:
    it.out(0x20, 0x11)
    it.out(0x21, 0x30, 0x04, icw4, 0)
    it.out(0xA0, 0x11)
    it.out(0xA1, 0x38, 0x02, icw4, 0)


def test_the_lines_of_the_8259s(it: Board) -> None:
    initialise(it)
    it.line(5, True)
    it.line(12, True)
    master, slave = pic.of(it.machine)
    assert (master.base, slave.base) == (0x30, 0x38)
    assert (master.irr, slave.irr) == (1 << 5 | 1 << 2, 1 << 4)
    assert (master.asks, master.gives) == (True, 0x3C)  # IRQ 12, by input 2
    five = master.lines[5]
    assert (five.irq, five.vector, five.requested) == (5, 0x35, True)
    assert rules(five.reasons) == ["pic-priority"]
    assert rules(slave.lines[4].reasons) == []
    assert rules(slave.lines[5].reasons) == ["line"]
    it.out(0x21, 1 << 2 | 1 << 3)
    master, slave = pic.of(it.machine)
    assert rules(slave.lines[4].reasons) == ["cascade-mask"]
    assert rules(master.lines[3].reasons) == ["pic-mask", "line"]
    assert master.gives == 0x35


def test_a_request_that_has_gone_is_spurious(it: Board) -> None:
    assert it.vm.pic is not None
    it.vm.pic.keeps_edges = False
    initialise(it)
    it.line(5, True)
    it.line(5, False)
    master, _ = pic.of(it.machine)
    assert (master.spurious, master.gives) == (True, 0x37)


def test_modes_of_an_8259(it: Board) -> None:
    initialise(it, 0x13)  # SFNM, AEOI
    it.out(0x20, 0xC3)  # the lowest is 3
    it.out(0x20, 0x68)  # special mask
    it.out(0x4D0, 0x20)
    master, _ = pic.of(it.machine)
    assert (master.auto_eoi, master.nested, master.special_mask) == (True,) * 3
    assert (master.lowest, master.elcr) == (3, 0x20)
    assert [line.irq for line in master.lines if line.level] == [5]
    it.out(0x20, 0x11)
    it.out(0x21, 0x30)
    master, _ = pic.of(it.machine)
    assert (master.ready, master.awaits) == (False, (3, 4))
    assert rules(master.lines[0].reasons)[0] == "not-ready"


def test_to_whom_intr_goes(it: Board) -> None:
    """LINT0 of the BSP is ExtINT after reset on this board."""
    it.vm.vcpus[1].apic.lvt_lint0 = 0x700
    it.vm.vcpus[2].apic.lvt_lint0 = 0x400
    it.vm.vcpus[0].apic.lvt_lint0 = 0x1_0700
    master, slave = pic.of(it.machine)
    assert master.reaches == (1,)
    assert [(each.about, each.rule) for each in master.reasons] == [
        ("vcpu 0", "lint0"), ("vcpu 2", "lint0")
    ]  # fmt: skip
    assert slave.reaches == ()


# Timers.


def test_the_8254_counts_and_says_when(it: Board) -> None:
    """Mode 2 of 1193 from the tick after 0: its edge is 1193 ticks later."""
    it.out(0x43, 0x34)
    it.out(0x40, 0xA9, 0x04)
    row = it.timer("pit channel 0")
    start = it.machine.now * 1_193_182 // SECOND + 1
    assert row.next == -(-(start + 0x4A9) * SECOND // 1_193_182)
    assert (row.reload, row.mode, row.waits) == (0x4A9, "2 rate generator", None)
    clock.pass_time(it.vm, row.next)
    assert it.timer("pit channel 0").next == -(
        -(start + 2 * 0x4A9) * SECOND // 1_193_182
    )


def test_channel_2_waits_for_its_gate(it: Board) -> None:
    it.out(0x43, 0xB6)
    it.out(0x42, 0x00, 0x10)
    row = it.timer("pit channel 2")
    assert row.waits is not None
    assert row.waits.code == "gate"
    it.out(0x61, 1)
    row = it.timer("pit channel 2")
    assert (row.waits, row.mode, row.reload) == (None, "3 square wave", 0x1000)
    clock.pass_time(it.vm, SECOND)
    row = it.timer("pit channel 2")
    assert row.next is not None
    assert SECOND < row.next <= SECOND + 0x1000 * SECOND // 1_193_182 + 1


def test_the_rtc(it: Board) -> None:
    """Rate 6 of register A is 1024 Hz; the alarm is in BCD, 0xC0 and up is any."""
    row = it.timer("rtc periodic")
    assert (row.mode, row.next) == ("1024 Hz", 976_563)
    assert row.waits is not None
    assert row.waits.code == "off"
    for cell, value in ((1, 0x30), (3, 0xC0), (5, 0xFF), (0xB, 0x22)):
        it.out(0x70, cell)
        it.out(0x71, value)
    row = it.timer("rtc alarm")
    assert (row.mode, row.next, row.waits) == ("at **:**:30", 30 * SECOND, None)
    clock.pass_time(it.vm, 30 * SECOND)
    row = it.timer("rtc alarm")
    assert row.waits is not None
    assert (row.waits.code, row.next) == ("flag", 90 * SECOND)
    assert it.timer("rtc update").next == 31 * SECOND


def test_the_hpet(it: Board) -> None:
    """A tick is 10 ns; timer 1 by the legacy route is line 8."""
    assert it.timer("hpet counter").mode == "halted"
    it.mmio(HPET + 0x010, 3)
    it.mmio(HPET + 0x120, 1 << 2 | 1 << 3 | 1 << 6)
    it.mmio(HPET + 0x128, 5000, 8)
    row = it.timer("hpet timer 1")
    assert (row.mode, row.next, row.to.isa) == (
        "periodic, 64 bits, edge", it.machine.now + 50_000, 8
    )  # fmt: skip
    clock.pass_time(it.vm, it.machine.now + 60_000)
    row = it.timer("hpet timer 1")
    assert (row.left, it.timer("hpet counter").count) == (40_000, 6000)
    assert it.timer("hpet timer 0").waits is not None


def test_power_management_and_the_apics(it: Board) -> None:
    row = it.timer("acpi pm timer")
    assert row.next == -(-(1 << 23) * SECOND // 3_579_545)
    assert row.waits is not None
    assert it.timer("lapic 1").waits is not None
    it.mmio(0xFEE0_0320, 0x2_0031)
    it.mmio(0xFEE0_03E0, 0xB)  # by 1
    it.mmio(0xFEE0_0380, 1000)
    row = it.timer("lapic 0")
    assert (row.mode, row.reload, row.to.text) == (
        "periodic /1", 1000, "vector 0x31 of vCPU 0"
    )  # fmt: skip
    assert row.count == 1000
    it.mmio(0xFEE0_0320, 0x3_0031)
    row = it.timer("lapic 0")
    assert row.waits is not None
    assert row.waits.code == "masked"


def test_a_tsc_deadline(it: Board) -> None:
    """LVT TIMER 18:17 = 10b; IA32_TSC_DEADLINE is MSR 0x6E0; the TSC is at 1 GHz."""
    apic = it.vm.vcpus[2].apic
    apic.lvt_timer, apic.tsc_deadline, apic.timer_deadline = 0x4_0055, 7000, 7000
    row = it.timer("lapic 2")
    assert "deadline" in row.mode.lower()
    assert (row.count, row.reload, row.next, row.waits) == (None, 7000, 7000, None)
    assert row.to.text == "vector 0x55 of vCPU 2"


# Messages.


def test_msi_x_of_a_virtio_device(it: Board) -> None:
    device = next(each for each in it.vm.devices if each.name == "virtio-rng")
    state = device.state
    row = it.message("virtio-rng vector 1")
    assert (row.place, row.kind, row.destination) == ("00:04.0", "msi-x", None)
    assert rules(row.reasons) == ["msi-off", "not-master", "vector-mask", "not-message"]
    entry = bytes.fromhex("0010e0fe 00000000 41000000 00000000")
    state.table = state.table[:16] + entry
    state.config = state.config[:0x9A] + b"\x01\xc0" + state.config[0x9C:]
    state.config = state.config[:4] + b"\x06" + state.config[5:]
    state.queues = (replace(state.queues[0], vector=1),)
    state.pending = 2
    row = it.message("virtio-rng vector 1")
    assert (row.address, row.data, row.vector, row.mode) == (
        0xFEE0_1000, 0x41, 0x41, "fixed"
    )  # fmt: skip
    assert (row.destination, row.reaches, row.users) == (
        "APIC id 0x1", (1,), ("queue 0",)
    )  # fmt: skip
    assert (row.masked, row.pending, rules(row.reasons)) == (
        True, True, ["function-mask"]
    )  # fmt: skip
    state.config = state.config[:0x9A] + b"\x01\x80" + state.config[0x9C:]
    assert rules(it.message("virtio-rng vector 1").reasons) == []


def test_a_message_of_the_hpet(it: Board) -> None:
    assert not [each for each in messages.of(it.machine) if each.kind == "hpet"]
    it.mmio(HPET + 0x110, 0x62)
    it.mmio(HPET + 0x114, 0xFEE0_2000)
    it.mmio(HPET + 0x100, 1 << 14 | 1 << 2)
    row = it.message("hpet timer 0")
    assert (row.vector, row.reaches, rules(row.reasons)) == (0x62, (2,), [])


@dataclass(slots=True)
class CardState:
    """A function of a plug-in."""

    config: bytes = b""


def card(name: str, config: bytes, **more: Any) -> Device:
    function = HeaderFunction(CARD)
    return Device(
        name, CardState(config), PciAccess(), function=Function(9, 0, function), **more
    )


MSI_BODY = bytes.fromhex("8001 0c00e0fe 00000000 5200 0000 02000000 01000000")
"""64-bit address 0xFEE0000C, data 0x52, mask bit 1, pending bit 0; control 0x0180."""
CARD = make(
    0x1234, 0x5678, class_code=0x02_0000, pin=1, command=0x6,
    capabilities=(Capability(0x40, 0x01, bytes(6)), Capability(0x50, 0x05, MSI_BODY)),
)  # fmt: skip


def test_msi_of_a_plug_in(it: Board) -> None:
    """Two messages (MME 1) to everybody logical, one masked, one pending."""
    config = bytearray(CARD.reset)
    config[0x52] = 0x91  # on, 64 bits, MME 1
    config[0x54] = 0x0C
    it.vm.devices.append(card("net", bytes(config)))
    rows = [row for row in messages.of(it.machine) if row.place == "00:09.0"]
    assert [(row.vector, row.masked, row.pending) for row in rows] == [
        (0x52, False, True), (0x53, True, False)
    ]  # fmt: skip
    assert rules(rows[1].reasons)[0] == "vector-mask"
    assert {row.destination for row in rows} == {"logical id 0x0"}


def test_capabilities_in_a_circle_end(it: Board) -> None:
    config = bytearray(CARD.reset)
    config[0x51] = 0x40  # the last one names the first
    it.vm.devices.append(card("circle", bytes(config)))
    assert 0 < len(messages.of(it.machine)) < 200


@pytest.mark.parametrize("config", [b"", b"\xff" * 256, bytes(range(256)), None])
def test_odd_configuration_spaces(it: Board, config: Any) -> None:
    it.vm.devices.append(card("odd", config))
    assert messages.text(messages.of(it.machine))


def test_a_plug_in_that_raises_holds_nothing(it: Board) -> None:
    def holds(_state: Any) -> Any:
        raise ValueError("no")

    told: list[object] = []
    guard = Guard(Plugin("odd", builtin=False, origin="file"), told.append)
    it.vm.devices.append(guarded(guard, card("[red]odd", CARD.reset, holds=holds)))
    odd: list[Any] = [[7], [GsiChanged([], asserted=True)], None]  # type: ignore[arg-type]
    for number, what in enumerate(odd):
        held = card(f"line {number}", CARD.reset, holds=lambda _, what=what: what)
        it.vm.devices.append(guarded(guard, held))
    view = devices.of(it.machine)
    assert view.ioapic is not None
    assert not any(pin.holders for pin in view.ioapic.pins)


def test_a_plug_in_says_what_it_holds(it: Board) -> None:
    guard = Guard(Plugin("fine", builtin=False, origin="file"), print)
    wires = LineChanged(5, asserted=True), GsiChanged(20, asserted=True)
    it.vm.devices.append(
        guarded(guard, card("sand", CARD.reset, holds=lambda _: wires))
    )
    view = devices.of(it.machine)
    assert view.ioapic is not None
    assert {p.pin: p.holders for p in view.ioapic.pins if p.holders} == {
        5: ("sand",), 20: ("sand",)
    }  # fmt: skip
    assert view.pics[0].lines[5].holders == ("sand",)


# All together.


def test_a_snapshot_has_them_when_they_are_wanted(it: Board) -> None:
    assert snapshot.take(it.session).devices is None
    found = snapshot.take(it.session, Wanted(devices=True)).devices
    assert found is not None
    assert found.ioapic is not None
    assert (len(found.pics), len(found.ioapic.pins)) == (2, 24)
    assert found == devices.of(it.machine)


def test_looking_changes_nothing(it: Board) -> None:
    it.do("run 20000")
    before = capture.take(it.machine)
    seen = len(it.machine.log.since(0))
    devices.of(it.machine)
    for line in ("ioapic", "ioapic 4", "pic", "pic 4", "timers", "msi list"):
        it.do(line)
    assert capture.take(it.machine) == before
    assert len(it.machine.log.since(0)) == seen


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ioapic 24", "ioapic: pin 24: it has 0 to 23"),
        ("pic 16", "pic: line 16: ISA lines are 0 to 15"),
    ],
)
def test_what_is_not_there_is_named(it: Board, line: str, said: str) -> None:
    outcome = it.session.execute(line)
    assert not outcome.ok
    assert said in outcome.text


def test_a_bare_machine_says_what_it_has() -> None:
    session = open_session(SessionOptions("ap-bringup"), discover().extensions)
    found = devices.of(session.machine)
    assert found.messages == ()
    assert "nothing here sends messages" in session.execute("msi list").text
    names = [row.name for row in found.timers]
    assert "acpi pm timer" in names
    assert not [name for name in names if name.startswith(("hpet", "rtc"))]
    session.close()
