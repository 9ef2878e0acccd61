"""Profiles and their switches as plain data that JSON can hold."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from lapis_engine.profiles.catalog import differences, profile_named
from lapis_engine.profiles.switches import SWITCHES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.profiles.switches import Profile
    from lapis_sessions.views.machine import Json


def profiles(known: Mapping[str, Profile]) -> list[Json]:
    """Return every profile: each switch by name, and all of them with their source."""
    return [_profile(profile) for profile in known.values()]


def _profile(profile: Profile) -> Json:
    switches = [
        {
            "name": switch.name,
            "value": getattr(profile, switch.name),
            "doc": switch.doc,
            "source": switch.source,
        }
        for switch in SWITCHES
    ]
    return asdict(profile) | {"switches": switches}


def difference(known: Mapping[str, Profile], first: str, second: str) -> Json:
    """Return the switches in which two profiles differ; raise `ConfigError`."""
    profiles = profile_named(first, known), profile_named(second, known)
    rows = [
        {
            "name": found.switch.name,
            "first": found.first,
            "second": found.second,
            "doc": found.switch.doc,
            "source": found.switch.source,
        }
        for found in differences(*profiles)
    ]
    return {"first": first, "second": second, "differences": rows}
