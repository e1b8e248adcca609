# SPDX-License-Identifier: Apache-2.0
"""Opening: the six steps, and what stops whom."""

import dataclasses
import os
from datetime import timedelta

import pytest
from tests.bundle_world import (
    CUSTOMER,
    ENTRIES,
    HEADER,
    INSTANCE,
    KEY,
    NOW,
    OTHER_KEY,
    SIGNER,
    SUBJECT,
    TRUST,
    World,
    contents,
)

from strongroom.crypto.header_signature import sign_payload
from strongroom.crypto.key_transport import encrypt_to_recipient
from strongroom.crypto.payload import encrypt_entry, new_content_keys
from strongroom.crypto.signers import Ed25519Signer
from strongroom.errors import KeyRefused, NotAuthentic, NotTrusted, ServiceFault, TpmFault
from strongroom.flows.open import InstanceFacts
from strongroom.flows.seal import Root, SealedEntry
from strongroom.formats.bundle import parse_bundle
from strongroom.formats.bundle_header import encode_header_fields
from strongroom.formats.signed import BUNDLE_HEADER
from strongroom.ids import AccountId, KeyArn, Region, TenantId, WrappedKey


@pytest.fixture
def world():
    return World()


def refusal(world, kind, bundle, **changes):
    with pytest.raises(kind) as caught:
        world.open(bundle, **changes)
    return caught.value.code


def test_kms_is_asked_under_the_derived_context_with_a_document_for_a_new_key(world):
    bundle = world.seal().bundle
    world.open(bundle)
    world.open(bundle)
    assert world.kms.contexts[0] == {
        "strongroom:product": "example",
        "strongroom:tenant": "acme",
        "strongroom:purpose": "secret",
        "strongroom:name": "database",
        "strongroom:epoch": "2",
    }
    assert world.kms.documents == world.evidence.asked
    assert len(set(world.evidence.asked)) == 2


MEANT_FOR_OTHERS = [
    ("bundle.product", {"trust": dataclasses.replace(TRUST, product="other")}),
    ("bundle.name", {"name": "licence"}),
    ("bundle.floor", {"trust": dataclasses.replace(TRUST, floors={"database": 4})}),
    ("bundle.expired", {"now": NOW + timedelta(days=1, seconds=1)}),
    ("bundle.account", {"instance": InstanceFacts(AccountId("9" * 12), INSTANCE.region)}),
    ("bundle.region", {"instance": InstanceFacts(CUSTOMER, Region("us-east-1"))}),
    ("bundle.key-owner", {"trust": dataclasses.replace(TRUST, key_accounts=frozenset({CUSTOMER}))}),
    ("bundle.key-owner", {"trust": dataclasses.replace(TRUST, partition="aws-cn")}),
]


@pytest.mark.attack("B15")
@pytest.mark.attack("K8")
@pytest.mark.attack("K16")
@pytest.mark.parametrize(("code", "changes"), MEANT_FOR_OTHERS)
def test_a_bundle_that_is_not_for_us_is_refused_before_anybody_is_asked(world, code, changes):
    assert refusal(world, NotTrusted, world.seal().bundle, **changes) == code
    assert not world.evidence.asked
    assert not world.kms.documents


def test_a_name_without_a_floor_takes_any_version(world):
    header = dataclasses.replace(HEADER, bundle_version=1)
    trust = dataclasses.replace(TRUST, floors={})
    assert contents(world.open(world.seal(header=header).bundle, trust=trust))
    assert refusal(world, NotTrusted, world.seal(header=header).bundle) == "bundle.floor"


def test_the_last_second_still_opens(world):
    assert contents(world.open(world.seal().bundle, now=NOW + timedelta(days=1)))
    assert contents(world.open(world.seal(header=dataclasses.replace(HEADER, not_after=None)).bundle))


