# SPDX-License-Identifier: Apache-2.0
import base64
import dataclasses

import pytest
from tests.nitro_pki import (
    ENCLAVE_MODULE,
    MODULE,
    NONCE,
    NOW,
    PCRS,
    document,
    enclave_document,
    enclave_pki,
    good_pki,
    payload,
    raw_document,
    raw_fields,
    sign,
)

from strongroom.errors import FormatError
from strongroom.formats import cbor, cose
from strongroom.formats.attestation_document import (
    MAX_DOCUMENT_BYTES,
    PROTECTED_ES384,
    AttestationDocument,
    EnclaveDocument,
    parse_enclave_document,
    parse_nitrotpm_document,
    unverified_claims,
)
from strongroom.formats.pcrs import PcrDigests


def refused(data, code, parse=parse_nitrotpm_document):
    with pytest.raises(FormatError) as caught:
        parse(data)
    assert caught.value.code == code, caught.value
    return caught.value


def test_a_document_gives_out_what_a_verifier_needs():
    parsed = parse_nitrotpm_document(document())
    assert type(parsed) is AttestationDocument
    assert parsed.claimed_timestamp == NOW
    assert parsed.certificate == good_pki().certificates["leaf"]
    assert parsed.cabundle == good_pki().cabundle
    claims = unverified_claims(parsed)
    assert (claims.module_id, claims.nonce, claims.user_data) == (MODULE, NONCE, None)
    assert claims.pcrs == PcrDigests.of(PCRS)


@pytest.mark.attack("A22")
def test_an_unverified_document_has_no_public_way_to_its_claims():
    public = {name for name in dir(parse_nitrotpm_document(document())) if not name.startswith("_")}
    assert public == {"envelope", "certificate", "cabundle", "claimed_timestamp"}
    assert "claims" not in repr(parse_nitrotpm_document(document()))


@pytest.mark.attack("A22")
def test_only_the_verifier_and_inspect_read_unverified_claims():
    from pathlib import Path

    source = Path(__file__).parents[3] / "src/strongroom"
    readers = {str(f.relative_to(source)) for f in source.rglob("*.py") if "unverified_claims" in f.read_text()}
    assert readers == {"formats/attestation_document.py", "appraisal/evidence.py", "cli/inspect_document.py"}


def test_tagged_and_untagged_documents_are_the_same():
    untagged, tagged = parse_nitrotpm_document(document()), parse_nitrotpm_document(b"\xd2" + document())
    assert tagged.certificate == untagged.certificate
    assert tagged.envelope.payload_offset == untagged.envelope.payload_offset + 1


def test_absent_and_null_optionals_are_the_same():
    absent = raw_document(public_key=..., user_data=..., nonce=...)
    assert unverified_claims(parse_nitrotpm_document(absent)) == unverified_claims(
        parse_nitrotpm_document(raw_document())
    )


@pytest.mark.parametrize("field", ["public_key", "user_data", "nonce"])
@pytest.mark.parametrize("length", [0, 1, 1024])
def test_optional_fields_have_up_to_1024_bytes(field, length):
    claims = unverified_claims(parse_nitrotpm_document(raw_document(**{field: b"x" * length})))
    assert getattr(claims, field) == b"x" * length


@pytest.mark.parametrize("field", ["public_key", "user_data", "nonce"])
def test_longer_optional_fields_are_refused(field):
    refused(raw_document(**{field: b"x" * 1025}), "cbor.wrong-length")


@pytest.mark.attack("A11")
def test_the_other_kind_is_refused_by_name():
    pki = enclave_pki()
    error = refused(enclave_document(pki), "document.wrong-kind")
    assert "found a Nitro Enclaves document" in str(error)
    error = refused(document(), "document.wrong-kind", parse_enclave_document)
    assert "found a NitroTPM document" in str(error)
    assert type(parse_enclave_document(enclave_document(pki))) is EnclaveDocument


@pytest.mark.attack("A11")
def test_a_document_of_both_kinds_is_refused():
    refused(raw_document(pcrs=dict(PCRS)), "cbor.unknown-key")


@pytest.mark.attack("A11")
def test_the_two_types_are_not_interchangeable():
    assert not issubclass(EnclaveDocument, AttestationDocument)
    assert not issubclass(AttestationDocument, EnclaveDocument)


