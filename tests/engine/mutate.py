"""Make `mutants.toml`: change each token of the APIC's priorities and IPIs, and see.

    python tests/engine/mutate.py [--all]

Each mutant is run in a process of its own, which loads it in the place of its module
and goes through the tests until one fails. The source is not touched. Without --all
only what the list does not have yet, or has as a survivor, is run; all of it takes
about ten minutes.
"""

import ast
import io
import os
import signal
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
from hypothesis import Phase, settings

HERE = Path(__file__).parent
SOURCES = HERE.parents[1] / "engine" / "lapis_engine" / "apic"
FILES = ("priority.py", "icr.py", "icr_rules.py", "destination.py")
TESTS = {
    "priority.py": ("priority", "isrvec", "ipi", "oracle", "rules", "access"),
    "icr.py": ("ipi", "destinations", "oracle", "priority", "rules", "access"),
    "icr_rules.py": ("ipi", "destinations", "oracle", "priority", "rules", "access"),
    "destination.py": ("ipi", "destinations", "oracle", "priority", "rules", "access"),
}
"""Tests `test_apic_*.py`, in the order in which they are asked."""
LIST = HERE / "mutants.toml"
HEAD = (
    "# Made by mutate.py: every change of one token, and the first test that fails.\n"
)
SECONDS = 15
"""A mutant that takes longer has a loop without an end."""

OPERATORS = {
    "<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"),
    "==": ("!=",), "!=": ("==",), "<<": (">>",), ">>": ("<<",),
    "&": ("|",), "|": ("&",), "^": ("|",), "+": ("-",), "-": ("+",), "~": ("+",),
    "&=": ("|=",), "|=": ("&=", "^="), "^=": ("|=",), "+=": ("-=",), "-=": ("+=",),
    "*": ("+",),
}  # fmt: skip
WORDS = {
    "and": ("or",), "or": ("and",), "not": ("",), "is": ("is not",),
    "True": ("False",), "False": ("True",), "min": ("max",), "max": ("min",),
}  # fmt: skip
SIBLINGS = (
    ("irr", "isr"), ("isr", "irr"), ("tmr", "irr"), ("tpr", "ppr"), ("ppr", "tpr"),
    ("isrvec", "isrvec_view"), ("isrvec_view", "isrvec"), ("svr", "apicbase"),
    ("level", "assert_"), ("assert_", "level"), ("logical", "x2apic"),
    ("x2apic", "logical"), ("vector", "destination"), ("destination", "vector"),
    ("sender", "vcpu"), ("mode", "shorthand"), ("shorthand", "mode"),
    ("mda", "own"), ("own", "mda"), ("FLAT", "CLUSTER"), ("CLUSTER", "FLAT"),
    ("ICR_LEVEL", "ICR_ASSERT"), ("ICR_ASSERT", "ICR_LEVEL"),
    ("ICR_LOGICAL", "ICR_ASSERT"), ("ICR_MODE", "ICR_SHORTHAND"),
    ("ICR_SHORTHAND", "ICR_MODE"), ("MANY", "ANY"), ("ANY", "MANY"),
    ("ICR_DEST_XAPIC", "ICR_DEST_X2APIC"), ("ICR_DEST_X2APIC", "ICR_DEST_XAPIC"),
    ("BROADCAST_XAPIC", "BROADCAST_X2APIC"), ("BROADCAST_X2APIC", "BROADCAST_XAPIC"),
    ("apic_id", "logical_id"), ("logical_id", "apic_id"), ("hears", "is_enabled"),
)  # fmt: skip
"""Names that stand where another of their kind would do as well."""
LOCALS = {"mda", "own"}
TEXTS = (
    ("fixed", "nmi"), ("lowest", "fixed"), ("smi", "nmi"), ("nmi", "smi"),
    ("remote-read", "nmi"), ("init", "nmi"), ("sipi", "nmi"), ("reserved", "smi"),
    ("none", "self"), ("self", "all"), ("all-but-self", "all"), ("x2apic", "xapic"),
)  # fmt: skip

STACK = "state.ppr = ppr(state.tpr, 1 << state.isrvec[-1] if state.isrvec else "
SIZE = "a decoded ICR is the same from the cache and not from it"
SENDER = "the words do not say who sends it"
CLEAR = "the bit is still 0 where it is set"
EQUIVALENT = {
    "icr ^= ICR_LOGICAL if logical else 0": CLEAR,
    "icr ^= ICR_LEVEL if level else 0": CLEAR,
    "icr ^= ICR_ASSERT if assert_ else 0": CLEAR,
    "in_service = max(highest(isr), 1)": "1 is of the same class as 0",
    "in_service = max(highest(isr), -1)": "-1 >> 4 is below every class, as is 0 >> 4 "
    "or at it, and the TPR stands either way",
    STACK + "1)": "vector 0 is of class 0, which is no more than nothing",
    STACK + "-1)": "the length of -1 in bits is 1: vector 0, of class 0",
    "@dataclass(frozen=True, slots=False)": "costs memory and changes nothing",
    "@lru_cache(maxsize=1025)  # a guest sends the same few again and again": SIZE,
    "@lru_cache(maxsize=1025)": SIZE,
    "@lru_cache(maxsize=1023)": SIZE,
    "if ipi.vector > LOWEST_LEGAL:": "16 is looked at then, and is legal",
    "request = decode(icr, x2apic=x2apic, sender=1)": SENDER,
    "request = decode(icr, x2apic=x2apic, sender=-1)": SENDER,
    "@lru_cache(maxsize=1023)  # a guest sends the same few again and again": SIZE,
}
"""Mutants that no test can kill, by the line as it becomes, with the reason."""


