"""Reading a file of symbols: what it is, is told from what is in it."""

from __future__ import annotations

from lapis_sessions import regular
from lapis_sessions.errors import SymbolsError
from lapis_sessions.symbols import elf, nm
from lapis_sessions.symbols.book import Source
from lapis_sessions.symbols.limits import MOST_BYTES
from lapis_sessions.text.visible import quoted_path


def load(path: str, offset: int = 0) -> Source:
    """Return what the file `path` names, `offset` added to each address.

    Raises `FileError` for one that cannot be read, `SymbolsError` for any that is not
    of symbols, or damaged.
    """
    data = regular.read(path, MOST_BYTES, "symbols")
    try:
        return read(path, data, offset)
    except SymbolsError as error:
        raise SymbolsError(f"symbols {quoted_path(path)}: {error}") from None


def read(name: str, data: bytes, offset: int = 0) -> Source:
    """Return what the bytes of a file name; raise `SymbolsError`."""
    if elf.is_elf(data):
        table, lines = elf.read(data, offset)
        frames = elf.call_frames(data, offset)
        return Source(name, "ELF", table, lines, offset, frames)
    if nm.is_nm(data):
        return Source(name, "nm", nm.read(data, offset), offset=offset)
    raise SymbolsError(
        "it is neither an ELF file nor a list as nm writes it (System.map)"
    )
