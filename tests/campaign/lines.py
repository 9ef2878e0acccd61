"""Random command lines from a registry's own grammar, so that new commands are in.

Valid ones, ones that are nearly so, and hostile ones. None writes outside the folder
that one is in: what could has no slash.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from campaign import trees
from campaign.trees import RULE, Grower

if TYPE_CHECKING:
    from random import Random

    from lapis_sessions.registry import Argument, Command, Registry

WRITES = ("record start", "apic export")
RANGES = (
    "0xfee00000/0x400",
    "0xd0000000",
    "0x1000/16",
    "0x3f8",
    "0x80/4",
    "0x1b",
    "0x10",
)
WORDS = {
    "file": ("a.lapis", "b.lapis", "c.apic", "d e.json", "none", "folder"),
    "where": ("0", "1", "100", "5000", "end", "start", "here", "x", "exit", "1:2"),
    "name": ("x", "y", "main", "branch-1", "all", "here", "end"),
    "range": RANGES,
    "number": ("1", "2", "3", "all", "99"),
    "to": ("0", "1", "all", "others", "self", "0xff", "0x3"),
    "event": ("ipi", "exit", "lint", "msr", "vector-accepted", "IpiSent", "Exited"),
    "verb": ("run", "step", "answer", "inject_nmi", "set_quantum", "set_pin"),
    "args": ("[]", "{}", "[1]", '[1, 0]', "[0, 5]", "{\"limit\": 5}", "[true]", "[["),
    "vector": ("0x31", "49", "0xff", "2"),
    "part": ("vcpu0", "vcpu1", "ioapic", "pic", "start", "0", "apic"),
    "which": ("0", "1", "rip", "irr", "2"),
    "field": ("rip", "irr", "tpr", "rax"),
    "limit": ("1M", "64M", "1G", "0"),
    "what": ("icr", "lvt", "svr", "rflags", "esr", "cr0", "redirection"),
    "port": ("0x3f8", "0xe9", "0x402", "all"),
    "code": ("inout", "mmio", "hlt", "INOUT"),
    "mode": ("fixed", "init", "nmi"),
    "profile": ("sdm", "illumos"), "other": ("sdm", "bhyve-13.1"),
    "command": ("run", "apic", "ipi", "nope"), "subcommand": ("drop", "import"),
}  # fmt: skip
"""Words that mean something, by the argument's name."""
HOSTILE = (
    "", "''", "-", "--", "---", "--x", "--force", "'", '"', "\\", "\0", "\n", "\r",
    "\x1b[2J\x1b]0;x\a", "\x9b31m", "\u202e", "\u2028", "\ud800", "\U0001f980", "é",
    "%s%n", "{0}", "{}", "$(x)", "`x`", ";", "|", "#", "&", "*", "?", "~", ".", "..",
    "0", "-1", "+1", "-0x1", "1e9", "1.5", "0x", "0xg", "9" * 4400, "0x" + "f" * 5000,
    str(1 << 63), str((1 << 64) - 1), str(1 << 64), str(10**15), str(10**15 + 1),
    "a" * 300, "a" * 70_000, "(" * 500, "[" * 3000, "{" * 2000, "None", "True", "nan",
    "__class__", "vcpu", "0x31 0x32", "ffff:ffff", "start+0xffffffffffffffff", "*0",
    "main", "help help", "run 1; run 1", "\u0663", "\uff11",
)  # fmt: skip


