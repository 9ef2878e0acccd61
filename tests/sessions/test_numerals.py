"""Numbers as people write them, and what is said of those that are none."""

import pytest

from lapis_engine.errors import ConfigError
from lapis_sessions.errors import CommandError
from lapis_sessions.text import objects
from lapis_sessions.text.numerals import address, number, size, span

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


# Python reads no more than 4,300 decimal digits of a number, and raises.
@pytest.mark.parametrize("digits", [81, 4300, 4301, 5000, 1_000_000])
@pytest.mark.parametrize("start", ["9", "0", "0x9", "*9", "start+9", "9:", "0b1"])
def test_a_number_of_any_length_is_refused_in_few_words(
    start: str, digits: int
) -> None:
    text = start + start[-1] * (digits - len(start))
    for read in (
        lambda: number(text, "n"),
        lambda: address(text, SYMBOLS, "n"),
        lambda: span(text, "n"),
        lambda: span(f"1/{text}", "n"),
        lambda: size(text, "n"),
    ):
        with pytest.raises(
            (CommandError, ConfigError), match=r"^(n|size of n|offset) "
        ) as caught:
            read()
        assert len(str(caught.value)) < 200


def test_what_is_shortened_says_how_long_it_was() -> None:
    with pytest.raises(CommandError, match=r"'9{20}\.\.\.' \(5,000 characters\)"):
        number("9" * 5000, "n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f'{{"a": {"9" * 5000}}}', "a number has 5,000 digits, 80 is the most"),
        (f'{{"a": -{"9" * 81}}}', "a number has 82 digits"),
        ('{"a": NaN}', "NaN is not a number"),
        ('{"a": -Infinity}', "-Infinity is not a number"),
        ('{"a": 1, "a": 2}', "a key is there twice"),
        ("[" * 100_000, "nested too deeply"),
        ("[1]", "it is not an object"),
        ("", "it is not JSON"),
    ],
)
def test_an_object_that_is_none_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        objects.read(text)
