"""Other emulators on the machine, which run a ROM of ours until it ends them."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Final

from lapis_engine.errors import LapisError
from lapis_tui.bench import rom

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT = 120
"""Seconds after which one that has not ended is ended."""
SHOWN: Final = 200
"""Characters of what one said that are told."""
ROM: Final = "bench.rom"
VIDEO_ROM: Final = "video.rom"
CONFIG: Final = "bochsrc"
INPUT: Final = "input"
SAID: Final = "said"
BOCHSRC: Final = f"""\
romimage: file={ROM}, address=0xffff0000
vgaromimage: file={VIDEO_ROM}
megs: 32
cpu: count=1, reset_on_triple_fault=0
clock: sync=none
sound: driver=dummy
log: bochs.log
panic: action=fatal
error: action=ignore
info: action=ignore
plugin_ctrl: unmapped=true
"""
OPTION_ROM: Final = b"\x55\xaa\x01".ljust(511, b"\0") + b"\0"
"""512 bytes that add up to 0: nobody calls it, but Bochs does not start without."""
FILES: Final = {
    VIDEO_ROM: OPTION_ROM,
    CONFIG: BOCHSRC.encode("ascii"),
    INPUT: b"c\n",  # where Bochs has its debugger, it waits for this
}


class PeerError(LapisError):
    """A peer that does not run, or does not end as the ROM has it end."""


class Peer:
    """How one emulator is called, and how it tells that the ROM has come to its end."""

    def __init__(
        self, name: str, commands: Sequence[tuple[str, ...]], status: int, end: str = ""
    ) -> None:
        """Take its commands: of several, the first that works is the one.

        They run in a folder that holds the ROM and `FILES`. In the end it has this exit
        status, and has said `end`.
        """
        self.name = name
        self._commands = list(commands)
        self._status, self._end = status, end

    @property
    def program(self) -> str:
        """The program to be found on PATH."""
        return self._commands[0][0]

    @property
    def installed(self) -> bool:
        """Tell whether it is there."""
        return shutil.which(self.program) is not None

    def seconds(self, image: bytes) -> float:
        """Run `image`; return the processor time that it took, start-up included.

        Raises `PeerError` when it hangs, or ends in another way.
        """
        while True:
            with TemporaryDirectory() as name:
                folder = Path(name)
                for file, content in (*FILES.items(), (ROM, image)):
                    (folder / file).write_bytes(content)
                before, start = _children(), perf_counter()
                status = _run(self._commands[0], folder)
                spent, wall = _children() - before, perf_counter() - start
                said = (folder / SAID).read_text("utf-8", "replace").strip()
            if status == self._status and self._end in said:
                return spent or wall
            if len(self._commands) == 1:
                text = f": {said[-SHOWN:]}" if said else ""
                raise PeerError(f"it ended with status {status}{text}")
            self._commands.pop(0)


def _run(command: tuple[str, ...], folder: Path) -> int:
    """Run a command to its end, or to the limit; return its exit status."""
    with (
        (folder / SAID).open("wb") as said,
        (folder / INPUT).open("rb") as given,
        subprocess.Popen(
            command, cwd=folder, stdin=given, stdout=said, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            return process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            sentence = f"it did not end within {LIMIT} seconds, and was ended"
            raise PeerError(sentence) from None
        finally:
            process.kill()  # nothing, for one that has ended


def _children() -> float:
    """Return the processor time of processes that have ended; 0 where nobody tells."""
    with suppress(ImportError):
        import resource  # noqa: PLC0415 - not there on every system

        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime
    return 0.0


def _qemu(name: str, *more: str) -> Peer:
    exit_port = f"isa-debug-exit,iobase={rom.EXIT_PORT:#x},iosize=4"
    command = (
        "qemu-system-x86_64", "-accel", "tcg", "-M", "pc", "-m", "32", "-nodefaults",
        "-display", "none", "-bios", ROM, "-device", exit_port, *more,
    )  # fmt: skip
    return Peer(name, [command], rom.DONE << 1 | 1)


def _bochs() -> Peer:
    # Some builds have no display that shows nothing: then one that nobody looks at.
    displays = ("nogui", 'rfb, options="timeout=0"')
    commands = [
        ("bochs", "-q", "-f", CONFIG, f"display_library: {display}")
        for display in displays
    ]
    return Peer("Bochs", commands, 1, "shutdown requested")  # which is a panic


ICOUNT: Final = "QEMU -icount shift=0"


def peers() -> list[Peer]:
    """Return all that are known, none tried yet."""
    return [_qemu(ICOUNT, "-icount", "shift=0"), _qemu("QEMU"), _bochs()]
