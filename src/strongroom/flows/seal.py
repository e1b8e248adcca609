# SPDX-License-Identifier: Apache-2.0
"""Seal files into a bundle (docs/formats/bundle.md): data key made here, wrapped by KMS, header signed."""

from __future__ import annotations

import enum
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from strongroom.crypto.header_signature import sign_payload, signed_length
from strongroom.crypto.merkle import hash_tree
from strongroom.crypto.payload import (
    DATA_KEY_BYTES,
    ContentKeys,
    encrypt_entry,
    encrypt_table,
    new_content_keys,
)
from strongroom.errors import UsageError
from strongroom.formats.arn import parse_key_arn
from strongroom.formats.bundle_header import (
    CONTENT_ID_BYTES,
    DEFAULT_CHUNK_LOG2,
    ROOT_BYTES,
    Content,
    EscrowFields,
    HeaderFields,
    Placement,
    Subject,
    Wrap,
    encode_escrow_fields,
    encode_header_fields,
)
from strongroom.formats.bundle_layout import block_bytes, ciphertext_bytes, hash_table_bytes
from strongroom.formats.bundle_table import EntryInfo, encode_table
from strongroom.formats.signed import BUNDLE_ESCROW, BUNDLE_HEADER
from strongroom.ids import AccountId, KeyArn
from strongroom.ports import HeaderSigner, SealingKms

MAX_PLAINTEXT_BYTES = 1 << 30
"""What is sealed at once, in memory."""

Entropy = Callable[[int], bytes]
"""Returns that many bytes nobody can predict: `os.urandom` outside tests."""


class Root(enum.Enum):
    """Whether the header carries the Merkle root of the body."""

    SIGNED = "signed"
    UNSAFE_NONE = "none"
    """Whoever holds the data key can then forge content (ATTACKS K27). Refused for code and configuration."""


@dataclass(frozen=True, slots=True)
class SealedEntry:
    """One file to seal. `name` is a relative path, `mode` permission bits."""

    name: str
    content: bytes
    media_type: str = "application/octet-stream"
    mode: int = 0o600


@dataclass(frozen=True, slots=True)
class SealHeader:
    """What the sealer decides: for whom, which version, until when."""

    subject: Subject
    bundle_version: int
    accounts: tuple[AccountId, ...]
    not_after: datetime | None = None
    chunk_log2: int = DEFAULT_CHUNK_LOG2
    root: Root = Root.SIGNED


@dataclass(frozen=True, slots=True)
class EscrowTarget:
    """The vendor's escrow key, and the KMS that wraps under it."""

    kms: SealingKms
    key_arn: KeyArn


@dataclass(frozen=True, slots=True)
class SealedBundle:
    """The two files: `bundle` is shipped, `escrow` (if one was asked for) stays with the vendor."""

    bundle: bytes
    escrow: bytes | None


def seal(
    entries: Sequence[SealedEntry],
    *,
    header: SealHeader,
    signer: HeaderSigner,
    kms: SealingKms,
    key_arn: KeyArn,
    now: datetime,
    entropy: Entropy,
    escrow: EscrowTarget | None = None,
) -> SealedBundle:
    """Seal `entries` under a new data key, wrapped with `kms` under the context that follows from the header.

    Raises UsageError or FormatError for what cannot be sealed, and whatever the ports raise.
    """
    _expect_size(entries)
    content_id, data_key = entropy(CONTENT_ID_BYTES), entropy(DATA_KEY_BYTES)
    wrap = _wrap(data_key, header.subject, kms, key_arn)
    escrow_file = None
    if escrow is not None:
        second = EscrowFields(header.subject, content_id, _wrap(data_key, header.subject, escrow.kms, escrow.key_arn))
        escrow_file = sign_payload(BUNDLE_ESCROW, encode_escrow_fields(second), signer=signer)
    keys = new_content_keys(data_key, content_id=content_id, chunk_log2=header.chunk_log2)
    fields = HeaderFields(
        subject=header.subject,
        bundle_version=header.bundle_version,
        created=now.replace(microsecond=0),
        not_after=header.not_after,
        accounts=tuple(sorted(header.accounts)),
        wraps=(wrap,),
        content=_content(entries, content_id, keys, header.root),
    )
    return SealedBundle(_write(fields, keys, [entry.content for entry in entries], signer), escrow_file)


def _expect_size(entries: Sequence[SealedEntry]) -> None:
    total = sum(len(entry.content) for entry in entries)
    if total > MAX_PLAINTEXT_BYTES:
        raise UsageError(
            "bundle.too-large",
            f"expected at most {MAX_PLAINTEXT_BYTES} bytes to seal at once, found {total}",
            remedy="Seal the files in several bundles.",
        )


def _content(entries: Sequence[SealedEntry], content_id: bytes, keys: ContentKeys, root: Root) -> Content:
    """Describe the body that `_write` will make; a root that is asked for is zeros until then."""
    return Content(
        content_id=content_id,
        commitment=keys.commitment,
        chunk_log2=keys.chunk_log2,
        table=encrypt_table(keys, encode_table([_info(entry) for entry in entries])),
        body_length=sum(ciphertext_bytes(len(entry.content), keys.chunk_log2) for entry in entries),
        placement=Placement.INLINE,
        root=bytes(ROOT_BYTES) if root is Root.SIGNED else None,
    )


def _info(entry: SealedEntry) -> EntryInfo:
    return EntryInfo(entry.name, entry.media_type, entry.mode, len(entry.content))


def _wrap(data_key: bytes, subject: Subject, kms: SealingKms, key_arn: KeyArn) -> Wrap:
    key = parse_key_arn(key_arn)
    return Wrap(key, kms.encrypt(data_key, key_arn=key.arn, context=subject.context()))


def _write(fields: HeaderFields, keys: ContentKeys, contents: Sequence[bytes], signer: HeaderSigner) -> bytes:
    """Encrypt straight into the file, then write the header before it, whose length is known from the start."""
    content = fields.content
    start = signed_length(BUNDLE_HEADER, encode_header_fields(fields), signer=signer)
    end = start + content.body_length
    table_length = 0 if content.root is None else hash_table_bytes(content.body_length, content.chunk_log2)
    file = io.BytesIO(bytes(end + table_length))
    with file.getbuffer() as view:  # released before `getvalue`, which then returns the same memory
        _encrypt_body(keys, contents, view[start:end])
        if content.root is not None:
            tree = hash_tree(view[start:end], block_bytes=block_bytes(content.chunk_log2))
            view[end:] = tree.table
            fields = replace(fields, content=replace(content, root=tree.root))
        view[:start] = sign_payload(BUNDLE_HEADER, encode_header_fields(fields), signer=signer)
    return file.getvalue()


def _encrypt_body(keys: ContentKeys, contents: Sequence[bytes], out: memoryview) -> None:
    start = 0
    for index, content in enumerate(contents, start=1):
        end = start + ciphertext_bytes(len(content), keys.chunk_log2)
        encrypt_entry(keys, index, memoryview(content), out[start:end])
        start = end
