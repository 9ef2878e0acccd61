"""Random cases: a mode, page tables, registers, and an instruction that meets the hole.

A case follows from its seed and number alone.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

from fuzz import address, forms
from fuzz.layout import CODE, DATA, HOLE, PAGE, STACK, WINDOW, Case

if TYPE_CHECKING:
    from fuzz.forms import Form

ES, CS, SS, DS, FS, GS = range(6)
RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI = range(8)
OVERRIDES = (0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65)
"""By segment."""
LAST = 1 << 64
MODES = (
    # bits, paging, how often
    (64, "4-level", 45), (32, "none", 9), (32, "32-bit", 9), (32, "pae", 9),
    (32, "4-level", 5), (16, "real", 15), (16, "none", 4), (16, "32-bit", 4),
)  # fmt: skip
WINDOWS_64 = (
    CODE,
    0x4001_0000,
    0x7FFF_FFE1_0000,
    0xFFFF_FFFF_8001_0000,
    0xFFFF_8000_0001_0000,
)
WINDOWS_32 = (CODE, 0x4001_0000, 0xC001_0000, 0xFFE1_0000)
STATUS = 0x8D5
"""CF PF AF ZF SF OF."""
DF, TF, IOPL_3, AC = 1 << 10, 1 << 8, 3 << 12, 1 << 18
GROUPS: dict[str, list[Form]] = {}
for _form in forms.MEMORY + forms.STRINGS + forms.PORTS:
    GROUPS.setdefault(_form.group, []).append(_form)
WEIGHTS = {
    "mov": 14, "moffs": 4, "alu": 12, "imm": 9, "unary": 6, "shift": 6, "bit": 5,
    "bit-imm": 3, "scan": 2, "exchange": 8, "imul": 2, "stackmem": 5, "stack": 5,
    "segment": 2, "sse": 7, "avx": 2, "x87": 3, "bmi": 4, "xlat": 1, "string": 14,
    "in": 2, "ins": 4,
}  # fmt: skip
SIDES = ((True, True), (True, False), (False, True))
"""Whether the source, and the target, are in the hole."""
PORTS = ("in", "ins")
XMM = ("sse", "avx")
NAMES, SHARES = list(WEIGHTS), list(WEIGHTS.values())


class Prefixes(NamedTuple):
    """What stands before the opcode, REX and VEX apart."""

    data: bytes
    opsize: int
    """Bytes, without REX.W."""
    addrsize: int
    segment: int | None


class Maker:
    """Makes one case."""

    def __init__(self, seed: int, number: int) -> None:
        self.rng = random.Random(seed << 32 | number)
        rng = self.rng
        shares = [share for *_, share in MODES]
        self.bits, self.paging, _ = rng.choices(MODES, shares)[0]
        self.gpr = [self._value() for _ in range(16)]
        self.pages = self._pages()
        self.base = CODE
        if self.pages:
            self.base = rng.choice(WINDOWS_64 if self.bits == 64 else WINDOWS_32)
        self.bases = self._bases()
        near_end = rng.random() < 0.1
        at = PAGE - rng.randrange(1, 12) if near_end else rng.randrange(0, PAGE - 32)
        self.code_at = CODE + at
        self.rip = (
            self.base + at - (self.bases[CS] if self.bits != 64 else 0)
        ) & self._mask()

    def _mask(self) -> int:
        return (1 << self.bits) - 1 if self.bits == 64 else 0xFFFF_FFFF

    def _value(self) -> int:
        rng = self.rng
        kind = rng.random()
        if kind < 0.2:
            value = rng.choice(
                (
                    0,
                    1,
                    0x7F,
                    0x80,
                    0xFF,
                    0x7FFF,
                    0x8000,
                    0xFFFF,
                    0x8000_0000,
                    0xFFFF_FFFF,
                    1 << 63,
                    LAST - 1,
                )
            )
        elif kind < 0.4:
            value = rng.randrange(40)
        else:
            value = rng.getrandbits(64)
        return value & (LAST - 1 if self.bits == 64 else 0xFFFF_FFFF)

    def _pages(self) -> list[int]:
        """Entries of the window's pages; the code stays where it is."""
        if self.paging in {"real", "none"}:
            return []
        rng = self.rng
        rest = list(WINDOW[2:])
        if rng.random() < 0.5:
            rng.shuffle(rest)
        out = [page | 7 for page in WINDOW[:2]]
        for page in rest:
            low = 7 | rng.choice((0, 0, 0x20, 0x60))
            if rng.random() < 0.12:
                low &= ~rng.choice((1, 2, 4))
            if rng.random() < 0.01 and self.paging != "32-bit":
                low |= 1 << 51  # reserved
            if rng.random() < 0.02 and self.paging != "32-bit":
                low |= 1 << 63
            out.append(page | low)
        return out

    def _bases(self) -> list[int]:
        rng = self.rng
        if self.paging == "real":
            return [rng.randrange(0xA00, 0x1000) << 4 for _ in range(6)]
        if self.bits == 16:
            return [
                (self.base & ~0xFFFF) - 16 * rng.randrange(0x100) & 0xFFFF_FFFF
                for _ in range(6)
            ]
        bases = [0] * 6
        if self.bits == 32 and rng.random() < 0.3:
            bases = [rng.randrange(0x1_0000) for _ in range(6)]
        bases[FS], bases[GS] = rng.randrange(0x1_0000), rng.getrandbits(20)
        return bases

    # Addresses.

    def spot(self, *, hole: bool = True, size: int = 16) -> int:
        """Choose a linear address in the hole, or in other memory."""
        rng = self.rng
        wanted = (HOLE, HOLE + PAGE) if hole else (DATA, DATA + PAGE, STACK)
        window = [p & ~0xFFF & 0xFFFF_FFFF for p in self.pages] or list(WINDOW)
        pages = [n for n, page in enumerate(window) if page in wanted]
        page = self.base + rng.choice(pages) * PAGE
        kind = rng.random()
        if kind < 0.55:
            return page + rng.randrange(0, PAGE // 16) * 16
        if kind < 0.85:
            return page + rng.randrange(PAGE)
        if kind < 0.95:
            return page + PAGE - rng.randrange(1, size)
        return page - rng.randrange(1, size)

    def offset(self, linear: int, segment: int) -> int:
        """Return what in `segment` is at `linear`."""
        if self.bits == 64 and segment < FS:
            return linear
        return (linear - self.bases[segment]) & self._mask()

    # Instructions.

    def prefixes(self, form: Form, *, repeat: bool = False) -> Prefixes:
        """Choose legacy prefixes that leave the form what it is."""
        rng, bits = self.rng, self.bits
        out, segment = [], None
        opsize = 2 if bits == 16 else 4
        addrsize = bits // 8
        if rng.random() < 0.25 and not form.plain and form.vex is None:
            out.append(0x66)
            opsize = 6 - opsize
        if rng.random() < 0.15:
            out.append(0x67)
            addrsize = {64: 4, 32: 2, 16: 4}[bits]
        if rng.random() < 0.25:
            # CS cannot be written in protected mode, which the processor underneath
            # does not check (SDM Vol. 3A "Type Checking").
            whole = bits == 64 or self.paging == "real"
            segment = rng.choice(
                (ES, CS, SS, DS, FS, GS) if whole else (ES, SS, DS, FS, GS)
            )
            out.append(OVERRIDES[segment])
            if bits == 64 and segment < FS:
                segment = None
        if form.prefix:
            out.append(form.prefix)
        elif repeat and rng.random() < 0.75:
            out.append(rng.choice((0xF2, 0xF3)))
        if form.lock and rng.random() < 0.25:
            out.append(0xF0)
        rng.shuffle(out)
        return Prefixes(bytes(out), opsize, addrsize, segment)

    def immediate(self, form: Form, opsize: int) -> bytes:
        """Random bytes of the form's immediate."""
        size = min(opsize, 4) if form.imm == -1 else form.imm
        return self.rng.randbytes(size)

    def memory(self, form: Form) -> bytes | None:
        """An instruction with ModRM whose operand is in the hole; None if it failed."""
        rng, bits = self.rng, self.bits
        pre = self.prefixes(form)
        operand = address.choose(rng, bits, pre.addrsize)
        segment = pre.segment
        if segment is None:
            segment = SS if operand.stack else DS
        reg = (
            form.digit
            if form.digit is not None
            else rng.randrange(16 if bits == 64 else 8)
        )
        wide = bits == 64 and rng.random() < 0.4
        imm = self.immediate(form, 8 if wide else pre.opsize)
        if form.group in {"stack", "stackmem"} or rng.random() < 0.1:
            self.gpr[RSP] = self.offset(self.spot(hole=rng.random() < 0.4), SS)
        if form.group == "bit":
            self.gpr[reg] = rng.randrange(-0x4000, 0x4000) & self._mask()
        head = self._head(form, operand, reg, wide=wide)
        length = (
            len(pre.data) + len(head) + len(address.encode(operand, reg)) + len(imm)
        )
        wanted = self.offset(self.spot(), segment)
        if operand.relative:
            wanted -= self.rip + length
        if pre.addrsize == 2 and wanted >= 0x1_0000:
            return None
        if not address.aim(rng, operand, self.gpr, pre.addrsize, wanted):
            return None
        return pre.data + head + address.encode(operand, reg) + imm

    def _head(
        self, form: Form, operand: address.Operand, reg: int, *, wide: bool
    ) -> bytes:
        """REX or VEX, and the opcode."""
        rng, bits = self.rng, self.bits
        r, x, b = reg >> 3, operand.rex_x, operand.rex_b
        if form.vex is not None:
            which, pp = form.vex >> 2, form.vex & 3
            vvvv = rng.randrange(16 if bits == 64 else 8)
            vvvv = 0 if form.group == "avx" else vvvv
            first = (1 - r) << 7 | (1 - x) << 6 | (1 - b) << 5 | which
            second = (wide << 7) | (15 - vvvv) << 3 | pp
            return bytes((0xC4, first, second)) + form.opcode
        rex = wide << 3 | r << 2 | x << 1 | b
        if bits == 64 and (rex or rng.random() < 0.2):
            return bytes((0x40 | rex,)) + form.opcode
        return form.opcode

    def implicit(self, form: Form) -> bytes | None:
        """An instruction whose memory operand is implied: strings, stack, offsets."""
        rng, bits, gpr = self.rng, self.bits, self.gpr
        pre = self.prefixes(form, repeat=form.group in {"string", "ins"})
        wide = bits == 64 and form.group != "ins" and rng.random() < 0.3
        head = pre.data + (b"\x48" if wide else b"") + form.opcode
        segment = DS if pre.segment is None else pre.segment
        mask = (1 << 8 * pre.addrsize) - 1
        if form.group in {"string", "ins"}:
            both = form.name not in {"movs", "cmps"}
            holes = (True, True) if both else rng.choice(SIDES)
            self._set(RSI, self.offset(self.spot(hole=holes[0]), segment), mask)
            self._set(RDI, self.offset(self.spot(hole=holes[1]), ES), mask)
            self._set(RCX, rng.randrange(20), mask)
            return head
        if form.group == "in":
            return head + self.immediate(form, 1)
        if form.group == "stack":
            at = self.offset(self.spot(), SS)
            gpr[RSP] = gpr[RBP] = at
            return head + self.immediate(form, pre.opsize)
        wanted = self.offset(self.spot(), segment)
        if form.group == "xlat":
            self._set(RBX, wanted - (gpr[RAX] & 0xFF), mask)
            return head
        if wanted > mask:
            return None
        return head + wanted.to_bytes(pre.addrsize, "little")

    def _set(self, index: int, value: int, mask: int) -> None:
        keep = self.gpr[index] & ~mask
        self.gpr[index] = keep | value & mask

    # The whole.

    def case(self, group: str | None = None) -> Case | None:
        """Return the case, or None when chance made one that cannot be encoded."""
        rng = self.rng
        group = group or rng.choices(NAMES, SHARES)[0]
        form = rng.choice(GROUPS[group])
        in_real = form.vex is not None and self.paging == "real"
        if self.bits not in form.modes or in_real:
            return None
        code = self.memory(form) if form.modrm else self.implicit(form)
        if code is None or len(code) > 15:
            return None
        return self.finish(form, code)

    def finish(self, form: Form, code: bytes) -> Case:
        """Put the case together."""
        rng = self.rng
        rflags = 2 | rng.getrandbits(12) & STATUS | IOPL_3
        rflags |= DF if rng.random() < 0.4 else 0
        rflags |= AC if rng.random() < 0.2 else 0
        rflags |= TF if rng.random() < 0.02 else 0
        return Case(
            form.name, form.group, code, self.bits, self.paging,
            cpl=3 if self.paging != "real" and rng.random() < 0.4 else 0,
            gpr=self.gpr, rip=self.rip, code_at=self.code_at, rflags=rflags,
            bases=self.bases, base=self.base, pages=self.pages, wp=rng.random() < 0.8,
            smap=rng.random() < 0.06, nx=rng.random() < 0.7,
            content=rng.randrange(0x1_0000),
            xmm=[rng.getrandbits(128) for _ in range(16 * (form.group in XMM))],
            budget=rng.choice((1, 1000)),
            served=rng.random() < 0.3,
            answers=[rng.getrandbits(32) for _ in range(32 * (form.group in PORTS))],
        )  # fmt: skip


def cases(seed: int, number: int) -> Case:
    """Return case `number` of `seed`; several tries may be needed to encode one."""
    for attempt in range(1000):
        made = Maker(seed, number << 10 | attempt).case()
        if made is not None:
            return made
    raise AssertionError(f"no case {number} of seed {seed}")
