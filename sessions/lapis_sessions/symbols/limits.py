"""What a file of symbols may have at most."""

from typing import Final

MOST_BYTES: Final = 512 << 20
"""Of a file, and of a section once it is unpacked."""
MOST_SYMBOLS: Final = 1 << 20
MOST_NAME: Final = 512
"""Characters; the kernel's KSYM_NAME_LEN. A longer name is cut."""
MOST_REACH: Final = 1 << 20
"""Bytes of a symbol of a table in which each ends where the next one begins."""
MOST_ROWS: Final = 2_000_000
"""Of line tables; what is beyond is left out."""
MOST_READ: Final = 64 << 20
"""Bytes of line tables that are read; what is beyond is left out."""
MOST_SOURCES: Final = 16
"""Loaded at once."""
