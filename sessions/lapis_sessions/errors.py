"""What users of a session can do wrong, beside what the engine refuses."""

from __future__ import annotations

from lapis_engine.errors import LapisError


class SessionError(LapisError):
    """A session could not do what it was asked for."""

    title = "Session error"


class GuestError(SessionError):
    """A guest or a file was named that cannot be had."""

    title = "Bad guest"


class CommandError(SessionError):
    """A command line is not one."""

    title = "Bad command"


class RecordingError(SessionError):
    """A recording cannot be read, or does not fit."""

    title = "Bad recording"
