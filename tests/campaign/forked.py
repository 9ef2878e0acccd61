"""Things done one after the other in a fork of this process, which may kill it.

What is left is begun again in a new fork behind the one that did. No processor that is
open here may be in use elsewhere: memory of guests is shared with the fork.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import traceback
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

T = TypeVar("T")
SECONDS = 20
"""Of one fork, before it counts as hung."""


def each(
    things: Sequence[T], do: Callable[[T], str | None], folder: Path
) -> Iterator[tuple[T, str]]:
    """Do all; yield what `do` said of a thing, its traceback, or the signal."""
    place = mmap.mmap(-1, 8)
    begin = 0
    while begin < len(things):
        said = folder / f"{begin}.jsonl"
        pid = os.fork()
        if pid == 0:
            signal.alarm(SECONDS)
            _child(things, begin, do, place, said)
        _, status = os.waitpid(pid, 0)
        begin = int.from_bytes(place[:8], "little")
        for line in said.read_text(encoding="utf-8").splitlines():
            number, text = json.loads(line)
            yield things[number], text
        said.unlink()
        if os.WIFSIGNALED(status):
            yield things[begin], signal.Signals(os.WTERMSIG(status)).name
            begin += 1
    place.close()


def _child(
    things: Sequence[T],
    begin: int,
    do: Callable[[T], str | None],
    place: mmap.mmap,
    said: Path,
) -> None:
    """Do what is left; never returns."""
    with said.open("w", encoding="utf-8") as file:
        for number in range(begin, len(things)):
            place[:8] = number.to_bytes(8, "little")
            try:
                text = do(things[number])
            except Exception:  # noqa: BLE001 - that nothing escapes is what is asked
                text = traceback.format_exc()
            if text is not None:
                file.write(json.dumps((number, text)) + "\n")
                file.flush()
    place[:8] = len(things).to_bytes(8, "little")
    os._exit(0)
