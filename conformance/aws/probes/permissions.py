# SPDX-License-Identifier: Apache-2.0
"""Who may do what, in which order KMS looks, and how it says no."""

from __future__ import annotations

import uuid

from conformance.aws.answers import error_of, outcome
from conformance.aws.probe import Ask, Seen, probe
from conformance.aws.statements import allow, deny, may
from conformance.aws.workbench import Workbench

GARBAGE = b"no ciphertext of anybody's"


@probe("denied-sentences", keys=2)
def denied_sentences(bench: Workbench) -> Ask:
    """What the refusals say when nothing allows, and when a Deny applies."""
    silent = bench.key(bench.delegated("kms:DescribeKey"))
    denying = bench.key(bench.delegated("kms:*"), deny("*", "kms:Decrypt"))
    blobs = {silent: GARBAGE, denying: bench.kms.encrypt(KeyId=denying, Plaintext=b"probe")["CiphertextBlob"]}

    def sentence(key: str) -> str:
        return bench.without_names(error_of(bench.kms.decrypt, KeyId=key, CiphertextBlob=blobs[key])[1], key)

    return lambda: {"nothing_allows": sentence(silent), "denied": sentence(denying)}


@probe("first-deny", keys=1, principals=1)
def first_deny(bench: Workbench) -> Ask:
    """A Deny in the key policy and one in the caller's own: which is told."""
    key, role = bench.key(bench.delegated("kms:*"), deny("*", "kms:Encrypt")), bench.role()
    role.allow({**may("kms:Encrypt"), "Effect": "Deny"})

    def ask() -> Seen:
        code, sentence = error_of(role.kms.encrypt, KeyId=key, Plaintext=b"probe")
        return {"error": code, "in": sentence.rpartition("with an explicit deny in ")[2]}

    return ask


@probe("context-case", keys=1)
def context_case(bench: Workbench) -> Ask:
    """Two names of an encryption context that differ by case alone."""
    key, context = bench.key(), {"probe": "1", "PROBE": "2"}
    return lambda: {"error": outcome(bench.kms.encrypt, KeyId=key, Plaintext=b"probe", EncryptionContext=context)}


@probe("refusal-order", keys=2)
def refusal_order(bench: Workbench) -> Ask:
    """Calls with two faults at once."""
    kms, closed, disabled = bench.kms, bench.key(bench.delegated("kms:DisableKey")), bench.key()
    for key in (closed, disabled):
        kms.disable_key(KeyId=key)
    recipient = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"no document"}
    nowhere = str(uuid.uuid4())
    return lambda: {
        "document_before_key": outcome(kms.decrypt, KeyId=nowhere, CiphertextBlob=GARBAGE, Recipient=recipient),
        "policy_before_state": outcome(kms.decrypt, KeyId=closed, CiphertextBlob=GARBAGE),
        "state_before_ciphertext": outcome(kms.decrypt, KeyId=disabled, CiphertextBlob=GARBAGE),
    }


@probe("identity-policies-only", principals=2, keys=1)
def identity_policies_only(bench: Workbench) -> Ask:
    """Operations without a key, by somebody who may and by somebody who may not."""
    may_do, may_not = bench.role("may"), bench.role("may-not")
    may_do.allow(may("kms:GenerateRandom"))
    refused = bench.refused_key(by=lambda: may_not.kms)
    return lambda: {
        "allowed": outcome(may_do.kms.generate_random, NumberOfBytes=1),
        "random_without": outcome(may_not.kms.generate_random, NumberOfBytes=1),
        "create_without": refused(),
    }


@probe("role-made-anew", keys=1, principals=1)
def role_made_anew(bench: Workbench) -> Ask:
    """A key policy names a role, which is removed and made again under its name."""
    role = bench.role()
    key = bench.key(allow(role.arn, "kms:Encrypt"))
    before = bench.eventually(role.kms.encrypt, KeyId=key, Plaintext=b"probe", DryRun=True)
    role.make_anew()
    return lambda: {
        "before": before,
        "anew": outcome(role.kms.encrypt, KeyId=key, Plaintext=b"probe", DryRun=True),
    }


@probe("dry-run", keys=2)
def dry_run(bench: Workbench) -> Ask:
    """A dry run of what is allowed, and of what is not."""
    allowed, denied = bench.key(), bench.key(bench.delegated("kms:DescribeKey"))
    call = {"Plaintext": b"probe", "DryRun": True}
    return lambda: {
        "allowed": outcome(bench.kms.encrypt, KeyId=allowed, **call),
        "denied": outcome(bench.kms.encrypt, KeyId=denied, **call),
    }


@probe("dry-run-ignores-ciphertext", keys=2)
def dry_run_ignores_ciphertext(bench: Workbench) -> Ask:
    """Dry runs of Decrypt without anything to decrypt."""
    allowed, denied = bench.key(), bench.key(bench.delegated("kms:DescribeKey"))
    call = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    return lambda: {
        "allowed": outcome(bench.kms.decrypt, KeyId=allowed, **call),
        "denied": outcome(bench.kms.decrypt, KeyId=denied, **call),
    }


@probe("re-encrypt-permissions", keys=1, principals=2)
def re_encrypt_permissions(bench: Workbench) -> Ask:
    """Somebody with both permissions on a key, and somebody with the first alone."""
    key, both, first = bench.key(), bench.role("both"), bench.role("first")
    both.allow(may(["kms:ReEncryptFrom", "kms:ReEncryptTo"], key))
    first.allow(may("kms:ReEncryptFrom", key))
    blob = bench.kms.encrypt(KeyId=key, Plaintext=b"probe")["CiphertextBlob"]
    call = {"SourceKeyId": key, "DestinationKeyId": key, "CiphertextBlob": blob, "DryRun": True}

    def ask() -> Seen:
        code, sentence = error_of(first.kms.re_encrypt, **call)
        named = "kms:ReEncryptTo" if "kms:ReEncryptTo" in sentence else sentence
        return {"both": outcome(both.kms.re_encrypt, **call), "from_alone": code, "names": named}

    return ask


@probe("re-encrypt-order", keys=1)
def re_encrypt_order(bench: Workbench) -> Ask:
    """From a key that denies it, to a key that does not exist."""
    key = bench.key(bench.delegated("kms:*"), deny("*", "kms:ReEncryptFrom"))
    blob = bench.kms.encrypt(KeyId=key, Plaintext=b"probe")["CiphertextBlob"]
    call = {"SourceKeyId": key, "DestinationKeyId": str(uuid.uuid4()), "CiphertextBlob": blob}
    return lambda: {"error": outcome(bench.kms.re_encrypt, **call)}


@probe("parameter-defaults", keys=2)
def parameter_defaults(bench: Workbench) -> Ask:
    """Conditions on parameters that are not sent."""
    algorithm = {"StringEquals": {"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}}
    message = {"StringEquals": {"kms:MessageType": "RAW"}}
    encrypting = bench.key(bench.delegated("kms:Encrypt", Condition=algorithm))
    signing = bench.key(bench.delegated("kms:Sign", Condition=message), spec="ECC_NIST_P256", usage="SIGN_VERIFY")
    signature = {"Message": b"probe", "SigningAlgorithm": "ECDSA_SHA_256", "DryRun": True}
    return lambda: {
        "algorithm": outcome(bench.kms.encrypt, KeyId=encrypting, Plaintext=b"probe", DryRun=True),
        "message_type": outcome(bench.kms.sign, KeyId=signing, **signature),
    }
