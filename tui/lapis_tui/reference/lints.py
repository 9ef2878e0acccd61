"""The page of the lints: all that `lint --explain NAME` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_tui.reference.commands import anchor
from lapis_tui.reference.markdown import code, joined, prose, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lapis_engine.lints.lint import Lint

HEAD: Final = """\
# Lints

Rules that look at what a guest does while it runs, and find what is legal and seldom
meant, or works here and not elsewhere. `lint` lists them with what each has found,
`lint --explain NAME` shows what is below, `lint off NAME` and `lint on NAME` switch
one, or `all`. A finding is an event, at which `catch lint` stops. No instruction is
slower for them.

An *error* is what the guest fails by, a *warning* what it fails by elsewhere or by bad
luck, a *note* what one should know of it. Linux, OVMF and memtest86+ have notes only,
SeaBIOS a warning: it sends INIT and SIPI without a look at delivery status.
"""


def page(lints: Mapping[str, Lint]) -> str:
    """Return the page."""
    rows = [
        (f"[{code(each.name)}](#{anchor(each.name)})", each.severity, prose(each.text))
        for each in lints.values()
    ]
    parts = [HEAD, table(("lint", "is", "finds"), rows)]
    for each in lints.values():
        parts += _lint(each)
    return joined(parts)


def _lint(it: Lint) -> Iterator[str]:
    yield f"## {it.name}\n"
    yield f"*{it.severity.capitalize()}*: {prose(it.text)}.\n"
    if it.page is None:
        return
    for title, text in (
        ("What", it.page.what), ("Why", it.page.why), ("Where", it.page.where),
        ("Fix", it.page.fix),
    ):  # fmt: skip
        first, *more = text.strip().split("\n\n")
        yield f"**{title}.** {prose(first)}\n"
        yield from (f"{prose(each)}\n" for each in more)
