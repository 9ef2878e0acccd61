"""Every field of a machine's state by name, and a hash over all of them.

The same configuration and the same acts give the same fields on any machine: nothing
of the host is among them. What a hash is over is the state schema (`schema`).
"""

from __future__ import annotations

import hashlib
from dataclasses import MISSING, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Final

from lapis_engine.cpu.registers import GPR_NAMES, SEGMENT_NAMES
from lapis_engine.replay import pages
from lapis_engine.replay.kinds import kind_of
from lapis_engine.replay.parts import RAW, parts
from lapis_engine.units import PAGE
from lapis_engine.vmm import unreached

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lapis_engine.cpu.registers import Registers
    from lapis_engine.machine.machine import Machine
    from lapis_engine.replay.pages import Block, Pages
    from lapis_engine.replay.parts import Part

SIZE: Final = 16
"""Bytes of a digest (BLAKE2b)."""
NO_RESET: Final = object()
"""In place of the reset value of a field that has none: it is always told."""
AT_RESET: Final = "(at reset)"
"""What is said of a field that is not among the fields, as memory that is all zero."""
SENTENCES: Final[Mapping[str, Callable[[Any], str]]] = {"unreached": unreached.text}
"""Fields that were a sentence once: state schema 2 hashes them as that."""
PLAIN: Final = frozenset({bool, type(None)})


class Digester:
    """Hashes states of one machine, each page once while it stays as it is."""

    def __init__(self, machine: Machine) -> None:
        """Begin with nothing hashed."""
        self._machine = machine
        self._pages: Pages | None = None
        self._digests: dict[int, bytes] = {}
        """Hashes of the pages of a block of `_pages`, by its identity."""

    def fields(self) -> dict[str, str]:
        """Return every field of the present state by name, memory a field a page.

        Pages of zeros are left out.
        """
        found = dict(state_fields(self._machine))
        zero = _hash(pages.ZERO)
        for gpa, digests in self._memory():
            for first in range(0, len(digests), SIZE):
                digest = digests[first : first + SIZE]
                if digest != zero:
                    found[f"memory {gpa + first // SIZE * PAGE:#x}"] = digest.hex()
        return found

    def digest(self) -> str:
        """Return the hash of the present state, in hex."""
        out = hashlib.blake2b(digest_size=SIZE)
        for name, value in state_fields(self._machine):
            out.update(f"{name}={value}\n".encode())
        for _, digests in self._memory():
            out.update(digests)
        return out.hexdigest()

    def _memory(self) -> Iterator[tuple[int, bytes]]:
        """Yield (guest-physical address, hashes of its pages) of every block."""
        memory = self._machine.vm.memory
        before, self._pages = self._pages, pages.take(memory, self._pages)
        if before is None:
            self._digests = {id(pages.BLANK): _hash(pages.ZERO) * pages.MANY}
            before = self._pages
        known, self._digests = self._digests, {}
        rows = zip(memory.regions, before.regions, self._pages.regions, strict=True)
        for region, old, new in rows:
            for number, (was, block) in enumerate(zip(old, new, strict=True)):
                digests = known.get(id(block)) or _hashes(block, was, known)
                self._digests[id(block)] = digests
                yield region.gpa + number * pages.MANY * PAGE, digests
        self._digests[id(pages.BLANK)] = _hash(pages.ZERO) * pages.MANY


def _hashes(block: Block, was: Block, known: Mapping[int, bytes]) -> bytes:
    """Return the hashes of the pages of `block`; those that `was` has are known."""
    old = known.get(id(was))
    if old is None:
        return b"".join(map(_hash, block))
    return b"".join(
        old[index * SIZE : (index + 1) * SIZE] if page is before else _hash(page)
        for index, (page, before) in enumerate(zip(block, was, strict=True))
    )


def _hash(page: bytes) -> bytes:
    return hashlib.blake2b(page, digest_size=SIZE).digest()


def state_fields(machine: Machine) -> list[tuple[str, str]]:
    """Return (name, value) of every field but memory, sorted by name.

    A field at its reset value is not there: one that is added later, and never
    written, changes nothing in what older recordings hash. Neither does the order of
    declarations, nor what a class or a module is called.
    """
    found: list[tuple[str, str]] = []
    for vcpu in machine.vcpus:
        found += _registers(f"vcpu{vcpu.id}", vcpu.regs)
    for part in parts(machine):
        for name in part.fields:
            if name not in RAW:
                found += field_lines(part, name)
    found.sort()
    return found


