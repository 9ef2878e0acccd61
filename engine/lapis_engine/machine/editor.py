"""What a user changes of a machine's processors, each change an act."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from lapis_engine.errors import EngineError
from lapis_engine.explain.rules import rule_text
from lapis_engine.machine.acts import act
from lapis_engine.machine.panel import Panel
from lapis_engine.saved import system
from lapis_engine.vmm import editing, guest_memory, ioctls

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def _in_words() -> Iterator[None]:
    """Put the rule that was broken into words."""
    try:
        yield
    except editing.RuleError as error:
        raise EngineError(rule_text(error.breach, error.values)) from None


class Editor(Panel):
    """The parts of a machine that can be written by hand; a `Machine` has it."""

    @act
    def write_apic(self, number: int, register: str, value: int) -> None:
        """Write a register of an APIC as its vCPU would; raise `EngineError`."""
        ioctls.write_apic(self.vm, self.vcpu(number), register, value)
        system.learned(self.vm, number, register)

    @act
    def write_memory(
        self, number: int, address: int, data: str, *, physical: bool = False
    ) -> None:
        """Store bytes, in hex, in RAM as vCPU `number` sees it; raise `EngineError`."""
        vcpu = self.vcpu(number)
        guest_memory.write(self.vm, vcpu, address, data, physical=physical)

    @act
    def write_register(
        self, number: int, name: str, value: int, *, raw: bool = False
    ) -> None:
        """Set a register (`editing.NAMES`); raise `EngineError`, naming the rule.

        With `raw` the rules of the register do not count.
        """
        vcpu = self.vcpu(number)
        with _in_words():
            editing.write_register(self.vm, vcpu, name, value, raw=raw)

    @act
    def write_msr(self, number: int, msr: int, value: int) -> None:
        """Write an MSR as vCPU `number` would; raise `EngineError`, naming the rule."""
        with _in_words():
            editing.write_msr(self.vm, self.vcpu(number), msr, value)

    @property
    def registers(self) -> tuple[str, ...]:
        """Names of the registers that `write_register` takes."""
        return editing.NAMES

    def read_msr(self, number: int, msr: int) -> int:
        """Return what an MSR holds, untouched; raise `EngineError`, naming the rule."""
        with _in_words():
            return editing.read_msr(self.vm, self.vcpu(number), msr)
