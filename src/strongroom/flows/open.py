# SPDX-License-Identifier: Apache-2.0
"""Open a bundle, on an instance or with an escrow file (docs/formats/bundle.md section 9).

On an instance, in six steps:

1. Parse, verify the vendor's signature, and require that the bundle is meant for us: product, name, floor, expiry,
   account, a wrap for our region under a key of the vendor. Nothing is asked of anybody before that holds.
2. Generate an RSA key in memory, for this one call.
3. Get an attestation document that carries its public half.
4. Ask KMS for the data key, under the context that follows from the signed fields. KMS answers to the RSA key only.
5. Unwrap the reply with the private half.
6. Verify the commitment, then the root, then decrypt every chunk. Nothing is returned before all of it is authentic.

A document that KMS finds too old is refreshed once, with a new RSA key. Nothing else is tried twice, and there is no
other way to a data key: the KMS port has no call that answers in plaintext (ATTACKS K14).

What is returned is ordinary `bytes`. Python cannot wipe memory reliably: secrets and keys may stay in the memory of
the process until it ends, so a process that opens bundles should be short or trusted.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime

from strongroom.crypto.header_signature import VerifiedHeader, verify_escrow, verify_header
from strongroom.crypto.key_transport import RecipientKey
from strongroom.crypto.merkle import verify_tree
from strongroom.crypto.payload import ContentKeys, decrypt_entry, decrypt_table, verify_data_key
from strongroom.errors import KeyRefused, NotTrusted
from strongroom.formats.bundle import Bundle, parse_bundle, parse_escrow
from strongroom.formats.bundle_header import HeaderFields, Wrap
from strongroom.formats.bundle_layout import block_bytes, ciphertext_bytes
from strongroom.formats.bundle_table import EntryInfo, expect_body_length, parse_table
from strongroom.formats.bundle_trust import BundleTrust
from strongroom.ids import AccountId, Region
from strongroom.ports import AttestedKms, EscrowKms, EvidenceSource

DOCUMENT_EXPIRED = "kms.document-expired"


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """Where we run, from a verified identity document."""

    account: AccountId
    region: Region


@dataclass(frozen=True, slots=True)
class OpenedEntry:
    """One file of an opened bundle. Printing it shows no content."""

    info: EntryInfo
    content: bytes

    def __repr__(self) -> str:
        return f"OpenedEntry(info={self.info!r}, content=<{len(self.content)} bytes>)"


@dataclass(frozen=True, slots=True)
class OpenedBundle:
    """An authentic, decrypted bundle."""

    header: VerifiedHeader
    entries: tuple[OpenedEntry, ...]


def open_bundle(
    bundle: bytes,
    *,
    name: str,
    trust: BundleTrust,
    instance: InstanceFacts,
    now: datetime,
    evidence_source: EvidenceSource,
    kms: AttestedKms,
) -> OpenedBundle:
    """Open the bundle called `name` on an instance; `now` is the time of its own attestation document.

    Raises FormatError, NotAuthentic or NotTrusted for the bundle, KeyRefused when KMS says no, UsageError for a
    bundle of a kind that this version does not open, and what the ports raise.
    """
    # 1. Parse; the vendor's signature; meant for us.
    parsed = parse_bundle(bundle)
    header = verify_header(parsed.header, signers=trust.signers)
    wrap = require_meant_for(header, name=name, trust=trust, instance=instance, now=now)
    # 2. to 5. The data key.
    try:
        data_key = _ask_kms(header, wrap, evidence_source, kms)
    except KeyRefused as error:
        if error.code != DOCUMENT_EXPIRED:
            raise
        data_key = _ask_kms(header, wrap, evidence_source, kms)
    # 6. Commitment, root, chunks.
    return _decrypt(parsed, header, data_key)


def _ask_kms(header: VerifiedHeader, wrap: Wrap, evidence_source: EvidenceSource, kms: AttestedKms) -> bytes:
    # 2. An RSA key for this call.
    recipient = RecipientKey.generate()
    # 3. A document that carries it.
    document = evidence_source.attest(public_key=recipient.public_key)
    # 4. KMS, under the derived context.
    context = header.fields.subject.context()
    reply = kms.decrypt(wrap.data_key, key_arn=wrap.key.arn, context=context, recipient=document)
    # 5. Unwrap.
    return recipient.unwrap(reply)


def open_with_escrow(bundle: bytes, escrow: bytes, *, trust: BundleTrust, kms: EscrowKms) -> OpenedBundle:
    """Open a bundle as the vendor, with its escrow file; floor, accounts and expiry do not apply (section 10).

    Raises as `open_bundle` does.
    """
    # 1. Parse; both signatures; the two belong together and to us.
    parsed = parse_bundle(bundle)
    header = verify_header(parsed.header, signers=trust.signers)
    second = verify_escrow(parse_escrow(escrow), signers=trust.signers).fields
    _require(second.subject.product, header.fields.subject.product, "escrow-product", "the bundle's product")
    _require(second.content_id.hex(), header.fields.content.content_id.hex(), "escrow-content", "the bundle's content")
    _require_product(header.fields, trust)
    _require_vendor_key(second.wrap, trust)
    # 2. to 5. The data key, without an instance.
    context = second.subject.context()
    data_key = kms.decrypt_unattested(second.wrap.data_key, key_arn=second.wrap.key.arn, context=context)
    # 6. Commitment, root, chunks.
    return _decrypt(parsed, header, data_key)


def require_meant_for(
    header: VerifiedHeader, *, name: str, trust: BundleTrust, instance: InstanceFacts, now: datetime
) -> Wrap:
    """Return the wrap to use if the bundle is meant for this instance, at this time. Raises NotTrusted."""
    fields = header.fields
    _require_product(fields, trust)
    _require(fields.subject.name, name, "name", "the name")
    floor = trust.floors.get(name, 1)
    if fields.bundle_version < floor:
        raise NotTrusted(
            "bundle.floor", f"expected version {floor} or later of {name}, found version {fields.bundle_version}"
        )
    if fields.not_after is not None and now > fields.not_after:
        raise NotTrusted(
            "bundle.expired",
            f"expected a bundle that may be opened at {now.isoformat()}, "
            f"found one that ended at {fields.not_after.isoformat()}",
            remedy="Ask the vendor for a new bundle.",
        )
    if instance.account not in fields.accounts:
        raise NotTrusted(
            "bundle.account",
            f"expected a bundle for the account {instance.account}, found one for {', '.join(fields.accounts)}",
        )
    return _wrap_for(fields, trust, instance.region)


def _require(found: str, expected: str, code: str, what: str) -> None:
    if found != expected:
        raise NotTrusted(f"bundle.{code}", f"expected {what} {expected}, found {found}")


def _require_product(fields: HeaderFields, trust: BundleTrust) -> None:
    _require(fields.subject.product, trust.product, "product", "the product")


def _require_vendor_key(wrap: Wrap, trust: BundleTrust) -> None:
    """Refuse a key of anybody else, before it is asked (ATTACKS B15)."""
    if wrap.key.account not in trust.key_accounts or wrap.key.partition != trust.partition:
        raise NotTrusted(
            "bundle.key-owner",
            f"expected a KMS key of {', '.join(sorted(trust.key_accounts))} in {trust.partition}, found {wrap.key.arn}",
        )


def _wrap_for(fields: HeaderFields, trust: BundleTrust, region: Region) -> Wrap:
    wrap = next((wrap for wrap in fields.wraps if wrap.key.region == region), None)
    if wrap is None:
        found = ", ".join(wrap.key.region for wrap in fields.wraps)
        raise NotTrusted("bundle.region", f"expected a wrapped key for {region}, found {found}")
    _require_vendor_key(wrap, trust)
    return wrap


def _decrypt(bundle: Bundle, header: VerifiedHeader, data_key: bytes) -> OpenedBundle:
    content = header.fields.content
    keys = verify_data_key(
        data_key, content_id=content.content_id, chunk_log2=content.chunk_log2, commitment=content.commitment
    )
    if content.root is not None:
        verify_tree(bundle.body, bundle.hash_table, root=content.root, block_bytes=block_bytes(content.chunk_log2))
    infos = parse_table(decrypt_table(keys, content.table))
    expect_body_length(infos, chunk_log2=content.chunk_log2, body_length=content.body_length)
    return OpenedBundle(header, _decrypt_entries(keys, infos, bundle.body))


def _decrypt_entries(keys: ContentKeys, infos: tuple[EntryInfo, ...], body: memoryview) -> tuple[OpenedEntry, ...]:
    entries = []
    start = 0
    for index, info in enumerate(infos, start=1):
        size = ciphertext_bytes(info.size_bytes, keys.chunk_log2)
        plaintext = io.BytesIO(bytes(info.size_bytes))  # decrypts into the bytes it returns: no second copy
        decrypt_entry(keys, index, body[start : start + size], plaintext.getbuffer())
        entries.append(OpenedEntry(info, plaintext.getvalue()))
        start += size
    return tuple(entries)
