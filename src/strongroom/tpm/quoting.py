# SPDX-License-Identifier: Apache-2.0
"""Quotes: PCR values under a key of this boot, which an attestation document speaks for.

The key is new for each call and hangs under the null hierarchy: a TPM forgets its seed at each reset, so no key and no
quote of an earlier boot can come back (ATTACKS A20). What the document says of the key is the word of the software
that asked for it; `appraisal.quote` says what that is worth.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection

from strongroom.crypto.tpm import bank_digest
from strongroom.crypto.tpm_quote import quote_key_binding, quote_key_template
from strongroom.errors import TpmFault
from strongroom.formats.nsm import AttestationRequest, encode_attestation_request
from strongroom.formats.quote import QuoteFile, SignedQuote, expect_nonce_size
from strongroom.formats.tpm.algorithms import COORDINATE_BYTES, Alg, Curve
from strongroom.formats.tpm.attest import parse_attest, parse_quote
from strongroom.formats.tpm.pcr_selection import PcrSelection
from strongroom.formats.tpm.public_area import EccPoint, PublicArea
from strongroom.formats.tpm.signature import EcdsaSignature, Signature, read_signature
from strongroom.formats.tpm.wire import Reader
from strongroom.ids import Nonce
from strongroom.tpm.command import NULL, Key
from strongroom.tpm.commands import quote
from strongroom.tpm.connection import Connection, read_answer
from strongroom.tpm.faults import nonsense
from strongroom.tpm.nitro import ask_for_document
from strongroom.tpm.nv_buffer import MESSAGE_BYTES
from strongroom.tpm.pcrs import read_pcrs
from strongroom.tpm.primary import primary, salt_key
from strongroom.tpm.session import salted_session

_MOST_ATTEMPTS = 3


def attested_quote(
    connection: Connection,
    *,
    nonce: Nonce,
    bank: Alg,
    indices: Collection[int],
    message_bytes: int = MESSAGE_BYTES,
) -> QuoteFile:
    """Make a key, have a document speak for it, and quote PCRs with it. Document and quote carry the nonce.

    `nonce` has 1 to 64 bytes. Raises UsageError, and TpmFault for what the TPM or the NSM refuses.
    """
    expect_nonce_size(nonce)
    with salt_key(connection) as salt, primary(connection, NULL, _new_template()) as key:
        binding = quote_key_binding(key.public)
        request = encode_attestation_request(AttestationRequest(user_data=binding, nonce=nonce))
        document = ask_for_document(connection, salt, request, message_bytes=message_bytes)
        return QuoteFile(document, _quoted(connection, salt, key, nonce=nonce, bank=bank, indices=indices))


def _new_template() -> PublicArea:
    """Return the template of a key that nobody has made before."""
    size = COORDINATE_BYTES[Curve.NIST_P384]
    return quote_key_template(EccPoint(secrets.token_bytes(size), secrets.token_bytes(size)))


def _quoted(
    connection: Connection, salt: Key, key: Key, *, nonce: Nonce, bank: Alg, indices: Collection[int]
) -> SignedQuote:
    """Quote PCRs, with the values that they had at that moment."""
    selection = PcrSelection.of(bank, indices)
    command = quote(key, extra_data=nonce, selection=selection)
    for _ in range(_MOST_ATTEMPTS):
        pcrs = read_pcrs(connection, bank, indices)
        with salted_session(connection, salt) as session:
            attest, signature = read_answer(command, connection.run(command, session).parameters, _read)
        if not isinstance(signature, EcdsaSignature):
            raise nonsense(command, "a signature of another kind than the key makes")
        signed = read_answer(command, attest, lambda reader: parse_quote(parse_attest(reader.rest())))
        if signed.digest == bank_digest(signature.hash, selection, pcrs):
            return SignedQuote(key.public, attest, signature, bank, pcrs)
    raise TpmFault("tpm.pcrs-moving", f"PCRs changed while they were quoted, {_MOST_ATTEMPTS} times")


def _read(reader: Reader) -> tuple[bytes, Signature]:
    return reader.sized("a quote"), read_signature(reader)
