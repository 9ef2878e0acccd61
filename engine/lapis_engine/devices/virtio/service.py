"""Serving a virtio device's queues, some time after it was notified.

Source: VIRTIO 1.1 "Device Operation", "DEVICE_NEEDS_RESET".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.devices.pci_function import header
from lapis_engine.devices.virtio import interrupts, regs, ring
from lapis_engine.events import Oddity
from lapis_engine.units import MIB

if TYPE_CHECKING:
    from lapis_engine.devices.device import Dma, Signals, Wiring
    from lapis_engine.devices.virtio.backend import Backend
    from lapis_engine.devices.virtio.interrupts import Wires
    from lapis_engine.devices.virtio.state import QueueState, VirtioState

LATENCY: Final = 5_000
"""ns from a notification until the queue is looked at."""
BATCH: Final = 16 * MIB
"""Bytes of requests after which the rest waits as long again."""


def is_ready(state: VirtioState) -> bool:
    """Tell whether the device may look at its queues."""
    status = state.status & (regs.DRIVER_OK | regs.NEEDS_RESET)
    return status == regs.DRIVER_OK and header.is_master(state.config)


class Service:
    """What serves the queues of one device; its functions are those of `Timed`."""

    def __init__(self, wires: Wires, backend: Backend) -> None:
        """Serve as `backend` does; be connected to nothing yet."""
        self._wires, self._backend = wires, backend
        self._dma: Dma | None = None
        self.features: int = regs.OFFERED | backend.features

    def wire(self, wiring: Wiring) -> None:
        """Keep the way to memory."""
        self._dma = wiring.dma

    def expect(self, state: VirtioState, now: int) -> None:
        """Be due if there is a queue to look at; else it is the driver's turn."""
        if not state.kicked or not is_ready(state):
            state.due = None
        elif state.due is None:
            state.due = now + LATENCY

    def deadline(self, state: VirtioState) -> int | None:
        """Return the ns at which a queue is looked at, or the pin moves."""
        if state.due is None or state.settle_at is None:
            return state.settle_at if state.due is None else state.due
        return min(state.due, state.settle_at)

    def advance(self, state: VirtioState, now: int) -> Signals:
        """Move the pin; serve requests."""
        signals: Signals = ()
        if state.settle_at is not None and state.settle_at <= now:
            signals = interrupts.settle(self._wires, state)
        if state.due is None or state.due > now:
            return signals
        state.due = None
        for number, queue in enumerate(state.queues):
            if state.kicked >> number & 1:
                signals += self._serve(state, number, queue)
        self.expect(state, now)
        return signals

    def _serve(self, state: VirtioState, number: int, queue: QueueState) -> Signals:
        """Serve requests of one queue, so many at most, and tell the driver."""
        dma = self._dma
        if dma is None or not queue.enabled:
            state.kicked &= ~(1 << number)
            return ()
        found: list[Oddity] = []
        before = queue.used
        try:
            if self._work(state, dma, queue, found):
                state.kicked &= ~(1 << number)
            is_told = queue.used != before and ring.wants_interrupt(
                dma, queue, before, state.driver_features
            )
        except ring.MalformedError as error:
            return (*found, *self._give_up(state, str(error)))
        if not is_told:
            return tuple(found)
        told = interrupts.tell(self._wires, state, regs.ISR_QUEUE, queue.vector)
        return (*found, *told)

    def _work(
        self, state: VirtioState, dma: Dma, queue: QueueState, found: list[Oddity]
    ) -> bool:
        """Serve requests; tell whether those are all. May be `ring.MalformedError`."""
        left = BATCH
        for _ in range(regs.QUEUE_MAX):
            if not ring.waiting(dma, queue):
                return True
            if left <= 0:
                return False
            chain = ring.take(dma, queue, state.driver_features)
            done = self._backend.serve(state, chain, dma)
            ring.give_back(dma, queue, chain.head, done.written)
            left -= ring.total(chain.out) + ring.total(chain.into)
            if done.oddity is not None:
                found.append(Oddity(-1, self._wires.name, done.oddity))
        return not ring.waiting(dma, queue)

    def _give_up(self, state: VirtioState, why: str) -> Signals:
        """Need a reset, and say so."""
        state.status |= regs.NEEDS_RESET
        state.kicked = 0
        told = interrupts.tell(self._wires, state, regs.ISR_CONFIG, state.config_vector)
        text = f"the driver must reset the device: {why}"
        return (Oddity(-1, self._wires.name, text), *told)
