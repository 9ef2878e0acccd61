"""Raw values in words: a sentence as users read it, fields as the SDM cuts them."""

import pytest

from lapis_engine.errors import ConfigError
from lapis_engine.explain import EXPLAINERS, Field, explain, icr_text


@pytest.mark.parametrize(
    ("icr", "text"),
    [
        (0xC4500, "INIT, physical, assert, edge, all excluding self"),
        (
            0xC4610,
            (
                "STARTUP vector 0x10 (start 0x10000), physical, assert, edge, "
                "all excluding self"
            ),
        ),
        (0x84500, "INIT, physical, assert, edge, all including self"),
        (0x44500, "INIT, physical, assert, edge, self"),
        (0xC8500, "INIT, physical, de-assert, level, all excluding self"),
        (0xC0500, "INIT, physical, de-assert, edge, all excluding self"),
        (0xC4400, "NMI, physical, assert, edge, all excluding self"),
        (
            0xC4608,
            (
                "STARTUP vector 0x08 (start 0x8000), physical, assert, edge, "
                "all excluding self"
            ),
        ),
        (
            0x000008FB,
            "FIXED vector 0xfb, logical, de-assert, edge, to logical destination 0x0",
        ),
        (
            0x0300_0000_0000_4131,
            "LOWEST PRIORITY vector 0x31, physical, assert, edge, to APIC id 0x3",
        ),
        (
            0xFF00_0000_0000_C831,
            "FIXED vector 0x31, logical, assert, level, to everyone (broadcast)",
        ),
        (0x0100_0000_0000_4200, "SMI, physical, assert, edge, to APIC id 0x1"),
        (
            0x0100_0000_0000_0300,
            "REMOTE READ, physical, de-assert, edge, to APIC id 0x1",
        ),
        (0x44700, "reserved mode 7, physical, assert, edge, self"),
    ],
)
def test_an_icr_in_words(icr: int, text: str) -> None:
    assert icr_text(icr) == text
    assert explain("icr", icr).text == text


@pytest.mark.parametrize(
    ("icr", "tail"),
    [
        (0x0000_00FF_0000_4031, "to APIC id 0xff"),
        (0xFFFF_FFFF_0000_4031, "to everyone (broadcast)"),
        (0x0001_0003_0000_4831, "to logical destination 0x10003"),
        (0x0000_0002_000C_4031, "all excluding self"),
    ],
)
def test_an_x2apic_icr_has_a_destination_of_32_bits(icr: int, tail: str) -> None:
    assert icr_text(icr, x2apic=True).endswith(f", {tail}")


def test_the_fields_of_an_icr() -> None:
    assert explain("icr", 0x1200_0000_000C_D6A5).fields == (
        Field("destination", "63:56", 0x12, ""),
        Field("shorthand", "19:18", 3, "all-but-self"),
        Field("trigger", "15", 1, "level"),
        Field("level", "14", 1, "assert"),
        Field("delivery status", "12", 1, ""),
        Field("destination mode", "11", 0, "physical"),
        Field("delivery mode", "10:8", 6, "STARTUP"),
        Field("vector", "7:0", 0xA5, ""),
    )


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (0x1_0000, "fixed vector 0x00, edge, masked, timer one-shot"),
        (0x2_00EC, "fixed vector 0xec, edge, not masked, timer periodic"),
        (0x4_0031, "fixed vector 0x31, edge, not masked, timer TSC-deadline"),
        (0x0700, "ExtINT vector 0x00, edge, not masked, timer one-shot"),
        (0x1_8400, "NMI vector 0x00, level, masked, timer one-shot"),
        (0x0231, "SMI vector 0x31, edge, not masked, timer one-shot"),
        (0x0500, "INIT vector 0x00, edge, not masked, timer one-shot"),
    ],
)
def test_an_lvt_in_words(raw: int, text: str) -> None:
    assert explain("lvt", raw).text == text


def test_the_fields_of_an_lvt() -> None:
    assert explain("lvt", 0x3_F7A5).fields == (
        Field("timer mode", "18:17", 1, "periodic"),
        Field("mask", "16", 1, "masked"),
        Field("trigger", "15", 1, "level"),
        Field("remote IRR", "14", 1, ""),
        Field("polarity", "13", 1, ""),
        Field("delivery status", "12", 1, ""),
        Field("delivery mode", "10:8", 7, "ExtINT"),
        Field("vector", "7:0", 0xA5, ""),
    )


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (0xFEE0_0900, "xAPIC, BSP, page at 0xfee00000"),
        (0xFEE0_0C00, "x2APIC, AP, page at 0xfee00000"),
        (0xFED0_0100, "disabled, BSP, page at 0xfed00000"),
        (0xFEE0_0400, "invalid, AP, page at 0xfee00000"),
    ],
)
def test_apicbase_in_words(raw: int, text: str) -> None:
    found = explain("apicbase", raw)
    assert found.text == text
    assert [(f.name, f.bits, f.value) for f in found.fields] == [
        ("base", "51:12", raw >> 12),
        ("EN", "11", raw >> 11 & 1),
        ("EXTD", "10", raw >> 10 & 1),
        ("BSP", "8", raw >> 8 & 1),
    ]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (0xFF, "disabled by software, spurious vector 0xff"),
        (0x3EF, "enabled, spurious vector 0xef"),
    ],
)
def test_svr_in_words(raw: int, text: str) -> None:
    found = explain("svr", raw)
    assert found.text == text
    assert [(f.bits, f.value) for f in found.fields] == [
        ("9", raw >> 9), ("8", raw >> 8 & 1), ("7:0", raw & 0xFF),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (0, "no error"),
        (0x20, "send illegal vector"),
        (0xC0, "illegal register address, receive illegal vector"),
        (
            0x1F,
            (
                "redirectable IPI, receive accept error, send accept error, "
                "receive checksum error, send checksum error"
            ),
        ),
    ],
)
def test_the_esr_in_words(raw: int, text: str) -> None:
    found = explain("esr", raw)
    assert found.text == text
    assert [f.bits for f in found.fields] == list("76543210")
    assert sum(f.value << int(f.bits) for f in found.fields) == raw


@pytest.mark.parametrize("what", EXPLAINERS)
def test_any_64_bit_value_can_be_explained(what: str) -> None:
    for raw in (0, (1 << 64) - 1):
        found = explain(what, raw)
        assert (found.what, found.raw) == (what, raw)
        assert found.text
    for bad in (-1, 1 << 64):
        with pytest.raises(ConfigError, match="is not a 64-bit value"):
            explain(what, bad)


def test_what_cannot_be_explained_is_said_with_what_can() -> None:
    with pytest.raises(ConfigError, match="icr, lvt, apicbase, svr, esr"):
        explain("cr0", 0)
