# SPDX-License-Identifier: Apache-2.0
"""Encrypting with RSA keys, ReEncrypt, and data keys of all forms."""

import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)
from tests.kms_calls import CUSTOMER, VENDOR, Caller
from tests.twin_world import RECIPIENT, RSA_OAEP

OAEP = {"RSAES_OAEP_SHA_1": hashes.SHA1(), "RSAES_OAEP_SHA_256": hashes.SHA256()}


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def statement(effect, action, *, who="*", **more):
    return {"Effect": effect, "Principal": who, "Action": action, "Resource": "*", **more}


OWNER = statement("Allow", "kms:*", who={"AWS": VENDOR})


# --- RSA --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kms(world):
    return Caller(world.twin.kms, world.vendor)


@pytest.fixture(scope="module")
def rsa_key(kms):
    return kms.new_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")


@pytest.mark.parametrize("algorithm", OAEP)
def test_what_is_encrypted_outside_under_the_public_key_opens_inside(kms, rsa_key, algorithm):
    public = load_der_public_key(kms("GetPublicKey", KeyId=rsa_key)["PublicKey"])
    outside = public.encrypt(b"x", padding.OAEP(padding.MGF1(OAEP[algorithm]), OAEP[algorithm], None))
    inside = kms("Encrypt", KeyId=rsa_key, Plaintext=b"x", EncryptionAlgorithm=algorithm)["CiphertextBlob"]
    for blob in (outside, inside):
        found = kms("Decrypt", KeyId=rsa_key, CiphertextBlob=blob, EncryptionAlgorithm=algorithm)
        assert (found["Plaintext"], found["EncryptionAlgorithm"]) == (b"x", algorithm)
        assert "KeyMaterialId" not in found


