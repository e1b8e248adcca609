# SPDX-License-Identifier: Apache-2.0
"""Every operation that the twin serves, once: botocore's own model of KMS knows each reply (tests/kms_calls.py)."""

import pytest
from tests.kms_calls import MODEL, Caller
from tests.twin_world import RECIPIENT, RSA_OAEP, client

REFUSED = {
    "DeleteImportedKeyMaterial": {},
    "GetParametersForImport": {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"},
    "ImportKeyMaterial": {"ImportToken": b"x", "EncryptedKeyMaterial": b"x"},
    "ReplicateKey": {"ReplicaRegion": "us-west-2"},
    "UpdatePrimaryRegion": {"PrimaryRegion": "us-west-2"},
}
"""What the twin serves only to refuse it: it has no multi-Region keys, and no imported key material."""


@pytest.fixture(scope="module")
def kms(world):
    return Caller(world.twin.kms, world.vendor)


def recipient(world):
    document = world.instance.attest(public_key=RECIPIENT.public_key)
    return {"Recipient": {"KeyEncryptionAlgorithm": RSA_OAEP, "AttestationDocument": document}}


def symmetric(kms):
    key = kms.new_key(Description="one", Tags=[{"TagKey": "a", "TagValue": ""}])
    blob = kms("Encrypt", KeyId=key, Plaintext=b"x", EncryptionContext={"a": "b"})["CiphertextBlob"]
    kms("Decrypt", KeyId=key, CiphertextBlob=blob, EncryptionContext={"a": "b"})
    kms("ReEncrypt", CiphertextBlob=blob, SourceEncryptionContext={"a": "b"}, DestinationKeyId=key)
    kms("GenerateDataKey", KeyId=key, KeySpec="AES_256")
    kms("GenerateDataKeyWithoutPlaintext", KeyId=key, NumberOfBytes=64)
    kms("GenerateDataKeyPair", KeyId=key, KeyPairSpec="ECC_NIST_P384")
    kms("GenerateDataKeyPairWithoutPlaintext", KeyId=key, KeyPairSpec="RSA_4096")
    kms("GenerateRandom", NumberOfBytes=1024)


def asymmetric(kms):
    signing = kms.new_key(KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY")
    signed = {"KeyId": signing, "Message": b"m", "SigningAlgorithm": "ECDSA_SHA_384"}
    kms("Verify", **signed, Signature=kms("Sign", **signed)["Signature"])
    agreeing = kms.new_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")
    peer = kms("GetPublicKey", KeyId=agreeing)["PublicKey"]
    kms("DeriveSharedSecret", KeyId=agreeing, KeyAgreementAlgorithm="ECDH", PublicKey=peer)
    for bits in (2048, 3072, 4096):
        kms("GetPublicKey", KeyId=kms.new_key(KeySpec=f"RSA_{bits}", KeyUsage="ENCRYPT_DECRYPT"))
    mac = {"KeyId": kms.new_key(KeySpec="HMAC_512", KeyUsage="GENERATE_VERIFY_MAC"), "Message": b"m"}
    mac["MacAlgorithm"] = "HMAC_SHA_512"
    kms("VerifyMac", **mac, Mac=kms("GenerateMac", **mac)["Mac"])


def administration(kms):
    key = kms.new_key()
    kms("DescribeKey", KeyId=key)
    kms("UpdateKeyDescription", KeyId=key, Description="")
    kms("PutKeyPolicy", KeyId=key, Policy=kms("GetKeyPolicy", KeyId=key)["Policy"])
    kms("ListKeyPolicies", KeyId=key)
    kms("TagResource", KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}])
    kms("ListResourceTags", KeyId=key)
    kms("UntagResource", KeyId=key, TagKeys=["a"])
    kms("EnableKeyRotation", KeyId=key, RotationPeriodInDays=90)
    kms("GetKeyRotationStatus", KeyId=key)
    kms("RotateKeyOnDemand", KeyId=key)
    kms("ListKeyRotations", KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    kms("DisableKeyRotation", KeyId=key)
    kms("DisableKey", KeyId=key)
    kms("EnableKey", KeyId=key)
    kms("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    kms("DescribeKey", KeyId=key)
    kms("CancelKeyDeletion", KeyId=key)
    kms("ListKeys", Limit=1)


def names_and_grants(kms):
    key, other = kms.new_key(), kms.new_key()
    kms("CreateAlias", AliasName="alias/shapes", TargetKeyId=key)
    kms("UpdateAlias", AliasName="alias/shapes", TargetKeyId=other)
    kms("ListAliases", Limit=1)
    kms("DeleteAlias", AliasName="alias/shapes")
    root = "arn:aws:iam::111111111111:root"
    made = {"KeyId": key, "GranteePrincipal": root, "RetiringPrincipal": root, "Operations": ["Decrypt"]}
    constraints = {"EncryptionContextSubset": {"a": "b"}}
    first, second = (kms("CreateGrant", **made, Name=name, Constraints=constraints) for name in ("one", "two"))
    kms("ListGrants", KeyId=key, Limit=1)
    kms("ListRetirableGrants", RetiringPrincipal=root)
    kms("RetireGrant", GrantToken=first["GrantToken"])
    kms("RevokeGrant", KeyId=key, GrantId=second["GrantId"])


def test_every_operation_answers_with_shapes_of_the_api_model(kms, world):
    for part in (symmetric, asymmetric, administration, names_and_grants):
        part(kms)
    assert kms.answered == set(world.twin.kms._operations) - set(REFUSED)


def test_attested_answers_have_shapes_of_the_api_model(kms, world):
    key = kms.new_key()
    blob = kms("Encrypt", KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    agreeing = kms.new_key(KeySpec="ECC_NIST_P384", KeyUsage="KEY_AGREEMENT")
    peer = kms("GetPublicKey", KeyId=agreeing)["PublicKey"]
    answers = [
        kms("Decrypt", CiphertextBlob=blob, **recipient(world)),
        kms("GenerateDataKey", KeyId=key, KeySpec="AES_128", **recipient(world)),
        kms("GenerateDataKeyPair", KeyId=key, KeyPairSpec="RSA_2048", **recipient(world)),
        kms("DeriveSharedSecret", KeyId=agreeing, KeyAgreementAlgorithm="ECDH", PublicKey=peer, **recipient(world)),
        kms("GenerateRandom", NumberOfBytes=32, **recipient(world)),
    ]
    assert all(RECIPIENT.unwrap(each["CiphertextForRecipient"]) for each in answers)
    assert not any("KeyMaterialId" in each for each in answers)


@pytest.mark.parametrize("operation", REFUSED)
def test_what_the_twin_has_not_is_refused_as_for_a_single_region_key_of_kms(kms, operation):
    key = kms.new_key()
    assert key in kms.refused("UnsupportedOperationException", operation, KeyId=key, **REFUSED[operation])


@pytest.mark.parametrize("operation", ["ReplicateKey", "UpdatePrimaryRegion"])
def test_a_disabled_key_is_said_to_be_disabled_before_it_is_said_to_be_of_one_region(kms, operation):
    key = kms.new_key()
    kms("DisableKey", KeyId=key)
    kms.refused("DisabledException", operation, KeyId=key, **REFUSED[operation])


@pytest.mark.parametrize("operation", ["CreateKey", "GenerateRandom"])
def test_custom_key_stores_do_not_exist(kms, operation):
    parameters = {"CreateKey": {"Origin": "AWS_CLOUDHSM"}, "GenerateRandom": {"NumberOfBytes": 1}}[operation]
    parameters["CustomKeyStoreId"] = "cks-1234"
    assert "cks-1234" in kms.refused("CustomKeyStoreNotFoundException", operation, **parameters)


def test_operations_with_a_dry_run_end_it_before_anything_happens(kms, world):
    """One call of each operation that has the parameter: whatever is left out here is missing from the set."""
    key, other = kms.new_key(), kms.new_key()
    blob = kms("Encrypt", KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    signing = {"KeyId": kms.new_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY"), "Message": b"m"}
    signing["SigningAlgorithm"] = "ECDSA_SHA_256"
    mac = {"KeyId": kms.new_key(KeySpec="HMAC_224", KeyUsage="GENERATE_VERIFY_MAC"), "Message": b"m"}
    mac["MacAlgorithm"] = "HMAC_SHA_224"
    agreeing = kms.new_key(KeySpec="ECC_NIST_P521", KeyUsage="KEY_AGREEMENT")
    peer = kms("GetPublicKey", KeyId=agreeing)["PublicKey"]
    grant = {"KeyId": key, "GranteePrincipal": "111111111111", "Operations": ["Decrypt"]}
    made = kms("CreateGrant", **grant)
    calls = {
        "CreateGrant": grant,
        "Decrypt": {"CiphertextBlob": blob},
        "DeriveSharedSecret": {"KeyId": agreeing, "KeyAgreementAlgorithm": "ECDH", "PublicKey": peer},
        "Encrypt": {"KeyId": key, "Plaintext": b"x"},
        "GenerateDataKey": {"KeyId": key, "KeySpec": "AES_256"},
        "GenerateDataKeyPair": {"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"},
        "GenerateDataKeyPairWithoutPlaintext": {"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"},
        "GenerateDataKeyWithoutPlaintext": {"KeyId": key, "KeySpec": "AES_256"},
        "GenerateMac": mac,
        "ReEncrypt": {"CiphertextBlob": blob, "DestinationKeyId": other},
        "RetireGrant": {"GrantToken": made["GrantToken"]},
        "RevokeGrant": {"KeyId": key, "GrantId": made["GrantId"]},
        "Sign": signing,
        "Verify": {**signing, "Signature": kms("Sign", **signing)["Signature"]},
        "VerifyMac": {**mac, "Mac": kms("GenerateMac", **mac)["Mac"]},
    }
    served = [MODEL.operation_model(name) for name in world.twin.kms._operations]
    assert set(calls) == {model.name for model in served if model.input_shape and "DryRun" in model.input_shape.members}
    for operation, parameters in calls.items():
        kms.refused("DryRunOperationException", operation, **parameters, DryRun=True)
    assert len(kms("ListGrants", KeyId=key)["Grants"]) == 1


def test_boto3_reads_an_empty_reply(world):
    key = client(world.twin, "kms", world.vendor).create_key()["KeyMetadata"]["Arn"]
    reply = client(world.twin, "kms", world.vendor).disable_key(KeyId=key)
    assert set(reply) == {"ResponseMetadata"}
    assert reply["ResponseMetadata"]["HTTPStatusCode"] == 200
