"""What is looked for, and what a condition can see of a machine by which names."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from lapis_engine.errors import ConfigError
from lapis_sessions.scope import registers
from lapis_sessions.scope.lazy import Lazy
from lapis_sessions.scope.scope import Scope
from lapis_sessions.text.expressions import Expression

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.machine.stop import Stop
    from lapis_sessions.exploring.driving import Driver
    from lapis_sessions.extensions import Extensions

NO_STOP: Final = ("", "")


NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "stop": "why the machine stopped: halted, exit, suspended, fault, budget, "
        "spinning (--bound); empty while it goes on",
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
"""What a condition can speak of, beside registers and devices by their names."""
DEVICES: Final = ("apic", "msr", "ioapic", "pic", "pit", "hpet", "rtc")
"""What a machine may have; a condition is checked before there is one."""
KNOWN: Final = frozenset({*NAMES, *DEVICES, *registers.MAKERS, *registers.ALIASES})


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
            Expression(self.text, KNOWN, self._functions) if self.text else None
        )
        self.catches = ("lint",) if "lints" in self.text else ()
        """Events at which it is worth looking (`catch`)."""
        self.at_limit = "budget" in self.text
        """Whether a run that goes on until it is cut off may be what is looked for."""

    def is_met(self, driver: Driver, stop: Stop | None = None) -> bool:
        """Tell whether it is come to; `stop` is the end of the run, if it is one."""
        if self._expression is None:
            return False
        return bool(self._expression.evaluate(seen(driver, stop)))


class Missed(Goal):
    """The end of a run that never came to a condition."""

    def __init__(self, extensions: Extensions, until: str, lint: str = "") -> None:
        """Look for an end without it; raises as `Goal`."""
        super().__init__(extensions, until, lint)
        self.text = f"an end without {self.text}"
        self.at_limit = True
        self._run: object = None
        """What was done in the run that is looked at: each has a list of its own."""
        self._came = False

    def is_met(self, driver: Driver, stop: Stop | None = None) -> bool:
        """Tell whether the run ends here, and what it should come to never came."""
        if self._run is not driver.entries:
            self._run, self._came = driver.entries, False
        self._came = self._came or super().is_met(driver, stop)
        return stop is not None and not self._came


def seen(driver: Driver, stop: Stop | None) -> Mapping[str, Any]:
    """Return what the names of a condition are for a machine."""
    why = (stop.reason, stop.text) if stop is not None else NO_STOP
    more = {
        "stop": lambda: why[0], "reason": lambda: why[1], "running": driver.awake,
    }  # fmt: skip
    return Scope(driver.session, Lazy(more))
