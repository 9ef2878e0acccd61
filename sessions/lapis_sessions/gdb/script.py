"""Where the file is that Lapis has for gdb."""

from __future__ import annotations

from pathlib import Path
from typing import Final

IN_GDB: Final = Path(__file__).with_name("in_gdb.py")
"""gdb's user has it with `source`: 16-bit code is then disassembled as such."""
