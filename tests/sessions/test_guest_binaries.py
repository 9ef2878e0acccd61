"""The guests' binaries are what their sources assemble to, byte for byte.

A checkout runs without an assembler; so the binaries are kept, and this is what
keeps them honest; `test_smp_kernel` does for the one source that makes several. To
rewrite them all after a change to a source:
`python tests/sessions/test_guest_binaries.py`.
"""

from pathlib import Path

import pytest
from guests import smp
from rigs import assembling

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "sessions" / "lapis_sessions" / "guests"
FOLDERS = (SHIPPED, ROOT / "tests" / "guests")
SOURCES = sorted(
    path for folder in FOLDERS for path in folder.glob("*.asm") if path != smp.SOURCE
)


def assemble(source: Path) -> tuple[bytes, str]:
    """The binary of a guest, and its labels as lines of "address name"."""
    binary, labels = assembling.assemble(source)
    return binary, "".join(f"{address:08x} {name}\n" for address, name in labels)


needs_nasm = pytest.mark.skipif(assembling.NASM is None, reason="nasm is not installed")


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
        sources = {path.stem for path in SOURCES if path.parent == folder}
        assert sources
        several = {smp.kernel(name).stem for name in smp.VARIANTS}
        assert sources == {path.stem for path in folder.glob("*.bin")} - several


def rewrite() -> None:
    for source in SOURCES:
        binary, symbols = assemble(source)
        source.with_suffix(".bin").write_bytes(binary)
        if source.parent == SHIPPED:
            source.with_suffix(".sym").write_text(symbols)


if __name__ == "__main__":
    rewrite()
