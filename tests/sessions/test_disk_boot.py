"""SeaBIOS boots from the disk, and what is written there is there the next time.

The boot sector is `tests/guests/boot-sector.asm`: it counts its starts on the disk.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions

ROMS = [Path(f"/usr/share/seabios/{name}.bin") for name in ("bios", "bios-256k")]
SECTOR = Path(__file__).parents[1] / "guests" / "boot-sector.bin"
SAYS = b"%d times written\r\n"


@pytest.mark.parametrize("rom", ROMS, ids=lambda rom: rom.stem)
def test_seabios_boots_from_the_disk_three_times(rom: Path, tmp_path: Path) -> None:
    if not rom.exists():
        pytest.skip(f"{rom} is not installed")
    image, disk = SECTOR.read_bytes().ljust(1 << 20, b"\0"), tmp_path / "disk"
    disk.write_bytes(image)
    options = SessionOptions(
        firmware=str(rom), cpus=1, memory="16M", disk=str(disk), on_reset="reboot"
    )
    machine = open_session(options, discover().extensions).machine
    assert machine.run(100_000_000).reason == "halted"
    assert bytes(machine.consoles["com1"]) == b"".join(SAYS % n for n in (1, 2, 3))
    assert disk.read_bytes() == image
    machine.close()
