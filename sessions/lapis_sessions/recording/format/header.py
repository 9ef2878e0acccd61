"""From what a machine was made of to the header of its recording."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING

from lapis_engine.replay.roundtrip import unfit
from lapis_engine.replay.schema import ENGINE, STATE_SCHEMA
from lapis_sessions.errors import RecordingError
from lapis_sessions.recording.format.chunks import MOST
from lapis_sessions.recording.format.schema import FORMAT, READER, Header, ImageRow
from lapis_sessions.text import utf8
from lapis_sessions.text.visible import quoted, quoted_path

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine
    from lapis_sessions.origin import Origin
    from lapis_sessions.timeline.timeline import Timeline

LARGEST_IMAGE = MOST - (8 << 20)
"""Bytes; the rest of the header needs some, too."""


def plugged(machine: Machine) -> dict[str, str]:
    """Return what plug-ins put on a machine, and the plug-in of each."""
    devices = {f"device {each.name}": each.plugin for each in machine.vm.devices}
    lints = {f"lint {each.name}": each.plugin for each in machine.lints.lints.values()}
    parts = (devices | lints).items()
    return {part: plugin for part, plugin in parts if plugin is not None}


def header(origin: Origin | None, timeline: Timeline, *, embed: bool) -> Header:
    """Describe what a machine was made of; raise `RecordingError` when nobody knows."""
    if origin is None:
        raise RecordingError(
            "this session was not made from an image, and cannot be recorded"
        )
    short = next((each for each in timeline.branches.values() if each.given_up), None)
    if short is not None:
        raise RecordingError(
            f"the first {short.given_up} acts of {quoted(short.name)} are no longer "
            f"known, and a recording begins with the machine: start one with --record"
        )
    odd = unfit(timeline.machine)
    if odd is not None:
        raise RecordingError(odd.text)
    options, image = origin.options, origin.image
    if embed and len(image.data) > LARGEST_IMAGE:
        raise RecordingError(
            f"image {quoted_path(image.name)} has {len(image.data)} bytes and a "
            f"recording takes {LARGEST_IMAGE}: use --by-reference"
        )
    if not embed and not utf8.is_whole(image.name):
        raise RecordingError(
            f"image {quoted_path(image.name)} cannot be named in a recording, as its "
            f"name is not UTF-8: leave out --by-reference"
        )
    return Header(
        lapis=version("lapis"),
        unicorn=version("unicorn"),
        cpus=options.cpus,
        memory=options.memory,
        profile=options.profile,
        switches=asdict(timeline.machine.config.profile),
        quantum=options.quantum,
        ports=options.ports,
        strict=options.strict,
        append=options.append,
        firmware=bool(options.firmware),
        image=ImageRow(
            utf8.escaped(image.name),
            hashlib.sha256(image.data).hexdigest(),
            image.is_flat,
            list(image.symbols),
            image.data if embed else None,
        ),
        devices=[device.name for device in timeline.machine.vm.devices],
        plugins=plugged(timeline.machine),
        format=FORMAT,
        reader=READER,
        state_schema=STATE_SCHEMA,
        engine=ENGINE,
        cpu=options.cpu,
        hypervisor=options.hypervisor,
        lints=list(timeline.machine.lints.lints),
        on_reset=options.on_reset,
        cost=timeline.machine.config.costs.some(),
        tsc_hz=options.tsc_hz,
    )
