"""What is known of one plug-in, and what is said when one fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lapis_sessions.errors import SessionError


class PluginError(SessionError):
    """A plug-in was to do something, and is disabled."""

    title = "Plug-in disabled"

    def __init__(self, text: str, plugin: str = "") -> None:
        """Say `text`, which names the plug-in."""
        super().__init__(text)
        self.plugin = plugin


@dataclass(slots=True)
class Plugin:
    """A plug-in: where it comes from, and how it does."""

    name: str
    builtin: bool
    origin: str
    """Module or file that it comes from."""
    distribution: str | None = None
    version: str | None = None
    """Of the distribution."""
    hooks: tuple[str, ...] = ()
    """Those that it implements."""
    why: str | None = None
    """Why it is disabled; None while it is active."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "name": self.name,
            "builtin": self.builtin,
            "origin": self.origin,
            "distribution": self.distribution,
            "version": self.version,
            "hooks": list(self.hooks),
            "state": "active" if self.why is None else "disabled",
            "why": self.why,
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """A plug-in that was put out of action."""

    plugin: str
    hook: str
    """What failed: "load", a hook, or a part that it offers ("command 'x'")."""
    why: str

    @property
    def text(self) -> str:
        """One sentence for the user."""
        return f"plug-in {self.plugin!r} is disabled: {self.reason}"

    @property
    def reason(self) -> str:
        """The part of the sentence that says why."""
        return f"its {self.hook} failed: {self.why}"


@dataclass(frozen=True, slots=True)
class Clash:
    """A part that is left out, since another plug-in has one of its name."""

    plugin: str
    what: str
    """The part: "command 'x'"."""
    other: str
    """The plug-in that was first."""
    has: str = "one of that name"
    """What it has."""

    @property
    def text(self) -> str:
        """One sentence for the user."""
        return (
            f"{self.what} of plug-in {self.plugin!r} is left out: plug-in "
            f"{self.other!r} has {self.has}"
        )


@dataclass(frozen=True, slots=True)
class Remark:
    """A plug-in that was asked for and cannot be had, or comes twice."""

    plugin: str
    text: str


Report = Failure | Clash | Remark
"""What the user is told, once."""


def said(error: BaseException) -> str:
    """Return what an exception says, on one line, whatever it is."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - even this is a plug-in's code
        text = "(it cannot be printed)"
    name = type(error).__name__
    return f"{name}: {text}"[:500] if text else name
