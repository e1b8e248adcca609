# SPDX-License-Identifier: Apache-2.0
"""An image signed by a key that is in KMS and stays there: real SDK, real requests, the twin's KMS."""

import lief
import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key
from tests.code_signer import certify, self_signed
from tests.images import make_uki
from tests.twin_world import world as running_world

from strongroom.aws.sdk.image_signer import SdkImageSigner
from strongroom.errors import KeyRefused, NotAuthentic
from strongroom.ids import KeyArn
from strongroom.imaging.secure_boot import sign_image

IMAGE = make_uki()


@pytest.fixture(scope="module")
def kms():
    with running_world() as world:
        yield world.kms(world.vendor)


def new_key(kms, **choice) -> KeyArn:
    choice = {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"} | choice
    return KeyArn(kms.create_key(**choice)["KeyMetadata"]["Arn"])


def certificate_of(kms, key: KeyArn):
    return certify(load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"]), "db in KMS")


def test_an_image_is_signed_by_a_key_that_never_leaves_kms(kms):
    key = new_key(kms)
    signer = SdkImageSigner(kms, key, certificate_of(kms, key))
    signed = sign_image(IMAGE, signer)
    assert lief.PE.parse(list(signed)).verify_signature() == lief.PE.Signature.VERIFICATION_FLAGS.OK
    assert sign_image(IMAGE, signer) == signed


def test_a_certificate_of_another_key_is_found_out(kms):
    with pytest.raises(NotAuthentic) as caught:
        sign_image(IMAGE, SdkImageSigner(kms, new_key(kms), self_signed("db")))
    assert caught.value.code == "secure-boot.other-key"


@pytest.mark.parametrize(
    "choice",
    [{"KeyUsage": "ENCRYPT_DECRYPT"}, {"KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT"}],
    ids=str,
)
def test_a_key_that_is_not_for_signing_is_refused_by_kms(kms, choice):
    with pytest.raises(KeyRefused) as caught:
        sign_image(IMAGE, SdkImageSigner(kms, new_key(kms, **choice), self_signed("db")))
    assert caught.value.code == "kms.key-unusable"


def test_an_answer_from_another_key_than_the_one_that_was_named_is_refused(kms):
    key = new_key(kms)
    alias = KeyArn(key.replace(f"key/{key.rpartition('/')[2]}", "alias/signing"))
    kms.create_alias(AliasName="alias/signing", TargetKeyId=key)
    with pytest.raises(NotAuthentic) as caught:
        sign_image(IMAGE, SdkImageSigner(kms, alias, certificate_of(kms, key)))
    assert caught.value.code == "kms.other-key"
