"""fw_cfg: how firmware learns what machine it is on (QEMU "fw_cfg" interface).

The traditional interface is a selector port and a data port; with the DMA interface a
request in RAM has whole pieces copied. No item can be written.
"""

from __future__ import annotations

from lapis_engine.devices.device import Device
from lapis_engine.devices.fw_cfg import access, regs
from lapis_engine.devices.fw_cfg.dma import DmaAccess
from lapis_engine.devices.fw_cfg.item import build
from lapis_engine.devices.fw_cfg.state import FwCfgState


def device(  # noqa: PLR0913 - the machine is described by that many
    ram_bytes: int,
    cpus: int,
    files: tuple[tuple[str, bytes], ...] = (),
    *,
    max_cpus: int | None = None,
    boot_menu: bool = False,
    irq0_override: bool = True,
    no_graphics: bool = False,
    dma: bool = False,
) -> Device:
    """Return an fw_cfg that describes the machine.

    Args:
        ram_bytes: All RAM, in bytes.
        cpus: vCPUs present at start.
        files: (name, contents) pairs for the file directory, such as
            ``("etc/e820", ...)``; names of at most 55 ASCII characters. Some are made
            by `files`.
        max_cpus: Highest APIC id plus one; `cpus` when not given.
        boot_menu: Whether the firmware offers a boot menu and waits for a key.
        irq0_override: Whether ISA IRQ 0 arrives at IOAPIC pin 2.
        no_graphics: Whether the firmware should use COM1 as its screen.
        dma: Whether there is the DMA interface.

    Raises:
        ConfigError: A file name is unusable or used twice.
    """
    interfaces = regs.ID_TRADITIONAL | (regs.ID_DMA if dma else 0)
    fixed = (
        (regs.SIGNATURE, b"QEMU"),
        (regs.ID, interfaces.to_bytes(4, "little")),
        (regs.RAM_SIZE, ram_bytes.to_bytes(8, "little")),
        (regs.NOGRAPHIC, int(no_graphics).to_bytes(2, "little")),
        (regs.NB_CPUS, cpus.to_bytes(2, "little")),
        (regs.BOOT_MENU, int(boot_menu).to_bytes(2, "little")),
        (regs.MAX_CPUS, (max_cpus or cpus).to_bytes(2, "little")),
        (regs.IRQ0_OVERRIDE, int(irq0_override).to_bytes(4, "little")),
    )
    items = build(fixed, files)
    state = FwCfgState(items)
    if not dma:
        return Device("fw-cfg", state, access, regs.PORTS, registers=regs.NAMES[:2])
    master = DmaAccess()
    return Device(
        "fw-cfg",
        state,
        master,
        regs.DMA_PORTS,
        wire=master.wire,
        registers=regs.NAMES,
    )
