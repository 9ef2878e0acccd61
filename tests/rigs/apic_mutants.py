"""Mutants of the APIC's sources: read from the list, loaded, compared with the oracle.

A mutant is a module with one token changed. It is loaded beside the module that it
comes from, so nothing of the engine notices.
"""

import random
import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from lapis_engine.apic import state as apic_state
from lapis_engine.apic.icr import decode
from lapis_engine.apic.state import ApicState
from lapis_engine.profiles.catalog import ILLUMOS, SDM
from rigs import apic_oracle as oracle
from rigs.apic_oracle import OracleApic

LIST = Path(__file__).parents[1] / "engine" / "mutants.toml"
SOURCES = Path(apic_state.__file__).parent
ROUNDS = 400
"""Random inputs for each function; they are the same ones every time."""
BASES = {"disabled": 0xFEE0_0000, "xapic": 0xFEE0_0800, "x2apic": 0xFEE0_0C00}


@dataclass(frozen=True)
class Mutant:
    """One change of one token."""

    file: str
    """Name of the module in `lapis_engine.apic`, with its .py."""
    before: str
    """The line as it stands."""
    after: str
    nth: int = 0
    """Which of the lines that read so, from 0."""
    killed: str = ""
    """The test that failed; or "no end" for a loop that does not."""
    oracle: bool = False
    """Whether `disagreement` finds it too."""
    equivalent: str = ""
    """Why nothing can find it."""


def listed() -> list[Mutant]:
    """Read the list."""
    return [Mutant(**each) for each in tomllib.loads(LIST.read_text())["mutant"]]


def source(file: str) -> str:
    """Read a module as it is now."""
    return (SOURCES / file).read_text()


def mutated(mutant: Mutant, text: str) -> str:
    """Make the change in `text`; a ValueError says that its line is not there."""
    lines = text.split("\n")
    places = [n for n, line in enumerate(lines) if line.strip() == mutant.before]
    if mutant.nth >= len(places):
        raise ValueError(f"{mutant.file} has no line {mutant.before!r} any more")
    at = places[mutant.nth]
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    lines[at] = indent + mutant.after
    return "\n".join(lines)


def load(file: str, text: str) -> ModuleType:
    """Execute a source as the module that `file` is, without putting it in place."""
    module = ModuleType(f"lapis_engine.apic.{file.removesuffix('.py')}")
    exec(compile(text, file, "exec"), module.__dict__)
    return module


def disagreement(file: str, module: ModuleType) -> str:
    """Say where a module and the oracle differ, or nothing."""
    try:
        COMPARED[file](module, random.Random(0))
    except Exception as wrong:  # noqa: BLE001 - a mutant may raise anything
        return f"{type(wrong).__name__} {wrong}"
    return ""


def _vectors(chance: random.Random) -> set[int]:
    near = chance.choice([range(256), range(256), range(14, 34), range(0x50, 0x70)])
    return set(chance.sample(near, chance.randrange(6)))


def engine_apic(model: OracleApic) -> ApicState:
    """Make an engine APIC that holds what the model holds."""
    state = apic_state.reset(model.number, SDM)
    state.apicbase = BASES[model.mode]
    state.svr = 0x1FF if model.on else 0xFF
    state.id, state.ldr, state.dfr = model.id, model.logical << 24, model.model << 28
    state.irr = oracle.as_bits(model.waiting)
    state.isr = oracle.as_bits(model.serving)
    state.tmr = oracle.as_bits(model.level)
    state.tpr, state.ppr = model.tpr, model.ppr
    return state


def _priority(module: ModuleType, chance: random.Random) -> None:
    """Compare the functions of `priority` with the sets."""
    for _ in range(ROUNDS):
        waiting, serving, level = (_vectors(chance) for _ in "123")
        model = OracleApic(
            3, mode=chance.choice(["xapic", "x2apic", "disabled"]),
            on=chance.random() < 0.7, waiting=waiting, serving=serving, level=level,
            tpr=chance.choice([0, 0x0F, 0x10, 0x55, chance.randrange(256)]),
        )  # fmt: skip
        state = engine_apic(model)
        bits = state.irr
        _same(module.highest(bits), max(waiting, default=-1))
        _same(module.vectors(bits), sorted(waiting))
        _same(module.ppr(model.tpr, state.isr), model.ppr)
        _act(module, chance, state, model)