def telling(field: str) -> tuple[int, str]:
    """Sort fields by how much they tell: registers first, and memory last."""
    if field.startswith("memory "):
        return 3, field
    if not field.startswith("vcpu"):
        return 2, field
    return int(field.count(".") > 1), field


def field_lines(part: Part, name: str) -> list[tuple[str, str]]:
    """Return (name, value) of all that is in one field and not at its reset value."""
    found: list[tuple[str, str]] = []
    reset = reset_values(type(part.holder)).get(name, NO_RESET)
    value = getattr(part.holder, name)
    if name in SENTENCES and value is not None:
        value = SENTENCES[name](value)
    _add(found, f"{part.name}.{name.strip('_')}", value, reset)
    return found


def reset_values(record: type[Any]) -> Mapping[str, object]:
    """Return the reset value of each field of a record that declares one."""
    found = _RESETS.get(record)
    if found is None:
        found = _RESETS[record] = _resets(record)
    return found


_RESETS: Final[dict[type[Any], Mapping[str, object]]] = {}
"""What is asked for again and again; classes do not change."""


def _resets(record: type[Any]) -> Mapping[str, object]:
    if not is_dataclass(record):
        return {}
    found: dict[str, object] = {}
    for each in fields(record):
        if each.default is not MISSING:
            found[each.name] = each.default
        elif each.default_factory is not MISSING:
            found[each.name] = each.default_factory()
    return found


def _registers(name: str, regs: Registers) -> Iterator[tuple[str, str]]:
    for register, value in zip(GPR_NAMES, regs.gpr, strict=True):
        yield f"{name}.{register}", f"{value:#x}"
    for register in ("rip", "rflags", "cr0", "cr2", "cr3", "cr4", "efer"):
        yield f"{name}.{register}", f"{getattr(regs, register):#x}"
    yield f"{name}.shadow", str(regs.shadow)
    for index, register in enumerate(SEGMENT_NAMES):
        yield f"{name}.{register}", _hexes(regs.segment(index))
    for register in ("ldtr", "tr", "gdtr", "idtr"):
        yield f"{name}.{register}", _hexes(getattr(regs, register))
    yield f"{name}.dr", _hexes(regs.dr)
    for msr, value in regs.context.msrs.items():
        yield f"{name}.msr {msr:#x}", f"{value.value:#x}"
    vectors = hashlib.blake2b(regs.context.vector_bytes(), digest_size=SIZE)
    yield f"{name}.fpu", vectors.hexdigest()


def _hexes(values: Any) -> str:
    return " ".join(f"{value:#x}" for value in values)


def _add(out: list[tuple[str, str]], name: str, value: Any, reset: object) -> None:
    """Add what differs from `reset` in a value, one entry per number or text."""
    kind = type(value)
    if kind is type(reset) and value == reset:
        return
    if kind is int:
        out.append((name, f"{value:#x}"))
    elif kind is str:
        out.append((name, ascii(value)))  # quoted: "None" is not None, nor a new line
    elif kind in PLAIN:
        out.append((name, str(value)))
    elif kind is bytes or kind is bytearray:
        out.append((name, _text(bytes(value))))
    elif isinstance(value, (tuple, list, dict)):
        _add_items(out, name, value)
    elif is_dataclass(value):
        _add_record(out, name, value, reset)
    else:  # no data, and `roundtrip` says so to who wants to record it
        out.append((name, f"({kind_of(kind)})"))


def _add_record(
    out: list[tuple[str, str]], name: str, value: Any, reset: object
) -> None:
    """Add the fields that differ from those of `reset`, or else of its kind.

    The reset value of a field may be another record than its kind comes as: then that
    one counts, or both of them would come to nothing.
    """
    kind = type(value)
    is_alike = kind is type(reset)
    if not is_alike:
        out.append((f"{name}.kind", kind_of(kind)))
    resets = reset_values(kind)
    for each in fields(value):
        if each.name in RAW:
            continue
        inner = (
            getattr(reset, each.name) if is_alike else resets.get(each.name, NO_RESET)
        )
        _add(out, f"{name}.{each.name}", getattr(value, each.name), inner)


def _add_items(
    out: list[tuple[str, str]], name: str, value: tuple[Any, ...] | list[Any] | Any
) -> None:
    if not value:
        out.append((name, "empty"))
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        _add(out, f"{name}[{key!r}]", item, NO_RESET)


def _text(data: bytes) -> str:
    if len(data) <= 64:
        return data.hex()
    return f"{len(data)} bytes {hashlib.blake2b(data, digest_size=SIZE).hexdigest()}"
