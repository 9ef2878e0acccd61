"""Values of rules, each in the way that the sentence of a rule asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.fault import PF_I, PF_U, PF_W
from lapis_engine.explain.vectors import vector_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SEGMENTS: Final = ("ES", "CS", "SS", "DS", "FS", "GS")
SYSTEM: Final = {
    1: "an available 16-bit TSS", 2: "an LDT", 3: "a busy 16-bit TSS",
    4: "a 16-bit call gate", 5: "a task gate", 6: "a 16-bit interrupt gate",
    7: "a 16-bit trap gate", 9: "an available TSS", 0xB: "a busy TSS",
    0xC: "a call gate", 0xE: "an interrupt gate", 0xF: "a trap gate",
}  # fmt: skip
"""Types of system descriptors (SDM Vol. 3A "System Descriptor Types")."""


class RuleValue(int):
    """A number that can say which bits of it are set, or what it stands for."""

    def __format__(self, spec: str) -> str:
        form = FORMS.get(spec)
        return super().__format__(spec) if form is None else form(int(self))


def name(value: int) -> str:
    """Return the name that is a value, a letter a byte (`cpu.breach.named`)."""
    text = "".join(map(chr, _bytes(value)))
    is_name = text.isascii() and text.replace(" ", "").isalnum()
    return text if is_name else "it"


def _bytes(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _type(kind: int) -> str:
    """Say what a descriptor is by S, bit 4, and its type."""
    if not kind & 0x10:
        return SYSTEM.get(kind, f"of the reserved type {kind:#x}")
    if kind & 8:
        conforming = "conforming code" if kind & 4 else "code"
        return conforming if kind & 2 else f"{conforming} that is not to be read"
    return "writable data" if kind & 2 else "read-only data"


def _access(error: int) -> str:
    """Say what an access was by the error code of its #PF."""
    what = "a fetch" if error & PF_I else "a write" if error & PF_W else "a read"
    who = "at CPL 3" if error & PF_U else "by the supervisor"
    return f"{what} {who} {'to' if error & PF_W else 'from'}"


def _bits(value: int) -> str:
    """Return which bits are set, and the verb: bit 23 is, bits 23 and 24 are."""
    found = [str(n) for n in reversed(range(value.bit_length())) if value >> n & 1]
    if len(found) == 1:
        return f"bit {found[0]} is"
    return f"bits {', '.join(found[:-1])} and {found[-1]} are"


FORMS: Final[Mapping[str, Callable[[int], str]]] = {
    "access": _access,
    "bits": _bits,
    "code": lambda value: _bytes(value).hex(" "),
    "mode": lambda value: "in xAPIC mode" if value else "disabled",
    "name": name,
    "rpl": lambda value: str(value & 3),
    "segment": SEGMENTS.__getitem__,
    "table": lambda value: "LDT" if value & 4 else "GDT",
    "type": _type,
    "vector": vector_name,
}
"""What stands behind the colon in a sentence -> how the value is said."""
