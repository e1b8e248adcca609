# SPDX-License-Identifier: Apache-2.0
"""The `uefi-data` blob: UEFI variables as EC2 hands them out and takes them in.

GetInstanceUefiData returns it, RegisterImage takes it (at most 64,000 characters), DescribeImageAttribute shows it.
Whoever may register an AMI writes it as they like. Under the base64, as awslabs/python-uefivars has it::

    8 bytes  "AMZNUEFI"
    u32      CRC32C of all that follows: against accidents, not against people
    u32      version, 0
    zlib     the variables (formats.efi_variables), compressed with a preset dictionary

The dictionary is AWS's and comes from AWS's own package, `uefivars`; CRC32C from `google-crc32c`, which that needs.
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
import struct
import zlib

from strongroom.errors import FormatError
from strongroom.formats import strict_json
from strongroom.formats.efi_variables import (
    MAX_STORE_BYTES,
    EfiVariables,
    encode_aws_variables,
    parse_aws_variables,
)
from strongroom.formats.file_kind import looks_like

MAX_TEXT_BYTES = 262_144
"""Of base64 or JSON: four times what RegisterImage takes."""

_SPEC = "AWS uefi-data"
_MAGIC = b"AMZNUEFI"
_HEADER = struct.Struct("<8sII")
_CHECKED_FROM = 12
_VERSION = 0
_SPACE = re.compile(rb"\s+")
_REMEDY = "Copy it again, whole: `aws ec2 get-instance-uefi-data --query UefiData --output text` prints it."


def read_uefi_data(data: bytes) -> EfiVariables:
    """Return the variables of a blob: base64 text, or the JSON in which the AWS CLI prints it.

    Raises FormatError. Takes a few times MAX_STORE_BYTES of memory at most, whatever the blob unpacks to.
    """
    if len(data) > MAX_TEXT_BYTES:
        raise FormatError(
            "uefi-data.too-large", f"expected at most {MAX_TEXT_BYTES} bytes of text, found {len(data)}", spec=_SPEC
        )
    blob = _decoded(_from_json(data) if data.lstrip()[:1] in {b"{", b'"'} else data)
    if len(blob) < _HEADER.size or not blob.startswith(_MAGIC):
        raise FormatError("uefi-data.magic", "expected AMZNUEFI in base64, found other bytes", offset=0, spec=_SPEC)
    _, checksum, version = _HEADER.unpack_from(blob)
    if _crc32c(blob[_CHECKED_FROM:]) != checksum:
        raise FormatError(
            "uefi-data.checksum",
            f"expected a blob with the CRC32C {checksum:08x}, found another: it is damaged",
            offset=len(_MAGIC),
            spec=_SPEC,
            remedy=_REMEDY,
        )
    if version != _VERSION:
        raise FormatError(
            "uefi-data.version", f"expected version {_VERSION}, found {version}", offset=_CHECKED_FROM, spec=_SPEC
        )
    return parse_aws_variables(_unpacked(blob[_HEADER.size :]))


def write_uefi_data(variables: EfiVariables) -> bytes:
    """Return the blob in base64, one line, as RegisterImage takes it."""
    packer = zlib.compressobj(9, zdict=_dictionary())
    checked = struct.pack("<I", _VERSION) + packer.compress(encode_aws_variables(variables)) + packer.flush()
    return base64.b64encode(_MAGIC + struct.pack("<I", _crc32c(checked)) + checked)


def _from_json(data: bytes) -> bytes:
    """Return the base64 in what the AWS CLI prints: of an instance, of an image, or with --query."""
    root = strict_json.parse(data, maximum_bytes=MAX_TEXT_BYTES, spec=_SPEC)
    if isinstance(root.value, dict):
        root = root.members(("UefiData",))["UefiData"]
    if isinstance(root.value, dict):
        root = root.members(("Value",))["Value"]
    return root.string().encode("ascii", "replace")


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(_SPACE.sub(b"", text), validate=True)
    except binascii.Error as error:
        raise FormatError(
            "uefi-data.base64",
            f"expected base64, found what looks like {looks_like(text)}: {error}",
            spec="RFC 4648 section 4",
            remedy=_REMEDY,
        ) from error


def _unpacked(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj(zdict=_dictionary())
    try:
        data = unpacker.decompress(packed, MAX_STORE_BYTES + 1)
    except zlib.error as error:
        raise FormatError(
            "uefi-data.compression", f"expected a zlib stream, found other bytes: {error}", offset=16, spec="RFC 1950"
        ) from error
    if len(data) > MAX_STORE_BYTES:
        raise FormatError(
            "uefi-data.too-large", f"expected at most {MAX_STORE_BYTES} bytes of variables, found more", spec=_SPEC
        )
    if not unpacker.eof or unpacker.unused_data:
        raise FormatError(
            "uefi-data.compression",
            "expected a zlib stream that ends with the blob, found "
            + ("bytes behind its end" if unpacker.eof else "no end"),
            offset=_HEADER.size,
            spec="RFC 1950",
        )
    return data


@functools.cache
def _dictionary() -> bytes:
    from pyuefivars.aws_v0 import UEFIVarStoreV0  # noqa: PLC0415 -- 15 ms that only those pay who read a blob

    return bytes(UEFIVarStoreV0.dict)


def _crc32c(data: bytes) -> int:
    import google_crc32c  # noqa: PLC0415 -- as above

    return int(google_crc32c.value(data))
