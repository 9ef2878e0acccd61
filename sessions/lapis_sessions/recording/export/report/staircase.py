"""The priority staircase of a vCPU as a picture: what waits, what is served, the PPR.

To the right go the events that bear on it, up the priority classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_sessions.recording.export.report.markup import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_sessions.views.vectors import Life, VectorCourse

WIDE, NARROW, WIDTH = 30, 9, 1_000
"""Pixels of an event when they are few, when many, and of all while they fit."""
CLASS: Final = 17
"""Pixels of a class."""
CLASSES: Final = 16
LEFT: Final = 28
"""Pixels before the first event, for the classes' names."""
TOP: Final = 6
THICK: Final = 4
LABELLED: Final = 16
"""Pixels that a vector has to last, so that its number has room."""


def picture(course: VectorCourse) -> Iterator[str]:
    """Yield the picture in SVG."""
    steps = len(course.steps)
    step = max(NARROW, min(WIDE, WIDTH // max(steps, 1)))
    width, height = LEFT + steps * step + WIDE, TOP + CLASSES * CLASS + THICK
    yield (
        f'<div class="wide"><svg role="img" aria-label="priority staircase" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}">\n'
    )
    for number in range(CLASSES):
        y = _y(number << 4) + CLASS
        yield f'<line class="grid" x1="{LEFT}" x2="{width}" y1="{y}" y2="{y}"/>'
        yield f'<text x="2" y="{y - 4}">{number:x}0</text>\n'
    for life in course.lives:
        yield from _life(life, course, step)
    path = "".join(_ppr(course, step))
    if path:
        yield f'<path class="ppr" d="{path}"><title>PPR</title></path>\n'
    yield "</svg></div>\n"


def _y(priority: int) -> int:
    """Return the upper edge of a class."""
    return TOP + (CLASSES - 1 - (priority >> 4)) * CLASS


def _life(life: Life, course: VectorCourse, step: int) -> Iterator[str]:
    """Yield the bars of a vector, pale while it waits, and its number."""
    end = len(course.steps) if life.end is None else life.end
    served = end if life.served is None else life.served
    start, middle, stop = (
        LEFT + max(when, 0) * step for when in (life.start, served, end)
    )
    y = _y(life.vector) + (15 - (life.vector & 15)) * (CLASS - THICK) // 15
    for look, x, right in (("waiting", start, middle), ("served", middle, stop)):
        if right > x:
            yield (
                f'<rect class="{look}" x="{x}" y="{y}" height="{THICK}" '
                f'width="{right - x}">'
                f"<title>{words(_told(life, course))}</title></rect>"
            )
    if stop - start >= LABELLED:
        yield f'<text x="{start + 1}" y="{y - 1}">{life.vector:02x}</text>\n'


def _told(life: Life, course: VectorCourse) -> str:
    """Say what became of a vector."""

    def event(step: int | None) -> str:
        if step is None:
            return "not yet"
        return f"#{course.steps[step].seq}" if step >= 0 else "before"

    source = f" by {life.source}" if life.source else ""
    return (
        f"vector {life.vector:#04x}: arrived {event(life.start)}{source}, "
        f"in service {event(life.served)}, ended {event(life.end)}"
    )


def _ppr(course: VectorCourse, step: int) -> Iterator[str]:
    """Yield the path of the PPR, with gaps where nothing told it."""
    is_drawn = False
    for number, ppr in enumerate(course.ppr):
        if ppr is not None:
            x, y = LEFT + number * step, _y(ppr) + CLASS - (ppr & 15)
            yield f"{f'V{y}' if is_drawn else f'M{x} {y}'}H{x + step}"
        is_drawn = ppr is not None
