# SPDX-License-Identifier: Apache-2.0
import base64
import json
from dataclasses import replace

import pytest

from strongroom.errors import FormatError
from strongroom.formats.bundle_trust import PinnedSigner, SignatureAlgorithm, SignerRole
from strongroom.formats.partition import Partition, Profile
from strongroom.formats.trust import MAX_BYTES, Tls, Trust, Vendor, encode_trust, parse_trust
from strongroom.ids import AccountId, CertificateDer, KeyId, Region, SpkiDer

REGION = Region("eu-central-1")


def der(text: str) -> CertificateDer:
    return CertificateDer(text.encode())


def trust(**changes) -> Trust:
    signer = PinnedSigner(
        KeyId(bytes(32)), SignatureAlgorithm.EDDSA, SpkiDer(b"spki"), frozenset({SignerRole.BUNDLE, SignerRole.RELEASE})
    )
    plain = Trust(
        profile=Profile.PRODUCTION,
        product="acme",
        signers=(signer,),
        floors={"db-password": 3},
        vendor=Vendor(Partition.AWS, (AccountId("111122223333"),)),
        nitro_roots=(der("nitro"),),
        tls=Tls(roots=(der("tls-1"), der("tls-2")), kms={}),
        identity_certificates={REGION: der("identity")},
    )
    return replace(plain, **changes)


def with_kms(url: object, profile: Profile = Profile.PRODUCTION, partition: Partition = Partition.AWS) -> bytes:
    members = json.loads(encode_trust(trust(profile=profile, vendor=Vendor(partition, (AccountId("111122223333"),)))))
    members["tls"]["endpoints"]["kms"] = {REGION: url}
    return encoded(members)


def encoded(members: object) -> bytes:
    return (json.dumps(members, sort_keys=True, indent=2) + "\n").encode()


def edited(path: str, value: object) -> bytes:
    """Encode the trust with one member replaced; a value of None removes it."""
    members = json.loads(encode_trust(trust()))
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place = members
    for step in steps:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return encoded(members)


def code_of(data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        parse_trust(data)
    return caught.value.code


def test_what_is_encoded_parses_to_the_same():
    assert parse_trust(encode_trust(trust())) == trust()


def test_sets_are_encoded_in_one_order():
    roots = (der("tls-2"), der("tls-1"))
    shuffled = trust(tls=Tls(roots=roots, kms={}), floors=dict(reversed([("a", 2), ("b", 3)])))
    assert encode_trust(shuffled) == encode_trust(trust(floors={"a": 2, "b": 3}))


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("version", 2, "field.range"),
        ("version", True, "field.wrong-type"),
        ("version", "1", "field.wrong-type"),
        ("version", None, "field.missing"),
        ("profile", "test", "field.choice"),
        ("product", "Acme", "field.pattern"),
        ("product", 7, "field.wrong-type"),
        ("product", "", "field.length"),
        ("product", "ac\0me", "field.control-character"),
        ("colour", "blue", "field.unknown"),
        ("signers", [], "field.length"),
        ("signers", {}, "field.wrong-type"),
        ("signers.0.key_id", "00" * 31, "field.pattern"),
        ("signers.0.key_id", "AA" * 32, "field.pattern"),
        ("signers.0.algorithm", "HS256", "field.choice"),
        ("signers.0.public_key", "c3BraQ", "field.base64"),
        ("signers.0.public_key", "c3BraR==", "field.base64"),
        ("signers.0.public_key", "", "field.base64"),
        ("signers.0.public_key", 5, "field.base64"),
        ("signers.0.public_key", base64.b64encode(bytes(1025)).decode(), "field.base64"),
        ("signers.0.roles", ["bundle", "bundle"], "field.duplicate"),
        ("signers.0.roles", ["root"], "field.choice"),
        ("signers.0.roles", [], "field.length"),
        ("floors", [], "field.wrong-type"),
        ("floors.Db", 1, "field.pattern"),
        ("floors.db-password", 0, "field.range"),
        ("floors.db-password", 2**53, "field.range"),
        ("vendor.partition", "aws-moon", "field.choice"),
        ("vendor.accounts", ["1111"], "field.pattern"),
        ("vendor.accounts", ["111122223333", "111122223333"], "field.duplicate"),
        ("vendor.accounts", [], "field.length"),
        ("nitro_roots", [], "field.length"),
        ("nitro_roots", ["bml0cm8=", "bml0cm8="], "field.duplicate"),
        ("tls.roots", [], "field.length"),
        ("tls.endpoints.kms", None, "field.missing"),
        ("tls.endpoints.sts", "https://localhost", "field.unknown"),
        ("identity_certificates", {}, "field.length"),
        ("identity_certificates.moon", "bml0cm8=", "field.pattern"),
        ("tls.roots", ["dGxzLTI=", "dGxzLTE="], "trust.not-canonical"),
    ],
)
def test_a_file_with_one_fault_is_refused_for_that_fault(path, value, code):
    assert code_of(edited(path, value)) == code


