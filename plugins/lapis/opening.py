"""From a guest, or from a recording, to a session."""

from __future__ import annotations

from os import fspath
from typing import TYPE_CHECKING

from lapis import options
from lapis.session import Session
from lapis_plugins.host import discover
from lapis_sessions.errors import CommandError
from lapis_sessions.opening import open_session
from lapis_sessions.recording import view as recording_view
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying
from lapis_sessions.recording.start import start_recording

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    from lapis_plugins.host import Host
    from lapis_sessions.session import Session as LiveSession


def open(  # noqa: A001, PLR0913 - as one says it, and one argument each
    guest: str | PathLike[str] = "",
    *,
    cpus: int = 2,
    memory: str = "",
    profile: str = "sdm",
    firmware: str | PathLike[str] | None = None,
    append: str = "",
    machine: str = "",
    initrd: str | PathLike[str] | None = None,
    modules: Iterable[str] = (),
    disk: str | PathLike[str] | None = None,
    flash_vars: str | PathLike[str] | None = None,
    ports: str = "",
    mmio: str = "",
    time: str = "",
    seed: int = 0,
    strict: bool = False,
    checks: str = "usual",
    answers: Iterable[str] = (),
    record: str | PathLike[str] | None = None,
    plugins: Iterable[str | PathLike[str]] = (),
) -> Session:
    """Build a machine and return a session on it, standing at reset.

    Args:
        guest: An embedded guest, an ELF or multiboot kernel, or a flat binary `*.bin`;
            `ap-bringup` when neither it nor `firmware` is given.
        cpus: vCPUs; the profile says how many it takes.
        memory: RAM in whole MiB, as `64M` or `1G`; 64M on a bare machine, 256M on a PC.
        profile: Whose behaviour it is, as `lapis profiles` lists them.
        firmware: ROM to start instead of a guest.
        append: Command line for a kernel that takes one.
        machine: The platform, as `lapis machines` lists them.
        initrd: Initial RAM disk of a kernel.
        modules: `FILE ARGS` of each module of a multiboot kernel.
        disk: File with what is on the disk at first; it is never written.
        flash_vars: File with what the variables of the firmware are at first.
        ports: What an unclaimed port does, `ask` or `float`; on a PC it floats.
        mmio: What an unclaimed address does; on a PC as `ports`, else it asks.
        time: `fast` or `board`: what accesses take in virtual time; `fast` on a PC.
        seed: What the guest's source of random numbers begins with.
        strict: The same as `checks="all"`.
        checks: What is checked of memory operands, as `--checks`: off, usual or all.
        answers: Rules that answer requests, as `mmio 0xd0000000 = 0x1234`.
        record: File to record into, which must not be there yet.
        plugins: Python files of plug-ins, beside those that are installed.

    Raises `ConfigError` when the machine cannot be so, `GuestError` and `ImageError`
    for files, `CommandError` for what is no rule, and `RecordingError`.
    """
    said = options.MachineOptions(
        cpus=cpus, memory=memory, profile=profile, firmware=firmware, append=append,
        machine=machine, initrd=initrd, modules=modules, disk=disk, ports=ports,
        flash_vars=flash_vars, mmio=mmio, time=time, strict=strict, checks=checks,
    )  # fmt: skip
    live = built(guest, said, seed=seed, answers=answers, plugins=plugins)
    if record is not None:
        start_recording(live, fspath(record))
    return Session(live)


def built(
    guest: str | PathLike[str],
    said: options.MachineOptions,
    *,
    seed: int = 0,
    answers: Iterable[str] = (),
    plugins: Iterable[str | PathLike[str]] = (),
) -> LiveSession:
    """Return the session itself that `open` returns with its verbs."""
    live = open_session(options.of(guest, said, seed), _host(plugins).extensions)
    try:
        for rule in answers:
            live.rules.add(rule)
    except CommandError:
        live.release()
        raise
    return live


def replay(
    file: str | PathLike[str], *, plugins: Iterable[str | PathLike[str]] = ()
) -> Session:
    """Return a session that stands at the beginning of a recording.

    Its acts lie ahead: `run` and `goto("end")` do again what was done, and anything
    else begins a branch. The file itself is never written.

    Raises `RecordingError` when the file cannot be read or is not of this machine.
    """
    recording = reader.read(fspath(file))
    host = _host(plugins)
    live = replaying.session_of(recording, host.extensions)
    live.notices += recording_view.warnings(recording)
    return Session(live)


def _host(plugins: Iterable[str | PathLike[str]]) -> Host:
    return discover(files=[fspath(each) for each in plugins])
