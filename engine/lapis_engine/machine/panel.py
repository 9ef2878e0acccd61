"""The outside of a machine's case: its serial lines, its keyboard, its buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.machine.acts import act
from lapis_engine.vmm import outside

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.machine.acts import Act
    from lapis_engine.machine.log import EventLog
    from lapis_engine.vmm.vm import Vm


class Panel:
    """What one may do to a machine from outside its case; a `Machine` has it."""

    vm: Vm
    log: EventLog
    on_act: Callable[[Act, object], None] | None
    before_act: Callable[[], None] | None

    @act
    def receive(self, port: str, data: str) -> None:
        """Have the far end of a serial port send bytes, a character of `data` for each.

        Raises `EngineError`.
        """
        outside.receive(self.vm, port, data)
