# SPDX-License-Identifier: Apache-2.0
"""A canary that says yes to everybody, or cannot be put away, keeps the new policy from a key."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from strongroom.errors import KeyRefused, NotTrusted, ServiceFault, UsageError
from strongroom.flows.canary import CanaryDocument, document_of, prove_gates
from strongroom.formats.pcrs import SEPARATOR_ONLY_SHA384, ZERO_SHA384, PcrDigests
from strongroom.keypolicy.spec import AdmittedRelease, SecureBoot, TenantKeySpec, VendorSpec

ARN = "arn:aws:kms:eu-central-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"
PCRS = PcrDigests.of({2: SEPARATOR_ONLY_SHA384, 4: b"4" * 48, 7: b"7" * 48, 12: ZERO_SHA384, 13: ZERO_SHA384})
RELEASE = AdmittedRelease(version="v1", ring="general", pcrs=PCRS, epoch=3, secure_boot=SecureBoot.GATED)
VENDOR = VendorSpec(product="acme", account="444455556666", sealer_role_arn="arn:aws:iam::444455556666:role/sealer")
SPEC = TenantKeySpec(vendor=VENDOR, tenant="globex", accounts=("111122223333",), releases=(RELEASE,), names=("db",))
DOCUMENT = CanaryDocument("document.cbor", b"a document", SimpleNamespace(pcrs=PCRS))
DENIED = KeyRefused("kms.access-denied", "no")


class Kms:
    """Answers each dry run in turn: an error is raised, None is a yes."""

    def __init__(self, *answers, deletion=None):
        self.answers, self.deletion = list(answers), deletion
        self.asked = []
        self.deleted = []

    def create_key(self, *, policy, description, tags):
        assert tags == {"strongroom:canary": "acme"}
        return SimpleNamespace(arn=ARN)

    def encrypt(self, data_key, *, key_arn, context):
        assert context["strongroom:epoch"] == "3"
        assert context["strongroom:name"] == "db"
        return b"wrapped " + data_key

    def would_decrypt(self, wrapped_key, *, key_arn, context, recipient):
        self.asked.append(recipient)
        if answer := self.answers.pop(0):
            raise answer

    def schedule_deletion(self, key_arn):
        self.deleted.append(key_arn)
        if self.deletion:
            raise self.deletion


def prove(kms):
    prove_gates(kms, kms, spec=SPEC, new=(RELEASE,), documents=(DOCUMENT,), entropy=bytes, pause=lambda _: None)


def test_it_is_asked_without_a_document_first_and_then_with_it():
    kms = Kms(DENIED, None)
    prove(kms)
    assert (kms.asked, kms.deleted) == ([None, b"a document"], [ARN])


def test_a_document_that_is_refused_is_named():
    kms = Kms(DENIED, KeyRefused("kms.document-expired", "too old"))
    with pytest.raises(KeyRefused) as caught:
        prove(kms)
    (note,) = caught.value.__notes__
    assert note.startswith("It was the canary of v1, with document.cbor.")
    assert kms.deleted == [ARN]


def test_without_a_document_of_the_release_it_says_what_moved():
    other = PcrDigests.of({**{index: PCRS[index] for index in (2, 7, 12, 13)}, 4: b"5" * 48})
    release = replace(RELEASE, pcrs=other)
    with pytest.raises(UsageError) as caught:
        document_of(release, (DOCUMENT,))
    assert caught.value.code == "canary.no-document"
    assert caught.value.__notes__ == [
        f"document.cbor: PCR4 is {(b'4' * 48).hex()}, the release has {(b'5' * 48).hex()}"
    ]


def test_gates_that_let_in_whoever_has_no_document_are_not_put():
    kms = Kms(None)
    with pytest.raises(NotTrusted) as caught:
        prove(kms)
    assert (caught.value.code, kms.deleted) == ("canary.open", [ARN])


def test_a_refusal_of_another_kind_is_no_proof_that_the_gates_shut():
    unusable = KeyRefused("kms.key-unusable", "no such key")
    kms = Kms(unusable, None)
    with pytest.raises(KeyRefused) as caught:
        prove(kms)
    assert caught.value is unusable
    assert kms.deleted == [ARN]


def test_a_canary_key_that_cannot_be_deleted_is_named():
    kms = Kms(DENIED, None, deletion=ServiceFault("aws.unavailable", "gone", retryable=True))
    with pytest.raises(ServiceFault) as caught:
        prove(kms)
    assert ARN in caught.value.__notes__[0]