def test_oaep_has_room_for_so_much(kms, rsa_key):
    call = {"KeyId": rsa_key, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    kms("Encrypt", **call, Plaintext=bytes(190))
    assert "190 bytes" in kms.refused("ValidationException", "Encrypt", **call, Plaintext=bytes(191))


def test_an_rsa_ciphertext_needs_its_key_its_algorithm_and_no_context(kms, rsa_key):
    algorithm = {"EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    blob = kms("Encrypt", KeyId=rsa_key, Plaintext=b"x", **algorithm)["CiphertextBlob"]
    kms.refused("InvalidKeyUsageException", "Decrypt", KeyId=rsa_key, CiphertextBlob=blob)
    kms.refused("InvalidCiphertextException", "Decrypt", CiphertextBlob=blob, **algorithm)
    wrong = {"EncryptionAlgorithm": "RSAES_OAEP_SHA_1"}
    assert kms.refused("InvalidCiphertextException", "Decrypt", KeyId=rsa_key, CiphertextBlob=blob, **wrong) == ""
    context = {"EncryptionContext": {"a": "b"}, "KeyId": rsa_key}
    kms.refused("ValidationException", "Decrypt", CiphertextBlob=blob, **algorithm, **context)
    kms.refused("ValidationException", "Encrypt", Plaintext=b"x", **algorithm, **context)


# --- ReEncrypt --------------------------------------------------------------------------------------------------------


def encrypted(caller, key, **context):
    return caller("Encrypt", KeyId=key, Plaintext=b"secret", EncryptionContext=context)["CiphertextBlob"]


def test_re_encrypting_changes_key_and_context_and_shows_no_plaintext(vendor):
    source, destination = vendor.new_key(), vendor.new_key()
    found = vendor(
        "ReEncrypt",
        CiphertextBlob=encrypted(vendor, source, a="1"),
        SourceEncryptionContext={"a": "1"},
        DestinationKeyId=destination,
        DestinationEncryptionContext={"b": "2"},
    )
    assert (found["SourceKeyId"], found["KeyId"]) == (source, destination)
    call = {"CiphertextBlob": found["CiphertextBlob"], "EncryptionContext": {"b": "2"}}
    opened = vendor("Decrypt", **call)
    assert (opened["Plaintext"], opened["KeyId"]) == (b"secret", destination)
    assert opened["KeyMaterialId"] == found["DestinationKeyMaterialId"]
    assert found["SourceKeyMaterialId"] == vendor("DescribeKey", KeyId=source)["KeyMetadata"]["CurrentKeyMaterialId"]


def test_re_encrypting_from_and_to_rsa(vendor):
    pair, key = vendor.new_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT"), vendor.new_key()
    there = {"DestinationKeyId": pair, "DestinationEncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    sealed = vendor("ReEncrypt", CiphertextBlob=encrypted(vendor, key), **there)
    assert "DestinationKeyMaterialId" not in sealed
    back = {"SourceKeyId": pair, "SourceEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "DestinationKeyId": key}
    returned = vendor("ReEncrypt", CiphertextBlob=sealed["CiphertextBlob"], **back)
    assert "SourceKeyMaterialId" not in returned
    assert vendor("Decrypt", CiphertextBlob=returned["CiphertextBlob"])["Plaintext"] == b"secret"


def test_re_encrypting_refuses_another_context_and_another_key(vendor):
    source, destination = vendor.new_key(), vendor.new_key()
    call = {"CiphertextBlob": encrypted(vendor, source, a="1"), "DestinationKeyId": destination}
    assert vendor.refused("InvalidCiphertextException", "ReEncrypt", **call) == ""
    call["SourceEncryptionContext"] = {"a": "1"}
    vendor.refused("IncorrectKeyException", "ReEncrypt", **call, SourceKeyId=destination)


@pytest.mark.attack("K3")
@pytest.mark.parametrize("denied", ["ReEncryptFrom", "ReEncryptTo"])
def test_re_encrypting_takes_permission_on_both_keys_and_the_refusal_names_which(vendor, denied):
    guarded = vendor.new_key(Policy=policy(OWNER, statement("Deny", f"kms:{denied}")))
    free = vendor.new_key()
    source, destination = (guarded, free) if denied == "ReEncryptFrom" else (free, guarded)
    call = {"CiphertextBlob": encrypted(vendor, source), "DestinationKeyId": destination}
    message = vendor.refused("AccessDeniedException", "ReEncrypt", **call)
    assert f"not authorized to perform: kms:{denied} on resource: {guarded} with an explicit deny" in message


def test_conditions_on_the_context_see_that_of_their_own_side(vendor):
    def key_for(action, value):
        only = {"StringNotEquals": {"kms:EncryptionContext:side": value}}
        return vendor.new_key(Policy=policy(OWNER, statement("Deny", f"kms:{action}", Condition=only)))

    source, destination = key_for("ReEncryptFrom", "from"), key_for("ReEncryptTo", "to")
    call = {"CiphertextBlob": encrypted(vendor, source, side="from"), "DestinationKeyId": destination}
    call["SourceEncryptionContext"] = {"side": "from"}
    vendor("ReEncrypt", **call, DestinationEncryptionContext={"side": "to"})
    vendor.refused("AccessDeniedException", "ReEncrypt", **call, DestinationEncryptionContext={"side": "from"})


def test_a_ciphertext_alone_hides_the_key_of_another_account_from_re_encryption_too(vendor, customer):
    blob = encrypted(vendor, vendor.new_key())
    call = {"CiphertextBlob": blob, "DestinationKeyId": customer.new_key()}
    message = customer.refused("AccessDeniedException", "ReEncrypt", **call)
    assert "kms:ReEncryptFrom on the resource associated with this ciphertext because" in message


def test_a_dry_run_may_ignore_the_ciphertext(vendor):
    key, other = vendor.new_key(), vendor.new_key()
    dry = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    vendor.refused("DryRunOperationException", "Decrypt", KeyId=key, **dry)
    vendor.refused("DryRunOperationException", "ReEncrypt", SourceKeyId=key, DestinationKeyId=other, **dry)
    vendor.refused("InvalidCiphertextException", "Decrypt", KeyId=key, CiphertextBlob=b"x", DryRun=True)
    good = {"KeyId": key, "CiphertextBlob": encrypted(vendor, key)}
    vendor.refused("ValidationException", "Decrypt", **good, DryRunModifiers=["IGNORE_CIPHERTEXT"])
    vendor.refused("ValidationException", "Decrypt", KeyId=key, DryRun=True, DryRunModifiers=["SOMETHING"])


def test_the_key_to_decrypt_with_is_enabled_and_made_for_it(vendor):
    key, signing = vendor.new_key(), vendor.new_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    blob = encrypted(vendor, key)
    vendor("DisableKey", KeyId=key)
    for named in ({}, {"KeyId": key}):
        vendor.refused("DisabledException", "Decrypt", CiphertextBlob=blob, **named)
    message = vendor.refused("InvalidKeyUsageException", "Decrypt", CiphertextBlob=blob, KeyId=signing)
    assert message == f"{signing} key usage is SIGN_VERIFY which is not valid for Decrypt."


def test_a_ciphertext_of_a_key_material_that_never_was_does_not_open(vendor):
    key = vendor.new_key()
    blob = bytearray(encrypted(vendor, key))
    blob[5 + 16] ^= 1
    vendor.refused("InvalidCiphertextException", "Decrypt", CiphertextBlob=bytes(blob), KeyId=key)


# --- data keys --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["RSA_2048", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"])
def test_a_data_key_pair_is_one_pair(kms, spec):
    key = kms.new_key()
    made = kms("GenerateDataKeyPair", KeyId=key, KeyPairSpec=spec, EncryptionContext={"a": "1"})
    private = load_der_private_key(made["PrivateKeyPlaintext"], None)
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert (public, made["KeyPairSpec"]) == (made["PublicKey"], spec)
    call = {"CiphertextBlob": made["PrivateKeyCiphertextBlob"], "EncryptionContext": {"a": "1"}}
    assert kms("Decrypt", **call)["Plaintext"] == made["PrivateKeyPlaintext"]


def test_without_plaintext_only_the_ciphertext_comes_back(kms):
    key = kms.new_key()
    made = kms("GenerateDataKeyWithoutPlaintext", KeyId=key, NumberOfBytes=48)
    assert set(made) == {"CiphertextBlob", "KeyId", "KeyMaterialId"}
    assert len(kms("Decrypt", CiphertextBlob=made["CiphertextBlob"])["Plaintext"]) == 48
    pair = kms("GenerateDataKeyPairWithoutPlaintext", KeyId=key, KeyPairSpec="ECC_NIST_P256")
    assert "PrivateKeyPlaintext" not in pair
    private = load_der_private_key(kms("Decrypt", CiphertextBlob=pair["PrivateKeyCiphertextBlob"])["Plaintext"], None)
    assert private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == pair["PublicKey"]


def test_the_private_key_of_a_pair_is_sealed_to_the_recipient(kms, world):
    document = world.instance.attest(public_key=RECIPIENT.public_key)
    recipient = {"KeyEncryptionAlgorithm": RSA_OAEP, "AttestationDocument": document}
    key = kms.new_key()
    made = kms("GenerateDataKeyPair", KeyId=key, KeyPairSpec="ECC_NIST_P384", Recipient=recipient)
    assert made["PrivateKeyPlaintext"] == b""
    private = load_der_private_key(RECIPIENT.unwrap(made["CiphertextForRecipient"]), None)
    assert private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == made["PublicKey"]


def test_data_keys_come_from_symmetric_keys_only(kms, rsa_key):
    kms.refused("InvalidKeyUsageException", "GenerateDataKey", KeyId=rsa_key, KeySpec="AES_256")
    kms.refused("InvalidKeyUsageException", "GenerateDataKeyPair", KeyId=rsa_key, KeyPairSpec="RSA_2048")


def test_key_pairs_that_the_twin_cannot_make_are_refused_by_name(kms):
    key = kms.new_key()
    call = {"KeyId": key, "KeyPairSpec": "ML_KEM_768"}
    assert "ML_KEM_768" in kms.refused("UnsupportedOperationException", "GenerateDataKeyPair", **call)


def test_another_account_uses_a_key_that_is_shared_with_it(cloud, vendor, customer):
    shared = vendor.new_key(Policy=policy(OWNER, statement("Allow", "kms:Encrypt", who={"AWS": CUSTOMER})))
    assert customer("Encrypt", KeyId=shared, Plaintext=b"x")["KeyId"] == shared