class Lines:
    """Makes lines for one session."""

    def __init__(
        self, rng: Random, registry: Registry, symbols: list[str], cpus: int
    ) -> None:
        self.rng = rng
        self.registry = registry
        self.symbols = symbols
        self.cpus = cpus
        # What moves time or writes is worth more than what shows.
        weights = {"read-only": 2, "mutating": 3, "time-moving": 4}
        self.commands = registry.commands
        self.weights = [weights[command.effect] for command in self.commands]

    def line(self) -> tuple[str, str]:
        """Return what kind of line it is, and the line."""
        rng = self.rng
        kind = rng.choices(("valid", "nearly", "hostile"), (5, 4, 2))[0]
        words = self._words(rng.choices(self.commands, self.weights)[0])
        if kind == "nearly":
            for _ in range(rng.choice((1, 1, 2))):
                words = self._nearly(words)
        line = " ".join(map(_quoted, words))
        if kind == "hostile":
            line = self._hostile(line)
        if any(name in " ".join(line.split()) for name in WRITES) or "\\" in line:
            line = line.replace("/", "_")
        return kind, line

    def _words(self, command: Command) -> list[str]:
        """Return a line that is right as far as the registry can say."""
        rng = self.rng
        words = rng.choice((command.name, command.name, *command.aliases)).split()
        for argument in command.arguments:
            given = argument.required or rng.random() < (
                0.3 if argument.option else 0.7
            )
            if not given:
                if not argument.option:
                    break
                continue
            if argument.option:
                words.append(f"--{argument.name}")
            if argument.kind != "flag":
                words.append(self._value(argument))
        return words

    def _value(self, argument: Argument) -> str:
        rng = self.rng
        if argument.choices:
            return rng.choice(argument.choices)
        numbers = ("0xfee00300", "0x10000", "1000:0", "0x8000", "0xfffffffff")
        by_kind: dict[str, tuple[str, ...]] = {
            "count": ("0", "1", "2", "3", "8", "17", "100", "1000", "3000"),
            "vcpu": tuple(map(str, range(self.cpus))),
            "address": (*self.symbols, *numbers),
            "value": ("0", "1", "4", "0x31", "0xfee00000", "255", "0xc4500"),
        }
        if argument.kind in by_kind:
            return rng.choice(by_kind[argument.kind])
        if argument.name == "rule":
            return self._rule()
        return rng.choice(WORDS.get(argument.name, ("x", "1", "all", "main")))

    def _rule(self) -> str:
        rng = self.rng
        names = dict.fromkeys(("address", "size", "count", "data"), 1)
        how = trees.written(Grower(rng, RULE, names).tree(rng.randrange(3)), rng)
        how = rng.choice((how, how, "device", "fault gp 0", f"cycle {how}, 1"))
        where = rng.choice(("any", "any read", "port 0x80", "mmio 0xd0000000/0x1000"))
        return f"{where} = {how}"

    def _nearly(self, words: list[str]) -> list[str]:
        """Spoil one word."""
        rng = self.rng
        at = rng.randrange(len(words))
        word = words[at]
        match rng.randrange(6):
            case 0:
                return words[:at] + words[at + 1 :] or [""]
            case 1:
                return [*words[:at], word, *words[at:]]
            case 2:
                return [*words, rng.choice(("1", "x", "--force", "--vcpu", "0x31"))]
            case 3:
                return [*words[:at], rng.choice(HOSTILE), *words[at + 1 :]]
            case 4:
                cut = rng.randrange(len(word) + 1)
                changed = word[:cut] + rng.choice("abz019-_x") + word[cut + 1 :]
                return [*words[:at], changed, *words[at + 1 :]]
            case _:
                number = str(rng.choice((self.cpus, 255, 256, 1 << 32, 1 << 64, -1)))
                return [*words[:at], number, *words[at + 1 :]]

    def _hostile(self, line: str) -> str:
        rng = self.rng
        for _ in range(rng.choice((1, 2, 5))):
            at = rng.randrange(len(line) + 1)
            what = rng.choice(HOSTILE)
            if rng.random() < 0.2:
                what = rng.randbytes(rng.randrange(1, 40)).decode("latin-1")
            line = line[:at] + what + line[at:]
        return line if rng.random() < 0.9 else rng.choice(HOSTILE)


def _quoted(word: str) -> str:
    """Quote a word that would not be one otherwise."""
    return shlex.quote(word) if any(c in word for c in " '\"\\#") else word
