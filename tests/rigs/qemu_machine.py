"""A guest of ours under an installed QEMU: started, and paused where it is stuck."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from guests.qemu import rom

from rigs.remote_protocol import Stub

QEMU = shutil.which("qemu-system-x86_64")
GUESTS = Path(__file__).parents[1] / "guests"
WAITS = bytes.fromhex("48be f1debc9a78563412")
"""What `wait_for_it` of `stuck.inc` begins with."""
START = 0x10000


class Running(NamedTuple):
    qmp: str
    stub: Stub


def where_it_waits(guest: str) -> int:
    """The address of `wait_for_it` in a guest, or of `wait_by_floats`."""
    code = (GUESTS / f"{guest}.bin").read_bytes()
    first = code.index(WAITS)
    return START + (code.rindex(WAITS) if guest == "stuck-floats" else first)


@contextmanager
def stuck(
    guest: str, folder: Path, machine: str = "pc", at: int | None = None
) -> Iterator[Running]:
    """Run a guest to where it begins to wait, or to `at`, and keep it paused there."""
    image, qmp, gdb = folder / "rom", folder / "qmp", folder / "gdb"
    image.write_bytes(rom((GUESTS / f"{guest}.bin").read_bytes()))
    command = [
        "qemu-system-x86_64", "-machine", machine, "-accel", "tcg", "-S",
        "-cpu", "max,vendor=GenuineIntel", "-m", "4", "-smp", "2", "-nodefaults",
        "-display", "none", "-icount", "shift=0,sleep=off", "-bios", str(image),
        "-qmp", f"unix:{qmp},server=on,wait=off",
        "-gdb", f"unix:{gdb},server=on,wait=off",
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            with closing(_connected(process, str(gdb))) as stub:
                stub.run_to(where_it_waits(guest) if at is None else at)
                yield Running(str(qmp), stub)
        finally:
            process.kill()


def _connected(process: subprocess.Popen[bytes], path: str) -> Stub:
    while True:
        try:
            return Stub(path)
        except OSError:
            try:
                process.wait(timeout=0.01)
            except subprocess.TimeoutExpired:
                continue
            assert process.stderr is not None
            raise AssertionError(process.stderr.read().decode()) from None
