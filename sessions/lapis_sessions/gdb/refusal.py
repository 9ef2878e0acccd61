"""What is answered by an error, and the numbers that packets begin with.

Source: GDB manual "Standard Replies"; the numbers are those of `errno`.
"""

from __future__ import annotations

from typing import Final

from lapis_sessions.errors import SessionError

BAD_PACKET: Final = 1
NO_THREAD: Final = 3
"""ESRCH."""
NO_MEMORY: Final = 0x14
UNFIT: Final = str.maketrans(dict.fromkeys("$#}*", "?"))
"""What cannot stand in an answer in words, which nobody unescapes."""


class PacketError(SessionError):
    """A packet is answered by an error."""

    title = "Bad packet"

    def __init__(self, number: int, why: str, *, in_words: bool = False) -> None:
        """Have the number for the packet, and words for whom they reach.

        `in_words` puts the words into the answer, where gdb shows it whole.
        """
        super().__init__(why)
        self.number = number
        self.in_words = in_words

    @property
    def answer(self) -> bytes:
        """The body of the packet."""
        if self.in_words:
            return f"E.{self}".translate(UNFIT).encode("ascii", "replace")
        return b"E%02x" % self.number


def in_hex(text: str, what: str) -> int:
    """Read a number in hex; raise `PacketError`.

    >>> in_hex("ff", "an address")
    255
    """
    digits = text.removeprefix("-")
    is_hex = all(c in "0123456789abcdefABCDEF" for c in digits)
    if not digits or not is_hex or len(digits) > 16:
        raise PacketError(BAD_PACKET, f"{text[:20]!r} is not {what} in hex")
    return int(text, 16)
