# SPDX-License-Identifier: Apache-2.0
"""Sealing: what is written, under which key and context, and what is refused."""

import dataclasses
import os

import pytest
from tests.bundle_world import (
    ENTRIES,
    ESCROW_KEY,
    HEADER,
    KEY,
    NOW,
    SIGNER,
    SUBJECT,
    TRUST,
    World,
    contents,
    pinned,
)

from strongroom.crypto.signers import Ed25519Signer
from strongroom.errors import FormatError, KeyRefused, NotAuthentic, NotTrusted, UsageError
from strongroom.flows import seal as seal_module
from strongroom.flows.open import open_with_escrow
from strongroom.flows.seal import Root, SealedEntry, seal
from strongroom.formats.bundle import parse_bundle_header, parse_escrow
from strongroom.formats.bundle_header import Purpose
from strongroom.ids import AccountId


@pytest.fixture
def world():
    return World()


def test_what_was_sealed_opens(world):
    opened = world.open(world.seal().bundle)
    assert contents(opened) == [(e.name, e.media_type, e.mode, e.content) for e in ENTRIES]
    assert opened.header.fields.created == NOW


def test_every_seal_has_a_new_content_id_and_a_new_data_key(world):
    first, second = (parse_bundle_header(world.seal().bundle).claimed.content for _ in range(2))
    assert first.content_id != second.content_id
    assert first.commitment != second.commitment


def test_randomness_comes_from_the_caller_only(world):
    asked = []

    def entropy(size):
        asked.append(size)
        return bytes([len(asked)]) * size

    sealed = seal(ENTRIES, header=HEADER, signer=SIGNER, kms=world.kms, key_arn=KEY, now=NOW, entropy=entropy)
    assert asked == [32, 32]
    assert parse_bundle_header(sealed.bundle).claimed.content.content_id == b"\1" * 32
    assert sealed.escrow is None


def test_names_and_contents_are_not_readable_in_the_file(world):
    sealed = world.seal()
    for word in (b"password", b"correct horse", b"etc/empty"):
        assert word not in sealed.bundle + sealed.escrow


def test_the_root_is_signed_unless_asked_otherwise(world):
    assert parse_bundle_header(world.seal().bundle).claimed.content.root is not None
    without = world.seal(header=dataclasses.replace(HEADER, root=Root.UNSAFE_NONE)).bundle
    assert parse_bundle_header(without).claimed.content.root is None
    assert contents(world.open(without)) == contents(world.open(world.seal().bundle))


@pytest.mark.attack("K27")
@pytest.mark.parametrize("purpose", [Purpose.CODE, Purpose.CONFIGURATION])
def test_code_and_configuration_are_not_sealed_without_a_root(world, purpose):
    header = dataclasses.replace(HEADER, root=Root.UNSAFE_NONE, subject=dataclasses.replace(SUBJECT, purpose=purpose))
    with pytest.raises(FormatError) as caught:
        world.seal(header=header)
    assert caught.value.code == "bundle.root-required"


def test_more_than_one_call_can_hold_is_refused(world, monkeypatch):
    monkeypatch.setattr(seal_module, "MAX_PLAINTEXT_BYTES", 27)
    with pytest.raises(UsageError) as caught:
        world.seal()
    assert caught.value.code == "bundle.too-large"
    assert not world.kms.keys


def test_entries_that_would_not_open_are_not_sealed(world):
    for entries in ((), (SealedEntry("../x", b""),), (SealedEntry("x", b""), SealedEntry("x", b""))):
        with pytest.raises(FormatError):
            world.seal(entries)


def test_accounts_are_sorted_for_the_caller(world):
    header = dataclasses.replace(HEADER, accounts=(AccountId("9" * 12), AccountId("1" * 12)))
    assert parse_bundle_header(world.seal(header=header).bundle).claimed.accounts == ("1" * 12, "9" * 12)


def test_the_escrow_file_opens_the_bundle_without_an_instance(world):
    sealed = world.seal(header=dataclasses.replace(HEADER, bundle_version=1, not_after=None))
    opened = open_with_escrow(sealed.bundle, sealed.escrow, trust=TRUST, kms=world.kms)
    assert [e.content for e in opened.entries] == [e.content for e in ENTRIES]
    escrow = parse_escrow(sealed.escrow).claimed
    assert escrow.wrap.key.arn == ESCROW_KEY
    assert world.kms.contexts == [SUBJECT.context()]


def escrow_refusal(world, kind, bundle, escrow, *, trust=TRUST):
    with pytest.raises(kind) as caught:
        open_with_escrow(bundle, escrow, trust=trust, kms=world.kms)
    return caught.value.code


def test_an_escrow_file_opens_its_own_content_only(world):
    first, second = world.seal(), world.seal()
    assert escrow_refusal(world, NotTrusted, first.bundle, second.escrow) == "bundle.escrow-content"
    assert not world.kms.contexts


def test_an_escrow_file_for_another_product_is_refused(world):
    import functools

    other = dataclasses.replace(HEADER, subject=dataclasses.replace(SUBJECT, product="other"))
    fixed = functools.partial(
        seal, ENTRIES, signer=SIGNER, kms=world.kms, key_arn=KEY, now=NOW, entropy=lambda size: b"e" * size
    )
    target = seal_module.EscrowTarget(world.kms, ESCROW_KEY)
    ours, theirs = fixed(header=HEADER, escrow=target), fixed(header=other, escrow=target)
    assert escrow_refusal(world, NotTrusted, ours.bundle, theirs.escrow) == "bundle.escrow-product"
    assert escrow_refusal(world, NotTrusted, theirs.bundle, theirs.escrow) == "bundle.product"


def test_bundle_and_escrow_file_are_both_verified(world):
    stranger = Ed25519Signer.generate()
    ours = world.seal()
    theirs = world.seal(signer=stranger)
    assert escrow_refusal(world, NotAuthentic, theirs.bundle, theirs.escrow) == "bundle.signer"
    assert escrow_refusal(world, NotAuthentic, ours.bundle, theirs.escrow) == "bundle.signer"
    only_theirs = dataclasses.replace(TRUST, signers=(pinned(stranger),))
    assert escrow_refusal(world, NotAuthentic, ours.bundle, theirs.escrow, trust=only_theirs) == "bundle.signer"


def test_an_escrow_key_of_somebody_else_is_not_asked(world):
    sealed = world.seal()
    trust = dataclasses.replace(TRUST, key_accounts=frozenset({AccountId("9" * 12)}))
    assert escrow_refusal(world, NotTrusted, sealed.bundle, sealed.escrow, trust=trust) == "bundle.key-owner"
    assert not world.kms.contexts


def test_an_escrow_kms_that_answers_with_another_key_is_noticed(world):
    sealed = world.seal()
    world.kms.decrypt_unattested = lambda *_, **__: os.urandom(32)
    assert escrow_refusal(world, NotAuthentic, sealed.bundle, sealed.escrow) == "bundle.commitment"


def test_the_tenant_key_does_not_open_an_escrow_wrap(world):
    sealed = world.seal()
    wrap = parse_escrow(sealed.escrow).claimed.wrap
    with pytest.raises(KeyRefused):
        world.kms.decrypt_unattested(wrap.data_key, key_arn=KEY, context=SUBJECT.context())
