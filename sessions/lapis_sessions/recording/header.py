"""From a session to the header of its recording."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING

from lapis_engine.profiles import PROFILES
from lapis_sessions.recording.chunks import RecordingError
from lapis_sessions.recording.schema import Header, ImageRow

if TYPE_CHECKING:
    from lapis_sessions.session import Session


def header(session: Session, *, embed: bool) -> Header:
    """Describe what a session was made of; raise `RecordingError` when nobody knows."""
    if session.origin is None:
        raise RecordingError(
            "this session was not made from an image, and cannot be recorded"
        )
    options, image = session.origin.options, session.origin.image
    return Header(
        lapis=version("lapis"),
        unicorn=version("unicorn"),
        cpus=options.cpus,
        memory=options.memory,
        profile=options.profile,
        switches=asdict(PROFILES[options.profile]),
        quantum=options.quantum,
        ports=options.ports,
        append=options.append,
        firmware=bool(options.firmware),
        image=ImageRow(
            image.name,
            hashlib.sha256(image.data).hexdigest(),
            image.is_flat,
            list(image.symbols),
            image.data if embed else None,
        ),
        devices=[device.name for device in session.machine.vm.devices],
    )
