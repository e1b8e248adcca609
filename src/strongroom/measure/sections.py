# SPDX-License-Identifier: Apache-2.0
"""Digests of what is in an image, section by section: for people who compare two images. They gate nothing."""

from __future__ import annotations

import hashlib

from strongroom.formats.pe import PeImage, Section


def section_digests(image: PeImage) -> tuple[tuple[Section, bytes], ...]:
    """Return every section with the SHA-384 of its contents, without the padding that fills its place in the file."""
    return tuple((section, hashlib.sha384(image.contents(section)).digest()) for section in image.sections)
