"""What the pictures of the documentation show: ten screens, and that of the README.

Each is set by commands alone, up to a moment that is worth a look, and by a few keys on
the screen; nothing in it depends on when or where it is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_plugins.host import discover
from lapis_sessions.gallery import catalog
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying

if TYPE_CHECKING:
    from lapis_sessions.session import Session

Size = tuple[int, int]
SMALL: Final[Size] = (80, 25)
MIDDLE: Final[Size] = (120, 40)
LARGE: Final[Size] = (200, 60)
NESTED: Final = (
    "break send_ipi", "run", "delete",
    "ipi fixed 0x31 --to 1 --from 0",
    "vcpu 1", "step 3",  # the handler, up to its count
    "ipi fixed 0x31 --to 1 --from 0", "step 2",  # out, and in again
    "break ipi_handler",
    "ipi fixed 0x52 --to 1 --from 0",
    "vcpu 0", "sched only 0",
)  # fmt: skip
"""The second processor in its interrupt handler, the vector waiting again; the first
one comes to a device register, after one more command, that only the user answers."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture."""

    name: str
    """Of its file."""
    text: str
    """What it shows, for those who read and those who cannot see it."""
    size: Size
    """Columns and rows."""
    scenario: str | None = None
    """The scenario whose recording is replayed; None for the embedded guest."""
    tape: str = ""
    """Which of its recordings; the first one, if none is named."""
    lines: tuple[str, ...] = ()
    """Commands before there is a screen."""
    keys: tuple[str, ...] = ()
    """On the screen: keys, and commands with their colon."""
    theme: str = "dark"
    is_ascii: bool = False

    def session(self) -> Session:
        """Return the session, as it is before there is a screen."""
        extensions = discover().extensions
        if self.scenario is None:
            session = open_session(SessionOptions(cpus=2), extensions)
        else:
            scenario = catalog.find(self.scenario, extensions.scenarios)
            recording = reader.read(str(scenario.path(scenario.tape(self.tape))))
            session = replaying.session_of(recording, extensions)
            session.read_only = True
        for line in self.lines:
            outcome = session.execute(line)
            assert outcome.ok, f"{self.name}: {line}: {outcome.error}"
        return session


README: Final = Scene(
    "lapis",
    "Lapis stepping two vCPUs: registers, code, local APICs, events, a pending read.",
    (140, 44), lines=NESTED, keys=("c", ":explain icr 0xC4500", "escape"),
)  # fmt: skip
SCENES: Final = (
    Scene(
        "step",
        "Layout 1, step, on 80 columns: one vCPU with its code, the local APIC, the "
        "last events, and a read that waits for an answer.",
        SMALL, lines=NESTED, keys=("c",),
    ),
    Scene(
        "workbench", "The same moment on 200 columns, with an ICR explained.",
        LARGE, lines=NESTED, keys=("c", ":explain icr 0xC4500", "escape"),
    ),
    Scene(
        "priority",
        "Layout 2, priority: interrupts nested three deep. A vector arrives, is in "
        "service, preempted by a higher class, and ended by its EOI; the PPR is the "
        "line below which nothing is delivered.",
        MIDDLE, "illumos-12936", "after", ("goto end",), ("2",),
    ),
    Scene(
        "boot",
        "Layout 3, boot, in the light theme: a lane for each processor, INIT and SIPI "
        "as arrows, and what has come to pass so far.",
        MIDDLE, lines=("run",), keys=("3",), theme="light",
    ),
    Scene(
        "requests",
        "Layout 4, requests: what waits, by name, and the keys that answer it.",
        SMALL, lines=("run",), keys=("4",),
    ),
    Scene(
        "devices",
        "Layout 5, devices: a level interrupt whose EOI never came holds its pin.",
        MIDDLE, "level-without-eoi", lines=("goto end",), keys=("5",),
    ),
    Scene(
        "memory",
        "Layout 6, memory: the stack, and the page walk of what is under the cursor.",
        MIDDLE, lines=NESTED, keys=("c", "6"),
    ),
    Scene(
        "timeline",
        "Layout 7, timeline, in high contrast: three branches of one history, and "
        "where in it the machine is.",
        MIDDLE, "three-answers", lines=("goto 50%",), keys=("7",),
        theme="high-contrast",
    ),
    Scene(
        "terminal",
        "Layout 8, terminal: what the guest prints, and its keyboard.",
        SMALL, lines=("run", "answer 0x1234", "run"), keys=("8",),
    ),
    Scene(
        "ascii",
        "The staircase on 80 columns where the locale is not UTF-8.",
        SMALL, "illumos-12936", "after", ("goto end",), ("2",), is_ascii=True,
    ),
)  # fmt: skip
"""In the order of the page."""
