"""The texts that people paste, each as a format that tells what it has of a machine."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

from lapis_sessions.apic_files import (
    hyperdbg,
    interrupts,
    linux,
    propolis,
    qemu,
    qemu_devices,
    redirections,
    windows,
)
from lapis_sessions.apic_files.contents import ApicFileError, Described
from lapis_sessions.apic_files.pasted import Pasted, pasted
from lapis_sessions.extensions import ApicFormat

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")
TEXT: Final = frozenset(range(0x20, 0x7F)) | frozenset(b"\t\n\r\x1b")
MOSTLY: Final = 0.95
"""Share of ASCII from which on bytes are taken for text, of whatever set."""
MONITOR: Final = re.compile(r"dumping local APIC|ioapic\d: ?ver=", re.IGNORECASE)
ESCAPES: Final = {"\\r": "", "\\n": "\n", "\\t": "\t"}


def text_of(data: bytes) -> str | None:
    """Return the file as text; None when it is none, as a page, full of zeros, is.

    Logs of Windows are UTF-16; one of another machine may have letters of any set.
    """
    try:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return data.decode("utf-16")
        return None if b"\0" in data else data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    ascii_letters = sum(each in TEXT for each in data)
    return data.decode("latin-1") if ascii_letters > len(data) * MOSTLY else None


def is_answer(text: str) -> bool:
    """Tell whether it is what QEMU's QMP answers a line of its monitor, as JSON."""
    return '"return"' in text and MONITOR.search(text) is not None


@lru_cache(maxsize=1)
def _pasted(data: bytes) -> Pasted | None:
    text = text_of(data)
    if text is not None and is_answer(text):
        for escape, letter in ESCAPES.items():
            text = text.replace(escape, letter)
    return None if text is None else pasted(text)


def _text(data: bytes) -> Pasted:
    found = _pasted(data)
    assert found is not None, "it was asked whether it is text"
    return found


def _qemu(name: str, data: bytes) -> Described:
    text = _text(data)
    apics, remarks = qemu.read(name, text) if qemu.is_dump(text.flat) else ([], [])
    ioapic, of_ioapic = qemu_devices.ioapic(text)
    pic, of_pic = qemu_devices.pic(text)
    return Described(
        name, ("qemu",), tuple(apics), ioapic, pic, tuple(qemu_devices.counts(text)),
        (*remarks, *of_ioapic, *of_pic),
    )  # fmt: skip


def _linux(name: str, data: bytes) -> Described:
    text = _text(data)
    apics, remarks = linux.read(name, text)
    pic, of_pic = linux.pic(text)
    ioapic, lines, of_ioapic = redirections.read(text)
    return Described(
        name, ("linux",), tuple(apics), ioapic, pic, tuple(lines),
        (*remarks, *of_ioapic, *of_pic),
    )  # fmt: skip


def _xen(name: str, data: bytes) -> Described:
    text = _text(data)
    ioapic, lines, remarks = redirections.read(text)
    return Described(
        name, ("xen",), (), ioapic, None, tuple(lines), tuple(remarks)
    )  # fmt: skip


def _windows(name: str, data: bytes) -> Described:
    text = _text(data)
    ioapic, of_ioapic = windows.ioapic(text)
    pic, of_pic = windows.pic(text)
    return Described(
        name, ("windows",), tuple(windows.read(name, text)), ioapic, pic, (),
        (*of_ioapic, *of_pic),
    )  # fmt: skip


def _hyperdbg(name: str, data: bytes) -> Described:
    apics = tuple(hyperdbg.read(name, _text(data)))
    return Described(name, ("hyperdbg",), apics)


def _interrupts(name: str, data: bytes) -> Described:
    lines = tuple(interrupts.read(_text(data)))
    return Described(name, ("interrupts",), lines=lines)


def _propolis(name: str, data: bytes) -> Described:
    return propolis.read(name, text_of(data) or "")


def _is_propolis(data: bytes) -> bool:
    text = text_of(data)
    return text is not None and propolis.takes(text)


def _when(tell: Callable[[str], bool]) -> Callable[[bytes], bool]:
    def takes(data: bytes) -> bool:
        found = _pasted(data)
        return found is not None and tell(found.flat)

    return takes


def _is_linux(flat: str) -> bool:
    return linux.is_dump(flat) or (redirections.is_dump(flat) and not _is_xen(flat))


def _is_xen(flat: str) -> bool:
    return redirections.LOOSE_XEN.search(flat) is not None


def _takes_xen(data: bytes) -> bool:
    """Tell whether a table is Xen's: the paste has its mark, or a row of key `i`."""
    found = _pasted(data)
    if found is None or linux.is_dump(found.flat):
        return False
    return _is_xen(found.flat)


def named(read: Callable[[str, bytes], R]) -> Callable[[str, bytes], R]:
    """Put the file's name before what is wrong with it."""

    def reading(name: str, data: bytes) -> R:
        try:
            return read(name, data)
        except ValueError as error:
            raise ApicFileError(f"APIC file {name!r}: {error}") from None

    return reading


TEXTS: Final = (
    ApicFormat(
        "qemu", "the text of QEMU's `info lapic`, `info pic` and `info irq`",
        _when(lambda flat: qemu.is_dump(flat) or qemu_devices.is_dump(flat)),
        named(_qemu),
    ),
    ApicFormat(
        "linux", "what Linux prints with apic=debug", _when(_is_linux), named(_linux)
    ),
    ApicFormat(
        "xen", "what Xen's debug keys i and z print", _takes_xen, named(_xen)
    ),
    ApicFormat(
        "windows", "the text of `!apic`, `!ioapic` and `!pic` of Windows",
        _when(windows.is_dump), named(_windows),
    ),
    ApicFormat(
        "hyperdbg", "the text of HyperDbg's `!apic`", _when(hyperdbg.is_dump),
        named(_hyperdbg),
    ),
    ApicFormat(
        "interrupts", "/proc/interrupts beside one of these",
        _when(interrupts.is_dump), named(_interrupts),
    ),
)  # fmt: skip
"""A text may have what several of them read."""
PROPOLIS: Final = ApicFormat(
    "propolis", "a payload of propolis", _is_propolis, named(_propolis)
)