@pytest.mark.attack("B15")
def test_a_bundle_of_another_signer_is_refused_before_anybody_is_asked(world):
    bundle = world.seal(signer=Ed25519Signer.generate()).bundle
    assert refusal(world, NotAuthentic, bundle) == "bundle.signer"
    assert not world.evidence.asked


def test_an_expired_document_is_refreshed_once_with_a_new_key(world):
    bundle = world.seal().bundle
    world.kms.refuse_next = [KeyRefused("kms.document-expired", "too old")]
    assert contents(world.open(bundle))
    assert len(world.kms.documents) == len(set(world.kms.documents)) == 2


def test_a_second_expired_document_ends_it(world):
    world.kms.refuse_next = [KeyRefused("kms.document-expired", "too old")] * 3
    assert refusal(world, KeyRefused, world.seal().bundle) == "kms.document-expired"
    assert len(world.kms.documents) == 2


@pytest.mark.parametrize(
    "error",
    [KeyRefused("kms.access-denied", "no"), ServiceFault("kms.unavailable", "later", retryable=True)],
)
def test_no_other_refusal_is_tried_again(world, error):
    bundle = world.seal().bundle
    world.kms.refuse_next = [error, error]
    assert refusal(world, type(error), bundle) == error.code
    assert len(world.kms.documents) == 1


@pytest.mark.attack("K14")
def test_without_a_tpm_kms_is_not_asked_at_all(world):
    def broken(**_):
        raise TpmFault("tpm.absent", "no TPM", rc=0x100)

    world.evidence.attest = broken
    assert refusal(world, TpmFault, world.seal().bundle) == "tpm.absent"
    assert not world.kms.documents


class KmsThatAnswers:
    """A KMS, or somebody between, that answers as it likes."""

    def __init__(self, answer) -> None:
        self.answer = answer

    def decrypt(self, wrapped_key, *, key_arn, context, recipient):
        return self.answer(recipient)


@pytest.mark.attack("K14")
def test_an_answer_in_plaintext_is_not_taken_for_a_key(world):
    assert refusal(world, NotAuthentic, world.seal().bundle, kms=KmsThatAnswers(lambda _: bytes(32))) == (
        "key-transport.unwrap"
    )


@pytest.mark.attack("K11")
@pytest.mark.parametrize("key", [os.urandom(32), b"", bytes(31), bytes(64)], ids=len)
def test_a_substituted_reply_that_opens_still_meets_the_commitment(world, key):
    kms = KmsThatAnswers(lambda recipient: encrypt_to_recipient(recipient, key))
    assert refusal(world, NotAuthentic, world.seal().bundle, kms=kms) == "bundle.commitment"


def tenant(name: str):
    return dataclasses.replace(HEADER, subject=dataclasses.replace(SUBJECT, tenant=TenantId(name)))


def resigned(bundle: bytes, **changes) -> bytes:
    """Let the vendor's own key sign a header that was put together wrongly."""
    parsed = parse_bundle(bundle)
    fields = dataclasses.replace(parsed.header.claimed, **changes)
    header = sign_payload(BUNDLE_HEADER, encode_header_fields(fields), signer=SIGNER)
    return header + bundle[parsed.header.signed.end :]


@pytest.mark.attack("K7")
def test_a_wrapped_key_of_another_tenant_does_not_open_under_this_ones_context(world):
    ours, theirs = world.seal(header=tenant("acme")).bundle, world.seal(header=tenant("globex")).bundle
    swapped = resigned(ours, wraps=parse_bundle(theirs).header.claimed.wraps)
    assert refusal(world, KeyRefused, swapped) == "kms.invalid-ciphertext"


@pytest.mark.attack("K7")
def test_a_wrapped_key_of_the_same_context_but_other_content_meets_the_commitment(world):
    swapped = resigned(world.seal().bundle, wraps=parse_bundle(world.seal().bundle).header.claimed.wraps)
    assert refusal(world, NotAuthentic, swapped) == "bundle.commitment"


