"""Guests by name or by file: their bytes, and the symbols that come with them.

Nothing here decides how an image is loaded; `setup` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from importlib import resources
from pathlib import Path

from lapis_sessions import regular
from lapis_sessions.errors import GuestError
from lapis_sessions.regular import FileError, NoFileError

MAX_KERNEL = 256 << 20
"""Largest file that is read as a guest, bytes."""
MAX_FIRMWARE = 16 << 20
FLAT_SUFFIX = ".bin"
"""A file of this name needs no header: it is a flat binary if it has none."""


@dataclass(frozen=True, slots=True)
class Image:
    """What was read."""

    name: str
    """As the user wrote it."""
    data: bytes
    is_flat: bool
    """Whether it may be without any header."""
    symbols: tuple[tuple[str, int], ...] = ()
    """(name, linear address), ascending by address."""


def names() -> list[str]:
    """Return the names of the embedded guests."""
    folder = resources.files("lapis_sessions") / "guests"
    found = (Path(entry.name) for entry in folder.iterdir())
    return sorted(path.stem for path in found if path.suffix == ".bin")


def summaries() -> dict[str, str]:
    """Return what each embedded guest is about, by name: its source begins with it."""
    folder = resources.files("lapis_sessions") / "guests"
    found = {}
    for name in names():
        with (folder / f"{name}.asm").open(encoding="utf-8") as file:
            found[name] = file.readline().removeprefix(f"; {name}: ").strip()
    return found


def find(argument: str) -> Image:
    """Return the embedded guest or the file `argument`; raise `GuestError`."""
    if argument in names():
        return _embedded(argument)
    data = read_file(argument, MAX_KERNEL, "guest")
    return Image(argument, data, is_flat=argument.endswith(FLAT_SUFFIX))


def firmware(argument: str) -> Image:
    """Return the firmware file `argument`; raise `GuestError`."""
    data = read_file(argument, MAX_FIRMWARE, "firmware")
    return Image(argument, data, is_flat=False)


def _embedded(name: str) -> Image:
    folder = resources.files("lapis_sessions") / "guests"
    rows = (folder / f"{name}.sym").read_text("ascii").splitlines()
    pairs = (row.split() for row in rows)
    symbols = tuple((label, int(where, 16)) for where, label in pairs)
    return Image(name, (folder / f"{name}.bin").read_bytes(), True, symbols)  # noqa: FBT003


def read_file(argument: str, most: int, what: str) -> bytes:
    """Return a regular file of at most `most` bytes; raise `GuestError` naming it."""
    try:
        return regular.read(argument, most, what)
    except NoFileError:
        raise GuestError(_unknown(argument, what)) from None
    except FileError as error:
        raise GuestError(str(error)) from None


def _unknown(argument: str, what: str) -> str:
    if what != "guest" or "/" in argument:
        return f"{what} {argument!r}: there is no such file"
    known = names()
    near = get_close_matches(argument, known, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return (
        f"{argument!r} is neither an embedded guest ({', '.join(known)}) "
        f"nor a file{hint}"
    )
