"""The status bar and the row of keys: state at the top, what to do at the bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_tui import lines
from lapis_tui.bindings import KEYS
from lapis_tui.lines import Line

if TYPE_CHECKING:
    from collections.abc import Sequence
