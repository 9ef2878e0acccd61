"""A recording made to travel: its files within, its runs in one piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lapis_sessions.recording.edit.compose import compose
from lapis_sessions.recording.edit.merge import merged
from lapis_sessions.recording.play.rebuild import attached_of, image_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_sessions.recording.format.reader import Recording


def pack(recording: Recording) -> Iterator[bytes]:
    """Yield the packed file; raise `RecordingError` when a file is another now."""
    head = recording.header
    image = msgspec.structs.replace(head.image, data=image_of(head).data)
    attached = [
        msgspec.structs.replace(row, data=file.data)
        for row, file in zip(head.attached, attached_of(head), strict=True)
    ]
    packed = msgspec.structs.replace(head, image=image, attached=attached)
    branches = [merged(branch) for branch in recording.branches]
    return compose(packed, branches, recording.last.name)
