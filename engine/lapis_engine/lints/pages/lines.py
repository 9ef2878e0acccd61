"""Pages of the lints about IOAPIC pins."""

from __future__ import annotations

from typing import Final

from lapis_engine.lints.lint import Page

PAGES: Final = {
    "edge-lost": Page(
        what=(
            "An edge-triggered pin of the IOAPIC was raised while it was masked, is "
            "unmasked now, and has not moved since."
        ),
        why=(
            '82093AA "I/O Redirection Table Registers": edge-sensitive interrupts '
            "signaled on a masked pin are ignored, not delivered or held pending. The "
            "device waits for who waits for it."
        ),
        where=(
            "Kernels that mask in the handler and unmask when a thread has served the "
            "device, with edges: Genode's timer (genodelabs/genode#1448), PIO disks of "
            "SerenityOS (SerenityOS/serenity#1808). The 8259 keeps such an edge, so "
            "that the same code works with it. Linux remembers it in software and "
            "sends the vector again."
        ),
        fix=(
            "Do not mask edges; or look at the device after unmasking, or make the pin "
            "level-triggered where the line is one."
        ),
    ),
}
