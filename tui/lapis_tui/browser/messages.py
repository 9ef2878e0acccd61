"""What a page says: the messages of `textual.js`, and no others."""

from __future__ import annotations

from typing import Final

import msgspec

from lapis_engine.errors import LapisError

MOST_BYTES: Final = 1 << 20
"""Of one message: what is pasted at once is one."""


class MessageError(LapisError):
    """A page said what ours never says."""


class Keys(msgspec.Struct, array_like=True, tag="stdin", frozen=True):
    """What was typed, pasted or done with the mouse, as a terminal sends it."""

    text: str


class Extent(msgspec.Struct, frozen=True):
    """A size in cells; null where the page has none yet."""

    width: int | None
    height: int | None


class Resize(msgspec.Struct, array_like=True, tag="resize", frozen=True):
    """The terminal has another size."""

    extent: Extent


class Ping(msgspec.Struct, array_like=True, tag="ping", frozen=True):
    """The page wants its text back."""

    text: str


class Focus(msgspec.Struct, array_like=True, tag="focus", frozen=True):
    """The page has the keyboard."""


class Blur(msgspec.Struct, array_like=True, tag="blur", frozen=True):
    """It has it no more."""


Message = Keys | Resize | Ping | Focus | Blur
_DECODER: Final[msgspec.json.Decoder[Message]] = msgspec.json.Decoder(Message)


def read(text: str) -> Message:
    """Read one message; raises `MessageError`."""
    try:
        return _DECODER.decode(text.encode())
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise MessageError(f"no message of a page: {error}") from None
