"""Sharing a screen out among panes: arithmetic, no widget.

A layout is a tree. Rows and columns are shared out from the least that each part needs
up to what each would like; what is left goes by weight. Where there is too little, the
last parts get nothing. A user who moves a divider says by that how large the two parts
beside it are, and the fractions are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Way = Literal["rows", "columns"]
Shares = dict[str, tuple[float, ...]]
"""Fractions that the user gave the parts of a split, by its place in the tree."""
RULE = 1
"""Cells between two columns."""


@dataclass(frozen=True, slots=True)
class Need:
    """Rows of a pane, its title included."""

    least: int
    likes: int
    weight: float = 1.0
    """Its share of the rows that nobody needs."""

    @property
    def is_fixed(self) -> bool:
        """Whether it has neither more nor less than it needs."""
        return self.least == self.likes and not self.weight


@dataclass(frozen=True, slots=True)
class Split:
    """Parts below each other, or side by side."""

    way: Way
    parts: tuple[Node, ...]
    weights: tuple[float, ...] = ()
    """Of columns; all alike where there are none."""


@dataclass(frozen=True, slots=True)
class Tabs:
    """Panes that take turns at one place."""

    names: tuple[str, ...]


Node = str | Split | Tabs


def rows(*parts: Node) -> Split:
    """Put parts below each other."""
    return Split("rows", parts)


def columns(*parts: Node, weights: tuple[float, ...] = ()) -> Split:
    """Put parts side by side."""
    return Split("columns", parts, weights)


class Box(NamedTuple):
    """A part of the screen, in cells."""

    x: int
    y: int
    width: int
    height: int


class Divider(NamedTuple):
    """What is between two parts of a split, and can be moved."""

    path: str
    """The split, by its place in the tree."""
    part: int
    """The one before it, from 0."""
    way: Way
    box: Box
    """Where it is: the title of the lower part, or the rule between two columns."""
    sizes: tuple[int, ...]
    """Of all parts."""

    def moved(self, by: int) -> tuple[float, ...]:
        """Return the fractions of the parts when it is moved by so many cells."""
        sizes = list(self.sizes)
        before, behind = sizes[self.part], sizes[self.part + 1]
        by = max(min(by, behind - 2), 2 - before)
        sizes[self.part], sizes[self.part + 1] = before + by, behind - by
        return tuple(size / max(sum(sizes), 1) for size in sizes)


@dataclass(slots=True)
class Places:
    """Where the panes of a layout are."""

    boxes: dict[str, Box] = field(default_factory=dict)
    """Of those that are in view, in the order of the tree."""
    dividers: list[Divider] = field(default_factory=list)
    tabs: list[tuple[str, ...]] = field(default_factory=list)
    """Panes that share a place."""


def names(node: Node) -> Iterator[str]:
    """Yield the panes of a tree, those behind a tab as well."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, Tabs):
        yield from node.names
    else:
        for part in node.parts:
            yield from names(part)


