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


def sentence(cause: Cause | None) -> str:
    """Return the sentence as outputs have it: of no cause, the empty string."""
    return "" if cause is None else cause.text
