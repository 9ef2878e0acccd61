"""Compiles the Python of the engine that the guest waits for: a script of `build_hook`.

    python engine/build_python.py OUT

`OUT/lib` has the extension modules then. They go before the `.py` of the same name when
they lie beside it, so to delete them all is to be without. `lapis_engine/compiled.py`
says which modules are compiled.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lapis_engine.compiled import is_chosen

ENGINE = Path("engine/lapis_engine")
GROUP = "lapis_engine.compiled"
"""All of them are one library of this name, and one short module each that leads there:
calls from one module to another go straight."""


def sources(engine: Path) -> list[Path]:
    """Return the modules of `engine` to compile, in order."""
    found = sorted(engine.rglob("*.py"))
    names = [".".join(it.relative_to(engine).with_suffix("").parts) for it in found]
    return [
        path
        for path, name in zip(found, names, strict=True)
        if is_chosen(name) and path.name != "__init__.py"
    ]


def main() -> None:
    """Compile; where it cannot be done this ends the process with a complaint."""
    from mypyc.build import mypycify  # noqa: PLC0415 - the list is asked for without
    from setuptools import Distribution  # noqa: PLC0415

    out = Path(sys.argv[1])
    names = [str(each) for each in sources(ENGINE)]
    extensions = mypycify(
        names, multi_file=True, opt_level="2", debug_level="0",
        target_dir=str(out / "c"), group_name=GROUP,
    )  # fmt: skip
    for each in extensions:
        each.include_dirs.append(str(out / "c" / GROUP.partition(".")[0]))
    command = Distribution({"ext_modules": extensions}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(out / "lib"), str(out / "o")
    command.ensure_finalized()
    command.run()


if __name__ == "__main__":
    main()
