"""Wires of a value change dump: what each is called, and when it changes.

Of one moment the last values are told: what lies between two events of one ns no viewer
can show, and a pulse is told whatever follows. Names, values and identifiers are those
of IEEE 1364 "Value change dump (VCD) files".
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST, LETTERS = ord("!"), ord("~") - ord("!") + 1
"""Letters of identifiers: the printable ones of ASCII but the blank."""
WITHIN_VCPU = 2
"""Scopes around the wires of a vCPU; what lies deeper is in the order of names."""
NOBODY = None
"""Value of a wire that nobody drives, which viewers draw between low and high."""

Value = int | None


@dataclass(frozen=True, slots=True)
class Wire:
    """A wire, or a place for pulses."""

    scope: tuple[str, ...]
    name: str
    bits: int
    code: str
    kind: Literal["wire", "event"] = "wire"

    @property
    def declared(self) -> str:
        """The line that declares it."""
        tail = f" [{self.bits - 1}:0]" if self.bits > 1 else ""
        return f"$var {self.kind} {self.bits} {self.code} {self.name}{tail} $end\n"

    def line(self, value: Value) -> str:
        """Return the line that gives it a value."""
        if self.bits == 1:
            return f"{'z' if value is None else value}{self.code}\n"
        return f"b{'z' if value is None else f'{value:b}'} {self.code}\n"


@dataclass(slots=True)
class Waves:
    """The wires, and their changes so far, packed: a trace repeats itself a lot."""

    wires: list[Wire] = field(default_factory=list)
    start: int = 0
    """ns at which the first values are."""
    _first: dict[Wire, Value] = field(default_factory=dict)
    _shown: dict[Wire, Value] = field(default_factory=dict)
    _put: dict[Wire, Value] = field(default_factory=dict)
    _pulses: dict[Wire, None] = field(default_factory=dict)
    _at: int = 0
    _packer: zlib._Compress = field(default_factory=lambda: zlib.compressobj(1))
    _packed: list[bytes] = field(default_factory=list)

    def wire(
        self,
        scope: tuple[str, ...],
        name: str,
        bits: int = 1,
        kind: Literal["wire", "event"] = "wire",
    ) -> Wire:
        """Make a wire, which is 0 until it is put to something else."""
        made = Wire(scope, name, bits, code(len(self.wires)), kind)
        self.wires.append(made)
        return made

    def put(self, wire: Wire, value: Value) -> None:
        """Give a wire a value at the present moment."""
        self._put[wire] = value

    def pulse(self, wire: Wire) -> None:
        """Let a wire of the kind event pulse at the present moment."""
        self._pulses[wire] = None

    def begin(self, at: int) -> None:
        """Take what was put so far for the values at the beginning."""
        self.start = self._at = at
        self._first, self._put = self._put, {}
        self._shown = dict(self._first)

    def move(self, at: int) -> None:
        """Go on to another moment, if it is one; time never goes back."""
        if at > self._at:
            self._write()
            self._at = at

    def _write(self) -> None:
        shown = self._shown
        rows = [
            wire.line(value)
            for wire, value in self._put.items()
            if shown.get(wire, 0) != value
        ]
        rows += [f"1{wire.code}\n" for wire in self._pulses]
        if rows:
            self._pack(f"#{self._at}\n{''.join(rows)}")
        shown.update(self._put)
        self._put.clear()
        self._pulses.clear()

    def _pack(self, text: str) -> None:
        if piece := self._packer.compress(text.encode()):
            self._packed.append(piece)

    def pieces(self) -> Iterator[bytes]:
        """Yield the declarations, the first values and the changes; it ends with it."""
        self._write()
        self._pack(f"#{self._at + 1}\n")  # so that the last values are seen for a while
        self._packed.append(self._packer.flush())
        yield "".join(self._declarations()).encode()
        rows = [f"#{self.start}\n$dumpvars\n"]
        rows += [
            wire.line(self._first.get(wire, 0))
            for wire in self.wires
            if wire.kind == "wire"
        ]
        yield "".join([*rows, "$end\n"]).encode()
        unpacker = zlib.decompressobj()
        for piece in self._packed:
            if plain := unpacker.decompress(piece):
                yield plain

    def _declarations(self) -> Iterator[str]:
        """Yield the wires within their scopes."""
        inside: tuple[str, ...] = ()
        for wire in sorted(self.wires, key=_order):
            while inside != wire.scope[: len(inside)]:
                inside = inside[:-1]
                yield "$upscope $end\n"
            for name in wire.scope[len(inside) :]:
                yield f"$scope module {name} $end\n"
            inside = wire.scope
            yield wire.declared
        yield "$upscope $end\n" * len(inside)
        yield "$enddefinitions $end\n"


def code(number: int) -> str:
    """Return the identifier of wire `number`.

    >>> code(0), code(93), code(94)
    ('!', '~', '!!')
    """
    out = chr(FIRST + number % LETTERS)
    while number := number // LETTERS:
        number -= 1
        out += chr(FIRST + number % LETTERS)
    return out


def _order(wire: Wire) -> tuple[object, ...]:
    """Put vcpu10 behind vcpu9, and vectors in the order of their numbers."""
    heads = ((name.rstrip("0123456789"), name) for name in wire.scope)
    scope = tuple((head, int(name[len(head) :] or -1)) for head, name in heads)
    return scope, wire.name if len(scope) > WITHIN_VCPU else ""
