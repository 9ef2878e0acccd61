"""What nobody means and somebody writes, wherever an argument stands."""

from rigs.odd_files import ODD

NUMBERS = {
    "of 5,000 digits": "9" * 5000,
    "of 5,000 hex digits": "0x" + "f" * 5000,
    "of 65 bits": str(1 << 64),
    "the largest": str((1 << 64) - 1),
    "negative": "-1",
    "of other digits": "٣",
}
TEXTS = {
    "empty": "",
    "not UTF-8": "\udcff",
    "with a NUL": "a\0b",
    "with controls": "\x1b]0;x\x07\r\n\u202e",
    "long": "A" * 20_000,
    "an option": "--",
    "deep": "(" * 3000,
    "of a shift": "1<<(1<<40)",
}
EVERY = {
    **{f"a number {kind}": text for kind, text in NUMBERS.items()},
    **{f"a text {kind}": text for kind, text in TEXTS.items()},
    **{f"a file: {kind}": name for kind, name in ODD.items()},
}
"""Arguments by what is wrong with them."""
