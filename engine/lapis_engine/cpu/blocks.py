"""The processor counted by blocks of translated code: `blocks.c`, and how to reach it.

It is as exact as counting by instruction, and several times as fast. The compiled part
is not there everywhere: `find` says why not.
"""

from __future__ import annotations

import ctypes as c
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from unicorn.unicorn_py3.unicorn import uclib

from lapis_engine.cpu import layout, restart
from lapis_engine.cpu.answers import AnswerRecord, Answers, NoteRecord, Table
from lapis_engine.cpu.counted import access_of
from lapis_engine.cpu.library import COMPLAINTS, FLUSH
from lapis_engine.cpu.report import Report
from lapis_engine.errors import ProcessorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from unicorn import Uc

    from lapis_engine.cpu.context import Context
    from lapis_engine.cpu.report import Kind
    from lapis_engine.memory.physical import Region

LIBRARY: Final = resources.files("lapis_engine.cpu") / "libblocks.so"
KINDS: Final[tuple[Kind | None, ...]] = (
    None,
    "interrupt",
    "hole",
    "port",
    "breakpoint",
)
"""By `Exit.kind`."""
NAMES: Final = (
    "uc_emu_start",
    "uc_emu_stop",
    "uc_hook_add",
    "uc_hook_del",
    "uc_context_save",
    "uc_context_restore",
    "uc_ctl",
    "uc_vmem_read",
    "cpu_loop_exit_x86_64",
    "tlb_reset_dirty_x86_64",
    "uc_vmem_translate",
    "find_memory_mapping_x86_64",
)
"""The functions that `blocks.c` calls, in the order of `struct places`."""
LAST_ADDRESS: Final = (1 << 64) - 1
MOST_HOLES: Final = 64
BROKEN: Final = 1
FULL: Final = 2
NOTED: Final = 4
"""Bits of `Exit.status`."""
RESTARTED: Final = c.CFUNCTYPE(c.c_bool)


class Exit(c.Structure):
    """`struct exit`."""

    _fields_ = (
        ("kind", c.c_uint32),
        ("number", c.c_uint32),
        ("before", c.c_uint64),
        ("between", c.c_uint64),
        ("gpa", c.c_uint64),
        ("value", c.c_uint64),
        ("cr2", c.c_uint64),
        ("size", c.c_uint32),
        ("access", c.c_uint32),
        ("early", c.c_uint32),
        ("status", c.c_uint32),
    )


class Places(c.Structure):
    """`struct places`."""

    _fields_ = (
        *((name, c.c_void_p) for name in NAMES),
        ("finds", c.c_void_p),
        ("tlb", c.c_void_p),
        ("cpu", c.c_void_p),
        ("state", c.c_void_p),
        ("wanted", c.c_void_p),
        ("request", c.c_void_p),
        ("cr2", c.c_void_p),
        ("leave", c.c_void_p),
        ("eip", c.c_uint32),
        ("eflags", c.c_uint32),
        ("hflags", c.c_uint32),
        ("tsc_aux", c.c_uint32),
        ("code64", c.c_uint32),
        ("most", c.c_uint32),
        ("flush_tlb", c.c_uint32),
    )


class LookerRecord(c.Structure):
    """`struct looker`."""

    _fields_ = (
        ("vmem_read", c.c_void_p),
        ("uc", c.c_void_p),
        ("eflags", c.c_void_p),
        ("hflags", c.c_void_p),
        ("code64", c.c_uint32),
        ("code32", c.c_uint32),
        ("all", c.c_uint32),
        ("ask", c.c_void_p),
        ("operations", c.c_void_p),
        ("cpl", c.c_uint32),
        ("limited", c.c_uint32),
        ("one", c.c_uint8 * 256),
        ("two", c.c_uint8 * 256),
        ("two_0", c.c_uint8 * 256),
        ("one_16", c.c_uint8 * 256),
        ("two_16", c.c_uint8 * 256),
    )


class Looker:
    """Looks at what is translated, and asks of what may be marked alone (`marks`)."""

    def __init__(self, library: c.CDLL) -> None:
        """Ask of nothing yet."""
        self.record = LookerRecord()
        self.function = c.cast(library.blocks_look, c.c_void_p).value or 0

    def begin(
        self, uc: Uc, state: layout.Head, ask: int, operations: c.c_int32
    ) -> None:
        """Look for `uc`, and ask the function at `ask`; `operations` is `ahead`'s."""
        record, place = self.record, c.addressof(state)
        record.vmem_read = c.cast(uclib.uc_vmem_read, c.c_void_p).value
        record.uc = c.cast(uc._uch, c.c_void_p).value  # noqa: SLF001
        record.eflags = place + layout.Head.eflags.offset
        record.hflags = place + layout.Head.hflags.offset
        record.code64, record.code32 = layout.HF_CS64, layout.HF_CS32
        record.cpl, record.limited = layout.HF_CPL, layout.HF_LIMITED
        record.ask = ask
        record.operations = c.addressof(operations)

    def may_be(self, one: frozenset[int], two: frozenset[int]) -> None:
        """Ask of these opcodes of one byte, of these after 0F, and of LOCK."""
        record = self.record
        _fill((record.one, one), (record.two, two))

    def may_break(
        self, two_0: frozenset[int], one_16: frozenset[int], two_16: frozenset[int]
    ) -> None:
        """Ask of these: at CPL 0, and in 16-bit code of what may reach far."""
        record = self.record
        _fill((record.two_0, two_0), (record.one_16, one_16), (record.two_16, two_16))


