# SPDX-License-Identifier: Apache-2.0
"""Using keys: ciphertexts, signatures, MACs, shared secrets, dry runs of everything."""

from __future__ import annotations

from typing import Any

from conformance.aws.answers import error_of, outcome
from conformance.aws.probe import Ask, Seen, probe
from conformance.aws.probes.attested import AGREEMENT_KEY, peer
from conformance.aws.workbench import Workbench
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

EC_SIGNING = {"spec": "ECC_NIST_P256", "usage": "SIGN_VERIFY"}
RSA_SIGNING = {"spec": "RSA_2048", "usage": "SIGN_VERIFY"}
MAC_KEY = {"spec": "HMAC_256", "usage": "GENERATE_VERIFY_MAC"}
MESSAGE = {"Message": b"probe"}
ECDSA, HMAC = {"SigningAlgorithm": "ECDSA_SHA_256"}, {"MacAlgorithm": "HMAC_SHA_256"}


@probe("wrong-context-or-key", keys=2)
def wrong_context_or_key(bench: Workbench) -> Ask:
    """A ciphertext under another context, and for another key."""
    key, other, context = bench.key(), bench.key(), {"probe": "right"}
    blob = bench.kms.encrypt(KeyId=key, Plaintext=b"probe", EncryptionContext=context)["CiphertextBlob"]

    def ask() -> Seen:
        wrong = {"CiphertextBlob": blob, "EncryptionContext": {"probe": "wrong"}}
        code, sentence = error_of(bench.kms.decrypt, KeyId=key, **wrong)
        foreign = outcome(bench.kms.decrypt, KeyId=other, CiphertextBlob=blob, EncryptionContext=context)
        return {"context": code, "context_message": sentence, "key": foreign}

    return ask


@probe("dry-runs", keys=3, data_key_pairs=2)
def dry_runs(bench: Workbench) -> Ask:
    """Dry runs of calls that would all succeed."""
    kms, key, signing, mac = bench.kms, bench.key(), bench.key(**EC_SIGNING), bench.key(**MAC_KEY)
    blob = kms.encrypt(KeyId=key, Plaintext=b"probe")["CiphertextBlob"]
    signature = kms.sign(KeyId=signing, **MESSAGE, **ECDSA)["Signature"]
    code = kms.generate_mac(KeyId=mac, **MESSAGE, **HMAC)["Mac"]
    grant = {"KeyId": key, "GranteePrincipal": bench.account_root, "Operations": ["Encrypt"]}
    granted = kms.create_grant(**grant)["GrantId"]
    pair, data = {"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"}, {"KeyId": key, "KeySpec": "AES_256"}
    calls: dict[str, tuple[Any, dict[str, Any]]] = {
        "CreateGrant": (kms.create_grant, grant),
        "Decrypt": (kms.decrypt, {"KeyId": key, "CiphertextBlob": blob}),
        "Encrypt": (kms.encrypt, {"KeyId": key, "Plaintext": b"probe"}),
        "GenerateDataKey": (kms.generate_data_key, data),
        "GenerateDataKeyPair": (kms.generate_data_key_pair, pair),
        "GenerateDataKeyPairWithoutPlaintext": (kms.generate_data_key_pair_without_plaintext, pair),
        "GenerateDataKeyWithoutPlaintext": (kms.generate_data_key_without_plaintext, data),
        "GenerateMac": (kms.generate_mac, {"KeyId": mac, **MESSAGE, **HMAC}),
        "ReEncrypt": (kms.re_encrypt, {"CiphertextBlob": blob, "DestinationKeyId": key}),
        "RevokeGrant": (kms.revoke_grant, {"KeyId": key, "GrantId": granted}),
        "Sign": (kms.sign, {"KeyId": signing, **MESSAGE, **ECDSA}),
        "Verify": (kms.verify, {"KeyId": signing, "Signature": signature, **MESSAGE, **ECDSA}),
        "VerifyMac": (kms.verify_mac, {"KeyId": mac, "Mac": code, **MESSAGE, **HMAC}),
    }
    return lambda: {name: outcome(call, **parameters, DryRun=True) for name, (call, parameters) in calls.items()}


@probe("bad-signature", keys=2)
def bad_signature(bench: Workbench) -> Ask:
    """A signature and a MAC of another message."""
    kms, signing, mac = bench.kms, bench.key(**EC_SIGNING), bench.key(**MAC_KEY)
    signature = kms.sign(KeyId=signing, Message=b"another", **ECDSA)["Signature"]
    code = kms.generate_mac(KeyId=mac, Message=b"another", **HMAC)["Mac"]

    def ask() -> Seen:
        first = error_of(kms.verify, KeyId=signing, Signature=signature, **MESSAGE, **ECDSA)
        second = error_of(kms.verify_mac, KeyId=mac, Mac=code, **MESSAGE, **HMAC)
        return {"signature": first[0], "signature_message": first[1], "mac": second[0], "mac_message": second[1]}

    return ask


@probe("signature-shapes", keys=2)
def signature_shapes(bench: Workbench) -> Ask:
    """A PSS signature outside KMS with a salt as long as the digest, and an ECDSA signature read as DER."""
    kms, rsa, ec = bench.kms, bench.key(**RSA_SIGNING), bench.key(**EC_SIGNING)
    pss = kms.sign(KeyId=rsa, **MESSAGE, SigningAlgorithm="RSASSA_PSS_SHA_256")["Signature"]
    ecdsa = kms.sign(KeyId=ec, **MESSAGE, **ECDSA)["Signature"]
    public: Any = load_der_public_key(kms.get_public_key(KeyId=rsa)["PublicKey"])

    def ask() -> Seen:
        shapes = {"rsa": "PSS, salt as long as the digest", "ecdsa": "DER"}
        try:
            public.verify(pss, MESSAGE["Message"], PSS(MGF1(SHA256()), PSS.DIGEST_LENGTH), SHA256())
        except InvalidSignature:
            shapes["rsa"] = "another"
        try:
            decode_dss_signature(ecdsa)
        except ValueError:
            shapes["ecdsa"] = "another"
        return shapes

    return ask


@probe("key-usage", keys=1)
def key_usage(bench: Workbench) -> Ask:
    """Encrypting with a key for signatures."""
    key = bench.key(**RSA_SIGNING)

    def ask() -> Seen:
        call = {"Plaintext": b"probe", "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
        code, sentence = error_of(bench.kms.encrypt, KeyId=key, **call)
        return {"error": code, "sentence": bench.without_names(sentence, key)}

    return ask


@probe("rsa-context", keys=2)
def rsa_context(bench: Workbench) -> Ask:
    """An encryption context with an RSA key, and a digest that is too short."""
    kms, rsa, signing = bench.kms, bench.key(spec="RSA_2048"), bench.key(**EC_SIGNING)
    call = {"Plaintext": b"probe", "EncryptionAlgorithm": "RSAES_OAEP_SHA_256", "EncryptionContext": {"probe": "no"}}
    digest = {"Message": bytes(31), "MessageType": "DIGEST", **ECDSA}
    return lambda: {
        "context": outcome(kms.encrypt, KeyId=rsa, **call),
        "digest": outcome(kms.sign, KeyId=signing, **digest),
    }


@probe("peer-curve", keys=1)
def peer_curve(bench: Workbench) -> Ask:
    """A shared secret with a key on another curve."""
    key = bench.key(**AGREEMENT_KEY)
    call = {"PublicKey": peer(SECP384R1()), "KeyAgreementAlgorithm": "ECDH"}
    return lambda: {"error": outcome(bench.kms.derive_shared_secret, KeyId=key, **call)}
