"""Lapis as a library: machines, their APICs and their recordings, from Python.

>>> import lapis
>>> with lapis.open("ap-bringup", cpus=4) as session:
...     print(session.run(5_000_000).reason, session.pending()[0].text)
exit read of 4 bytes at 0xd0000000

Names are loaded when they are asked for (PEP 562): importing this imports nothing, and
none of it imports a terminal library. Not here: the engine itself, which a session
holds as `session.machine`, and plug-ins, whose hooks are in `lapis_plugins.spec`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lapis.exploring import Exploration, explore, shrink
    from lapis.kernel_tests.machine import KernelMachine
    from lapis.kernel_tests.schedules import Schedules
    from lapis.opening import open, replay  # noqa: A004 - as one says it: lapis.open
    from lapis.pictures import Apic, Event, Registers
    from lapis.session import Session, Vcpu
    from lapis_engine.errors import (
        ConfigError,
        EngineError,
        EntryError,
        ImageError,
        LapisError,
        UnmappedError,
    )
    from lapis_engine.machine.machine import Machine
    from lapis_engine.machine.requests import PendingRequest
    from lapis_engine.machine.stop import NotRunnableError, Stop
    from lapis_engine.profiles.switches import Profile
    from lapis_engine.replay.entries import DivergedError
    from lapis_sessions.errors import CommandError, GuestError, RecordingError
    from lapis_sessions.text.expressions import ExpressionError

    __version__: str

__all__ = [
    "Apic",
    "CommandError",
    "ConfigError",
    "DivergedError",
    "EngineError",
    "EntryError",
    "Event",
    "Exploration",
    "ExpressionError",
    "GuestError",
    "ImageError",
    "KernelMachine",
    "LapisError",
    "Machine",
    "NotRunnableError",
    "PendingRequest",
    "Profile",
    "RecordingError",
    "Registers",
    "Schedules",
    "Session",
    "Stop",
    "UnmappedError",
    "Vcpu",
    "__version__",
    "explore",
    "open",
    "replay",
    "shrink",
]

WHERE = {
    "Apic": "lapis.pictures",
    "CommandError": "lapis_sessions.errors",
    "ConfigError": "lapis_engine.errors",
    "DivergedError": "lapis_engine.replay.entries",
    "EngineError": "lapis_engine.errors",
    "EntryError": "lapis_engine.errors",
    "Event": "lapis.pictures",
    "Exploration": "lapis.exploring",
    "ExpressionError": "lapis_sessions.text.expressions",
    "GuestError": "lapis_sessions.errors",
    "ImageError": "lapis_engine.errors",
    "KernelMachine": "lapis.kernel_tests.machine",
    "LapisError": "lapis_engine.errors",
    "Machine": "lapis_engine.machine.machine",
    "NotRunnableError": "lapis_engine.machine.stop",
    "PendingRequest": "lapis_engine.machine.requests",
    "Profile": "lapis_engine.profiles.switches",
    "RecordingError": "lapis_sessions.errors",
    "Registers": "lapis.pictures",
    "Schedules": "lapis.kernel_tests.schedules",
    "Session": "lapis.session",
    "Stop": "lapis_engine.machine.stop",
    "UnmappedError": "lapis_engine.errors",
    "Vcpu": "lapis.session",
    "explore": "lapis.exploring",
    "open": "lapis.opening",
    "replay": "lapis.opening",
    "shrink": "lapis.exploring",
}
"""The module of each public name."""


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - rarely wanted

        return version("lapis")
    if name not in WHERE:
        raise AttributeError(f"module 'lapis' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(WHERE[name]), name)
    return found


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
