"""Compiles what of the engine is C, when Lapis is installed or packed.

It is optional: without a compiler, or when it fails, Lapis works as well and slower,
and says so (`lapis --version`).
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CPU = Path("engine/lapis_engine/cpu")
SOURCES = ("blocks.c", "plain.c", "answers.c")
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-O2", "-fPIC", "-shared", "-std=gnu11")


class Blocks(BuildHookInterface[Any]):
    """Compiles `SOURCES` beside themselves, for x86-64 Linux, where it is proved."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before files are collected; a wheel with it is of this platform."""
        del version
        folder = Path(self.root) / CPU
        target = folder / "libblocks.so"
        if self.target_name != "wheel":
            return
        trouble = compiled([folder / name for name in SOURCES], target)
        if trouble is not None:
            self.app.display_warning(f"lapis: counting by instruction: {trouble}")
            return
        build_data["artifacts"].append(str(target.relative_to(self.root)))
        build_data["pure_python"] = False
        build_data["tag"] = "py3-none-linux_x86_64"


def compiled(sources: list[Path], target: Path) -> str | None:
    """Compile `sources` to `target`; return why there is no target, or None.

    What an earlier install has left goes first: it may be of another source.
    """
    try:
        target.unlink(missing_ok=True)
    except OSError as error:
        return f"{target.name} cannot be replaced: {error.strerror}"
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        return "the fast core is for Linux on x86-64"
    named = shlex.split(os.environ.get("CC", ""))
    found = named or [it for it in COMPILERS if shutil.which(it)][:1]
    if not found:
        return "there is no C compiler (cc, gcc or clang)"
    command = [*found, *FLAGS, *map(str, sources), "-o", str(target)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return f"{found[0]} does not run: {error.strerror}"
    if done.returncode:
        target.unlink(missing_ok=True)
        return f"{found[0]} failed: {done.stderr.strip()[-400:]}"
    return None
