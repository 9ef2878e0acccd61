"""Faults in whom an IPI names.

SDM Vol. 3A "Determining IPI Destination", "Interrupt Command Register (ICR)", "x2APIC
Register Address Space".
"""

from faults.placing import VECTORS, WAYS
from faults.scene import Fault, Scene

APS = (1, 2)
LOGICAL = 0x800
LOWEST = 0x100
CLUSTER = 0x0FFF_FFFF


def between(send: str, ap: str = "") -> str:
    """Return a guest whose BSP sends when both APs have set themselves up by `ap`.

    In `ap`, EBX is the id of the APIC.
    """
    return f"""
        copy ap_start, 8
        start 1, 8
        start 2, 8
        wait_for 4
        {send}
        sleep
        handlers
        trampoline
        own_id
        mov ebx, eax
{ap}
        lock inc byte [ARRIVED]
        idle
"""


def scene(
    guest: str,
    asked: tuple[int, int],
    rule: str,
    names: tuple[int | str, ...],
    *,
    x2apic: bool = False,
) -> Scene:
    """Return a scene of three vCPUs that asks for a vector on one."""
    vector, number = asked
    install = f"install {vector:#x}, counting\n"
    return Scene(
        install + guest, f"irq why {vector:#x} {number}", rule, (vector, *names), 3,
        x2apic, ("quantum 200", "run 6000"),
    )  # fmt: skip


def icr(vector: int, bits: int = 0) -> str:
    return f"{0x4000 | bits | vector:#x}"


def nobody(*, sound: bool, ap: int, vector: int, wrong: int, x2apic: bool) -> Scene:
    guest = between(f"send {icr(vector)}, {ap if sound else wrong}")
    return scene(guest, (vector, ap), "destination", (wrong, "no APIC"), x2apic=x2apic)


def another(*, sound: bool, ap: int, vector: int, lowest: bool, x2apic: bool) -> Scene:
    bits, wrong = LOWEST if lowest else 0, 3 - ap
    guest = between(f"send {icr(vector, bits)}, {ap if sound else wrong}")
    return scene(guest, (vector, ap), "elsewhere", (f"vCPU {wrong}",), x2apic=x2apic)


def to_itself(*, sound: bool, ap: int, vector: int, x2apic: bool) -> Scene:
    bits = 0 if sound else 1 << 18
    guest = between(f"send {icr(vector, bits)}, {ap}")
    return scene(guest, (vector, ap), "elsewhere", ("vCPU 0", "self"), x2apic=x2apic)


def to_all_but_self(*, sound: bool, vector: int, ap: int, x2apic: bool) -> Scene:
    bits = (2 if sound else 3) << 18
    guest = between(f"send {icr(vector, bits)}, {ap}\n sti\n delay 20")
    return scene(
        guest, (vector, 0), "elsewhere", ("vCPU 0", "all-but-self"), x2apic=x2apic
    )


def reserved_mode(*, sound: bool, vector: int, ap: int, x2apic: bool) -> Scene:
    guest = between(f"send {icr(vector, 0 if sound else 0x700)}, {ap}")
    return scene(guest, (vector, ap), "dropped", ("reserved", 7), x2apic=x2apic)


def shifted(*, sound: bool, vector: int, ap: int, lowest: bool) -> Scene:
    to = ap if sound else ap << 24
    guest = between(f"send {icr(vector, LOWEST if lowest else 0)}, {to:#x}")
    return scene(guest, (vector, ap), "destination", (ap << 24, "no APIC"), x2apic=True)


def high_too_late(*, sound: bool, vector: int, ap: int, lowest: bool) -> Scene:
    halves = (
        f"mov dword [ICR_HIGH], {ap << 24:#x}",
        f"mov dword [ICR], {icr(vector, LOWEST if lowest else 0)}",
    )
    code = "\n".join(halves if sound else halves[::-1])
    guest = between(f"mov dword [ICR_HIGH], {3 - ap << 24:#x}\n{code}")
    return scene(
        guest, (vector, ap), "elsewhere",
        (f"vCPU {3 - ap}", "upper half of the ICR", ap << 24),
    )  # fmt: skip


# Logical destinations, of xAPIC mode.


def flat_ids(ldr: dict[int, int]) -> str:
    """Return how the APs write their LDR."""
    return "\n".join(f"put_of {ap}, LDR, {value << 24:#x}" for ap, value in ldr.items())


