"""The models that there are, by name."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.cpu.model.base import BASE
from lapis_engine.cpu.model.consistency import check
from lapis_engine.cpu.model.first import FIRST
from lapis_engine.cpu.model.lapis import LAPIS
from lapis_engine.cpu.model.leaves import HYPERVISORS
from lapis_engine.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.cpu.model.leaves import Hypervisor
    from lapis_engine.cpu.model.record import CpuModel

MODELS: Final[Mapping[str, CpuModel]] = MappingProxyType(
    {model.name: model for model in (LAPIS, BASE)}
)
"""Those to choose from."""


class Cpu(NamedTuple):
    """The processor of a machine."""

    model: CpuModel = LAPIS
    hypervisor: Hypervisor = "none"
    """What CPUID says of one."""


DEFAULT: Final = Cpu()


def cpu_named(name: str, hypervisor: str) -> Cpu:
    """Return a processor; raise `ConfigError` for an unknown model or hypervisor."""
    for known in HYPERVISORS:
        if hypervisor == known:
            return Cpu(model_named(name), known)
    raise ConfigError(f"hypervisor {hypervisor!r}: one of {', '.join(HYPERVISORS)}")


@cache
def model_named(name: str) -> CpuModel:
    """Return a model, or that of old recordings.

    Raises `ConfigError` for one that is unknown, or contradicts itself.
    """
    if name == FIRST.name:
        return FIRST
    if name not in MODELS:
        known = ", ".join(MODELS)
        raise ConfigError(f"unknown CPU model {name!r}: there are {known}")
    model = MODELS[name]
    check(model)
    return model
