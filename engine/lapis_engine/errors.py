"""What callers of the engine can do wrong. A guest never raises any of these."""

from __future__ import annotations


class LapisError(Exception):
    """Base of every error whose text is meant for the user."""

    title = "Lapis error"
    """A few words that head the message in every front end."""


class EngineError(LapisError):
    """The engine was asked for something that it cannot do."""

    title = "Engine error"


class ConfigError(EngineError):
    """A machine was described that cannot be built."""

    title = "Bad configuration"


class ImageError(ConfigError):
    """A firmware or kernel image is not what it should be."""

    title = "Bad image"


class UnknownImageError(ImageError):
    """An image is of no kind that is known, and nobody said that it is flat."""


class ProcessorError(EngineError):
    """The processor library underneath is not one that Lapis knows."""

    title = "Unsupported processor library"


class UnmappedError(EngineError):
    """The user asked for guest memory that is not there."""

    title = "Nothing mapped"

    def __init__(self, address: int, size: int, why: str = "no RAM or ROM") -> None:
        """Report that `size` bytes from `address` cannot be had because of `why`."""
        super().__init__(f"{size} bytes at {address:#x}: {why}")
        self.address = address
        self.size = size


class EntryError(EngineError):
    """An entry command was refused with an errno; nothing moved.

    `vm_run` of bhyve returns the errno and leaves no exit record.
    """

    title = "Entry refused"

    def __init__(self, errno: str, why: str) -> None:
        """Report `errno` ("EINVAL", "EBUSY") and the rule that was broken."""
        super().__init__(f"{errno}: {why}")
        self.errno = errno
        self.why = why
