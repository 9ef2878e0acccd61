"""The real gdb, scripted against a session: what its user sees.

The guest is ap-bringup with 4 vCPUs; what is expected is in its listing. Nothing here
needs a symbol file.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from rigs.assembling import NASM
from rigs.gdb_rig import needs_gdb, scripted
from rigs.machines import ROOT

from lapis_sessions.gdb.script import IN_GDB

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lapis_sessions.session import Session

    Opened = Callable[..., Session]

pytestmark = needs_gdb
GUESTS = ROOT / "sessions" / "lapis_sessions" / "guests"
MARK = "echo == {}\\n"


def parts(text: str) -> dict[str, str]:
    """Return what was printed by the marks that it stands behind."""
    pieces = re.split(r"^== (\w+)\n", text, flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def run(
    opened: Opened, tmp_path: Path, script: dict[str, list[str]]
) -> dict[str, str]:  # fmt: skip
    """Do a script part by part; return what each printed."""
    lines = [
        line for name, part in script.items() for line in (MARK.format(name), *part)
    ]
    return parts(scripted(opened(cpus=4), tmp_path, lines))


def test_boot_of_an_ap_with_gdb_alone(opened: Opened, tmp_path: Path) -> None:
    seen = run(opened, tmp_path, {
        "reset": ["info threads", "print/x $pc"],
        "waiting": ["thread 2", "stepi", "print $_thread", "info threads"],
        "to_init": ["break *0x10133", "continue", "info threads"],
        "trampoline": ["break *0x8000", "continue", "info threads"],
        "after": ["stepi", "p/x $ip", "p $apic[0].id"],
        "fallback": ["monitor x/2i $pc"],
        "apic": ["info registers apic", "print $apic[0].lvt_timer", "p/x $apic_icr"],
        "why": ["monitor irq why 0x31 1"],
        "long": ["delete", "break *0x101cd", "continue", "p/x $pc", "p $efer", "p $cs"],
        "back": ["delete", "reverse-stepi", "p/x $pc"],
        "end": ["continue"],
        "to_request": ["continue", "info os requests"],
        "watch": ["watch *(unsigned int *)0x12034", "reverse-continue", "p/x $pc"],
        "begin": ["delete", "reverse-continue", "thread 1", "reverse-stepi"],
        "memory": ["set mem inaccessible-by-default on", "x/1xw 0xfee00020",
                   "x/2xb 0x10000"],
        "wrong": ["monitor stepp", "set $cr0 = 0x80000000", "print $cr0"],
    })  # fmt: skip
    assert re.search(
        r'Thread 1 "running" \(vCPU 0, real mode, can run\)', seen["reset"]
    )
    assert seen["reset"].count('"never-started"') == 3
    assert "= 0x10000" in seen["reset"]
    assert "vCPU 1 cannot be stepped: it was never started" in seen["waiting"]
    assert "$2 = 2" in seen["waiting"]
    assert seen["waiting"].count('"never-started"') == 3
    assert '* 2    Thread 2 "never-started"' in seen["waiting"]
    assert seen["to_init"].count("it waits for SIPI (INIT was taken)") == 3
    assert (
        'Thread 2 "running" hit Breakpoint 2, 0x0000000000008000'
        in (seen["trampoline"])
    )
    assert '* 2    Thread 2 "running" (vCPU 1, real mode' in seen["trampoline"]
    assert re.search(r"= 0x1\n.*= 1\n", seen["after"])  # of thread 2, and not of 1
    assert "mov ds, ax" in seen["fallback"]
    assert re.search(r"apic .*svr = 0xff,", seen["apic"])
    assert "masked mode=one_shot ]" in seen["apic"]
    assert "vector 0x31 is neither in the IRR nor in the ISR of vCPU 1" in seen["why"]
    assert "= 0x101cd" in seen["long"]
    assert "[ LME LMA ]" in seen["long"]
    assert "= 0x1010d" in seen["back"]  # jmp rsi
    assert "end of main" in seen["end"]
    assert "No more reverse-execution history" in seen["end"]
    assert "0xd0000000" in seen["to_request"].split("requests", 1)[-1]
    assert "`monitor answer VALUE` answers" in seen["to_request"]
    assert re.search(r"Old value = 3\s+New value = 2", seen["watch"])
    assert "= 0x101f5" in seen["watch"]
    assert seen["begin"].count("No more reverse-execution history") == 2
    assert "[Switching to Thread" not in seen["begin"]
    assert "0x0000000000010000 in" in seen["begin"]
    assert "Cannot access memory at address 0xfee00020" in seen["memory"]
    assert re.search(r"0x10000:\s+0xfa\s+0xfc", seen["memory"])
    assert "did you mean step" in seen["wrong"]
    assert "E.CR0 0x80000000: PG, paging, needs PE" in seen["wrong"]
    assert "[ ET NW CD ]" in seen["wrong"]


def test_each_mode_is_disassembled_with_the_file_for_gdb(
    opened: Opened, tmp_path: Path
) -> None:
    seen = run(opened, tmp_path, {
        "bsp": [f"source {IN_GDB}", "x/3i $pc"],
        "ap": ["break *0x8000", "continue", "x/8i $pc"],
        "protected": ["tbreak *0x1008b", "continue", "x/2i $pc"],
        "cross": ["stepi 14", "x/i $pc", "stepi", "x/i $pc"],
        "bsp_long": ["thread 1", "x/1i $pc"],
        "intel": ["set disassembly-flavor intel", "x/1i 0x10002", "thread 3",
                  "x/1i 0x8001"],
        "selected": ["monitor vcpu", "thread 1", "monitor vcpu"],
        "moved": ["monitor step 2", "p/x $pc", "monitor reverse-step 2", "p/x $pc"],
    })  # fmt: skip
    assert re.findall(r"\t(.*)", seen["bsp"]) == ["cli", "cld", "movw\t%cs, %ax"]
    assert "Breakpoint 1, 0x0000000000008000" in seen["ap"]
    assert re.findall(r"0x80..:\t(\w+)", seen["ap"]) == [
        "cli", "movw", "movw", "lgdtl", "movl", "orl", "movl", "ljmpl",
    ]  # fmt: skip
    assert "=> 0x1008b:\tmovl\t$0x101cd, %esi" in seen["protected"]
    assert "mov    $0x18,%eax" in seen["cross"]  # gdb's own, at long_mode
    assert re.search(r"=> 0x1013d:\tmov    \$0x510,%dx", seen["bsp_long"])
    assert "0x8001:\tmov\tax, cs" in seen["intel"]
    assert "vCPU 2 selected" in seen["selected"]
    assert "vCPU 0 selected" in seen["selected"]
    assert "flush register-cache" not in seen["moved"]
    assert re.search(r"= 0x10145\n.*= 0x1013d", seen["moved"], re.DOTALL)


def test_gdb_can_be_told_that_all_is_16_bit_code(
    opened: Opened, tmp_path: Path
) -> None:
    lines = ["break *0x8000", "continue", "x/2i $pc", "p $apic[0].id", "p/x $eip"]
    session = opened(cpus=4)
    seen = scripted(session, tmp_path, lines, architecture="i8086")
    assert re.findall(r"0x800\d:\t(.*)", seen) == ["cli", "mov    %cs,%ax"]
    assert "$1 = 1" in seen
    assert "$2 = 0x8000" in seen


def test_the_end_of_history_is_told_behind_a_breakpoint_that_stands_before_it(
    opened: Opened, tmp_path: Path
) -> None:
    # gdb steps off the breakpoint, and the history ends with that step.
    seen = run(opened, tmp_path, {
        "there": ["break *0x101cd", "continue", "stepi", "reverse-stepi"],
        "end": ["continue", "p/x $pc"],
        "alone": ["set scheduler-locking on", "stepi", "p/x $pc"],
        "on": ["set scheduler-locking off", "continue"],
    })  # fmt: skip
    assert "end of main" in seen["end"]
    assert "No more reverse-execution history" in seen["end"]
    assert "= 0x101d5" in seen["end"]
    assert "= 0x101d6" in seen["alone"]
    assert 'Thread 3 "running" hit Breakpoint 1' in seen["on"]


def with_lines(folder: Path) -> Path:
    """Make an ELF file of ipi-ping, whose bytes are those of the guest."""
    source, elf = GUESTS / "ipi-ping.asm", folder / "ipi-ping.elf"
    before, made = folder / "before.inc", folder / "ipi-ping.o"
    before.write_text("%macro org 1\n%endmacro\n")  # the linker places it
    subprocess.run(
        ["nasm", "-f", "elf64", "-g", "-F", "dwarf", "-P", before, "-o", made, source],
        cwd=GUESTS, check=True,
    )  # fmt: skip
    link = ["ld", "-Ttext=0x10000", "--no-warn-rwx-segments", "-e", "0x10000"]
    subprocess.run([*link, "-o", elf, made], check=True)
    return elf


@pytest.mark.skipif(NASM is None or shutil.which("ld") is None, reason="no nasm or ld")
def test_lines_of_a_source_are_stepped_through(opened: Opened, tmp_path: Path) -> None:
    source = (GUESTS / "ipi-ping.asm").read_text().splitlines()
    ping = next(n for n, line in enumerate(source, 1) if line.startswith("ping:"))
    script = {
        "symbols": [f"file {with_lines(tmp_path)}", f"directory {GUESTS}", "frame"],
        "line": [f"break {ping}", "continue", "p/x $pc", "info symbol $pc"],
        "asleep": ["thread 2", "step", "thread 1"],
        "next": ["step"],
        "awake": ["thread 2", "step"],
        "back": ["thread 1", "reverse-step"],
    }
    lines = [part for n, p in script.items() for part in (MARK.format(n), *p)]
    session = opened("ipi-ping", cpus=2)
    seen = parts(scripted(session, tmp_path, lines))
    assert "start:  cli" in seen["symbols"]
    assert "ipi-ping.asm:" in seen["line"]
    assert "ping in section .text" in seen["line"]
    assert "vCPU 1 cannot be stepped: it is halted and waits" in seen["asleep"]
    assert 'Thread 2 "halted" stopped.' in seen["asleep"]  # and not for ever
    # gdb has led thread 1 past its breakpoint before it stepped thread 2.
    assert f"{ping + 1}\t" in seen["asleep"]
    assert f"{ping + 3}\t        pause" in seen["next"]
    assert "handler () at" in seen["awake"]
    assert f"{ping + 1}\t" in seen["back"]
