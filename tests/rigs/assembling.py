"""Guests out of their sources, for tests that have an assembler: nasm."""

import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

NASM = shutil.which("nasm")

# A line of the map: a label's place in the file, its address, its name. The
# constants, without a section, have one number only.
LABEL = re.compile(r"^ +[0-9A-F]+ +([0-9A-F]+)  (\S+)$", re.MULTILINE)


def assemble(source: Path, *folders: Path) -> tuple[bytes, list[tuple[int, str]]]:
    """The binary of a guest, and its labels by address.

    What it includes is beside it, or in `folders`.
    """
    assert NASM is not None
    with TemporaryDirectory() as folder:
        binary, listing = Path(folder, "bin"), Path(folder, "map")
        command = [NASM, "-f", "bin", "-o", str(binary), source.name]
        command += ["--before", f"[map symbols {listing}]"]
        for included in folders:
            command += ["-I", f"{included}/"]
        subprocess.run(command, cwd=source.parent, check=True)
        labels = LABEL.findall(listing.read_text())
        places = sorted((int(address, 16), name) for address, name in labels)
        return binary.read_bytes(), places