@dataclass(frozen=True)
class Mutant:
    """An entry of the list; `apic_mutants` has the same, but it loads the engine."""

    file: str
    before: str
    after: str
    nth: int = 0
    killed: str = ""
    oracle: bool = False
    equivalent: str = ""


class Change(NamedTuple):
    """One token of one line, and what stands there instead."""

    row: int
    """Line, from 1."""
    start: int
    end: int
    new: str


def changes(text: str) -> list[Change]:
    """Return every change that there is for a source, in its order."""
    tree = ast.parse(text)
    skipped = _annotations(tree)
    found = [
        Change(row, start, end, new)
        for row, start, end, news in _tokens(text, tree)
        if not any(low <= (row, start) < high for low, high in skipped)
        for new in news
    ]
    return sorted(set(found))


Span = tuple[tuple[int, int], tuple[int, int]]


def _annotations(tree: ast.Module) -> list[Span]:
    """Return where types, imports and parameters stand, which do nothing."""
    spans = []
    for node in ast.walk(tree):
        quiet: list[ast.AST | None] = []
        if isinstance(node, ast.FunctionDef):
            quiet = [node.returns]
        elif isinstance(node, ast.arg | ast.AnnAssign):
            quiet = [node.annotation]
        elif isinstance(node, ast.Import | ast.ImportFrom):
            quiet = [node]
        for each in quiet:
            if isinstance(each, ast.expr | ast.stmt):
                assert each.end_lineno is not None
                assert each.end_col_offset is not None
                low = (each.lineno, each.col_offset)
                spans.append((low, (each.end_lineno, each.end_col_offset)))
    return spans


def _tokens(
    text: str, tree: ast.Module
) -> Iterator[tuple[int, int, int, tuple[str, ...]]]:
    """Give each token that can be another, with what it can be."""
    used = _names(tree)
    stars = _keyword_only(text)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        at, old = token.start, token.string
        news: tuple[str, ...] = ()
        if token.type == tokenize.OP and at not in stars:
            news = OPERATORS.get(old, ())
        elif token.type == tokenize.NUMBER:
            news = _numbers(old)
        elif token.type == tokenize.STRING:
            news = tuple(f'"{new}"' for was, new in TEXTS if old == f'"{was}"')
        elif old in WORDS:
            news = WORDS[old]
        elif at in used:
            news = tuple(new for was, new in SIBLINGS if was == old)
        if news:
            yield at[0], at[1], token.end[1], news
    for row, start, end, new in _memberships(text, tree):
        yield row, start, end, (new,)


def _numbers(old: str) -> tuple[str, ...]:
    value = int(old.replace("_", ""), 0)
    style = "#x" if old.startswith("0x") else "d"
    return f"{value + 1:{style}}", f"{value - 1:{style}}"


def _names(tree: ast.Module) -> set[tuple[int, int]]:
    """Return where names are used that have siblings: fields, constants, `mda`."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load) and (
                node.id.isupper() or node.id in LOCALS
            ):
                found.add((node.lineno, node.col_offset))
        elif isinstance(node, ast.Attribute):
            assert node.end_col_offset is not None
            assert node.end_lineno is not None
            found.add((node.end_lineno, node.end_col_offset - len(node.attr)))
    return found


def _keyword_only(text: str) -> set[tuple[int, int]]:
    """Return where a star is no operator."""
    lines = text.split("\n")
    return {
        (row, line.index("*"))
        for row, line in enumerate(lines, 1)
        if "*," in line or "(*" in line
    }


def _memberships(text: str, tree: ast.Module) -> Iterator[Change]:
    """Give each `in` and `not in` that compares, turned round."""
    lines = text.split("\n")
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In):
            left = node.left
            assert left.end_col_offset is not None
            at = lines[left.lineno - 1].index(" in ", left.end_col_offset) + 1
            yield Change(left.lineno, at, at + 2, "not in")


# Trying one.


class Instead(MetaPathFinder, Loader):
    """Loads a text in the place of one module."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text

    def find_spec(
        self, fullname: str, _path: object = None, _target: object = None
    ) -> ModuleSpec | None:
        """Answer for that module only."""
        if fullname != self.name:
            return None
        return ModuleSpec(fullname, self, origin=str(SOURCES / "mutant.py"))

    def exec_module(self, module: ModuleType) -> None:
        """Execute the text."""
        exec(compile(self.text, self.name, "exec"), module.__dict__)


