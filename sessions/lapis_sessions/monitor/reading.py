"""A paused QEMU, read: a machine image of it, and what is not in that."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lapis_engine.boot import machine_image
from lapis_engine.boot.machine_state import MachineState
from lapis_engine.saved import resumption
from lapis_engine.saved.system import HISTORY
from lapis_sessions.apic_files import qemu
from lapis_sessions.apic_files.contents import ApicFileError
from lapis_sessions.monitor import chips, dump, memory, memory_map, registers
from lapis_sessions.monitor.channel import (
    Channel,
    MonitorError,
    RefusedError,
    address,
)
from lapis_sessions.text.visible import quoted, short

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lapis_sessions.apic_files.contents import Contents
    from lapis_sessions.monitor.memory_map import Layout

PAUSED: Final = frozenset({
    "debug", "guest-panicked", "internal-error", "io-error", "paused", "prelaunch",
    "shutdown", "suspended", "watchdog",
})  # fmt: skip
"""States in which nothing moves (QEMU `RunState`)."""
TARGETS: Final = frozenset({"x86_64", "i386"})
MACHINES: Final = ("pc-i440fx", "pc-q35")
MOVING: Final = frozenset({"RESUME", "RESET", "SHUTDOWN", "POWERDOWN"})
"""Events after which the machine is not what it was."""
MOST_CPUS: Final = 256
NOT_TOLD: Final = (
    "MSRs but EFER and the bases of FS and GS: STAR, LSTAR, SYSENTER, PAT, MTRRs ...",
    "the time-stamp counters, which begin at 0, and a deadline of the TSC",
    "XCR0, the x87 instruction and data pointers, and CPUID, which is that of --cpu",
    "IA32_APIC_BASE: APICs are on and where they always are, and vCPU 0 is the BSP",
    "an INIT, a SIPI or an NMI on its way, and whether NMIs are held off until IRET",
    "a pending error of an APIC (ESR before it is written)",
    "modes of the 8259: automatic EOI, rotation, special mask, full nesting, poll",
    "devices but the 8259 and the IOAPIC: timers, disks, displays, PCI",
    "which memory below 1 MiB is write-protected: all of it is RAM",
)
"""What QEMU's monitor does not print."""


@dataclass(frozen=True, slots=True)
class Read:
    """What was read."""

    source: str
    """QEMU and its version, and the kind of machine."""
    image: bytes
    """A machine image (`boot.machine_image`)."""
    state: MachineState
    memory: int
    """Bytes of RAM."""
    held: int
    """Bytes of it that are in pages which are not zero."""
    left_out: tuple[str, ...]
    """What could not be read, or not be taken: a few words each."""
    remarks: tuple[str, ...]
    """What else the user should know, a sentence each."""


def read(text: str, timeout: float, *, pause: bool, cpu: str) -> Read:
    """Read the machine whose monitor is at `text`; raise `LapisError`.

    Args:
        text: A path, or HOST:PORT.
        timeout: Seconds for each answer.
        pause: Whether to pause a machine that runs; it stays paused then.
        cpu: Model of the processor that it is to have here.
    """
    room = memory.available()
    with Channel(address(text), timeout) as channel:
        if pause:
            channel.command("stop")
        _check_paused(channel)
        channel.events.clear()
        source = f"{channel.version}, {_machine(channel)}"
        count = _cpus(channel)
        layout = memory_map.layout(
            channel.human("info mtree -f", most=memory_map.LARGEST_MAP)
        )
        _check_size(channel, layout)
        memory.check_room(layout, room)
        found = _state(channel, source, count)
        with tempfile.TemporaryDirectory(prefix="lapis-") as name:
            folder = Path(name)
            found = _with_bases(found, channel, folder, layout.ram[0].first)
            state, dropped = resumption.fitted(found.state, cpu)
            ram, roms = memory.taken(channel, layout, room, folder)
        _check_still(channel)
    return Read(
        source,
        machine_image.encode(state, layout.memory, ram, roms),
        state,
        layout.memory,
        sum(size for _, size, _ in ram),
        (*NOT_TOLD, *layout.left_out, *found.left_out),
        (*found.remarks, *dropped),
    )


def _check_paused(channel: Channel) -> None:
    found = channel.command("query-status")
    status = found.get("status") if isinstance(found, dict) else None
    running = found.get("running") if isinstance(found, dict) else None
    if not isinstance(status, str) or not isinstance(running, bool):
        raise MonitorError("query-status: QEMU does not say whether it runs")
    if running:
        raise MonitorError(
            "the machine runs: pause it (`stop` in its monitor), or say --pause and it "
            "is paused and stays so"
        )
    if status not in PAUSED:
        raise MonitorError(
            f"the machine is in state {quoted(status)}, in which it may change"
        )


def _check_still(channel: Channel) -> None:
    """Raise `MonitorError` if it has moved: what was read would not fit together."""
    _check_paused(channel)
    moved = sorted(channel.events & MOVING)
    if moved:
        raise MonitorError(
            f"the machine did not stay paused while it was read ({', '.join(moved)})"
        )


