"""What stands on the left of `set TARGET = VALUE`: a place that can be written.

A target is written as an expression is, and every write is an act of the machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.apic.regs import REGISTERS
from lapis_engine.explain import system
from lapis_sessions.errors import CommandError
from lapis_sessions.scope.memory import WORDS, Physical, address
from lapis_sessions.scope.registers import NARROW, Narrow, typed
from lapis_sessions.text import grammar
from lapis_sessions.text.grammar import (
    Application,
    Attribute,
    Brackets,
    GrammarError,
    Item,
    Name,
    Part,
)  # fmt: skip
from lapis_sessions.text.near import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lapis_engine.bits import Bits
    from lapis_engine.machine.machine import Machine
    from lapis_sessions.scope.scope import Scope

LEVELS: Final = 20
SPELLED: Final = {"flags": "rflags", "eflags": "rflags"}
EFER_MSR: Final = 0xC000_0080
BITS: Final[Mapping[str, system.Named]] = {
    "rflags": system.RFLAGS, "cr0": system.CR0, "cr4": system.CR4, "efer": system.EFER,
}  # fmt: skip
"""Registers whose bits can be written one by one."""
SIZES: Final = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}


@dataclass(frozen=True, slots=True)
class Writable:
    """A place that can be written."""

    read: str
    """The expression of what it holds."""
    bits: int
    """How wide it is."""
    write: Callable[[int, bool], None]
    """Writes a value that fits; the flag is `raw`: past the rules of the register."""


def target(scope: Scope, text: str) -> Writable:
    """Return the place that `text` names; raise `CommandError`, `ExpressionError`."""
    try:
        part = grammar.parse(text, LEVELS)
    except GrammarError as error:
        raise CommandError(f"set: {text!r} is no place: {error}") from None
    return _Finder(scope, text).find(part)


class _Finder:
    """Finds the place that a part of an expression is."""

    def __init__(self, scope: Scope, text: str) -> None:
        self.scope = scope
        self.text = text
        self.machine: Machine = scope.machine
        self.vcpu = scope.chosen

    def find(self, part: Part) -> Writable:
        """Return the place."""
        match part:
            case Name(name=name):
                return self._register(name.lower())
            case Attribute(whole=Item(whole=Name(name="vcpu"), index=index), name=name):
                self.vcpu = self._number(index)
                return self._register(name.lower())
            case Attribute(whole=Attribute() as whole, name=name):
                return self._nested(whole, name)
            case Attribute(whole=Item(whole=Name(name="apic"), index=index), name=name):
                self.vcpu = self._number(index)
                return self._apic(name.lower())
            case Attribute(whole=Name(name="apic"), name=name):
                return self._apic(name.lower())
            case Attribute(whole=Name(name=register), name=name):
                return self._part(register.lower(), name.lower())
            case _:
                return self._other(part)

    def _other(self, part: Part) -> Writable:
        match part:
            case Item(whole=Name(name="msr"), index=index):
                return self._msr(self._number(index))
            case Item(
                whole=Attribute(
                    whole=Item(whole=Name(name="vcpu"), index=vcpu), name="msr"
                ),
                index=index,
            ):
                self.vcpu = self._number(vcpu)
                return self._msr(self._number(index))
            case Application(name=name, arguments=(where,)) if name in SIZES:
                return self._memory(where, SIZES[name])
            case Brackets(items=(where,)):
                bits = self.machine.vcpu(self.vcpu).regs.code_bits
                return self._memory(where, WORDS[bits])
            case _:
                raise self._none()

    def _nested(self, whole: Attribute, name: str) -> Writable:
        """Find `vcpu[1].rflags.if`, `vcpu[1].apic.tpr` and `apic.lvt.timer`."""
        match whole.whole, whole.name:
            case Item(whole=Name(name="vcpu"), index=index), "apic":
                self.vcpu = self._number(index)
                return self._apic(name.lower())
            case Item(whole=Name(name="vcpu"), index=index), register:
                self.vcpu = self._number(index)
                return self._part(register.lower(), name.lower())
            case Item(whole=Name(name="apic"), index=index), ("lvt" | "timer") as group:
                self.vcpu = self._number(index)
                return self._apic(f"{group}_{name.lower()}")
            case Name(name="apic"), ("lvt" | "timer") as group:
                return self._apic(f"{group}_{name.lower()}")
            case _:
                raise self._none()

    def _none(self) -> CommandError:
        return CommandError(
            f"set: {self.text!r} is no place that can be written: there are registers "
            "(rax, vcpu[1].rip, flags.if, cs.base), apic[0].tpr, msr[0x1b], "
            "u32(ADDRESS) and [ADDRESS]"
        )

    def _value(self, part: Part) -> object:
        return self.scope.value(self.text[part.start : part.end])

    def _number(self, part: Part) -> int:
        value = self._value(part)
        if not isinstance(value, int):
            written = self.text[part.start : part.end]
            raise CommandError(f"set: {written!r} is no number")
        return int(value)

    # The kinds of places.

    def _register(self, name: str) -> Writable:
        name = SPELLED.get(name, name)
        machine, number = self.machine, self.vcpu
        read = f"vcpu[{number}].{name}"
        if name == "efer":
            return self._msr(EFER_MSR)
        if name in NARROW:
            return self._narrow(NARROW[name], read)
        if name not in machine.registers:
            near = nearest(name, [*machine.registers, *NARROW, "efer"])
            hint = f"; did you mean {near}?" if near is not None else ""
            raise CommandError(f"set: there is no register {name[:20]!r}{hint}")

        def write(value: int, raw: bool) -> None:  # noqa: FBT001 - as Writable wants it
            machine.write_register(number, name, value, raw=raw)

        return Writable(read, 64, write)

    def _narrow(self, it: Narrow, read: str) -> Writable:
        """Write a part of a general register: one of 32 bits clears the upper half."""
        machine, number = self.machine, self.vcpu

        def write(value: int, raw: bool) -> None:  # noqa: FBT001 - as Writable wants it
            name = it.whole
            mask = (1 << it.bits) - 1 << it.low
            whole = int(machine.vcpu(number).regs.gpr[it.number])
            kept = 0 if it.bits == 32 else whole & ~mask
            machine.write_register(number, name, kept | value << it.low, raw=raw)

        return Writable(read, it.bits, write)

    def _part(self, register: str, name: str) -> Writable:
        """Find a bit of a register, or a hidden part of a segment register."""
        register = SPELLED.get(register, register)
        if register not in BITS:
            return self._register(f"{register}.{name}")
        known = {typed(each): where for each, where, _ in BITS[register]}
        if name not in known:
            near = nearest(name, known)
            hint = f"; did you mean {near}?" if near is not None else ""
            raise CommandError(f"set: {register} has no bit {name[:20]!r}{hint}")
        return self._field(register, name, known[name])

    def _field(self, register: str, name: str, where: Bits) -> Writable:
        whole = self._register(register)
        read = f"vcpu[{self.vcpu}].{register}"

        def write(value: int, raw: bool) -> None:  # noqa: FBT001 - as Writable wants it
            whole.write(where.put(int(self.scope.value(read)), value), raw)

        return Writable(f"{read}.{name}", (where >> where.lo).bit_length(), write)

    def _msr(self, msr: int) -> Writable:
        machine, number = self.machine, self.vcpu

        def write(value: int, raw: bool) -> None:  # noqa: FBT001 - as Writable wants it
            if raw:
                raise CommandError(f"set: MSR {msr:#x} is not written past its rules")
            machine.write_msr(number, msr, value)

        return Writable(f"vcpu[{number}].msr[{msr:#x}]", 64, write)

    def _apic(self, name: str) -> Writable:
        """Write a register of a local APIC as its vCPU would in its mode."""
        register = next((r for r in REGISTERS.values() if r.name == name), None)
        machine, number = self.machine, self.vcpu
        if register is None:
            near = nearest(name, [each.name for each in REGISTERS.values()])
            hint = f"; did you mean {near}?" if near is not None else ""
            raise CommandError(f"set: the APIC has no register {name[:20]!r}{hint}")

        def write(value: int, raw: bool) -> None:  # noqa: FBT001 - as Writable wants it
            if raw:
                raise CommandError("set: the APIC is not written past its rules")
            machine.write_apic(number, name, value)

        group, _, rest = name.partition("_")
        read = f"{group}.{rest}" if group in {"lvt", "timer"} else name
        wide = name == "icr"
        return Writable(f"apic[{number}].{read}", 64 if wide else 32, write)

    def _memory(self, where: Part, size: int) -> Writable:
        machine, number = self.machine, self.vcpu
        place = self._value(where)
        at, physical = address(self.scope.viewpoint, place), isinstance(place, Physical)

        def write(value: int, raw: bool) -> None:  # noqa: FBT001, ARG001 - as Writable wants it
            data = value.to_bytes(size, "little").hex()
            machine.write_memory(number, at, data, physical=physical)

        shown = f"phys({at:#x})" if physical else f"{at:#x}"
        return Writable(f"u{8 * size}({shown})", 8 * size, write)
