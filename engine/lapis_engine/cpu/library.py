"""Calls of Unicorn that every start of the processor makes, without their wrappers.

The wrappers of the Python package take several times as long as what they wrap, and an
IPI from one vCPU to another needs a dozen of these calls.
"""

from __future__ import annotations

import ctypes as c
from typing import TYPE_CHECKING, Any, Final

from unicorn import UC_ERR_OK, UcError
from unicorn.unicorn_const import (
    UC_CTL_IO_WRITE,
    UC_CTL_TB_FLUSH,
    UC_CTL_TB_REMOVE_CACHE,
    UC_CTL_TLB_FLUSH,
)
from unicorn.unicorn_py3.unicorn import uclib
from unicorn.x86_const import UC_X86_REG_RFLAGS

from lapis_engine.errors import ProcessorError

if TYPE_CHECKING:
    from unicorn import Uc
    from unicorn.unicorn_py3.unicorn import UcContext

COMPLAINTS: Final = {status: str(UcError(status)) for status in range(1, 32)}
"""By `uc_err`."""
FORGET: Final = UC_CTL_IO_WRITE << 30 | 2 << 26 | UC_CTL_TB_REMOVE_CACHE
FORGET_ALL: Final = UC_CTL_IO_WRITE << 30 | UC_CTL_TB_FLUSH
FLUSH: Final = UC_CTL_IO_WRITE << 30 | UC_CTL_TLB_FLUSH
"""`uc_ctl` control word: bits 31:30 direction, 29:26 arguments, 25:0 what."""


class Bare:
    """The library below one Unicorn instance."""

    __slots__ = ("_handle", "_pointer", "_uc", "_value")
    __deletable__ = ("_uc", "_handle")  # by `close`; mypyc wants to know

    def __init__(self, uc: Uc) -> None:
        """Reach the library under `uc`."""
        self._handle = uc._uch  # noqa: SLF001 - the handle has no public name
        self._uc = uc
        self._value = c.c_uint64()
        self._pointer = c.byref(self._value)

    def close(self) -> None:
        """Close the instance now: it and its hooks keep each other alive.

        No other method may be called any more.
        """
        uc: Any = self._uc
        uc._Uc__finalizer()  # noqa: SLF001 - closing has no public name
        uc._callbacks.clear()  # noqa: SLF001 - only the library called them
        del self._uc, self._handle

    def flush_tlb(self) -> None:
        """Drop all translations of linear addresses."""
        if uclib.uc_ctl(self._handle, FLUSH) != UC_ERR_OK:
            raise ProcessorError("unicorn does not flush its TLB")

    def forget(self, first: int, end: int) -> None:
        """Drop what was translated from the linear addresses `first` to `end` - 1."""
        if uclib.uc_ctl(self._handle, FORGET, c.c_uint64(first), c.c_uint64(end)):
            raise ProcessorError("unicorn does not forget translations")

    def forget_all(self) -> None:
        """Drop all that was translated."""
        if uclib.uc_ctl(self._handle, FORGET_ALL) != UC_ERR_OK:
            raise ProcessorError("unicorn does not forget translations")

    def start(self, rip: int, count: int) -> str | None:
        """Run `count` instructions; return what Unicorn complains of, or None.

        An access to a hole, which is nothing wrong here, is a complaint. What a hook of
        ours raised is raised here.
        """
        uc = self._uc
        uc._hook_exception = None  # noqa: SLF001 - as `Uc.emu_start` does
        status = uclib.uc_emu_start(self._handle, rip, 0, 0, count)
        if uc._hook_exception is not None:  # noqa: SLF001
            raise uc._hook_exception  # noqa: SLF001
        return COMPLAINTS[status] if status else None

    def load(self, saved: UcContext) -> None:
        """Give the processor the state in a context."""
        if uclib.uc_context_restore(self._handle, saved.context):
            raise ProcessorError("unicorn does not load a context")

    def save(self, saved: UcContext) -> None:
        """Take the processor's state over into a context."""
        if uclib.uc_context_save(self._handle, saved.context):
            raise ProcessorError("unicorn does not save a context")

    def rflags(self, saved: UcContext) -> int:
        """Return RFLAGS of a context, put together from the parts kept in flight."""
        failed = uclib.uc_context_reg_read(
            saved.context, UC_X86_REG_RFLAGS, self._pointer
        )
        if failed:
            raise ProcessorError("unicorn does not tell RFLAGS")
        return self._value.value
