"""Which modules of the engine are compiled where its Python is (`build_python.py`).

Nothing of it is needed: an extension goes before the `.py` of the same name, and where
all of them are deleted the `.py` run. Some alone cannot be: they are one library.
These took 190 s of CPU to compile, where 64 modules more took 279 s.
"""

from typing import Final

FOLDERS: Final = frozenset({
    "apic", "copies", "cpu", "devices", "machine", "memory", "replay", "vie", "vmm",
})  # fmt: skip
"""Where all are, but `LEFT`. A guest does not wait for the others, people do."""
CTYPES: Final = ("cpu.answers", "cpu.blocks", "cpu.layout")
WEAK: Final = ("memory.backing",)
LOOKED_INTO: Final = (
    "machine.acts", "machine.debugger", "machine.editor", "machine.machine",
    "machine.panel",
)  # fmt: skip
CLASS_CONSTANTS: Final = ("devices.device", "vmm.exits")
AT_START: Final = (
    "cpu.blockcheck", "cpu.model", "cpu.probe", "cpu.selfcheck", "machine.act_schemas",
    "machine.config", "replay.kinds", "replay.schema", "vmm.build",
    "vmm.startup.power_on",
)  # fmt: skip
FOR_PEOPLE: Final = (
    "apic.titles", "cpu.disasm", "cpu.effects", "cpu.spinning", "devices.virtio.names",
    "machine.accesses", "machine.catches", "machine.io_watches", "machine.points",
    "machine.requests", "machine.start_pages", "machine.stop", "machine.terms",
    "machine.watches",
    "replay.roundtrip", "vmm.editing", "vmm.guest_memory", "vmm.interference",
    "vmm.ioctls", "vmm.naming", "vmm.outside", "vmm.overheard", "vmm.peeking",
    "vmm.traps",
)  # fmt: skip
SELDOM: Final = (
    "apic.regs", "cpu.breach", "cpu.far_return", "cpu.guest_stops", "cpu.restart",
    "cpu.strict", "cpu.tasks", "cpu.x87", "devices.cmos", "devices.debugcon",
    "devices.fw_cfg", "devices.i8042", "devices.isa_debug_exit", "devices.msi",
    "devices.pci", "devices.post_code", "devices.ps2", "devices.rtc", "devices.vga",
    "vie.implied", "vie.world", "vmm.bit_fields", "vmm.mov_dr", "vmm.mxcsr",
    "vmm.power", "vmm.repaired", "vmm.startup", "vmm.task_switches", "vmm.unreached",
    "vmm.x87", "vmm.x87_images", "vmm.x87_integers",
)  # fmt: skip
LEFT: Final = {
    **dict.fromkeys(CTYPES, "structures of ctypes"),
    **dict.fromkeys(WEAK, "has a weak reference to itself"),
    **dict.fromkeys(LOOKED_INTO, "verbs, whose signatures are looked into"),
    **dict.fromkeys(CLASS_CONSTANTS, "records with constants of the class"),
    **dict.fromkeys(AT_START, "runs when a machine is made, or before"),
    **dict.fromkeys(FOR_PEOPLE, "is asked for by people"),
    **dict.fromkeys(SELDOM, "is seldom run, or only named"),
}
"""Modules, and packages, that are not for all that, each with its reason."""


def is_chosen(module: str) -> bool:
    """Tell whether it is compiled; `cpu.core` is the name of `lapis_engine.cpu.core`.

    >>> is_chosen("cpu.core"), is_chosen("cpu.layout"), is_chosen("why.ipi")
    (True, False, False)
    """
    parts = module.split(".")
    above = {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
    return parts[0] in FOLDERS and not above & LEFT.keys()
