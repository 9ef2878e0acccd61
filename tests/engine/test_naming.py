"""Registers by the name that their manual gives them, and who answers where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rigs.asking import asking

from lapis_engine.vmm.naming import name

if TYPE_CHECKING:
    from lapis_sessions.session import Session

PC = [
    # SDM Vol. 3A "Local APIC Register Address Map"
    ("mmio", 0xFEE000F0, "w", "local APIC", "SVR"),
    ("mmio", 0xFEE00300, "w", "local APIC", "ICR"),
    ("mmio", 0xFEE00310, "w", "local APIC", "ICR HIGH"),
    ("mmio", 0xFEE00130, "r", "local APIC", "ISR3"),
    ("mmio", 0xFEE00350, "r", "local APIC", "LVT LINT0"),
    ("mmio", 0xFEE003A0, "r", "local APIC", None),
    ("msr", 0x830, "w", "local APIC", "ICR"),
    ("msr", 0x80B, "w", "local APIC", "EOI"),
    # 82093AA "Memory Mapped Registers"
    ("mmio", 0xFEC00000, "w", "ioapic", "IOREGSEL"),
    ("mmio", 0xFEC00010, "r", "ioapic", "IOAPICID"),
    # IA-PC HPET 1.0a "Memory Map"
    ("mmio", 0xFED00000, "r", "hpet", "GCAP_ID"),
    ("mmio", 0xFED000F0, "r", "hpet", "MAIN_CNT"),
    ("mmio", 0xFED000F4, "r", "hpet", "MAIN_CNT"),
    ("mmio", 0xFED00128, "w", "hpet", "TIM1_COMP"),
    # 8259A, 8254, MC146818, PC16550D
    ("inout", 0x20, "w", "pic", "master ICW1/OCW"),
    ("inout", 0x20, "r", "pic", "master IRR/ISR"),
    ("inout", 0xA1, "r", "pic", "slave IMR"),
    ("inout", 0x4D1, "w", "pic", "ELCR2"),
    ("inout", 0x40, "r", "pit", "counter 0"),
    ("inout", 0x43, "w", "pit", "control word"),
    ("inout", 0x61, "r", "pit", "NMISC"),
    ("inout", 0x70, "w", "rtc", "CMOS index"),
    ("inout", 0x71, "r", "rtc", "CMOS 00"),
    ("inout", 0x3F8, "r", "com1", "RBR"),
    ("inout", 0x3F8, "w", "com1", "THR"),
    ("inout", 0x3FA, "r", "com1", "IIR"),
    ("inout", 0x3FA, "w", "com1", "FCR"),
    ("inout", 0x2FD, "r", "com2", "LSR"),
    # 8042, port A, POST code, debug console, PCI
    ("inout", 0x60, "r", "i8042", "8042 output buffer"),
    ("inout", 0x64, "w", "i8042", "8042 command"),
    ("inout", 0x92, "r", "i8042", "port A"),
    ("inout", 0x80, "w", "post-code", "POST code"),
    ("inout", 0x402, "w", "debugcon", "debugcon"),
    ("inout", 0xCF8, "w", "pci-host", "CONFADD"),
    ("inout", 0xCFC, "r", "pci-host", "CONFDATA"),
    ("inout", 0xCF9, "w", "piix3", "RC"),
    # PIIX4 with its block at 0x600
    ("inout", 0x600, "r", "piix4-pm", "PMSTS"),
    ("inout", 0x604, "w", "piix4-pm", "PMCNTRL"),
    ("inout", 0x608, "r", "piix4-pm", "PMTMR"),
    ("inout", 0xB2, "w", "piix4-pm", "APMC"),
    ("inout", 0x510, "w", "fw-cfg", "fw_cfg selector"),
    ("inout", 0x3D4, "w", "vga", "CRTC index"),
    ("inout", 0x3C2, "r", "vga", "input status 0"),
    ("inout", 0xF4, "w", "isa-debug-exit", "debug exit"),
    ("inout", 0x2003, "w", "pc-testdev", "line 3"),
    # SDM Vol. 4
    ("msr", 0x1B, "r", "local APIC", "IA32_APIC_BASE"),
    ("msr", 0x10, "r", "processor", "IA32_TIME_STAMP_COUNTER"),
    ("msr", 0x277, "r", "processor", "IA32_PAT"),
    ("msr", 0xC0000080, "r", "processor", "IA32_EFER"),
    ("msr", 0xC0000082, "w", "processor", "IA32_LSTAR"),
    # nobody
    ("mmio", 0xD0000000, "r", None, None),
    ("inout", 0x999, "r", None, None),
    ("msr", 0x12345, "r", None, None),
]  # fmt: skip


@pytest.fixture(scope="module")
def pc() -> Session:
    """A machine of the platform pc that has run nothing."""
    return asking("", machine="pc")


@pytest.mark.parametrize(("kind", "address", "access", "device", "register"), PC)
def test_a_register_has_the_name_of_its_manual(
    pc: Session, kind: str, address: int, access: str, device: str, register: str
) -> None:
    machine = pc.machine
    found = name(machine.vm, machine.vcpu(0), kind, address, read=access == "r")
    assert (found.device, found.register) == (device, register)


def test_an_access_into_the_middle_says_how_far(pc: Session) -> None:
    machine = pc.machine
    found = name(machine.vm, machine.vcpu(0), "mmio", 0xFED0_00F4, read=True)
    assert found.within == 4


def test_names_lie_in_what_a_device_claims_and_are_the_only_ones_there(
    pc: Session,
) -> None:
    count = 0
    for device in pc.machine.vm.devices:
        for each in device.registers:
            ranges = device.ports if each.space == "port" else device.mmio
            ends = [(r.first, r.first + r.size) for r in ranges]
            assert any(low <= each.first < high for low, high in ends), each
            assert each.name, each
            assert each.text, each
            count += 1
        for way in "rw":
            firsts = [
                (each.space, each.first)
                for each in device.registers
                if way in each.access
            ]
            assert len(set(firsts)) == len(firsts), device.name
    assert count > 100


def written(session: Session, *writes: tuple[str, int, int, int]) -> Session:
    """Make accesses as the guest would, past it."""
    machine = session.machine
    for space, address, size, value in writes:
        found = machine.vm.ports if space == "port" else machine.vm.mmio
        device = found.find(address)
        assert device is not None
        device.access.write(device.state, address, size, value, machine.now)
    return session


@pytest.mark.parametrize(
    ("writes", "kind", "address", "register"),
    [
        ([("mmio", 0xFEC00000, 4, 0x14)], "mmio", 0xFEC00010, "IOREDTBL2[31:0]"),
        ([("mmio", 0xFEC00000, 4, 0x15)], "mmio", 0xFEC00010, "IOREDTBL2[63:32]"),
        ([("mmio", 0xFEC00000, 4, 0x01)], "mmio", 0xFEC00010, "IOAPICVER"),
        ([("mmio", 0xFEC00000, 4, 0x05)], "mmio", 0xFEC00010, "IOWIN"),
        ([("port", 0x70, 1, 0x0C)], "inout", 0x71, "CMOS 0c"),
        ([("port", 0x3FB, 1, 0x83)], "inout", 0x3F9, "DLM"),
        ([("port", 0xCF8, 4, 0x80002010)], "inout", 0xCFC, "CONFDATA 0:04.0+10"),
        (
            [("port", 0xCF8, 4, 0x80002010), ("port", 0xCFC, 4, 0xC000),
             ("port", 0xCF8, 4, 0x80002004), ("port", 0xCFC, 2, 1)],
            "inout", 0xC012, "device_status",
        ),
        (
            [("port", 0xCF8, 4, 0x80002020), ("port", 0xCFC, 4, 0xE0000000),
             ("port", 0xCF8, 4, 0x80002004), ("port", 0xCFC, 2, 2)],
            "mmio", 0xE0000014, "device_status",
        ),
    ],
)  # fmt: skip
def test_a_name_follows_what_the_guest_has_set(
    writes: list[tuple[str, int, int, int]], kind: str, address: int, register: str
) -> None:
    machine = written(asking("", machine="pc"), *writes).machine
    found = name(machine.vm, machine.vcpu(0), kind, address, read=True)
    assert found.register == register


@pytest.mark.parametrize("machine", ["bare", "pc"])
def test_every_device_at_an_address_names_what_is_there(machine: str) -> None:
    for device in asking("", machine=machine).machine.vm.devices:
        if device.ports or device.mmio or device.moves:
            assert device.registers or device.registers_now, device.name


@pytest.mark.parametrize(
    ("address", "access", "device", "register"),
    [
        (0x408, "r", "pmtimer", "PM_TMR"), (0x64, "r", "ps2", "8042 status"),
        (0xCF9, "w", "pci", "RC"), (0xCF8, "w", "pci", "CONFADD"),
        (0x70, "w", "cmos", "CMOS index"), (0x71, "r", "cmos", "CMOS 00"),
    ],
)  # fmt: skip
def test_so_do_those_of_a_bare_machine(
    address: int, access: str, device: str, register: str
) -> None:
    machine = asking("").machine
    found = name(machine.vm, machine.vcpu(0), "inout", address, read=access == "r")
    assert (found.device, found.register) == (device, register)
