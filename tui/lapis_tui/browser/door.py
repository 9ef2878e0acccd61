"""Who is let in: by the host that is asked for, by where the page is from, by a token.

Everyone on this machine reaches the port, and so does a page of any site that a browser
here shows, if its name is made to resolve to the loopback. The token keeps out the
former, and the names keep out the latter.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

HOST: Final = "127.0.0.1"
"""The one address that is served."""
NAMES: Final = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]{1,5})?", re.ASCII)
"""What a browser here calls it; the port is another one behind a tunnel."""


class Refusal(NamedTuple):
    """Why somebody is not let in."""

    status: int
    """Of HTTP."""
    why: str


class Caller(NamedTuple):
    """What a request says of who asks, as far as it matters here."""

    hosts: Sequence[str]
    """Each `Host` that it has."""
    origins: Sequence[str]
    """Each `Origin`."""
    token: str | None
    """In its address."""
    cookie: str | None
    is_socket: bool
    """Whether it is for the websocket, where browsers always name an origin."""


@dataclass(frozen=True, slots=True)
class Door:
    """The door of one server."""

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def address(self) -> str:
        """Where a visitor goes; whoever knows it is let in."""
        return f"http://{HOST}:{self.port}/?token={self.token}"

    @property
    def cookie(self) -> str:
        """What the cookie is called: a browser has one set of them for all ports."""
        return f"lapis-{self.port}"

    def refusal(self, caller: Caller) -> Refusal | None:
        """Return why this one is not let in, or None."""
        if len(caller.hosts) != 1 or not NAMES.fullmatch(caller.hosts[0]):
            return Refusal(421, f"this is {HOST} and goes by no other name")
        ours = [f"http://{caller.hosts[0]}"]
        if caller.origins and caller.origins != ours:
            return Refusal(403, "a page from elsewhere has no business here")
        if caller.is_socket and not caller.origins:
            return Refusal(403, "a session is for a page, and this names none")
        if not self._knows(caller.cookie if caller.token is None else caller.token):
            return Refusal(
                403, "the token is missing or wrong: take the address as lapis shows it"
            )
        return None

    def _knows(self, given: str | None) -> bool:
        if given is None:
            return False
        ours, theirs = self.token.encode(), given.encode("utf-8", "replace")
        return secrets.compare_digest(ours, theirs)