def _check_size(channel: Channel, layout: Layout) -> None:
    """Raise `MonitorError` unless the map has all the RAM that there is."""
    try:
        found = channel.command("query-memory-size-summary")
    except RefusedError:  # before QEMU 2.11
        return
    base, more = (
        found.get(each) if isinstance(found, dict) else None
        for each in ("base-memory", "plugged-memory")
    )
    if more not in (0, None) or base != layout.told:
        raise MonitorError(
            f"QEMU has {short(str(base))} bytes of RAM, {short(str(more))} plugged in, "
            f"and its map has {layout.told}"
        )


def _machine(channel: Channel) -> str:
    """Return the kind of machine; raise `MonitorError` for none of ours."""
    kind = channel.command("qom-get", path="/machine", property="type")
    name = kind.removesuffix("-machine") if isinstance(kind, str) else ""
    if not name.startswith(MACHINES):
        raise MonitorError(
            f"the machine is {quoted(str(kind))}: pc (i440FX) and q35 are known"
        )
    return short(name, 40)


def _cpus(channel: Channel) -> int:
    """Return how many processors there are; raise `MonitorError` unless numbered so."""
    rows = channel.command("query-cpus-fast")
    if not isinstance(rows, list) or not 0 < len(rows) <= MOST_CPUS:
        raise MonitorError(
            f"query-cpus-fast has {_many(rows)} processors, and 1 to {MOST_CPUS} can be"
        )
    for number, row in enumerate(rows):
        index = row.get("cpu-index") if isinstance(row, dict) else None
        target = row.get("target", row.get("arch")) if isinstance(row, dict) else None
        if type(index) is not int or index != number:
            raise MonitorError(
                f"query-cpus-fast numbers processor {number} as {quoted(str(index))}"
            )
        if target not in TARGETS:
            raise MonitorError(
                f"processor {number} is of {quoted(str(target))} and not of x86"
            )
    return len(rows)


def _many(rows: Any) -> str:
    return f"{len(rows):,}" if isinstance(rows, list) else "no list of"


@dataclass(frozen=True, slots=True)
class _Found:
    state: MachineState
    left_out: tuple[str, ...]
    remarks: tuple[str, ...]


def _state(channel: Channel, source: str, count: int) -> _Found:
    """Return all but the memory."""
    left: list[str] = []
    said: list[str] = []
    processors = []
    for number in range(count):
        text = channel.human("info registers", number)
        one, missing = registers.read(text, number)
        processors.append(one)
        left += missing
        if one.waits:
            said.append(
                f"vCPU {number} is at the reset vector, as who waits for a SIPI is in "
                f"QEMU"
            )
    found = [_apic(channel, number) for number in range(count)]
    said += _once(found)
    devices = chips.read(channel.human("info pic"))
    left += devices.left_out
    said += devices.remarks
    apics = tuple(each.saved for each in found)
    system = devices.saved | {"unknown": [HISTORY]}
    state = MachineState(source, tuple(processors), apics, system)
    return _Found(state, tuple(left), tuple(said))


def _with_bases(found: _Found, channel: Channel, folder: Path, first: int) -> _Found:
    """Return what was found with the MSR that a dump tells, or that none does."""
    state = found.state
    rips = [each.rip for each in state.processors]
    bases = dump.kernel_gs_bases(channel, folder, first, rips)
    if bases is None:
        return replace(found, left_out=(*found.left_out, "the MSR KERNEL_GS_BASE"))
    processors = tuple(
        replace(each, kernel_gs=base)
        for each, base in zip(state.processors, bases, strict=True)
    )
    return replace(found, state=replace(state, processors=processors))


def _once(found: Sequence[Contents]) -> Iterator[str]:
    """Yield the remarks on APICs, each with all that it is about."""
    about: dict[str, list[str]] = {}
    for number, contents in enumerate(found):
        for each in contents.remarks:
            about.setdefault(each, []).append(str(number))
    for each, numbers in about.items():
        yield f"APIC of vCPU {', '.join(numbers)}: {each}"


def _apic(channel: Channel, number: int) -> Contents:
    """Return the APIC of a processor; raise `MonitorError`, also for another's id."""
    try:
        found = qemu.read_one("info lapic", channel.human("info lapic", number))
    except ApicFileError as error:
        raise MonitorError(f"vCPU {number}: {error}") from None
    if found.vcpu != number:
        raise MonitorError(f"info lapic of vCPU {number} is of vCPU {found.vcpu}")
    try:
        of_id = qemu.HEAD.search(channel.human(f"info lapic {number}"))
    except RefusedError:  # before QEMU 2.12 there was no such argument
        of_id = None
    if of_id is None or int(of_id[1]) != number:
        raise MonitorError(
            f"vCPU {number} has not APIC id {number}, as vCPUs here have: start QEMU "
            f"with a power of two of cores and threads (-smp)"
        )
    return found
