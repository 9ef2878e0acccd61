"""What a kind of virtio device brings, beside what they have alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from lapis_engine.devices.device import Dma
    from lapis_engine.devices.virtio.ring import Chain


class Done(NamedTuple):
    """A request that has been served."""

    written: int
    """Bytes that the device wrote, from the first on."""
    oddity: str | None = None
    """What was the matter with it."""


class Backend(Protocol):
    """A kind of device; the state is its own kind of `VirtioState`."""

    @property
    def features(self) -> int:
        """What it offers, beside what all of them do."""
        ...

    def config(self) -> bytes:
        """Return its own configuration structure."""
        ...

    def serve(self, state: Any, chain: Chain, dma: Dma) -> Done:
        """Do a request; may raise `ring.MalformedError`."""
        ...
