# SPDX-License-Identifier: Apache-2.0
"""Who signs an image, from its specification: a key in a file or in KMS, and the keys of the machines that boot it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from pathlib import Path

from strongroom.aws.sdk.image_signer import SdkImageSigner
from strongroom.aws.sdk.session import AwsSession
from strongroom.cli.paths import named
from strongroom.crypto.certificates import sha256_fingerprint
from strongroom.crypto.image_signer import MAX_KEY_BYTES, parse_image_signer
from strongroom.crypto.signature_lists import read_certificate
from strongroom.errors import LocalFault
from strongroom.flows.files import read_file
from strongroom.formats.arn import parse_key_arn
from strongroom.formats.efi import signature_list_of_certificate
from strongroom.formats.image_spec_model import ImageSpec, SpecSecureBoot
from strongroom.ids import CertificateDer, KeyArn
from strongroom.imaging.build.order import Signing
from strongroom.imaging.secure_boot import expect_keys_apart
from strongroom.measure.secure_boot import SecureBootKeys
from strongroom.ports import ImageSigner

_MAX_CERTIFICATE_BYTES = 65_536
_OTHERS = 0o077
_ARN = "arn:"


def signing_of(spec: ImageSpec, folder: Path) -> Signing | None:
    """Return who signs the image of a specification in `folder`, None for one without Secure Boot.

    Raises UsageError for a key that lies where the specification copies from, LocalFault for one that others may read,
    FormatError for keys and certificates that do not fit.
    """
    wanted = spec.secure_boot
    if wanted is None:
        return None
    certificate = _certificate(folder / wanted.certificate)
    keys = SecureBootKeys(
        pk=_list(_certificate(folder / wanted.pk)),
        kek=_lists(folder / path for path in wanted.kek),
        db=_lists(folder / path for path in wanted.db),
    )
    return Signing(_signer(wanted, certificate, spec, folder), keys)


def _signer(wanted: SpecSecureBoot, certificate: CertificateDer, spec: ImageSpec, folder: Path) -> ImageSigner:
    if wanted.key.startswith(_ARN):
        region = parse_key_arn(wanted.key).region
        return SdkImageSigner(AwsSession().kms(region=region), KeyArn(wanted.key), certificate)
    path = folder / wanted.key
    expect_keys_apart([path], _copied(spec, folder))
    _expect_private(path)
    with named(path):
        return parse_image_signer(read_file(path, maximum_bytes=MAX_KEY_BYTES), certificate)


def _copied(spec: ImageSpec, folder: Path) -> list[Path]:
    contents = [*(file.content for file in spec.files), *(unit.content for unit in spec.units if unit.content)]
    return [folder / each.source for each in contents if each.source is not None]


def _expect_private(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise LocalFault("file.unreadable", f"cannot read {path}: {error.strerror}") from error
    if mode & _OTHERS:
        raise LocalFault(
            "secure-boot.key-mode",
            f"expected the key {path} to be readable by its owner alone, found mode {mode & 0o777:04o}",
            remedy=f"chmod 600 {path}",
        )


def _certificate(path: Path) -> CertificateDer:
    with named(path):
        return read_certificate(read_file(path, maximum_bytes=_MAX_CERTIFICATE_BYTES))


def _lists(paths: Iterable[Path]) -> bytes:
    return b"".join(_list(_certificate(path)) for path in paths)


def _list(certificate: CertificateDer) -> bytes:
    """Return the list of a certificate. Its owner is measured and means nothing; it follows from the bytes."""
    return signature_list_of_certificate(certificate, uuid.UUID(bytes=sha256_fingerprint(certificate)[:16]))
