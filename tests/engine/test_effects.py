"""Where results go, for encodings worked out from SDM Vol. 2."""

from __future__ import annotations

import pytest

from lapis_engine.cpu.effects import Effects, effects

ALL = ("CF", "PF", "AF", "ZF", "SF", "OF")


def made(mnemonic: str, *registers: str, **more: object) -> Effects:
    plain: dict[str, object] = {
        "indices": (), "flags": (), "stores": 0, "pushes": 0, "jumps": False,
        "repeats": False, "x87": False,
    }  # fmt: skip
    return Effects(mnemonic, registers, **(plain | more))  # type: ignore[arg-type] # by name


@pytest.mark.parametrize(
    ("code", "bits", "found"),
    [
        ("8b0425000000d0", 64, made("mov", "eax")),
        ("a10000", 16, made("mov", "ax")),
        ("8a2425000000d0", 64, made("mov", "ah")),
        ("480fbe0425000000d0", 64, made("movsx", "rax")),
        ("3b0425000000d0", 64, made("cmp", flags=ALL)),
        ("f6042500 0000d0 01", 64, made("test", flags=ALL)),
        ("8505000000d0", 32, made("test", flags=ALL)),
        ("0fa30425000000d0", 64, made("bt", flags=("CF", "PF", "AF", "SF", "OF"))),
        ("ff342500000000", 64, made("push", "rsp", pushes=8)),
        ("ff3500000000", 32, made("push", "esp", pushes=4)),
        ("ff142500000000", 64, made("call", "rsp", pushes=8, jumps=True)),
        ("ff242500000000", 64, made("jmp", jumps=True)),
        ("010425000000d0", 64, made("add", flags=ALL, stores=4)),
        ("870425000000d0", 64, made("xchg", "eax", stores=4)),
        ("f00fb10c250000d000", 64, made("cmpxchg", "eax", flags=ALL, stores=4)),
        ("480fc70c2500000000", 64,
         made("cmpxchg16b", "rax", "rdx", flags=("ZF",), stores=16)),
        ("8f0425000000d0", 64, made("pop", "rsp", stores=8)),
        ("6c", 64, made("insb", indices=("rdi",), stores=1)),
        ("f36c", 32, made("insb", indices=("edi", "ecx"), stores=1, repeats=True)),
        ("67f36d", 64, made("insd", indices=("edi", "ecx"), stores=4, repeats=True)),
        ("f26e", 16, made("outsb", indices=("si", "cx"), repeats=True)),
        ("f3a4", 64,
         made("movsb", indices=("rsi", "rdi", "rcx"), stores=1, repeats=True)),
        ("f3a6", 64,
         made("cmpsb", indices=("rsi", "rdi", "rcx"), flags=ALL, repeats=True)),
        ("66ad", 64, made("lodsw", "ax", indices=("rsi",))),
        ("f20f100425000000d0", 64, made("movsd", "xmm0")),
        ("ec", 64, made("in", "al")),
        ("ef", 32, made("out")),
        ("0f32", 64, made("rdmsr", "eax", "edx")),
        ("d90425000000d0", 64, made("fld", x87=True)),
    ],
)  # fmt: skip
def test_what_an_instruction_writes(code: str, bits: int, found: Effects) -> None:
    assert effects(bytes.fromhex(code), bits) == found


@pytest.mark.parametrize("code", ["", "0f0b0f"[:2], "06"])
def test_what_is_no_instruction_writes_nothing_that_is_known(code: str) -> None:
    assert effects(bytes.fromhex(code), 64) is None
