"""What the engine brings, apart from devices: lints, explainers, profiles, loaders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.boot.detect import LOADERS
from lapis_engine.explain import EXPLAINERS
from lapis_engine.lints.catalog import LINTS
from lapis_engine.profiles.catalog import PROFILES
from lapis_plugins.spec import hookimpl
from lapis_sessions.extensions import Explainer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.boot.detect import Loader
    from lapis_engine.lints.lint import Lint
    from lapis_engine.profiles.switches import Profile


@hookimpl
def lapis_lints() -> Sequence[Lint]:
    """Return the lints of the engine."""
    return tuple(LINTS.values())


@hookimpl
def lapis_explainers() -> Sequence[Explainer]:
    """Return the registers that the engine explains."""
    return [Explainer(name, explain) for name, explain in EXPLAINERS.items()]


@hookimpl
def lapis_profiles() -> Sequence[Profile]:
    """Return the processors and hypervisors of history."""
    return tuple(PROFILES.values())


@hookimpl
def lapis_loaders() -> Sequence[Loader]:
    """Return multiboot and ELF."""
    return LOADERS
