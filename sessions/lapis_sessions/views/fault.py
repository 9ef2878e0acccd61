"""Why a vCPU faulted, in words.

The answer is a record of the engine, which is why its fields are a contract here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.views import page

if TYPE_CHECKING:
    from lapis_engine.why.fault import FaultAnswer, FaultLink


def text(view: FaultAnswer) -> str:
    """Return the sentence, then each exception with its rule and the SDM's section."""
    out = [f"vCPU {view.vcpu}: {view.text}"]
    out += [_line(link) for link in view.chain]
    if view.page is not None:
        out += page.text(view.page).splitlines()[:-1]
    return "\n".join(out)


def _line(link: FaultLink) -> str:
    code = link.rule or ("-" if link.name.startswith("INT ") else "(not known)")
    end = "handler entered" if link.delivered else "not delivered"
    where = "" if link.section is None else f" SDM {link.section}"
    return f"  {link.name:<9} {code:<20} {end:<15}{where}".rstrip()
