# SPDX-License-Identifier: Apache-2.0
"""What KMS does with an attestation document. All but the first need one that an instance made."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from conformance.aws.answers import error_of, outcome
from conformance.aws.documents import Document, Need
from conformance.aws.probe import Ask, Seen, probe
from conformance.aws.statements import Statement, allow
from conformance.aws.workbench import Workbench
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.formats.cms import parse_enveloped_data
from strongroom.formats.pcrs import PcrIndex
from strongroom.ids import CmsBytes

PCR4 = "kms:RecipientAttestation:NitroTPMPCR4"
AGREEMENT_KEY = {"spec": "ECC_NIST_P256", "usage": "KEY_AGREEMENT"}


def peer(curve: Any) -> bytes:
    """Return the public key of somebody else on a curve, for DeriveSharedSecret."""
    public = generate_private_key(curve).public_key()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _sealed(answer: Mapping[str, Any], document: Document) -> str:
    """Say for whom the answer of an attested call is."""
    if "CiphertextForRecipient" not in answer:
        return "nobody"
    envelope = parse_enveloped_data(CmsBytes(answer["CiphertextForRecipient"]))
    return "the document's key" if envelope.recipient == document.key_id else "another key"


def _decrypting(bench: Workbench, need: Need) -> tuple[Document, Callable[..., Any]]:
    """Return a document and a Decrypt of something that the runner may decrypt."""
    found, key = bench.document(need), bench.key()
    blob = bench.kms.encrypt(KeyId=key, Plaintext=b"probe")["CiphertextBlob"]

    def decrypt(**parameters: Any) -> Any:
        return bench.kms.decrypt(KeyId=key, CiphertextBlob=blob, **parameters)

    return found, decrypt


@probe("no-document", keys=1)
def no_document(bench: Workbench) -> Ask:
    """Random bytes in the place of a document."""
    key = bench.key()
    blob = bench.kms.encrypt(KeyId=key, Plaintext=b"probe")["CiphertextBlob"]
    recipient = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": secrets.token_bytes(5000)}
    return lambda: {
        "random_bytes": outcome(bench.kms.decrypt, KeyId=key, CiphertextBlob=blob, Recipient=recipient),
    }


@probe("attested-answer", Need.FRESH, keys=1)
def attested_answer(bench: Workbench) -> Ask:
    """The members of the answer to an attested Decrypt."""
    document, decrypt = _decrypting(bench, Need.FRESH)

    def ask() -> Seen:
        answer = decrypt(Recipient=document.recipient)
        return {
            "Plaintext": "there" if answer.get("Plaintext") else "empty",
            "KeyMaterialId": "there" if "KeyMaterialId" in answer else "absent",
            "recipient": _sealed(answer, document),
        }

    return ask


@probe("attested-chunks", Need.FRESH, keys=1)
def attested_chunks(bench: Workbench) -> Ask:
    """In how many pieces the longest plaintext comes."""
    document, key = bench.document(Need.FRESH), bench.key()
    blob = bench.kms.encrypt(KeyId=key, Plaintext=bytes(4096))["CiphertextBlob"]

    def ask() -> Seen:
        answer = bench.kms.decrypt(KeyId=key, CiphertextBlob=blob, Recipient=document.recipient)
        return {"chunks": str(len(parse_enveloped_data(CmsBytes(answer["CiphertextForRecipient"])).chunks))}

    return ask


@probe("attested-long-key", Need.LONG_RSA, keys=1)
def attested_long_key(bench: Workbench) -> Ask:
    """A document with a longer RSA key than those that AWS's SDK names."""
    document, decrypt = _decrypting(bench, Need.LONG_RSA)
    return lambda: {"long_key": outcome(decrypt, Recipient=document.recipient)}


