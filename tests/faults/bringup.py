"""Faults in how processors are started. SDM Vol. 3A "MP Initialization Protocol"."""

from faults.placing import WAYS
from faults.scene import Fault, Scene

PAGES = (0x08, 0x41, 0x90)
APS = (1, 2, 3)
PROFILES = ("sdm", "illumos", "freebsd")
"""In bhyve a SIPI without INIT is kept, or has userspace do nothing."""


def booted(bsp: str, ap: str = "idle", *, page: int = 8) -> str:
    """Return a guest whose AP code is copied to a page before `bsp`."""
    return f"""
        copy ap_start, {page:#x}
{bsp}
        sleep
        handlers
        trampoline
{ap}
"""


def sipi_without_init(*, sound: bool, ap: int, page: int, profile: str) -> Scene:
    init = f"send 0x4500, {ap}\n delay" if sound else ""
    bsp = f"{init}\n send 0x4600 | {page:#x}, {ap}"
    return Scene(
        booted(bsp, page=page), f"why vcpu {ap}",
        "latched" if profile == "illumos" else "no-init",
        ("SIPI", page, "no INIT", "vCPU 0"), ap + 1, profile=profile,
    )  # fmt: skip


def init_to_nobody(*, sound: bool, ap: int, wrong: int, x2apic: bool) -> Scene:
    named = ap if sound else wrong
    return Scene(
        booted(f"start {named}, 8"), f"why vcpu {ap}", "destination",
        ("INIT", wrong, "no APIC"), ap + 1, x2apic,
    )  # fmt: skip


def init_to_another(*, sound: bool, ap: int, x2apic: bool) -> Scene:
    other = ap % 3 + 1
    return Scene(
        booted(f"start {ap if sound else other}, 8"), f"why vcpu {ap}", "elsewhere",
        ("INIT", other), 4, x2apic,
    )  # fmt: skip


def sipi_to_nobody(*, sound: bool, ap: int, wrong: int, x2apic: bool) -> Scene:
    bsp = f"send 0x4500, {ap}\n delay\n send 0x4608, {ap if sound else wrong}"
    return Scene(
        booted(bsp), f"why vcpu {ap}", "destination",
        ("SIPI", 0x08, wrong), ap + 1, x2apic,
    )  # fmt: skip


def zero_page(*, sound: bool, ap: int, page: int, x2apic: bool) -> Scene:
    return Scene(
        booted(f"start {ap}, {page:#x}", page=page if sound else page - 1),
        f"why vcpu {ap}", "zero-page", (page << 12, "zero"), ap + 1, x2apic,
    )  # fmt: skip


def init_alone(*, sound: bool, ap: int, everyone: bool, x2apic: bool) -> Scene:
    icr = 0xC_4500 if everyone else 0x4500
    sipi = f"delay\n send 0x4608, {ap}" if sound else ""
    return Scene(
        booted(f"send {icr:#x}, {ap}\n{sipi}"), f"why vcpu {ap}", "no-sipi",
        ("INIT", "no SIPI"), ap + 1, x2apic,
    )  # fmt: skip


def init_deassert(*, sound: bool, ap: int, x2apic: bool) -> Scene:
    bsp = f"send {0x4500 if sound else 0x8500:#x}, {ap}\n delay\n send 0x4608, {ap}"
    return Scene(
        booted(bsp), f"why vcpu {ap}", "init-deassert",
        ("INIT", "de-assert", "vCPU 0"), ap + 1, x2apic,
    )  # fmt: skip


def overwritten(*, sound: bool, ap: int, page: int, with_: int) -> Scene:
    where = (page << 12) + (0x800 if sound else 0)
    bsp = f"""
        start {ap}, {page:#x}
        mov edi, {where:#x}
        mov eax, {with_:#x}
        mov ecx, 8
        rep stosd
"""
    return Scene(
        booted(bsp, page=page), f"why vcpu {ap}", "trampoline-changed",
        (page << 12, "SIPI", "chang"), ap + 1,
        lines=("sched only 0", "run 2000", "sched round-robin", "run 6000"),
    )  # fmt: skip


FAULTING = {0: "xor ecx, ecx\n div ecx", 6: "ud2", 13: "mov ax, 0x98\n mov ds, ax"}


