"""Why something did not happen: a code to compare, and the sentence to read."""

from __future__ import annotations

from lapis_engine.frozen import record


@record
class Cause:
    """A reason. That there is none is None, and never an empty sentence."""

    code: str
    """Short name; the only part that programs look at."""
    text: str
    """The sentence, without a full stop."""

    def __str__(self) -> str:
        """Return the sentence."""
        return self.text


@record
class Undelivered:
    """The exception that kept another event from its handler."""

    vector: int
    error: int | None
    cr2: int | None
    rule: str | None
    """Code of the rule that was broken; None where it is not known."""
    values: tuple[int, ...]
    """What broke it."""


def sentence(cause: Cause | None) -> str:
    """Return the sentence as outputs have it: of no cause, the empty string."""
    return "" if cause is None else cause.text
