"""Faults in the use of the APIC timer.

SDM Vol. 3A "APIC Timer", "TSC-Deadline Mode".
"""

from faults.placing import ON, VECTORS, WAYS, on_vcpu
from faults.scene import Fault, Scene

COUNTS = ("0", "PERIODIC")
"""One-shot and periodic."""


def timer(entry: str, count: int, divide: int = 0xB) -> str:
    return f"""
        put DIVIDE, {divide:#x}
        put LVT_TIMER, {entry}
        put INITIAL, {count}
"""


def lvt_masked(*, sound: bool, on: int, vector: int, mode: str, x2apic: bool) -> Scene:
    entry = f"{mode} | {vector:#x} {'' if sound else '| MASKED'}"
    return Scene(
        on_vcpu(on, f"{timer(entry, 300)}\n delay 400"), f"irq why {vector:#x} {on}",
        "fired-in-vain", ("LVT timer", vector, "masked"), on + 1, x2apic,
    )  # fmt: skip


def count_in_deadline_mode(
    *, sound: bool, on: int, vector: int, count: int, x2apic: bool
) -> Scene:
    mode = "PERIODIC" if sound else "DEADLINE"
    code = f"{timer(f'{mode} | {vector:#x}', count)}\n delay 400"
    return Scene(
        on_vcpu(on, code), f"irq why {vector:#x} {on}", "timer-count-ignored",
        ("TSC-deadline", "initial count", "ignored"), on + 1, x2apic,
    )  # fmt: skip


def deadline_in_count_mode(
    *, sound: bool, on: int, vector: int, mode: str, x2apic: bool
) -> Scene:
    entry = f"{'DEADLINE' if sound else mode} | {vector:#x}"
    code = f"""
        put LVT_TIMER, {entry}
        rdtsc
        add eax, 400
        adc edx, 0
        mov ecx, TSC_DEADLINE
        wrmsr
        delay 400
"""
    return Scene(
        on_vcpu(on, code), f"irq why {vector:#x} {on}", "timer-deadline-ignored",
        ("IA32_TSC_DEADLINE", "ignored"), on + 1, x2apic,
    )  # fmt: skip


def count_zero(*, sound: bool, on: int, vector: int, mode: str, x2apic: bool) -> Scene:
    count = 300 if sound else 0
    code = f"{timer(f'{mode} | {vector:#x}', count)}\n delay 400"
    return Scene(
        on_vcpu(on, code), f"irq why {vector:#x} {on}", "timer-count-0",
        ("initial count", "0x0"), on + 1, x2apic,
    )  # fmt: skip


def count_before_mode(
    *, sound: bool, on: int, vector: int, mode: str, x2apic: bool
) -> Scene:
    entry = f"put LVT_TIMER, {mode} | {vector:#x}"
    count = "put INITIAL, 300"
    first, second = (entry, count) if sound else (count, entry)
    code = f"""
        put DIVIDE, 0xB
        put LVT_TIMER, DEADLINE | MASKED | {vector:#x}
        {first}
        {second}
        delay 400
"""
    return Scene(
        on_vcpu(on, code), f"irq why {vector:#x} {on}", "timer-count-ignored",
        ("initial count", "TSC-deadline"), on + 1, x2apic,
    )  # fmt: skip


def unmasked_while_off(
    *, sound: bool, on: int, vector: int, mode: str, x2apic: bool
) -> Scene:
    """SDM Vol. 3A "Local APIC State After It Has Been Software Disabled"."""
    code = f"""
        put _SVR, {0x1FF if sound else 0xFF:#x}
        put DIVIDE, 0xB
        put LVT_TIMER, {mode} | {vector:#x}
        put _SVR, 0x1FF
        put INITIAL, 300
        delay 400
"""
    return Scene(
        on_vcpu(on, code), f"irq why {vector:#x} {on}", "fired-in-vain",
        ("LVT timer", "masked", "SVR", "bit 8", vector), on + 1, x2apic,
    )  # fmt: skip


def sleeps_on_a_masked_timer(
    *, sound: bool, on: int, vector: int, mode: str, x2apic: bool
) -> Scene:
    entry = f"{mode} | {vector:#x} {'' if sound else '| MASKED'}"
    code = f"install {vector:#x}, counting\n{timer(entry, 300)}\n idle"
    return Scene(
        on_vcpu(on, code), f"why vcpu {on}",
        "fired-in-vain" if mode == "0" else "timer-shut",
        ("halted", "timer", "masked"), on + 1, x2apic,
    )  # fmt: skip


def mode_disarms(
    *, sound: bool, on: int, vector: int, mode: str, x2apic: bool
) -> Scene:
    late = f"put LVT_TIMER, DEADLINE | {vector:#x}"
    code = f"""
        {timer(f"{mode} | {vector:#x}", 2000)}
        {"" if sound else late}
        delay 60
"""
    return Scene(
        on_vcpu(on, code), f"irq why {vector:#x} {on}", "timer-disarmed",
        ("TSC-deadline", "LVT timer"), on + 1, x2apic,
    )  # fmt: skip


def divided(*, sound: bool, on: int, vector: int, mode: str, x2apic: bool) -> Scene:
    code = timer(f"{mode} | {vector:#x}", 3000, 0xB if sound else 0xA)
    return Scene(
        on_vcpu(on, f"{code}\n delay 2000"), f"irq why {vector:#x} {on}",
        "timer", ("timer", "128"), on + 1, x2apic,
    )  # fmt: skip


FAULTS = (
    Fault(
        "lvt-masked", "LVT timer is masked when the count ends", lvt_masked,
        {"on": ON, "vector": VECTORS, "mode": COUNTS, "x2apic": WAYS},
    ),
    Fault(
        "count-in-deadline-mode", "in TSC-deadline mode an initial count is ignored",
        count_in_deadline_mode,
        {"on": ON, "vector": VECTORS, "count": (300, 9), "x2apic": WAYS},
    ),
    Fault(
        "deadline-in-count-mode",
        "outside TSC-deadline mode a write of IA32_TSC_DEADLINE is ignored",
        deadline_in_count_mode,
        {"on": ON, "vector": VECTORS, "mode": COUNTS, "x2apic": WAYS},
    ),
    Fault(
        "count-zero", "an initial count of 0 stops the timer", count_zero,
        {"on": ON, "vector": VECTORS, "mode": COUNTS, "x2apic": WAYS},
    ),
    Fault(
        "count-before-mode", "the count was written before the mode was set",
        count_before_mode,
        {"on": ON, "vector": VECTORS, "mode": COUNTS, "x2apic": WAYS},
    ),
    Fault(
        "unmasked-while-off",
        "no LVT entry can be unmasked while the APIC is software-disabled",
        unmasked_while_off,
        {"on": ON, "vector": VECTORS, "mode": COUNTS, "x2apic": WAYS},
    ),
    Fault(
        "sleeps-on-masked-timer", "HLT for a timer that is masked",
        sleeps_on_a_masked_timer,
        {"on": ON, "vector": VECTORS, "mode": COUNTS, "x2apic": WAYS},
    ),
    Fault(
        "mode-disarms", "a change to TSC-deadline mode disarms the timer", mode_disarms,
        {"on": ON, "vector": VECTORS, "mode": COUNTS, "x2apic": WAYS},
    ),
    Fault(
        "timer-divided", "the count is divided by 128, and ends much later", divided,
        {"on": ON, "vector": VECTORS, "mode": COUNTS, "x2apic": WAYS},
    ),
)  # fmt: skip
