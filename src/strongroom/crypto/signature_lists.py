# SPDX-License-Identifier: Apache-2.0
"""Secure Boot's keys as people keep them: signature lists, signed updates of them, or certificates."""

from __future__ import annotations

import uuid

from strongroom.crypto.certificates import load_certificate, parse_pem_certificates
from strongroom.errors import FormatError, UsageError
from strongroom.formats.efi import (
    content_of_signed_update,
    is_signed_update,
    parse_signature_database,
    signature_list_of_certificate,
)
from strongroom.formats.file_kind import FileKind, guess_kind
from strongroom.ids import CertificateDer

_OWNER_REMEDY = (
    "Give the GUID that the certificate is enrolled under: it is measured with the certificate. There is no usual one: "
    "the EC2 User Guide makes a random one (GUID.txt), cert-to-efi-sig-list without -g takes zeros, virt-fw-vars asks."
)


def read_signature_lists(data: bytes, *, owner: uuid.UUID | None) -> bytes:
    """Return the signature lists in an `.esl`, an `.auth` or a certificate (PEM or DER), each of them whole.

    A certificate needs its owner. Raises UsageError without one, FormatError for anything else.
    """
    kind = guess_kind(data)
    if is_signed_update(data):
        data = content_of_signed_update(data)
    elif kind in {FileKind.PEM_CERTIFICATE, FileKind.DER}:
        certificate = read_certificate(data)
        if owner is None:
            raise UsageError(
                "measure.no-owner", "expected the owner of the certificate, found none", remedy=_OWNER_REMEDY
            )
        data = signature_list_of_certificate(certificate, owner)
    parse_signature_database(data)
    return data


def read_certificate(data: bytes) -> CertificateDer:
    """Return the one certificate in a PEM or DER file. Raises FormatError."""
    if guess_kind(data) is FileKind.DER:
        load_certificate(CertificateDer(data))
        return CertificateDer(data)
    certificates = parse_pem_certificates(data)
    if len(certificates) > 1:
        raise FormatError(
            "measure.several-certificates",
            f"expected one certificate, found {len(certificates)}: tools that enrol take the first",
            remedy="Put each certificate that is enrolled into a file of its own.",
        )
    return certificates[0]
