"""How large a page's terminal may be."""

from __future__ import annotations

from typing import Final, NamedTuple

MOST_COLUMNS: Final = 1000
MOST_ROWS: Final = 400
"""More than any screen has; each cell of it takes memory."""


class Size(NamedTuple):
    """Columns and rows."""

    columns: int
    rows: int

    @classmethod
    def fit(cls, columns: int, rows: int) -> Size:
        """Return the nearest size that may be."""
        return cls(
            min(max(columns, 1), MOST_COLUMNS),
            min(max(rows, 1), MOST_ROWS),
        )

    @property
    def may_be(self) -> bool:
        """Whether it is one of those."""
        return self == Size.fit(*self)


USUAL: Final = Size(80, 24)
"""Where a page names none."""
