"""Counting instructions by blocks or one by one, for a test that wants both."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from lapis_engine.cpu import selfcheck

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def counting(*, by_blocks: bool) -> Iterator[None]:
    """Machines that are made within count so; where nothing is compiled, one by one."""
    before = selfcheck._by_instruction
    selfcheck.count_by_instruction(on=not by_blocks)
    try:
        yield
    finally:
        selfcheck.count_by_instruction(on=before)
