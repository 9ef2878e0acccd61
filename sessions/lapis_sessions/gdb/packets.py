"""Packets of the remote serial protocol: `$body#checksum`, acknowledgements, 0x03.

Source: GDB manual "Remote Protocol Overview", "Packet Acknowledgment", "Interrupts".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE: Final = 0x1_0000
"""Bytes of a packet that is announced (`PacketSize`)."""
LARGEST: Final = 1 << 20
"""Bytes of a body that is taken; a longer one is dropped while it comes."""
INTERRUPT: Final = 3
ESCAPE: Final = ord("}")
FLIPPED: Final = 0x20
"""What an escaped byte is changed by."""
SPECIAL: Final = frozenset(b"$#}*")


class Arrival(Enum):
    """What came that is no packet."""

    ACK = "+"
    NAK = "-"
    INTERRUPT = "0x03"
    BROKEN = "a packet with a wrong checksum"
    TOO_LONG = "a packet that is too long"


@dataclass(slots=True)
class Framer:
    """Finds packets in what comes, in whatever pieces; all else is passed over."""

    _body: bytearray | None = None
    """Of the packet that is coming; None between packets."""
    _sum: bytearray = field(default_factory=bytearray)
    """Digits of its checksum; `#` is the first of them."""
    _is_long: bool = False

    def take(self, data: bytes) -> Iterator[bytes | Arrival]:
        """Return the bodies and the rest that `data` completes, in their order."""
        at = 0
        while at < len(data):
            if self._body is None:
                byte, at = data[at], at + 1
                found = self._between(byte)
                if found is not None:
                    yield found
            elif not self._sum:
                at = self._within(data, at)
            else:
                self._sum.append(data[at])
                at += 1
                if len(self._sum) == 3:
                    yield self._ended()

    def _between(self, byte: int) -> Arrival | None:
        match byte:
            case 0x24:  # $
                self._begin()
            case 0x2B:
                return Arrival.ACK
            case 0x2D:
                return Arrival.NAK
            case 3:
                return Arrival.INTERRUPT
            case _:
                pass
        return None

    def _begin(self) -> None:
        self._body, self._is_long = bytearray(), False
        self._sum.clear()

    def _within(self, data: bytes, at: int) -> int:
        """Take what belongs to the body; return where the rest begins."""
        assert self._body is not None
        end = data.find(b"#", at)
        piece = data[at : len(data) if end < 0 else end]
        again = piece.rfind(b"$")
        if again >= 0:  # `$` is never within a body: one was cut off
            self._begin()
            piece = piece[again + 1 :]
        self._is_long |= len(self._body) + len(piece) > LARGEST
        if self._is_long:
            self._body.clear()
        else:
            self._body += piece
        if end < 0:
            return len(data)
        self._sum += b"#"
        return end + 1

    def _ended(self) -> bytes | Arrival:
        assert self._body is not None
        body, self._body = bytes(self._body), None
        digits = bytes(self._sum[1:])
        self._sum.clear()
        if self._is_long:
            return Arrival.TOO_LONG
        is_right = digits.lower() == b"%02x" % (sum(body) & 0xFF)
        return body if is_right else Arrival.BROKEN


def framed(body: bytes) -> bytes:
    """Return a packet.

    >>> framed(b"OK")
    b'$OK#9a'
    """
    return b"$%s#%02x" % (body, sum(body) & 0xFF)


def escaped(data: bytes) -> bytes:
    """Return binary data as it stands in a packet."""
    if not SPECIAL.intersection(data):
        return data
    out = bytearray()
    for byte in data:
        out += bytes((ESCAPE, byte ^ FLIPPED)) if byte in SPECIAL else bytes((byte,))
    return bytes(out)


def unescaped(data: bytes) -> bytes:
    """Return the binary data of a packet; an escape at the end stands for nothing."""
    head, *rest = data.split(b"}")
    out = bytearray(head)
    pieces = iter(rest)
    for piece in pieces:
        if piece:
            out.append(piece[0] ^ FLIPPED)
            out += piece[1:]
        else:  # an escaped escape, which splits like two
            out.append(ESCAPE ^ FLIPPED)
            out += next(pieces, b"")
    return bytes(out)