@pytest.mark.attack("B15")
def test_another_key_of_the_vendor_does_not_open_the_wrap(world):
    parsed = parse_bundle(world.seal().bundle)
    (wrap,) = parsed.header.claimed.wraps
    moved = dataclasses.replace(wrap, key=dataclasses.replace(wrap.key, arn=OTHER_KEY))
    assert refusal(world, KeyRefused, resigned(world.seal().bundle, wraps=(moved,))) == "kms.invalid-ciphertext"


@pytest.mark.attack("K28")
def test_raising_the_epoch_cuts_off_headers_that_are_out_already(world):
    """KMS allows one epoch. An old header cannot claim the new one: the context is what its wrap was made under."""
    old = world.seal().bundle
    honest = world.kms.decrypt

    def only_epoch_3(wrapped_key, *, key_arn, context, recipient):
        if context["strongroom:epoch"] != "3":
            raise KeyRefused("kms.access-denied", "the policy allows epoch 3")
        return honest(wrapped_key, key_arn=key_arn, context=context, recipient=recipient)

    assert contents(world.open(old))
    world.kms.decrypt = only_epoch_3
    assert refusal(world, KeyRefused, old) == "kms.access-denied"
    epoch_3 = dataclasses.replace(SUBJECT, epoch=3)
    assert refusal(world, KeyRefused, resigned(old, subject=epoch_3)) == "kms.invalid-ciphertext"
    assert contents(world.open(world.seal(header=dataclasses.replace(HEADER, subject=epoch_3)).bundle))


def forged(world, root: Root) -> bytes:
    """Let somebody who holds the data key write another password into a bundle, with the right key."""
    header = dataclasses.replace(HEADER, root=root)
    bundle = bytearray(world.seal((SealedEntry("password", b"12345678"),), header=header).bundle)
    parsed = parse_bundle(bytes(bundle))
    claimed = parsed.header.claimed
    data_key = world.kms.decrypt_unattested(claimed.wraps[0].data_key, key_arn=KEY, context=claimed.subject.context())
    keys = new_content_keys(data_key, content_id=claimed.content.content_id, chunk_log2=claimed.content.chunk_log2)
    start = parsed.header.signed.end
    encrypt_entry(keys, 1, memoryview(b"hijacked"), memoryview(bundle)[start : start + len(parsed.body)])
    return bytes(bundle)


@pytest.mark.attack("K27")
def test_a_chunk_forged_with_the_right_data_key_is_refused_by_the_root(world):
    assert refusal(world, NotAuthentic, forged(world, Root.SIGNED)) == "bundle.root"


@pytest.mark.attack("K27")
def test_without_the_root_the_same_forgery_works(world):
    (entry,) = world.open(forged(world, Root.UNSAFE_NONE)).entries
    assert entry.content == b"hijacked"


def test_entries_that_follow_an_empty_one_are_found(world):
    opened = world.open(world.seal((*ENTRIES, SealedEntry("long", bytes(200_000)))).bundle)
    assert [len(e.content) for e in opened.entries] == [28, 0, 200_000]


def test_printing_an_opened_bundle_shows_no_content(world):
    assert "correct horse" not in repr(world.open(world.seal().bundle))


def test_the_wrap_of_our_region_is_the_one_that_is_used(world):
    bundle = world.seal().bundle
    (wrap,) = parse_bundle(bundle).header.claimed.wraps
    far = KeyArn(KEY.replace("eu-central-1", "ap-south-1"))
    other = dataclasses.replace(
        wrap, key=dataclasses.replace(wrap.key, arn=far, region=Region("ap-south-1")), data_key=WrappedKey(b"elsewhere")
    )
    both = resigned(bundle, wraps=(other, wrap))
    assert contents(world.open(both))
    elsewhere = InstanceFacts(CUSTOMER, Region("us-east-1"))
    with pytest.raises(NotTrusted, match="found ap-south-1, eu-central-1"):
        world.open(both, instance=elsewhere)
