"""The terminal of a page, seen from the process that draws on it."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import Any

from textual.drivers.web_driver import WebDriver
from textual.events import Resize

from lapis_tui.browser.sizes import Size

TAKEN = (signal.SIGINT, signal.SIGTERM)
"""The signals that Textual's driver takes to itself."""


class Page(WebDriver):
    """Textual's, which is left by signals as a terminal is, and may go away."""

    is_gone = False
    """Whether there is no page any more."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Begin as Textual's does."""
        super().__init__(*args, **kwargs)
        self._write = self._pour  # type: ignore[assignment]  # it is not asked how much

    def _pour(self, data: bytes) -> None:
        """Write all of it, or nothing more when nobody takes it: `is_gone` tells."""
        with suppress(OSError):
            while data:
                data = data[os.write(self.fileno, data) :]

    def start_application_mode(self) -> None:
        """Begin; signals stay with whoever had them (`lapis_tui.ending`)."""
        before = {number: signal.getsignal(number) for number in TAKEN}
        super().start_application_mode()
        loop = asyncio.get_running_loop()
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)

    def run_input_thread(self) -> None:
        """Read what the page sends until there is none."""
        super().run_input_thread()
        self.is_gone = True

    def process_message(self, message: Any) -> None:
        """Take an event, but for a size that no page has."""
        if isinstance(message, Resize) and not Size(*message.size).may_be:
            return
        super().process_message(message)
