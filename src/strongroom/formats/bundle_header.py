# SPDX-License-Identifier: Apache-2.0
"""The payload of a bundle header, and of an escrow file (docs/formats/bundle.md 4, 5 and 10)."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from strongroom.errors import FormatError
from strongroom.formats import cbor
from strongroom.formats.arn import KeyArnParts, parse_key_arn
from strongroom.formats.cbor import CborItem, Plain, Profile
from strongroom.formats.names import ACCOUNT_ID, ID
from strongroom.ids import AccountId, TenantId, WrappedKey

VERSION = 1
SUITE = 1
MAX_COUNTER = (1 << 53) - 1
MAX_TIME = 253_402_300_799
MAX_WRAPS = 8
MAX_ACCOUNTS = 64
MAX_WRAPPED_KEY_BYTES = 6144
"""KMS API: CiphertextType."""
CONTENT_ID_BYTES = COMMITMENT_BYTES = ROOT_BYTES = 32
MIN_CHUNK_LOG2, DEFAULT_CHUNK_LOG2, MAX_CHUNK_LOG2 = 12, 16, 24
MIN_TABLE_BYTES, MAX_TABLE_BYTES = 17, 49_152
MIN_BODY_BYTES, MAX_BODY_BYTES = 16, 1 << 44

_SPEC = "docs/formats/bundle.md section 4"
_MAX_PAYLOAD_BYTES = 65_536


class Purpose(enum.StrEnum):
    """What the content is for. It stands in the encryption context, so a key policy can tell them apart."""

    SECRET = "secret"  # noqa: S105 -- a word of the format
    CODE = "code"
    CONFIGURATION = "configuration"


class Placement(enum.StrEnum):
    """Where the body is: in this file, or in one of its own."""

    INLINE = "inline"
    DETACHED = "detached"


@dataclass(frozen=True, slots=True)
class Wrap:
    """A data key as KMS wrapped it, and the key that unwraps it."""

    key: KeyArnParts
    data_key: WrappedKey


@dataclass(frozen=True, slots=True)
class Content:
    """What describes one body. `root` is null when whoever holds the data key may forge content (ATTACKS K27)."""

    content_id: bytes
    commitment: bytes
    chunk_log2: int
    table: bytes
    body_length: int
    placement: Placement
    root: bytes | None


@dataclass(frozen=True, slots=True)
class Subject:
    """The five facts that make the encryption context (docs/formats/bundle.md 5)."""

    product: str
    tenant: TenantId
    purpose: Purpose
    name: str
    epoch: int

    def context(self) -> dict[str, str]:
        """Return the KMS encryption context. It is derived, never carried (ATTACKS K7, K8, K28)."""
        return {
            "strongroom:product": self.product,
            "strongroom:tenant": self.tenant,
            "strongroom:purpose": self.purpose.value,
            "strongroom:name": self.name,
            "strongroom:epoch": str(self.epoch),
        }


@dataclass(frozen=True, slots=True)
class HeaderFields:
    """All that a header says. Times are UTC, whole seconds."""

    subject: Subject
    bundle_version: int
    created: datetime
    not_after: datetime | None
    accounts: tuple[AccountId, ...]
    wraps: tuple[Wrap, ...]
    content: Content


@dataclass(frozen=True, slots=True)
class EscrowFields:
    """All that an escrow file says: a second wrap of the data key of one content."""

    subject: Subject
    content_id: bytes
    wrap: Wrap


def _fail(code: str, message: str, item: CborItem) -> FormatError:
    return FormatError(f"bundle.{code}", message, offset=item.offset, spec=_SPEC)


def parse_header_fields(payload: bytes, *, base_offset: int = 0) -> HeaderFields:
    """Parse a header's payload, which stands at `base_offset` of the input. Raises FormatError."""
    item = cbor.decode(payload, Profile.DETERMINISTIC, base_offset=base_offset, maximum_bytes=_MAX_PAYLOAD_BYTES)
    record = item.record(
        (
            *("version", "suite", "product", "name", "bundle-version", "epoch", "created", "not-after"),
            *("tenant", "accounts", "purpose", "wraps", "content"),
        )
    )
    _expect_number(record["version"], VERSION, "version")
    _expect_number(record["suite"], SUITE, "suite")
    created = _time(record["created"])
    fields = HeaderFields(
        subject=_subject(record),
        bundle_version=_counter(record["bundle-version"]),
        created=created,
        not_after=_not_after(record["not-after"], created),
        accounts=_accounts(record["accounts"]),
        wraps=_wraps(record["wraps"]),
        content=_content(record["content"]),
    )
    if fields.content.root is None and fields.subject.purpose is not Purpose.SECRET:
        raise _fail("root-required", f"expected a root for the purpose {fields.subject.purpose}, found null", item)
    return fields


def parse_escrow_fields(payload: bytes, *, base_offset: int = 0) -> EscrowFields:
    """Parse an escrow file's payload, which stands at `base_offset` of the input. Raises FormatError."""
    item = cbor.decode(payload, Profile.DETERMINISTIC, base_offset=base_offset, maximum_bytes=_MAX_PAYLOAD_BYTES)
    record = item.record(("version", "product", "tenant", "purpose", "name", "epoch", "content-id", "wrap"))
    _expect_number(record["version"], VERSION, "version")
    content_id = record["content-id"].bytes(minimum=CONTENT_ID_BYTES, maximum=CONTENT_ID_BYTES)
    return EscrowFields(_subject(record), content_id, _wrap(record["wrap"]))


def _expect_number(item: CborItem, expected: int, what: str) -> None:
    found = item.uint()
    if found != expected:
        raise _fail("version", f"expected {what} {expected}, found {found}", item)


