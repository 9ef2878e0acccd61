"""The page of the profiles, and of the switches that they differ in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.profiles.catalog import SDM, differences
from lapis_engine.profiles.switches import SWITCHES
from lapis_tui.reference.commands import anchor
from lapis_tui.reference.markdown import code, joined, prose, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lapis_engine.profiles.switches import Profile

HEAD: Final = """\
# Profiles and switches

`--profile NAME` says whose behaviour it is; code asks a switch, and never a name. A
recording holds every switch. `lapis profiles diff FIRST SECOND` says in which two
differ.
"""


def page(profiles: Mapping[str, Profile]) -> str:
    """Return the page."""
    rows = [
        (f"[{code(each.name)}](#{anchor(each.name.replace('.', ''))})",
         prose(each.summary), f"{len(differences(SDM, each))}")
        for each in profiles.values()
    ]  # fmt: skip
    heads = ("profile", "whose", "switches unlike sdm")
    parts = [HEAD, "## Profiles\n", table(heads, rows)]
    for each in profiles.values():
        parts += _profile(each)
    return joined([*parts, "## Switches\n", *_switches(profiles)])


def _profile(it: Profile) -> Iterator[str]:
    yield f"### {it.name}\n"
    yield f"{prose(it.summary)}\n"
    rows = [
        (
            _switch_link(each.switch.name),
            code(_value(each.first)),
            code(_value(each.second)),
        )
        for each in differences(SDM, it)
    ]
    yield table(("switch", "sdm", it.name), rows)


def _switch_link(name: str) -> str:
    return f"[{code(name)}](#{anchor(name)})"


def _switches(profiles: Mapping[str, Profile]) -> Iterator[str]:
    for switch in SWITCHES:
        usual = getattr(SDM, switch.name)
        yield f"### {switch.name}\n"
        yield f"{prose(switch.doc[:1].upper() + switch.doc[1:])}.\n"
        yield f"Source: {prose(switch.source)}.\n"
        values: dict[str, list[str]] = {}
        for each in profiles.values():
            values.setdefault(_value(getattr(each, switch.name)), []).append(each.name)
        rows = [
            (code(value), ", ".join(map(code, names)) if value != _value(usual) else
             "`sdm`, and all others")
            for value, names in values.items()
        ]  # fmt: skip
        yield table(("value", "profiles"), rows)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:#x}" if isinstance(value, int) and value > 0xFFFF else f"{value}"
