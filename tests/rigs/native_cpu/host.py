"""The processor of this host: `native.c`, built where there is a compiler."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from rigs.native_cpu import layout

if TYPE_CHECKING:
    from collections.abc import Sequence

SOURCE = Path(__file__).with_name("native.c")


def why_not() -> str | None:
    """Return why there is no such oracle here, or None."""
    if platform.machine() != "x86_64" or platform.system() != "Linux":
        return f"a Linux host of x86-64 is needed, and this is {platform.platform()}"
    return None if _compiler() else "there is no C compiler (cc, gcc or clang)"


def _compiler() -> str | None:
    found = (shutil.which(name) for name in ("cc", "gcc", "clang"))
    return next((each for each in found if each is not None), None)


def build(folder: Path) -> Path:
    """Compile the harness; `why_not` has said that it can be."""
    compiler = _compiler()
    assert compiler is not None
    program = folder / "native"
    subprocess.run([compiler, "-O2", "-o", str(program), str(SOURCE)], check=True)
    return program


def features() -> frozenset[str]:
    """Return what the processor of the host has, by the kernel's names."""
    for line in Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines():
        if line.startswith("flags"):
            return frozenset(line.partition(":")[2].split())
    return frozenset()


def run(program: Path, cases: Sequence[layout.Given]) -> list[layout.Result]:
    """Run all, in one process that only they can harm."""
    given = layout.POOL + b"".join(case.packed() for case in cases)
    done = subprocess.run([str(program)], input=given, capture_output=True, check=True)
    size = layout.RESULT.size
    assert len(done.stdout) == size * len(cases), "a program got out"
    return [
        layout.result(done.stdout[at : at + size])
        for at in range(0, len(done.stdout), size)
    ]
