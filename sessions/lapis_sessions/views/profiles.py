"""Profiles and their switches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lapis_engine.profiles.catalog import differences, profile_named
from lapis_engine.profiles.switches import SWITCHES
from lapis_sessions.plain import FLAT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lapis_engine.profiles.switches import Profile


@dataclass(frozen=True, slots=True)
class SwitchView:
    """A switch of a profile."""

    name: str
    value: object
    doc: str
    source: str


@dataclass(frozen=True, slots=True)
class ProfileView:
    """A profile: each switch by name, and all of them with their source."""

    profile: Profile = field(metadata=FLAT)
    switches: tuple[SwitchView, ...]


@dataclass(frozen=True, slots=True)
class DifferingSwitchView:
    """A switch in which two profiles differ."""

    name: str
    first: object
    second: object
    doc: str
    source: str


@dataclass(frozen=True, slots=True)
class DifferenceView:
    """The switches in which two profiles differ."""

    first: str
    second: str
    differences: tuple[DifferingSwitchView, ...]


def profiles(known: Mapping[str, Profile]) -> list[ProfileView]:
    """Return every profile."""
    return [_profile(profile) for profile in known.values()]


def _profile(profile: Profile) -> ProfileView:
    switches = tuple(
        SwitchView(each.name, getattr(profile, each.name), each.doc, each.source)
        for each in SWITCHES
    )
    return ProfileView(profile, switches)


def difference(known: Mapping[str, Profile], first: str, second: str) -> DifferenceView:
    """Return the switches in which two profiles differ; raise `ConfigError`."""
    found = differences(profile_named(first, known), profile_named(second, known))
    rows = tuple(
        DifferingSwitchView(
            each.switch.name,
            each.first,
            each.second,
            each.switch.doc,
            each.switch.source,
        )
        for each in found
    )
    return DifferenceView(first, second, rows)


def text(rows: Sequence[ProfileView]) -> str:
    """Return the profiles, one line per profile."""
    return "\n".join(f"{r.profile.name:<24} {r.profile.summary}" for r in rows)


def difference_text(view: DifferenceView) -> str:
    """Return the switches in which two profiles differ, each with its source."""
    first, second = view.first, view.second
    rows = [
        f"{row.name}: {first} {row.first}, {second} {row.second}\n"
        f"  {row.doc}\n  source: {row.source}"
        for row in view.differences
    ]
    return "\n".join(rows) or f"{first} and {second} do not differ"
