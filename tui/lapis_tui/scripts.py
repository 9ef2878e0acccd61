"""Files of command lines."""

from __future__ import annotations

import sys

from lapis_sessions.errors import SessionError

MAX_SCRIPT = 1 << 20
"""Bytes of the largest script."""


def script(path: str) -> list[str]:
    """Return the commands of a file, `-` for standard input; raise `SessionError`.

    Empty lines and lines that begin with `#` are left out.
    """
    from lapis_sessions.guests import read_file  # noqa: PLC0415 - rarely wanted

    data = _standard_input() if path == "-" else read_file(path, MAX_SCRIPT, "script")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise SessionError(f"script {path!r} is not text in UTF-8") from None
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _standard_input() -> bytes:
    """Return all of it, which is nothing when it is closed."""
    if sys.stdin is None:
        return b""
    try:
        data = sys.stdin.buffer.read(MAX_SCRIPT + 1)
    except OSError as error:
        why = f"standard input cannot be read: {error.strerror}"
        raise SessionError(why) from None
    if len(data) > MAX_SCRIPT:
        why = f"standard input has more than {MAX_SCRIPT} bytes, the most of a script"
        raise SessionError(why)
    return data