@dataclass(frozen=True, slots=True)
class Sharing:
    """What the parts of a screen are shared out by."""

    needs: Mapping[str, Need]
    front: Mapping[tuple[str, ...], str]
    """The pane of each tabs that is in front; the first where none is named."""
    shares: Mapping[str, Sequence[float]]

    def place(self, node: Node, box: Box) -> Places:
        """Give the panes of `node` their places in `box`."""
        out = Places()
        self._place(node, box, "", out)
        return out

    def need(self, node: Node) -> Need:
        """Return the rows of a node."""
        if isinstance(node, str):
            return self.needs[node]
        if isinstance(node, Tabs):
            return self.needs[self._front(node)]
        parts = [self.need(part) for part in node.parts]
        if node.way == "rows":
            return Need(
                sum(part.least for part in parts),
                sum(part.likes for part in parts),
                sum(part.weight for part in parts),
            )
        return Need(
            max(part.least for part in parts),
            max(part.likes for part in parts),
            max(part.weight for part in parts),
        )

    def _front(self, tabs: Tabs) -> str:
        return self.front.get(tabs.names, tabs.names[0])

    def _place(self, node: Node, box: Box, path: str, out: Places) -> None:
        if isinstance(node, Split):
            self._split(node, box, path, out)
            return
        if isinstance(node, Tabs):
            out.tabs.append(node.names)
        name = node if isinstance(node, str) else self._front(node)
        if box.width > 0 and box.height > 0:
            out.boxes[name] = box

    def _split(self, split: Split, box: Box, path: str, out: Places) -> None:
        is_rows = split.way == "rows"
        sizes = self._sizes(split, box, path)
        at = box.y if is_rows else box.x
        for index, (part, size) in enumerate(zip(split.parts, sizes, strict=True)):
            inner = (
                Box(box.x, at, box.width, size)
                if is_rows
                else Box(at, box.y, size, box.height)
            )
            self._place(part, inner, f"{path}/{index}", out)
            at += size if is_rows else size + RULE
            if index + 1 < len(sizes) and size and sizes[index + 1]:
                edge = (
                    Box(box.x, at, box.width, 1)
                    if is_rows
                    else Box(at - RULE, box.y, RULE, box.height)
                )
                out.dividers.append(Divider(path, index, split.way, edge, sizes))

    def _sizes(self, split: Split, box: Box, path: str) -> tuple[int, ...]:
        given = self.shares.get(path, ())
        count = len(split.parts)
        if split.way == "columns":
            weights = split.weights or (1.0,) * count
            weights = tuple(given) if len(given) == count else weights
            return by_weight(box.width - RULE * (count - 1), weights)
        needs = [self.need(part) for part in split.parts]
        if len(given) == count:
            return _as_given(box.height, given, needs)
        return share(box.height, needs)


def by_weight(room: int, weights: Sequence[float]) -> tuple[int, ...]:
    """Cut `room` into whole parts by weight, none of them lost.

    >>> by_weight(119, (1, 1)), by_weight(10, (2, 1))
    ((60, 59), (7, 3))
    """
    out, left, weight = [], max(room, 0), sum(weights)
    for each in weights:
        part = round(left * each / weight) if weight > 0 else 0
        out.append(min(part, left))
        left, weight = left - out[-1], weight - each
    return tuple(out)


def share(room: int, needs: Sequence[Need]) -> tuple[int, ...]:
    """Share rows out: the least, then what each likes, then the rest by weight.

    >>> share(20, [Need(5, 8), Need(3, 4, 3.0)]), share(6, [Need(5, 8), Need(3, 4)])
    ((10, 10), (6, 0))
    >>> share(20, [Need(13, 20), Need(6, 10), Need(1, 1), Need(2, 8)])
    (11, 6, 1, 2)
    """
    sizes = _least(room, needs)
    for index, need in enumerate(needs):
        if sizes[index]:
            more = min(need.likes - sizes[index], room - sum(sizes))
            sizes[index] += max(more, 0)
    weights = [n.weight if s else 0 for n, s in zip(needs, sizes, strict=True)]
    if not sum(weights):
        weights = [float(n == 0) for n in range(len(sizes))]
    more_each = by_weight(room - sum(sizes), weights)
    return tuple(s + more for s, more in zip(sizes, more_each, strict=True))


def _least(room: int, needs: Sequence[Need]) -> list[int]:
    """Return the least of each; the first is cut by a third before others go."""
    sizes = [need.least for need in needs]
    first = needs[0].least - needs[0].least // 3
    while sum(sizes) > room:
        others = sum(sizes[1:])
        if room - others >= first or not others:
            return [max(room - others, 0), *sizes[1:]]
        last = max(index for index, size in enumerate(sizes) if size)
        sizes[last] = 0
    return sizes


def _as_given(
    room: int, given: Sequence[float], needs: Sequence[Need]
) -> tuple[int, ...]:
    """Share rows out as the user wants; a part that needs none gets none."""
    fixed = [need.least if need.is_fixed else 0 for need in needs]
    weights = [
        0.0 if need.is_fixed else share
        for share, need in zip(given, needs, strict=True)
    ]
    rest = by_weight(room - sum(fixed), weights)
    return tuple(f + r for f, r in zip(fixed, rest, strict=True))
