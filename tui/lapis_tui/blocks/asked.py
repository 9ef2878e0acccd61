"""What may be typed to answer a request, and how it reads."""

from __future__ import annotations

import re
from typing import Final

from lapis_sessions.errors import CommandError
from lapis_sessions.text import numerals

NUMBERS: Final = "0x1234, 1234, 0b1010, -1, 'A'"
"""What may be typed."""


def entered(text: str, size: int) -> int | str:
    """Read the answer to a read of `size` bytes; a string says why it is none.

    A negative number is taken in as many bits as there are, a character between
    quotes as its code.

    >>> entered("-1", 2), entered("'A'", 1), entered("0x100", 1)
    (65535, 65, '0x100 is too wide: 1 byte, 0xff at most')
    """
    text = text.strip()
    bits = 8 * size
    if len(text) == len("'A'") and text[0] == text[-1] == "'" and text.isascii():
        return ord(text[1])
    is_negative = text.startswith("-")
    try:
        value = numerals.number(text[1:] if is_negative else text, "answer")
    except CommandError:
        return f"{numerals.shown(text)} is not a number: {NUMBERS}"
    if value > (1 << bits - 1 if is_negative else (1 << bits) - 1):
        most = f"-{1 << bits - 1:#x}" if is_negative else f"{(1 << bits) - 1:#x}"
        return f"{text} is too wide: {bytes_of(size)}, {most} at most"
    return -value & (1 << bits) - 1 if is_negative else value


def is_begun(text: str) -> bool:
    """Tell whether what is typed is none yet, and may become a number.

    >>> is_begun(""), is_begun(" 0x"), is_begun("-"), is_begun("'"), is_begun("0")
    (True, True, True, True, False)
    """
    return re.fullmatch(r"-?(0[xXbBoO])?|'.?", text.strip()) is not None


def binary(value: int) -> str:
    """Return a number in binary, in groups of four.

    >>> binary(0x1FF), binary(0)
    ('0001 1111 1111', '0000')
    """
    digits = max(-(-value.bit_length() // 4), 1)
    return " ".join(f"{value >> 4 * n & 0xF:04b}" for n in reversed(range(digits)))


def bytes_of(size: int) -> str:
    """Return a number of bytes in words."""
    return f"{size} byte{'s' if size != 1 else ''}"
