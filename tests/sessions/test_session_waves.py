"""Waves of a recording, read by another's reader and held against the machine."""

import io
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from rigs.session_files import ANSWERED, DEVICES, GUESTS, Taped
from vcd.reader import TokenKind, tokenize

from lapis_engine.events import Logged
from lapis_engine.machine.machine import Machine
from lapis_sessions.recording.export import export, waves
from lapis_sessions.recording.play.named import Named
from lapis_sessions.recording.play.player import Player

STATES = {
    "never-started": 0, "wait-for-sipi": 1, "running": 2, "halted": 3, "suspended": 4,
}  # fmt: skip
MODES = {"real": 0, "protected": 1, "compat": 2, "long": 3}


@dataclass
class Dump:
    """A value change dump as a viewer has it."""

    text: str
    times: list[int] = field(default_factory=list)
    changes: dict[str, list[tuple[int, object]]] = field(default_factory=dict)
    """Of each wire, by its dotted name: when, and what it is from then on."""
    comment: str = ""
    scale: str = ""

    def at(self, wire: str, time: int) -> object:
        """Return what a wire is at a time."""
        rows = self.changes[wire]
        found = bisect_right([when for when, _ in rows], time)
        return rows[found - 1][1]


def read(data: bytes) -> Dump:
    out, scope, names, now = Dump(data.decode("ascii")), [], {}, 0
    for token in tokenize(io.BytesIO(data)):
        match token.kind:
            case TokenKind.COMMENT:
                out.comment = token.comment
            case TokenKind.TIMESCALE:
                out.scale = str(token.timescale)
            case TokenKind.SCOPE:
                scope.append(token.scope.ident)
            case TokenKind.UPSCOPE:
                scope.pop()
            case TokenKind.VAR:
                names[token.var.id_code] = ".".join([*scope, token.var.reference])
                out.changes[names[token.var.id_code]] = []
            case TokenKind.CHANGE_TIME:
                now = token.time_change
                out.times.append(now)
            case TokenKind.CHANGE_SCALAR:
                change = token.scalar_change
                value = int(change.value) if change.value in "01" else change.value
                out.changes[names[change.id_code]].append((now, value))
            case TokenKind.CHANGE_VECTOR:
                word = token.vector_change
                out.changes[names[word.id_code]].append((now, word.value))
            case _:
                pass
    assert not scope
    assert len(set(names.values())) == len(names)
    return out


def dumped(one: Named) -> Dump:
    found = read(b"".join(export.export(one, "vcd", DEVICES)))
    assert found.scale == "1 ns"
    assert all(before < after for before, after in pairwise(found.times))
    return found


def expected(machine: Machine, dump: Dump) -> dict[str, object]:
    """Return every wire's value, of the machine as it stands."""
    out: dict[str, object] = {}
    for vcpu in machine.vcpus:
        name = f"lapis.vcpu{vcpu.id}"
        tops = {"irr_top": vcpu.apic.irr, "isr_top": vcpu.apic.isr}
        out |= {
            f"{name}.state": STATES[machine.vcpu_state(vcpu.id)],
            f"{name}.mode": MODES[vcpu.regs.mode],
            f"{name}.if": vcpu.regs.rflags >> 9 & 1,
            f"{name}.ppr_class": vcpu.apic.ppr // 16,
            f"{name}.tpr_class": vcpu.apic.tpr // 16,
        }
        for each, bits in tops.items():
            found = [n for n in range(256) if bits & 1 << n]
            out[f"{name}.{each}"] = max(found) if found else "z"
        for number in range(256):
            held = bool(vcpu.apic.irr & 1 << number), bool(vcpu.apic.isr & 1 << number)
            wire = f"{name}.vectors.v{number:02x}"
            if wire in dump.changes:
                out[wire] = held[0] + 2 * held[1]
            else:
                assert held == (False, False), wire
    if machine.vm.ioapic is not None:
        for number, pin in enumerate(machine.vm.ioapic.pins):
            out[f"lapis.ioapic.pin{number}"] = int(pin.count > 0)
    if machine.vm.pic is not None:
        for number in range(16):
            chip = machine.vm.pic.slave if number > 7 else machine.vm.pic.master
            out[f"lapis.pic.irq{number}"] = chip.lines >> number % 8 & 1
    return out


def all_events(one: Named) -> list[Logged]:
    return list(Player(one, DEVICES).events())


def compared(one: Named, dump: Dump) -> int:
    """Hold the dump against the machine at its events; return the values compared.

    The machine is replayed to each event after which time goes on.
    """
    events, count = all_events(one), 0
    ends = [e.seq for e, after in pairwise(events) if after.at > e.at]
    ends += [each.seq for each in events[-1:]]
    player = Player(one, DEVICES)
    for seq in ends:
        player.to_event(seq)
        if player.machine.log.next_seq != seq + 1:
            continue  # more happened in the same instruction: the next one is as good
        now = player.machine.now
        if any(e.at <= now for e in events[seq + 1 : seq + 2]):
            continue
        for wire, value in expected(player.machine, dump).items():
            assert dump.at(wire, now) == value, (seq, now, wire, events[seq])
            count += 1
    return count


# Against the machine.

GUEST_OF = (
    "fabric-nesting",
    "fabric-extint",
    "fabric-ioapic",
    "fabric-nmi",
    "fabric-svr",
)


@pytest.mark.parametrize("guest", GUEST_OF)
def test_every_wire_is_what_the_machine_replayed_to_there_holds(
    taped: Taped, guest: str
) -> None:
    one = taped(["run 1000000"], guest=str(GUESTS / f"{guest}.bin"), cpus=2)
    assert compared(one, dumped(one)) > 1000


