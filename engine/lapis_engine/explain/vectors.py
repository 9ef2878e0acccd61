"""Names of the vectors that the processor itself raises."""

from __future__ import annotations

from typing import Final

VECTOR_NAMES: Final = {
    0: "#DE", 1: "#DB", 2: "NMI", 3: "#BP", 4: "#OF", 5: "#BR", 6: "#UD", 7: "#NM",
    8: "#DF", 10: "#TS", 11: "#NP", 12: "#SS", 13: "#GP", 14: "#PF", 16: "#MF",
    17: "#AC", 18: "#MC", 19: "#XM", 20: "#VE", 21: "#CP",
}  # fmt: skip
"""SDM Vol. 3A "Exceptions and Interrupts", table of vectors."""


def vector_name(vector: int) -> str:
    """Return the mnemonic of an exception, or the number of another vector."""
    return VECTOR_NAMES.get(vector, f"vector {vector:#04x}")
