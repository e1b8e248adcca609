# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import FormatError
from strongroom.formats.measurements import (
    ImageFacts,
    Measurements,
    encode_aws_measurements,
    encode_measurements,
    parse_measurements,
)
from strongroom.formats.pcrs import (
    SECURE_BOOT_OFF_PCR7_SHA384,
    SEPARATOR_ONLY_SHA384,
    ZERO_SHA384,
    PcrDigests,
    PcrIndex,
)

PCR4 = "4a" * 48
PCR7 = SECURE_BOOT_OFF_PCR7_SHA384.hex()
FACTS = ImageFacts(
    image_id="app-1.4",
    architecture="x86_64",
    root_hash="85" * 32,
    uki_digest="ab" * 48,
    kernel_digest="cd" * 48,
    stub="systemd-stub",
    stub_version="252.39-1~deb12u2",
    command_line="console=ttyS0 quiet",
    sections=((".cmdline", "01" * 48), (".linux", "02" * 48)),
    build_inputs=(("kernel", "6.1.192-2"), ("stub", "252.39-1~deb12u2")),
)


def document(*, drop=(), top=None, **changes) -> bytes:
    values = {"HashAlgorithm": "SHA384 { ... }", "PCR4": PCR4, "PCR7": PCR7, "PCR12": "00" * 48, **changes}
    return json.dumps({"Measurements": {k: v for k, v in values.items() if k not in drop}, **(top or {})}).encode()


def full(**pcrs) -> Measurements:
    values = {2: SEPARATOR_ONLY_SHA384, 4: b"\x4a" * 48, 7: b"\x07" * 48, 12: ZERO_SHA384, 13: ZERO_SHA384}
    return Measurements(PcrDigests.of(values | {int(k[3:]): v for k, v in pcrs.items()}), strongroom=FACTS)


def code_of(data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        parse_measurements(data)
    return caught.value.code


def test_aws_file_is_read_as_it_is_and_says_what_it_assumed():
    measurements = parse_measurements(document())
    assert measurements.pcrs[PcrIndex(4)].hex() == PCR4
    assert measurements.pcrs[PcrIndex(2)] == SEPARATOR_ONLY_SHA384
    assert measurements.assumed == {2, 13}
    assert [f.code for f in measurements.findings] == ["measurements.assumed"] * 2
    assert "PCR2" in measurements.findings[0].message
    assert measurements.strongroom is None


@pytest.mark.attack("B3")
def test_absent_pcr12_and_pcr13_are_zeros_and_never_just_ignored():
    measurements = parse_measurements(document(drop=["PCR12"]))
    assert measurements.pcrs[PcrIndex(12)] == measurements.pcrs[PcrIndex(13)] == ZERO_SHA384
    assert measurements.assumed == {2, 12, 13}


@pytest.mark.parametrize("algorithm", ["SHA384", "SHA384 { ... }", "SHA384 { block: 128 }"])
def test_the_hash_algorithm_is_recognised_by_its_first_word(algorithm):
    assert parse_measurements(document(HashAlgorithm=algorithm)).pcrs[PcrIndex(4)].hex() == PCR4


@pytest.mark.parametrize("algorithm", ["SHA256 { ... }", "SHA3840", "sha384", "", " SHA384"])
def test_other_hash_algorithms_are_refused(algorithm):
    assert code_of(document(HashAlgorithm=algorithm)) == "measurements.hash-algorithm"


def test_a_file_of_ours_survives_a_round_trip():
    assert parse_measurements(encode_measurements(full(pcr11=b"\x11" * 48))) == full(pcr11=b"\x11" * 48)


def test_aws_keys_only_holds_nothing_else():
    assert json.loads(encode_aws_measurements(full(pcr11=b"\x11" * 48))) == {
        "Measurements": {"HashAlgorithm": "SHA384 { ... }", "PCR4": PCR4, "PCR7": "07" * 48, "PCR12": "00" * 48}
    }


def test_pcr7_gates_only_when_secure_boot_is_on():
    assert full().gates == (2, 4, 7, 12, 13)
    assert full(pcr7=SECURE_BOOT_OFF_PCR7_SHA384).gates == (2, 4, 12, 13)


@pytest.mark.attack("A12")
@pytest.mark.attack("B8")
@pytest.mark.parametrize("name", ["PCR2", "PCR4", "PCR7"])
def test_zeros_are_no_reference_value(name):
    assert code_of(document(**{name: "00" * 48})) == "measurements.zero-pcr"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (document(PCR4="4a" * 32), "measurements.sha256"),
        (document(PCR4="4a" * 47), "measurements.wrong-length"),
        (document(PCR4="4a" * 49), "measurements.wrong-length"),
        (document(PCR4=PCR4[:-1] + "g"), "measurements.not-hex"),
        (document(PCR4=" " + PCR4[1:]), "measurements.not-hex"),
        (document(PCR4="4a " * 32), "measurements.not-hex"),
        (document(PCR4=""), "measurements.wrong-length"),
        (document(PCR4=7), "field.wrong-type"),
        (document(PCR4=None), "field.wrong-type"),
        (document(drop=["HashAlgorithm"]), "field.missing"),
        (document(drop=["PCR4"]), "measurements.missing-pcr"),
        (document(drop=["PCR7"]), "measurements.missing-pcr"),
        (document(PCR5="00" * 48), "field.unknown"),
        (document(pcr4=PCR4), "field.unknown"),
        (document(top={"Signature": ""}), "field.unknown"),
        (document(top={"strongroom": []}), "field.wrong-type"),
        (document(top={"strongroom": {"colour": "red"}}), "field.unknown"),
        (document(top={"strongroom": {"stub": "s" * 4097}}), "field.length"),
        (document(top={"strongroom": {"build_inputs": {"kernel": 6}}}), "field.wrong-type"),
        (document().replace(b'"PCR7"', b'"PCR4"'), "json.duplicate-key"),
        (b'{"Measurements": 1}', "field.wrong-type"),
        (b"[]", "field.wrong-type"),
        (b"{}", "field.missing"),
        (b'{"Measurements": NaN}', "json.number"),
        (b"", "json.syntax"),
        (b"\xff\xfe{}", "json.not-utf8"),
        (document() + b"x", "json.syntax"),
        (b"[" * 60_000, "json.too-deep"),
        (b"9" * 60_000, "json.number"),
        (b" " * 65_537, "json.too-large"),
    ],
)
def test_anything_else_is_refused_by_name(data, code):
    assert code_of(data) == code


