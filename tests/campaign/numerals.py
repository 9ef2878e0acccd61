"""Numbers, addresses, sizes and ranges as users write them, and what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.errors import LapisError
from lapis_sessions.text import numerals

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from campaign.case import Case

LARGEST = (1 << 64) - 1
SYMBOLS = {"start": 0x1000, "a_b.c": 0xFFFF, "loop+1": 7}
ODD = (
    "", "-1", "+1", " 1", "1 ", "0x", "0X", "0b", "0b2", "h", "0h", "fh", "1__0", "_1",
    "1_", "0x_1", "0x1_", "1.0", "1e3", "\u0663", "\uff11", "0o7", "1\n", "\0", "1\0",
    "a" * 99,
    "9" * 81, "9" * 5000, "0x" + "f" * 17, "0x" + "0" * 90, "f000:fff0", "1:2:3", ":",
    "12345:0", "0:12345", "start", "start+", "start+0x10", "start-1", "*start", "**1",
    "nope", "nope+1", "loop+1", "64M", "1GiB", "1T", "1kb", "KB", "1/2", "1/", "/1",
    "\ud800", "é", "1é", "0x1g", "-0", "--1", "0x-1", "1h2", "0b1h", "0bh",
)  # fmt: skip


def one(case: Case, rng: Random) -> str:
    """Read one, written well or badly."""
    value = rng.choice(
        (0, 1, rng.getrandbits(8), rng.getrandbits(rng.randrange(1, 66)))
    )
    kind = rng.random()
    if kind < 0.6:
        text = _written(rng, value)
        case.doing(text)
        wanted = value if value <= LARGEST else None
        _compare(case, text, lambda: numerals.number(text, "n"), wanted)
        _compare(case, text, lambda: numerals.address(text, SYMBOLS), wanted)
        case.tally("numeral: " + ("value" if wanted is not None else "refused"))
        return text
    if kind < 0.7:
        segment, offset = rng.getrandbits(16), rng.getrandbits(16)
        text = f"{rng.choice(('', '*'))}{segment:x}:{offset:04X}"
        _compare(
            case,
            text,
            lambda: numerals.address(text, SYMBOLS),
            segment * 16 + offset,
        )
        return text
    if kind < 0.8:
        letter = rng.choice("KMGkmg")
        text = f"{value}{letter}{rng.choice(('', 'B', 'iB'))}"
        scale = 1024 ** ("kmg".index(letter.lower()) + 1)
        _compare(case, text, lambda: numerals.size(text), value * scale)
        return text
    return _odd(case, rng)


def _written(rng: Random, value: int) -> str:
    form = rng.choice(("d", "#x", "#X", "#b", "_d", "0>9d", "h"))
    if form == "h":
        return f"0{value:x}{rng.choice('hH')}"
    text = f"{value:{form}}" if form != "#b" or value < 1 << 70 else f"{value}"
    return f"0x{value:_x}" if rng.random() < 0.1 else text


def _compare(
    case: Case, text: str, read: Callable[[], int], wanted: int | None
) -> None:
    try:
        found: int | None = read()
    except LapisError as error:
        found = None
        if wanted is not None:
            case.find("different", f"{text!r}: {error}, wanted {wanted}")
            return
    if found != wanted:
        case.find("different", f"{text!r}: {found}, wanted {wanted}")


def _odd(case: Case, rng: Random) -> str:
    """Read what is hardly a number: refused in a sentence, or a number in range."""
    text = rng.choice(ODD)
    if rng.random() < 0.5:
        text = text[: rng.randrange(len(text) + 1)] + rng.choice(ODD)
    case.doing(text)
    readers: list[Callable[[], object]] = [
        lambda: numerals.number(text, "n"),
        lambda: numerals.address(text, SYMBOLS),
        lambda: numerals.size(text),
        lambda: numerals.span(text, "mmio"),
    ]
    for read in readers:
        try:
            found = read()
        except LapisError as error:
            case.tally("odd: refused")
            said = str(error)
            if "\n" in said or len(said) > 600 or not said.isprintable():
                case.find("not a sentence", f"{text!r}: {said!r}")
        else:
            case.tally("odd: value")
            least = min(found) if isinstance(found, tuple) else found
            if not isinstance(least, int) or least < 0:
                case.find("different", f"{text!r}: {found!r}")
    return text
