"""Text that a terminal would obey, in every place of a file that holds text."""

import re
import struct
from pathlib import Path

import msgspec

from lapis_sessions import files
from lapis_sessions.recording.edit import compose
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.format.schema import Annotation, CheckpointRow
from lapis_sessions.recording.format.stored import StoredCheckpoint
from rigs.recordings import record

FORGED = "forged: a line of ours"
EVIL = (
    "e\x1b]0;OWNED\x07\x1b[2J\x9b31m\x7f\x08\u202elive\u2066\u200f\u061c\u200b\xad"
    f"\u2028\x85\ue000\r\n{FORGED}\n\t[red][@click=app.quit]x[/]'\"$(x)`x`\\"
)
"""With quotation marks of every kind, and markup of Textual's."""
NAME = EVIL.replace("\t[red][@click=app.quit]x[/]", "").replace("\n", "\n ")
"""The same without `/` and `@`, for names of files and branches."""


RANGES = (
    (0x00, 0x08), (0x0B, 0x1F), (0x7F, 0x9F), (0xAD, 0xAD), (0x61C, 0x61C),
    (0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0xD800, 0xF8FF),
    (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB), (0xE0000, 0xE007F), (0xF0000, 0x10FFFF),
)  # fmt: skip
"""What must not be there, stated apart from the code."""
UNFIT = re.compile(f"[{''.join(f'{chr(a)}-{chr(z)}' for a, z in RANGES)}]")


def unfit(text: str) -> list[str]:
    """Return the characters of a text that must not be there."""
    return UNFIT.findall(text)


def is_fit(text: str) -> bool:
    """Tell whether nothing is obeyed by a terminal, and no line of ours is forged."""
    lines = [line.strip() for line in text.split("\n")]
    return not unfit(text) and not any(line.startswith(FORGED) for line in lines)


def recording(folder: Path) -> Path:
    """Write a whole recording with evil names and notes; it replays."""
    plain = folder / "plain.lapis"
    record(
        plain,
        ("run 2000", "nmi 1", "goto 1000", "quantum 7", "run 100"),
        "ap-bringup",
        cpus=2,
    )
    found = reader.read(str(plain))
    head, (main, other) = found.header, found.branches
    image = msgspec.structs.replace(
        head.image, name=EVIL, symbols=[(EVIL, 0x1000), *head.image.symbols]
    )
    head = msgspec.structs.replace(head, image=image, lapis=EVIL, unicorn=EVIL)
    main.notes.append(Annotation(1, 2000, EVIL, EVIL, EVIL))
    other.name = NAME
    end = main.acts[-1]
    main.checkpoints.append(
        StoredCheckpoint.of(
            CheckpointRow(len(main.acts), end.retired, EVIL, {EVIL: EVIL})
        )
    )
    path = folder / f"{NAME}.lapis"
    files.write(str(path), compose.compose(head, [main, other]))
    return path


def elf(path: Path) -> Path:
    """Write a kernel of 32 bits: one instruction that jumps to itself, evil symbols."""
    names = b"\0" + EVIL.encode() + b"\0"
    code, base = b"\xeb\xfe", 0x10_0000
    symbols = bytes(16) + struct.pack("<IIIBBH", 1, base, 2, 2, 0, 1)
    at = 52 + 32
    parts = (code.ljust(16, b"\0"), symbols, names)
    offsets = [at, at + 16, at + 16 + len(symbols)]
    sections = offsets[2] + len(names)
    head = b"\x7fELF\1\1\1".ljust(16, b"\0") + struct.pack(
        "<HHIIIIIHHHHHH", 2, 3, 1, base, 52, sections, 0, 52, 32, 1, 40, 4, 0
    )
    segment = struct.pack("<8I", 1, at, base, base, 2, 2, 5, 4)
    table = [bytes(40)]
    for kind, offset, size, link in (
        (1, at, 2, 0),
        (2, offsets[1], len(symbols), 3),
        (3, offsets[2], len(names), 0),
    ):
        table.append(struct.pack("<10I", 0, kind, 0, 0, offset, size, link, 0, 1, 16))
    path.write_bytes(head + segment + b"".join(parts) + b"".join(table))
    return path
