"""The lints that come with the engine, and the rules of each."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from lapis_engine.events import (
    ApicImported,
    Halted,
    IpiSent,
    MsrAccessed,
    Oddity,
    RunStateChanged,
    SipiReceived,
    VectorDelivered,
    VectorEnded,
)
from lapis_engine.lints import boot, traffic
from lapis_engine.lints.lint import Lint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.lints.lint import Rule


def _ours(
    name: str, text: str, rules: Mapping[type, Rule], *, can_wait: bool = False
) -> Lint:
    return Lint(name, text, MappingProxyType(rules), shared=True, can_wait=can_wait)


_ALL: Final = (
    _ours(
        "eoi-empty-isr", "EOI with no vector in service",
        {Oddity: traffic.eoi},
        can_wait=True,
    ),
    _ours(
        "sipi-ignored",
        "SIPI to a processor that runs (as the second one of INIT-SIPI-SIPI), or had "
        "no INIT before",
        {Oddity: boot.sipi_oddity, IpiSent: boot.sent, SipiReceived: boot.sipi},
        can_wait=True,
    ),
    _ours(
        "icr-reserved-bits", "ICR write with reserved bits set",
        {Oddity: traffic.reserved, MsrAccessed: traffic.reserved_msr},
        can_wait=True,
    ),
    _ours(
        "ipi-absent", "IPI to a destination that no APIC has",
        {IpiSent: traffic.absent},
    ),
    _ours(
        "level-no-eoi",
        "level interrupt left without EOI: the processor halts with it in service, or "
        "serves it for 10 ms of virtual time",
        {VectorDelivered: traffic.delivered, Halted: traffic.halted},
    ),
    _ours(
        "empty-trampoline", "AP started where its page of code is all zero",
        {RunStateChanged: boot.started},
    ),
    _ours(
        "bsp-spins",
        "BSP stays within 256 bytes of code for 16 ms of virtual time while an AP "
        "waits for SIPI",
        {IpiSent: boot.watched},
    ),
    _ours(
        "isrvec",
        "ISR that is not the stack of what was delivered and ended "
        "(with `set isrvec on`)",
        {
            VectorDelivered: traffic.checked,
            VectorEnded: traffic.checked,
            ApicImported: traffic.isrvec,
        },
        can_wait=True,
    ),
)  # fmt: skip
LINTS: Final[Mapping[str, Lint]] = MappingProxyType({lint.name: lint for lint in _ALL})
"""In the order in which they are listed. 1 ms is a million instructions of the whole
machine; the SDM has the BSP wait 10 ms between INIT and SIPI (Vol. 3A "MP
Initialization Example"), which is no finding."""
