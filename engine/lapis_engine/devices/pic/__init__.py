"""The 8259A pair of a PC, with the edge/level registers beside it.

Lines come in through `priority.set_line`; the INTR output goes out as `ExtIntChanged`;
the processor's INTA cycle is `priority.acknowledge`. Not here: where INTR is wired.

INTR is signalled by accesses and by `set_line`. `acknowledge` returns a vector and no
signals, so its caller looks at `priority.pending` afterwards.
"""

from __future__ import annotations

from lapis_engine.devices.device import Device
from lapis_engine.devices.pic import access, regs, timer
from lapis_engine.devices.pic.state import PicState


def device(
    *, modes_checked: bool = False, keeps_edges: bool = True, set_up: bool = False
) -> Device:
    """Return the pair at ports 0x20, 0xA0 and 0x4D0.

    With `modes_checked` (`profile.pic_modes_checked`) it refuses what bhyve's refuses:
    single mode, ICW1 without IC4, other than 8086 mode, and more than a byte at a time.
    With `keeps_edges` (`profile.pic_keeps_edges`) a line may fall before INTA. With
    `set_up` it is as a BIOS leaves it, for who brings none.
    """
    state = PicState(modes_checked=modes_checked, keeps_edges=keeps_edges)
    for port, value in regs.BIOS_WRITES if set_up else ():
        access.write(state, port, 1, value, 0)
    return Device(
        "pic",
        state,
        access,
        regs.PORTS,
        timer=timer,
        role="pic",
        registers=regs.NAMES,
    )
