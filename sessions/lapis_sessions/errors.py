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


class LeavesBranchError(SessionError):
    """An act in the past is not what was done then, and may not fork."""

    title = "Leaves the branch"

    def __init__(self, branch: str, new: str) -> None:
        """Say which branch is left for which new one, both fit to be shown."""
        super().__init__(f"this leaves {branch} for {new}; nothing was done")
        self.branch = branch
        self.new = new


class ReadOnlyError(SessionError):
    """An act is not what was done, and the session only looks at what was."""

    title = "Read only"

    def __init__(self) -> None:
        """Say how to go on all the same."""
        super().__init__(
            "read only: that is not what was done here, and nothing was done; fork "
            "goes on from here on a branch"
        )


class TurnedBackError(SessionError):
    """A way to another point was broken off; the machine is where it was."""

    title = "Broken off"


class LeftError(TurnedBackError):
    """A way was broken off by who ends: the machine stands on the way, at a checkpoint.

    To bring it back to where it was may take as long as the way, and nobody looks.
    """


class MemoryLimitError(SessionError):
    """A way along what was done took the process over its memory limit."""

    title = "Memory limit"


class SymbolsError(SessionError):
    """A file or a memory has no symbols that can be read."""

    title = "Bad symbols"


class RecordingError(SessionError):
    """A recording cannot be read, or does not fit."""

    title = "Bad recording"


class MisplacedError(SessionError):
    """A machine is not where its history says: something moved it unseen."""

    title = "Internal error"

    def __init__(self, wanted: str, came: str) -> None:
        """Say where the history is and where the machine; both are in words."""
        super().__init__(
            f"internal error: the machine was at {came} and its history is at "
            f"{wanted}; nothing was done or recorded, and the machine was put back"
        )
