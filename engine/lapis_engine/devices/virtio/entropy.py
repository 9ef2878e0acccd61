"""virtio-rng: random numbers that follow from a seed, so that a replay gets the same.

Source: VIRTIO 1.1 "Entropy Device". A number is a hash of the seed and a count.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.devices.virtio import interrupts, layout, ring
from lapis_engine.devices.virtio.assembly import assemble
from lapis_engine.devices.virtio.backend import Done
from lapis_engine.devices.virtio.state import VirtioState

if TYPE_CHECKING:
    from lapis_engine.devices.device import Device, Dma
    from lapis_engine.devices.virtio.ring import Chain

DIGEST: Final = 64
"""Bytes that one count gives (BLAKE2b)."""
LARGEST: Final = 64 << 10
"""Bytes that a request gets at most; the driver is told how many those are."""

HEADER: Final = layout.header(4, 0x00_FF00, 0x20)


@dataclass(slots=True)
class EntropyState(VirtioState):
    """What the source remembers."""

    config: bytes = HEADER.reset
    count: int = 0
    """Of hashes that the guest has got."""


class Entropy:
    """The source as a `Backend`."""

    features: int = 0

    def __init__(self, seed: int) -> None:
        """Begin with `seed`, of 64 bits."""
        self._seed = seed.to_bytes(8, "little")

    def config(self) -> bytes:
        """Return its configuration: there is none."""
        return b""

    def serve(self, state: EntropyState, chain: Chain, dma: Dma) -> Done:
        """Fill the buffer."""
        size = min(ring.total(chain.into), LARGEST)
        needed = -(-size // DIGEST)
        data = b"".join(self._digest(state.count + each) for each in range(needed))
        if not ring.scatter(dma, ring.part(chain.into, 0, size), data[:size]):
            return Done(0, "the buffer of a request is not all RAM")
        state.count += needed
        return Done(size)

    def _digest(self, count: int) -> bytes:
        return hashlib.blake2b(
            count.to_bytes(16, "little"), key=self._seed, digest_size=DIGEST
        ).digest()


def device(
    seed: int, slot: int, *, needs_hint: bool = False, redirects: bool = False
) -> Device:
    """Return a source of random numbers, function 0 of device `slot` on PCI bus 0.

    Args:
        seed: What the numbers follow from, 0 to 2**64 - 1.
        slot: Device number.
        needs_hint: As `msi.decode` has it (`profile.msi_needs_hint`).
        redirects: As `msi.decode` has it (`profile.msi_hint_redirects`).
    """
    wires = interrupts.Wires("virtio-rng", slot, needs_hint, redirects)
    return assemble(wires, HEADER, Entropy(seed), EntropyState(), frozenset({"count"}))
