"""From the header of a recording back to a session."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import TYPE_CHECKING

from lapis_sessions import guests
from lapis_sessions.guests import Image
from lapis_sessions.opening import build
from lapis_sessions.origin import Origin, SessionOptions
from lapis_sessions.recording.format.chunks import RecordingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.profiles.switches import Profile
    from lapis_sessions.extensions import Extensions
    from lapis_sessions.recording.format.schema import Header
    from lapis_sessions.session import Session


def rebuild(head: Header, extensions: Extensions, profile: str = "") -> Session:
    """Build the session that a header describes, under another profile if one is named.

    Raises `RecordingError` when that cannot be the same machine.
    """
    image = image_of(head)
    name = image.name
    options = SessionOptions(
        guest="" if head.firmware else name,
        cpus=head.cpus,
        memory=head.memory,
        profile=profile or head.profile,
        firmware=name if head.firmware else "",
        append=head.append,
        quantum=head.quantum,
        ports=head.ports,
    )
    if not profile:
        _same_profile(head, extensions.profiles)
    session = build(Origin(options, image), extensions)
    found = [device.name for device in session.machine.vm.devices]
    if found != head.devices:
        raise RecordingError(
            f"it was recorded with the devices {', '.join(head.devices)}; here there "
            f"are {', '.join(found)}"
        )
    return session


def _same_profile(head: Header, profiles: Mapping[str, Profile]) -> None:
    if head.profile not in profiles:
        raise RecordingError(f"its profile {head.profile[:40]!r} is not known here")
    now = asdict(profiles[head.profile])
    for name, value in now.items():
        if head.switches.get(name) != value:
            was = head.switches.get(name)
            raise RecordingError(
                f"profile {head.profile} has changed since: switch {name} was {was!r} "
                f"and is {value!r}"
            )


def image_of(head: Header) -> Image:
    """Return the image: the one within, or the file that it names if that is the same.

    Raises `RecordingError` or `GuestError`.
    """
    row = head.image
    data = row.data
    if data is None:
        if row.name in guests.names():
            data = guests.find(row.name).data
        else:
            data = guests.read_file(row.name, guests.MAX_KERNEL, "image")
    found = hashlib.sha256(data).hexdigest()
    if found != row.sha256:
        raise RecordingError(
            f"image {row.name!r} is not the one that was recorded: its SHA-256 is "
            f"{found[:16]}... and was {row.sha256[:16]}..."
        )
    return Image(row.name, data, row.is_flat, tuple(map(tuple, row.symbols)))  # type: ignore[arg-type]
