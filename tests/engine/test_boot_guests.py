"""Kernels of our own that print what a boot loader gave them, and QEMU's word on it."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from rigs.machines import GUESTS

from lapis_engine.boot import detect
from lapis_engine.boot.request import BootRequest, Module
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_plugins.builtin import pc

if TYPE_CHECKING:
    from pathlib import Path

MODULES = (Module(b"ABCDEFGHI", "x=1 y", "first"), Module(b"second", "", "two"))
MAP = """\
memory 00000000 00000000 00000000 0009fc00 00000001
memory 00000000 0009fc00 00000000 00000400 00000002
memory 00000000 000f0000 00000000 00010000 00000002
memory 00000000 00100000 00000000 bff00000 00000001
memory 00000001 00000000 00000000 80000000 00000001"""
"""Of a machine with 5 GiB: base, size and kind, in dwords, high ones first."""


def printed(name: str, modules: tuple[Module, ...] = MODULES) -> list[str]:
    """What a kernel of the tests prints on COM1 of a PC with 5 GiB."""
    data = (GUESTS / f"{name}.bin").read_bytes()
    request = BootRequest(5 << 30, "one two", 2, "pc", modules=modules)
    config = MachineConfig(cpus=2, memory=request.memory, machine="pc")
    machine = Machine(config, detect.detect(data, request), pc.devices(config))
    stop = machine.run(1_000_000)
    assert stop.reason == "suspended"
    text = machine.consoles["com1"].decode()
    return [line.rstrip() for line in text.splitlines()]


def test_a_multiboot_kernel_is_given_all_that_it_asks_for() -> None:
    assert printed("boot-multiboot") == [
        "magic 2badb002",
        "line kernel one two",
        "module 00000000 00000009 ABCD first x=1 y",
        "module 00000000 00000006 seco two",
        *MAP.splitlines(),
    ]


def test_a_multiboot_2_kernel_is_given_all_that_it_asks_for() -> None:
    lines = printed("boot-multiboot2")
    assert lines[:5] == [
        "magic 36d76289 00000000",
        "text one two",
        "text Lapis",
        "module 00000000 00000009 ABCD x=1 y",
        "module 00000000 00000006 seco two",
    ]
    assert lines[5] == "tag 00000004 00000010 0000027f 002ffc00"
    assert lines[6:11] == MAP.splitlines()
    assert lines[11:] == [
        "tag 00000008 00000020 000b8000 00000000",
        "tag 0000000e 0000001c 20445352 20525450",  # "RSD PTR "
        "tag 0000000f 0000002c 20445352 20525450",
        "end",
    ]


def test_a_pvh_kernel_is_given_all_that_it_asks_for() -> None:
    assert printed("boot-pvh") == [
        "magic 336ec578 00000001",
        "cr0 00000001",
        "line one two",
        "module 00000000 00000009 ABCD x=1 y",
        "module 00000000 00000006 seco",
        "rsdp RSD",
        *MAP.splitlines(),
    ]


QEMU = shutil.which("qemu-system-x86_64")


@pytest.mark.skipif(QEMU is None, reason="needs QEMU as a witness")
@pytest.mark.parametrize(
    ("name", "modules"), [("boot-multiboot", MODULES), ("boot-pvh", MODULES[:1])]
)
def test_qemu_gives_a_kernel_the_same(
    name: str, modules: tuple[Module, ...], tmp_path: Path
) -> None:
    """But for its own name and the map; QEMU puts an initrd into PVH without a text."""
    assert QEMU is not None
    serial = tmp_path / "serial"
    for module in modules:
        (tmp_path / module.name).write_bytes(module.data)
    shutil.copy(GUESTS / f"{name}.bin", tmp_path / "kernel")
    has_texts = name == "boot-multiboot"
    files = (
        f"{module.name} {module.arguments}".strip() if has_texts else module.name
        for module in modules
    )
    command = [QEMU, "-machine", "pc", "-accel", "tcg", "-m", "64", "-display", "none"]
    command += ["-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-no-reboot"]
    command += ["-net", "none", "-serial", f"file:{serial}", "-kernel", "kernel"]
    command += ["-append", "one two", "-initrd", ",".join(files)]
    status = subprocess.run(command, cwd=tmp_path, check=False, timeout=60).returncode
    assert status == 0x20 << 1 | 1
    theirs = [line.rstrip() for line in serial.read_text().splitlines()]
    ours = printed(name, modules)
    if not has_texts:
        ours = [line.removesuffix(" x=1 y") for line in ours]
    assert told(theirs) == told(ours)


def told(lines: list[str]) -> list[str]:
    return [line for line in lines if not line.startswith("memory ")]
