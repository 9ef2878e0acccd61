"""Faults between a device's line and the local APIC: the IOAPIC.

Intel 82093AA "I/O Redirection Table Registers"; SDM Vol. 3A "Interrupt Acceptance for
Fixed Interrupts", "Signaling Interrupt Servicing Completion".
"""

from faults.placing import VECTORS, WAYS
from faults.scene import Fault, Scene

ON = (0, 1, 2)
PINS = (4, 9, 17)
LEVEL = 0x8000
MASKED = 0x1_0000


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


def masked(
    *, sound: bool, on: int, pin: int, vector: int, level: bool, x2apic: bool
) -> Scene:
    entry = (0 if sound else MASKED) | (LEVEL if level else 0) | vector
    return scene(
        led(f"pin {pin}, {entry:#x}, {on}", vector), (vector, on),
        "ioapic-mask" if level else "edge-lost",
        (f"pin {pin}", "masked"), (f"irq raise {pin}", "run 300"), x2apic=x2apic,
    )  # fmt: skip


def rose_while_masked(
    *, sound: bool, on: int, pin: int, vector: int, held: bool
) -> Scene:
    setup = f"""
        pin {pin}, {MASKED | vector:#x}, {on}
masked: nop
        pin {pin}, {vector:#x}, {on}
open:   nop
"""
    at = "open" if sound else "masked"
    guest = led(setup, vector)
    return Scene(
        guest, f"irq why {vector:#x} {on}", "edge-lost",
        (vector, f"pin {pin}", "masked"), 3,
        lines=(
            "quantum 200", f"until {{{at}:#x}}",
            f"irq {'raise' if held else 'pulse'} {pin}", "run 3000",
        ),
    )  # fmt: skip


def tmr_cleared(*, sound: bool, pin: int, vector: int, x2apic: bool) -> Scene:
    setup = f"""
        pin {pin}, {LEVEL | vector:#x}, 0
asserts: nop
        {"" if sound else f"send {0x4000 | vector:#x}, 0"}
"""
    return Scene(
        led(setup, vector), f"irq why {vector:#x} 0", "eoi-as-edge",
        (vector, f"pin {pin}", "remote IRR", "TMR"), 3, x2apic,
        (
            "quantum 200", "until {asserts:#x}", f"irq raise {pin}", "run 3000",
            f"irq lower {pin}", f"irq raise {pin}", "run 300",
        ),
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


def isa_0_on_pin_0(
    *, sound: bool, on: int, vector: int, held: bool, x2apic: bool
) -> Scene:
    setup = f"pin {2 if sound else 0}, {vector:#x}, {on}"
    return scene(
        led(setup, vector), (vector, on), "isa-line-0", ("pin 0", "pin 2", "ISA"),
        (f"irq {'raise' if held else 'pulse'} 0 --isa", "run 300"), x2apic=x2apic,
    )  # fmt: skip


def to_nobody(*, sound: bool, pin: int, vector: int, wrong: int, level: bool) -> Scene:
    entry = (LEVEL if level else 0) | vector
    setup = f"pin {pin}, {entry:#x}, {1 if sound else wrong}"
    return scene(
        led(setup, vector), (vector, 1), "destination",
        (f"pin {pin}", wrong, "no APIC"), (f"irq raise {pin}", "run 300"),
    )  # fmt: skip


def to_another(*, sound: bool, on: int, pin: int, vector: int, x2apic: bool) -> Scene:
    other = (on + 1) % 3
    setup = f"pin {pin}, {vector:#x}, {on if sound else other}"
    return scene(
        led(setup, vector), (vector, on), "elsewhere",
        (f"pin {pin}", f"vCPU {other}"), (f"irq raise {pin}", "run 300"), x2apic=x2apic,
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
        "ioapic-masked", "the redirection entry is masked", masked,
        {"on": ON, "pin": PINS, "vector": VECTORS, "level": WAYS, "x2apic": WAYS},
    ),
    Fault(
        "rose-while-masked", "an edge at a masked pin is lost", rose_while_masked,
        {"on": ON, "pin": PINS, "vector": VECTORS, "held": WAYS},
    ),
    Fault(
        "tmr-cleared", "an IPI of the same vector made its EOI that of an edge",
        tmr_cleared,
        {"pin": PINS, "vector": VECTORS, "x2apic": WAYS},
    ),
    Fault(
        "eoi-suppressed", "SVR bit 12 keeps EOIs from the IOAPIC", eoi_kept,
        {"on": ON, "pin": PINS, "vector": VECTORS, "again": WAYS},
    ),
    Fault(
        "isa-0-on-pin-0", "ISA line 0 is pin 2 of the IOAPIC", isa_0_on_pin_0,
        {"on": ON, "vector": VECTORS, "held": WAYS, "x2apic": WAYS},
    ),
    Fault(
        "pin-to-nobody", "the entry's destination is an id that nobody has", to_nobody,
        {"pin": PINS, "vector": VECTORS, "wrong": (5, 9), "level": WAYS},
    ),
    Fault(
        "pin-to-another", "the entry's destination is another processor", to_another,
        {"on": ON, "pin": PINS, "vector": VECTORS, "x2apic": WAYS},
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
