# SPDX-License-Identifier: Apache-2.0
"""ELF programs for tests: as small as a reader takes them."""

import struct


def minimal_elf() -> bytes:
    """A header of a 64-bit program without segments and sections: it needs nothing."""
    identity = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    return identity + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, 0, 0, 0, 64, 56, 0, 64, 0, 0)
