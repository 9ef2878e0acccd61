"""What checkpoints hold in memory, with what they share counted once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.replay.pages import BLANK
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    from lapis_engine.replay.capture import Checkpoint

OWN = 64 << 10
"""Bytes that a checkpoint counts beside its pages and what the guest printed."""


class Holdings:
    """Checkpoints, and how often each block and page of memory is in them."""

    def __init__(self) -> None:
        """Begin with none."""
        self.bytes = 0
        """What they hold."""
        self._blocks: dict[int, int] = {}
        self._pages: dict[int, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, checkpoint: Checkpoint) -> None:
        """Count one more."""
        self._count += 1
        self.bytes += OWN + checkpoint.printed
        for blocks in checkpoint.pages.regions:
            for block in blocks:
                if block is BLANK:
                    continue
                if _more(self._blocks, id(block)) == 1:
                    new = [page for page in block if _more(self._pages, id(page)) == 1]
                    self.bytes += len(new) * PAGE

    def remove(self, checkpoint: Checkpoint) -> None:
        """Count one no more."""
        self._count -= 1
        self.bytes -= OWN + checkpoint.printed
        for blocks in checkpoint.pages.regions:
            for block in blocks:
                if block is BLANK:
                    continue
                if _less(self._blocks, id(block)) == 0:
                    gone = [page for page in block if not _less(self._pages, id(page))]
                    self.bytes -= len(gone) * PAGE


def _more(counts: dict[int, int], key: int) -> int:
    counts[key] = found = counts.get(key, 0) + 1
    return found


def _less(counts: dict[int, int], key: int) -> int:
    counts[key] = left = counts[key] - 1
    if not left:
        del counts[key]
    return left
