"""Faults in the use of the 8259 pair. Intel 8259A datasheet, 82371AB "ELCR1"."""

from faults.placing import WAYS
from faults.scene import Fault, Scene

BASES = (0x20, 0x50, 0x70)
MASTER = (1, 4, 6)
SLAVE = (8, 11, 14)
ALL = 0


def vector_of(base: int, line: int) -> int:
    """Return what a line gives; the second chip follows the first."""
    return base + line


def paired(
    base: int,
    line: int,
    *,
    masks: tuple[int, int] = (ALL, ALL),
    ends: tuple[int, ...] = (0xA0, 0x20),
    more: str = "",
    x2apic: bool = False,
    elcr: int = 0,
) -> tuple[str, bool]:
    """Return a guest that takes a line from the 8259 pair, and ends it at `ends`."""
    written = "\n".join(f"out {port:#x}, al" for port in ends)
    guest = f"""
        install {vector_of(base, line):#x}, by_pic
        pic {base:#x}, {base + 8:#x}, {masks[0]:#x}, {masks[1]:#x}
        mov dx, {0x4D0 + line // 8:#x}
        mov al, {elcr:#x}
        out dx, al
        {more}
ready:  idle
by_pic: push eax
        inc dword [COUNT]
        mov al, 0x20
        {written}
        pop eax
        iret
        handlers
"""
    return guest, x2apic


def scene(
    guest: tuple[str, bool],
    vector: int,
    rule: str,
    names: tuple[int | str, ...],
    lines: tuple[str, ...],
) -> Scene:
    text, x2apic = guest
    return Scene(
        text, f"irq why {vector:#x} 0", rule, (vector, *names), 1, x2apic, lines
    )


def raised(line: int, *more: str) -> tuple[str, ...]:
    return ("run 300", f"irq raise {line} --isa", "run 100", *more)


def masked(*, sound: bool, base: int, line: int, x2apic: bool) -> Scene:
    bit = 0 if sound else 1 << line % 8
    masks = (bit, 0) if line < 8 else (0, bit)
    guest = paired(base, line, masks=masks, x2apic=x2apic)
    return scene(
        guest, vector_of(base, line), "pic-mask", (f"IRQ {line}", "masked", "IMR"),
        raised(line),
    )  # fmt: skip


def cascade_masked(*, sound: bool, base: int, line: int, x2apic: bool) -> Scene:
    guest = paired(base, line, masks=(0 if sound else 4, 0), x2apic=x2apic)
    return scene(
        guest, vector_of(base, line), "pic-mask", (f"IRQ {line}", "input 2"),
        raised(line),
    )  # fmt: skip


def no_eoi(*, sound: bool, base: int, line: int, x2apic: bool) -> Scene:
    guest = paired(base, line, ends=(0xA0, 0x20) if sound else (), x2apic=x2apic)
    again = (f"irq lower {line} --isa", f"irq raise {line} --isa", "run 100")
    return scene(
        guest, vector_of(base, line), "pic-in-service",
        (f"IRQ {line}", "in service", "EOI", "8259"), raised(line, *again),
    )  # fmt: skip


def no_eoi_of_second(*, sound: bool, base: int, line: int, x2apic: bool) -> Scene:
    ends = (0xA0, 0x20) if sound else (0x20,)
    guest = paired(base, line, ends=ends, x2apic=x2apic)
    again = (f"irq lower {line} --isa", f"irq raise {line} --isa", "run 100")
    return scene(
        guest, vector_of(base, line), "pic-in-service",
        (f"IRQ {line}", "in service", "EOI"), raised(line, *again),
    )  # fmt: skip


def spurious(*, sound: bool, base: int, line: int, x2apic: bool) -> Scene:
    """The line goes between INTR and its acknowledgement."""
    more = f"""
        install {base + 7:#x}, by_pic
        cli
asks:   nop
"""
    guest = paired(base, line, more=more, x2apic=x2apic)
    lower = () if sound else (f"irq lower {line} --isa",)
    return scene(
        guest, base + 7, "pic-spurious", ("spurious", "8259"),
        ("until {asks:#x}", f"irq raise {line} --isa", "step", *lower, "run 200"),
    )  # fmt: skip


def edge_in_elcr(*, sound: bool, base: int, line: int, x2apic: bool) -> Scene:
    elcr = 1 << line % 8
    guest = paired(base, line, elcr=elcr if sound else 0, x2apic=x2apic)
    return scene(
        guest, vector_of(base, line), "pic-edge",
        (f"IRQ {line}", "edge", "ELCR"), raised(line, "run 100"),
    )  # fmt: skip


def not_extint(*, sound: bool, base: int, line: int, entry: int, x2apic: bool) -> Scene:
    more = "" if sound else f"install 0x31, counting\nput LVT_LINT0, {entry:#x}"
    guest = paired(base, line, more=more, x2apic=x2apic)
    return scene(guest, vector_of(base, line), "lint0", ("LINT0", entry), raised(line))


FAULTS = (
    Fault(
        "8259-masked", "the line is masked in the IMR", masked,
        {"base": BASES, "line": (*MASTER, *SLAVE), "x2apic": WAYS},
    ),
    Fault(
        "8259-cascade-masked", "input 2 of the first 8259 is masked", cascade_masked,
        {"base": BASES, "line": SLAVE, "x2apic": WAYS},
    ),
    Fault(
        "8259-no-eoi", "the handler wrote no EOI to the 8259", no_eoi,
        {"base": BASES, "line": (*MASTER, *SLAVE), "x2apic": WAYS},
    ),
    Fault(
        "8259-no-eoi-second", "only the first 8259 had an EOI", no_eoi_of_second,
        {"base": BASES, "line": SLAVE, "x2apic": WAYS},
    ),
    Fault(
        "8259-spurious", "the line went before the 8259 was acknowledged", spurious,
        {"base": BASES, "line": MASTER, "x2apic": WAYS},
    ),
    Fault(
        "8259-elcr", "the line is held, and edge-triggered in the ELCR", edge_in_elcr,
        {"base": BASES, "line": (4, 6, 11, 14), "x2apic": WAYS},
    ),
    Fault(
        "lint0-no-extint", "LINT0 is masked, or not ExtINT", not_extint,
        {"base": BASES, "line": MASTER, "entry": (0x1_0700, 0x31), "x2apic": WAYS},
    ),
)  # fmt: skip
