"""Scan codes of the three sets, and which of them type a character.

Source: IBM PS/2 Technical Reference "Keyboard", "Scan Code Set 1" to 3; how set 2
becomes set 1 is in its "Keyboard and Auxiliary Device Controller". The host speaks of
keys by their codes of set 1.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

BREAK: Final = 0xF0
"""Sets 2 and 3: prefix of the code of a key that was let go."""
RELEASED: Final = 0x80
"""Set 1: what is added to it."""
EXTENDED: Final = 0xE0
"""Sets 1 and 2: prefix of the keys that the PC/AT did not have."""
PAUSE: Final = 0xE1
"""Sets 1 and 2: prefix of the two codes of the Pause key."""
PAUSE_CODES: Final = frozenset({0x1D, 0x45})
"""Set 1: these two."""
SHIFTS: Final = frozenset({0x2A, 0x36})
"""Set 1: after EXTENDED they are no keys, but shifts made up for others."""

TRANSLATED: Final = bytes.fromhex(
    "0076161e26252e363d3e46454e55660d151d242d2c353c43444d545b5a141c1b"
    "232b34333b424b4c520e125d1a22212a32313a41494a597c1129580506040c03"
    "0b020a0109777e6c757d7b6b73747969727a70717f606178070f171f272f373f"
    "474f565e08101820283038404850576f13193951535c5f6263646567686a6d6e"
)
"""By code of set 1: the code below 0x80 that the controller makes it of."""
OF_SET_2: Final[Mapping[int, int]] = MappingProxyType(
    {**dict(enumerate(TRANSLATED)), 0x41: 0x83, 0x54: 0x84}
)
"""By code of set 1: that of set 2; F7 and SysRq are beyond 0x80."""
TO_SET_1: Final[Mapping[int, int]] = MappingProxyType(
    {**{two: one for one, two in enumerate(TRANSLATED)}, 0x83: 0x41, 0x84: 0x54}
)
"""How the controller translates; other bytes stay as they are."""

OF_SET_3: Final[Mapping[int, int]] = MappingProxyType(
    {
        **OF_SET_2,
        **dict(zip(range(0x3B, 0x45), range(0x07, 0x57, 8), strict=True)),
        0x01: 0x08, 0x57: 0x56, 0x58: 0x5E, 0x1D: 0x11, 0x3A: 0x14, 0x38: 0x19,
        0x2B: 0x5C, 0x56: 0x13, 0x45: 0x76, 0x46: 0x5F, 0x37: 0x7E, 0x4A: 0x84,
        0x4E: 0x7C,
    }
)  # fmt: skip
"""By code of set 1: that of set 3, where most are as in set 2."""
EXTENDED_3: Final[Mapping[int, int]] = MappingProxyType(
    {
        0x1C: 0x79, 0x1D: 0x58, 0x35: 0x77, 0x37: 0x57, 0x38: 0x39, 0x46: 0x62,
        0x47: 0x6E, 0x48: 0x63, 0x49: 0x6F, 0x4B: 0x61, 0x4D: 0x6A, 0x4F: 0x65,
        0x50: 0x60, 0x51: 0x6D, 0x52: 0x67, 0x53: 0x64, 0x5B: 0x8B, 0x5C: 0x8C,
        0x5D: 0x8D,
    }
)  # fmt: skip
"""The same behind EXTENDED."""
PAUSE_3: Final = 0x62

_ROWS: Final = (
    (0x02, "1234567890-=", "!@#$%^&*()_+"),
    (0x10, "qwertyuiop[]", "QWERTYUIOP{}"),
    (0x1E, "asdfghjkl;'`", 'ASDFGHJKL:"~'),
    (0x2B, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
)
"""First code of set 1 of each row of a US keyboard, its keys, and with shift."""
_SHIFT: Final = 0x2A
_LONE: Final = {" ": 0x39, "\n": 0x1C, "\r": 0x1C, "\t": 0x0F, "\b": 0x0E, "\x1b": 0x01}


def _typed() -> dict[str, bytes]:
    found = {char: bytes((key, key | RELEASED)) for char, key in _LONE.items()}
    for first, plain, shifted in _ROWS:
        for key, (low, high) in enumerate(zip(plain, shifted, strict=True), first):
            moves = bytes((key, key | RELEASED))
            found[low] = moves
            found[high] = bytes((_SHIFT, *moves, _SHIFT | RELEASED))
    return found


TYPED: Final[Mapping[str, bytes]] = MappingProxyType(_typed())
"""By character of ASCII: the codes of set 1 that type it on a US keyboard, each key
pressed and let go. Characters that no key types are not there."""


def in_set(number: int, codes: bytes) -> bytes:
    """Return in set `number` what `codes`, whole keys of set 1, say."""
    if number == 1:
        return codes
    return _set_2(codes) if number == 2 else _set_3(codes)


def _set_2(codes: bytes) -> bytes:
    found = bytearray()
    for code in codes:
        if code in (EXTENDED, PAUSE):
            found.append(code)
            continue
        if code & RELEASED:
            found.append(BREAK)
        found.append(OF_SET_2[code & ~RELEASED])
    return bytes(found)


def _set_3(codes: bytes) -> bytes:
    found = bytearray()
    prefix = 0
    for code in codes:
        if code in (EXTENDED, PAUSE):
            prefix = code
            continue
        key, is_up = code & ~RELEASED, code & RELEASED
        if prefix == PAUSE and key in PAUSE_CODES:
            if code == min(PAUSE_CODES):
                found.append(PAUSE_3)
            continue
        one = _key_3(prefix, key)
        if one is not None:
            found += bytes((BREAK, one)) if is_up else bytes((one,))
        prefix = 0
    return bytes(found)


def _key_3(prefix: int, key: int) -> int | None:
    if prefix == EXTENDED:
        return EXTENDED_3.get(key)
    return OF_SET_3[key]
