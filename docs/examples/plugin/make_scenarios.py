"""Makes the recordings of the scenarios anew."""

from pathlib import Path

import lapis_example
from lapis_plugins.host import discover
from lapis_sessions.gallery import catalog, recipe

if __name__ == "__main__":
    host = discover(installed=False)
    host.register(lapis_example, "example")
    folder = Path(lapis_example.__file__).parent / "scenarios"
    for scenario in catalog.everything(catalog.within(folder)):
        recipe.make(scenario, host.extensions, folder)
