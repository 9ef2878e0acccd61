"""Machines for tests: our own assembly, flat at 0x10000, with the PC's devices."""

from pathlib import Path

from lapis_engine.boot import flat
from lapis_engine.devices import (
    fw_cfg,
    ioapic,
    isa_debug_exit,
    pic,
    pit,
    pmtimer,
    uart,
)
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_engine.profiles.catalog import profile_named
from lapis_engine.vmm.costs import FREE, Costs

ROOT = Path(__file__).parents[2]
GUESTS = ROOT / "tests" / "guests"
AP_BRINGUP = ROOT / "sessions" / "lapis_sessions" / "guests" / "ap-bringup.bin"
BASE = 0x1_0000
MEMORY = 16 << 20


def machine(
    code: bytes,
    cpus: int = 1,
    *,
    profile: str = "sdm",
    quantum: int = 1000,
    cpu: str = "lapis",
    strict: bool = False,
    costs: Costs = FREE,
    tsc_hz: int = 1_000_000_000,
) -> Machine:
    """A machine that starts `code` in real mode at 1000:0000."""
    config = MachineConfig(
        cpus=cpus,
        memory=MEMORY,
        profile=profile_named(profile),
        quantum=quantum,
        cpu=cpu,
        strict=strict,
        costs=costs,
        tsc_hz=tsc_hz,
    )
    devices = [
        fw_cfg.device(MEMORY, cpus),
        uart.device(),
        isa_debug_exit.device(),
        pit.device(pulses=config.profile.pic_keeps_edges),
        pic.device(
            modes_checked=config.profile.pic_modes_checked,
            keeps_edges=config.profile.pic_keeps_edges,
        ),
        ioapic.device(config.profile),
        pmtimer.device(),
    ]
    return Machine(config, flat.load(code, memory_bytes=MEMORY), devices)


def guest(name: str, cpus: int = 1, *, profile: str = "sdm") -> Machine:
    """A machine with one of the guests of `tests/guests`."""
    return machine((GUESTS / f"{name}.bin").read_bytes(), cpus, profile=profile)


def ap_bringup(cpus: int, *, profile: str = "sdm", quantum: int = 1000) -> Machine:
    """A machine with the embedded guest."""
    return machine(AP_BRINGUP.read_bytes(), cpus, profile=profile, quantum=quantum)


def fingerprint(m: Machine) -> tuple[object, ...]:
    """All that a repetition must reproduce: registers, APICs, RAM, events, time."""
    registers = tuple(
        (
            tuple(v.regs.gpr),
            v.regs.rip,
            v.regs.rflags,
            tuple(v.regs.segment(i) for i in range(6)),
            v.regs.cr0,
            v.regs.cr3,
            v.regs.cr4,
            v.regs.efer,
            v.run_state,
            v.retired,
            v.halted,
            repr(v.apic),
        )
        for v in m.vcpus
    )
    ram = m.read_physical(0, 0x20_0000)
    return registers, ram, tuple(m.log.last(100_000)), m.now, dict(m.consoles)