@pytest.mark.parametrize("other", [{"roles": ["release"]}, {"algorithm": "ES384"}, {"public_key": "b3RoZXI="}])
def test_one_key_stands_there_once_in_one_role_set(other):
    """Two readers could take two different ones."""
    signer = json.loads(encode_trust(trust()))["signers"][0]
    assert code_of(edited("signers", [signer, signer | other])) == "field.duplicate"


def test_an_error_names_its_place_as_a_json_path():
    with pytest.raises(FormatError, match=r"\$\.signers\[0\]\.roles\[0\]: expected one of"):
        parse_trust(edited("signers.0.roles", ["bundel"]))


def test_an_error_says_what_was_probably_meant():
    with pytest.raises(FormatError) as caught:
        parse_trust(edited("signers.0.role", ["bundle"]))
    assert caught.value.remedy == "Did you mean 'roles'?"


def test_another_encoding_of_the_same_content_is_refused():
    data = encode_trust(trust())
    for other in (data + b" ", data.replace(b": ", b":"), data.replace(b"acme", b"\\u0061cme"), b"\n" + data):
        assert code_of(other) == "trust.not-canonical"


def test_duplicate_keys_are_refused():
    data = encode_trust(trust())
    assert code_of(data.replace(b'"version": 1', b'"version": 1,\n  "version": 1')) == "json.duplicate-key"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "json.syntax"),
        (b"{", "json.syntax"),
        (b"[" * 100_000, "json.too-deep"),
        (b"\xff", "json.not-utf8"),
        (edited("version", 1.0), "field.wrong-type"),
        (b'{"version": NaN}', "json.number"),
        (b'{"version": ' + b"9" * 5000 + b"}", "json.number"),
        (b" " * (MAX_BYTES + 1), "json.too-large"),
        (b"[]", "field.wrong-type"),
        (b"null", "field.wrong-type"),
    ],
)
def test_bytes_that_are_no_strict_json_object_are_refused(data, code):
    assert code_of(data) == code


def test_a_syntax_error_names_its_byte():
    with pytest.raises(FormatError) as caught:
        parse_trust('{"ä": 1 x'.encode())
    assert caught.value.offset == 9


@pytest.mark.parametrize(
    ("url", "partition"),
    [
        ("https://kms.eu-central-1.amazonaws.com", Partition.AWS),
        ("https://kms-fips.eu-central-1.amazonaws.com", Partition.GOVCLOUD),
        ("https://vpce-0a1b2c.kms.eu-central-1.vpce.amazonaws.com", Partition.AWS),
        ("https://kms.eu-central-1.amazonaws.com.cn", Partition.CHINA),
    ],
)
def test_production_takes_the_endpoints_of_aws(url, partition):
    assert parse_trust(with_kms(url, partition=partition)).tls.kms == {REGION: url}


@pytest.mark.attack("K12")
@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://kms.example.com", "trust.endpoint-not-aws"),
        ("https://127.0.0.1:4601", "trust.endpoint-not-aws"),
        ("https://localhost", "trust.endpoint-not-aws"),
        ("https://kms.eu-central-1.amazonaws.com.example.com", "trust.endpoint-not-aws"),
        ("https://kms.eu-central-1.amazonaws.com.cn", "trust.endpoint-not-aws"),
        ("https://kmsxeu-central-1.amazonaws.com", "trust.endpoint-not-aws"),
        ("https://kms.us-east-1.amazonaws.com", "trust.endpoint-not-aws"),
        ("https://kms.eu-central-1.amazonaws.com:8443", "trust.endpoint-not-aws"),
        ("https://evil-bucket.s3.amazonaws.com", "trust.endpoint-not-aws"),
        ("https://ec2-1-2-3-4.eu-central-1.compute.amazonaws.com", "trust.endpoint-not-aws"),
        ("http://kms.eu-central-1.amazonaws.com", "trust.endpoint-scheme"),
        ("https://KMS.eu-central-1.amazonaws.com", "trust.endpoint-not-aws"),
        ("https://kms.eu-central-1.amazonaws.com/", "field.pattern"),
        ("https://x@kms.eu-central-1.amazonaws.com", "field.pattern"),
        ("https://kms.eu-central-1.amazonaws.com?x", "field.pattern"),
        ("https://[kms", "trust.endpoint-url"),
        ("https://kms:99999", "trust.endpoint-url"),
        ("https://:1", "trust.endpoint-scheme"),
    ],
)
def test_production_refuses_every_other_endpoint(url, code):
    assert code_of(with_kms(url)) == code


