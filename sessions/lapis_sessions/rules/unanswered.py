"""Why no rule has answered a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.why.reason import Reason, blocks
from lapis_sessions.rules.rule import SPACES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lapis_engine.machine.requests import PendingRequest
    from lapis_sessions.rules.rule import Rule
    from lapis_sessions.scope.viewpoint import Viewpoint


def reasons(
    rules: Iterable[Rule], request: PendingRequest, session: Viewpoint
) -> Iterator[Reason]:
    """Yield for each rule what keeps it from a request."""
    for rule in rules:
        code, why = _reason(rule, request, session)
        about = f"rule {rule.number}"
        yield blocks(f"rule-{code}", f"{about}, {rule.text}: {why}", about)


def _reason(rule: Rule, request: PendingRequest, session: Viewpoint) -> tuple[str, str]:
    where = rule.where
    if rule.disabled:
        return "disabled", f"is disabled: {rule.disabled}"
    if rule.state == "used up":
        return "used-up", f"is used up, after {rule.answered} answers"
    if where.vcpu not in {None, request.vcpu}:
        return "vcpu", f"is for vCPU {where.vcpu}"
    if where.read not in {None, request.read}:
        return "direction", f"is for {'reads' if where.read else 'writes'}"
    if where.space not in {"any", SPACES.get(request.kind)}:
        return "space", f"is for {where.space}"
    if not where.matches(request):
        return "range", f"is for {where.first:#x}, {where.size:#x} long"
    if request.kind == "inst-emul":
        return "value", "gives a value, and here a fault alone is an answer"
    if rule.when is not None and not rule.applies(request, session):
        return "condition", f"{rule.when.text} does not hold"
    return "order", "would answer, and does when the machine goes on"
