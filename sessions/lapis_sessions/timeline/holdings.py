"""What checkpoints hold in memory, with what they share counted once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from lapis_engine.replay.pages import BLANK
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    from lapis_engine.replay.capture import Checkpoint

OWN = 64 << 10
"""Bytes that a checkpoint counts beside its pages, its events and the console."""
EVENT = 256
"""Bytes of an event, about."""


class Holdings:
    """Checkpoints, and how often each block, page and event is in them."""

    def __init__(self) -> None:
        """Begin with none."""
        self.bytes = 0
        """What they hold."""
        self._blocks: dict[int, int] = {}
        self._pages: dict[int, int] = {}
        self._events: Counter[int] = Counter()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, checkpoint: Checkpoint) -> None:
        """Count one more."""
        self._count += 1
        known = len(self._events)
        self._events.update(map(id, checkpoint.events))
        self.bytes += (len(self._events) - known) * EVENT
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
        gone = [each for each in checkpoint.events if not _less(self._events, id(each))]
        self.bytes -= len(gone) * EVENT
        self.bytes -= OWN + checkpoint.printed
        for blocks in checkpoint.pages.regions:
            for block in blocks:
                if block is BLANK:
                    continue
                if _less(self._blocks, id(block)) == 0:
                    left = [page for page in block if not _less(self._pages, id(page))]
                    self.bytes -= len(left) * PAGE


def _more(counts: dict[int, int], key: int) -> int:
    counts[key] = found = counts.get(key, 0) + 1
    return found


def _less(counts: dict[int, int], key: int) -> int:
    counts[key] = left = counts[key] - 1
    if not left:
        del counts[key]
    return left
