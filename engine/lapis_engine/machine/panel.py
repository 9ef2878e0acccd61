"""The outside of a machine's case: its serial lines, its keyboard, its buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.errors import EngineError
from lapis_engine.machine.acts import act
from lapis_engine.vmm import outside

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.machine.acts import Act
    from lapis_engine.machine.log import EventLog
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm


class Panel:
    """What one may do to a machine from outside its case; a `Machine` has it."""

    vm: Vm
    log: EventLog
    on_act: Callable[[Act, object], None] | None
    before_act: Callable[[], None] | None

    def vcpu(self, number: int) -> Vcpu:
        """Return vCPU `number`; raise `EngineError` when there is none."""
        vcpus = self.vm.vcpus
        if not 0 <= number < len(vcpus):
            raise EngineError(
                f"there is no vCPU {number}; they are 0 to {len(vcpus) - 1}"
            )
        return vcpus[number]

    @act
    def receive(self, port: str, data: str) -> None:
        """Have the far end of a serial port send bytes, a character of `data` for each.

        Raises `EngineError`.
        """
        outside.receive(self.vm, port, data)

    @act
    def move_keys(self, codes: str) -> None:
        """Press and release keys, by hex scan codes of set 1; raise `EngineError`."""
        outside.move_keys(self.vm, codes)

    @act
    def press_reset(self) -> None:
        """Press the reset button; raise `EngineError` when the machine is off."""
        outside.reset(self.vm)

    @act
    def press_power(self) -> None:
        """Press the power button, an event of ACPI; raise `EngineError`."""
        outside.press_power(self.vm)

    @act
    def unplug(self, number: int) -> None:
        """Take a processor away by INIT; raise `EngineError`."""
        outside.unplug(self.vm, self.vcpu(number))
