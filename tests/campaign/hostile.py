"""Ways to make a recording say what none should: each changes chunks in place.

A way returns whether it changed anything. `LIES` are those after which a recording
says something else of the machine, and must not verify as right; after the others it
may be refused, diverge, or be what it says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    Chunks = list[tuple[bytes, Any]]
    Way = Callable[[Chunks, Random], bool]

KINDS = (b"HEAD", b"ACTS", b"FORK", b"TURN", b"CKPT", b"hash", b"note", b"DONE")
NUMBERS = (
    0, 1, -1, 2, 7, 255, 256, 65536, 10**6, 1 << 31, 1 << 32, 1 << 40, (1 << 63) - 1,
    1 << 63, (1 << 64) - 1, -(1 << 63),
)  # fmt: skip
TEXTS = (
    "", "x", "main", "\x1b]0;owned\x07", "\x9b2J", "\u202eevil", "a\nb", "\0", "\ud7ff",
    "é" * 99, "\U0001f600" * 50, "../../etc/passwd", "/dev/zero", "%s%n", "A" * 199,
    "A" * 201, "1T", "3072M", "999999999999G", "0", "-1", "sdm", "budget", "halted",
)  # fmt: skip
ODD: tuple[Any, ...] = (
    *NUMBERS, *TEXTS, 1.5, float("nan"), float("inf"), None, True, False, b"",
    b"\0" * 99,
    [], {}, [[]], {"": ""}, [0] * 99, {"number": 0}, [None] * 7,
)  # fmt: skip
VERBS: dict[str, tuple[str, ...]] = {
    "answer": ("number", "value", "by"),
    "answer_by_device": ("number",),
    "answer_fault": ("number", "name", "error", "address"),
    "clear_interference": ("number",),
    "discard": ("number",),
    "import_apic": ("number", "saved", "source", "lenient"),
    "inject_nmi": ("number",),
    "interfere": ("action", "mode", "to", "sender", "vector", "nth", "by"),
    "kernemu_read": ("number", "gpa", "size"),
    "kernemu_write": ("number", "gpa", "size", "value"),
    "pulse_lint": ("lint", "number"),
    "run": (),
    "send_ipi": ("sender", "icr"),
    "send_msi": ("address", "data"),
    "set_isrvec": ("on",),
    "set_line": ("irq", "asserted"),
    "set_lint": ("name", "on"),
    "set_pin": ("pin", "asserted"),
    "set_quantum": ("quantum",),
    "set_run_state": ("number", "state", "sipi_vector"),
    "set_schedule": ("policy", "only"),
    "step": ("number",),
    "touch": ("number", "address", "size", "physical"),
    "trap": ("space", "first", "size"),
    "untrap": ("number",),
    "write_msr": ("number", "msr", "value"),
    "write_register": ("number", "name", "value", "raw"),
    "write_memory": ("number", "address", "data", "physical"),
}
WORDS = ("lockstep", "only", "round-robin", "drop", "delay", "duplicate", "gp", "mmio")


def pick(chunks: Chunks, kind: bytes, rng: Random) -> Any:
    """Return what one of the chunks of a type holds, or None."""
    found = [value for each, value in chunks if each == kind and value]
    return rng.choice(found) if found else None


def beginning(rng: Random, usual: bytes) -> bytes:
    """Return what is before the first chunk: now and then another version."""
    if rng.random() < 0.97:
        return usual
    return usual[:8] + rng.choice((b"\3\0\2\0", b"\3\0\3\0", b"\0\0\0\0", b"\xff" * 4))


# What is said of the machine.


def _position(chunks: Chunks, rng: Random) -> bool:
    """Let an act end elsewhere, and all that follow as much later."""
    rows = pick(chunks, b"ACTS", rng)
    if not rows:
        return False
    field, by = rng.randrange(2, 5), rng.choice((1, 2, 5, 1000, 1 << 40))
    for row in rows[rng.randrange(len(rows)) :]:
        row[field] += by
    return True


def _digest(chunks: Chunks, rng: Random) -> bool:
    row = pick(chunks, rng.choice((b"CKPT", b"hash")), rng)
    if row is None:
        return False
    if not row[2]:
        return False
    digit = rng.randrange(len(row[2]))
    other = "0" if row[2][digit] != "0" else "1"
    row[2] = row[2][:digit] + other + row[2][digit + 1 :]
    return True


def _field(chunks: Chunks, rng: Random) -> bool:
    row = pick(chunks, b"CKPT", rng)
    if row is None:
        return False
    name = rng.choice(sorted(row[3]))
    match rng.randrange(3):
        case 0:
            del row[3][name]
        case 1:
            row[3][name] += "0"
        case _:
            row[3][f"{name}x"] = "0x1"
    return True


def _marked(chunks: Chunks, rng: Random) -> bool:
    row = pick(chunks, rng.choice((b"CKPT", b"hash")), rng)
    if row is None:
        return False
    row[1] += rng.choice((1, 100, 1 << 50))
    return True


def _counted(chunks: Chunks, rng: Random) -> bool:
    row = pick(chunks, b"DONE", rng)
    if row is None:
        return False
    row[rng.randrange(2)] += rng.choice((1, -1, 1 << 40))
    return True


LIES: dict[str, Way] = {
    "position": _position,
    "digest": _digest,
    "field": _field,
    "instruction of a hash": _marked,
    "count": _counted,
}

# What is no recording.


def _node(chunks: Chunks, rng: Random) -> bool:
    """Put something else in the place of one value anywhere."""
    at = rng.randrange(len(chunks))
    kind, value = chunks[at]
    chunks[at] = kind, _other(value, rng)
    return True


def _other(value: Any, rng: Random) -> Any:
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        value[at] = _other(value[at], rng)
        return value
    if isinstance(value, dict) and value and rng.random() < 0.9:
        name = rng.choice(sorted(value))
        value[name] = _other(value[name], rng)
        return value
    return rng.choice(ODD)


def _header(chunks: Chunks, rng: Random) -> bool:
    head = pick(chunks, b"HEAD", rng)
    if head is None or not isinstance(head, list):
        return False
    at = rng.randrange(len(head))
    value = head[at]
    if isinstance(value, dict):
        value[rng.choice([*sorted(value), "nothing"])] = rng.choice(ODD)
    elif isinstance(value, int):
        head[at] = rng.choice(NUMBERS)
    elif isinstance(value, str):
        head[at] = rng.choice(TEXTS)
    else:
        head[at] = _other(value, rng)
    return True


def _giant(chunks: Chunks, rng: Random) -> bool:
    """Make one text, list or map very large."""
    count = rng.choice((1 << 12, 1 << 16, 1 << 17, 1 << 20))
    made: Any = rng.choice((
        "A" * count, "\U0001f600" + "A" * count, [0] * count, [[]] * count,
        {str(n): n for n in range(min(count, 1 << 16))},
    ))  # fmt: skip
    at = rng.randrange(len(chunks))
    kind, value = chunks[at]
    if isinstance(value, list) and value:
        where = rng.randrange(len(value))
        inner = value[where]
        if isinstance(inner, list) and inner:
            inner[rng.randrange(len(inner))] = made
        elif isinstance(inner, dict):
            inner["a" * rng.choice((1, 300))] = made
        else:
            value[where] = made
        return True
    chunks[at] = kind, made
    return True


def _deep(chunks: Chunks, rng: Random) -> bool:
    depth = rng.choice((8, 17, 100, 900))
    value: Any = 0
    for _ in range(depth):
        value = [value] if rng.random() < 0.5 else {"a": value}
    args = {"number": 0, "saved": {"a": value}, "source": "x", "lenient": True}
    _insert(chunks, rng, (b"ACTS", [["import_apic", args, 0, 0, 0, ""]]))
    return True


def _insert(chunks: Chunks, rng: Random, *made: tuple[bytes, Any]) -> None:
    at = rng.randrange(1, len(chunks) + 1) if chunks else 0
    chunks[at:at] = made


def _bomb(chunks: Chunks, rng: Random) -> bool:
    size = rng.choice((1 << 16, 1 << 20, 5 << 20))
    body = rng.choice((b"\x90", b"\x91", b"\0", b"\x80", b"\xc0"))
    head = b"\xdd" + size.to_bytes(4, "big") if rng.random() < 0.5 else b""
    kind = rng.choice((*KINDS, b"warp"))
    many = rng.choice((1, 1, 3))
    _insert(chunks, rng, *[(kind, head + body * size)] * many)
    return True


def _announced(chunks: Chunks, rng: Random) -> bool:
    """Announce more than there is."""
    body = rng.choice((
        b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff", b"\x94\0\0\xa0\xdf\x7f\xff\xff\xff", b"\x91" * 9999,
        b"\x94\0\0\xa0\xc0", b"\x91\x96\xa3run\xdf\xff\xff\xff\xff", b"\xc1", b"",
    ))  # fmt: skip
    _insert(chunks, rng, (rng.choice(KINDS), body))
    return True


def _many(chunks: Chunks, rng: Random) -> bool:
    """Add the same small chunk many times."""
    many = rng.choice((3, 200, 1500))
    end = _end(chunks)
    text = rng.choice(TEXTS)
    made: tuple[bytes, Any]
    match rng.randrange(6):
        case 0:
            rows = [[f"f{n}{text}", f"f{n - 1}{text}" if n else "main", []]
                    for n in range(many)]  # fmt: skip
            chunks[1:1] = [(b"FORK", row) for row in rows]
            return True
        case 1:
            made = b"TURN", ["main"]
        case 2:
            made = b"hash", [end[0], end[1], "0" * 32]
        case 3:
            made = b"note", [0, 0, text, text, text]
        case 4:
            made = b"ACTS", []
        case _:
            made = b"warp", [text]
    chunks[-1:-1] = [made] * many
    return True


def _end(chunks: Chunks) -> list[Any]:
    """Return (acts, and where the last one ends) of a recording with one branch."""
    rows = [row for kind, value in chunks if kind == b"ACTS" for row in value or ()]
    good = [row for row in rows if isinstance(row, list) and len(row) == 6]
    return [len(rows), *(good[-1][2:5] if good else (0, 0, 0))]


def _act(chunks: Chunks, rng: Random) -> bool:
    """Add an act that nobody would do, right where the last one ends."""
    verb = rng.choice((*VERBS, *VERBS, "fly", "", "__class__"))
    args = {name: _argument(name, rng) for name in VERBS.get(verb, ("number",))}
    if rng.random() < 0.2 and args:
        del args[rng.choice(sorted(args))]
    if rng.random() < 0.1:
        args[rng.choice(("limit", "count", "x", "self", "machine"))] = 1
    reason = (
        rng.choice(("budget", "halted", "exit", "")) if verb in {"run", "step"} else ""
    )
    end = _end(chunks)[1:]
    if verb in {"run", "step"}:
        end[0] = min(end[0] + rng.choice((0, 1, 5, 1 << 40)), (1 << 64) - 1)
    acts = [[verb, args, *end, reason]]
    before = (b"DONE",)
    at = len(chunks) - (bool(chunks) and chunks[-1][0] in before)
    chunks[at:at] = [(b"ACTS", acts * rng.choice((1, 1, 1, 100)))]
    if rng.random() < 0.8 and chunks[-1][0] in before:
        chunks.pop()
    return True


def _argument(name: str, rng: Random) -> Any:
    if rng.random() < 0.25:
        return rng.choice(ODD)
    if name in {"on", "asserted", "lenient", "physical"}:
        return rng.random() < 0.5
    if name in {"policy", "action", "mode", "name", "space", "source", "by"}:
        return rng.choice((*WORDS, *TEXTS))
    if name == "saved":
        return {rng.choice(TEXTS): _other([0, {"a": 1}], rng)}
    return rng.choice(NUMBERS)


def _shuffled(chunks: Chunks, rng: Random) -> bool:
    """Drop, repeat or move chunks."""
    at = rng.randrange(len(chunks))
    match rng.randrange(4):
        case 0:
            del chunks[at]
        case 1:
            chunks.insert(rng.randrange(len(chunks)), chunks[at])
        case 2:
            chunks.append(chunks.pop(at))
        case _:
            kind = rng.choice((*KINDS, b"warp", b"WARP", b"\xff\0xx", b"    "))
            chunks[at] = kind, chunks[at][1]
    if not chunks:
        chunks.append((b"HEAD", []))
    return True


def _turned(chunks: Chunks, rng: Random) -> bool:
    name = rng.choice((*TEXTS, "branch-1"))
    row = [name] if rng.random() < 0.5 else [name, rng.choice((*TEXTS, "main")), []]
    _insert(chunks, rng, (b"TURN" if len(row) == 1 else b"FORK", row))
    return True


def _tailed(chunks: Chunks, rng: Random) -> bool:
    """Pack something behind the value of a body."""
    at = rng.randrange(len(chunks))
    kind, value = chunks[at]
    if isinstance(value, bytes):
        return False
    chunks[at] = kind, msgspec.msgpack.encode(value) + rng.choice((b"\0", b"\xc1" * 99))
    return True


WAYS: dict[str, Way] = {
    "node": _node,
    "header": _header,
    "giant": _giant,
    "deep": _deep,
    "bomb": _bomb,
    "announced": _announced,
    "many": _many,
    "act": _act,
    "shuffled": _shuffled,
    "turned": _turned,
    "tailed": _tailed,
    "position": _position,
    "digest": _digest,
    "field": _field,
}
