"""The services of a BIOS in real mode: their bytes, and what they answer.

The guest `bios-services` calls each and prints what came back on COM1. To rewrite the
bytes in the engine after a change of `services.asm`:
`python tests/engine/test_bios_services.py`.
"""

import shutil
import struct
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lapis_engine.boot import flat
from lapis_engine.boot.bios import services
from lapis_engine.boot.request import BootRequest
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_plugins.builtin import pc

GUEST = Path(__file__).parents[1] / "guests" / "bios-services.bin"

SOURCE = Path(services.__file__).with_name("services.asm")
NASM = shutil.which("nasm")
HEAD = '''"""The bytes of `services.asm`, which `test_bios_services.py` writes."""

from __future__ import annotations

from typing import Final

SERVICES: Final = bytes.fromhex(
    """
'''
TAIL = '''    """
)
"""2 KiB, at 0xF_F800."""
'''


def assemble() -> bytes:
    assert NASM is not None
    with TemporaryDirectory() as folder:
        binary = Path(folder, "bin")
        command = [NASM, "-f", "bin", "-o", str(binary), SOURCE.name]
        subprocess.run(command, cwd=SOURCE.parent, check=True)
        return binary.read_bytes()


def module(code: bytes) -> str:
    rows = [code[at : at + 40].hex() for at in range(0, len(code), 40)]
    return HEAD + "".join(f"    {row}\n" for row in rows) + TAIL


@pytest.mark.skipif(NASM is None, reason="nasm is not installed")
def test_the_bytes_are_what_the_source_assembles_to() -> None:
    assert assemble() == services.SERVICES


@cache
def answers(mib: int = 64) -> tuple[tuple[str, ...], Machine]:
    """What the guest printed on a machine with `mib` MiB, and the machine."""
    request = BootRequest(mib << 20, cpus=1, machine="pc")
    config = MachineConfig(
        cpus=1, memory=request.memory, machine="pc", float_ports=True
    )
    plan = flat.start(GUEST.read_bytes(), request)
    machine = Machine(config, plan, pc.devices(config))
    stop = machine.run(20_000_000)
    assert stop.reason == "halted"
    lines = machine.consoles["com1"].decode().splitlines()
    assert lines[-1] == "end"
    return tuple(lines[:-1]), machine


def told(name: str, mib: int = 64) -> list[tuple[int, int, int, int, str]]:
    """EAX, EBX, ECX and EDX after each call of that name, and its CF and ZF."""
    found = []
    for line in answers(mib)[0]:
        first, *rest = line.split()
        if first == name:
            a, b, c, d = (int(number, 16) for number in rest[:4])
            assert rest[4][-1] == ".", f"a register is lost: {line}"
            found.append((a, b, c, d, rest[4][:-1]))
    return found


def number(name: str) -> int:
    """The number on the line of that name."""
    (line,) = (line for line in answers()[0] if line.split()[0] == name)
    return int(line.split()[1], 16)


def carry(name: str) -> list[str]:
    return [flags[0] for *_, flags in told(name)]


def test_every_service_keeps_the_registers_that_it_does_not_answer_in() -> None:
    calls = [line for line in answers()[0] if line[-1] in ".!"]
    assert len(calls) == 49 + 4  # of which 4 are entries of the map
    assert not [line for line in calls if line.endswith("!")]


def test_the_screen_is_80_columns_of_text() -> None:
    (mode,) = told("mode")
    assert mode[:2] == (0x5003, 0x0000)  # AH columns, AL mode, BH page
    assert told("get-cursor")[0][2:4] == (0x0607, 0x0A05)
    assert told("other-page")[0][:4] == (0x0200, 0x0300, 0, 0x1111)
    assert told("adapter")[0][:2] == (0x1A1A, 0x0008)  # AL, BL
    assert told("ega")[0][1] == 0x0003  # colour, 256 KiB
    assert told("no-such")[0] == (0x4F00, 1, 2, 3, "10")


def test_text_moves_the_cursor_of_the_adapter() -> None:
    # A, a bell, B, a step back, C: two cells on from column 5 of row 10.
    assert told("after")[0][3] == 0x0A07
    assert number("crtc") == 10 * 80 + 7


def test_a_full_screen_goes_up() -> None:
    lines = [chr(0x30 + n) for n in range(30)][6:]  # row 0 is the seventh
    assert told("scrolled")[0][3] == 24 << 8
    # Then 81 times z: a row of it went up, too.
    assert told("wrapped")[0][3] == 24 << 8 | 1
    data = answers()[1].vm.memory.read(0xB8000, 4000)
    cells = struct.iter_unpack("<BB", data)
    text = "".join(chr(cell) for cell, colour in cells if colour == 0x07)
    assert len(text) == 2000, "all of it is light grey on black"
    rows = [text[at : at + 80].rstrip() for at in range(0, 2000, 80)]
    assert rows == [*lines[1:], "z" * 80, "z"]


