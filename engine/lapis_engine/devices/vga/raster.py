"""Where the beam is, by virtual time.

A frame begins at 0 ns. The timing is that of mode 3 whatever the CRTC holds.
# Not modelled: other timings.
"""

from __future__ import annotations

from lapis_engine.devices.vga import regs


def status(now: int) -> int:
    """Return input status 1 at `now` ns."""
    line, within = divmod(now % regs.FRAME_NS, regs.LINE_NS)
    value = 0
    if line >= regs.SHOWN_LINES or within >= regs.SHOWN_NS:
        value |= regs.BLANK
    if line in regs.RETRACE:
        value |= regs.RETRACES
    return value


def steady_until(now: int) -> int:
    """Return a time, ns, before which `status` stays as it is at `now`."""
    line, within = divmod(now % regs.FRAME_NS, regs.LINE_NS)
    begun = now - within
    if line < regs.SHOWN_LINES:
        is_shown = within < regs.SHOWN_NS
        return begun + (regs.SHOWN_NS if is_shown else regs.LINE_NS)
    ends = (regs.RETRACE.start, regs.RETRACE.stop, regs.LINES)
    end = next(each for each in ends if line < each)
    return begun + (end - line) * regs.LINE_NS
