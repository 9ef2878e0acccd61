"""How INIT and SIPI start a vCPU: one record for each value of switch boot_ipi.

What differs between them is here and nowhere else; whoever asks does not compare names.
The sentences about them are in `why.boot`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.vmm.startup import init_sipi, spinup_ap, startup_cpus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lapis_engine.apic.icr import Ipi
    from lapis_engine.cause import Cause
    from lapis_engine.profiles.switches import Profile
    from lapis_engine.vmm.entry import Context
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

    Targets = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BootProtocol:
    """What becomes of INIT and SIPI."""

    carry: Callable[[Vm, Ipi, Targets, str, Context], None]
    """Let one take effect at its targets; those that are there twice, twice."""
    refusal: Callable[[Vm, Ipi], Cause | None]
    """Why the kernel does not do an ICR write of the guest's, of whatever mode."""
    targets: Callable[[Vm, Ipi, Targets], Targets]
    """Whom one reaches, given what the ICR names among the active vCPUs."""
    lost: Callable[[Profile, Vcpu], Cause | None]
    """What happened to one that names this vCPU and has reached nobody, beside being
    dropped."""
    by_id_alone: Callable[[Profile], bool]
    """The id in ICRHI counts and the shorthand does not."""
    takes_logical: bool = True
    """With the id alone: a logical destination counts as an id too."""
    takes_init_again: bool = True
    """A vCPU that runs takes INIT."""
    has_set: bool = False
    """SIPI counts for whom `Vm.startup_cpus` holds, and active APs begin held by
    `vm_suspend_cpu`."""


def _nobody(_vm: Vm, _ipi: Ipi) -> None:
    return None


def _named(_vm: Vm, _ipi: Ipi, found: Targets) -> Targets:
    return found


def _dropped(_profile: Profile, _vcpu: Vcpu) -> None:
    return None


PROTOCOLS: Final[Mapping[str, BootProtocol]] = {
    "run-state": BootProtocol(
        init_sipi.carry, _nobody, _named, _dropped, by_id_alone=lambda _: False
    ),
    "spinup-ap": BootProtocol(
        spinup_ap.carry, spinup_ap.refusal, spinup_ap.targets, _dropped,
        by_id_alone=lambda _: True, takes_init_again=False,
    ),
    "startup-cpus": BootProtocol(
        startup_cpus.carry, _nobody, startup_cpus.targets, startup_cpus.lost,
        by_id_alone=startup_cpus.by_id_alone, takes_logical=False, has_set=True,
    ),
}  # fmt: skip
"""By value of boot_ipi."""


def of(profile: Profile) -> BootProtocol:
    """Return the protocol of a profile."""
    return PROTOCOLS[profile.boot_ipi]
