"""The lints that come with the engine, and the rules of each."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from lapis_engine.events import (
    ApicImported,
    ExceptionRaised,
    Exited,
    ExtIntDelivered,
    Halted,
    IoapicEnded,
    IpiSent,
    LvtFired,
    MessageSent,
    MsrAccessed,
    NmiDelivered,
    Oddity,
    PinChanged,
    RunStateChanged,
    SipiReceived,
    TimerArmed,
    TimerFired,
    VectorAccepted,
    VectorDelivered,
    VectorEnded,
)
from lapis_engine.lints import boot, icr, lines, processor, service, timer, traffic
from lapis_engine.lints.lint import Lint
from lapis_engine.lints.pages import PAGES
from lapis_engine.vmm.written import Written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.lints.lint import Rule, Severity


def _first(
    severity: Severity,
    name: str,
    text: str,
    rules: Mapping[type, Rule],
    *,
    can_wait: bool = False,
) -> Lint:
    """One of those that remember in `LintState` itself."""
    return Lint(
        name, text, MappingProxyType(rules), shared=True, can_wait=can_wait,
        severity=severity, page=PAGES[name],
    )  # fmt: skip


def _ours(
    severity: Severity,
    name: str,
    text: str,
    rules: Mapping[type, Rule],
    *,
    can_wait: bool = False,
) -> Lint:
    """One like those of plug-ins."""
    return Lint(
        name, text, MappingProxyType(rules), can_wait=can_wait,
        severity=severity, page=PAGES[name],
    )  # fmt: skip


_ALL: Final = (
    _first(
        "warning", "eoi-empty-isr", "EOI with no vector in service",
        {Oddity: traffic.eoi},
        can_wait=True,
    ),
    _first(
        "note", "sipi-ignored",
        "SIPI to a processor that runs (as the second one of INIT-SIPI-SIPI), or had "
        "no INIT before",
        {Oddity: boot.sipi_oddity, IpiSent: boot.sent, SipiReceived: boot.sipi},
        can_wait=True,
    ),
    _first(
        "warning", "icr-reserved-bits", "ICR write with reserved bits set",
        {Oddity: traffic.reserved, MsrAccessed: traffic.reserved_msr},
        can_wait=True,
    ),
    _first(
        "warning", "ipi-absent", "IPI to a destination that no APIC has",
        {IpiSent: traffic.absent},
    ),
    _first(
        "error", "level-no-eoi",
        "level interrupt left without EOI: the processor halts with it in service, or "
        "serves it for 10 ms of virtual time",
        {VectorDelivered: traffic.delivered, Halted: traffic.halted},
    ),
    _first(
        "error", "empty-trampoline", "AP started where its page of code is all zero",
        {RunStateChanged: boot.started},
    ),
    _first(
        "warning", "bsp-spins",
        "BSP stays within 256 bytes of code for 16 ms of virtual time while an AP "
        "waits for SIPI",
        {IpiSent: boot.watched},
    ),
    _first(
        "error", "isrvec",
        "ISR that is not the stack of what was delivered and ended "
        "(with `set isrvec on`)",
        {
            VectorDelivered: traffic.checked,
            VectorEnded: traffic.checked,
            ApicImported: traffic.isrvec,
        },
        can_wait=True,
    ),
    _ours(
        "warning", "init-level-clear",
        "INIT with the level bit of the ICR clear, which Hyper-V and bhyve ignore",
        {IpiSent: icr.init_level_clear},
    ),
    _ours(
        "note", "sipi-level-clear", "SIPI with the level bit of the ICR clear",
        {IpiSent: icr.sipi_level_clear},
    ),
    _ours(
        "error", "trampoline-changed",
        "code of an AP's first page changed between its SIPI and its start",
        {IpiSent: boot.sipi_sent, RunStateChanged: boot.sipi_taken},
    ),
    _ours(
        "error", "runs-zeros", "a processor that starts in zeros, or faults in them",
        {
            RunStateChanged: boot.zeros_at_start,
            ExceptionRaised: processor.zeros_at_fault,
            Exited: processor.zeros_at_exit,
        },
    ),
    _ours(
        "warning", "icr-busy",
        "ICR written while the IPI before it may not be sent yet (xAPIC mode)",
        {IpiSent: icr.busy},
    ),
    _ours(
        "note", "self-by-id", "fixed IPI to its own sender by APIC id",
        {IpiSent: icr.self_by_id},
    ),
    _ours(
        "warning", "logical-id-shared",
        "logical destination while two APICs share a bit of their logical ids",
        {IpiSent: icr.logical_of_ipi, MessageSent: icr.logical_of_message},
    ),
    _ours(
        "error", "x2apic-msr", "x2APIC register by MSR in another mode of the APIC",
        {MsrAccessed: processor.x2apic_msr},
        can_wait=True,
    ),
    _ours(
        "error", "low-vector", "interrupt sent with a vector below 16",
        {
            IpiSent: lines.low_ipi,
            MessageSent: lines.low_message,
            TimerFired: lines.low_timer,
            LvtFired: lines.low_lvt,
        },
    ),
    _ours(
        "warning", "shared-vector", "one vector from two sources to one processor",
        {
            IpiSent: lines.shared_ipi,
            MessageSent: lines.shared_message,
            TimerFired: lines.shared_timer,
        },
    ),
    _ours(
        "warning", "cli-hlt", "HLT with IF clear though an interrupt is to wake it",
        {
            ExtIntDelivered: service.by_pic,
            Halted: service.deaf_halt,
            VectorAccepted: service.deaf_sleeper,
            PinChanged: service.deaf_to_pic,
        },
    ),
    _ours(
        "error", "edge-no-eoi",
        "edge left without EOI: the processor halts with it in service, or another "
        "waits behind it when its handler is over, or after 10 ms",
        {
            VectorDelivered: service.served,
            VectorAccepted: service.waits,
            Halted: service.halted,
        },
    ),
    _ours(
        "warning", "eoi-early", "EOI of a level while its device still holds the pin",
        {
            MessageSent: lines.level_sent,
            PinChanged: lines.level_moved,
            IoapicEnded: lines.ended_early,
        },
    ),
    _ours(
        "warning", "edge-lost", "edge on a masked IOAPIC pin, which is unmasked later",
        {
            PinChanged: lines.edge_moved,
            Halted: lines.edge_awaited,
            Exited: lines.edge_awaited,
            Written: lines.edge_unmasked,
        },
    ),
    _ours(
        "warning", "timer-dropped",
        "count or deadline of the APIC timer that a change of its mode drops",
        {
            TimerArmed: timer.armed,
            TimerFired: timer.fired,
            MsrAccessed: timer.deadline,
            Written: timer.ignored,
        },
        can_wait=True,
    ),
    _ours(
        "warning", "calibration-interrupted",
        "interrupts taken while the APIC timer is measured",
        {
            TimerArmed: timer.measured,
            VectorDelivered: timer.interrupted,
            ExtIntDelivered: timer.interrupted,
        },
    ),
    _ours(
        "warning", "shared-tss", "two processors with one TSS",
        {
            VectorDelivered: processor.tss_in_use,
            NmiDelivered: processor.tss_in_use,
            Halted: processor.tss_in_use,
        },
    ),
    _ours(
        "error", "ist-reuse", "NMI on the IST stack that it switches to",
        {NmiDelivered: processor.nested_nmi},
    ),
)  # fmt: skip
LINTS: Final[Mapping[str, Lint]] = MappingProxyType({lint.name: lint for lint in _ALL})
"""In the order in which they are listed. 1 ms is a million instructions of the whole
machine; the SDM has the BSP wait 10 ms between INIT and SIPI (Vol. 3A "MP
Initialization Example"), which is no finding."""
