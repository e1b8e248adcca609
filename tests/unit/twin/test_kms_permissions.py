# SPDX-License-Identifier: Apache-2.0
"""Every operation of the twin's KMS asks for permission: who has none is denied, and nothing has changed."""

import pytest
from tests.kms_calls import VENDOR

SPECS = {
    "symmetric": {},
    "signing": {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"},
    "agreeing": {"KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT"},
    "mac": {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
}


@pytest.fixture
def calls(vendor):
    """A call of each operation that would be answered, but for permission (or refused afterwards)."""
    key, other = vendor.new_key(), vendor.new_key()
    signing, agreeing, mac = (vendor.new_key(**SPECS[name]) for name in ("signing", "agreeing", "mac"))
    blob = vendor("Encrypt", KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    vendor("CreateAlias", AliasName="alias/there", TargetKeyId=key)
    grant = {"KeyId": key, "GranteePrincipal": VENDOR, "Operations": ["Decrypt"]}
    made = vendor("CreateGrant", **grant)
    signed = {"KeyId": signing, "Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
    tagged = {"KeyId": mac, "Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}
    peer = vendor("GetPublicKey", KeyId=agreeing)["PublicKey"]
    pair = {"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"}
    cancelled = vendor.new_key()
    vendor("ScheduleKeyDeletion", KeyId=cancelled)
    return {
        "CancelKeyDeletion": {"KeyId": cancelled},
        "CreateAlias": {"AliasName": "alias/new", "TargetKeyId": key},
        "CreateGrant": grant,
        "CreateKey": {},
        "Decrypt": {"CiphertextBlob": blob},
        "DeleteAlias": {"AliasName": "alias/there"},
        "DeleteImportedKeyMaterial": {"KeyId": key},
        "DeriveSharedSecret": {"KeyId": agreeing, "KeyAgreementAlgorithm": "ECDH", "PublicKey": peer},
        "Encrypt": {"KeyId": key, "Plaintext": b"x"},
        "GenerateDataKey": {"KeyId": key, "KeySpec": "AES_256"},
        "GenerateDataKeyPair": pair,
        "GenerateDataKeyPairWithoutPlaintext": pair,
        "GenerateDataKeyWithoutPlaintext": {"KeyId": key, "KeySpec": "AES_256"},
        "GenerateMac": tagged,
        "GenerateRandom": {"NumberOfBytes": 8},
        "ImportKeyMaterial": {"KeyId": key, "ImportToken": b"x", "EncryptedKeyMaterial": b"x"},
        "ListAliases": {},
        "ListKeys": {},
        "ListRetirableGrants": {"RetiringPrincipal": VENDOR},
        "PutKeyPolicy": {"KeyId": key, "Policy": vendor("GetKeyPolicy", KeyId=key)["Policy"]},
        "ReEncrypt": {"CiphertextBlob": blob, "DestinationKeyId": other},
        "RetireGrant": {"GrantToken": made["GrantToken"]},
        "RevokeGrant": {"KeyId": key, "GrantId": made["GrantId"]},
        "Sign": signed,
        "TagResource": {"KeyId": key, "Tags": [{"TagKey": "a", "TagValue": "b"}]},
        "UntagResource": {"KeyId": key, "TagKeys": ["a"]},
        "UpdateAlias": {"AliasName": "alias/there", "TargetKeyId": other},
        "UpdateKeyDescription": {"KeyId": key, "Description": "other"},
        "Verify": {**signed, "Signature": vendor("Sign", **signed)["Signature"]},
        "VerifyMac": {**tagged, "Mac": vendor("GenerateMac", **tagged)["Mac"]},
        "GetPublicKey": {"KeyId": signing},
        **{name: {"KeyId": key} for name in ON_A_KEY},
    }


ON_A_KEY = (
    "DescribeKey",
    "DisableKey",
    "DisableKeyRotation",
    "EnableKey",
    "EnableKeyRotation",
    "GetKeyPolicy",
    "GetKeyRotationStatus",
    "GetParametersForImport",
    "ListGrants",
    "ListKeyPolicies",
    "ListKeyRotations",
    "ListResourceTags",
    "ReplicateKey",
    "RotateKeyOnDemand",
    "ScheduleKeyDeletion",
    "UpdatePrimaryRegion",
)


def test_who_has_no_permission_is_denied_every_operation(cloud, calls):
    nobody = cloud.user(VENDOR, "nobody")
    assert set(calls) == set(cloud.kms._operations)
    for operation, parameters in calls.items():
        message = nobody.refused("AccessDeniedException", operation, **parameters)
        assert f"User: {nobody.arn} is not authorized to perform: kms:{operation}" in message
        assert cloud.kms.decisions[-1].outcome == "not allowed"


def test_whoever_has_it_gets_further(vendor, calls):
    """The same calls, so that the denials above are about permission. What ends a key's use comes last."""
    ending = ("DisableKey", "EnableKey", "ScheduleKeyDeletion")
    unsupported = {"DeleteImportedKeyMaterial", "GetParametersForImport", "ImportKeyMaterial"}
    unsupported |= {"ReplicateKey", "UpdatePrimaryRegion"}
    gone = {"RevokeGrant", "UpdateAlias"}  # RetireGrant and DeleteAlias come before
    for operation in [*(name for name in calls if name not in ending), *ending]:
        if operation in unsupported:
            vendor.refused("UnsupportedOperationException", operation, **calls[operation])
        elif operation in gone:
            vendor.refused("NotFoundException", operation, **calls[operation])
        else:
            vendor(operation, **calls[operation])
