"""A file that is written beside its name, and takes the name when it is whole.

No two writers share a draft, and none takes a name that another took meanwhile: whoever
comes second keeps his own and is told where. A draft that a kill left is never touched.

A symbolic link is followed: the file that it names is replaced, and the link stays.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from lapis_sessions.errors import RecordingError
from lapis_sessions.text.visible import quoted_path

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_DRAFTS = 1000
"""Drafts of one file at the most."""
COPIED = 1 << 20
"""Bytes that are copied at once."""
KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
)
try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # not a POSIX system: the check and the renaming are two steps
    flock = None  # type: ignore[assignment]


def why(error: OSError) -> str:
    """Return what the system says."""
    return error.strerror or str(error) or type(error).__name__


@dataclass(frozen=True, slots=True)
class Seen:
    """What was at a name, told from whatever comes there later."""

    device: int
    inode: int
    size: int
    """Bytes."""
    changed: int
    """When its contents last changed, in ns."""

    @classmethod
    def of(cls, found: os.stat_result) -> Seen:
        """Make it of what the system says of a file."""
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Target:
    """A name that may be written to, as it was when somebody looked."""

    path: str
    """As the user calls it."""
    real: str
    """The file, after every symbolic link."""
    seen: Seen | None
    """What is there and is to be replaced."""
    force: bool


def is_name(path: str) -> bool:
    """Tell whether a text can be the name of a file here, whatever there is.

    Half a character, as a text can hold it, cannot.
    """
    try:
        return bool(path) and b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def look(path: str, *, force: bool) -> Target:
    """Return `path` as a target; raise `RecordingError` if it must not be written.

    Args:
        path: Its name.
        force: Replace a regular file that is there; nothing else ever is.
    """
    if not is_name(path):
        raise RecordingError(f"{quoted_path(path)} is not the name of a file")
    real = os.path.realpath(path)
    try:
        found = _stat(real)
    except OSError as error:
        raise RecordingError(
            f"{quoted_path(path)} cannot be written: {why(error)}"
        ) from None
    if found is None:
        if Path(path).is_symlink():
            raise RecordingError(f"{quoted_path(path)} is a symbolic link to nothing")
        return Target(path, real, None, force)
    for is_kind, name in KINDS:
        if is_kind(found.st_mode):
            raise RecordingError(
                f"{quoted_path(path)} is {name}: only a file can be replaced"
            )
    if not force:
        raise RecordingError(
            f"{quoted_path(path)} is there already; --force replaces it"
        )
    return Target(path, real, Seen.of(found), force)


def _stat(real: str) -> os.stat_result | None:
    try:
        return Path(real).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None  # opening the draft says which directory is missing


class Draft:
    """A file on its way to a target."""

    def __init__(self, target: Target, suffix: str) -> None:
        """Create it as `target` with `suffix`, and a number if that is there already.

        Raises `RecordingError`.
        """
        self.target = target
        self.others: list[str] = []
        """Drafts of the same file that were there before, as the user calls them."""
        self._real, self.file = self._create(target.real, suffix)

    def _create(self, beside: str, suffix: str) -> tuple[str, BinaryIO]:
        for number in range(1, MOST_DRAFTS + 1):
            real = f"{beside}{suffix}{f'-{number}' if number > 1 else ''}"
            try:
                return real, Path(real).open("x+b", buffering=0)
            except FileExistsError:
                self.others.append(self._shown(real))
            except OSError as error:
                raise RecordingError(
                    f"{quoted_path(self.target.path)} cannot be written: {why(error)}"
                ) from None
        raise RecordingError(
            f"{quoted_path(self._shown(beside + suffix))} and {MOST_DRAFTS - 1} more "
            f"like it are there already"
        )

    def _shown(self, real: str) -> str:
        target = self.target
        is_link = os.path.abspath(target.path) != target.real  # noqa: PTH100 - keeps links
        return real if is_link else target.path + real.removeprefix(target.real)

    @property
    def name(self) -> str:
        """What it is called for now, as the user would."""
        return self._shown(self._real)

    def write(self, data: bytes) -> None:
        """Append `data` and hand it to the system; raise `OSError`."""
        rest = memoryview(data)
        while rest:
            rest = rest[self.file.write(rest) :]

    def sync(self) -> None:
        """Have it on the disk; raise `OSError`."""
        os.fsync(self.file.fileno())

    def give_up(self) -> None:
        """Close it and leave it where it is."""
        with suppress(OSError):
            self.file.close()

    def drop(self) -> None:
        """Close and remove it."""
        with suppress(OSError):
            if self._is_ours():
                Path(self._real).unlink()
        self.give_up()

    # Taking the name.

    def land(self) -> None:
        """Give it its name; raise `RecordingError` that says where it is kept."""
        target = self.target
        try:
            self.sync()
            if not self._is_ours():
                self._rescue()
            if not self._take():
                how = "written" if target.seen is None else "replaced"
                raise RecordingError(
                    f"{quoted_path(target.path)} was {how} by another writer "
                    f"meanwhile; yours is kept as {quoted_path(self.name)}"
                )
        except OSError as error:
            raise RecordingError(
                f"{quoted_path(target.path)} cannot be closed: {why(error)}; it stays "
                f"in {quoted_path(self.name)}"
            ) from None
        finally:
            self.give_up()

    def _is_ours(self) -> bool:
        """Whether the draft is still where it was created."""
        try:
            return os.path.samestat(
                os.fstat(self.file.fileno()),
                os.stat(self._real, follow_symlinks=False),  # noqa: PTH116 - as above
            )
        except OSError:
            return False

    def _take(self) -> bool:
        """Take the name, unless something is there that was not; raise `OSError`."""
        real = self.target.real
        if self.target.seen is not None:
            with _held(real) as at:
                if at == self.target.seen:
                    Path(self._real).replace(real)
                    return True
        try:
            _link(self._real, real)
        except FileExistsError:
            return False
        return True

    def _rescue(self) -> None:
        """Copy what was removed under us beside its name, or else where there is room.

        Raises `RecordingError` that says so when it cannot be beside its name.
        """
        gone, path = self.name, self.target.path
        for beside in (self.target.real, _elsewhere(self.target.real)):
            try:
                self._real, copy = self._create(beside, ".rescued")
            except RecordingError:
                continue
            try:
                for piece in self._pieces():
                    copy.write(piece)
            except OSError as error:
                copy.close()
                raise RecordingError(
                    f"{quoted_path(gone)} was removed while it was written, and what "
                    f"was in it is only in part in {quoted_path(self._real)}: "
                    f"{why(error)}"
                ) from None
            self.file.close()
            self.file = copy
            if beside == self.target.real:
                return
            raise RecordingError(
                f"{quoted_path(path)} cannot be closed: its directory was removed; it "
                f"is kept as {quoted_path(self._real)}"
            )
        raise RecordingError(
            f"{quoted_path(gone)} was removed while it was written, and is lost"
        )

    def _pieces(self) -> Iterator[bytes]:
        self.file.seek(0)
        while piece := self.file.read(COPIED):
            yield piece


def _elsewhere(real: str) -> str:
    return str(Path(tempfile.gettempdir(), Path(real).name))


@contextmanager
def _held(real: str) -> Iterator[Seen | None]:
    """Yield what is at a name, which no other writer replaces while this lasts.

    Writers agree by a lock on the file that is to be replaced; who does not get it is
    told that there is another. None when there is nothing, or it is being replaced.
    """
    try:
        number = os.open(real, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        yield None
        return
    except OSError:  # it may be replaced without being read
        yield _seen(real)
        return
    try:
        yield _seen(real) if _lock(number) else None
    finally:
        os.close(number)


def _lock(number: int) -> bool:
    try:
        if flock is not None:
            flock(number, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _seen(real: str) -> Seen | None:
    found = _stat(real)
    return None if found is None else Seen.of(found)


def _link(draft: str, real: str) -> None:
    """Give a draft a name that is free; raise `FileExistsError` if it is not."""
    try:
        os.link(draft, real, follow_symlinks=False)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):  # a file system without links
        os.close(os.open(real, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        Path(draft).replace(real)
    else:
        with suppress(OSError):
            Path(draft).unlink()
