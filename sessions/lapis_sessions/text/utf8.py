"""Text that goes into files, all of which are UTF-8.

Bytes of the command line that are not become half characters in Python, one each, with
which files of such names are found; nothing else has them.
"""

from __future__ import annotations

from lapis_sessions.errors import CommandError
from lapis_sessions.text.numerals import shown


def is_whole(text: str) -> bool:
    """Tell whether all of a text can be encoded."""
    return escaped(text) == text


def check(text: str, what: str) -> None:
    """Raise `CommandError` for text that cannot be encoded; `what` names it."""
    if not is_whole(text):
        raise CommandError(f"{what} {shown(text)} is not text in UTF-8")


def escaped(text: str) -> str:
    r"""Return a text with escapes for what cannot be encoded.

    >>> print(escaped("odd\udcff.bin"))
    odd\udcff.bin
    """
    return encode(text).decode()


def encode(text: str) -> bytes:
    """Return the bytes of a text, with the same escapes."""
    return text.encode("utf-8", "backslashreplace")
