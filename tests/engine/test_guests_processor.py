"""Guests that find from inside what the processor does: `tests/guests/processor-*`.

They check themselves, by numbers of the SDM, as those of `test_guests_fabric` do; QEMU
runs them, too (`tests/guests/qemu.py`).
"""

import re

import pytest
from rigs.machines import GUESTS, guest

from lapis_engine.vmm import exits

FAR = 1_000_000
CHECKS = {"calls": 43, "registers": 31, "debug": 26, "tasks": 118}
"""How many checks a guest makes: none may be left out."""


@pytest.mark.parametrize("name", CHECKS)
def test_the_guest_finds_what_the_sdm_says(name: str) -> None:
    m = guest(f"processor-{name}")
    stop = m.run(FAR)
    lines = m.consoles["com1"].decode().splitlines()
    assert [line for line in lines if not re.match(r"ok \d+ ", line)] == []
    assert len(lines) == CHECKS[name]
    assert isinstance(stop.exit, exits.SuspendedExit)
    assert (stop.exit.how, stop.exit.status) == ("poweroff", 1)


def test_every_guest_is_run() -> None:
    assert {path.stem for path in GUESTS.glob("processor-*.asm")} == {
        f"processor-{name}" for name in CHECKS
    }
