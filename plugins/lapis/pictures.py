"""What a vCPU, its APIC and an event were at one moment: nothing in it is live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from lapis import html
from lapis_engine.explain.events import describe
from lapis_sessions.views.apic import ApicView

if TYPE_CHECKING:
    from lapis_engine.events import Event as EngineEvent
    from lapis_engine.events import Logged

SHOWN = (
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11",
    "r12", "r13", "r14", "r15", "rip", "rflags", "cs", "ss", "cr0", "cr2", "cr3", "cr4",
    "efer",
)  # fmt: skip
"""Registers that a notebook shows; the others are there by name."""


class Registers(Mapping[str, int]):
    """Every register of a vCPU by name: `regs.rip`, `regs["cs.base"]`."""

    def __init__(self, values: Mapping[str, int]) -> None:
        """Hold `values`, named as the command `regs` names them."""
        self._values = dict(values)

    def __getitem__(self, name: str) -> int:
        """Return a register."""
        return self._values[name]

    def __getattr__(self, name: str) -> int:
        """Return a register whose name has no dot."""
        try:
            return self.__dict__["_values"][name]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(f"there is no register {name!r}") from None

    def __iter__(self) -> Iterator[str]:
        """Return the names, in the order in which `regs` lists them."""
        return iter(self._values)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._values)

    def __dir__(self) -> list[str]:
        """List the names that an attribute can have."""
        return [*super().__dir__(), *(n for n in self._values if "." not in n)]

    def __repr__(self) -> str:
        """Say where it is."""
        return f"<Registers rip={self.rip:#x} rflags={self.rflags:#x}>"

    def _repr_html_(self) -> str:
        rows = [(name, f"{self[name]:#x}") for name in SHOWN]
        return html.table("registers", rows, across=4)


@dataclass(frozen=True, slots=True)
class Apic(ApicView):
    """A local APIC. `isr`, `irr` and `tmr` are vectors, ascending."""

    @classmethod
    def of(cls, taken: ApicView) -> Apic:
        """Return the same with a face for notebooks."""
        return cls(**{f.name: getattr(taken, f.name) for f in fields(taken)})

    def _repr_html_(self) -> str:
        vectors = {
            name: " ".join(f"{v:#04x}" for v in getattr(self, name)) or "empty"
            for name in ("irr", "isr", "tmr")
        }
        rows = [
            ("mode", self.mode), ("id", f"{self.id:#x}"), ("tpr", f"{self.tpr:#04x}"),
            ("ppr", f"{self.ppr:#04x}"), *vectors.items(),
            ("icr", f"{self.icr.raw:#x} {self.icr.text}"), ("svr", f"{self.svr:#x}"),
            ("esr", f"{self.esr:#x}"), ("timer", self.timer_text),
            ("lvt", self.lvt_text),
        ]  # fmt: skip
        return html.table("local APIC", rows)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened."""

    seq: int
    """Its number; `goto("#" + str(seq))` goes to where it had just happened."""
    at: int
    """ns of virtual time."""
    vcpu: int
    """The vCPU that it is about, or -1."""
    kind: str
    """As `catch` calls it."""
    text: str
    """The whole of it in words."""
    record: EngineEvent
    """Its fields (`lapis_engine.events`)."""

    @classmethod
    def of(cls, logged: Logged) -> Event:
        """Return an event of the machine's log."""
        record = logged.event
        text = describe(record)
        return cls(logged.seq, logged.at, record.vcpu, record.kind, text, record)
