"""Faults between a device's line and the local APIC: the IOAPIC.

Intel 82093AA "I/O Redirection Table Registers"; SDM Vol. 3A "Interrupt Acceptance for
Fixed Interrupts", "Signaling Interrupt Servicing Completion".
"""

from faults.placing import VECTORS, WAYS
from faults.scene import Fault, Scene

ON = (0, 1, 2)
PINS = (4, 9, 17)
LEVEL = 0x8000


def led(setup: str, vector: int, handler: str = "counting", then: str = "idle") -> str:
    """Return a guest of three vCPUs that take `vector`; the BSP does `setup` first."""
    return f"""
        install {vector:#x}, {handler}
        copy ap_start, 8
        start 1, 8
        start 2, 8
        wait_for 2
        {setup}
ready:  {then}
        handlers
        trampoline
        idle
"""


def scene(
    guest: str,
    asked: tuple[int, int],
    rule: str,
    names: tuple[int | str, ...],
    lines: tuple[str, ...],
    *,
    x2apic: bool = False,
) -> Scene:
    vector, number = asked
    return Scene(
        guest, f"irq why {vector:#x} {number}", rule, (vector, *names), 3, x2apic,
        ("quantum 200", "run 6000", *lines),
    )  # fmt: skip


def eoi_kept(*, sound: bool, on: int, pin: int, vector: int, again: bool) -> Scene:
    svr = 0x1FF if sound else 0x11FF
    setup = f"pin {pin}, {LEVEL | vector:#x}, {on}\nput _SVR, {svr:#x}"
    guest = led(setup, vector).replace(
        "trampoline\n", f"trampoline\n put _SVR, {svr:#x}\n"
    )
    more = (f"irq pulse {pin}", "run 300") if again else ()
    return scene(
        guest, (vector, on), "remote-irr",
        (f"pin {pin}", "remote IRR", "SVR", "bit 12"),
        (f"irq pulse {pin}", "run 300", *more),
    )  # fmt: skip


def held_edge(*, sound: bool, on: int, pin: int, vector: int, x2apic: bool) -> Scene:
    setup = f"pin {pin}, {vector:#x}, {on}"
    moves = f"irq {'pulse' if sound else 'raise'} {pin}"
    return scene(
        led(setup, vector), (vector, on), "edge",
        (f"pin {pin}", "edge", "asserted"), (moves, "run 300", moves, "run 300"),
        x2apic=x2apic,
    )  # fmt: skip


def no_eoi(*, sound: bool, on: int, pin: int, vector: int, x2apic: bool) -> Scene:
    setup = f"pin {pin}, {LEVEL | vector:#x}, {on}"
    handler = "counting" if sound else "forgetful"
    return scene(
        led(setup, vector, handler), (vector, on), "in-service",
        ("in service", "EOI"), (f"irq pulse {pin}", "run 300"), x2apic=x2apic,
    )  # fmt: skip


FAULTS = (
    Fault(
        "eoi-suppressed", "SVR bit 12 keeps EOIs from the IOAPIC", eoi_kept,
        {"on": ON, "pin": PINS, "vector": VECTORS, "again": WAYS},
    ),
    Fault(
        "held-edge", "the line is held, and an edge-triggered pin wants a new edge",
        held_edge, {"on": ON, "pin": PINS, "vector": VECTORS, "x2apic": WAYS},
    ),
    Fault(
        "level-no-eoi", "a level interrupt whose handler wrote no EOI", no_eoi,
        {"on": ON, "pin": PINS, "vector": VECTORS, "x2apic": WAYS},
    ),
)  # fmt: skip
