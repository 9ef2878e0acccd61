"""Run guests of this folder under QEMU's TCG, for a second opinion on their checks.

`python tests/guests/qemu.py` runs every `fabric-*` and `processor-*` that has one to
ask for;
`python tests/guests/qemu.py fabric-nesting` one of them, and prints all its lines.
A guest is assembled with QEMU defined. A tiny ROM starts it as the engine does: at
1000:0000 in real mode, everything else as after reset. An instruction takes 1 ns.
The exit status is the number of guests that found a fault, or did not end.
"""

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

GUESTS = Path(__file__).parent
WITHOUT = {
    "fabric-esr", "fabric-lines", "fabric-svr", "fabric-x2apic",
    "processor-registers",
}  # fmt: skip
"""Guests about what TCG does not have, or has otherwise: see their first lines."""
PROCESSORS = re.compile(r"^%define PROCESSORS (\d+)$", re.MULTILINE)
SIZE = 0x1_0000
START = 0xF000
"""Where in the ROM its code begins; the guest is before it."""
CODE = bytes.fromhex(
    "fc"  # cld
    "b800f0 8ed8"  # mov ax, 0xf000; mov ds, ax
    "b80010 8ec0"  # mov ax, 0x1000; mov es, ax
    "31f6 31ff"  # xor si, si; xor di, di
    "b90078 f3a5"  # mov cx, START / 2; rep movsw
    "ea00000010"  # jmp 0x1000:0
)
RESET = bytes.fromhex("ea00f000f0")  # jmp 0xf000:START
MACHINE = (
    *("-machine", "pc", "-accel", "tcg", "-cpu", "max,vendor=GenuineIntel", "-m", "16"),
    *("-icount", "shift=0,sleep=off", "-net", "none", "-display", "none"),
    *("-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-no-reboot"),
)
ALL_WELL = 1
"""Status of QEMU when 0 was written to its isa-debug-exit."""


def rom(guest: bytes) -> bytes:
    """Return a ROM that copies `guest` to 0x10000 and starts it."""
    assert len(guest) <= START, "the guest does not fit"
    image = guest.ljust(START, b"\0") + CODE
    return image.ljust(SIZE - 16, b"\0") + RESET.ljust(16, b"\0")


def run(name: str, seconds: float = 20) -> tuple[str, bool]:
    """Return what a guest prints on COM1, and whether it ended and found no fault."""
    found = PROCESSORS.search((GUESTS / f"{name}.asm").read_text())
    with TemporaryDirectory() as folder:
        binary, image = Path(folder, "bin"), Path(folder, "rom")
        serial = Path(folder, "serial")
        nasm = ["nasm", "-f", "bin", "-D", "QEMU", "-o", str(binary), f"{name}.asm"]
        subprocess.run(nasm, cwd=GUESTS, check=True)
        image.write_bytes(rom(binary.read_bytes()))
        command = ["qemu-system-x86_64", *MACHINE, "-smp", found[1] if found else "1"]
        command += ["-bios", str(image), "-serial", f"file:{serial}"]
        try:
            status = subprocess.run(command, check=False, timeout=seconds).returncode
        except subprocess.TimeoutExpired:
            return serial.read_text() + f"not done after {seconds} s\n", False
        return serial.read_text(), status == ALL_WELL


def run_all() -> int:
    """Run every guest, say how it went; return how many found a fault."""
    faulty = 0
    kinds = "fabric-*.asm", "processor-*.asm"
    names = {path.stem for kind in kinds for path in GUESTS.glob(kind)} - WITHOUT
    for name in sorted(names):
        text, is_well = run(name)
        lines = text.splitlines()
        faulty += not is_well
        sys.stdout.write(
            f"{name}: {len(lines)} checks{'' if is_well else ', faults'}\n"
        )
        bad = (line for line in lines if not line.startswith("ok "))
        sys.stdout.writelines(f"    {line}\n" for line in bad)
    return faulty


def main(names: list[str]) -> int:
    """Run the guests that are named, or all."""
    if not names:
        return run_all()
    faulty = 0
    for name in names:
        text, is_well = run(name)
        sys.stdout.write(text)
        faulty += not is_well
    return faulty


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
