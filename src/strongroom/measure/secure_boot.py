# SPDX-License-Identifier: Apache-2.0
"""PCR 7: the state of Secure Boot, its variables, and the db certificate that let the image through.

TCG PC Client PFP 1.06, section 3.3.4.8. What is predicted is a boot that succeeds: no signature is verified here, as
only the firmware's verdict counts. Refused are images that it certainly would not start: unsigned ones, and those whose
certificates are not in db, or are in dbx. Digests of images in db and dbx are not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.crypto.authenticode_signature import embedded_certificates
from strongroom.errors import FormatError, NotTrusted
from strongroom.formats.efi import (
    CERT_X509,
    GLOBAL_VARIABLE,
    IMAGE_SECURITY_DATABASE,
    KEY_VARIABLES,
    SignatureEntry,
    encode_variable_data,
    parse_signature_database,
)
from strongroom.formats.pe import PeImage, parse_certificate_table
from strongroom.measure.events import Event, EventType, event_over, separator

_PCR = 7
_REMEDY = "Sign the image with a key whose certificate is in db (sbsign), and give that db."


@dataclass(frozen=True, slots=True)
class SecureBootKeys:
    """The variables of a machine with Secure Boot on: contents of `.esl` files, empty where the variable is absent.

    Raises FormatError where one is not a signature database, or PK is empty (then Secure Boot is off).
    """

    pk: bytes
    kek: bytes = b""
    db: bytes = b""
    dbx: bytes = b""

    def __post_init__(self) -> None:
        if not parse_signature_database(self.pk):
            raise FormatError(
                "efi.no-pk", "expected a platform key in PK, found none: Secure Boot would be off", offset=0
            )
        for content in (self.kek, self.db, self.dbx):
            parse_signature_database(content)


def secure_boot_events(image: PeImage, keys: SecureBootKeys | None) -> tuple[Event, ...]:
    """Return the events of PCR 7, without keys those of a machine with Secure Boot off and no variables.

    Raises NotTrusted for an image that these keys would not let boot, FormatError for a broken signature.
    """
    if keys is None:
        return variables_without_secure_boot()
    policy = _policy(on=True, pk=keys.pk, kek=keys.kek, db=keys.db, dbx=keys.dbx)
    return (*policy, _authority(image, keys))


def _policy(*, on: bool, pk: bytes, kek: bytes, db: bytes, dbx: bytes) -> tuple[Event, ...]:
    return (
        switch_event(on=on),
        _variable("PK", pk),
        _variable("KEK", kek),
        _variable("db", db),
        _variable("dbx", dbx),
        separator(_PCR),
    )


def switch_event(*, on: bool) -> Event:
    """Return the event that says whether Secure Boot is on: the first of PCR 7, with keys or without."""
    return _variable("SecureBoot", bytes([on]))


def variables_without_secure_boot() -> tuple[Event, ...]:
    """Return the events of PCR 7 where Secure Boot is off and no key is enrolled: the same on every such machine."""
    return _policy(on=False, pk=b"", kek=b"", db=b"", dbx=b"")


def _variable(name: str, data: bytes) -> Event:
    vendor = KEY_VARIABLES.get(name, GLOBAL_VARIABLE)  # SecureBoot, which is no key, is the firmware's own too
    return event_over(
        _PCR, EventType.VARIABLE, encode_variable_data(vendor, name, data), f"variable {name}", subject=name
    )


def _authority(image: PeImage, keys: SecureBootKeys) -> Event:
    embedded = [der for blob in parse_certificate_table(image) for der in embedded_certificates(bytes(blob))]
    if not embedded:
        raise NotTrusted(
            "measure.unsigned", "expected a signed image, found no signature: it would not boot", remedy=_REMEDY
        )
    if _x509_entries(keys.dbx, embedded):
        raise NotTrusted(
            "measure.forbidden",
            "expected an image that dbx allows, found a certificate of its signature in dbx",
            remedy=_REMEDY,
        )
    entry = _only(_x509_entries(keys.db, embedded))
    measured = encode_variable_data(IMAGE_SECURITY_DATABASE, "db", entry.signature_data)
    return event_over(_PCR, EventType.AUTHORITY, measured, "the db certificate that verifies the image")


def _x509_entries(database: bytes, certificates: Sequence[bytes]) -> tuple[SignatureEntry, ...]:
    """Return the distinct certificate entries of a database that are among `certificates`."""
    entries = (e for e in parse_signature_database(database) if e.kind == CERT_X509 and e.content in certificates)
    return tuple({entry.signature_data: entry for entry in entries}.values())


def _only(entries: Sequence[SignatureEntry]) -> SignatureEntry:
    if not entries:
        raise NotTrusted(
            "measure.no-authority",
            "expected a certificate of the image's signature in db, found none: it would not boot",
            remedy=_REMEDY,
        )
    if len(entries) > 1:
        raise NotTrusted(
            "measure.ambiguous-authority",
            f"expected one entry of db in the image's signature, found {len(entries)}: "
            "which of them the firmware measures cannot be told from the outside",
            remedy="Keep one certificate in db for this image, or sign without the others' certificates.",
        )
    return entries[0]
