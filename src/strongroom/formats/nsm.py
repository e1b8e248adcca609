# SPDX-License-Identifier: Apache-2.0
"""What a Nitro Security Module is asked, and what it answers: one CBOR item each.

A request without arguments is its name; any other is a map from its name to a map of its arguments. Answers alike, and
an error is `{"Error": "InvalidArgument"}`. On a NitroTPM both lie at the start of an NV index that is larger than they
are; what stands behind the item is left over and is not looked at.

The client asks for attestation only. The rest is here for the twin, which is asked by others too.
Source: aws-nitro-enclaves-nsm-api, src/api/mod.rs.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from strongroom.errors import FormatError, UsageError
from strongroom.formats.attestation_document import MAX_DOCUMENT_BYTES, MAX_FIELD_BYTES
from strongroom.formats.cbor import CborItem, Kind, Plain, Profile, decode_first, encode

_SPEC = "aws-nitro-enclaves-nsm-api, src/api/mod.rs"
_MAX_INDEX = 0xFFFF
_MAX_DATA_BYTES = 512
"""Of ExtendPCR. The interface names no limit; a digest is far shorter."""
_MAP = 0xA0


class NsmError(enum.StrEnum):
    """ErrorCode, as it is written."""

    SUCCESS = "Success"
    INVALID_ARGUMENT = "InvalidArgument"
    INVALID_INDEX = "InvalidIndex"
    INVALID_RESPONSE = "InvalidResponse"
    READ_ONLY_INDEX = "ReadOnlyIndex"
    INVALID_OPERATION = "InvalidOperation"
    BUFFER_TOO_SMALL = "BufferTooSmall"
    INPUT_TOO_LARGE = "InputTooLarge"
    INTERNAL_ERROR = "InternalError"


@dataclass(frozen=True, slots=True)
class AttestationRequest:
    """Asks for a document that carries these fields."""

    user_data: bytes | None = None
    nonce: bytes | None = None
    public_key: bytes | None = None


class PcrOperation(enum.StrEnum):
    """Requests about PCRs that take a number."""

    DESCRIBE = "DescribePCR"
    EXTEND = "ExtendPCR"
    LOCK = "LockPCR"
    LOCK_RANGE = "LockPCRs"


@dataclass(frozen=True, slots=True)
class PcrRequest:
    """A request about one PCR, or about all below `index` for LockPCRs. `data` is what ExtendPCR extends with."""

    operation: PcrOperation
    index: int
    data: bytes = b""


class PlainRequest(enum.StrEnum):
    """Requests without arguments."""

    DESCRIBE_NSM = "DescribeNSM"
    GET_RANDOM = "GetRandom"


Request: TypeAlias = AttestationRequest | PcrRequest | PlainRequest


def encode_attestation_request(request: AttestationRequest) -> bytes:
    """Return the request as AWS's tool writes it: fields in the order of its source, null for what is left out.

    Raises UsageError for a field of more than 1,024 bytes, which no document has room for.
    """
    fields = (("user_data", request.user_data), ("nonce", request.nonce), ("public_key", request.public_key))
    for name, value in fields:
        if value is not None and len(value) > MAX_FIELD_BYTES:
            raise UsageError(
                "nsm.field-too-long",
                f"expected at most {MAX_FIELD_BYTES} bytes of {name.replace('_', ' ')}, found {len(value)}",
            )
    return _map((("Attestation", _map([(name, encode(value)) for name, value in fields])),))


def parse_request(data: bytes) -> Request:
    """Read the request that `data` begins with. Raises FormatError for anything that no NSM knows."""
    name, body = _named(data)
    if body is None:
        return PlainRequest(_known(name, set(PlainRequest)))
    if name.scalar == "Attestation":
        fields = body.record((), ("user_data", "nonce", "public_key"))
        values = {key: _optional(item) for key, item in fields.items()}
        return AttestationRequest(**values)
    return _pcr_request(PcrOperation(_known(name, set(PcrOperation))), body)


def _pcr_request(operation: PcrOperation, body: CborItem) -> PcrRequest:
    number = "range" if operation is PcrOperation.LOCK_RANGE else "index"
    extends = operation is PcrOperation.EXTEND
    fields = body.record((number, "data") if extends else (number,))
    index = fields[number].uint()
    if index > _MAX_INDEX:
        raise _refused(fields[number], f"expected a number of 16 bits, found {index}")
    return PcrRequest(operation, index, fields["data"].bytes(maximum=_MAX_DATA_BYTES) if extends else b"")


def parse_attestation_response(data: bytes) -> bytes | NsmError:
    """Read the answer that `data` begins with: a document, of which nothing is believed yet, or an error of the NSM.

    Raises FormatError for anything else, `cbor.truncated` where `data` ends inside the answer.
    """
    name, body = _named(data)
    if body is None or name.scalar not in {"Attestation", "Error"}:
        raise _refused(name, f"expected an answer to a request for attestation, found {str(name.scalar)[:40]!r}")
    if name.scalar == "Error":
        return NsmError(_known(body, set(NsmError)))
    return body.record(("document",))["document"].bytes(minimum=1, maximum=MAX_DOCUMENT_BYTES)


def encode_attestation_response(document: bytes) -> bytes:
    """Return the answer that carries a document."""
    return _map((("Attestation", _map((("document", encode(document)),))),))


def encode_error(error: NsmError) -> bytes:
    """Return the answer that says what was wrong."""
    return _map((("Error", encode(error.value)),))


def encode_random_response(random: bytes) -> bytes:
    """Return the answer to GetRandom."""
    return _map((("GetRandom", _map((("random", encode(random)),))),))


@dataclass(frozen=True, slots=True)
class NsmDescription:
    """What DescribeNSM answers."""

    version: tuple[int, int, int]
    module_id: str
    max_pcrs: int
    locked_pcrs: tuple[int, ...]
    digest: str


def encode_description(description: NsmDescription) -> bytes:
    """Return the answer to DescribeNSM."""
    major, minor, patch = description.version
    fields: Sequence[tuple[str, Plain]] = (
        ("version_major", major),
        ("version_minor", minor),
        ("version_patch", patch),
        ("module_id", description.module_id),
        ("max_pcrs", description.max_pcrs),
        ("locked_pcrs", sorted(description.locked_pcrs)),
        ("digest", description.digest),
    )
    return _map((("DescribeNSM", _map([(name, encode(value)) for name, value in fields])),))


def _named(data: bytes) -> tuple[CborItem, CborItem | None]:
    """Return the name of the request or answer, and what stands under it."""
    item, _ = decode_first(data, Profile.AWS)
    if item.kind is Kind.TEXT:
        return item, None
    pairs = item.map()
    if len(pairs) != 1:
        raise _refused(item, f"expected one request or answer, found {len(pairs)}")
    return pairs[0]


def _known(item: CborItem, names: set[str]) -> str:
    name = item.text(maximum=64)
    if name not in names:
        raise _refused(item, f"expected a name that the NSM's interface knows, found {name!r}")
    return name


def _optional(item: CborItem) -> bytes | None:
    return None if item.is_null() else item.bytes()


def _map(pairs: Sequence[tuple[str, bytes]]) -> bytes:
    """Encode a map whose keys stay in their order and whose values are encoded: the order is that of AWS's source."""
    return bytes([_MAP | len(pairs)]) + b"".join(encode(name) + value for name, value in pairs)


def _refused(item: CborItem, message: str) -> FormatError:
    return FormatError("nsm.malformed", message, offset=item.offset, spec=_SPEC)
