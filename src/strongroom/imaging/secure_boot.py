# SPDX-License-Identifier: Apache-2.0
"""Secure Boot of an image: its signature, and the variables that let a machine boot it and nothing else.

Everything follows from image, keys and one given time, so that two builds write the same bytes. Private keys are asked
to sign; they never come here, and must not lie where a spec copies from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from strongroom.crypto.image_signer import verify_image_signature
from strongroom.errors import UsageError
from strongroom.formats.authenticode import (
    attach_signature,
    encode_detached_signature,
    encode_image_signature,
    encode_indirect_data,
    encode_signed_attributes,
)
from strongroom.formats.efi import (
    KEY_VARIABLES,
    encode_efi_time,
    encode_signed_update,
    signed_update_message,
)
from strongroom.formats.efi_variables import AUTHENTICATED, EfiVariable, EfiVariables
from strongroom.formats.pe import parse_pe
from strongroom.formats.uefi_data import write_uefi_data
from strongroom.measure.authenticode import signed_digest
from strongroom.measure.secure_boot import SecureBootKeys, secure_boot_events
from strongroom.ports import ImageSigner

UEFI_DATA_NAME = "uefi-data.b64"
MAX_UEFI_DATA_CHARACTERS = 64_000
"""What RegisterImage takes as UefiData (EC2 API Reference)."""
_ATTRIBUTES = 0x07 | AUTHENTICATED
"""Non-volatile, boot and runtime access, time-based authenticated writes (UEFI 2.10, section 32.3)."""


def sign_image(image: bytes, signer: ImageSigner) -> bytes:
    """Return an image with an Authenticode signature, the same bytes for the same key.

    Raises FormatError for an image that cannot be signed, NotAuthentic for a signature that its certificate does not
    verify, and what the signer raises.
    """
    parsed = parse_pe(image)
    content = encode_indirect_data(signed_digest(parsed))
    attributes = encode_signed_attributes(content)
    signature = _signature(attributes, signer)
    pkcs7 = encode_image_signature(content, attributes=attributes, signature=signature, certificate=signer.certificate)
    return attach_signature(parsed, pkcs7)


def expect_bootable(image: bytes, keys: SecureBootKeys) -> None:
    """Return if a machine with these keys would boot the image. Raises NotTrusted, FormatError.

    The signature itself was verified when it was made.
    """
    secure_boot_events(parse_pe(image), keys)


def sign_update(name: str, content: bytes, signer: ImageSigner, *, epoch: int) -> bytes:
    """Return the `.auth` file that sets PK, KEK, db or dbx. `epoch` is its time, in seconds since 1970.

    The signer has to be one that may: the key in PK for PK and KEK, one in KEK for the others. Raises as `sign_image`.
    """
    time = encode_efi_time(datetime.fromtimestamp(epoch, UTC))
    message = signed_update_message(
        name, vendor=KEY_VARIABLES[name], attributes=_ATTRIBUTES, time=time, content=content
    )
    signature = _signature(message, signer)
    return encode_signed_update(
        time, encode_detached_signature(signature=signature, certificate=signer.certificate), content
    )


def key_variables(keys: SecureBootKeys) -> EfiVariables:
    """Return the variables of a machine that has these keys and nothing else."""
    contents = {"PK": keys.pk, "KEK": keys.kek, "db": keys.db, "dbx": keys.dbx}
    return EfiVariables(
        tuple(
            EfiVariable(name, KEY_VARIABLES[name], _ATTRIBUTES, content)
            for name, content in contents.items()
            if content
        )
    )


def encode_key_files(keys: SecureBootKeys) -> Mapping[str, bytes]:
    """Return what goes beside the image, by name: the keys as `.esl`, and AWS's `uefi-data` in base64.

    Raises UsageError where that is more than RegisterImage takes.
    """
    variables = key_variables(keys)
    blob = write_uefi_data(variables)
    if len(blob) > MAX_UEFI_DATA_CHARACTERS:
        raise UsageError(
            "secure-boot.uefi-data",
            f"expected UEFI data of at most {MAX_UEFI_DATA_CHARACTERS} characters, found {len(blob)}",
            remedy="RegisterImage takes no more. Leave entries out of dbx that forbid nothing which db allows.",
        )
    return {UEFI_DATA_NAME: blob, **{f"{each.name}.esl": each.data for each in variables}}


def expect_keys_apart(keys: Iterable[Path], copied: Iterable[Path]) -> None:
    """Return if no private key lies where the spec copies from. Raises UsageError."""
    sources = [path.resolve() for path in copied]
    for key in keys:
        for source in sources:
            if key.resolve().is_relative_to(source):
                raise UsageError(
                    "secure-boot.key-in-image",
                    f"expected the key {key} outside of what goes into the image, found it in {source}",
                    remedy="Keep signing keys in a folder of their own, or in KMS.",
                )


def _signature(message: bytes, signer: ImageSigner) -> bytes:
    digest = hashlib.sha256(message).digest()
    signature = signer.sign_digest(digest)
    verify_image_signature(signature, digest, certificate=signer.certificate)
    return signature
