"""Makes the recordings of the scenario gallery anew, all or those named.

`python tests/sessions/build_gallery.py [SCENARIO ...]`, after a change of the engine,
of a guest or of a scenario. Then look at what `lapis scenarios --check` says.
"""

import sys

from lapis_plugins.host import discover
from lapis_sessions.gallery import catalog, recipe


def main(names: list[str]) -> None:
    extensions = discover().extensions
    known = extensions.scenarios
    wanted = [catalog.find(name, known) for name in names] or catalog.everything(known)
    for scenario in wanted:
        for path in recipe.make(scenario, extensions, catalog.home()):
            sys.stdout.write(f"{path.stat().st_size:>7} bytes  {path.name}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
