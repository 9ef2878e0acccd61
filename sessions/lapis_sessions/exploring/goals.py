"""What is looked for, and what a condition can see of a machine by which names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from lapis_engine.errors import ConfigError, UnmappedError
from lapis_engine.lints.catalog import LINTS
from lapis_sessions.text.expressions import Expression
from lapis_sessions.views import machine as views

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine
    from lapis_engine.machine.stop import Stop
    from lapis_sessions.exploring.driving import Driver

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
FUNCTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        name: f"{size} bytes of memory at a physical address, or at a symbol"
        for name, size in (("u8", 1), ("u16", 2), ("u32", 4), ("u64", 8))
    }
)


class Goal:
    """The end that a run may come to."""

    def __init__(self, until: str = "", lint: str = "") -> None:
        """Look for a condition, or for a lint; for nothing when both are empty.

        Raises `ConfigError` for both and for a lint that there is not, and
        `ExpressionError`.
        """
        if until and lint:
            raise ConfigError(f"--until {until!r} and --lint {lint} exclude each other")
        if lint and lint not in LINTS:
            raise ConfigError(f"there is no lint {lint!r}: {', '.join(LINTS)}")
        self.text = until or (f'"{lint}" in lints' if lint else "")
        self._expression = (
            Expression(self.text, NAMES, FUNCTIONS) if self.text else None
        )
        self.catches = ("lint",) if "lints" in self.text else ()
        """Events at which it is worth looking (`catch`)."""

    def is_met(self, driver: Driver, stop: Stop | None = None) -> bool:
        """Tell whether it is come to; `stop` is the end of the run, if it is one."""
        if self._expression is None:
            return False
        return bool(self._expression.evaluate(seen(driver, stop)))


def seen(driver: Driver, stop: Stop | None) -> Mapping[str, Any]:
    """Return what `NAMES` and `FUNCTIONS` are for a machine."""
    machine = driver.machine
    why = (stop.reason, stop.text) if stop is not None else NO_STOP
    symbols = driver.session.symbols
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
    for name, size in (("u8", 1), ("u16", 2), ("u32", 4), ("u64", 8)):
        makers[name] = _reader(machine, symbols, size)
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
        "apic": lambda: views.apic(machine, number),
    }
    for name in views.registers(vcpu.regs):
        makers[name] = lambda name=name: views.registers(vcpu.regs)[name]  # type: ignore[misc]
    return Lazy(makers)


def _reader(
    machine: Machine, symbols: Mapping[str, int], size: int
) -> Callable[[], Callable[..., int]]:
    def read(*values: object) -> int:
        match values:
            case [int() | str() as where]:
                pass
            case _:
                raise TypeError("one address, or the name of a symbol, is wanted")
        if isinstance(where, str) and where not in symbols:
            raise LookupError(f"there is no symbol {where!r}")
        gpa = symbols[where] if isinstance(where, str) else where
        try:
            return int.from_bytes(machine.read_physical(gpa, size), "little")
        except UnmappedError as error:
            raise LookupError(str(error)) from None

    return lambda: read


def lints(machine: Machine) -> list[str]:
    """Return the names of the lints that found something, in order."""
    found = {key[0] for key in machine.lints.state.found}
    return [name for name in LINTS if name in found]


def console(machine: Machine) -> str:
    """Return what the guest printed, one port after the other."""
    printed = machine.consoles
    return "".join(printed[port].decode("utf-8", "replace") for port in sorted(printed))