def logical_nobody(*, sound: bool, ap: int, vector: int, wrong: int) -> Scene:
    to = 1 << ap if sound else wrong
    guest = between(f"send {icr(vector, LOGICAL)}, {to}", flat_ids({1: 2, 2: 4}))
    return scene(guest, (vector, ap), "destination", (wrong, "logical", "no APIC"))


def logical_shared(*, sound: bool, vector: int, shared: int) -> Scene:
    ldr = {1: 1 if sound else shared, 2: shared}
    guest = between(f"send {icr(vector, LOGICAL | LOWEST)}, {shared}", flat_ids(ldr))
    return scene(guest, (vector, 2), "elsewhere", ("lowest priority", "vCPU 1", shared))


def cluster_model(*, sound: bool, ap: int, vector: int, ldr: int) -> Scene:
    dfr = "" if sound else f"put_of {ap}, DFR, {CLUSTER:#x}"
    ids = flat_ids({ap: ldr, 3 - ap: ldr >> 1})
    guest = between(f"send {icr(vector, LOGICAL)}, {ldr}", f"{dfr}\n{ids}")
    return scene(guest, (vector, ap), "destination", ("DFR", "cluster", ldr))


def no_ldr(*, sound: bool, ap: int, vector: int, lowest: bool) -> Scene:
    to, bits = 1 << ap, LOGICAL | (LOWEST if lowest else 0)
    ids = {3 - ap: 1 << 3 - ap} | ({ap: to} if sound else {})
    guest = between(f"send {icr(vector, bits)}, {to}", flat_ids(ids))
    return scene(guest, (vector, ap), "destination", ("LDR", to))


def lowest_to_disabled(*, sound: bool, ap: int, vector: int, logical: bool) -> Scene:
    bits, to = (LOWEST | LOGICAL, 1 << ap) if logical else (LOWEST, ap)
    off = "" if sound else f"put_of {ap}, _SVR, 0xFF"
    guest = between(
        f"send {icr(vector, bits)}, {to}", f"{flat_ids({1: 2, 2: 4})}\n{off}"
    )
    return scene(guest, (vector, ap), "destination", ("SVR", 0xFF))


FAULTS = (
    Fault(
        "ipi-to-nobody", "the destination is an APIC id that nobody has", nobody,
        {"ap": APS, "vector": VECTORS, "wrong": (5, 9), "x2apic": WAYS},
    ),
    Fault(
        "ipi-to-another", "the destination is another processor", another,
        {"ap": APS, "vector": VECTORS, "lowest": WAYS, "x2apic": WAYS},
    ),
    Fault(
        "ipi-to-itself", "the shorthand is self: the destination does not count",
        to_itself, {"ap": APS, "vector": VECTORS, "x2apic": WAYS},
    ),
    Fault(
        "ipi-excluding-self", "all excluding self leaves the sender out",
        to_all_but_self, {"vector": VECTORS, "ap": APS, "x2apic": WAYS},
    ),
    Fault(
        "ipi-reserved-mode", "delivery mode 7 is reserved", reserved_mode,
        {"vector": VECTORS, "ap": APS, "x2apic": WAYS},
    ),
    Fault(
        "x2apic-id-shifted", "an x2APIC id is not shifted by 24", shifted,
        {"vector": VECTORS, "ap": APS, "lowest": WAYS},
    ),
    Fault(
        "icr-high-late",
        "the lower half of the ICR sends, with the upper one of before",
        high_too_late, {"vector": VECTORS, "ap": APS, "lowest": WAYS},
    ),
    Fault(
        "logical-nobody", "no LDR has a bit of the logical destination", logical_nobody,
        {"ap": APS, "vector": VECTORS, "wrong": (0x40, 0x88)},
    ),
    Fault(
        "logical-shared", "two LDRs are equal, and lowest priority took the other",
        logical_shared, {"vector": VECTORS, "shared": (2, 8, 0x80)},
    ),
    Fault(
        "cluster-model", "one DFR has the cluster model, and the LDR is meant flat",
        cluster_model, {"ap": APS, "vector": VECTORS, "ldr": (0x20, 0x40, 0x80)},
    ),
    Fault(
        "ldr-zero", "the LDR was never written", no_ldr,
        {"ap": APS, "vector": VECTORS, "lowest": WAYS},
    ),
    Fault(
        "lowest-to-disabled", "lowest priority names an APIC that is software-disabled",
        lowest_to_disabled, {"ap": APS, "vector": VECTORS, "logical": WAYS},
    ),
)  # fmt: skip
