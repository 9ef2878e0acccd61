"""From the header of a recording back to a session."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from lapis_engine.errors import ConfigError
from lapis_engine.profiles.recorded import recorded
from lapis_engine.replay.schema import ENGINE, STATE_SCHEMA
from lapis_sessions import guests
from lapis_sessions.attached import (
    DISK,
    FLASH,
    INITRD,
    LARGEST,
    MODULE,
    Attached,
    check,
)
from lapis_sessions.errors import RecordingError
from lapis_sessions.guests import Image
from lapis_sessions.opening import build
from lapis_sessions.origin import Origin, SessionOptions
from lapis_sessions.text import costs
from lapis_sessions.text.visible import quoted, quoted_path, short, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.devices.device import Device
    from lapis_engine.lints.lint import Lint
    from lapis_engine.profiles.switches import Profile
    from lapis_sessions.extensions import Extensions
    from lapis_sessions.recording.format.schema import AttachedRow, Header, ImageRow
    from lapis_sessions.session import Session


def rebuild(head: Header, extensions: Extensions, profile: str = "") -> Session:
    """Build the session that a header describes, under another profile if one is named.

    Raises `RecordingError` when that cannot be the same machine.
    """
    _check_versions(head)
    image, attached = image_of(head), attached_of(head)
    options = replace(_options(head), profile=profile or head.profile)
    profiles = dict(extensions.profiles)
    if not profile:
        profiles[head.profile] = _profile(head)
    offered = replace(
        extensions,
        profiles=profiles,
        lints=_lints(head, extensions),
        devices=lambda config: _devices(head, extensions.devices(config)),
    )
    session = build(Origin(options, image, attached), offered)
    _same_devices(head, [device.name for device in session.machine.vm.devices])
    return session


def _options(head: Header) -> SessionOptions:
    """Return what was said, or settled, when the machine was made."""
    name = head.image.name
    files = {role: _names(head, role) for role in LARGEST}
    return SessionOptions(
        guest="" if head.firmware else name,
        cpus=head.cpus,
        memory=head.memory,
        profile=head.profile,
        firmware=name if head.firmware else "",
        append=head.append,
        quantum=head.quantum,
        ports=head.ports,
        mmio=head.mmio,
        cpu=head.cpu,
        hypervisor=head.hypervisor,
        cost=costs.written(head.cost),
        tsc_hz=head.tsc_hz,
        on_reset=head.on_reset,
        strict=head.strict,
        checks="usual" if head.usual else "off",
        machine=head.machine,
        seed=head.seed,
        initrd="".join(files[INITRD][:1]),
        modules=tuple(files[MODULE]),
        disk="".join(files[DISK][:1]),
        flash_vars="".join(files[FLASH][:1]),
    )


def _names(head: Header, role: str) -> list[str]:
    """Return the files of a role as an option takes them."""
    rows = (row for row in head.attached if row.role == role)
    return [" ".join(filter(None, (row.name, row.args))) for row in rows]


def _check_versions(head: Header) -> None:
    for what, of, known in (
        ("state schema", head.state_schema, STATE_SCHEMA),
        ("engine behaviour", head.engine, ENGINE),
    ):
        if of > known:
            raise RecordingError(
                f"it was recorded under {what} {of} and this is {known}: a newer Lapis "
                f"reads it"
            )


def _profile(head: Header) -> Profile:
    """Return the profile with the switches that it had then."""
    try:
        return recorded(head.profile, head.switches)
    except ConfigError as error:
        raise RecordingError(str(error)) from None


def _lints(head: Header, extensions: Extensions) -> dict[str, Lint]:
    """Return the lints that looked on: their findings are among the events."""
    missing = [name for name in head.lints if name not in extensions.lints]
    if missing:
        raise _missing(head, "lint", missing[0])
    return {name: extensions.lints[name] for name in head.lints}


def _missing(head: Header, what: str, name: str) -> RecordingError:
    plugin = head.plugins.get(f"{what} {name}")
    who = "no plug-in here" if plugin is None else f"plug-in {quoted(plugin)}"
    tail = "" if plugin is None else ", and that is not here"
    return RecordingError(
        f"it was recorded with the {what} {quoted(name)}, which {who} has{tail}"
    )


def _devices(head: Header, found: Sequence[Device]) -> list[Device]:
    """Return the devices without those that have been added since."""
    return [each for each in found if each.name in head.devices]


def _same_devices(head: Header, found: list[str]) -> None:
    if found == head.devices:
        return
    for name in head.devices:
        if name not in found:
            raise _missing(head, "device", name)
    more = [name for name in found if name not in head.devices]
    what = f"there is {more[0]!r} as well" if more else f"they are {', '.join(found)}"
    was = ", ".join(short(name, 40) for name in head.devices)
    raise RecordingError(
        f"it was recorded with the devices {quoted(was, 400)}; here {what}"
    )


def image_of(head: Header) -> Image:
    """Return the image: the one within, or the file that it names if that is the same.

    Raises `RecordingError` or `GuestError`.
    """
    row = head.image
    if row.data is None and row.name in guests.names():
        data = _same("image", row, guests.find(row.name).data)
    else:
        data = _data("image", row, guests.MAX_KERNEL)
    return Image(row.name, data, row.is_flat, tuple(map(tuple, row.symbols)))  # type: ignore[arg-type]


def attached_of(head: Header) -> tuple[Attached, ...]:
    """Return the files that come with the image, as `image_of` does.

    Raises `RecordingError`, `GuestError` or `ConfigError`.
    """
    return tuple(map(_attached, head.attached))


def _attached(row: AttachedRow) -> Attached:
    data = _data(row.role, row, LARGEST[row.role])
    check(row.role, row.name, data)
    return Attached(row.role, row.name, data, row.args)


def _data(what: str, row: ImageRow | AttachedRow, most: int) -> bytes:
    """Return what is within, or what is in the file that it names."""
    if row.data is not None:
        return _same(what, row, row.data)
    return _same(what, row, guests.read_file(row.name, most, what))


def _same(what: str, row: ImageRow | AttachedRow, data: bytes) -> bytes:
    """Return the bytes; raise `RecordingError` when they are not the recorded ones."""
    found = hashlib.sha256(data).hexdigest()
    if found != row.sha256:
        raise RecordingError(
            f"{what} {quoted_path(row.name)} is not the one that was recorded: its "
            f"SHA-256 is {found[:16]}... and was {visible(row.sha256[:16])}..."
        )
    return data