def _fill(*tables: tuple[c.Array[c.c_uint8], frozenset[int]]) -> None:
    for table, opcodes in tables:
        for code in range(256):
            table[code] = code in opcodes


@cache
def find() -> c.CDLL | str:
    """Return the compiled part, or why there is none."""
    if not LIBRARY.is_file():
        return "it was not compiled: there was no C compiler when Lapis was installed"
    try:
        found = c.CDLL(str(LIBRARY))
        for name in NAMES:
            getattr(uclib, name)
    except (OSError, AttributeError) as error:
        return f"it does not load: {error}"
    handle, number = c.c_void_p, c.c_uint64
    layout_of = getattr(found, "blocks_layout", None)
    answers_of = getattr(found, "answers_layout", None)
    if (
        layout_of is None
        or answers_of is None
        or _told(layout_of) != _layout(Exit, Places, LookerRecord)
        or _told(answers_of) != _layout(AnswerRecord, NoteRecord, Table)
    ):
        return "it was compiled from another source: install Lapis again"
    found.blocks_open.argtypes = handle, c.POINTER(Places)
    found.blocks_open.restype = handle
    found.blocks_close.argtypes = (handle,)
    found.blocks_exit.argtypes = (handle,)
    found.blocks_exit.restype = c.POINTER(Exit)
    found.blocks_holes.argtypes = handle, c.POINTER(number), c.c_int
    found.blocks_run.argtypes = handle, handle, number, c.c_uint32, c.c_bool
    found.blocks_done.argtypes = (handle,)
    found.blocks_done.restype = number
    found.blocks_break.argtypes = (handle,)
    found.blocks_anew.argtypes = (handle,)
    found.blocks_take_over.argtypes = (handle,)
    found.blocks_let_go.argtypes = (handle,)
    found.blocks_on_restart.argtypes = handle, handle
    found.blocks_answers.argtypes = (handle,)
    found.blocks_answers.restype = handle
    found.answers_put.argtypes = handle, handle
    found.answers_has.argtypes = handle, handle
    found.answers_has.restype = c.c_bool
    found.answers_forget_reads.argtypes = handle, handle
    return found


def _told(layout_of: Any) -> int:
    layout_of.restype = c.c_uint64
    return int(layout_of())


def _layout(*kinds: type[c.Structure]) -> int:
    """Return the sizes that the compiled part is to tell."""
    return sum(c.sizeof(kind) << 16 * at for at, kind in enumerate(kinds))