@pytest.mark.attack("A9")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"module_id": ...}, "cbor.missing-key"),
        ({"digest": ...}, "cbor.missing-key"),
        ({"timestamp": ...}, "cbor.missing-key"),
        ({"nitrotpm_pcrs": ...}, "cbor.missing-key"),
        ({"certificate": ...}, "cbor.missing-key"),
        ({"cabundle": ...}, "cbor.missing-key"),
        ({"tenth": b""}, "cbor.unknown-key"),
        ({"module_id": None}, "cbor.wrong-type"),
        ({"module_id": b"i-0123456789abcdef0-tpm0000000000000000"}, "cbor.wrong-type"),
        ({"module_id": ""}, "cbor.wrong-length"),
        ({"module_id": "x" * 129}, "cbor.wrong-length"),
        ({"module_id": ENCLAVE_MODULE}, "document.module-id"),
        ({"module_id": MODULE.upper()}, "document.module-id"),
        ({"module_id": MODULE + "0"}, "document.module-id"),
        ({"module_id": MODULE + "\n"}, "document.module-id"),
        ({"module_id": MODULE.replace("i-", "i-0")}, "document.module-id"),
        ({"module_id": MODULE.removeprefix("i-")}, "document.module-id"),
        ({"digest": "SHA256"}, "document.digest"),
        ({"digest": "sha384"}, "document.digest"),
        ({"timestamp": 0}, "document.timestamp"),
        ({"timestamp": -1}, "cbor.wrong-type"),
        ({"timestamp": 253_402_300_800_000}, "document.timestamp"),
        ({"timestamp": 2**64 - 1}, "document.timestamp"),
        ({"nitrotpm_pcrs": {}}, "document.no-pcrs"),
        ({"nitrotpm_pcrs": []}, "cbor.wrong-type"),
        ({"nitrotpm_pcrs": {32: bytes(48)}}, "document.pcr-index"),
        ({"nitrotpm_pcrs": {-1: bytes(48)}}, "cbor.wrong-type"),
        ({"nitrotpm_pcrs": {"4": bytes(48)}}, "cbor.wrong-type"),
        ({"nitrotpm_pcrs": {4: bytes(47)}}, "cbor.wrong-length"),
        ({"nitrotpm_pcrs": {4: bytes(49)}}, "cbor.wrong-length"),
        ({"nitrotpm_pcrs": {4: bytes(32)}}, "cbor.wrong-length"),
        ({"nitrotpm_pcrs": {4: "0" * 48}}, "cbor.wrong-type"),
        ({"nitrotpm_pcrs": {4: None}}, "cbor.wrong-type"),
        ({"certificate": b""}, "cbor.wrong-length"),
        ({"certificate": bytes(1025)}, "cbor.wrong-length"),
        ({"certificate": None}, "cbor.wrong-type"),
        ({"cabundle": []}, "cbor.wrong-length"),
        ({"cabundle": [b""]}, "cbor.wrong-length"),
        ({"cabundle": [bytes(1025)]}, "cbor.wrong-length"),
        ({"cabundle": [b"x"] * 9}, "cbor.wrong-length"),
        ({"cabundle": None}, "cbor.wrong-type"),
        ({"nonce": "text"}, "cbor.wrong-type"),
    ],
)
def test_every_field_has_one_type_and_bounds(changes, code):
    error = refused(raw_document(**changes), code)
    assert error.offset is not None
    assert error.spec


def test_an_error_points_at_the_byte():
    data = raw_document(digest="SHA256")
    error = refused(data, "document.digest")
    assert data[error.offset :].startswith(b"\x66SHA256")


@pytest.mark.attack("A9")
def test_a_duplicate_field_is_refused():
    body = payload()
    doubled = body[:-1] + cbor.encode("nonce") + cbor.encode(b"another") + b"\xff"
    refused(sign(doubled), "cbor.duplicate-key")


