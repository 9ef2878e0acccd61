"""Faults in how processors are started. SDM Vol. 3A "MP Initialization Protocol"."""

from faults.placing import WAYS
from faults.scene import Fault, Scene

PAGES = (0x08, 0x41, 0x90)
APS = (1, 2, 3)
AP_HALTS = """
        idle
"""


def booted(bsp: str, ap: str = AP_HALTS, *, then: str = "sleep", page: int = 8) -> str:
    """Return a guest whose AP code is copied to a page before `bsp`."""
    return f"""
        copy ap_start, {page:#x}
{bsp}
        {then}
        handlers
        trampoline
{ap}
"""


FAULTING = {0: "xor ecx, ecx\n div ecx", 6: "ud2", 13: "mov ax, 0x98\n mov ds, ax"}


def ap_cli_hlt(*, sound: bool, ap: int, page: int, x2apic: bool) -> Scene:
    code = f"{'sti' if sound else 'cli'}\nstops: hlt\nafter: jmp stops"
    return Scene(
        booted(f"start {ap}, {page:#x}", code, page=page), f"why vcpu {ap}",
        "halted-if0", ("IF", "halted"), ap + 1, x2apic,
    )  # fmt: skip


FAULTS = (
    Fault(
        "ap-cli-hlt", "the AP halts with IF clear", ap_cli_hlt,
        {"ap": APS, "page": PAGES, "x2apic": WAYS},
    ),
)  # fmt: skip
