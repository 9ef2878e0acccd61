"""What is done when Lapis is installed: C is compiled, and on request the Python, too.

Both are optional: without a compiler, or when it fails, Lapis works as well and slower,
and says so (`lapis --version`). The C is compiled wherever that can be done; the Python
where the environment has LAPIS_COMPILE=1 (`build_python.py`).
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ENGINE = Path("engine/lapis_engine")
CPU = ENGINE / "cpu"
SOURCES = ("blocks.c", "plain.c", "answers.c")
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-O2", "-fPIC", "-shared", "-std=gnu11")
WISH = "LAPIS_COMPILE"
"""Environment variable that asks for the engine's Python to be compiled."""
NEEDS = ("mypy>=2.4,<3", "setuptools>=77")
"""What compiles Python: mypyc, which comes with mypy, and how it calls the compiler."""
PAGES = {
    "docs/pages": "lapis_tui/docs/pages",
    "docs/mkdocs.yml": "lapis_tui/docs/mkdocs.yml",
}
"""The documentation, which `lapis docs` shows, and where it goes in a wheel."""
SECONDS = 3600.0
"""After which compiling Python is given up; it takes some minutes."""


class Compiled(BuildHookInterface[Any]):
    """Compiles, and says of which platforms the wheel is then."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Return what the build needs beside hatchling."""
        return list(NEEDS) if is_wished() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before files are collected."""
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        if version != "editable":  # there `lapis docs` finds them in the checkout
            build_data["force_include"] |= {
                str(root / a): to for a, to in PAGES.items()
            }
        target = root / CPU / "libblocks.so"
        trouble = compile_c([root / CPU / name for name in SOURCES], target)
        if trouble is None:
            build_data["artifacts"].append(str(target.relative_to(root)))
            build_data["pure_python"] = False
            build_data["tag"] = "py3-none-linux_x86_64"
        else:
            self.app.display_warning(f"lapis: counting by instruction: {trouble}")
        self._out = Path(tempfile.mkdtemp(prefix="lapis-build-"))
        made: dict[Path, str] = {}
        try:
            if version == "editable":
                clear(root / ENGINE)
            if is_wished():
                made = compile_python(root, self._out)
        except (OSError, subprocess.SubprocessError) as error:
            self.app.display_warning(f"lapis: the engine stays Python: {told(error)}")
        if not made:
            return
        build_data["pure_python"] = False
        build_data.pop("tag", None)
        build_data["infer_tag"] = True  # of this Python, too
        if version == "editable":
            for extension, place in made.items():
                shutil.copy(extension, root / "engine" / place)
        else:
            build_data["force_include"] |= {str(it): to for it, to in made.items()}

    def finalize(
        self, version: str, build_data: dict[str, Any], artifact_path: str
    ) -> None:
        """Throw away what lay outside of the tree."""
        del version, build_data, artifact_path
        if self.target_name == "wheel":
            shutil.rmtree(self._out, ignore_errors=True)


def is_wished() -> bool:
    """Tell whether the engine's Python is to be compiled."""
    return os.environ.get(WISH, "0") not in ("", "0")


def compile_c(sources: list[Path], target: Path) -> str | None:
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


def compile_python(root: Path, out: Path) -> dict[Path, str]:
    """Compile the engine's Python below `out`; return the extensions and their places.

    A process of its own does it: the compiler of Python ends the one that it is in when
    it does not like what it reads. Raises `OSError` or `SubprocessError` for a failure.
    """
    command = [sys.executable, str(root / "engine" / "build_python.py"), str(out)]
    subprocess.run(
        command, cwd=root, capture_output=True, text=True, check=True, timeout=SECONDS
    )
    made = sorted((out / "lib").rglob(f"*{EXTENSION_SUFFIXES[0]}"))
    return {each: each.relative_to(out / "lib").as_posix() for each in made}


def clear(engine: Path) -> None:
    """Delete the extensions that lie beside their sources: they are of older ones."""
    for old in engine.rglob(f"*{EXTENSION_SUFFIXES[0]}"):
        old.unlink()


def told(error: Exception) -> str:
    """Return the end of what a compiler complained of, or the error itself."""
    if isinstance(error, subprocess.CalledProcessError):
        return f"{error.stdout}{error.stderr}".strip()[-400:]
    return str(error)