def with_s3(url: object, profile: Profile = Profile.PRODUCTION) -> bytes:
    members = json.loads(encode_trust(trust(profile=profile)))
    members["tls"]["endpoints"]["s3"] = {REGION: url}
    return encoded(members)


@pytest.mark.parametrize(
    "url",
    [
        "https://s3.eu-central-1.amazonaws.com",
        "https://s3-fips.eu-central-1.amazonaws.com",
        "https://bucket.vpce-0a1b-2c.s3.eu-central-1.vpce.amazonaws.com",
    ],
)
def test_s3_has_endpoints_of_its_own(url):
    parsed = parse_trust(with_s3(url))
    assert parsed.tls.s3 == {REGION: url}
    assert encode_trust(parsed) == with_s3(url)


@pytest.mark.attack("K12")
@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://kms.eu-central-1.amazonaws.com", "trust.endpoint-not-aws"),
        ("https://s3.amazonaws.com", "trust.endpoint-not-aws"),
        ("https://s3.us-east-1.amazonaws.com", "trust.endpoint-not-aws"),
        ("https://evil.s3.eu-central-1.amazonaws.com", "trust.endpoint-not-aws"),
        ("https://s3-website.eu-central-1.amazonaws.com", "trust.endpoint-not-aws"),
        ("https://vpce-0a1b.s3.eu-central-1.vpce.amazonaws.com", "trust.endpoint-not-aws"),
        ("https://s3.eu-central-1.amazonaws.com.evil.com", "trust.endpoint-not-aws"),
        ("https://127.0.0.1:4", "trust.endpoint-not-aws"),
        ("http://s3.eu-central-1.amazonaws.com", "trust.endpoint-scheme"),
        (1, "field.wrong-type"),
    ],
)
def test_production_refuses_every_other_endpoint_of_s3(url, code):
    assert code_of(with_s3(url)) == code


def test_a_rehearsal_fetches_from_this_machine():
    url = "https://10.0.2.2:4601"
    assert parse_trust(with_s3(url, Profile.REHEARSAL)).tls.s3 == {REGION: url}
    refused = with_s3("https://s3.eu-central-1.amazonaws.com", Profile.REHEARSAL)
    assert code_of(refused) == "trust.endpoint-not-local"


def test_no_endpoint_of_s3_is_written_in_one_way():
    assert code_of(edited("tls.endpoints.s3", {})) == "field.length"


@pytest.mark.attack("K12")
def test_production_has_no_metadata_endpoint():
    assert code_of(edited("tls.endpoints.imds", "http://127.0.0.1:1338")) == "trust.imds-endpoint"


@pytest.mark.parametrize(
    "url",
    ["https://localhost:4601", "https://127.0.0.1:4601", "https://127.8.9.1", "https://[::1]:4", "https://10.0.2.2:1"],
)
def test_rehearsal_takes_endpoints_of_this_machine(url):
    assert parse_trust(with_kms(url, profile=Profile.REHEARSAL)).tls.kms == {REGION: url}


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://kms.eu-central-1.amazonaws.com", "trust.endpoint-not-local"),
        ("https://10.0.3.2", "trust.endpoint-not-local"),
        ("https://localhost.example.com", "trust.endpoint-not-local"),
        ("http://127.0.0.1:4601", "trust.endpoint-scheme"),
    ],
)
def test_rehearsal_refuses_endpoints_elsewhere(url, code):
    assert code_of(with_kms(url, profile=Profile.REHEARSAL)) == code


def test_rehearsal_may_have_a_metadata_endpoint():
    tls = Tls(roots=(der("tls-1"),), kms={}, imds="http://127.0.0.1:1338")
    rehearsal = trust(profile=Profile.REHEARSAL, tls=tls)
    assert parse_trust(encode_trust(rehearsal)) == rehearsal


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://169.254.169.254", "trust.imds-not-loopback"),
        ("http://localhost:80", "trust.imds-not-loopback"),
        ("https://127.0.0.1:80", "trust.endpoint-scheme"),
    ],
)
def test_rehearsal_has_its_metadata_service_on_loopback(url, code):
    tls = Tls(roots=(der("tls-1"),), kms={}, imds=url)
    assert code_of(encode_trust(trust(profile=Profile.REHEARSAL, tls=tls))) == code
