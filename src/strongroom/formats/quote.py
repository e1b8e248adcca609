# SPDX-License-Identifier: Apache-2.0
"""A quote with the attestation document that speaks for its key, as a file (docs/formats/quote.md). All unverified."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from strongroom.errors import FormatError, UsageError
from strongroom.formats import strict_json
from strongroom.formats.attestation_document import MAX_DOCUMENT_BYTES
from strongroom.formats.pcrs import PcrDigests
from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.handles import PCR_NAMES
from strongroom.formats.tpm.public_area import PublicArea, parse_public_area
from strongroom.formats.tpm.signature import EcdsaSignature, read_signature
from strongroom.formats.tpm.wire import Reader
from strongroom.formats.tree import Node
from strongroom.ids import EvidenceBytes, Nonce

VERSION = 1
MAX_QUOTE_FILE_BYTES = 65_536
MAX_NONCE_BYTES = 64
"""What a quote carries: as much as the largest digest (Part 2, section 10.4.3, TPM2B_DATA)."""
BANKS = {"SHA256": Alg.SHA256, "SHA384": Alg.SHA384, "SHA512": Alg.SHA512}

_MAX_PART_BYTES = 1_024
_SPEC = "docs/formats/quote.md"


@dataclass(frozen=True, slots=True)
class SignedQuote:
    """What was signed, by which key, and the values that it is about."""

    key: PublicArea
    attest: bytes
    """TPMS_ATTEST, as it was signed."""
    signature: EcdsaSignature
    bank: Alg
    pcrs: PcrDigests


@dataclass(frozen=True, slots=True)
class QuoteFile:
    """A quote, and the document in which the machine named its key."""

    document: EvidenceBytes
    quote: SignedQuote


def expect_nonce_size(nonce: Nonce) -> None:
    """Raise UsageError for a nonce that no quote carries: 1 to 64 bytes do."""
    if not 1 <= len(nonce) <= MAX_NONCE_BYTES:
        raise UsageError("quote.nonce-size", f"expected a nonce of 1 to {MAX_NONCE_BYTES} bytes, found {len(nonce)}")


def encode_quote_file(file: QuoteFile) -> bytes:
    """Return the file. Equal quotes give equal bytes."""
    quote = file.quote
    return strict_json.encode(
        {
            "version": VERSION,
            "document": _text(file.document),
            "key": _text(quote.key.encode()),
            "quote": _text(quote.attest),
            "signature": _text(quote.signature.encode()),
            "bank": quote.bank.name,
            "pcrs": {f"PCR{index}": digest.hex() for index, digest in quote.pcrs.items()},
        }
    )


def parse_quote_file(data: bytes) -> QuoteFile:
    """Read the file. Raises FormatError."""
    root = strict_json.parse(data, maximum_bytes=MAX_QUOTE_FILE_BYTES, spec=_SPEC)
    members = root.record(("version", "document", "key", "quote", "signature", "bank", "pcrs"))
    members["version"].integer(VERSION, VERSION)
    bank = members["bank"].pick(BANKS)
    try:
        key = parse_public_area(members["key"].base64(maximum_bytes=_MAX_PART_BYTES))
        signature = _signature(members["signature"].base64(maximum_bytes=_MAX_PART_BYTES))
    except FormatError as error:
        raise root.refused("quote.structure", f"expected a TPM's key and signature: {error}") from error
    attest = members["quote"].base64(maximum_bytes=_MAX_PART_BYTES)
    document = EvidenceBytes(members["document"].base64(maximum_bytes=MAX_DOCUMENT_BYTES))
    return QuoteFile(document, SignedQuote(key, attest, signature, bank, _pcrs(members["pcrs"], bank)))


def _signature(data: bytes) -> EcdsaSignature:
    reader = Reader(data)
    signature = read_signature(reader)
    reader.expect_end("the signature")
    if not isinstance(signature, EcdsaSignature):
        raise FormatError("quote.signature-kind", "expected an ECDSA signature, found one of another kind", spec=_SPEC)
    return signature


def _pcrs(node: Node, bank: Alg) -> PcrDigests:
    values = {each.key().pick(PCR_NAMES): _digest(each, bank) for _, each in node.table(minimum=1)}
    return PcrDigests.of(values, size_bytes=HASH_BYTES[bank])


def _digest(node: Node, bank: Alg) -> bytes:
    text = node.string(maximum=2 * max(HASH_BYTES.values()))
    if len(text) != 2 * HASH_BYTES[bank] or set(text) - set("0123456789abcdef"):
        raise node.refused("quote.digest", f"expected {2 * HASH_BYTES[bank]} lower-case hex digits for {bank.name}")
    return bytes.fromhex(text)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