@pytest.mark.attack("A13")
def test_a_duplicate_pcr_is_refused():
    one = cbor.encode({4: bytes(48)})[1:]
    fields = raw_fields()
    pieces = [
        cbor.encode(name) + (b"\xa2" + one + one if name == "nitrotpm_pcrs" else cbor.encode(value))
        for name, value in fields.items()
    ]
    refused(sign(b"\xbf" + b"".join(pieces) + b"\xff"), "cbor.duplicate-key")


@pytest.mark.attack("A9")
def test_trailing_bytes_are_refused_outside_and_inside():
    refused(document() + b"\0", "cbor.trailing-bytes")
    refused(sign(payload() + b"\0"), "cbor.trailing-bytes")


@pytest.mark.attack("A7")
@pytest.mark.parametrize(
    "protected",
    [
        {1: -7},
        {1: -8},
        {1: 5},
        {1: "ES384"},
        {1: -36},
        {},
        {4: b"key"},
        {1: -35, 4: b"key"},
        {1: -35, 2: [4], 4: b"key"},
    ],
)
def test_only_the_exact_protected_header_is_read(protected):
    error = refused(sign(payload(), protected=cbor.encode(protected)), "document.protected-header")
    assert "a1013822" in str(error)


@pytest.mark.attack("A7")
def test_an_algorithm_in_the_unprotected_header_is_refused():
    parsed = cose.parse_cose_sign1(document(), cbor.Profile.AWS)
    data = cbor.encode([parsed.protected, {1: -35}, parsed.payload, parsed.signature])
    refused(data, "cose.unprotected")


@pytest.mark.attack("A7")
def test_a_protected_header_in_longer_form_is_refused():
    refused(sign(payload(), protected=b"\xa1\x01\x39\x00\x22"), "document.protected-header")


@pytest.mark.attack("A7")
@pytest.mark.parametrize("length", [1, 64, 95, 97, 104, 132])
def test_only_raw_signatures_of_p384_are_read(length):
    data = cose.encode_cose_sign1(PROTECTED_ES384, payload(), b"\x30" * length)
    error = refused(data, "document.signature-length")
    assert error.offset == len(data) - length


@pytest.mark.attack("A10")
def test_large_files_are_refused_before_anything_is_read():
    error = refused(document() + bytes(MAX_DOCUMENT_BYTES), "document.too-large")
    assert error.offset == MAX_DOCUMENT_BYTES


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "an empty file"),
        (b"-----BEGIN CERTIFICATE-----\n", "a PEM certificate"),
        (b"-----BEGIN PUBLIC KEY-----\n", "a PEM file"),
        (b'{"Measurements": {}}', "a measurements file"),
        (b"[]", "JSON text"),
        (base64.b64encode(document()), "an attestation document in base64 text"),
        (document().hex().encode(), "an attestation document in hex text"),
        (b"MZ\x90\x00", "a PE image"),
        (b"\x1f\x8b\x08", "a gzip file"),
        (b"\x7fELF\x02", "an ELF program"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
        (b"\x30\x80\x06", "BER"),
        (b"\x30\x82\x06\x00", "DER"),
        (b"00" * 40, "hex text"),
        (b"c2VjcmV0IHNlY3JldCBzZWNyZXQ=\n", "base64 text"),
        (b"hello there, world\n", "plain text"),
        (b"\xff\xfe\x00\x01", "no format that Strongroom knows"),
    ],
)
def test_what_is_no_document_is_named(data, words):
    assert words in str(refused(data, "document.not-a-document"))


def test_a_document_of_a_bundle_says_so():
    error = refused(sign(payload(), protected=cbor.encode({1: -8, 3: "x", 4: b"k"})), "document.protected-header")
    assert "perhaps a Strongroom bundle" in str(error)


def test_encoding_writes_what_genuine_documents_hold(genuine_vectors):
    from strongroom.formats.attestation_document import encode_nitrotpm_payload

    files = sorted((genuine_vectors / "documents").glob("nitrotpm-*.cbor"))
    assert files
    for file in files:
        parsed = parse_nitrotpm_document(file.read_bytes())
        claims = unverified_claims(parsed)
        fields = {f.name: getattr(claims, f.name) for f in dataclasses.fields(claims)}
        again = encode_nitrotpm_payload(**fields, certificate=parsed.certificate, cabundle=parsed.cabundle)
        assert again == parsed.envelope.payload
