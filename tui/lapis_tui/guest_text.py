r"""What a guest prints, made fit to stream to a terminal: text and harmless moves.

A serial console is more than lines: shells move the cursor, erase and colour. So of
the sequences of ECMA-48 those pass that do just that, and only to a terminal. All else
is left out: what renames a terminal, asks it to answer, switches its modes or reads its
clipboard, and every control character that is no white space or backspace.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

PASSING: Final = frozenset("ABCDEFGHJKdfm")
"""Final characters of the control sequences that pass: cursor, erase, colour."""
PARAMETERS: Final = re.compile(r"[0-9;]{0,32}")
MOST: Final = 64
"""Characters of a sequence that are kept; a longer one is left out."""
BLANKS: Final = frozenset("\n\r\t\b")
ESC: Final = "\x1b"
BEL: Final = "\x07"
ST: Final = "\\"
"""Behind ESC: the end of a string."""
STRINGS: Final = frozenset("PX]^_")
"""Behind ESC: DCS, SOS, OSC, PM and APC, which go on to ST."""
RESET: Final = "\x1b[0m"
"""Takes colours back that a guest has left."""


class Filter:
    """What comes of the bytes of one console, piece by piece."""

    def __init__(self, *, is_terminal: bool) -> None:
        """Begin within no sequence. Without a terminal there are lines alone."""
        self._is_terminal = is_terminal
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._sequence = ""
        """What has come of a sequence, or nothing outside of one."""
        self._is_string = False
        """A string goes on, of which nothing is kept."""

    def feed(self, data: bytes) -> str:
        """Return what is to be shown of the next bytes."""
        return "".join(map(self._take, self._decoder.decode(data)))

    def _take(self, char: str) -> str:
        if char == ESC:
            self._sequence = ESC
            return ""
        if self._sequence:
            return self._within(char)
        if self._is_string:
            self._is_string = char != BEL
            return ""
        if char == "\r" and not self._is_terminal:
            return ""
        return char if char.isprintable() or char in BLANKS else ""

    def _within(self, char: str) -> str:
        """Go on in a sequence; return it whole when it ends, if it passes."""
        begun = self._sequence
        if begun == ESC:
            # ESC \ ends a string, any other ESC begins something new.
            was_string, self._is_string = self._is_string, char in STRINGS
            if self._is_string or (was_string and char == ST):
                self._sequence = ""
                return ""
        whole = self._sequence = begun + char
        is_control = begun.startswith("\x1b[")
        final = "@" <= char <= "~" if is_control else char not in " !\"#$%&'()*+,-./"
        if whole == "\x1b[" or (not final and len(whole) < MOST):
            return ""
        self._sequence = ""
        passes = is_control and char in PASSING and PARAMETERS.fullmatch(whole[2:-1])
        return whole if passes and self._is_terminal else ""
