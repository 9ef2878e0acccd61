"""What is looked for, and what a condition can see of a machine by which names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from lapis_engine.errors import ConfigError, UnmappedError
from lapis_sessions.extensions import Function
from lapis_sessions.plain import plain
from lapis_sessions.text.expressions import Expression
from lapis_sessions.views import apic, registers

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine
    from lapis_engine.machine.stop import Stop
    from lapis_sessions.exploring.driving import Driver
    from lapis_sessions.extensions import Extensions
    from lapis_sessions.session import Session

NO_STOP: Final = ("", "")


class Lazy(Mapping[str, Any]):
    """Values by name, each computed when it is asked for."""

    def __init__(self, makers: Mapping[str, Callable[[], Any]]) -> None:
        """Offer what `makers` make."""
        self._makers = makers

    def __getitem__(self, name: str) -> Any:
        """Return a value."""
        return self._makers[name]()

    def __contains__(self, name: object) -> bool:
        """Tell whether there is such a value, without computing it."""
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        """Return the names."""
        return iter(self._makers)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._makers)


NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "stop": "why the machine stopped: halted, exit, suspended, fault, budget; "
        "empty while it goes on",
        "reason": "the same in words",
        "vcpu": "vcpu[N].state, .mode, .rip, .retired, .apic, .rax and other registers",
        "running": "numbers of the vCPUs that could retire an instruction",
        "halted": "numbers of those that are halted",
        "waiting": "numbers of those whose request waits for an answer",
        "lints": "names of the lints that found something",
        "console": "what the guest printed",
        "retired": "instructions of all vCPUs",
        "now": "virtual time, ns",
    }
)
"""What a condition can speak of."""


class Goal:
    """The end that a run may come to."""

    def __init__(self, extensions: Extensions, until: str = "", lint: str = "") -> None:
        """Look for a condition, or for a lint; for nothing when both are empty.

        The condition may use the functions of `extensions`. Raises `ConfigError` for
        both and for a lint that there is not, and `ExpressionError`.
        """
        if until and lint:
            raise ConfigError(f"--until {until!r} and --lint {lint} exclude each other")
        if lint and lint not in extensions.lints:
            known = ", ".join(extensions.lints)
            raise ConfigError(f"there is no lint {lint!r}: {known}")
        self.text = until or (f'"{lint}" in lints' if lint else "")
        self._functions = extensions.functions
        self._expression = (
            Expression(self.text, NAMES, self._functions) if self.text else None
        )
        self.catches = ("lint",) if "lints" in self.text else ()
        """Events at which it is worth looking (`catch`)."""

    def is_met(self, driver: Driver, stop: Stop | None = None) -> bool:
        """Tell whether it is come to; `stop` is the end of the run, if it is one."""
        if self._expression is None:
            return False
        return bool(self._expression.evaluate(seen(driver, stop, self._functions)))


def seen(
    driver: Driver, stop: Stop | None, functions: Mapping[str, Function]
) -> Mapping[str, Any]:
    """Return what `NAMES` and `functions` are for a machine."""
    machine, session = driver.machine, driver.session
    why = (stop.reason, stop.text) if stop is not None else NO_STOP
    makers: dict[str, Callable[[], Any]] = {
        "stop": lambda: why[0],
        "reason": lambda: why[1],
        "vcpu": lambda: [_vcpu(machine, vcpu.id) for vcpu in machine.vcpus],
        "running": driver.awake,
        "halted": lambda: _having(machine, "halted"),
        "waiting": lambda: [request.vcpu for request in machine.pending()],
        "lints": lambda: lints(machine),
        "console": lambda: console(machine),
        "retired": lambda: sum(vcpu.retired for vcpu in machine.vcpus),
        "now": lambda: machine.now,
    }
    for name, function in functions.items():
        makers[name] = partial(partial, function.call, session)
    return Lazy(makers)


def _having(machine: Machine, state: str) -> list[int]:
    return [v.id for v in machine.vcpus if machine.vcpu_state(v.id) == state]


def _vcpu(machine: Machine, number: int) -> Lazy:
    vcpu = machine.vcpu(number)
    makers: dict[str, Callable[[], Any]] = {
        "id": lambda: number,
        "state": lambda: machine.vcpu_state(number),
        "mode": lambda: vcpu.regs.mode,
        "retired": lambda: vcpu.retired,
        "apic": lambda: plain(apic.of(machine, number)),
    }
    for name in registers.values(vcpu.regs):
        makers[name] = lambda name=name: registers.values(vcpu.regs)[name]  # type: ignore[misc]
    return Lazy(makers)


def _reader(name: str, size: int) -> Function:
    def read(session: Session, *values: object) -> int:
        symbols = session.symbols
        match values:
            case [int() | str() as where]:
                pass
            case _:
                raise TypeError("one address, or the name of a symbol, is wanted")
        if isinstance(where, str) and where not in symbols:
            raise LookupError(f"there is no symbol {where!r}")
        gpa = symbols[where] if isinstance(where, str) else where
        try:
            return int.from_bytes(session.machine.read_physical(gpa, size), "little")
        except UnmappedError as error:
            raise LookupError(str(error)) from None

    text = f"{size} bytes of memory at a physical address, or at a symbol"
    return Function(name, text, read)


FUNCTIONS: Final = (
    _reader("u8", 1), _reader("u16", 2), _reader("u32", 4), _reader("u64", 8),
)  # fmt: skip
"""Ours."""


def lints(machine: Machine) -> list[str]:
    """Return the names of the lints that found something, in order."""
    found = {key[0] for key in machine.lints.state.found}
    return [name for name in machine.lints.lints if name in found]


def console(machine: Machine) -> str:
    """Return what the guest printed, one port after the other."""
    printed = machine.consoles
    return "".join(printed[port].decode("utf-8", "replace") for port in sorted(printed))
