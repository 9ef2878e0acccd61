"""Faults in whom an IPI names.

SDM Vol. 3A "Determining IPI Destination", "Interrupt Command Register (ICR)", "x2APIC
Register Address Space".
"""

from faults.placing import VECTORS, WAYS
from faults.scene import Fault, Scene

APS = (1, 2)
LOWEST = 0x100


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


def another(*, sound: bool, ap: int, vector: int, lowest: bool, x2apic: bool) -> Scene:
    bits, wrong = LOWEST if lowest else 0, 3 - ap
    guest = between(f"send {icr(vector, bits)}, {ap if sound else wrong}")
    return scene(guest, (vector, ap), "elsewhere", (f"vCPU {wrong}",), x2apic=x2apic)


def high_too_late(*, sound: bool, vector: int, ap: int, lowest: bool) -> Scene:
    halves = (
        f"mov dword [ICR_HIGH], {ap << 24:#x}",
        f"mov dword [ICR], {icr(vector, LOWEST if lowest else 0)}",
    )
    code = "\n".join(halves if sound else halves[::-1])
    guest = between(f"mov dword [ICR_HIGH], {3 - ap << 24:#x}\n{code}")
    return scene(guest, (vector, ap), "elsewhere", (f"vCPU {3 - ap}",))


# Logical destinations, of xAPIC mode.


FAULTS = (
    Fault(
        "ipi-to-another", "the destination is another processor", another,
        {"ap": APS, "vector": VECTORS, "lowest": WAYS, "x2apic": WAYS},
    ),
    Fault(
        "icr-high-late",
        "the lower half of the ICR sends, with the upper one of before",
        high_too_late, {"vector": VECTORS, "ap": APS, "lowest": WAYS},
    ),
)  # fmt: skip
