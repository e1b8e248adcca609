# SPDX-License-Identifier: Apache-2.0
"""How each action of the policy table is asked: as a dry run, or by an operation that only reads.

KMS API Reference, by the operations' names; DryRun: Developer Guide, "Testing your permissions".
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.aws.policy.cases import Json, asked_grant, encryption_context, grants, shown, with_key
from conformance.aws.probes.attested import peer
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1

ENCRYPTING = ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
SIGNING = ("ECC_NIST_P256", "SIGN_VERIFY")
MAC = ("HMAC_256", "GENERATE_VERIFY_MAC")
AGREEMENT = ("ECC_NIST_P256", "KEY_AGREEMENT")
_DRY = {"DryRun": True}
_ALGORITHMS = {"ECC_NIST_P256": "ECDSA_SHA_256", "ECC_NIST_P384": "ECDSA_SHA_384", "RSA": "RSASSA_PSS_SHA_256"}
_SPECS = {
    "ECDSA_SHA_256": "ECC_NIST_P256",
    "ECDSA_SHA_384": "ECC_NIST_P384",
    "ECDSA_SHA_512": "ECC_NIST_P521",
    **{f"RSASSA_{form}_SHA_{bits}": "RSA_2048" for form in ("PSS", "PKCS1_V1_5") for bits in (256, 384, 512)},
}
"""Keys for the signing algorithms of cases that name no key spec."""
GIVEN_BY_PARAMETERS = (
    *("kms:encryptioncontext:*", "kms:encryptioncontextkeys", "kms:encryptionalgorithm", "kms:keyspec", "kms:keyusage"),
    *("kms:customermasterkeyspec", "kms:customermasterkeyusage", "kms:keyorigin", "kms:multiregion"),
    *(
        "kms:signingalgorithm",
        "kms:messagetype",
        "kms:macalgorithm",
        "kms:datakeypairspec",
        "kms:keyagreementalgorithm",
    ),
    *("kms:grantoperations", "kms:granteeprincipal", "kms:retiringprincipal", "kms:grantconstrainttype"),
)
"""Condition keys that the parameters below, the key, or their defaults set to the values of the case."""
ONLY_VALUES = {
    "kms:encryptionalgorithm": "SYMMETRIC_DEFAULT",
    "kms:keyorigin": "AWS_KMS",
    "kms:multiregion": "false",
    "kms:macalgorithm": "HMAC_SHA_256",
    "kms:keyagreementalgorithm": "ECDH",
    "kms:customermasterkeyspec": "SYMMETRIC_DEFAULT",
    "kms:customermasterkeyusage": "ENCRYPT_DECRYPT",
}
"""Those of them that have one value in every call here."""


@dataclass(frozen=True)
class Call:
    """An operation by its name in boto3, what it is sent besides the case's own, and the key that it needs."""

    operation: str
    key: tuple[str, str] = ENCRYPTING
    takes_context: bool = False
    fixed: Mapping[str, Any] | None = None


