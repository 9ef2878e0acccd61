"""The page walk of bhyve's instruction emulator, which knows less than the processor.

Profile switch vie_walk_lax. Only accesses that the emulator makes by itself are walked
so: both sides of a string instruction, and the memory of INS and OUTS.
"""

from __future__ import annotations

from lapis_engine.cpu.page_formats import USER, WRITABLE
from lapis_engine.cpu.paging import Linear


class LaxWalk(Linear):
    """Rights as in bhyve `vm_gla2gpa`: U and W, for every privilege level alike.

    # As bhyve: CR0.WP counts as set, SMAP as clear, and no page is NX.
    """

    __slots__ = ()

    def allowed(self, rights: int, *, write: bool, user: bool, fetch: bool) -> bool:
        """Tell whether an access has the rights that it needs."""
        del fetch
        if user and not rights & USER:
            return False
        return not write or bool(rights & WRITABLE)