@probe("attested-operations", Need.FRESH, keys=3, data_key_pairs=2)
def attested_operations(bench: Workbench) -> Ask:
    """Each operation that takes a document."""
    document, decrypt = _decrypting(bench, Need.FRESH)
    key, agreeing, kms = bench.key(), bench.key(**AGREEMENT_KEY), bench.kms
    agreement = {"KeyId": agreeing, "PublicKey": peer(SECP256R1()), "KeyAgreementAlgorithm": "ECDH"}
    calls: dict[str, Callable[..., Any]] = {
        "Decrypt": decrypt,
        "DeriveSharedSecret": lambda **more: kms.derive_shared_secret(**agreement, **more),
        "GenerateDataKey": lambda **more: kms.generate_data_key(KeyId=key, KeySpec="AES_256", **more),
        "GenerateDataKeyPair": lambda **more: kms.generate_data_key_pair(
            KeyId=key, KeyPairSpec="ECC_NIST_P256", **more
        ),
        "GenerateRandom": lambda **more: kms.generate_random(NumberOfBytes=32, **more),
    }

    def ask() -> Seen:
        answers = {name: call(Recipient=document.recipient) for name, call in calls.items()}
        own = {name: _sealed(answer, document) == "the document's key" for name, answer in answers.items()}
        return {name: "sealed" if own[name] else "in clear" for name in calls}

    return ask


@probe("attested-pcrs", Need.FRESH, keys=2)
def attested_pcrs(bench: Workbench) -> Ask:
    """Keys that open for one PCR 4 only: the document's, and another."""
    document = bench.document(Need.FRESH)
    right = document.claims.pcrs[PcrIndex(4)].hex()

    def gated(value: str) -> Statement:
        condition = {"StringEqualsIgnoreCase": {PCR4: value}}
        return allow(bench.account_root, "kms:GenerateDataKey", Condition=condition)

    keys = {name: bench.key(gated(value)) for name, value in (("right", right), ("wrong", "ab" * 48))}

    def data_key(which: str, **more: Any) -> str:
        return outcome(bench.kms.generate_data_key, KeyId=keys[which], KeySpec="AES_256", **more)

    return lambda: {
        "right_pcr": data_key("right", Recipient=document.recipient),
        "wrong_pcr": data_key("wrong", Recipient=document.recipient),
        "no_document": data_key("right"),
    }


@probe("attested-flipped-bit", Need.FRESH, keys=1)
def attested_flipped_bit(bench: Workbench) -> Ask:
    """A document whose signature does not hold."""
    document, decrypt = _decrypting(bench, Need.FRESH)
    flipped = document.data[:-1] + bytes([document.data[-1] ^ 1])
    recipient = document.recipient | {"AttestationDocument": flipped}
    return lambda: {"flipped_bit": outcome(decrypt, Recipient=recipient)}


@probe("attested-again", Need.FRESH, keys=1)
def attested_again(bench: Workbench) -> Ask:
    """One document in two calls."""
    document, decrypt = _decrypting(bench, Need.FRESH)
    return lambda: {each: outcome(decrypt, Recipient=document.recipient) for each in ("first", "again")}


@probe("attested-age", Need.FRESH, Need.OLD, keys=1)
def attested_age(bench: Workbench) -> Ask:
    """A young document and an old one."""
    young, decrypt = _decrypting(bench, Need.FRESH)
    old = bench.document(Need.OLD)
    return lambda: {
        "young": outcome(decrypt, Recipient=young.recipient),
        "old": outcome(decrypt, Recipient=old.recipient),
    }


@probe("attested-age-sentence", Need.OLD, keys=1)
def attested_age_sentence(bench: Workbench) -> Ask:
    """What KMS says of an old document."""
    document, decrypt = _decrypting(bench, Need.OLD)

    def ask() -> Seen:
        code, sentence = error_of(decrypt, Recipient=document.recipient)
        return {"error": code, "says_age_limit": "yes" if "exceeded the five-minute age limit" in sentence else "no"}

    return ask


@probe("attested-expired", Need.EXPIRED, keys=1)
def attested_expired(bench: Workbench) -> Ask:
    """A document whose certificate has expired."""
    document, decrypt = _decrypting(bench, Need.EXPIRED)
    return lambda: {"expired": outcome(decrypt, Recipient=document.recipient)}


@probe("attested-key", Need.WITHOUT_RSA, keys=1)
def attested_key(bench: Workbench) -> Ask:
    """A document to whose key nothing can be encrypted."""
    document, decrypt = _decrypting(bench, Need.WITHOUT_RSA)
    return lambda: {"error": outcome(decrypt, Recipient=document.recipient)}
