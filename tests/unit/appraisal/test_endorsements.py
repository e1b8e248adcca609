# SPDX-License-Identifier: Apache-2.0
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests.nitro_pki import good_pki

from strongroom.appraisal.endorsements import NitroRoots
from strongroom.errors import FormatError

G1 = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"


def test_the_packaged_root_is_the_one_aws_publishes():
    assert NitroRoots.aws().sha256s == {bytes.fromhex(G1)}
    assert NitroRoots.aws() is NitroRoots.aws()


def test_roots_from_a_file_replace_awss():
    pem = x509.load_der_x509_certificate(good_pki().certificates["root"]).public_bytes(Encoding.PEM)
    assert NitroRoots.from_pem(pem) == good_pki().roots
    other = x509.load_der_x509_certificate(good_pki().certificates["regional"]).public_bytes(Encoding.PEM)
    assert len(NitroRoots.from_pem(pem + other).sha256s) == 2


def test_no_roots_are_no_set_of_roots():
    with pytest.raises(FormatError):
        NitroRoots.from_pem(b"")
    with pytest.raises(RuntimeError):
        NitroRoots(frozenset())
