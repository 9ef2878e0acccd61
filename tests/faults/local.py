"""Faults in what the local APIC takes and gives, and in RFLAGS.

SDM Vol. 3A "Local APIC", "Task and Processor Priorities", "Signaling Interrupt
Servicing Completion", "Masking Maskable Hardware Interrupts", "Handling Multiple NMIs".
"""

from faults.placing import ON, SPIN, VECTORS, WAYS, on_vcpu, to
from faults.scene import Fault, Scene


def task_priority(
    *, sound: bool, on: int, vector: int, above: int, x2apic: bool
) -> Scene:
    tpr = 0 if sound else (vector & 0xF0) + above
    code = f"put _TPR, {tpr:#x}\n {to(on, vector)}\n sti\n {SPIN}"
    return Scene(
        on_vcpu(on, code), f"irq why {vector:#x} {on}", "class",
        ("TPR", tpr, vector), on + 1, x2apic,
    )  # fmt: skip


def no_eoi(*, sound: bool, on: int, vector: int, level: bool, x2apic: bool) -> Scene:
    handler = "counting" if sound else "forgetful"
    sends = to(on, vector, 0x8000 if level else 0)
    code = f"""
        install {vector:#x}, {handler}
        sti
        {sends}
        delay 10
        {sends}
        {SPIN}
"""
    return Scene(
        on_vcpu(on, code), f"irq why {vector:#x} {on}", "class",
        (vector, "in service", "EOI"), on + 1, x2apic,
    )  # fmt: skip


def spins_with_if_clear(*, sound: bool, on: int, vector: int, x2apic: bool) -> Scene:
    code = f"{'sti' if sound else 'cli'}\n install {vector:#x}, counting"
    return Scene(
        on_vcpu(on, f"{code}\n {to(on, vector)}\n {SPIN}"),
        f"irq why {vector:#x} {on}", "if", ("IF", vector), on + 1, x2apic,
    )  # fmt: skip


def halts_with_if_clear(*, sound: bool, on: int, vector: int, x2apic: bool) -> Scene:
    code = f"""
        install {vector:#x}, counting
        {to(on, vector)}
        {"sti" if sound else "cli"}
        hlt
        {SPIN}
"""
    return Scene(
        on_vcpu(on, code), f"irq why {vector:#x} {on}", "if",
        ("IF", "halted", vector), on + 1, x2apic,
    )  # fmt: skip


def shadowed(*, sound: bool, vector: int, after: str, x2apic: bool) -> Scene:
    code = f"""
        install {vector:#x}, counting
        cli
        {to(0, vector)}
        sti
        {"nop" if sound else ""}
stops:  {after}
        {SPIN}
"""
    return Scene(
        on_vcpu(0, code), f"irq why {vector:#x} 0", "shadow",
        (vector, "STI", "one instruction"), 1, x2apic, ("until {stops:#x}",),
    )  # fmt: skip


RETURNS = {"jmp": "jmp here", "ret": "add esp, 12\n jmp here"}


def nmi_without_iret(*, sound: bool, on: int, after: str, x2apic: bool) -> Scene:
    code = f"""
        install 2, on_nmi
        send 0x4400, {on}
        delay 10
        send 0x4400, {on}
        {SPIN}
on_nmi: {"iret" if sound else RETURNS[after]}
"""
    code = code.replace("here:   pause", "here:   send 0x4400, " + str(on), 1)
    return Scene(
        on_vcpu(on, code), f"irq why nmi {on}", "nmi-blocking",
        ("NMI", "IRET"), on + 1, x2apic, ("run 2000",),
    )  # fmt: skip


FAULTS = (
    Fault(
        "task-priority", "the TPR's class is not below the vector's", task_priority,
        {"on": ON, "vector": VECTORS, "above": (0, 16), "x2apic": WAYS},
    ),
    Fault(
        "if-spin", "IF is clear in a loop", spins_with_if_clear,
        {"on": ON, "vector": VECTORS, "x2apic": WAYS},
    ),
    Fault(
        "if-hlt", "HLT with IF clear", halts_with_if_clear,
        {"on": ON, "vector": VECTORS, "x2apic": WAYS},
    ),
    Fault(
        "shadow", "STI holds interrupts off for one instruction more",
        shadowed, {"vector": VECTORS, "after": ("hlt", "nop", "cli"), "x2apic": WAYS},
    ),
    Fault(
        "nmi-without-iret", "NMIs are blocked until IRET", nmi_without_iret,
        {"on": ON, "after": tuple(RETURNS), "x2apic": WAYS},
    ),
)  # fmt: skip
