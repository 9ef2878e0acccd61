"""bhyve's stack of vectors beside the ISR: where it gives the PPR, where it checks.

Before illumos 12936, and in FreeBSD, `vlapic_update_ppr` takes the top of the stack and
panics when the stack is not the ISR; after it only `__ISRVEC_DEBUG` has one.
"""

import pytest

from lapis_engine.apic import priority
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.state import ApicState
from lapis_engine.events import EngineFault, VectorAccepted, VectorRefused
from lapis_engine.profiles.catalog import SDM, profile_named

OLD = profile_named("illumos-pre-12936")


def apic(*, old: bool = True) -> ApicState:
    state = apic_state.reset(2, OLD if old else SDM)
    state.svr = 0x1FF
    return state


def take(state: ApicState, vector: int) -> None:
    priority.accept(state, vector, False, "ipi")
    priority.deliver(state)


def stacks(state: ApicState) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
    """The stack that gives the PPR, and the one that only checks."""
    return state.isrvec, state.isrvec_view


@pytest.mark.parametrize("top", [0x50, 0x52, 0x5F])
def test_the_ppr_is_the_class_of_the_top_of_the_stack(top: int) -> None:
    state = apic()
    state.isr, state.isrvec = 1 << 0x71 | 1 << 0x22, (0x71, top)
    for tpr, wanted in ((0, 0x50), (0x4F, 0x50), (0x51, 0x51), (0x60, 0x60)):
        priority.set_tpr(state, tpr)
        assert (state.tpr, state.ppr) == (tpr, wanted)


@pytest.mark.parametrize("tpr", [0, 0x0F, 0x10, 0x5A])
def test_an_empty_stack_leaves_the_tpr_whatever_the_isr_holds(tpr: int) -> None:
    state = apic()
    state.isr = 1 << 0x71
    priority.set_tpr(state, tpr)
    assert state.ppr == tpr


def test_the_stack_that_only_checks_gives_no_ppr() -> None:
    state = apic(old=False)
    state.isrvec_view, state.isr = (0x91,), 1 << 0x52
    priority.set_tpr(state, 0)
    assert (state.ppr, state.isrvec) == (0x50, None)
    state = apic()
    state.isrvec_view, state.isrvec = (0x91,), (0x52,)
    priority.set_tpr(state, 0)
    assert state.ppr == 0x50


@pytest.mark.parametrize("name", ["isrvec", "isrvec_view"])
def test_deliveries_push_and_eois_pop(name: str) -> None:
    state = apic(old=name == "isrvec")
    if name == "isrvec_view":
        priority.watch_isrvec(state, on=True)
    other = "isrvec_view" if name == "isrvec" else "isrvec"
    seen = []
    for vector in (0x31, 0x52, 0x71):
        take(state, vector)
        seen.append(getattr(state, name))
    for _ in range(3):
        priority.eoi(state)
        seen.append(getattr(state, name))
    assert seen == [
        (0x31,), (0x31, 0x52), (0x31, 0x52, 0x71), (0x31, 0x52), (0x31,), (),
    ]  # fmt: skip
    assert getattr(state, other) is None


def test_both_stacks_push_and_pop_side_by_side() -> None:
    state = apic()
    state.isrvec, state.isrvec_view = (0x11,), (0x12, 0x13)
    take(state, 0x31)
    assert stacks(state) == ((0x11, 0x31), (0x12, 0x13, 0x31))
    priority.eoi(state)
    assert stacks(state) == ((0x11,), (0x12, 0x13))


def test_a_vector_in_service_stays_so_when_the_stack_lets_it_come_again() -> None:
    state = apic()
    state.isr = 1 << 0x31
    take(state, 0x31)
    assert (state.isr, state.isrvec, state.ppr) == (1 << 0x31, (0x31,), 0x30)


def test_an_eoi_pops_no_empty_stack() -> None:
    state = apic()
    state.isr, state.isrvec, state.isrvec_view = 1 << 0x31, (), (0x31,)
    priority.eoi(state)
    assert stacks(state) == ((), ())
    state.isr, state.isrvec, state.isrvec_view = 1 << 0x31, (0x31,), ()
    priority.eoi(state)
    assert stacks(state) == ((), ())


def test_a_stack_that_is_not_the_isr_is_a_panic_with_both_in_it() -> None:
    state = apic()
    assert priority.stack_fault(state) is None
    take(state, 0x31)
    assert priority.stack_fault(state) is None
    state.isrvec = (0x31, 0x52)
    text = "ISR and isrvec_stk out of sync (isrvec_stk 0x31 0x52; ISR 0x31)"
    assert priority.stack_fault(state) == EngineFault(2, text)
    state.isr, state.isrvec = 0, (0x31,)
    text = "ISR and isrvec_stk out of sync (isrvec_stk 0x31; ISR empty)"
    assert priority.stack_fault(state) == EngineFault(2, text)
    state.isr, state.isrvec = 1 << 9, ()
    text = "ISR and isrvec_stk out of sync (isrvec_stk empty; ISR 0x09)"
    assert priority.stack_fault(state) == EngineFault(2, text)


def test_only_the_stack_that_gives_the_ppr_panics() -> None:
    state = apic(old=False)
    state.isr, state.isrvec_view = 1 << 0x31, ()
    assert priority.stack_fault(state) is None
    assert priority.out_of_sync(state.isrvec_view, state.isr) is not None
    assert priority.out_of_sync(None, state.isr) is None
    assert priority.out_of_sync((0x31,), state.isr) is None


def test_the_check_starts_in_agreement_and_can_be_stopped() -> None:
    state = apic(old=False)
    state.isr, state.irr = 1 << 0x52 | 1 << 0x31, 1 << 0x71
    priority.watch_isrvec(state, on=True)
    assert stacks(state) == (None, (0x31, 0x52))
    priority.watch_isrvec(state, on=False)
    assert stacks(state) == (None, None)


@pytest.mark.parametrize(
    ("svr", "base", "by_manual", "by_bhyve"),
    [
        (0x1FF, 0xFEE0_0800, True, True),
        (0x1FF, 0xFEE0_0000, False, True),  # bhyve looks at SVR only
        (0x0FF, 0xFEE0_0800, False, False),
        (0x0FF, 0xFEE0_0000, False, False),
    ],
)
def test_which_switch_must_be_on_to_take_a_vector(
    svr: int, base: int, by_manual: bool, by_bhyve: bool
) -> None:
    for needs_base, wanted in ((True, by_manual), (False, by_bhyve)):
        state = apic(old=False)
        state.svr, state.apicbase = svr, base
        took = priority.accept(state, 0x41, False, "msi", needs_base=needs_base)
        why = f"the APIC is off (APICBASE {base:#x}, SVR {svr:#x})"
        assert took == (
            VectorAccepted(2, 0x41, False, "msi")
            if wanted
            else VectorRefused(2, 0x41, "msi", why)
        )
        assert state.irr == (1 << 0x41 if wanted else 0)
