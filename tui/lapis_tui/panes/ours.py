"""Our panes, from which the layouts choose."""

from lapis_tui.panes.acts import ActsPane
from lapis_tui.panes.apics import ApicsPane
from lapis_tui.panes.boot import BootPane
from lapis_tui.panes.branches import BranchesPane
from lapis_tui.panes.console import ConsolePane
from lapis_tui.panes.events import EventsPane
from lapis_tui.panes.ioapic import IoapicPane
from lapis_tui.panes.lints import LintsPane
from lapis_tui.panes.memory import MemoryPane
from lapis_tui.panes.msi import MsiPane
from lapis_tui.panes.notes import NotesPane
from lapis_tui.panes.pending import PendingPane
from lapis_tui.panes.pic import PicPane
from lapis_tui.panes.priority import PriorityPane
from lapis_tui.panes.requests import RequestsPane
from lapis_tui.panes.results import ResultsPane
from lapis_tui.panes.terminal import TerminalPane
from lapis_tui.panes.time import TimePane
from lapis_tui.panes.timers import TimersPane
from lapis_tui.panes.vcpus import VcpusPane
from lapis_tui.panes.vga import VgaPane
from lapis_tui.panes.walk import WalkPane

PANES = (
    VcpusPane, ApicsPane, PendingPane, EventsPane, ConsolePane, ResultsPane,
    TerminalPane, VgaPane, TimePane, BootPane, PriorityPane, ActsPane, NotesPane,
    BranchesPane, RequestsPane, MemoryPane, WalkPane,
    IoapicPane, PicPane, TimersPane, MsiPane, LintsPane,
)  # fmt: skip
"""Every pane of ours that a layout may have."""
