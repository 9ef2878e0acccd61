"""All that an expression can speak of in a session: the names and what they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from lapis_engine.errors import EngineError
from lapis_sessions.scope import apics, devices, registers
from lapis_sessions.scope.lazy import ByNumber, Lazy, maker
from lapis_sessions.text.expressions import HISTORY, NO_PARTS, Expression

if TYPE_CHECKING:
    from collections.abc import Collection

    from lapis_engine.devices.device import Device
    from lapis_engine.machine.machine import Machine
    from lapis_sessions.scope.viewpoint import Viewpoint

MOST_SYMBOLS: Final = 2000
"""Symbols among which the nearest name is looked for, where one is unknown."""
OFFERED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "rax, eax, ...": "registers of the selected vCPU; $rax is the same",
        "rflags.if, cr0.pg, efer.lma, cs.base, gdtr.limit": "their parts",
        "pc": "RIP as a linear address",
        "cpl, mode": "privilege level; real, protected, compat or long",
        "vcpu[N].rip": "the same of any vCPU, and .state, .retired, .apic, .msr",
        "apic.tpr, apic[N].irr, apic.lvt.timer.vector": "local APICs",
        "ioapic.pin[2].mask, pic.master.imr, pit, hpet, ...": "devices by their fields",
        "msr[0x1b]": "MSRs of the selected vCPU, as RDMSR would read them",
        "running, halted, waiting": "numbers of vCPUs",
        "now, retired": "virtual time in ns; instructions of all vCPUs",
        "console, lints": "what the guest printed; names of lints that found something",
        "main, start": "symbols: their addresses",
        "was(rax), changed(rax)": "its value before the machine moved last; if it is "
        "another one now",
        "was(rax, 'start'), changed(rax, 'NAME')": "the same at a point with a name",
    }
)
"""For help: what there is, by examples."""


def state(machine: Machine, name: str) -> list[int]:
    """Return the numbers of the vCPUs in a state."""
    return [v.id for v in machine.vcpus if machine.vcpu_state(v.id) == name]


def running(machine: Machine) -> list[int]:
    """Return the numbers of the vCPUs that could retire an instruction."""
    return [v.id for v in machine.vcpus if machine.why_not_runnable(v.id) is None]


def console(machine: Machine) -> str:
    """Return what the guest printed, one port after the other."""
    printed = machine.consoles
    return "".join(printed[port].decode("utf-8", "replace") for port in sorted(printed))


class Printed:
    """What the guest printed, put together anew only when there is more of it.

    It is for one look at a machine, or a search along one branch: there as much of it
    is always the same.
    """

    def __init__(self, machine: Machine) -> None:
        """Look at the consoles of `machine`."""
        self._machine = machine
        self._sizes: dict[str, int] | None = None
        self._text = ""

    def text(self) -> str:
        """Return all of it, as `console` does."""
        sizes = {port: len(some) for port, some in self._machine.consoles.items()}
        if sizes != self._sizes:
            self._sizes, self._text = sizes, console(self._machine)
        return self._text


def lints(machine: Machine) -> list[str]:
    """Return the names of the lints that found something, in order."""
    found = {key[0] for key in machine.lints.state.found}
    return [name for name in machine.lints.lints if name in found]


def msrs(machine: Machine, number: int) -> Mapping[str, Any]:
    """Return the MSRs of a vCPU by number; one that is none has no value."""

    def read(msr: int) -> int:
        try:
            return machine.read_msr(number, msr)
        except EngineError as error:
            raise LookupError(str(error)) from None

    return ByNumber("MSR", range(1 << 32), read)


def vcpu(machine: Machine, number: int) -> Mapping[str, Any]:
    """Return a vCPU by the names of its registers, and what is around them."""
    it = machine.vcpu(number)
    around: dict[str, Callable[[], Any]] = {
        "id": lambda: number,
        "state": lambda: machine.vcpu_state(number),
        "retired": lambda: it.retired,
        "apic": lambda: apics.local(machine, number),
        "msr": lambda: msrs(machine, number),
    }
    return _Together((Lazy(around), registers.of(it.regs)))


class _Together(Mapping[str, Any]):
    """Several mappings, of which an earlier one goes before a later one."""

    def __init__(self, parts: tuple[Mapping[str, Any], ...]) -> None:
        self._parts = parts

    def __getitem__(self, name: str) -> Any:
        return self.maker(name)()

    def maker(self, name: str) -> Callable[[], Any]:
        """Return what makes a value; raise `KeyError`."""
        for part in self._parts:
            if name in part:
                return maker(part, name)
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(name in part for part in self._parts)

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self._parts)

    def __len__(self) -> int:
        return sum(map(len, self._parts))


class Scope(Mapping[str, Any]):
    """What the names of an expression stand for now, in a session.

    The registers without a vCPU are those of the selected one. More names, such as what
    is known of an event, go before all others.
    """

    def __init__(
        self, session: Viewpoint, more: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        """Look at `session`; `more` are further names."""
        self.viewpoint = session
        self.machine = session.machine
        self.chosen = session.selected
        machine, chosen = session.machine, session.selected
        numbers = range(len(machine.vcpus))
        own: dict[str, Callable[[], Any]] = {
            "vcpu": lambda: ByNumber("vCPU", numbers, partial(vcpu, machine), chosen),
            "apic": lambda: ByNumber(
                "local APIC", numbers, partial(apics.local, machine), chosen
            ),
            "msr": lambda: msrs(machine, chosen),
            "running": lambda: running(machine),
            "halted": lambda: state(machine, "halted"),
            "waiting": lambda: [request.vcpu for request in machine.pending()],
            "lints": lambda: lints(machine),
            "console": Printed(machine).text,
            "retired": lambda: sum(each.retired for each in machine.vcpus),
            "now": lambda: machine.now,
        }
        self._names = _Together(
            (more, Lazy(own), registers.of(machine.vcpu(chosen).regs))
        )
        self._devices: Mapping[str, Device] | None = None
        self._makers: dict[str, Callable[[], Any]] = {}
        """Of the names that were looked up: a search asks ever again."""

    @property
    def _named(self) -> Mapping[str, Device]:
        if self._devices is None:
            self._devices = devices.named(self.machine)
        return self._devices

    def __getitem__(self, name: str) -> Any:
        """Return what a name, or a function, is."""
        known = self._makers.get(name)
        if known is None:
            known = self._makers[name] = self._maker(name)
        return known()

    def _maker(self, name: str) -> Callable[[], Any]:
        if name in self._names:
            return self._names.maker(name)
        if name in HISTORY and self.viewpoint.past is not None:
            ask = self._was if name == "was" else self._changed
            return lambda: ask
        functions = self.viewpoint.extensions.functions
        if name in functions:
            call = partial(functions[name].call, self.viewpoint)
            return lambda: call
        if name in self._named:
            return partial(devices.of, self._named[name])
        return partial(self.viewpoint.symbols.__getitem__, name)

    def _was(self, text: str, point: str | None) -> Any:
        assert self.viewpoint.past is not None, "nobody knows"
        return self.viewpoint.past.value(self.chosen, text, point)

    def _changed(self, now: object, text: str, point: str | None) -> bool:
        return bool(self._was(text, point) != now)

    def __contains__(self, name: object) -> bool:
        """Tell whether there is such a name; functions are none."""
        return (
            name in self._names or name in self._named or name in self.viewpoint.symbols
        )

    def __iter__(self) -> Iterator[str]:
        """Return the names; of symbols only if they are not too many to look at."""
        symbols = self.viewpoint.symbols
        many = len(symbols) > MOST_SYMBOLS
        return chain(self._names, self._named, () if many else symbols)

    def __len__(self) -> int:
        """Return how many there are."""
        return sum(1 for _ in self)

    @property
    def functions(self) -> Collection[str]:
        """The functions that there are beside those of every expression."""
        known = self.viewpoint.extensions.functions
        return known if self.viewpoint.past is None else {*known, *HISTORY}

    def expression(
        self, text: str, parts: Mapping[str, Collection[str]] = NO_PARTS
    ) -> Expression:
        """Return an expression in these names; raise `ExpressionError`.

        `parts` are as for `Expression`.
        """
        return Expression(text, self, self.functions, parts=parts)

    def value(self, text: str) -> Any:
        """Return what an expression comes to; raise `ExpressionError`."""
        return self.expression(text).evaluate(self)