def test_so_it_is_of_processors_that_start_and_of_what_a_hand_does(
    taped: Taped,
) -> None:
    lines = [
        *ANSWERED,
        "irq raise 4 --isa",
        "irq raise 5",
        "ipi init --to 1",
        "run 500",
    ]
    one = taped(lines, cpus=4)
    dump = dumped(one)
    assert compared(one, dump) > 2000
    for wire in (
        "lapis.vcpu1.state", "lapis.vcpu1.mode", "lapis.vcpu1.if", "lapis.pic.irq4",
        "lapis.ioapic.pin5",
    ):  # fmt: skip
        assert len(dump.changes[wire]) > 1, wire


def test_waves_change_wherever_something_happened_and_nowhere_else(
    taped: Taped,
) -> None:
    """What is told twice alike is no change; each pulse is at an event of its kind."""
    one = taped(ANSWERED, cpus=4)
    dump, events = dumped(one), all_events(one)
    for wire, rows in dump.changes.items():
        if wire.rpartition(".")[2] in {"init", "sipi", "nmi"}:
            continue
        assert all(a[1] != b[1] for a, b in pairwise(rows)), wire
    for number in range(4):
        for kind in ("init", "sipi", "nmi"):
            about = [e for e in events if e.event.kind == kind]
            wanted = [e.at for e in about if e.event.vcpu == number]
            rows = dump.changes[f"lapis.vcpu{number}.{kind}"]
            assert [when for when, _ in rows] == sorted(set(wanted))
    assert [len(dump.changes[f"lapis.vcpu1.{k}"]) for k in ("init", "sipi", "nmi")] == [
        1, 1, 1,
    ]  # fmt: skip


def test_a_vector_waits_and_is_served_at_the_ns_of_its_events(taped: Taped) -> None:
    """ap-bringup: 0x31 is sent to vCPU 1, taken, and ended."""
    one = taped(["run 5000000"], cpus=2)
    dump, events = dumped(one), all_events(one)
    at = {
        e.event.kind: e.at
        for e in events
        if e.event.vcpu == 1 and getattr(e.event, "vector", 0) == 0x31
    }
    assert dump.changes["lapis.vcpu1.vectors.v31"] == [
        (0, 0), (at["accept"], 1), (at["deliver"], 2), (at["eoi"], 0),
    ]  # fmt: skip


def test_the_comment_says_what_the_numbers_of_the_wires_are(taped: Taped) -> None:
    comment = dumped(taped(["run 10"])).comment
    for names in (STATES, MODES):
        assert (
            ", ".join(f"{number} {name}" for name, number in names.items()) in comment
        )
    assert "ap-bringup" in comment


def test_a_name_ends_no_comment(taped: Taped) -> None:
    one = taped(["run 10"])
    head = one.recording.header
    named = type(head.image)(
        "$end $scope\x1b[2J", head.image.sha256, head.image.is_flat,
        head.image.symbols, head.image.data,
    )  # fmt: skip
    fields = {name: getattr(head, name) for name in head.__struct_fields__}
    one.recording.header = type(head)(**fields | {"image": named})
    assert r"\x24end \x24scope\x1b[2J, " in dumped(one).comment


# The writer.


def test_codes_of_wires_are_all_different() -> None:
    codes = [waves.code(number) for number in range(94 * 95 + 5)]
    assert len(set(codes)) == len(codes)
    assert max(map(len, codes)) == 3
    assert all(c.isprintable() and not c.isspace() for each in codes for c in each)


def made(*moments: tuple[int, Callable[[waves.Waves, waves.Wire], None]]) -> str:
    it = waves.Waves()
    wire = it.wire(("top",), "w", 8)
    it.begin(3)
    for at, do in moments:
        it.move(at)
        do(it, wire)
    return b"".join(it.pieces()).decode()


def body(text: str) -> Iterable[str]:
    return text.partition("$dumpvars\n")[2].splitlines()


def test_of_one_moment_the_last_value_is_told() -> None:
    text = made(
        (5, lambda it, w: it.put(w, 1)), (5, lambda it, w: it.put(w, 2)),
        (6, lambda it, w: it.put(w, 2)), (9, lambda it, w: it.put(w, None)),
    )  # fmt: skip
    assert body(text) == ["b0 !", "$end", "#5", "b10 !", "#9", "bz !", "#10"]


def test_what_comes_back_within_a_moment_is_no_change() -> None:
    text = made((5, lambda it, w: it.put(w, 1)), (5, lambda it, w: it.put(w, 0)))
    assert body(text) == ["b0 !", "$end", "#6"]


def test_scopes_are_told_once_each_and_in_order() -> None:
    it = waves.Waves()
    for scope in (("t", "v10"), ("t", "v9"), ("t", "v10", "in"), ("t",), ("t", "v9")):
        it.wire(scope, f"w{len(it.wires)}")
    it.begin(0)
    words = [
        line.split()[2 if "module" in line else 4 if "$var" in line else 0]
        for line in b"".join(it.pieces()).decode().splitlines()
        if line.startswith(("$scope", "$var", "$upscope"))
    ]
    assert words == [
        "t", "w3", "v9", "w1", "w4", "$upscope", "v10", "w0", "in", "w2",
        "$upscope", "$upscope", "$upscope",
    ]  # fmt: skip


def test_a_long_trace_comes_in_pieces(tmp_path: Path, taped: Taped) -> None:
    one = taped(["run 1000000"], guest=str(GUESTS / "fabric-tpr.bin"))
    pieces = list(export.export(one, "vcd", DEVICES))
    assert len(pieces) > 3
    (tmp_path / "a.vcd").write_bytes(b"".join(pieces))
    assert read((tmp_path / "a.vcd").read_bytes()).changes