_PAIR = {**_DRY, "KeyPairSpec": "ECC_NIST_P256"}
_DATA = {**_DRY, "KeySpec": "AES_256"}
CALLS = {
    "kms:CreateGrant": Call("create_grant", fixed=_DRY),
    "kms:Decrypt": Call("decrypt", takes_context=True, fixed={**_DRY, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}),
    "kms:DeriveSharedSecret": Call(
        "derive_shared_secret",
        AGREEMENT,
        fixed={**_DRY, "KeyAgreementAlgorithm": "ECDH", "PublicKey": peer(SECP256R1())},
    ),
    "kms:DescribeKey": Call("describe_key"),
    "kms:Encrypt": Call("encrypt", takes_context=True, fixed={**_DRY, "Plaintext": b"probe"}),
    "kms:GenerateDataKey": Call("generate_data_key", takes_context=True, fixed=_DATA),
    "kms:GenerateDataKeyPair": Call("generate_data_key_pair", takes_context=True, fixed=_PAIR),
    "kms:GenerateDataKeyPairWithoutPlaintext": Call(
        "generate_data_key_pair_without_plaintext", takes_context=True, fixed=_PAIR
    ),
    "kms:GenerateDataKeyWithoutPlaintext": Call("generate_data_key_without_plaintext", takes_context=True, fixed=_DATA),
    "kms:GenerateMac": Call("generate_mac", MAC, fixed={**_DRY, "Message": b"probe", "MacAlgorithm": "HMAC_SHA_256"}),
    "kms:GenerateRandom": Call("generate_random", fixed={"NumberOfBytes": 1}),
    "kms:GetKeyPolicy": Call("get_key_policy"),
    "kms:GetKeyRotationStatus": Call("get_key_rotation_status"),
    "kms:GetPublicKey": Call("get_public_key", SIGNING),
    "kms:ListAliases": Call("list_aliases", fixed={"Limit": 1}),
    "kms:ListGrants": Call("list_grants", fixed={"Limit": 1}),
    "kms:ListKeyRotations": Call("list_key_rotations"),
    "kms:ListKeys": Call("list_keys", fixed={"Limit": 1}),
    "kms:RetireGrant": Call("retire_grant", fixed=_DRY),
    "kms:Sign": Call("sign", SIGNING, fixed={**_DRY, "Message": bytes(32)}),
    "kms:Verify": Call("verify", SIGNING, fixed={**_DRY, "Message": bytes(32), "Signature": b"no signature"}),
    "kms:VerifyMac": Call(
        "verify_mac", MAC, fixed={**_DRY, "Message": b"probe", "Mac": bytes(32), "MacAlgorithm": "HMAC_SHA_256"}
    ),
}
WITHOUT_KEY = {"kms:GenerateRandom", "kms:ListAliases", "kms:ListKeys"}


def key_of(case: Json) -> tuple[str, str]:
    """Return spec and usage of the key that a case needs."""
    spec, usage = CALLS[case["request"]["action"]].key
    context = shown(case)
    granted = {operation for grant in grants(case) for operation in grant["Operations"]}
    if granted and granted & {"Sign", "Verify"}:
        spec, usage = SIGNING
    spec = _SPECS.get(str(context.get("kms:signingalgorithm", "")), spec)
    return str(context.get("kms:keyspec", spec)), str(context.get("kms:keyusage", usage))


def parameters(case: Json, key: str, grants: Sequence[str]) -> Json:
    """Return the parameters of a translated case's call on its key. `grants` are the ids of its grants."""
    action, context = case["request"]["action"], shown(case)
    call = CALLS[action]
    sent: Json = dict(call.fixed or {})
    if action not in WITHOUT_KEY:
        sent["KeyId"] = key
    if call.takes_context:
        pairs = encryption_context(case)
        sent |= {"EncryptionContext": pairs} if pairs else {}
    if action in {"kms:Sign", "kms:Verify"}:
        sent |= _signing(context, key_of(case)[0])
    if action in {"kms:GenerateDataKeyPair", "kms:GenerateDataKeyPairWithoutPlaintext"}:
        sent["KeyPairSpec"] = context.get("kms:datakeypairspec", sent["KeyPairSpec"])
    if action == "kms:CreateGrant":
        sent |= grant_parameters(asked_grant(case) or {}, key)
    if action == "kms:RetireGrant":
        sent["GrantId"] = grants[-1] if grants else secrets.token_hex(32)
    return sent


def grant_parameters(grant: Json, key: str) -> Json:
    """Return the parameters of CreateGrant for a grant of the table, which is in the words of ListGrants."""
    names = ("GranteePrincipal", "RetiringPrincipal", "Operations", "Constraints")
    given: Json = with_key({name: grant[name] for name in names if name in grant}, key)
    return {**given, "KeyId": key}


def _signing(context: Mapping[str, Any], spec: str) -> Json:
    default = next(algorithm for begins, algorithm in _ALGORITHMS.items() if spec.startswith(begins))
    return {
        "SigningAlgorithm": context.get("kms:signingalgorithm", default),
        "MessageType": context.get("kms:messagetype", "RAW"),
    }
