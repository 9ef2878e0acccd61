"""The sample kernel with planted bugs: built from its source, and fine by itself."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from guests import smp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lapis_sessions.session import Session

NASM = shutil.which("nasm")


@pytest.mark.skipif(NASM is None, reason="nasm is not installed")
@pytest.mark.parametrize("name", smp.VARIANTS)
def test_each_variant_is_what_nasm_makes_of_the_source(
    name: str, tmp_path: Path
) -> None:
    out = tmp_path / "out.bin"
    subprocess.run([str(NASM), *smp.arguments(name, out)], check=True)
    assert out.read_bytes() == smp.kernel(name).read_bytes()


@pytest.mark.parametrize("name", smp.VARIANTS)
def test_no_bug_shows_where_turns_are_long(
    name: str, opened: Callable[..., Session]
) -> None:
    session = opened(str(smp.kernel(name)), memory="16M")  # quantum 10,000
    assert session.run(1_000_000).text == "poweroff: isa-debug-exit: guest wrote 0x0"
    assert session.machine.consoles["com1"] == b"passed"
