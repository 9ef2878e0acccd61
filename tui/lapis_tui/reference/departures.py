"""The page of departures: what the engine knowingly does unlike a manual."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_tui.reference.markdown import code, joined, prose, table
from lapis_tui.reference.source import path_of, tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGES: Final = ("lapis_engine", "lapis_sessions")
TAGS: Final = {
    "Differs from the SDM": "What differs from the SDM",
    "As bhyve": "What is as bhyve has it",
    "Not modelled": "What is not modelled",
}
HEAD: Final = """\
# Departures

What the engine knowingly does unlike a manual, and what it leaves out. If a guest
behaves otherwise here than on a board, look here first; then ask `why`, and then tell
us.

The source says so at the place, by a tag: `# Differs from the SDM:`, where the engine
does something else than the manual; `# As bhyve:`, where it does what bhyve does and
the manual leaves open or has otherwise; `# Not modelled:`, where nothing is done. Under
a profile other than `sdm` more is otherwise, and meant to be: [switches](profiles.md).

The larger ones: memory is sequentially consistent, without caches, store buffers and
TLB; no SMM, no nested virtualisation, no AVX; of operands only what costs nothing is
[checked](../checks.md) by default. Below are all of them, by the room of the engine,
with the module and what it is in.
"""
_TAG: Final = re.compile(
    rf"(?P<lead>.*?)(?P<stop>)(?P<tag>{'|'.join(TAGS)}):\s*(?P<text>.*)"
)
_COMMENT: Final = re.compile(r"\s*(?:#|//|/?\*(?!/))\s?(?P<text>.*)")
QUOTES: Final = '"""'
_END: Final = re.compile(r'(?P<stop>)(?:"""|\*/)')


@dataclass(frozen=True, slots=True)
class Departure:
    """A place with a tag."""

    tag: str
    module: str
    """Its path below the package."""
    within: str
    """The function or class that it is in; empty for the module."""
    text: str

    @property
    def room(self) -> str:
        """The first folder of the path, or the module's name."""
        return self.module.partition("/")[0].removesuffix(".py")


def page() -> str:
    """Return the page."""
    return joined([HEAD, *_sections(list(departures()))])


def _sections(found: list[Departure]) -> Iterator[str]:
    for tag, title in TAGS.items():
        yield f"## {title}\n"
        rooms: dict[str, list[Departure]] = defaultdict(list)
        for each in found:
            if each.tag == tag:
                rooms[each.room].append(each)
        for room, rows in sorted(rooms.items()):
            yield table((room, "what"), map(_row, rows))


def _row(it: Departure) -> tuple[str, str]:
    within = f" {code(it.within)}" if it.within else ""
    return f"{code(it.module)}{within}", prose(it.text)


def departures() -> Iterator[Departure]:
    """Yield every place with a tag, by module."""
    for package in PACKAGES:
        __import__(package)
        root = path_of(package).parent
        for path in sorted((*root.rglob("*.py"), *root.rglob("*.c"))):
            yield from _of(path, path.relative_to(root).as_posix())


def _of(path: Path, module: str) -> Iterator[Departure]:
    lines = path.read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        if not any(tag in line for tag in TAGS):
            continue
        for found in _TAG.finditer(line):
            text = _whole(lines, number, found)
            within = _within(path, number + 1)
            yield Departure(found["tag"], module, within, text)


def _whole(lines: list[str], number: int, found: re.Match[str]) -> str:
    """Return the text of a tag, with what of it stands on the lines below."""
    quotes = found["lead"].count(QUOTES) + sum(x.count(QUOTES) for x in lines[:number])
    is_text = quotes % 2 == 1
    end = _END.search(found["text"])
    if end is not None:
        return found["text"][: end.start()].rstrip(" .")
    if not is_text and not _COMMENT.fullmatch(found["lead"]):
        return found["text"].rstrip(" .")  # behind code, on its line
    parts = [found["text"]]
    for line in lines[number + 1 :]:
        comment = _COMMENT.fullmatch(line)
        if not is_text and comment is None:
            break
        text = (line if comment is None else comment["text"]).strip()
        other, end = _TAG.search(text), _END.search(text)
        if other is not None or end is not None or not text:
            stop = (
                min(each.start("stop") for each in (other, end) if each) if text else 0
            )
            parts.append(text[:stop].rstrip(" #"))
            break
        parts.append(text)
    return " ".join(parts).rstrip(" .")


def _within(path: Path, line: int) -> str:
    """Return the innermost function or class of Python around a line."""
    if path.suffix != ".py":
        return ""
    names: list[str] = []
    nodes: list[ast.AST] = [tree(path)]
    while nodes:
        node = nodes.pop()
        for inner in ast.iter_child_nodes(node):
            end = getattr(inner, "end_lineno", None)
            if end is None or not getattr(inner, "lineno", 0) <= line <= end:
                continue
            if isinstance(inner, ast.FunctionDef | ast.ClassDef):
                names.append(inner.name)
            nodes.append(inner)
    return ".".join(names)
