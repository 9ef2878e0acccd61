"""Faults by which a processor waits for what cannot come: boot IPIs, HLT, spins.

SDM Vol. 3A "Determining IPI Destination", "ICR Operation in x2APIC Mode", "Enabling or
Disabling the Local APIC"; Vol. 2A "HLT".
"""

from faults.bringup import APS, PAGES, booted
from faults.placing import WAYS
from faults.scene import Fault, Scene

LOCKS = (0x510, 0x6F0)
"""Addresses of a lock, or a flag."""
MODES = {"init": 0x4500, "sipi": 0x4608}


def asked(bsp: str, ap: int, *, page: int = 8, code: str = "idle") -> tuple[str, str]:
    """Return a guest and its question."""
    return booted(bsp, code, page=page), f"why vcpu {ap}"


def id_not_shifted(*, sound: bool, ap: int, mode: str) -> Scene:
    """In xAPIC mode the id is in bits 63:56, and so 31:24 of ICRHI."""
    shift = 24 if sound else 0
    bsp = f"""
        send 0x4500, {ap}
        delay
        mov dword [ICR_HIGH], {ap} << {shift}
        mov dword [ICR], {MODES[mode]:#x}
"""
    if mode == "init":
        bsp = bsp.split("delay", 1)[1]
    return Scene(
        *asked(bsp, ap), "to-sender", (mode, 0, "63:56", "vCPU 0"), ap + 1,
    )  # fmt: skip


def id_shifted(*, sound: bool, ap: int, mode: str) -> Scene:
    """In x2APIC mode it is all of bits 63:32."""
    to = ap if sound else ap << 24
    first = "" if mode == "init" else f"send 0x4500, {ap}\n delay"
    bsp = f"{first}\n send {MODES[mode]:#x}, {to:#x}"
    return Scene(
        *asked(bsp, ap), "destination", (mode, ap << 24, "63:32"), ap + 1, x2apic=True
    )


def everyone_of_xapic(*, sound: bool, ap: int, mode: str) -> Scene:
    to = 0xFFFF_FFFF if sound else 0xFF
    first = "" if mode == "init" else f"send 0x4500, {ap}\n delay"
    bsp = f"{first}\n send {MODES[mode]:#x}, {to:#x}"
    return Scene(
        *asked(bsp, ap), "destination", (mode, 0xFF, 0xFFFF_FFFF, "x2APIC"), ap + 1,
        x2apic=True,
    )  # fmt: skip


def by_logical_id(*, sound: bool, ap: int, mode: str) -> Scene:
    """The LDRs are 0 after reset: no logical destination names anybody."""
    bit = 0 if sound else 0x800
    first = "" if mode == "init" else f"send 0x4500, {ap}\n delay"
    bsp = f"{first}\n send {MODES[mode] | bit:#x}, {ap}"
    return Scene(
        *asked(bsp, ap), "destination", (mode, "logical", ap, "bit 11"), ap + 1
    )


def init_to_self(*, sound: bool, ap: int, x2apic: bool, shorthand: int) -> Scene:
    """SDM "Valid Combinations for the xAPIC Local APIC's ICR": INIT has neither."""
    bits = 0xC_0000 if sound else shorthand << 18
    return Scene(
        *asked(f"send {0x4500 | bits:#x}", ap), "mode-shorthand",
        ("INIT", "self" if shorthand == 1 else "all", "dropped"), ap + 1, x2apic,
    )  # fmt: skip


def early(*, sound: bool, ap: int, x2apic: bool) -> Scene:
    """A SIPI that comes before INIT is gone."""
    order = ("send 0x4500", "send 0x4608") if sound else ("send 0x4608", "send 0x4500")
    bsp = "\n delay\n".join(f"{each}, {ap}" for each in order)
    return Scene(
        *asked(bsp, ap), "sipi-early", ("SIPI", 8, "INIT", "no SIPI"), ap + 1, x2apic
    )


def display(*, sound: bool, ap: int, page: int) -> Scene:
    named = 8 if sound else page
    return Scene(
        *asked(f"start {ap}, {named:#x}", ap), "no-code", ("SIPI", page << 12, "code"),
        ap + 1,
    )  # fmt: skip


def deaf_to_nmi(*, sound: bool, ap: int, page: int) -> Scene:
    """An AP that switches its APIC off, and waits in HLT for an NMI."""
    off = "" if sound else "and eax, ~0xC00"
    code = f"""
        mov ecx, APIC_BASE
        rdmsr
        {off}
        wrmsr
        sleep
"""
    bsp = f"start {ap}, {page:#x}\n wait_for 1\n delay 400\n send 0x4400, {ap}"
    return Scene(
        *asked(bsp, ap, page=page, code=code), "apic-off",
        ("NMI", "switched off", "APICBASE"), ap + 1, lines=("quantum 200", "run 6000"),
    )  # fmt: skip


