"""Guest accesses to a virtio device, wherever its windows are at present.

Source: VIRTIO 1.1 "Virtio Over PCI Bus".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.pci_function.header import HeaderFunction
from lapis_engine.devices.virtio import interrupts, legacy, modern, regs
from lapis_engine.devices.virtio.service import Service

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.pci_function.header import Header
    from lapis_engine.devices.virtio.backend import Backend
    from lapis_engine.devices.virtio.interrupts import Wires
    from lapis_engine.devices.virtio.state import VirtioState

WINDOWS = (regs.IO_BAR, regs.MSIX_BAR, regs.MODERN_BAR)


class VirtioAccess:
    """Guest accesses to one device."""

    def __init__(self, header: Header, wires: Wires, backend: Backend) -> None:
        """Be the device that `backend` makes it."""
        self._header, self._wires, self._backend = header, wires, backend
        self.service = Service(wires, backend)

    def read(self, state: VirtioState, address: int, size: int, now: int) -> int:
        """Read what is at `address`; all ones where no window is any more."""
        for index in WINDOWS:
            where = self._header.window(state.config, index)
            if where is not None and address in where:
                return self.read_window(state, index, address - where.first, size, now)
        return (1 << 8 * size) - 1

    def write(
        self, state: VirtioState, address: int, size: int, value: int, now: int
    ) -> Signals:
        """Write what is at `address`."""
        for index in WINDOWS:
            where = self._header.window(state.config, index)
            if where is not None and address in where:
                at = address - where.first
                return self.write_window(state, index, at, size, value, now)
        return ()

    def read_window(
        self, state: VirtioState, index: int, offset: int, size: int, now: int
    ) -> int:
        """Read `size` bytes of the window of base address register `index`."""
        if index == regs.MSIX_BAR:
            return interrupts.read_table(state, offset, size)
        features = self.service.features
        if index == regs.IO_BAR:
            own = legacy.device_at(state)
            if offset >= own:
                return self._config(offset - own, size)
            if offset == regs.OLD_ISR and size == 1:
                return _take_isr(state, now)
            return legacy.read(state, offset, size, features)
        part, within = offset & ~(regs.PART_SIZE - 1), offset % regs.PART_SIZE
        match part:
            case regs.COMMON:
                return modern.read(state, within, size, features)
            case regs.ISR:
                return _take_isr(state, now) if within == 0 else 0
            case regs.DEVICE:
                return self._config(within, size)
            case _:
                return 0

    def write_window(
        self,
        state: VirtioState,
        index: int,
        offset: int,
        size: int,
        value: int,
        now: int,
    ) -> Signals:
        """Write `size` bytes of the window of base address register `index`."""
        if index == regs.MSIX_BAR:
            return interrupts.write_table(self._wires, state, offset, size, value)
        features = self.service.features
        if index == regs.IO_BAR:
            if offset == regs.OLD_QUEUE_NOTIFY:
                _kick(state, value & 0xFFFF)
            else:
                legacy.write(state, offset, size, value, features)
        elif regs.COMMON <= offset < regs.COMMON + regs.PART_SIZE:
            modern.write(state, offset, size, value, features)
        elif offset >= regs.NOTIFY:
            _kick(state, (offset - regs.NOTIFY) // regs.NOTIFY_STEP)
        self.service.expect(state, now)
        return interrupts.settle(self._wires, state)

    def _config(self, offset: int, size: int) -> int:
        """Read the device's own configuration, of which nothing can be written."""
        found = self._backend.config()[offset : offset + size]
        return int.from_bytes(found, "little")


def _take_isr(state: VirtioState, now: int) -> int:
    """Return what there is to tell, and take it away; the pin follows 1 ns later."""
    value, state.isr = state.isr, 0
    if value:
        state.settle_at = now + 1
    return value


def _kick(state: VirtioState, number: int) -> None:
    """Remember that the driver has notified of a queue."""
    if number < len(state.queues):
        state.kicked |= 1 << number


class VirtioFunction(HeaderFunction):
    """Configuration space of a device, through which its windows are reached, too."""

    def __init__(self, header: Header, wires: Wires, access: VirtioAccess) -> None:
        """Belong to the device of `access`."""
        super().__init__(header)
        self._wires, self._access = wires, access

    def read(self, state: VirtioState, register: int, size: int, now: int) -> int:
        """Read a register; that of the data reads the window."""
        if register == regs.PCI_CAP_DATA:
            place = self._place(state)
            if place is not None:
                index, offset, length = place
                value = self._access.read_window(state, index, offset, length, now)
                return value & (1 << 8 * size) - 1
        return super().read(state, register, size, now)

    def write(
        self, state: VirtioState, register: int, size: int, value: int, now: int
    ) -> Signals:
        """Write a register; that of the data writes the window."""
        super().write(state, register, size, value, now)
        signals: Signals = ()
        if register == regs.PCI_CAP_DATA:
            place = self._place(state)
            if place is not None:
                index, offset, length = place
                value &= (1 << 8 * length) - 1
                signals = self._access.write_window(
                    state, index, offset, length, value, now
                )
        self._access.service.expect(state, now)
        signals += interrupts.send(self._wires, state)
        return signals + interrupts.settle(self._wires, state)

    def _place(self, state: VirtioState) -> tuple[int, int, int] | None:
        """Return the window, offset and bytes that the capability is set to."""
        index = state.config[regs.PCI_CAP_BAR]
        offset, length = (
            int.from_bytes(state.config[at : at + 4], "little")
            for at in (regs.PCI_CAP_OFFSET, regs.PCI_CAP_LENGTH)
        )
        if length not in {1, 2, 4} or offset % length:
            return None
        for bar in self.header.bars:
            if bar.index == index and offset + length <= bar.size:
                return index, offset, length
        return None
