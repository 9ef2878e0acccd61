"""Faults in what the local APIC takes and gives, and in RFLAGS.

SDM Vol. 3A "Local APIC", "Task and Processor Priorities", "Signaling Interrupt
Servicing Completion", "Masking Maskable Hardware Interrupts", "Handling Multiple NMIs".
"""

from faults.placing import ON, SPIN, VECTORS, WAYS, on_vcpu, to
from faults.scene import Fault, Scene
from faults.timers import timer


def software_disabled(*, sound: bool, on: int, vector: int, x2apic: bool) -> Scene:
    svr = 0x1FF if sound else 0xFF
    code = f"put _SVR, {svr:#x}\n {to(on, vector)}"
    return Scene(
        on_vcpu(on, code), f"irq why {vector:#x} {on}", "refused",
        ("SVR", 0xFF, vector, "refused", "bit 8"), on + 1, x2apic,
    )  # fmt: skip


def globally_disabled(*, sound: bool, on: int, vector: int, many: bool) -> Scene:
    off = """
        mov ecx, APIC_BASE
        rdmsr
        and eax, ~0x800
        wrmsr
"""
    guest = f"""
        copy ap_start, 8
        start {on}, 8
        wait_for 2
        delay 100
        {to(on, vector)}
        sleep
        handlers
        trampoline
        {"" if sound else off}
        lock inc byte [ARRIVED]
        sleep
"""
    return Scene(
        guest, f"irq why {vector:#x} {on}", "destination",
        ("APICBASE", vector), on + 1 + many, lines=("quantum 200", "run 6000"),
    )  # fmt: skip


def task_priority(
    *, sound: bool, on: int, vector: int, above: int, x2apic: bool
) -> Scene:
    tpr = 0 if sound else (vector & 0xF0) + above
    code = f"put _TPR, {tpr:#x}\n {to(on, vector)}\n sti\n {SPIN}"
    return Scene(
        on_vcpu(on, code), f"irq why {vector:#x} {on}", "class",
        ("TPR", tpr, vector), on + 1, x2apic,
    )  # fmt: skip


def higher_in_service(
    *, sound: bool, on: int, vector: int, higher: int, x2apic: bool
) -> Scene:
    handler = "counting" if sound else "forgetful"
    code = f"""
        install {higher:#x}, {handler}
        sti
        {to(on, higher)}
        delay 10
        cli
        {to(on, vector)}
        sti
        {SPIN}
"""
    return Scene(
        on_vcpu(on, code), f"irq why {vector:#x} {on}", "class",
        (higher, "in service", "EOI"), on + 1, x2apic,
    )  # fmt: skip


def no_eoi(*, sound: bool, on: int, vector: int, x2apic: bool) -> Scene:
    handler = "counting" if sound else "forgetful"
    code = f"""
        install {vector:#x}, {handler}
        sti
        {to(on, vector)}
        delay 10
        {to(on, vector)}
        {SPIN}
"""
    return Scene(
        on_vcpu(on, code), f"irq why {vector:#x} {on}", "class",
        (vector, "in service", "EOI"), on + 1, x2apic,
    )  # fmt: skip


def eoi_too_early(*, sound: bool, on: int, vector: int, x2apic: bool) -> Scene:
    handler = "counting" if sound else "forgetful"
    code = f"""
        install {vector:#x}, {handler}
early:  put _EOI, 0
        sti
        {to(on, vector)}
        {SPIN}
"""
    return Scene(
        on_vcpu(on, code), f"irq why {vector:#x} {on}", "in-service",
        (vector, "EOI", "nothing in service"), on + 1, x2apic,
    )  # fmt: skip


def illegal_vector(
    *, sound: bool, on: int, vector: int, by: str, x2apic: bool
) -> Scene:
    put_in = vector + 0x30 if sound else vector
    code = to(on, put_in) if by == "ipi" else timer(f"PERIODIC | {put_in:#x}", 300)
    return Scene(
        on_vcpu(on, f"{code}\n delay 400"), f"irq why {put_in:#x} {on}",
        "dropped" if by == "ipi" else "illegal-vector", (vector, "16"), on + 1, x2apic,
    )  # fmt: skip


def merged(*, sound: bool, on: int, vector: int, times: int, x2apic: bool) -> Scene:
    code = f"""
        install {vector:#x}, counting
        {"sti" if sound else "cli"}
"""
    code += f"{to(on, vector)}\n nop\n" * times
    return Scene(
        on_vcpu(on, f"{code}\n sti\n {SPIN}"), f"irq why {vector:#x} {on}", "merged",
        (vector, "merged"), on + 1, x2apic,
    )  # fmt: skip