class Blocks:
    """One Unicorn instance, counted by blocks (`report.Counting`)."""

    __slots__ = (
        "_call", "_exit", "_handle", "_library", "_ram", "_uc", "answers", "begun",
        "hooked", "is_full", "report",
    )  # fmt: skip
    __deletable__ = ("_uc",)  # by `close`; mypyc wants to know

    def __init__(self, library: c.CDLL, uc: Uc, cr2: c.c_uint64) -> None:
        """Report nothing yet; `cr2` is what the last #PF was about.

        Raises `ProcessorError` if Unicorn has no hooks left.
        """
        self._uc, self._library = uc, library
        self._ram: list[tuple[int, int]] = []
        self._call: Any = None
        self.report: Report | None = None
        self.begun = 0
        self.is_full = False
        self.hooked: Callable[[int], bool] = lambda _linear: False
        """Whether a hook of the debugger's is on the instruction there."""
        self._handle = library.blocks_open(uc._uch, _places(uc, cr2))  # noqa: SLF001
        if not self._handle:
            raise ProcessorError("unicorn takes no hooks")
        self.answers = Answers(library, library.blocks_answers(self._handle))
        self._exit: Exit = library.blocks_exit(self._handle).contents

    def close(self) -> None:
        """Let go of all; Unicorn is closed already."""
        self._library.blocks_close(self._handle)
        self._handle = None
        del self._uc

    def take_over(self) -> None:
        """Have the processor report here."""
        if self._library.blocks_take_over(self._handle):
            raise ProcessorError("unicorn takes no hooks")
        self._cover(holes(self._ram))

    def let_go(self) -> None:
        """Have it report no more."""
        self._library.blocks_let_go(self._handle)
        self._cover(())

    def map(self, region: Region) -> None:
        """Take RAM out of where holes are looked for; of ROM writes are."""
        if not region.rom:
            self._ram.append((region.gpa, region.end))

    def look_anew(self) -> None:
        """Look for holes where there is no RAM by now."""
        self._cover(holes(self._ram))

    def begin_anew(self) -> None:
        """Take note that all translations are dropped."""
        self.is_full = False
        self._library.blocks_anew(self._handle)

    def on_restart(self, call: Callable[[], None] | None) -> None:
        """Have `call` called when an instruction is started anew."""
        self._call = None if call is None else RESTARTED(lambda: call() is None)
        pointer = c.cast(self._call, c.c_void_p) if self._call else None
        self._library.blocks_on_restart(self._handle, pointer)

    def start(
        self, context: Context, budget: int, request: int, *, flush: bool
    ) -> str | None:
        """Run a context for `budget` instructions (`report.Counting`)."""
        uc = self._uc
        uc._hook_exception = None  # noqa: SLF001 - as `Uc.emu_start` does
        status = self._library.blocks_run(
            self._handle, context.saved.context, budget, request, flush
        )
        if uc._hook_exception is not None:  # noqa: SLF001
            raise uc._hook_exception  # noqa: SLF001
        found = self._exit
        if status < 0 or found.status & BROKEN:
            raise ProcessorError(
                "unicorn's translated code is not laid out as it was at the start"
            )
        if found.status:
            self.answers.has_notes = bool(found.status & NOTED)
        self.is_full = bool(found.status & FULL)
        kind = KINDS[found.kind]
        if kind is None:
            self.report, self.begun = None, found.between
            return COMPLAINTS[status] if status else None
        self.report = self._read(kind, found, context)
        return None

    def _read(self, kind: Kind, found: Exit, context: Context) -> Report:
        before = found.before
        report = Report(kind, before, found.between, before)
        report.number, report.cr2 = found.number, found.cr2
        if kind == "hole":
            report.access = access_of(found.access)
            report.gpa, report.size = found.gpa, found.size
        elif kind == "port":
            report.access = "write" if found.access else "read"
            report.gpa, report.size = found.gpa, found.size
            report.value = found.value
        report.is_early = bool(found.early)
        report.has_hooks = self.hooked(context.linear_rip())
        return report

    @property
    def done(self) -> int:
        """Instructions of this start before the one at RIP."""
        return int(self._library.blocks_done(self._handle))

    def stop(self) -> None:
        """End the run before the instruction at RIP."""
        self._library.blocks_break(self._handle)

    def _cover(self, ranges: tuple[tuple[int, int], ...]) -> None:
        words = [word for ends in ranges for word in ends]
        array = (c.c_uint64 * len(words))(*words)
        if self._library.blocks_holes(self._handle, array, len(ranges)):
            raise ProcessorError("unicorn takes no hooks")


def holes(ram: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return the first and last address of what lies between pieces of memory.

    Each piece is (first, end); raises `ProcessorError` for more than 64 holes.
    """
    found, at = [], 0
    for first, end in sorted(ram):
        if first > at:
            found.append((at, first - 1))
        at = max(at, end)
    found.append((at, LAST_ADDRESS))
    if len(found) > MOST_HOLES:
        raise ProcessorError(f"{len(found)} holes in memory, and at most 64 are told")
    return tuple(found)


def _is_tlb(place: int) -> bool:
    """Tell whether a `CPUTLBDescFast` for each mode stands there, by its looks."""
    words = (c.c_size_t * (2 * layout.MODES)).from_address(place)
    return all(
        entries and not entries % 8 and _is_mask(mask)
        for mask, entries in zip(words[::2], words[1::2], strict=True)
    )


def _is_mask(mask: int) -> bool:
    """Tell whether that is the last of 2^n entries, times their size."""
    number = (mask >> layout.ENTRY_BITS) + 1
    return not mask % (1 << layout.ENTRY_BITS) and number & (number - 1) == 0


def _places(uc: Uc, cr2: c.c_uint64) -> Places:
    """Return what `blocks.c` reaches; `finds` is NULL where that is unknown."""
    handle = c.cast(uc._uch, c.c_void_p).value or 0  # noqa: SLF001
    cpu = c.c_size_t.from_address(handle + layout.CPU_POINTER).value
    leave = c.c_size_t.from_address(cpu + layout.DECREMENT_POINTER).value
    functions = (c.cast(getattr(uclib, name), c.c_void_p).value for name in NAMES)
    finds = handle + layout.FINDS
    usual = c.cast(uclib.find_memory_mapping_x86_64, c.c_void_p).value
    tlb = leave - 16 * layout.MODES
    is_known = c.c_size_t.from_address(finds).value == usual and _is_tlb(tlb)
    return Places(
        *functions,
        finds if is_known else None,
        tlb,
        cpu,
        c.c_size_t.from_address(cpu + layout.STATE_POINTER).value,
        cpu + layout.CFLAGS_NEXT_TB,
        cpu + layout.INTERRUPT_REQUEST,
        c.addressof(cr2),
        leave + 2,
        layout.Head.eip.offset,
        layout.Head.eflags.offset,
        layout.Head.hflags.offset,
        layout.MSRS[layout.TSC_AUX],
        layout.HF_CS64,
        restart.MOST,
        FLUSH,
    )
