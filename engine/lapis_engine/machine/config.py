"""What a machine is made of, beside its image and its devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.model.catalog import cpu_named
from lapis_engine.errors import ConfigError
from lapis_engine.profiles.catalog import SDM
from lapis_engine.units import MIB, PAGE, SECTOR
from lapis_engine.vmm.costs import FREE

if TYPE_CHECKING:
    from lapis_engine.profiles.switches import Profile
    from lapis_engine.vmm.costs import Costs

QUANTUM: Final = 10_000
"""Instructions of a turn, unless one is said: to begin one costs the host what
thousands of them do."""
MIN_TSC_HZ: Final = 1_000_000
MAX_TSC_HZ: Final = 10_000_000_000
MIN_MEMORY: Final = 1 * MIB
MAX_MEMORY: Final = 64 << 30
"""What lies beyond 3 GiB is at 4 GiB (`lapis_engine.ram`)."""
MAX_FLASH: Final = 16 * MIB
MAX_SEED: Final = (1 << 63) - 1
ON_RESET: Final = ("stop", "reboot")


@dataclass(frozen=True, slots=True)
class MachineConfig:
    """What a machine is made of, beside its image and its devices."""

    cpus: int = 2
    memory: int = 64 * MIB
    """RAM in bytes, whole MiB."""
    profile: Profile = SDM
    quantum: int = QUANTUM
    """Instructions of a vCPU before round-robin moves on."""
    float_ports: bool = False
    """Unclaimed ports read all ones instead of asking the user."""
    float_mmio: bool = False
    """So do addresses with neither memory nor a device."""
    machine: str = "bare"
    """Name of the platform, whose devices it has."""
    virtual_wire: bool = False
    """LINT0 of the BSP leads the 8259's INTR in from the start (`machine.machine`)."""
    flash: int = 0
    """Bytes below 4 GiB that hold firmware in flash; 0 without firmware."""
    disk: bytes | None = None
    """What is on the disk at first; None without one."""
    seed: int = 0
    """What the guest's source of random numbers begins with."""
    tsc_hz: int = 1_000_000_000
    """TSC ticks in a second of virtual time; an instruction takes 1 ns."""
    costs: Costs = FREE
    """What accesses take beside their instruction (`vmm.costs`)."""
    on_reset: str = "stop"
    """stop or reboot: what a reset or a triple fault does to the machine."""

    cpu: str = "lapis"
    """Model of the processor (`cpu.model.catalog`)."""
    hypervisor: str = "none"
    """What CPUID says of one: none, kvm or timing."""
    strict: bool = False
    """Check what costs too much to be always checked (`cpu.strict`)."""
    usual: bool = False
    """Check of that what is seldom met, and costs nothing."""

    def check(self) -> None:
        """Raise `ConfigError` naming the first value that cannot be."""
        if not 1 <= self.cpus <= self.profile.max_vcpus:
            raise ConfigError(
                f"{self.cpus} vCPUs: profile {self.profile.name} takes 1 to "
                f"{self.profile.max_vcpus}"
            )
        if not MIN_MEMORY <= self.memory <= MAX_MEMORY or self.memory % MIB:
            raise ConfigError(
                f"memory of {self.memory} bytes: it must be whole MiB from "
                f"{MIN_MEMORY // MIB} to {MAX_MEMORY // MIB}"
            )
        if not 0 <= self.flash <= MAX_FLASH or self.flash % PAGE:
            raise ConfigError(
                f"flash of {self.flash} bytes: whole pages of 4 KiB up to 16 MiB"
            )
        if self.disk is not None and (not self.disk or len(self.disk) % SECTOR):
            raise ConfigError(
                f"a disk of {len(self.disk)} bytes: a multiple of {SECTOR} is expected"
            )
        if not 0 <= self.seed <= MAX_SEED:
            raise ConfigError(f"seed {self.seed}: 0 to {MAX_SEED}")
        if self.quantum < 1:
            raise ConfigError(f"quantum {self.quantum}: at least 1 instruction")
        if self.on_reset not in ON_RESET:
            raise ConfigError(
                f"on reset {self.on_reset!r}: {' or '.join(ON_RESET)} is expected"
            )
        if not MIN_TSC_HZ <= self.tsc_hz <= MAX_TSC_HZ:
            raise ConfigError(
                f"TSC frequency {self.tsc_hz}: {MIN_TSC_HZ} to {MAX_TSC_HZ} Hz"
            )
        self.costs.check()
        cpu_named(self.cpu, self.hypervisor)
