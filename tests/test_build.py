"""What is compiled when Lapis is installed, and that it can be done without."""

import sys
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lapis_engine import compiled
from lapis_tui import built

ROOT = Path(__file__).parents[1]
ENGINE = ROOT / "engine" / "lapis_engine"
SUFFIX = EXTENSION_SUFFIXES[0]


def script(name: str) -> ModuleType:
    spec = spec_from_file_location(name, ROOT / "engine" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hook = script("build_hook")
python = script("build_python")


class Told:
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def display_warning(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a tree to install from, where the C is made and the Python is refused."""
    (tmp_path / hook.CPU).mkdir(parents=True)
    (tmp_path / "engine" / "build_python.py").write_text("raise SystemExit('no, no')")
    return tmp_path


MAKES_ONE = f"""
import sys
from pathlib import Path
place = Path(sys.argv[1], "lib", "lapis_engine", "apic", "access{SUFFIX}")
place.parent.mkdir(parents=True)
place.write_text("new")
"""
"""What stands for the compiler of Python."""


def install(
    tree: Path, version: str = "standard", target: str = "wheel"
) -> tuple[dict[str, Any], Told, list[str]]:
    """Return what the build is told, what the user is, and what goes into a wheel."""
    told = Told()
    it = hook.Compiled(str(tree), {}, None, None, str(tree), target, told)
    data: dict[str, Any] = {"artifacts": [], "force_include": {}, "pure_python": True}
    it.initialize(version, data)
    packed = [to for at, to in data["force_include"].items() if Path(at).exists()]
    it.finalize(version, data, "")
    assert not any(Path(at).exists() for at in data["force_include"])
    return data, told, packed


def without_compilers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")


def test_the_compiler_of_python_is_needed_on_request_alone(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = hook.Compiled(str(tree), {}, None, None, str(tree), "wheel", Told())
    monkeypatch.delenv("LAPIS_COMPILE", raising=False)
    assert it.dependencies() == []
    monkeypatch.setenv("LAPIS_COMPILE", "0")
    assert it.dependencies() == []
    monkeypatch.setenv("LAPIS_COMPILE", "1")
    assert [each.partition(">")[0] for each in it.dependencies()] == [
        "mypy",
        "setuptools",
    ]


def test_without_a_compiler_the_wheel_is_for_all(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_compilers(monkeypatch)
    monkeypatch.delenv("LAPIS_COMPILE", raising=False)
    data, told, packed = install(tree)
    pages = {str(tree / at): to for at, to in hook.PAGES.items()}
    assert data == {"artifacts": [], "force_include": pages, "pure_python": True}
    assert (len(told.warnings), packed) == (1, [])
    assert "no C compiler" in told.warnings[0]


def test_a_source_distribution_compiles_nothing(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAPIS_COMPILE", "1")
    data, told, _ = install(tree, target="sdist")
    assert (data["artifacts"], told.warnings) == ([], [])


@pytest.mark.skipif(sys.platform != "linux", reason="the C is for Linux")
def test_a_wheel_with_the_c_alone_is_for_any_python(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAPIS_COMPILE", raising=False)
    monkeypatch.setenv("CC", "true")
    data, told, packed = install(tree)
    assert data["artifacts"] == ["engine/lapis_engine/cpu/libblocks.so"]
    assert (data["tag"], data["pure_python"]) == ("py3-none-linux_x86_64", False)
    assert (told.warnings, packed) == ([], [])


def test_a_wheel_with_compiled_python_is_for_this_one(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAPIS_COMPILE", "1")
    monkeypatch.setenv("CC", "true")
    (tree / "engine" / "build_python.py").write_text(MAKES_ONE)
    data, told, packed = install(tree)
    assert (data["pure_python"], data["infer_tag"]) == (False, True)
    assert "tag" not in data
    assert packed == [f"lapis_engine/apic/access{SUFFIX}"]
    assert told.warnings == []
    assert list(tree.rglob(f"*{SUFFIX}")) == []  # nothing shadows a source


def test_an_editable_install_has_them_beside_their_sources(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAPIS_COMPILE", "1")
    (tree / "engine" / "build_python.py").write_text(MAKES_ONE)
    apic = tree / hook.ENGINE / "apic"
    apic.mkdir()
    (apic / f"old{SUFFIX}").write_text("old")
    data, _, _ = install(tree, "editable")
    assert [it.name for it in apic.iterdir()] == [f"access{SUFFIX}"]
    assert data["infer_tag"]
    monkeypatch.delenv("LAPIS_COMPILE")
    install(tree, "editable")
    assert list(apic.iterdir()) == []


@pytest.mark.parametrize("version", ["standard", "editable"])
def test_a_failure_is_told_and_python_runs(
    tree: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setenv("LAPIS_COMPILE", "1")
    monkeypatch.setenv("CC", "true")
    stale = tree / hook.ENGINE / f"old{SUFFIX}"
    stale.write_text("old")
    data, told, packed = install(tree, version)
    assert told.warnings == ["lapis: the engine stays Python: no, no"]
    assert (packed, "infer_tag" in data) == ([], False)
    assert stale.exists() == (version == "standard")  # there it is not packed


def test_the_script_and_the_program_agree_on_what_is_compiled() -> None:
    listed = [
        ".".join(it.relative_to(ROOT / "engine").with_suffix("").parts)
        for it in python.sources(ENGINE)
    ]
    assert listed == list(built.modules())
    assert "lapis_engine.apic.access" in listed
    assert "lapis_engine.cpu.layout" not in listed
    assert len(listed) > 80


def test_each_exception_is_of_something() -> None:
    for name, reason in compiled.LEFT.items():
        at = ENGINE.joinpath(*name.split("."))
        assert at.is_dir() or at.with_suffix(".py").exists(), name
        assert reason
    for folder in compiled.FOLDERS:
        assert (ENGINE / folder).is_dir() or (ENGINE / f"{folder}.py").exists()


def test_some_of_each_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    names = list(built.modules())
    monkeypatch.setattr(built, "is_extension", lambda _: True)
    assert (built.build(), built.is_compiled()) == ("compiled", True)
    monkeypatch.setattr(built, "is_extension", lambda _: False)
    assert (built.build(), built.is_compiled()) == ("python", False)
    monkeypatch.setattr(built, "is_extension", lambda name: name != names[3])
    assert built.build() == f"compiled but for 1 of {len(names)} modules"
    assert not built.is_compiled()


def test_an_extension_is_told_from_a_source() -> None:
    assert built.is_extension("_ctypes")
    assert not built.is_extension("lapis_tui.built")
    assert not built.is_extension("lapis_engine.nosuch")


def _no_compiler(path: Path, patch: pytest.MonkeyPatch) -> Path:
    patch.delenv("CC", raising=False)
    patch.setenv("PATH", str(path))
    return path / "libblocks.so"


def _named_wrongly(path: Path, patch: pytest.MonkeyPatch) -> Path:
    patch.setenv("CC", "no-such-compiler -O2")
    return path / "libblocks.so"


def _failing(path: Path, patch: pytest.MonkeyPatch) -> Path:
    patch.setenv("CC", "false")
    return path / "libblocks.so"


def _no_place(path: Path, _patch: pytest.MonkeyPatch) -> Path:
    (path / "libblocks.so").mkdir()
    return path / "libblocks.so"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (_no_compiler, "there is no C compiler (cc, gcc or clang)"),
        (_named_wrongly, "no-such-compiler does not run: No such file or directory"),
        (_failing, "false failed: "),
        (_no_place, "libblocks.so cannot be replaced: Is a directory"),
    ],
)
def test_what_hinders_compiling_is_one_sentence_and_no_exception(
    wrong: Callable[[Path, pytest.MonkeyPatch], Path],
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = wrong(tmp_path, monkeypatch)
    sources = [ENGINE / "cpu" / name for name in hook.SOURCES]
    assert hook.compile_c(sources, target) == why
    assert not target.is_file()
