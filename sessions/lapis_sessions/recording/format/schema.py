"""The records of a recording. Their fields, in this order, are the file format."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

import msgspec
from msgspec import Meta

FORMAT = 8
"""Version of the format that is written, and the newest that is read."""
READER = 8
"""Oldest version of a reader that understands what is written: one of 7 would leave out
the checks that are usual since 8."""


MANY = 1 << 16
"""Entries of a list at most, acts of a chunk among them."""
PLENTY = 1 << 20
"""Fields of a checkpoint at most: 3 GiB have 786,432 pages."""


FIRST_LINTS = (
    "eoi-empty-isr", "sipi-ignored", "icr-reserved-bits", "ipi-absent", "level-no-eoi",
    "empty-trampoline", "bsp-spins", "isrvec",
)  # fmt: skip
"""Those that there were when recordings did not name them."""


class Row(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """A record, as an array of its fields."""


class ImageRow(Row, frozen=True):
    """The guest or the firmware."""

    name: str
    sha256: str
    is_flat: bool
    symbols: Annotated[list[tuple[str, int]], Meta(max_length=MANY)]
    data: bytes | None
    """Its bytes, or None when it was recorded by reference: then `name` is a file."""


class AttachedRow(Row, frozen=True):
    """A file that comes with the image."""

    role: str
    """initrd, module, disk or flash-vars."""
    name: str
    args: str
    """What a module is told."""
    sha256: str
    data: bytes | None
    """As of an image."""


class Header(Row, frozen=True):
    """What the machine was made of, and by what."""

    lapis: str
    """Version of Lapis that wrote it; so the next for the processor."""
    unicorn: str
    cpus: int
    memory: str
    profile: str
    switches: Annotated[dict[str, bool | int | str], Meta(max_length=MANY)]
    """Every switch of the profile, as it was."""
    quantum: int
    ports: str
    append: str
    firmware: bool
    """The image is a ROM."""
    image: ImageRow
    devices: Annotated[list[str], Meta(max_length=MANY)]
    """Names, in the order in which they were put on the machine."""
    format: int = 1
    """Version of the format, as at the beginning of the file, where no checksum covers
    it; so the next. Not in a header of format 1, as what follows."""
    reader: int = 1
    state_schema: int = 1
    """What its hashes are over (`lapis_engine.replay.schema`)."""
    engine: int = 1
    """Number of the engine's behaviour, by the same."""
    lints: Annotated[list[str], Meta(max_length=MANY)] = msgspec.field(
        default_factory=lambda: list(FIRST_LINTS)
    )
    """Names of the lints whose findings are among the events."""
    plugins: Annotated[dict[str, str], Meta(max_length=MANY)] = {}
    """What plug-ins put on the machine, as `device mailbox` or `lint chatty`, and the
    plug-in of each."""
    cpu: str = "first"
    """Model of the processor; so the next."""
    hypervisor: str = "none"
    on_reset: str = "stop"
    """stop or reboot."""
    strict: bool = False
    """Alignment and limits of memory operands were checked."""
    cost: Annotated[dict[str, int], Meta(max_length=64)] = {}
    """ns that accesses took, by kind; what is not there took none."""
    tsc_hz: int = 1_000_000_000
    machine: str = "bare"
    """Name of the platform."""
    mmio: str = ""
    """What an unclaimed address did, as `ports` of a port."""
    seed: int = 0
    """What the guest's source of random numbers began with."""
    attached: Annotated[list[AttachedRow], Meta(max_length=128)] = []
    """The files that come with the image."""
    usual: bool = False
    """Of them those that cost nothing were checked; never beside `strict`."""


class ActRow(Row, frozen=True, gc=False):
    """An act, or a part of a run or a step that is cut anywhere.

    There may be a million: the collector need not look at what cannot form a ring.
    """

    verb: str
    args: Annotated[dict[str, Any], Meta(max_length=64)]
    retired: int
    """Instructions of all vCPUs when it was over; so the next two."""
    seq: int
    """Number of the next event."""
    now: int
    """ns of virtual time."""
    reason: str
    """Why a run or a step came back; nothing for what moves no time."""


Acts = Annotated[list[ActRow], Meta(max_length=MANY)]
"""The body of a chunk ACTS."""


class ForkRow(Row, frozen=True):
    """A new branch: the acts that follow are its own, after those given here."""

    name: str
    parent: str
    acts: Acts
    """From the beginning of the history on, as many as the chunk takes."""


class TurnRow(Row, frozen=True):
    """What follows belongs to a branch that was begun before."""

    name: str


class HashRow(Row, frozen=True):
    """The state after so many acts."""

    acts: int
    retired: int
    digest: str


class CheckpointRow(Row, frozen=True):
    """Every field of the state after so many acts, for who looks for a difference."""

    acts: int
    retired: int
    digest: str
    fields: Annotated[dict[str, str], Meta(max_length=PLENTY)]


class Annotation(Row, frozen=True):
    """A text of the user, after so many acts."""

    acts: int
    retired: int
    text: str
    ask: str = ""
    """A question to put before going on, or nothing."""
    answer: str = ""


class Trailer(Row, frozen=True):
    """Says that the file is complete."""

    acts: int
    chunks: int
    """Chunks before this one."""


ROWS: tuple[type[Row], ...] = (
    Header, ImageRow, AttachedRow, ActRow, ForkRow, TurnRow, HashRow, CheckpointRow,
    Annotation, Trailer,
)  # fmt: skip


def schema_text() -> str:
    """Return the schema, one line per field, wherever this module may lie."""
    lines = [
        f"{row.__name__}.{field.encode_name}: {field.type}".replace(f"{__name__}.", "")
        for row in ROWS
        for field in msgspec.structs.fields(row)
    ]
    return "\n".join([f"format {FORMAT} reader {READER}", *lines])


def schema_hash() -> str:
    """Return the SHA-256 of `schema_text`; a change of it is a change of format."""
    return hashlib.sha256(schema_text().encode()).hexdigest()