def ap_triple_faults(*, sound: bool, ap: int, exception: int, limit: int) -> Scene:
    faulting = "" if sound else FAULTING[exception]
    code = f"""
        lidt [ap_idt]
breaks: {faulting}
        sleep
ap_idt: dw {limit}
        dd IDT
"""
    name = {0: "#DE", 6: "#UD", 13: "#GP"}[exception]
    return Scene(
        booted(f"start {ap}, 8", code), f"why vcpu {ap}", "triple-fault",
        ("triple fault", name, "IDT", limit), ap + 1,
    )  # fmt: skip


def ap_cli_hlt(*, sound: bool, ap: int, page: int, x2apic: bool) -> Scene:
    code = f"{'sti' if sound else 'cli'}\nstops: hlt\nafter: jmp stops"
    return Scene(
        booted(f"start {ap}, {page:#x}", code, page=page), f"why vcpu {ap}",
        "halted-if0", ("IF", "halted"), ap + 1, x2apic,
    )  # fmt: skip


def init_again(*, sound: bool, ap: int, x2apic: bool, turns: int) -> Scene:
    everyone = "send 0x4500, 3" if sound else "send 0xC4500"
    bsp = f"""
        start {ap}, 8
        wait_for 1
        delay {turns}
        {everyone}
        delay
        send 0x4608, 3
        wait_for 2
"""
    return Scene(
        booted(bsp), f"why vcpu {ap}", "init-again",
        ("INIT", "vCPU 0"), 4, x2apic, ("quantum 200", "run 9000"),
    )  # fmt: skip


def second_sipi_right(
    *, sound: bool, ap: int, wrong: int, right: int, profile: str
) -> Scene:
    first = right if sound else wrong
    bsp = f"""
        mov dword [{wrong << 12:#x}], 0xFDEBF4FA        ; cli; hlt; jmp back
        start {ap}, {first:#x}
        delay 400
        send 0x4600 | {right:#x}, {ap}
"""
    return Scene(
        booted(bsp, page=right), f"why vcpu {ap}", "runs",
        ("SIPI", right, "already runs", wrong << 12), ap + 1,
        lines=("quantum 200", "run 6000"), profile=profile,
    )  # fmt: skip


FAULTS = (
    Fault(
        "sipi-without-init", "a SIPI counts after INIT only", sipi_without_init,
        {"ap": APS, "page": PAGES, "profile": PROFILES},
    ),
    Fault(
        "init-to-nobody", "INIT and SIPI name an APIC id that nobody has",
        init_to_nobody, {"ap": APS, "wrong": (5, 9), "x2apic": WAYS},
    ),
    Fault(
        "init-to-another", "INIT and SIPI name another processor", init_to_another,
        {"ap": APS, "x2apic": WAYS},
    ),
    Fault(
        "sipi-to-nobody", "INIT arrived, and the SIPI names an id that nobody has",
        sipi_to_nobody, {"ap": APS, "wrong": (5, 9), "x2apic": WAYS},
    ),
    Fault(
        "zero-page", "the SIPI's page has no code: zeros", zero_page,
        {"ap": APS, "page": PAGES, "x2apic": WAYS},
    ),
    Fault(
        "init-alone", "INIT, and no SIPI after it", init_alone,
        {"ap": APS, "everyone": WAYS, "x2apic": WAYS},
    ),
    Fault(
        "init-deassert", "INIT with trigger level and the level bit clear is no INIT",
        init_deassert, {"ap": APS, "x2apic": WAYS},
    ),
    Fault(
        "trampoline-overwritten",
        "the page was overwritten before the AP took its SIPI",
        overwritten,
        {"ap": APS, "page": PAGES, "with_": (0, 0xFEEBF4FA)},
    ),
    Fault(
        "ap-triple-fault",
        "an exception of the AP finds no gate within its IDT's limit",
        ap_triple_faults,
        {"ap": APS, "exception": tuple(FAULTING), "limit": (0, 7)},
    ),
    Fault(
        "ap-cli-hlt", "the AP halts with IF clear", ap_cli_hlt,
        {"ap": APS, "page": PAGES, "x2apic": WAYS},
    ),
    Fault(
        "init-again", "INIT to all but self stops an AP that runs", init_again,
        {"ap": (1, 2), "x2apic": WAYS, "turns": (10, 300)},
    ),
    Fault(
        "second-sipi", "the first SIPI named a wrong page, and the second is ignored",
        second_sipi_right,
        {"ap": APS, "wrong": (0x50, 0x91), "right": (8, 0x42), "profile": PROFILES},
    ),
)  # fmt: skip
