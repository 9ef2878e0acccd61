"""The page of the profiles, and of the switches that they differ in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.profiles.catalog import SDM, differences
from lapis_engine.profiles.switches import SWITCHES
from lapis_tui.reference.commands import anchor
from lapis_tui.reference.markdown import code, joined, prose, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lapis_engine.profiles.switches import Profile

HEAD: Final = """\
# Profiles and switches

A guest that is right can fail under a hypervisor that is wrong, and one that is wrong
can come through where it ought not. So `--profile NAME` says whose behaviour a machine
has: that of a processor as the SDM describes it, of bhyve in today's illumos or
FreeBSD, or of one of them before a certain repair.

A profile is nothing but a set of *switches*. Code asks a switch, and never a name; each
switch says what it does, and who says so. In a recording all of them stand, so that it
is done again as it was, whatever becomes of a profile later.

Where do two differ?

```sh
lapis profiles diff illumos illumos-pre-13275
```

And what does that come to for a guest? Run it under both, or do a recording again under
the other one: `lapis replay FILE --compare PROFILE` says where they part.

```sh
lapis exec ap-bringup --profile illumos-pre-13253 -c 'run 100000' -c 'why vcpu 1'
```

`lapis scenario NAME` tells some of this history: see the [lessons](../lessons.md). A
plug-in can bring a profile of its own.
"""


def page(profiles: Mapping[str, Profile]) -> str:
    """Return the page."""
    known = list(profiles.values())
    rows = []
    parts: list[str] = []
    for number, each in enumerate(known):
        like = _nearest(each, known[:number])
        parts += _profile(each, like)
        link = f"[{code(each.name)}](#{anchor(each.name.replace('.', ''))})"
        count = (
            f"{code(like.name)}, but for {len(differences(like, each))}" if like else ""
        )
        rows.append((link, prose(each.summary), count))
    heads = ("profile", "whose", "switches are those of")
    return joined(
        [HEAD, "## Profiles\n", table(heads, rows), *parts, "## Switches\n",
         *_switches(profiles)]
    )  # fmt: skip


def _nearest(it: Profile, before: Sequence[Profile]) -> Profile | None:
    """Return the profile before it that it has most in common with."""
    return min(before, key=lambda each: len(differences(each, it)), default=None)


def _profile(it: Profile, like: Profile | None) -> Iterator[str]:
    yield f"### {it.name}\n"
    yield f"{prose(it.summary)}\n"
    if like is None:
        return
    rows = [
        (_switch_link(each.switch.name), code(_value(each.switch.name, each.first)),
         code(_value(each.switch.name, each.second)))
        for each in differences(like, it)
    ]  # fmt: skip
    yield table(("switch", code(like.name), code(it.name)), rows)


def _switch_link(name: str) -> str:
    return f"[{code(name)}](#{anchor(name)})"


def _switches(profiles: Mapping[str, Profile]) -> Iterator[str]:
    for switch in SWITCHES:
        usual = _value(switch.name, getattr(SDM, switch.name))
        yield f"### {switch.name}\n"
        yield f"{prose(switch.doc[:1].upper() + switch.doc[1:])}.\n"
        yield f"Source: {prose(switch.source)}.\n"
        values: dict[str, list[str]] = {}
        for each in profiles.values():
            value = _value(switch.name, getattr(each, switch.name))
            values.setdefault(value, []).append(each.name)
        rows = [
            (code(value), ", ".join(map(code, names)) if value != usual else
             "`sdm`, and all others")
            for value, names in values.items()
        ]  # fmt: skip
        yield table(("value", "profiles"), rows)


def _value(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and name.endswith("_hz"):
        return f"{value:,}"
    return f"{value:#x}" if isinstance(value, int) and value > 0xFFFF else f"{value}"
