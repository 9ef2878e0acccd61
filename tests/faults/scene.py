"""What a planted fault is made of: a guest, a question, and what must be told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from random import Random

Value = int | str | bool
Variant = Mapping[str, Value]
"""What is chosen on each axis."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One guest, with the fault or without, up to the question."""

    guest: str
    """Assembly, after `faults.inc`."""
    question: str
    """The command that asks."""
    rule: str
    """Code of the reason that is told first when the fault is there."""
    names: tuple[int | str, ...] = ()
    """What the first sentence names: numbers and words."""
    cpus: int = 2
    x2apic: bool = False
    lines: tuple[str, ...] = ("run 6000",)
    """Commands before the question."""
    profile: str = "sdm"
    is_long: bool = False
    """64-bit code, after `long-mode.inc`."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that may be planted, and in what it may differ."""

    name: str
    cause: str
    """What is wrong, in the words of the manual, for the table."""
    scene: Callable[..., Scene]
    """Takes a choice on each axis by name, and `sound`: without the fault."""
    axes: Mapping[str, tuple[Value, ...]]
    """What should not matter to whether it is told, or is named in it."""

    def variants(self) -> list[Variant]:
        """Return every choice, in order."""
        names = tuple(self.axes)
        return [
            dict(zip(names, values, strict=True))
            for values in product(*self.axes.values())
        ]

    def some(self, count: int, seed: int) -> list[Variant]:
        """Return as many different choices; the same for the same seed."""
        return Random(f"{seed} {self.name}").sample(self.variants(), count)
