"""Numbers as people write them, and what is said of those that are none."""

import pytest

from lapis_engine.errors import ConfigError
from lapis_sessions.errors import CommandError
from lapis_sessions.text.numerals import address, number, size

SYMBOLS = {"start": 0x1_0000, "report": 0x1_0191}


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("08", 8), ("0xC4500", 0xC4500), ("0XC_4500", 0xC4500), ("0b101", 5),
     ("4096", 4096), ("0ffh", 255), ("0xffffffffffffffff", (1 << 64) - 1)],
)  # fmt: skip
def test_a_number_may_be_decimal_hex_or_binary(text: str, value: int) -> None:
    assert number(text, "n") == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "-1",
        "1.5",
        "0x",
        "0xg",
        "1e9",
        "++",
        "٣",
        "1__0",
        "ffh",
        " 1",
        "9" * 99,
    ],
)
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(CommandError, match="run: count"):
        number(text, "run: count")


def test_a_number_beyond_64_bits_is_too_large() -> None:
    with pytest.raises(CommandError, match="too large"):
        number("0x10000000000000000", "value")


@pytest.mark.parametrize(
    ("text", "value"),
    [("0x10000", 0x1_0000), ("*0x10", 0x10), ("f000:fff0", 0xFFFF0),
     ("report", 0x1_0191), ("start+0x10", 0x1_0010), ("*start", 0x1_0000)],
)  # fmt: skip
def test_an_address_may_be_a_symbol_or_segmented(text: str, value: int) -> None:
    assert address(text, SYMBOLS) == value


def test_an_unknown_symbol_is_named() -> None:
    with pytest.raises(CommandError, match="'nowhere' is neither a number nor"):
        address("nowhere", SYMBOLS)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("64M", 64 << 20),
        ("1g", 1 << 30),
        ("512K", 512 << 10),
        ("7", 7),
        ("2MiB", 2 << 20),
    ],
)
def test_a_size_has_units_of_1024(text: str, value: int) -> None:
    assert size(text) == value


@pytest.mark.parametrize("text", ["", "M", "-1M", "1T", "64 M", "0x40M", "1" * 200])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a size"):
        size(text)