def killer(file: str, text: str) -> str:
    """Return the first test that a source fails, or nothing; in another process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            os._exit(_run(file, text, writing))
        finally:  # whatever happens, no second parent
            os._exit(3)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "no end"
    return said or ("" if os.WEXITSTATUS(status) == 0 else "import")


def _run(file: str, text: str, writing: int) -> int:
    """Be the child: run the tests, and write the name of the one that failed."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(SECONDS)
    name = f"lapis_engine.apic.{file.removesuffix('.py')}"
    sys.meta_path.insert(0, Instead(name, text))

    class Watch:
        @staticmethod
        def pytest_runtest_logreport(report: pytest.TestReport) -> None:
            if report.failed:
                os.write(writing, report.nodeid.split("/")[-1].split("[")[0].encode())

    # The first failure is enough: its smallest form is for people.
    phases = (Phase.explicit, Phase.generate)
    settings.register_profile(
        "mutants", derandomize=True, deadline=None, database=None, phases=phases
    )
    settings.load_profile("mutants")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    options = ["-x", "-q", "--assert=plain", "-p", "no:cacheprovider"]
    options += ["-o", "addopts=--import-mode=importlib"]
    for each in TESTS[file]:
        code = pytest.main([*options, str(HERE / f"test_apic_{each}.py")], [Watch()])
        if code:
            return int(code)
    return 0


def by_oracle(file: str, text: str) -> bool:
    """Tell whether the oracle alone finds it, in another process too."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(SECONDS)
        sys.path.insert(0, str(HERE.parent))
        from rigs import apic_mutants  # noqa: PLC0415 - not before the fork: it loads the engine

        try:
            module = apic_mutants.load(file, text)
            os._exit(1 if apic_mutants.disagreement(file, module) else 0)
        except BaseException:  # noqa: BLE001 - one that does not load is not compared
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFEXITED(status) and os.WEXITSTATUS(status) == 1


def mutants(file: str, text: str) -> Iterator[tuple[Mutant, str]]:
    """Give each mutant of a source as the list has it, and its whole text."""
    for change in changes(text):
        lines = text.split("\n")
        line = lines[change.row - 1]
        nth = [each.strip() for each in lines[: change.row - 1]].count(line.strip())
        new = line[: change.start] + change.new + line[change.end :]
        lines[change.row - 1] = new
        if not _compiles("\n".join(lines)):
            continue
        why = EQUIVALENT.get(new.strip(), "")
        mutant = Mutant(file, line.strip(), new.strip(), nth, equivalent=why)
        yield mutant, "\n".join(lines)


def _compiles(text: str) -> bool:
    """Tell whether it is Python at all."""
    try:
        compile(text, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def tried(mutant: Mutant, text: str) -> Mutant:
    """Run the tests on a mutant; return it with what killed it."""
    dead = killer(mutant.file, text)
    assert not (dead and mutant.equivalent), f"{mutant} is not: {dead}"
    found = bool(dead) and dead != "no end" and by_oracle(mutant.file, text)
    said = dead or mutant.equivalent or "SURVIVED"
    sys.stdout.write(f"{said:60} {mutant.file} {mutant.after}\n")
    sys.stdout.flush()
    return replace(mutant, killed=dead, oracle=found)


def table(mutant: Mutant) -> str:
    """Write an entry of the list."""
    out = ["[[mutant]]"]
    for name, value in asdict(mutant).items():
        if isinstance(value, str) and value:
            quoted = f"'{value}'" if "'" not in value else f'"{value}"'
            out.append(f"{name} = {quoted}")
        elif not isinstance(value, str) and value:
            out.append(f"{name} = {str(value).lower()}")
    return "\n".join(out) + "\n"


def main(*, everything: bool) -> None:
    """Write the list anew; what it says of a mutant already killed stands."""
    known = {} if everything or not LIST.exists() else _known()
    tables = []
    for file in FILES:
        for mutant, text in mutants(file, (SOURCES / file).read_text()):
            key = (file, mutant.before, mutant.nth, mutant.after)
            tables.append(table(known.get(key) or tried(mutant, text)))
    LIST.write_text(HEAD + "\n" + "\n".join(tables))


def _known() -> dict[tuple[str, str, int, str], Mutant]:
    """Return what the list says of those that are killed or equivalent."""
    found = (Mutant(**each) for each in tomllib.loads(LIST.read_text())["mutant"])
    return {
        (each.file, each.before, each.nth, each.after): each
        for each in found
        if each.killed or each.equivalent
    }


if __name__ == "__main__":
    main(everything="--all" in sys.argv[1:])
