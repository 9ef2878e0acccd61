"""What a machine is where nobody said: its platform, memory, time and unclaimed buses.

That follows from the kind of guest, and is settled once: recordings hold what came of
it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from lapis_engine.boot.detect import loader_of
from lapis_engine.errors import ConfigError
from lapis_engine.units import NS
from lapis_sessions.origin import BARE, BARE_MEMORY, configuration, files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lapis_engine.boot.detect import Loader
    from lapis_sessions.extensions import Extensions
    from lapis_sessions.origin import Origin, SessionOptions

PC: Final = "pc"
PC_MEMORY: Final = "256M"
Kind = Literal["guest", "kernel", "firmware"]
"""A guest of a debugger's own, which may want to be asked; or what runs on a PC."""


@dataclass(frozen=True, slots=True)
class Time:
    """What accesses take, and how fast the TSC counts."""

    cost: str
    """As `--cost` takes it."""
    tsc_hz: int


BOARD: Final = Time("board", 2_500_000_000)
TIMES: Final[Mapping[str, Mapping[Kind, Time]]] = MappingProxyType(
    {
        "fast": {
            "guest": Time("pc", NS),
            "kernel": Time("pc", NS),
            "firmware": Time("firmware", NS),
        },
        "board": {"guest": BOARD, "kernel": BOARD, "firmware": BOARD},
    }
)
"""Named sets by the kind of guest. `fast` makes what is polled dear, so that loops
which wait for a timer are over soon; `board` is about what a board of today takes."""


def origin_of(options: SessionOptions, extensions: Extensions) -> Origin:
    """Check what was said, read the files, and settle what was not said.

    Raises `ConfigError` or `GuestError`.
    """
    configuration(options, extensions.profiles)
    origin = files(options)
    return replace(origin, options=settled(origin, extensions.loaders))


def settled(origin: Origin, loaders: Sequence[Loader]) -> SessionOptions:
    """Return the options with all that depends on the guest; raise `ConfigError`."""
    options = origin.options
    loader = None
    if not options.firmware:
        loader = loader_of(origin.image.data, loaders)
    kind: Kind = "firmware" if options.firmware else "kernel" if loader else "guest"
    machine = options.machine
    if not machine:
        is_pc = options.firmware or origin.attached or (loader and loader.machine == PC)
        machine = PC if is_pc else BARE
    is_bare = machine == BARE
    timed = replace(_timed(options, kind, is_bare=is_bare), machine=machine)
    if is_bare:
        return replace(timed, memory=options.memory or BARE_MEMORY)
    unclaimed = "ask" if kind == "guest" else "float"
    return replace(
        timed,
        memory=options.memory or PC_MEMORY,
        ports=options.ports or unclaimed,
        mmio=options.mmio or unclaimed,
    )


def _timed(options: SessionOptions, kind: Kind, *, is_bare: bool) -> SessionOptions:
    """Put cost and TSC in place of a named set; what was said of one wins."""
    name = options.time or ("" if is_bare else "fast")
    if name and name not in TIMES:
        raise ConfigError(f"time {name[:40]!r}: {' or '.join(TIMES)} is expected")
    time = TIMES[name][kind] if name else Time("none", NS)
    return replace(
        options,
        time="",
        cost=time.cost if options.cost is None else options.cost,
        tsc_hz=time.tsc_hz if options.tsc_hz is None else options.tsc_hz,
    )
