"""Who serves a port or an MMIO address."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from lapis_engine.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.devices.device import Device, Range


class IoSpace:
    """Ranges that do not overlap, each with its device."""

    def __init__(self, name: str) -> None:
        """Start an empty space called `name` (port, mmio) in messages."""
        self.name = name
        self._firsts: list[int] = []
        self._claims: list[tuple[Range, Device]] = []
        self._movers: list[tuple[Callable[[Any], tuple[Range, ...]], Device]] = []

    def claim(self, where: Range, device: Device) -> None:
        """Give `where` to `device`; raise `ConfigError` when it is taken."""
        for other, owner in self._claims:
            if other.first < where.first + where.size and where.first < (
                other.first + other.size
            ):
                raise ConfigError(
                    f"{device.name} wants {self.name} {where.first:#x}, which "
                    f"{owner.name} has"
                )
        at = bisect_right(self._firsts, where.first)
        self._firsts.insert(at, where.first)
        self._claims.insert(at, (where, device))

    def follow(self, device: Device, where: Callable[[Any], tuple[Range, ...]]) -> None:
        """Give `device` what `where` says of its state, unless somebody claims it."""
        self._movers.append((where, device))

    def find(self, address: int) -> Device | None:
        """Return the device at `address`, or None.

        Of two that have moved to one address the first of the machine answers.
        """
        at = bisect_right(self._firsts, address) - 1
        if at >= 0:
            where, device = self._claims[at]
            if address in where:
                return device
        for moved, mover in self._movers:
            for each in moved(mover.state):
                if address in each:
                    return mover
        return None

    def claims(self) -> list[tuple[Range, Device]]:
        """Return all claims, ascending, and those of now of what moves."""
        moved = [
            (each, device)
            for where, device in self._movers
            for each in where(device.state)
        ]
        return sorted([*self._claims, *moved], key=lambda claim: claim[0].first)