def _subject(record: Mapping[str, CborItem]) -> Subject:
    return Subject(
        product=_id(record["product"]),
        tenant=TenantId(_id(record["tenant"])),
        purpose=_purpose(record["purpose"]),
        name=_id(record["name"]),
        epoch=_counter(record["epoch"]),
    )


def _id(item: CborItem) -> str:
    text = item.text()
    if not ID.fullmatch(text):
        raise _fail("id", f"expected [a-z0-9][a-z0-9-]{{0,62}}, found {text[:80]!r}", item)
    return text


def _purpose(item: CborItem) -> Purpose:
    text = item.text()
    if text not in tuple(Purpose):
        raise _fail("purpose", f"expected one of {', '.join(Purpose)}, found {text[:80]!r}", item)
    return Purpose(text)


def _within(item: CborItem, minimum: int, maximum: int) -> int:
    number = item.uint()
    if not minimum <= number <= maximum:
        raise _fail("range", f"expected a number from {minimum} to {maximum}, found {number}", item)
    return number


def _counter(item: CborItem) -> int:
    return _within(item, 1, MAX_COUNTER)


def _time(item: CborItem) -> datetime:
    return datetime.fromtimestamp(_within(item, 0, MAX_TIME), UTC)


def _not_after(item: CborItem, created: datetime) -> datetime | None:
    if item.is_null():
        return None
    time = _time(item)
    if time <= created:
        raise _fail("not-after", f"expected a time after {created.isoformat()}, found {time.isoformat()}", item)
    return time


def _accounts(item: CborItem) -> tuple[AccountId, ...]:
    items = item.array(minimum=1, maximum=MAX_ACCOUNTS)
    accounts = tuple(AccountId(member.text()) for member in items)
    if not all(map(ACCOUNT_ID.fullmatch, accounts)):
        raise _fail("account", "expected accounts of 12 decimal digits, found another", item)
    if any(a >= b for a, b in itertools.pairwise(accounts)):
        raise _fail("account-order", "expected accounts in ascending order, each once", item)
    return accounts


def _wraps(item: CborItem) -> tuple[Wrap, ...]:
    wraps = tuple(map(_wrap, item.array(minimum=1, maximum=MAX_WRAPS)))
    regions = [wrap.key.region for wrap in wraps]
    if any(a >= b for a, b in itertools.pairwise(regions)):
        raise _fail("wrap-order", "expected wraps in ascending order of region, one for each", item)
    return wraps


def _wrap(item: CborItem) -> Wrap:
    record = item.record(("key-arn", "data-key"))
    arn = record["key-arn"]
    wrapped = record["data-key"].bytes(minimum=1, maximum=MAX_WRAPPED_KEY_BYTES)
    return Wrap(parse_key_arn(arn.text(), offset=arn.offset), WrappedKey(wrapped))


def _content(item: CborItem) -> Content:
    record = item.record(("id", "commitment", "chunk-log2", "table", "body", "root"))
    body = record["body"].record(("length", "placement"))
    root = record["root"]
    return Content(
        content_id=record["id"].bytes(minimum=CONTENT_ID_BYTES, maximum=CONTENT_ID_BYTES),
        commitment=record["commitment"].bytes(minimum=COMMITMENT_BYTES, maximum=COMMITMENT_BYTES),
        chunk_log2=_within(record["chunk-log2"], MIN_CHUNK_LOG2, MAX_CHUNK_LOG2),
        table=record["table"].bytes(minimum=MIN_TABLE_BYTES, maximum=MAX_TABLE_BYTES),
        body_length=_within(body["length"], MIN_BODY_BYTES, MAX_BODY_BYTES),
        placement=_placement(body["placement"]),
        root=None if root.is_null() else root.bytes(minimum=ROOT_BYTES, maximum=ROOT_BYTES),
    )


def _placement(item: CborItem) -> Placement:
    text = item.text()
    if text not in tuple(Placement):
        raise _fail("placement", f"expected inline or detached, found {text[:80]!r}", item)
    return Placement(text)


def encode_header_fields(fields: HeaderFields) -> bytes:
    """Encode a header's payload. What `parse_header_fields` would refuse is refused here. Raises FormatError."""
    payload = cbor.encode(
        {
            "version": VERSION,
            "suite": SUITE,
            "bundle-version": fields.bundle_version,
            "created": int(fields.created.timestamp()),
            "not-after": None if fields.not_after is None else int(fields.not_after.timestamp()),
            "accounts": list(fields.accounts),
            "wraps": [_plain_wrap(wrap) for wrap in fields.wraps],
            "content": _plain_content(fields.content),
            **_plain_subject(fields.subject),
        }
    )
    parse_header_fields(payload)
    return payload


def encode_escrow_fields(fields: EscrowFields) -> bytes:
    """Encode an escrow file's payload. Raises FormatError for what `parse_escrow_fields` would refuse."""
    payload = cbor.encode(
        {
            "version": VERSION,
            "content-id": fields.content_id,
            "wrap": _plain_wrap(fields.wrap),
            **_plain_subject(fields.subject),
        }
    )
    parse_escrow_fields(payload)
    return payload


def _plain_subject(subject: Subject) -> dict[int | str, Plain]:
    return {
        "product": subject.product,
        "tenant": subject.tenant,
        "purpose": subject.purpose.value,
        "name": subject.name,
        "epoch": subject.epoch,
    }


def _plain_wrap(wrap: Wrap) -> dict[int | str, Plain]:
    return {"key-arn": wrap.key.arn, "data-key": bytes(wrap.data_key)}


def _plain_content(content: Content) -> dict[int | str, Plain]:
    return {
        "id": content.content_id,
        "commitment": content.commitment,
        "chunk-log2": content.chunk_log2,
        "table": content.table,
        "body": {"length": content.body_length, "placement": content.placement.value},
        "root": content.root,
    }
