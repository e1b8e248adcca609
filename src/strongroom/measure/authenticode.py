# SPDX-License-Identifier: Apache-2.0
"""The Authenticode digest of a PE image: SHA-384, which firmware extends into PCR 4, and SHA-256, which is signed.

Microsoft, "Windows Authenticode Portable Executable Signature Format", Calculating the PE Image Hash, as UEFI firmware
(EDK II) does it: no padding of the file to 8 bytes, and bytes behind the hashed ones counted, not located. The two
differ from other tools for files with a gap between sections or a length that is no multiple of 8.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from strongroom.formats.pe import DIRECTORY_ENTRY_BYTES, PeImage

_CHECKSUM_BYTES = 4


def authenticode_digest(image: PeImage) -> bytes:
    """Return the 48-byte digest of an image. A signature in it, and its checksum, do not count. One pass, no copies."""
    digest = hashlib.sha384()
    for part in _hashed(image):
        digest.update(part)
    return digest.digest()


def signed_digest(image: PeImage) -> bytes:
    """Return the 32-byte digest that an Authenticode signature of an image speaks of."""
    digest = hashlib.sha256()
    for part in _hashed(image):
        digest.update(part)
    return digest.digest()


def _hashed(image: PeImage) -> Iterator[memoryview]:
    """Headers without checksum and certificate entry; sections by place in the file; what is left over."""
    data, after_checksum = image.data, image.checksum_offset + _CHECKSUM_BYTES
    yield data[: image.checksum_offset]
    if image.certificate_entry_offset is None:
        yield data[after_checksum : image.header_size]
    else:
        yield data[after_checksum : image.certificate_entry_offset]
        yield data[image.certificate_entry_offset + DIRECTORY_ENTRY_BYTES : image.header_size]
    placed = sorted((s for s in image.sections if s.raw_size), key=lambda s: s.raw_offset)
    for section in placed:
        yield image.raw(section)
    # The specification counts: so many bytes are hashed, the rest of the file follows from there. With a gap between
    # sections that is not where the last one ends; firmware does the same, so this must.
    hashed = image.header_size + sum(section.raw_size for section in placed)
    yield data[hashed : len(data) - image.certificate_table[1]]
