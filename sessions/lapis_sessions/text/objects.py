"""JSON objects that users and files write, within bounds."""

from __future__ import annotations

import json
from typing import Any

from lapis_sessions.text.numerals import MOST_DIGITS


def read(text: str) -> dict[str, Any]:
    """Read an object; raise `ValueError` with a reason in words for anything else.

    A key that is there twice, a number of too many digits and what is no number at all
    (NaN, Infinity) are refused.
    """
    try:
        found = json.loads(
            text,
            object_pairs_hook=_once,
            parse_int=_integer,
            parse_constant=_constant,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError("it is not an object")  # noqa: TRY004 - of the text
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(
            f"a number has {len(digits):,} digits, {MOST_DIGITS} is the most"
        )
    return int(digits)


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")
