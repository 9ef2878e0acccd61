"""Where a BIOS keeps what it leaves: the last 64 KiB below 1 MiB are its own.

Nothing else is there, and memory maps say that it is reserved:

    0xF_0000  root pointer of ACPI
    0xF_0040  floating pointer of the MP specification
    0xF_0050  what services know of the machine: sizes of memory, and its map
    0xF_0100  tables of ACPI and the MP specification, as many bytes as they need
    0xF_F800  services, which answer interrupts in real mode
    0xF_FFF0  where a processor begins after a reset
    0x10_0000 end
"""

from __future__ import annotations

from typing import Final

FIRST: Final = 0xF_0000
RSDP: Final = 0xF_0000
MP_POINTER: Final = 0xF_0040
MEMORY: Final = 0xF_0050
TABLES: Final = 0xF_0100
TABLES_END: Final = 0xF_F800
SERVICES_AT: Final = TABLES_END
END: Final = 0x10_0000
