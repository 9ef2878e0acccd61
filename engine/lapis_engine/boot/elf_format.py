"""The ELF format: file header and program headers of x86 executables.

Every offset and size in the file is checked before it is used; a file that lies raises
`ImageError`. Not here: dynamic linking, relocation. Sources: System V ABI "Object
Files", "Program Header"; the class-64 layouts of the same chapters.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from lapis_engine.boot import tables
from lapis_engine.errors import ImageError

MAGIC: Final = b"\x7fELF"
CLASS_32: Final = 1
CLASS_64: Final = 2
LITTLE_ENDIAN: Final = 1
EXECUTABLE: Final = 2
"""e_type ET_EXEC."""
MACHINES: Final = {CLASS_32: 3, CLASS_64: 62}
"""e_machine that goes with each class: EM_386, EM_X86_64."""
OTHERS: Final = {
    2: "SPARC", 8: "MIPS", 20: "PowerPC", 21: "64-bit PowerPC", 22: "S/390",
    40: "ARM", 43: "64-bit SPARC", 50: "Itanium", 183: "64-bit ARM", 243: "RISC-V",
    258: "LoongArch",
}  # fmt: skip
"""e_machine of those that one may hand over by mistake."""
LOAD: Final = 1
"""p_type PT_LOAD."""
MAX_SEGMENTS: Final = 256
MAX_LOADED: Final = 512 << 20
"""Most bytes that all segments together may take in memory."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The structures of one class, for `struct`."""

    header: str
    """After e_ident: e_type ... e_shstrndx."""
    segment: str
    section: str
    symbol: str


LAYOUTS: Final = {
    CLASS_32: Layout("<HHIIIIIHHHHHH", "<8I", "<10I", "<IIIBBH"),
    CLASS_64: Layout("<HHIQQQIHHHHHH", "<IIQQQQQQ", "<IIQQQQIIQQ", "<IBBHQQ"),
}


@dataclass(frozen=True, slots=True)
class FileHeader:
    """What is needed of the file header."""

    bits: int
    """1 or 2: CLASS_32 or CLASS_64."""
    entry: int
    """e_entry."""
    segments: tuple[int, int]
    """Offset and number of the program headers."""
    sections: tuple[int, int]
    """Offset and number of the section headers."""
    names: int = 0
    """e_shstrndx: which section has their names."""

    @property
    def layout(self) -> Layout:
        """Structures of the file's class."""
        return LAYOUTS[self.bits]


@dataclass(frozen=True, slots=True)
class LoadSegment:
    """A PT_LOAD program header with a place in memory."""

    number: int
    """Which of the program headers it is."""
    offset: int
    virtual: int
    """p_vaddr."""
    physical: int
    """p_paddr, where it is loaded."""
    file_size: int
    memory_size: int


def read_header(data: bytes) -> FileHeader:
    """Check and decode the file header."""
    if len(data) < 16 or not data.startswith(MAGIC):
        raise ImageError("this is not an ELF file")
    bits, order = data[4], data[5]
    if bits not in LAYOUTS or order != LITTLE_ENDIAN:
        raise ImageError("the ELF file is neither 32 nor 64 bits, little-endian")
    layout = LAYOUTS[bits]
    fields = unpack(layout.header, data, 16, "file header")
    kind, machine, _, entry, segments, sections = fields[:6]
    segment_size, segment_count, section_size, section_count, names = fields[8:]
    if machine != MACHINES[bits]:
        other = OTHERS.get(machine, f"machine {machine}")
        raise ImageError(f"the ELF file is for {other}, not for x86")
    if kind != EXECUTABLE:
        raise ImageError(
            f"the ELF file has type {kind}; only executables linked to a fixed "
            f"address (type 2) can be started"
        )
    if segment_count and segment_size != struct.calcsize(layout.segment):
        raise ImageError(f"the ELF file's program headers have {segment_size} bytes")
    if not sections or section_size != struct.calcsize(layout.section):
        section_count = 0
    return FileHeader(
        bits, entry, (segments, segment_count), (sections, section_count), names
    )


def read_segments(
    data: bytes, header: FileHeader, memory_bytes: int
) -> tuple[LoadSegment, ...]:
    """Check and decode what must be loaded, ascending by physical address."""
    segments = linked_segments(data, header)
    check_places(segments, memory_bytes)
    return segments


def check_places(segments: tuple[LoadSegment, ...], memory_bytes: int) -> None:
    """Raise `ImageError` unless every segment may be where it wants to be."""
    for segment in segments:
        tables.check_place(
            f"ELF segment {segment.number}",
            segment.physical,
            segment.memory_size,
            memory_bytes,
        )


def linked_segments(data: bytes, header: FileHeader) -> tuple[LoadSegment, ...]:
    """Check and decode what must be loaded, whether or not there is memory for it."""
    offset, number = header.segments
    if number > MAX_SEGMENTS:
        raise ImageError(f"the ELF file has {number} segments; {MAX_SEGMENTS} at most")
    step = struct.calcsize(header.layout.segment)
    found = []
    for i in range(number):
        at = offset + i * step
        fields = unpack(header.layout.segment, data, at, f"program header {i}")
        segment = _segment(header.bits, i, fields)
        if segment is not None:
            _check_segment(data, segment)
            found.append(segment)
    found.sort(key=lambda s: s.physical)
    _check_together(found)
    return tuple(found)


def _segment(bits: int, number: int, fields: tuple[int, ...]) -> LoadSegment | None:
    """Return a loadable program header, None for any other."""
    if bits == CLASS_32:
        kind, offset, virtual, physical, file_size, memory_size = fields[:6]
    else:
        kind, _, offset, virtual, physical, file_size, memory_size = fields[:7]
    if kind != LOAD or not memory_size:
        return None
    return LoadSegment(number, offset, virtual, physical, file_size, memory_size)


def _check_segment(data: bytes, segment: LoadSegment) -> None:
    i = segment.number
    if segment.file_size > segment.memory_size:
        raise ImageError(f"ELF segment {i} is larger in the file than in memory")
    if segment.offset + segment.file_size > len(data):
        raise ImageError(f"ELF segment {i} reaches beyond the end of the file")


def _check_together(segments: list[LoadSegment]) -> None:
    if not segments:
        raise ImageError("the ELF file has nothing to load")
    if sum(segment.memory_size for segment in segments) > MAX_LOADED:
        raise ImageError(f"the ELF file needs more than {MAX_LOADED >> 20} MiB")
    for below, above in pairwise(segments):
        if below.physical + below.memory_size > above.physical:
            raise ImageError(
                f"two ELF segments overlap at physical address {above.physical:#x}"
            )


def unpack(layout: str, data: bytes, offset: int, what: str) -> tuple[int, ...]:
    """Return the structure at `offset`, `what` being its name to the user."""
    if offset + struct.calcsize(layout) > len(data):
        raise ImageError(f"the ELF file ends before its {what}")
    return struct.unpack_from(layout, data, offset)
