"""What the PPR is made of, and how it holds a vector back.

SDM Vol. 3A "Task and Processor Priorities".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic import priority
from lapis_engine.why.reason import Reason, blocks

if TYPE_CHECKING:
    from lapis_engine.apic.state import ApicState


def class_reason(apic: ApicState, vector: int) -> Reason:
    """Return how the PPR holds `vector` back: its class is not above the PPR's."""
    of_vector, of_ppr = vector >> 4, apic.ppr >> 4
    text = (
        f"vector {vector:#04x} is class {of_vector}; {ppr_text(apic)}: class "
        f"{of_vector} is not above class {of_ppr}"
    )
    in_service = max(_isrv(apic), 0)
    return blocks(
        "class", text, vector=vector, ppr=apic.ppr, tpr=apic.tpr, isrv=in_service
    )


def ppr_text(apic: ApicState) -> str:
    """Say what the PPR is and which of TPR and ISR it comes from.

    TPR wins when its class is not below.
    """
    in_service = _isrv(apic)
    if apic.tpr >> 4 >= max(in_service, 0) >> 4:
        return f"PPR is {apic.ppr:#04x} because TPR is {apic.tpr:#04x}"
    where = "in service" if apic.isrvec is None else "on top of isrvec_stk"
    return f"PPR is {apic.ppr:#04x} because {in_service:#04x} is {where}"


def _isrv(apic: ApicState) -> int:
    """Return the vector whose class counts as that in service, or -1."""
    if apic.isrvec is None:
        return priority.highest(apic.isr)
    return apic.isrvec[-1] if apic.isrvec else -1
