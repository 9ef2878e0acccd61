r"""Bytes as people type them: text with the escapes of C for what has no key.

`\n`, `\r`, `\t`, `\e` for escape, `\\` and `\xNN`; everything else is itself, in UTF-8.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from lapis_sessions.errors import CommandError
from lapis_sessions.text.numerals import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

ESCAPES: Final[Mapping[str, bytes]] = MappingProxyType(
    {"n": b"\n", "r": b"\r", "t": b"\t", "e": b"\x1b", "\\": b"\\"}
)
_PIECE: Final = re.compile(r"\\(?:x[0-9a-fA-F]{2}|.|$)|[^\\]+", re.DOTALL)


def read(text: str, what: str) -> bytes:
    r"""Return the bytes that a text stands for; raise `CommandError` naming `what`.

    >>> read(r"ls\n\x03", "type"), read("\u00e4", "type")
    (b'ls\n\x03', b'\xc3\xa4')
    """
    return b"".join(_bytes(piece, text, what) for piece in _PIECE.findall(text))


def _bytes(piece: str, text: str, what: str) -> bytes:
    if not piece.startswith("\\"):
        return _encoded(piece, text, what)
    if piece[1:] in ESCAPES:
        return ESCAPES[piece[1:]]
    if len(piece) > 2:
        return bytes.fromhex(piece[2:])
    raise CommandError(
        f"{what}: {piece!r} in {shown(text)} is no escape: there are \\n, \\r, \\t, "
        f"\\e, \\xNN and \\\\"
    )


def _encoded(piece: str, text: str, what: str) -> bytes:
    try:
        # What the command line could not decode is in it as half characters.
        return piece.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise CommandError(f"{what} {shown(text)} is not text in UTF-8") from None


def written(data: bytes) -> str:
    r"""Return text that `read` reads as `data`, in ASCII.

    >>> print(written(b"login: \r\n\xff\\"))
    login: \r\n\xff\\
    """
    names = {value[0]: f"\\{name}" for name, value in ESCAPES.items()}
    return "".join(
        names.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}")
        for byte in data
    )
