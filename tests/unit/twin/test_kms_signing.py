# SPDX-License-Identifier: Apache-2.0
"""Keys that sign, authenticate and agree: whatever the twin says, `cryptography` says of its public keys."""

import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from tests.kms_calls import Caller
from tests.twin_world import RECIPIENT, RSA_OAEP

HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
RSA_ALGORITHMS = [f"{kind}_SHA_{bits}" for kind in ("RSASSA_PKCS1_V1_5", "RSASSA_PSS") for bits in HASHES]
CURVES = {"ECC_NIST_P256": "ECDSA_SHA_256", "ECC_NIST_P384": "ECDSA_SHA_384", "ECC_NIST_P521": "ECDSA_SHA_512"}
KINDS = [*CURVES.items(), *(("RSA_2048", algorithm) for algorithm in RSA_ALGORITHMS)]


@pytest.fixture(scope="module")
def kms(world):
    return Caller(world.twin.kms, world.vendor)


@pytest.fixture(scope="module")
def signing_keys(kms):
    return {spec: kms.new_key(KeySpec=spec, KeyUsage="SIGN_VERIFY") for spec in ("RSA_2048", *CURVES)}


@pytest.fixture(scope="module")
def agreeing_key(kms):
    return kms.new_key(KeySpec="ECC_NIST_P384", KeyUsage="KEY_AGREEMENT")


def verify_outside(public, algorithm, message, signature):
    used = HASHES[algorithm[-3:]]
    if isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(signature, message, ec.ECDSA(used))
        return
    pss = padding.PSS(padding.MGF1(used), used.digest_size)
    public.verify(signature, message, pss if "PSS" in algorithm else padding.PKCS1v15(), used)


@pytest.mark.parametrize(("spec", "algorithm"), KINDS)
def test_a_signature_holds_inside_and_outside_over_message_and_digest(kms, signing_keys, spec, algorithm):
    key, message = signing_keys[spec], b"what was said"
    public = load_der_public_key(kms("GetPublicKey", KeyId=key)["PublicKey"])
    digest = hashlib.new(f"sha{algorithm[-3:]}", message).digest()
    for signed in ({"Message": message}, {"Message": digest, "MessageType": "DIGEST"}):
        call = {"KeyId": key, "SigningAlgorithm": algorithm, **signed}
        signature = kms("Sign", **call)["Signature"]
        verify_outside(public, algorithm, message, signature)
        assert kms("Verify", KeyId=key, SigningAlgorithm=algorithm, Message=message, Signature=signature)[
            "SignatureValid"
        ]
        with pytest.raises(InvalidSignature):
            verify_outside(public, algorithm, b"another", signature)
        call["Signature"] = signature[:-1] + bytes([signature[-1] ^ 1])
        assert kms.refused("KMSInvalidSignatureException", "Verify", **call) == ""


def test_a_digest_has_the_length_of_the_hash(kms, signing_keys):
    call = {"KeyId": signing_keys["ECC_NIST_P384"], "SigningAlgorithm": "ECDSA_SHA_384", "MessageType": "DIGEST"}
    kms.refused("ValidationException", "Sign", **call, Message=bytes(32))


def test_an_algorithm_of_another_kind_of_key_is_refused(kms, signing_keys):
    call = {"KeyId": signing_keys["ECC_NIST_P256"], "Message": b"m"}
    for algorithm in ("ECDSA_SHA_384", "RSASSA_PSS_SHA_256", "ML_DSA_SHAKE_256"):
        kms.refused("InvalidKeyUsageException", "Sign", **call, SigningAlgorithm=algorithm)
    message = kms.refused("ValidationException", "Sign", **call, SigningAlgorithm="MD5")
    assert "'signingAlgorithm' failed to satisfy constraint: Member must satisfy enum value set" in message


def test_a_digest_of_a_kind_that_the_algorithm_has_not_is_refused(kms, signing_keys):
    call = {"KeyId": signing_keys["ECC_NIST_P256"], "Message": bytes(64), "SigningAlgorithm": "ECDSA_SHA_256"}
    assert "EXTERNAL_MU" in kms.refused("ValidationException", "Sign", **call, MessageType="EXTERNAL_MU")


def test_a_disabled_key_shows_no_public_key(kms):
    key = kms.new_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    kms("DisableKey", KeyId=key)
    kms.refused("DisabledException", "GetPublicKey", KeyId=key)