def test_a_nitro_enclave_file_is_told_apart():
    data = b'{"Measurements": {"HashAlgorithm": "Sha384 { ... }", "PCR0": "", "PCR1": "", "PCR2": ""}}'
    with pytest.raises(FormatError) as caught:
        parse_measurements(data)
    assert caught.value.code == "measurements.enclave"
    assert "Enclave" in caught.value.remedy


def test_an_error_in_json_names_the_byte():
    with pytest.raises(FormatError) as caught:
        parse_measurements('{"é": x}'.encode())
    assert caught.value.offset == 7


def test_pcrs_that_no_image_decides_are_refused():
    with pytest.raises(FormatError) as caught:
        full(pcr1=b"\x01" * 48)
    assert caught.value.code == "measurements.unpredictable-pcr"


def test_untrusted_text_is_shown_short_and_without_control_characters():
    with pytest.raises(FormatError) as caught:
        parse_measurements(document(**{"\x1b[2J" + "x" * 500: ""}))
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 300


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_random_bytes_raise_only_format_errors(data):
    with pytest.raises(FormatError):
        parse_measurements(data)


@given(st.sampled_from("0123456789abcdefABCDEF"), st.integers(0, 95))
def test_hex_in_either_case_is_the_same_value(digit, position):
    text = PCR4[:position] + digit + PCR4[position + 1 :]
    assert parse_measurements(document(PCR4=text)) == parse_measurements(document(PCR4=text.lower()))


def test_the_example_of_the_format_is_read():
    page = (Path(__file__).parents[3] / "docs/formats/measurements.md").read_text()
    example = page.partition("```json\n")[2].partition("```")[0]
    measurements = parse_measurements(example.encode())
    assert measurements.assumed == frozenset()
    assert measurements.strongroom is not None
    assert [name for name, _ in measurements.strongroom.sections] == [".cmdline"]
