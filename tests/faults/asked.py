"""A scene played up to its question, and the first sentence of the answer."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rigs.assembling import assemble
from rigs.machines import AP_BRINGUP

from faults.scene import Fault, Scene, Variant
from lapis_plugins.host import Host, discover
from lapis_sessions.guests import Image
from lapis_sessions.opening import build
from lapis_sessions.origin import Origin, SessionOptions

HERE = Path(__file__).parent
FOLDERS = (HERE, HERE.parent / "guests", AP_BRINGUP.parent)
"""What a guest may include is there."""
NUMBER = re.compile(r"\b(?:0x[0-9a-f]+|[1-9][0-9]*|0)\b")


@dataclass(frozen=True, slots=True)
class Told:
    """What was said first."""

    rules: tuple[str, ...]
    sentence: str
    text: str
    """All of the answer."""

    def missing(self, scene: Scene) -> list[str]:
        """Return what the first sentence should name and does not."""
        numbers = {int(found, 0) for found in NUMBER.findall(self.sentence)}
        words = self.sentence.lower()
        return [
            name if isinstance(name, str) else f"{name:#x}"
            for name in scene.names
            if (
                name.lower() not in words
                if isinstance(name, str)
                else name not in numbers
            )
        ]


def wrong(fault: Fault, variant: Variant) -> Iterator[str]:
    """Yield what is not told of a variant, and what is told of its sound twin."""
    scene = fault.scene(sound=False, **variant)
    told, where = ask(scene), f"{fault.name} {dict(variant)}: {scene.question}"
    if scene.rule not in told.rules:
        said = ", ".join(told.rules)
        yield f"{where}: {said} and not {scene.rule} is told: {told.sentence}"
    for name in told.missing(scene):
        yield f"{where}: {name} is not named: {told.sentence}"
    twin = fault.scene(sound=True, **variant)
    told = ask(twin)
    if twin.rule in told.rules:
        yield f"{where}: {twin.rule} is told without the fault: {told.sentence}"


@cache
def _found() -> Host:
    """Return what the plug-ins bring; a third of the time, were it done each time."""
    return discover()


@lru_cache(maxsize=64)
def _guest(text: str) -> tuple[bytes, list[tuple[int, str]]]:
    with TemporaryDirectory() as folder:
        source = Path(folder, "guest.asm")
        source.write_text(text)
        return assemble(source, *FOLDERS)


def source(scene: Scene) -> str:
    """Return the assembly of its guest."""
    if scene.is_long:
        return f'%include "faults-64.inc"\n{scene.guest}'
    return f'%define X2 {scene.x2apic:d}\n%include "faults.inc"\n{scene.guest}'


def ask(scene: Scene) -> Told:
    """Play it and ask."""
    binary, labels = _guest(source(scene))
    options = SessionOptions(
        cpus=scene.cpus, memory="16M", machine="bare", profile=scene.profile
    )
    origin = Origin(options, Image("fault.bin", binary, is_flat=True))
    session = build(origin, _found().extensions)
    places = {name: address for address, name in labels}
    for line in scene.lines:
        outcome = session.execute(line.format(**places))
        assert outcome.ok, f"{line}: {outcome.error}"
    outcome = session.execute(scene.question)
    if not outcome.ok:  # there was no fault to ask about
        return Told((), str(outcome.error), str(outcome.error))
    return Told(_rules(outcome.result), _first(outcome.text), outcome.text)


def _first(text: str) -> str:
    return text.split("\n", 1)[0]


def _rules(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the code of the first reason, or those of all of a chain of faults."""
    if "chain" in found:
        return tuple(link["rule"] for link in found["chain"] if link["rule"])
    reasons = found["reasons"] or [found.get("next")]
    return tuple(reason["rule"] for reason in reasons[:1] if reason)