def spins_with_if_clear(*, sound: bool, on: int, vector: int, x2apic: bool) -> Scene:
    code = f"{'sti' if sound else 'cli'}\n install {vector:#x}, counting"
    return Scene(
        on_vcpu(on, f"{code}\n {to(on, vector)}\n {SPIN}"),
        f"irq why {vector:#x} {on}", "if", ("IF", vector, "spins"), on + 1, x2apic,
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


def shut_at_once(*, sound: bool, on: int, vector: int, x2apic: bool) -> Scene:
    """STI and CLI, with nothing between them: SDM Vol. 2B "STI"."""
    code = f"""
        install {vector:#x}, counting
        {to(on, vector)}
again:  sti
        {"nop" if sound else ""}
        cli
        jmp again
"""
    return Scene(
        on_vcpu(on, code), f"irq why {vector:#x} {on}", "if",
        (vector, "STI", "CLI", "shadow"), on + 1, x2apic,
        ("run 3000", f"vcpu {on}", "until {again:#x}"),
    )  # fmt: skip


def no_gate(*, sound: bool, on: int, vector: int, x2apic: bool) -> Scene:
    install = f"install {vector:#x}, counting" if sound else ""
    code = f"{install}\n sti\n {to(on, vector)}\n {SPIN}"
    return Scene(
        on_vcpu(on, code), f"irq why {vector:#x} {on}", "suspended",
        (vector, "triple-fault", "#GP", "IDT"), on + 1, x2apic,
    )  # fmt: skip


RETURNS = {"jmp": "jmp again", "ret": "add esp, 12\n jmp again"}


def nmi_without_iret(*, sound: bool, on: int, after: str, x2apic: bool) -> Scene:
    code = f"""
        install 2, on_nmi
again:  send 0x4400, {on}
        delay 10
        jmp again
on_nmi: {"iret" if sound else RETURNS[after]}
"""
    return Scene(
        on_vcpu(on, code), f"irq why nmi {on}", "nmi-blocking",
        ("NMI", "IRET"), on + 1, x2apic, ("run 2000",),
    )  # fmt: skip


FAULTS = (
    Fault(
        "software-disabled", "an APIC with SVR bit 8 clear takes no interrupt",
        software_disabled, {"on": ON, "vector": VECTORS, "x2apic": WAYS},
    ),
    Fault(
        "globally-disabled", "an APIC with APICBASE bit 11 clear takes no interrupt",
        globally_disabled, {"on": (1, 2), "vector": VECTORS, "many": WAYS},
    ),
    Fault(
        "task-priority", "the TPR's class is not below the vector's", task_priority,
        {"on": ON, "vector": VECTORS, "above": (0, 16), "x2apic": WAYS},
    ),
    Fault(
        "higher-in-service", "a higher vector was not ended: the PPR holds this one",
        higher_in_service,
        {"on": ON, "vector": (0x31, 0x52), "higher": (0x61, 0xEC), "x2apic": WAYS},
    ),
    Fault(
        "no-eoi", "its own handler wrote no EOI", no_eoi,
        {"on": ON, "vector": VECTORS, "x2apic": WAYS},
    ),
    Fault(
        "eoi-too-early", "the EOI came while nothing was in service", eoi_too_early,
        {"on": ON, "vector": VECTORS, "x2apic": WAYS},
    ),
    Fault(
        "illegal-vector", "vectors below 16 are illegal", illegal_vector,
        {"on": ON, "vector": (3, 9, 15), "by": ("ipi", "timer"), "x2apic": WAYS},
    ),
    Fault(
        "merged", "the IRR has one bit a vector: a second one is merged", merged,
        {"on": ON, "vector": VECTORS, "times": (2, 3), "x2apic": WAYS},
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
        "sti-cli", "CLI in the shadow of STI: no interrupt gets in", shut_at_once,
        {"on": ON, "vector": VECTORS, "x2apic": WAYS},
    ),
    Fault(
        "no-gate", "the IDT has no gate for the vector", no_gate,
        {"on": ON, "vector": VECTORS, "x2apic": WAYS},
    ),
    Fault(
        "nmi-without-iret", "NMIs are blocked until IRET", nmi_without_iret,
        {"on": ON, "after": tuple(RETURNS), "x2apic": WAYS},
    ),
)  # fmt: skip
