"""A vCPU's bus of which somebody hears what goes through the ports.

It stands before the bus only while a port is watched, and changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.vie.world import AnyBus

    Heard = Callable[[int, int, int, bool], None]


class Overheard:
    """A bus, as `AnyBus` has it."""

    __slots__ = ("_tell", "beneath")

    def __init__(self, bus: AnyBus, tell: Heard) -> None:
        """Be `bus`; `tell` gets port, bytes, value, and whether it was written.

        It is told of what the machine has served: what goes to the user is told when
        he has answered, by an event.
        """
        self.beneath, self._tell = bus, tell

    def read(self, gpa: int, size: int) -> int | None:
        """Read memory of devices."""
        return self.beneath.read(gpa, size)

    def write(self, gpa: int, size: int, value: int) -> bool:
        """Write memory of devices."""
        return self.beneath.write(gpa, size, value)

    def port_in(self, port: int, size: int) -> int | None:
        """Read a port."""
        value = self.beneath.port_in(port, size)
        if value is not None:
            self._tell(port, size, value, False)  # noqa: FBT003 - as `Heard` has it
        return value

    def port_out(self, port: int, size: int, value: int) -> bool:
        """Write a port."""
        taken = self.beneath.port_out(port, size, value)
        if taken:
            self._tell(port, size, value, True)  # noqa: FBT003 - as `Heard` has it
        return taken
