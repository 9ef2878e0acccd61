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
from lapis_sessions.recording.format.schema import (
    FORMAT,
    READER,
    AttachedRow,
    Header,
    ImageRow,
)
from lapis_sessions.text import utf8
from lapis_sessions.text.visible import quoted, quoted_path

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine
    from lapis_sessions.attached import Attached
    from lapis_sessions.guests import Image
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
    _check_files(origin, embed=embed)
    return Header(
        lapis=version("lapis"),
        unicorn=version("unicorn"),
        cpus=options.cpus,
        memory=options.memory,
        profile=options.profile,
        switches=asdict(timeline.machine.config.profile),
        quantum=options.quantum,
        ports=options.ports,
        strict=timeline.machine.config.strict,
        usual=timeline.machine.config.usual,
        append=options.append,
        firmware=bool(options.firmware),
        image=ImageRow(
            utf8.escaped(image.name),
            _sha256(image.data),
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
        tsc_hz=timeline.machine.config.tsc_hz,
        machine=timeline.machine.config.machine,
        mmio=options.mmio,
        seed=options.seed,
        attached=[_row(each, embed=embed) for each in origin.attached],
    )


def _row(file: Attached, *, embed: bool) -> AttachedRow:
    return AttachedRow(
        file.role,
        utf8.escaped(file.name),
        file.args,
        _sha256(file.data),
        file.data if embed else None,
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _check_files(origin: Origin, *, embed: bool) -> None:
    """Raise `RecordingError` for files that it can neither hold nor name."""
    named: list[tuple[str, Image | Attached]] = [("image", origin.image)]
    named += [(each.role, each) for each in origin.attached]
    if embed:
        size = sum(len(file.data) for _, file in named)
        what, file = max(named, key=lambda each: len(each[1].data))
        if size > LARGEST_IMAGE:
            more = f", {size} with what comes with it" if origin.attached else ""
            raise RecordingError(
                f"{what} {quoted_path(file.name)} has {len(file.data)} bytes{more} and "
                f"a recording takes {LARGEST_IMAGE}: use --by-reference"
            )
        return
    for what, file in named:
        if not utf8.is_whole(file.name):
            raise RecordingError(
                f"{what} {quoted_path(file.name)} cannot be named in a recording, as "
                f"its name is not UTF-8: leave out --by-reference"
            )
