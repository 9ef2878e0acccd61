"""The raw registers: the 4 KiB page of an APIC, or KVM's 1 KiB (`kvm_lapic_state`).

Each register is 4 bytes, little-endian, at its offset of the SDM's map; KVM keeps the
same offsets. APICBASE is in neither, but the LDR tells the mode.
"""

from __future__ import annotations

from typing import Any

from lapis_engine.saved import lapic as lapic_record
from lapis_sessions.apic_files.contents import (
    ApicFileError,
    Contents,
    apicbase,
    count,
    ppr_remark,
)

FORMATS = {0x1000: "page", 0x400: "kvm"}
"""Size in bytes -> format."""
ID, VERSION, PPR, LDR = 0x020, 0x030, 0x0A0, 0x0D0
ICR, ICR_HIGH, CURRENT, LVT_CMCI = 0x300, 0x310, 0x390, 0x2F0
FIELDS = {
    ID: "vlp_id", VERSION: "vlp_version", 0x080: "vlp_tpr", LDR: "vlp_ldr",
    0x0E0: "vlp_dfr", 0x0F0: "vlp_svr", 0x280: "vlp_esr", 0x320: "vlp_lvt_timer",
    0x330: "vlp_lvt_thermal", 0x340: "vlp_lvt_pcint", 0x350: "vlp_lvt_lint0",
    0x360: "vlp_lvt_lint1", 0x370: "vlp_lvt_error", 0x380: "vlp_icr_timer",
    0x3E0: "vlp_dcr_timer",
}  # fmt: skip
"""Offset -> field of the record."""
BANKS = {0x100: "vlp_isr", 0x180: "vlp_tmr", 0x200: "vlp_irr"}
STRIDE = 0x10
INTEGRATED = 0x10
"""Versions of APICs within a processor are 10H to 15H (SDM Vol. 3A "Local APIC Version
Register"); those below are of the 82489DX."""
NEWEST = 0x1F
CMCI_INDEX = 6
XAPIC_ZEROS, X2APIC_BITS = 0x00FF_FFFF, 0xFFFF
"""LDR: 23:0 are zero in xAPIC mode; in x2APIC mode one of 15:0 is always set (SDM
Vol. 3A "Deriving Logical x2APIC ID from the Local x2APIC ID")."""


def read(name: str, data: bytes) -> Contents:
    """Understand a page of 4096 or a dump of 1024 bytes.

    Raises `ApicFileError` naming the register.
    """
    try:
        version = _version(_word(data, VERSION))
        x2apic = is_x2apic(_word(data, LDR))
    except ValueError as error:
        raise ApicFileError(f"APIC file {name!r}: {error}") from None
    lapic: dict[str, Any] = {
        **{field: _word(data, offset) for offset, field in FIELDS.items()},
        **{field: _bank(data, offset) for offset, field in BANKS.items()},
        "vlp_apr": 0,
        "vlp_icr": _word(data, ICR_HIGH) << 32 | _word(data, ICR),
        "vl_msr_apicbase": apicbase(x2apic=x2apic, bsp=not _word(data, ID)),
        "vl_esr_pending": 0,
    }
    if version >> 16 & 0xFF >= CMCI_INDEX:
        lapic["vlp_lvt_cmci"] = _word(data, LVT_CMCI)
    mode = "x2APIC" if x2apic else "xAPIC"
    left, timer = count(
        lapic["vlp_lvt_timer"], lapic["vlp_icr_timer"], _word(data, CURRENT)
    )
    how = f"{mode} mode is taken, because LDR is {lapic['vlp_ldr']:#x}"
    remarks = [
        f"the file has no APICBASE: {how}",
        ppr_remark(_word(data, PPR), lapic["vlp_tpr"], lapic["vlp_isr"]),
        *([timer] if timer else []),
    ]
    saved = {"lapic": lapic, "timer_current": left}
    return Contents(name, FORMATS[len(data)], saved, tuple(remarks))


def _word(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 4], "little")


def _bank(data: bytes, offset: int) -> list[int]:
    return [_word(data, offset + STRIDE * n) for n in range(lapic_record.WORDS)]


def _version(version: int) -> int:
    if version in {0, 0xFFFF_FFFF}:
        raise ValueError(
            f"the version (0x030) is {version:#x}: this is no usable page, as a read "
            f"of a switched-off APIC or in x2APIC mode gives it"
        )
    if not INTEGRATED <= version & 0xFF <= NEWEST:
        raise ValueError(
            f"the version (0x030) is {version:#x}: those of local APICs end in 0x10 "
            f"to {NEWEST:#x}"
        )
    return version


def is_x2apic(ldr: int) -> bool:
    """Tell the mode from the LDR; raise `ValueError` for one that neither has."""
    if not ldr & XAPIC_ZEROS:
        return False
    if (ldr & X2APIC_BITS).bit_count() == 1:
        return True
    raise ValueError(
        f"LDR (0x0d0) is {ldr:#x}: in xAPIC mode bits 23:0 are 0, in x2APIC mode one "
        f"of bits 15:0 is 1"
    )
