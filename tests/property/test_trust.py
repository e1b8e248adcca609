# SPDX-License-Identifier: Apache-2.0
import contextlib
import string

from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import FormatError
from strongroom.formats.bundle_trust import PinnedSigner, SignatureAlgorithm, SignerRole
from strongroom.formats.partition import Partition, Profile
from strongroom.formats.trust import Tls, Trust, Vendor, encode_trust, parse_trust
from strongroom.ids import AccountId, CertificateDer, KeyId, Region, SpkiDer

IDS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True)
ACCOUNTS = st.text(string.digits, min_size=12, max_size=12).map(AccountId)
REGIONS = st.sampled_from(["eu-central-1", "us-east-1", "us-gov-west-1"]).map(Region)
CERTIFICATES = st.binary(min_size=1, max_size=40).map(CertificateDer)
SIGNERS = st.builds(
    PinnedSigner,
    key_id=st.binary(min_size=32, max_size=32).map(KeyId),
    algorithm=st.sampled_from(SignatureAlgorithm),
    public_key=st.binary(min_size=1, max_size=40).map(SpkiDer),
    roles=st.frozensets(st.sampled_from(SignerRole), min_size=1),
)


def sets(of, maximum, key=None):
    return st.lists(of, min_size=1, max_size=maximum, unique_by=key or (lambda x: x)).map(tuple)


TRUSTS = st.builds(
    Trust,
    profile=st.just(Profile.REHEARSAL),
    product=IDS,
    signers=sets(SIGNERS, 4, key=lambda signer: signer.key_id),
    floors=st.dictionaries(IDS, st.integers(1, 2**53 - 1), max_size=4),
    vendor=st.builds(Vendor, partition=st.sampled_from(Partition), accounts=sets(ACCOUNTS, 4)),
    nitro_roots=sets(CERTIFICATES, 4),
    tls=st.builds(
        Tls,
        roots=sets(CERTIFICATES, 4),
        kms=st.dictionaries(REGIONS, st.integers(1, 65535).map(lambda port: f"https://127.0.0.1:{port}"), max_size=3),
        imds=st.none() | st.just("http://127.0.0.1:80"),
    ),
    identity_certificates=st.dictionaries(REGIONS, CERTIFICATES, min_size=1, max_size=3),
)


@given(TRUSTS)
def test_what_parses_encodes_to_the_same_bytes_and_back(trust):
    data = encode_trust(trust)
    parsed = parse_trust(data)
    assert encode_trust(parsed) == data
    assert parse_trust(encode_trust(parsed)) == parsed


@given(TRUSTS, st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_gives_another_content_or_a_format_error(trust, position, byte):
    data = bytearray(encode_trust(trust))
    data[position % len(data)] = byte
    with contextlib.suppress(FormatError):
        assert encode_trust(parse_trust(bytes(data))) == bytes(data)


@given(st.binary(max_size=300) | st.text(alphabet='{}[]":,0 vt\\', max_size=60).map(str.encode))
def test_random_bytes_raise_format_errors_only(data):
    with contextlib.suppress(FormatError):
        parse_trust(data)
