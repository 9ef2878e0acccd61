"""The keyboard: one key after the other, each where the one before it led.

Textual hands a key to whatever has the focus now, and what the key before it opens has
the focus only some messages later: of `:quantum 500` in one burst the `q` would quit.
Here a key waits until all that the one before it set off has come round. While the
worker is asked for something, keys wait for that as well, if it does not take long.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from textual.app import App, ScreenStackError
from textual.binding import Binding, BindingsMap
from textual.events import Key, Paste
from textual.message import Message
from textual.widgets import Input

from lapis_tui.bindings import KEYS, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from textual.events import Event

    from lapis_tui.bindings import Key as Action

ROUNDS = 4
"""How often a message goes from the focus to the app before a key counts as over: for
the key itself, for what a field makes of it, for what the app makes of that, and for
the focus that moves last. A letter in a field needs but one."""
LOST_SECONDS = 1.0
"""When such a message is given up: what had the focus is gone, and it in it."""
URGENT = frozenset({"ctrl+c", "ctrl+q", "escape"})
"""Keys that wait for no order, and before which those that do are given up."""

NEWLINE = "ctrl+j"
"""What Enter is while the terminal is still the shell's: typed before we were there."""


class Round(Message):
    """Goes the way that a key goes, behind it."""

    def __init__(self, number: int) -> None:
        """Carry the number of the round, counted from the beginning."""
        super().__init__()
        self.number = number


def bindings(keys: Iterable[Action] = KEYS) -> list[Binding]:
    """Return a table of keys as Textual takes it."""
    return [
        Binding(
            key.keys,
            key.action,
            key.help,
            show=False,
            id=key.id,
            priority=key.id == "break",
        )
        for key in keys
    ]


class KeyboardApp(App[None]):
    """An application that takes typing ahead and pasting for what it is."""

    def __init__(self, *, ansi_color: bool | None = None) -> None:
        """Have no key yet."""
        super().__init__(ansi_color=ansi_color)
        self._keys: deque[Key | Paste] = deque()
        self._rounds = 0
        """Rounds that the present key has to go; 0 between two keys."""
        self._round = 0
        """Number of the last round."""
        self._choice: tuple[Collection[str], Callable[[str | None], None]] | None = None
        """What the next key is a choice among, and who takes it."""
        self.key_table: tuple[Action, ...] = KEYS
        """Every action with the keys that do it here."""

    def key_of(self, action: str) -> str:
        """Return the first key of an action, as it is written for people."""
        return key_of(self.key_table, action)

    def map_keys(self, table: tuple[Action, ...]) -> None:
        """Have the keys of a table do what it says, and those of no other."""
        self.key_table = table
        names = {action.id for action in table}
        ours = self._bindings.key_to_bindings
        for key, found in [*ours.items()]:
            ours[key] = [each for each in found if each.id not in names]
            if not ours[key]:
                del ours[key]
        for key, found in BindingsMap(bindings(table)).key_to_bindings.items():
            ours.setdefault(key, []).extend(found)

    def choose(self, keys: Collection[str], then: Callable[[str | None], None]) -> None:
        """Take the next key for a choice among `keys`; another one is None."""
        self._choice = keys, then

    def _chosen(self, key: str) -> bool:
        """Tell whether a key was that of a choice; it is done then."""
        choice, self._choice = self._choice, None
        if choice is None:
            return False
        keys, then = choice
        then(key if key in keys else None)
        return True

    @property
    def holds_keys(self) -> bool:
        """Whether keys have to wait for what was asked for."""
        return False

    @property
    def is_typing_over(self) -> bool:
        """Whether every key has come to its end."""
        return not self._keys and not self._rounds

    def give_up_keys(self) -> int:
        """Forget the keys that wait; return how many there were."""
        count = len(self._keys)
        self._keys.clear()
        return count

    async def on_event(self, event: Event) -> None:
        """Queue keys and what is pasted; everything else goes its way."""
        if isinstance(event, (Key, Paste)) and not event.is_forwarded:
            is_newline = isinstance(event, Key) and event.key == NEWLINE
            self._keys.append(Key("enter", "\r") if is_newline else event)
            await self.next_key()
        else:
            await super().on_event(event)

    async def next_key(self) -> None:
        """Hand on the next key, if it is its turn."""
        if self._rounds or not self._keys:
            return
        event = self._take()
        if event is None:
            return
        if isinstance(event, Key) and self._chosen(event.key):
            await self.next_key()
            return
        is_letter = isinstance(event, Key) and event.is_printable
        self._rounds = 1 if is_letter and isinstance(self.focused, Input) else ROUNDS
        await super().on_event(event)
        self._go_round()
        first = self._round
        self.set_timer(LOST_SECONDS, lambda: self._found_lost(first))

    def _take(self) -> Key | Paste | None:
        """Return the next key that need not wait."""
        if not self.holds_keys:
            return self._keys.popleft()
        urgent = (k for k in self._keys if isinstance(k, Key) and k.key in URGENT)
        event = next(urgent, None)
        while event is not None and self._keys.popleft() is not event:
            pass
        return event

    def _go_round(self) -> None:
        self._round += 1
        round_ = Round(self._round)
        try:
            target = self.focused or self.screen
        except ScreenStackError:
            return  # the program ends
        if not target.post_message(round_):
            self.post_message(round_)

    async def on_round(self, message: Round) -> None:
        """Go once more, or let the next key come."""
        message.stop()
        if message.number != self._round or not self._rounds:
            return
        self._rounds -= 1
        if self._rounds:
            self._go_round()
        else:
            await self.next_key()

    async def _found_lost(self, first: int) -> None:
        """Let the next key come if this one's rounds have not ended."""
        if self._rounds and self._round < first + ROUNDS:
            self._rounds = 0
            await self.next_key()