def refused(*, sound: bool, ap: int, vector: int, x2apic: bool) -> Scene:
    """Bit 8 of the SVR is 0: the APIC takes no vector."""
    code = f"put _SVR, {0x1FF if sound else 0xFF:#x}\n idle"
    bsp = f"start {ap}, 8\n wait_for 1\n delay 400\n send {0x4000 | vector:#x}, {ap}"
    return Scene(
        *asked(bsp, ap, code=code), "refused", ("vector", vector, "SVR", "refused"),
        ap + 1, x2apic, lines=("quantum 200", "run 6000"),
    )  # fmt: skip


def nothing_armed(*, sound: bool, ap: int, x2apic: bool) -> Scene:
    timer = "put DIVIDE, 0xB\n put LVT_TIMER, 0x40\n put INITIAL, 0x100000"
    code = f"{timer if sound else ''}\n idle"
    return Scene(
        *asked(f"start {ap}, 8", ap, code=code), "no-source",
        ("halted", "no timer is armed"), ap + 1, x2apic,
    )  # fmt: skip


def lock_held(*, sound: bool, ap: int, lock: int, masked: bool) -> Scene:
    """A lock that the BSP took and never gives back."""
    give = f"mov dword [{lock:#x}], 0" if sound else ""
    code = f"""
        {"cli" if masked else "sti"}
take:   lock bts dword [{lock:#x}], 0
        jnc taken
        pause
        jmp take
taken:  idle
"""
    bsp = f"mov dword [{lock:#x}], 1\n start {ap}, 8\n wait_for 1\n {give}"
    return Scene(
        *asked(bsp, ap, code=code), "spins-lock",
        ("spins", "lock", lock, *(("IF=0",) if masked else ())), ap + 1,
        lines=("quantum 200", "run 6000"),
    )  # fmt: skip


def flag_unset(*, sound: bool, ap: int, flag: int, wide: bool) -> Scene:
    """The BSP waits for a flag that an AP sets, and sends that AP no SIPI."""
    sipi = f"delay\n send 0x4608, {ap}" if sound else ""
    operand = f"{'dword' if wide else 'byte'} [{flag:#x}]"
    bsp = f"""
        send 0x4500, {ap}
        {sipi}
look:   cmp {operand}, 0
        je look
"""
    return Scene(
        booted(bsp, f"mov {operand}, 1\n idle"), "why vcpu 0", "spins",
        ("spins", flag, 0, "dword" if wide else "byte"), ap + 1,
        lines=("quantum 200", "run 6000"),
    )  # fmt: skip


def endless(*, sound: bool, ap: int, page: int, masked: bool) -> Scene:
    code = "idle" if sound else f"{'cli' if masked else 'sti'}\nhere: pause\n jmp here"
    return Scene(
        *asked(f"start {ap}, {page:#x}", ap, page=page, code=code), "endless",
        ("spins", "NMI", f"IF={0 if masked else 1}"), ap + 1,
    )  # fmt: skip


BOTH = tuple(MODES)
FAULTS = (
    Fault(
        "xapic-id-not-shifted", "in xAPIC mode the id stands in bits 63:56 of the ICR",
        id_not_shifted, {"ap": APS, "mode": BOTH},
    ),
    Fault(
        "x2apic-boot-id-shifted", "in x2APIC mode the id is all of bits 63:32",
        id_shifted, {"ap": APS, "mode": BOTH},
    ),
    Fault(
        "x2apic-everyone", "in x2APIC mode everyone is 0xFFFFFFFF, and 0xFF an id",
        everyone_of_xapic, {"ap": APS, "mode": BOTH},
    ),
    Fault(
        "boot-by-logical-id", "bit 11 makes the destination logical, and LDRs are 0",
        by_logical_id, {"ap": APS, "mode": BOTH},
    ),
    Fault(
        "init-to-self", "INIT cannot have the shorthands self and all", init_to_self,
        {"ap": APS, "x2apic": WAYS, "shorthand": (1, 2)},
    ),
    Fault(
        "sipi-before-init", "a SIPI before INIT is forgotten", early,
        {"ap": APS, "x2apic": WAYS},
    ),
    Fault(
        "sipi-to-no-memory", "the SIPI names a page where the display is", display,
        {"ap": APS, "page": (0xA0, 0xB8)},
    ),
    Fault(
        "nmi-not-heard", "an APIC that is switched off hears no NMI", deaf_to_nmi,
        {"ap": APS, "page": PAGES},
    ),
    Fault(
        "hlt-vector-refused", "SVR bit 8 is 0: the vector that should wake is refused",
        refused, {"ap": APS, "vector": (0x31, 0xEC), "x2apic": WAYS},
    ),
    Fault(
        "hlt-nothing-armed", "HLT with IF=1, and nothing that would interrupt",
        nothing_armed, {"ap": APS, "x2apic": WAYS},
    ),
    Fault(
        "lock-never-given-back", "a lock that another holds for ever", lock_held,
        {"ap": APS, "lock": LOCKS, "masked": WAYS},
    ),
    Fault(
        "flag-never-set", "a flag that an AP should set, which was never started",
        flag_unset, {"ap": APS, "flag": LOCKS, "wide": WAYS},
    ),
    Fault(
        "jump-to-itself", "a loop that looks at nothing", endless,
        {"ap": APS, "page": PAGES, "masked": WAYS},
    ),
)  # fmt: skip