def test_a_key_has_one_use(kms, signing_keys, agreeing_key):
    message = kms.refused("InvalidKeyUsageException", "Encrypt", KeyId=signing_keys["RSA_2048"], Plaintext=b"x")
    assert message == f"{signing_keys['RSA_2048']} key usage is SIGN_VERIFY which is not valid for Encrypt."
    call = {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_384"}
    kms.refused("InvalidKeyUsageException", "Sign", KeyId=agreeing_key, **call)
    kms.refused("InvalidKeyUsageException", "GenerateDataKey", KeyId=agreeing_key, KeySpec="AES_256")


@pytest.mark.parametrize(
    ("spec", "usage"),
    [
        ("SYMMETRIC_DEFAULT", "SIGN_VERIFY"),
        ("RSA_2048", "KEY_AGREEMENT"),
        ("ECC_NIST_P384", "ENCRYPT_DECRYPT"),
        ("HMAC_256", "ENCRYPT_DECRYPT"),
    ],
)
def test_spec_and_usage_go_together(kms, spec, usage):
    message = kms.refused("ValidationException", "CreateKey", KeySpec=spec, KeyUsage=usage)
    assert message == f"KeyUsage {usage} is not compatible with KeySpec {spec}."


def test_the_usage_of_a_key_that_is_not_symmetric_must_be_said(kms):
    assert "keyUsage" in kms.refused("ValidationException", "CreateKey", KeySpec="RSA_2048")
    both = {"KeySpec": "RSA_2048", "CustomerMasterKeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}
    kms.refused("ValidationException", "CreateKey", **both)
    old = {"CustomerMasterKeySpec": "ECC_NIST_P384", "KeyUsage": "SIGN_VERIFY"}
    assert kms("CreateKey", **old)["KeyMetadata"]["SigningAlgorithms"] == ["ECDSA_SHA_384"]


def test_symmetric_and_hmac_keys_have_no_public_key(kms):
    for key in (kms.new_key(), kms.new_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")):
        kms.refused("UnsupportedOperationException", "GetPublicKey", KeyId=key)


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_rsa_keys_have_their_size(kms, bits):
    found = kms("GetPublicKey", KeyId=kms.new_key(KeySpec=f"RSA_{bits}", KeyUsage="SIGN_VERIFY"))
    public = load_der_public_key(found["PublicKey"])
    assert isinstance(public, rsa.RSAPublicKey)
    assert (public.key_size, public.public_numbers().e) == (bits, 65537)
    assert sorted(found["SigningAlgorithms"]) == sorted(RSA_ALGORITHMS)


@pytest.mark.parametrize("bits", [224, 256, 384, 512])
def test_a_mac_holds_for_its_message_and_key_only(kms, bits):
    key, other = (kms.new_key(KeySpec=f"HMAC_{bits}", KeyUsage="GENERATE_VERIFY_MAC") for _ in range(2))
    call = {"KeyId": key, "MacAlgorithm": f"HMAC_SHA_{bits}", "Message": b"m"}
    mac = kms("GenerateMac", **call)["Mac"]
    assert len(mac) * 8 == bits
    assert kms("VerifyMac", **call, Mac=mac)["MacValid"]
    for wrong in ({"Message": b"n"}, {"KeyId": other}, {"Mac": mac[:-1] + bytes([mac[-1] ^ 1])}, {"Mac": mac[:-1]}):
        assert kms.refused("KMSInvalidMacException", "VerifyMac", **{**call, "Mac": mac, **wrong}) == ""
    wrong_hash = "HMAC_SHA_256" if bits != 256 else "HMAC_SHA_384"
    kms.refused("InvalidKeyUsageException", "GenerateMac", **{**call, "MacAlgorithm": wrong_hash})


def spki(public):
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_both_sides_derive_one_secret(kms, agreeing_key):
    mine = ec.generate_private_key(ec.SECP384R1())
    call = {"KeyId": agreeing_key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": spki(mine.public_key())}
    theirs = load_der_public_key(kms("GetPublicKey", KeyId=agreeing_key)["PublicKey"])
    assert isinstance(theirs, ec.EllipticCurvePublicKey)
    assert kms("DeriveSharedSecret", **call)["SharedSecret"] == mine.exchange(ec.ECDH(), theirs)


def test_a_shared_secret_is_sealed_to_the_recipient(kms, world, agreeing_key):
    mine = ec.generate_private_key(ec.SECP384R1())
    call = {"KeyId": agreeing_key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": spki(mine.public_key())}
    document = world.instance.attest(public_key=RECIPIENT.public_key)
    recipient = {"KeyEncryptionAlgorithm": RSA_OAEP, "AttestationDocument": document}
    sealed = kms("DeriveSharedSecret", **call, Recipient=recipient)
    assert RECIPIENT.unwrap(sealed["CiphertextForRecipient"]) == kms("DeriveSharedSecret", **call)["SharedSecret"]


@pytest.mark.parametrize(
    "peer",
    [
        b"no key",
        spki(ec.generate_private_key(ec.SECP256R1()).public_key()),
        spki(rsa.generate_private_key(65537, 2048).public_key()),
    ],
    ids=["garbage", "another curve", "RSA"],
)
def test_a_peer_is_a_point_on_the_same_curve(kms, agreeing_key, peer):
    call = {"KeyId": agreeing_key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": peer}
    assert "ECC_NIST_P384" in kms.refused("ValidationException", "DeriveSharedSecret", **call)
