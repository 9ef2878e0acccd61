"""Plug-ins as files, written by tests."""

from pathlib import Path

HEAD = """
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

from lapis_engine.boot.detect import Loader
from lapis_engine.devices.device import Device, Range, RegisterName
from lapis_engine.events import IpiSent
from lapis_engine.lints.lint import Lint
from lapis_engine.lints.state import Finding
from lapis_engine.profiles.catalog import SDM
from lapis_plugins.spec import hookimpl
from lapis_sessions.errors import CommandError
from lapis_sessions.extensions import ApicFormat, Explainer, Exporter, Function, Pane
from lapis_sessions.registry import Command


def boom(*_args):
    raise RuntimeError("no luck")


def hang(*_args):
    Event().wait()


@dataclass(slots=True)
class State:
    reads: int = 0
    due: int | None = None


class Access:
    def read(self, state, address, size, now):
        state.reads += 1
        return state.reads if state.reads < 3 else boom()

    def write(self, state, address, size, value, now):
        return ()


def offer(hook, value):
    def call():
        return value

    globals()[hook] = hookimpl(call)


def raising(hook):
    def call():
        boom()

    globals()[hook] = hookimpl(call)


def command(perform, render=str):
    offer("lapis_commands", [Command("foo", "h", "read-only", perform, render)])
"""


def plugin(folder: Path, body: str, name: str = "bad") -> str:
    """Write a plug-in and return the name of its file."""
    path = folder / f"{name}.py"
    path.write_text(f"{HEAD}\n{body}\n")
    return str(path)