def test_what_there_is_is_told() -> None:
    (equipment,) = told("equipment")
    assert equipment[0] & 0xFFFF == 0b10_0_0010_0110 | 0b10 << 9
    assert told("base")[0][0] & 0xFFFF == 639
    assert told("disk")[0][0] >> 8 == 0x01
    assert carry("disk") == ["1"]
    # Nobody answers these: all is as it was.
    assert told("serial")[0] == (0x0300, 0, 0, 0, "10")
    assert told("printer")[0] == (0x0200, 0, 0, 0, "10")
    assert told("nobody")[0] == (1, 2, 3, 4, "10")


@pytest.mark.parametrize(
    ("mib", "extended", "below", "above"),
    [
        (1, 0, 0, 0),
        (2, 1024, 1024, 0),
        (16, 15 * 1024, 15 * 1024, 0),
        (64, 63 * 1024, 15 * 1024, 48 * 16),
        (65, 63 * 1024, 15 * 1024, 49 * 16),
        (256, 63 * 1024, 15 * 1024, 240 * 16),
    ],
)
def test_sizes_of_memory(mib: int, extended: int, below: int, above: int) -> None:
    assert told("extended", mib)[0][0] == extended
    assert told("extended", mib)[0][4][0] == "0"
    assert told("e801", mib)[0] == (below, above, below, above, "00")


@pytest.mark.parametrize("mib", [1, 2, 64, 256])
def test_the_memory_map_is_told_entry_by_entry(mib: int) -> None:
    entries = []
    for line in answers(mib)[0]:
        if line.startswith("entry"):
            low, high, size, size_high, kind = (int(n, 16) for n in line.split()[1:])
            entries.append((high << 32 | low, size_high << 32 | size, kind))
    extended = [(0x100000, (mib - 1) << 20, 1)] if mib > 1 else []
    assert entries == [
        (0, 0x9FC00, 1),
        (0x9FC00, 0x400, 2),
        (0xF0000, 0x10000, 2),
        *extended,
    ]
    calls = told("map", mib)
    assert [call[1] for call in calls] == [*range(1, len(entries)), 0]
    for eax, _, ecx, edx, flags in calls:
        assert (eax, ecx, edx, flags[0]) == (0x534D4150, 20, 0x534D4150, "0")


def test_a_bad_question_for_the_memory_map_is_refused() -> None:
    for name in ("map-magic", "map-small", "map-beyond", "map-far"):
        ((eax, *_, flags),) = told(name)
        assert (eax >> 8 & 0xFF, flags[0]) == (0x86, "1")


def test_a20_is_open_and_stays_so() -> None:
    for name in ("config", "a20-off"):
        assert told(name)[0][0] >> 8 == 0x86
        assert carry(name) == ["1"]
    assert carry("a20-on") == carry("a20-is") == carry("a20-how") == ["0"]
    assert told("a20-on")[0][0] >> 8 == 0
    assert told("a20-is")[0][0] == 1
    assert told("a20-how")[0][1] == 3


def test_a_wait_is_as_long_as_was_asked() -> None:
    assert told("wait")[0][3:] == (5000, "01")
    least = 5000 * 3_579_545 // 1_000_000
    assert least <= number("waited") < least + 20


def test_keys_wait_until_they_are_taken() -> None:
    assert [flags[1] for *_, flags in told("no-key")] == ["1", "1"]
    pressed = [(eax, flags) for eax, *_, flags in told("key")]
    # Looked at, taken; then 2 with a shift.
    assert pressed[0] == (0x1E61, "00")
    assert pressed[1][0] == 0x1E61
    assert pressed[2][0] == 0x0340
    # The left one, until it is let go.
    assert [eax & 0xFF for eax, *_ in told("shifts")] == [2, 0]


def test_no_more_keys_wait_than_the_ring_holds() -> None:
    assert number("held") == 15


def test_ticks_go_round_at_midnight() -> None:
    # 0x1800B0 a day; it was told two ticks before.
    ticks = [(edx | ecx << 16, eax & 0xFF) for eax, _, ecx, edx, _ in told("ticks")]
    assert ticks == [(0x1800AF, 0), (0, 1), (0, 0)]


def test_the_clock_is_read() -> None:
    assert told("time")[0][2] >> 8 == 0  # hours
    assert told("date")[0][2:4] == (0x2000, 0x0101)
    assert carry("time") == carry("date") == ["0"]
    assert carry("pci") == ["1"]


if __name__ == "__main__":
    SOURCE.with_suffix(".py").write_text(module(assemble()))
