# SPDX-License-Identifier: Apache-2.0
import pytest
from cryptography import x509
from tests.nitro_pki import NOW, Pki, document, good_pki, key, root_pem

from strongroom.appraisal.endorsements import AWS_ROOT_NAME, NitroRoots, aws_nitro_root_pem, root_name
from strongroom.appraisal.evidence import verify_evidence
from strongroom.errors import FormatError, NotAuthentic, UsageError

G1 = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"


def test_the_packaged_root_is_the_one_aws_publishes():
    assert NitroRoots.aws().sha256s == {bytes.fromhex(G1)}
    assert NitroRoots.aws() is NitroRoots.aws()
    assert NitroRoots.from_pem(aws_nitro_root_pem()) == NitroRoots.aws()


def lookalike():
    """A root with the same names, serial number and dates as the good one, and another key."""
    serial = x509.load_der_x509_certificate(good_pki().certificates["root"]).serial_number
    return Pki(root={"serial": serial}, keys={"root": key("another root")})


def test_roots_from_a_file_replace_awss():
    assert NitroRoots.from_pem(root_pem(good_pki())) == good_pki().roots
    assert NitroRoots.aws().sha256s.isdisjoint(good_pki().roots.sha256s)


def test_roots_come_from_several_files_and_several_in_one():
    other = lookalike()
    both = good_pki().roots.sha256s | other.roots.sha256s
    assert len(both) == 2
    assert NitroRoots.from_pem(root_pem(good_pki()), root_pem(other)).sha256s == both
    assert NitroRoots.from_pem(root_pem(good_pki()) + root_pem(other)).sha256s == both
    assert (good_pki().roots | other.roots).sha256s == both


def test_a_fingerprint_is_all_that_a_pin_needs():
    (digest,) = good_pki().roots.sha256s
    assert NitroRoots.from_fingerprints(digest) == good_pki().roots
    assert NitroRoots.from_fingerprints(bytes.fromhex(G1)) == NitroRoots.aws()
    verified = verify_evidence(document(), roots=NitroRoots.from_fingerprints(bytes(32), digest), at=NOW)
    assert verified.root_sha256 == digest


@pytest.mark.parametrize("length", [0, 20, 31, 33, 48, 64])
def test_a_fingerprint_is_a_sha256(length):
    with pytest.raises(UsageError) as caught:
        NitroRoots.from_fingerprints(bytes(32), bytes(length))
    assert caught.value.code == "roots.fingerprint"


@pytest.mark.attack("A5")
def test_a_root_is_known_by_its_bytes_and_not_by_its_names():
    (digest,) = good_pki().roots.sha256s
    for roots in (NitroRoots.from_pem(root_pem(good_pki())), NitroRoots.from_fingerprints(digest)):
        verify_evidence(document(), roots=roots, at=NOW)
        with pytest.raises(NotAuthentic) as caught:
            verify_evidence(document(lookalike()), roots=roots, at=NOW)
        assert caught.value.code == "chain.unknown-root"


def test_only_awss_root_carries_its_name():
    assert root_name(bytes.fromhex(G1)) == AWS_ROOT_NAME == "AWS Nitro root G1"
    (digest,) = good_pki().roots.sha256s
    assert root_name(digest) is None


def test_no_roots_are_no_set_of_roots():
    with pytest.raises(FormatError):
        NitroRoots.from_pem(b"")
    for nothing in (lambda: NitroRoots(frozenset()), NitroRoots.from_pem, NitroRoots.from_fingerprints):
        with pytest.raises(RuntimeError):
            nothing()
