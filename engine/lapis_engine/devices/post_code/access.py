"""Guest accesses to the POST code port."""
# ruff: noqa: ARG001 - the signatures are those of `Access`

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.post_code.state import PostCodeState


def read(state: PostCodeState, address: int, size: int, now: int) -> int:
    """Answer all ones."""
    return (1 << (8 * size)) - 1


def write(
    state: PostCodeState, address: int, size: int, value: int, now: int
) -> Signals:
    """Keep the code."""
    state.code = value & 0xFF
    return ()
