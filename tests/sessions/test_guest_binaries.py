"""The guests' binaries are what their sources assemble to, byte for byte.

A checkout runs without an assembler; so the binaries are kept, and this is what
keeps them honest. To rewrite them all after a change to a source:
`python tests/sessions/test_guest_binaries.py`.
"""

import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "sessions" / "lapis_sessions" / "guests"
FOLDERS = (SHIPPED, ROOT / "tests" / "guests")
SOURCES = sorted(path for folder in FOLDERS for path in folder.glob("*.asm"))
NASM = shutil.which("nasm")

# A line of the map: a label's place in the file, its address, its name. The
# constants, without a section, have one number only.
LABEL = re.compile(r"^ +[0-9A-F]+ +([0-9A-F]+)  (\S+)$", re.MULTILINE)


def assemble(source: Path) -> tuple[bytes, str]:
    """The binary of a guest, and its labels as lines of "address name"."""
    assert NASM is not None
    with TemporaryDirectory() as folder:
        binary, listing = Path(folder, "bin"), Path(folder, "map")
        command = [NASM, "-f", "bin", "-o", str(binary), source.name]
        command += ["--before", f"[map symbols {listing}]"]
        subprocess.run(command, cwd=source.parent, check=True)
        labels = LABEL.findall(listing.read_text())
        places = sorted((int(address, 16), name) for address, name in labels)
        lines = [f"{address:08x} {name}\n" for address, name in places]
        return binary.read_bytes(), "".join(lines)


needs_nasm = pytest.mark.skipif(NASM is None, reason="nasm is not installed")


def name_of(path: Path) -> str:
    return path.stem


@needs_nasm
@pytest.mark.parametrize("source", SOURCES, ids=name_of)
def test_the_binary_is_what_the_source_assembles_to(source: Path) -> None:
    assert assemble(source)[0] == source.with_suffix(".bin").read_bytes()


@needs_nasm
@pytest.mark.parametrize("symbols", sorted(SHIPPED.glob("*.sym")), ids=name_of)
def test_the_symbols_are_the_labels_of_the_source(symbols: Path) -> None:
    assert assemble(symbols.with_suffix(".asm"))[1] == symbols.read_text()


def test_each_source_has_its_files_beside_it() -> None:
    shipped = {path.stem for path in SHIPPED.glob("*.asm")}
    assert shipped == {path.stem for path in SHIPPED.glob("*.sym")}
    for folder in FOLDERS:
        sources = {path.stem for path in folder.glob("*.asm")}
        assert sources
        assert sources == {path.stem for path in folder.glob("*.bin")}


def rewrite() -> None:
    for source in SOURCES:
        binary, symbols = assemble(source)
        source.with_suffix(".bin").write_bytes(binary)
        if source.parent == SHIPPED:
            source.with_suffix(".sym").write_text(symbols)


if __name__ == "__main__":
    rewrite()
