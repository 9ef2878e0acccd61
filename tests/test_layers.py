"""The layers hold, by reading the imports and by running them."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_imports_point_down_as_the_contracts_say() -> None:
    if find_spec("importlinter") is None:
        pytest.skip("import-linter is not installed")
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "module",
    ["lapis_engine.machine.machine", "lapis_sessions.session", "lapis_plugins.host"],
)
def test_headless_packages_load_no_front_end(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = set(run(code).split())
    assert module in loaded
    assert not loaded & {"textual", "rich", "prompt_toolkit"}


def test_only_the_cpu_package_and_the_bench_name_unicorn() -> None:
    sources = [p for d in ("engine", "sessions", "plugins", "tui") for p in
               (ROOT / d).rglob("*.py")]  # fmt: skip
    assert len(sources) > 50
    named = {
        p.relative_to(ROOT).parts[:3]
        for p in sources
        if any(
            line.split()[:1] in (["import"], ["from"]) and "unicorn" in line.split()[1]
            for line in p.read_text().splitlines()
        )
    }
    assert named == {
        ("engine", "lapis_engine", "cpu"),
        ("tui", "lapis_tui", "bench"),  # plain Unicorn, for `lapis bench` to divide by
    }