def _act(
    module: ModuleType, chance: random.Random, state: ApicState, model: OracleApic
) -> None:
    """Let one thing after another happen to both."""
    state.isrvec_view = tuple(sorted(model.serving))
    for _ in range(4):
        vector, level = chance.choice([15, 16, chance.randrange(256)]), chance.random()
        took = module.accept(state, vector, level < 0.5, "test")
        _same(took.kind == "accept", model.receive(vector, level=level < 0.5))
        _same(module.deliverable(state), model.next)
        if model.next is not None and chance.random() < 0.5:
            _same(module.deliver(state).vector, model.deliver())
        if chance.random() < 0.4:
            wanted, ended = model.end(), module.eoi(state)
            found = (ended.vector, ended.level) if ended.kind == "eoi" else None
            _same(found, wanted)
        if chance.random() < 0.3:
            model.tpr = chance.randrange(256)
            module.set_tpr(state, model.tpr | 0x100)
        _same(state.tpr, model.tpr)
        _same(state.ppr, model.ppr)
        _same(oracle.as_set(state.irr), model.waiting)
        _same(oracle.as_set(state.isr), model.serving)
        _same(oracle.as_set(state.tmr), model.level)
        _same(sorted(state.isrvec_view or ()), sorted(model.serving))


def _written(chance: random.Random, *, wide: bool) -> int:
    """Make up an ICR."""
    low = (
        chance.choice([0, 15, 16, chance.randrange(256)])
        | chance.choice([0, 0, 1, 1, 2, 3, 4, 5, 6, 7]) << 8
        | chance.choice([0, 0x4000, 0x8000, 0xC000, 0x4000])
        | chance.choice([0, 0x800])
        | chance.choice([0, 0, 0, 1, 2, 3]) << 18
    )
    return low | _named(chance, wide=wide) << (32 if wide else 56)


def _icr(module: ModuleType, chance: random.Random) -> None:
    """Compare the functions of `icr` with the digits."""
    for _ in range(ROUNDS):
        wide, sender = chance.random() < 0.5, chance.choice([0, 1, 15, 16, 18])
        icr = _written(chance, wide=wide)
        ask = oracle.read_icr(icr, wide=wide)
        found = module.decode(icr, x2apic=wide, sender=sender)
        for name in ("vector", "mode", "logical", "assert_", "level", "shorthand"):
            _same(getattr(found, name), getattr(ask, name))
        _same((found.destination, found.sender), (ask.destination, sender))
        made = module.encode(
            ask.mode, vector=ask.vector, destination=ask.destination,
            shorthand=ask.shorthand, logical=ask.logical, level=ask.level,
            assert_=ask.assert_, x2apic=wide,
        )  # fmt: skip
        _same(made, icr)


def _icr_rules(module: ModuleType, chance: random.Random) -> None:
    """Compare the functions of `icr_rules` with the table."""
    for _ in range(ROUNDS):
        wide = chance.random() < 0.5
        icr = _written(chance, wide=wide)
        ask, found = oracle.read_icr(icr, wide=wide), decode(icr, x2apic=wide, sender=0)
        for profile in (SDM, ILLUMOS):
            why = oracle.refused(ask, bhyve=profile is ILLUMOS)
            _same(module.refusal(found, profile) is not None, bool(why))
            _same(module.is_vector_illegal(found, profile), why == "vector")


def _destination(module: ModuleType, chance: random.Random) -> None:
    """Compare the functions of `destination` with the sets."""
    for _ in range(ROUNDS):
        models = [_model(chance, number) for number in (0, 1, 15, 16, 18)]
        states = [engine_apic(model) for model in models]
        wide, sender = chance.random() < 0.5, chance.choice([0, 1, 15, 16, 18])
        icr = _written(chance, wide=wide)
        asked = oracle.read_icr(icr, wide=wide)
        found = decode(icr, x2apic=wide, sender=sender)
        wanted = tuple(sorted(oracle.reached(asked, sender, models)))
        _same(module.targets(found, states), wanted)


COMPARED = {
    "priority.py": _priority, "icr.py": _icr, "icr_rules.py": _icr_rules,
    "destination.py": _destination,
}  # fmt: skip


def _model(chance: random.Random, number: int) -> OracleApic:
    return OracleApic(
        number,
        mode=chance.choice(["xapic", "xapic", "x2apic", "disabled"]),
        on=chance.random() < 0.8,
        id=chance.choice([number, number + 1, chance.randrange(256)]),
        logical=chance.choice([0x11, 0x12, 0x24, chance.randrange(256)]),
        model=chance.choice([15, 0, 0, 14, 1]),
        tpr=chance.choice([0, 0x0F, 0x10, 0x1F, chance.randrange(256)]),
        serving=_vectors(chance),
    )


def _named(chance: random.Random, *, wide: bool) -> int:
    members = chance.randrange(1 << 16)
    if not wide:
        return chance.choice([0, 1, 15, 16, 0x13, 0x22, 0xFF, members & 0xFF])
    everyone = 0xFFFF_FFFF
    return chance.choice([1, 16, 0xFF, everyone, members, 1 << 16 | members])


def _same(found: object, wanted: object) -> None:
    if found != wanted or type(found) is not type(wanted):
        raise AssertionError(f"{found!r} where the oracle has {wanted!r}")
